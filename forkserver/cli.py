"""What a person types.

Knows commands, their options, exit codes and the words printed; what a command does is known elsewhere.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from forkserver import __version__

WRONG = 2  # exit code
RELOAD = "reload when a source changes, for development; needs the library watchfiles"

EXAMPLES = """\
examples:
  forkserver serve .                        serve this folder, now
  forkserver serve shop.wsgi:application    serve an application of this folder
  forkserver run conf/server.ini            in the foreground; Ctrl-C ends it
  forkserver run --reload conf/server.ini   the same for development: what is edited is in use at once
  forkserver start /etc/forkserver/server.ini
  forkserver reload                         take the configuration anew, or say why not
  forkserver check --show                   what holds, and where it comes from

Without FILE: conf/server.ini below this folder, else /etc/forkserver/server.ini.
Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 not running.
"""


def parser() -> argparse.ArgumentParser:
    """The command line, declared."""
    top = argparse.ArgumentParser(
        prog="forkserver",
        description="A pre-forking, multi-process web server.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"forkserver {__version__}")
    subs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's
        sub = subs.add_parser(name, help=help, description=help)
        if name != "serve":
            sub.add_argument("file", nargs="?", metavar="FILE", help="the configuration")
        return sub

    run = command("run", "serve in the foreground, as a service manager wants it")
    run.add_argument("--reload", action="store_true", help=RELOAD)
    run.add_argument("--ready-fd", type=int, metavar="FD", help=argparse.SUPPRESS)
    serve = command("serve", "serve a folder or a WSGI application, without a configuration")
    serve.add_argument("what", metavar="DIR|MODULE:APP", help="the folder, or the application")
    serve.add_argument("--listen", metavar="ADDRESS", help="where (default: 127.0.0.1:8080)")
    serve.add_argument("--workers", metavar="N", help="how many processes, or MIN-MAX (default: one a CPU)")
    serve.add_argument("--threads", metavar="N", help="calls of the application at once in each of them (default: 8)")
    serve.add_argument("--reload", action="store_true", help=RELOAD)
    command("start", "serve in the background; returns when it serves, or cannot")
    command("stop", "finish what is in flight and end")
    command("restart", "stop, then start")
    command("reload", "take the configuration anew; refused if anything is wrong with it")
    status = command("status", "one line a worker")
    status.add_argument("--json", action="store_true", help="everything, for programs")
    check = command("check", "say everything that is wrong with the configuration")
    check.add_argument("--show", action="store_true", help="print what holds and where it comes from")
    check.add_argument("--diff", action="store_true", help="print what a reload would change")
    return top


def main(argv: Sequence[str] | None = None, kinds: Mapping[str, type[Any]] | None = None) -> int:
    """Do what was typed; give the exit code.  `kinds` are the kinds of application that a mount may have."""
    if not sys.platform.startswith("linux"):
        print("forkserver needs Linux: it is built on epoll and on adopting its orphans (prctl).", file=sys.stderr)
        return WRONG
    arguments = parser().parse_args(argv)
    # Only now: on other systems the rest cannot even be imported, and for help it would be for nothing.
    from forkserver import commands  # noqa: PLC0415
    from forkserver.apps import KINDS  # noqa: PLC0415

    try:
        code: int = getattr(commands, arguments.command)(arguments, KINDS if kinds is None else kinds)
    except commands.Refusal as refusal:
        print(f"forkserver: {refusal}" if refusal.named else str(refusal), file=sys.stderr)
        return refusal.code
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    return code
