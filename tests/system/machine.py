"""A machine for one test: a container with a systemd of its own, booted in half a second and thrown away.

Its disk is an overlay over folders that are only read; its network has nothing but loopback.  The overlay is
mounted in a namespace that ends with the container: nothing is left to unmount, however the tests end.
This file knows nothing of forkserver.
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

BOOT = 60  # seconds that each step of the boot may take
COMMAND = 120  # ... a command
LINE = 60  # ... a line of the journal to appear
HALT = 30  # ... the shutdown
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
}
NSPAWN = [
    "systemd-nspawn",
    *("--boot", "--quiet", "--console=pipe", "--settings=no", "--suppress-sync=yes"),
    *("--register=no", "--keep-unit", "--link-journal=no"),  # there may be no systemd around it
    *("--private-network", "--resolv-conf=off", "--timezone=off"),
    "--notify-ready=yes",
]
MOUNT = 'mount -t overlay overlay -o "$1" "$2" && shift 2 && exec "$@"'
IN_PRIVATE = ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT, "sh"]


class Machine:
    """A booted container; a context manager.

    `layers` are root folders, the topmost first; `binds` maps paths inside to folders outside, read-only.
    `disk` gathers what the machine writes, and can be a layer of the next one.
    """

    def __init__(self, layers: Sequence[Path], folder: Path, binds: Mapping[str, Path]) -> None:
        self.disk, work, self._root = folder / "disk", folder / "work", folder / "root"
        for made in (self.disk, work, self._root):
            made.mkdir(parents=True)
        self._console = folder / "console.log"
        self._mount = f"lowerdir={':'.join(map(str, layers))},upperdir={self.disk},workdir={work}"
        self._binds = [f"--bind-ro={outside}:{inside}" for inside, outside in binds.items()]

    def __enter__(self) -> Machine:
        name = f"forkserver-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(f"\0{name}")
            self._nspawn = self._start(name)
            try:
                self._leader = self._booted(notices)
            except BaseException:
                self.halt()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.halt()

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        here = [f"--directory={self._root}", f"--machine={name}", *self._binds]
        with open(self._console, "wb") as console:
            return subprocess.Popen(
                # The container goes when these tests do, even by SIGKILL.
                ["setpriv", "--pdeathsig", "TERM", *IN_PRIVATE, self._mount, str(self._root), *NSPAWN, *here],
                env={**os.environ, "NOTIFY_SOCKET": f"@{name}"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )

    def _booted(self, notices: socket.socket) -> int:
        """Wait until the systemd inside is ready; give its pid out here: sd_notify(3), systemd-nspawn(1)."""
        leader, ended = 0, os.pidfd_open(self._nspawn.pid)
        try:
            while notices.fileno() in select.select([notices.fileno(), ended], [], [], BOOT)[0]:
                notice = dict(line.partition("=")[::2] for line in notices.recv(4096).decode().splitlines())
                leader = int(notice.get("X_NSPAWN_LEADER_PID", leader))
                if notice.get("READY") == "1":
                    return leader
        finally:
            os.close(ended)
        raise AssertionError(f"the container did not boot:\n{self._console.read_text()}")

    def halt(self) -> None:
        """Shut down in order; by force when that takes too long."""
        self._nspawn.terminate()
        try:
            self._nspawn.wait(HALT)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()

    def _inside(self, script: str, *options: str) -> list[str]:
        return ["nsenter", f"--target={self._leader}", "--all", *options, "--", "sh", "-ec", script]

    def call(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run shell commands as root, whatever their exit code; `stdout` has both outputs."""
        return subprocess.run(
            self._inside(script),
            env=ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND,
            check=False,
        )

    def run(self, script: str, **environment: str) -> str:
        """Run shell commands that must succeed; what they printed."""
        done = self.call(script, **environment)
        assert done.returncode == 0, f"exit code {done.returncode} of: {script}\n{done.stdout}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Make a file, and its folder."""
        self.run('mkdir -p "$(dirname "$FILE")" && printf %s "$TEXT" >"$FILE"', FILE=path, TEXT=text)

    def journal(self, unit: str) -> str:
        """Everything that the unit said, and that systemd said about it."""
        return self.call(f"journalctl --boot --no-pager --output=short-monotonic --unit='{unit}'").stdout

    def cursor(self) -> str:
        """Where the journal ends now."""
        return self.run("journalctl --quiet --lines=0 --show-cursor").partition("cursor: ")[2].strip()

    def wait_for(self, pattern: str, unit: str, since: str) -> str:
        """Wait for a line of the unit's journal after the cursor `since`; the line."""
        follow = f"exec timeout {LINE} journalctl --follow -o cat --unit={unit} --after-cursor='{since}'"
        # Without a fork of nsenter, so that it is `timeout` that we end, and that takes journalctl along.
        command = self._inside(follow, "--no-fork")
        seen = []
        with subprocess.Popen(
            command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as journal:
            assert journal.stdout is not None
            for line in journal.stdout:
                seen.append(line)
                if re.search(pattern, line):
                    journal.terminate()
                    return line
        raise AssertionError(f"no line like {pattern!r} in the journal of {unit}, but:\n{''.join(seen)}")
