"""A Debian root folder with systemd, made once and kept in the user's cache.

The mirror is the one that this machine's own apt uses.  This file knows nothing of forkserver.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,curl,procps,logrotate"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "forkserver-tests"


@contextlib.contextmanager
def root_folder() -> Iterator[Path]:
    """The folder, to be read, by one user at a time: containers side by side would share control groups.

    DEBIAN_SUITE names another release than this machine's.  CalledProcessError when it cannot be made.
    """
    suite = os.environ.get("DEBIAN_SUITE") or platform.freedesktop_os_release()["VERSION_CODENAME"]
    folder = CACHE / f"{suite}-{zlib.crc32(PACKAGES.encode()):08x}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _bootstrap(suite, folder)
        yield folder


def _bootstrap(suite: str, folder: Path) -> None:
    """Make the folder whole or not at all."""
    making = folder.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(making), _mirror()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)
    making.rename(folder)


def _mirror() -> str:
    """The address from which apt on this machine takes the main section of its first release."""
    list_targets = ["apt-get", "indextargets", "--format", "$(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    targets = subprocess.run(list_targets, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    return next(line.split()[1] for line in targets.splitlines() if line.startswith("main "))
