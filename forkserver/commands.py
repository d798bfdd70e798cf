"""What the commands do, each a function of its arguments that gives an exit code.

Knows configuration files, the control socket and how a daemon is begun; the rest of a server's life is the master's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from forkserver import config as configuration
from forkserver import daemon, onthespot
from forkserver.assembly import Server, default_places, foreseen
from forkserver.config import Config, describe
from forkserver.config.ini import ConfigError
from forkserver.config.options import Limits
from forkserver.config.options import Server as ServerOptions
from forkserver.config.sources import peek
from forkserver.log import STANDARD, is_path
from forkserver.process.control import ControlClient, NotRunning
from forkserver.watching import beside

DONE, FAILED, WRONG, NOT_RUNNING = 0, 1, 2, 3
PLACES = ("conf/server.ini", "/etc/forkserver/server.ini")
PATIENCE = 5.0  # seconds beyond the graceful timeout that `stop` waits

Kinds = Mapping[str, type[Any]]
Arguments = argparse.Namespace


class Refusal(Exception):  # noqa: N818 - an outcome, not a fault
    """A command ends here: its exit code, and what the person is told."""

    def __init__(self, code: int, why: str, *, named: bool = True) -> None:
        """`named`: the text needs our name before it."""
        super().__init__(why)
        self.code, self.named = code, named


def find_file(arguments: Arguments) -> str:
    """The configuration that is meant."""
    given: str | None = arguments.file
    if given:
        return os.path.abspath(given)
    for place in PLACES:
        if os.path.exists(place):
            return os.path.abspath(place)
    raise Refusal(WRONG, f"no configuration: neither {PLACES[0]} nor {PLACES[1]} is there; name a file")


def load(path: str, kinds: Kinds) -> Config:
    """The configuration, or all that is wrong with it."""
    try:
        return configuration.load(path, kinds)
    except ConfigError as error:
        raise Refusal(WRONG, str(error), named=False) from None


def control_path(path: str, kinds: Kinds) -> str:
    """Where the master of a configuration listens for commands, even while that configuration is broken."""
    try:
        given = configuration.load(path, kinds).server.control
    except ConfigError:
        given = peek(path, "server", "control", ServerOptions) or ""
    return given or default_control(path)


def default_control(name: str) -> str:
    """Where it listens when the configuration of this name does not say."""
    try:
        return default_places(name)[0]
    except OSError as error:
        raise Refusal(FAILED, f"{error.filename} {error.strerror}") from None


def client(path: str, kinds: Kinds, timeout: float | None = None) -> ControlClient:
    """A line to the running master; to be closed."""
    place = control_path(path, kinds)
    try:
        return ControlClient(place, timeout)
    except NotRunning as error:
        raise Refusal(NOT_RUNNING, f"{error}; was [server] control edited since it was started?") from None
    except OSError as error:
        raise Refusal(FAILED, f"{place}: {error.strerror}") from None


def ask(path: str, kinds: Kinds, command: str, timeout: float | None = None) -> dict[str, Any]:
    """What the running master answers to a command."""
    with client(path, kinds, timeout) as line:
        try:
            return line.ask({"command": command})
        except (OSError, ValueError) as error:
            raise Refusal(FAILED, f"no answer: {error}") from None


def say(text: str) -> None:
    """Print at once, so that a reader who has had enough is noticed here and not while the interpreter ends."""
    print(text, flush=True)


# Beginning.


def run(arguments: Arguments, kinds: Kinds) -> int:
    path = find_file(arguments)
    config = load(path, kinds)
    program = Server(lambda: configuration.load(path, kinds), kinds)
    if arguments.ready_fd is not None:
        return daemon.in_background(program, config, arguments.ready_fd)
    with _watched(arguments, config):
        return daemon.in_foreground(program, config)


def serve(arguments: Arguments, kinds: Kinds) -> int:
    """The configuration is written on the spot; what is wrong with it is wrong with the command line."""
    control = default_control(f"serve-{os.getpid()}")  # several may serve one folder
    try:
        text = onthespot.configuration_of(arguments, control)
        if arguments.reload and onthespot.is_folder(arguments.what):
            raise Refusal(WRONG, "--reload is for applications: the files of a folder are served as they are")
    except onthespot.Neither as error:
        raise Refusal(WRONG, str(error)) from None

    def configure() -> Config:
        return configuration.parse(text, onthespot.NAME, kinds)

    try:
        config = configure()
    except ConfigError as error:
        raise Refusal(WRONG, str(error), named=False) from None
    with _watched(arguments, config, text):
        return daemon.in_foreground(Server(configure, kinds), config)


@contextlib.contextmanager
def _watched(arguments: Arguments, config: Config, text: str = "") -> Iterator[None]:
    """Have the sources watched meanwhile, if that was asked for; `text` is the configuration's that is no file."""
    with contextlib.ExitStack() as stack:
        if arguments.reload:
            control = config.server.control or default_control(config.path)
            name = onthespot.NAME if text else config.path
            # Otherwise the log, which is on the same terminal, says why.
            reasons = config.log.error != "stderr"
            try:
                stack.enter_context(beside.watcher(control, name, text, reasons=reasons))
            except beside.NoLibrary as error:
                raise Refusal(WRONG, str(error)) from None
            except beside.CannotWatch as error:
                raise Refusal(FAILED, str(error)) from None
        yield


def start(arguments: Arguments, kinds: Kinds) -> int:
    """Begin a `run` that detaches itself, and wait for its word."""
    path = find_file(arguments)
    config = load(path, kinds)
    slow = config.log.slow if config.log.slow_after and not is_path(config.log.error) else "none"
    for name, where in (("access", config.log.access), ("error", config.log.error), ("slow", slow)):
        if where in STANDARD:
            print(f"forkserver: in the background {where} leads nowhere: give [log] {name} a file", file=sys.stderr)
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "forkserver", "run", "--ready-fd", str(writer), path]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
        command, pass_fds=[writer], stdin=subprocess.DEVNULL
    ) as begun:
        os.close(writer)
        with open(reader, encoding="utf-8") as lines:
            word = lines.read()
    if word == daemon.READY:
        return DONE
    raise Refusal(begun.returncode or FAILED, word or "it ended before it could say why")


def stop(arguments: Arguments, kinds: Kinds) -> int:
    path = find_file(arguments)
    with client(path, kinds) as line:
        pid = line.master
    patience = _graceful(path, kinds) + PATIENCE
    try:
        ended = _end(pid, patience)
    except ProcessLookupError:  # by itself, in this very moment
        return DONE
    if not ended:
        raise Refusal(FAILED, f"process {pid} did not end within {patience:g} s")
    return DONE


def _end(pid: int, patience: float) -> bool:
    """Have a process end, and wait for that; ProcessLookupError when it has ended already."""
    process = os.pidfd_open(pid)  # means this very process, whoever has its number later
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        waiter = select.poll()
        waiter.register(process, select.POLLIN)
        return bool(waiter.poll(patience * 1000))
    finally:
        os.close(process)


def _graceful(path: str, kinds: Kinds) -> float:
    try:
        return configuration.load(path, kinds).limits.graceful_timeout
    except ConfigError:
        return Limits().graceful_timeout


def restart(arguments: Arguments, kinds: Kinds) -> int:
    """With a broken configuration nothing is stopped."""
    load(find_file(arguments), kinds)
    try:
        stop(arguments, kinds)
    except Refusal as refusal:
        if refusal.code != NOT_RUNNING:
            raise
    return start(arguments, kinds)


# While it runs.


def reload(arguments: Arguments, kinds: Kinds) -> int:
    answer = ask(find_file(arguments), kinds, "reload")
    if answer["ok"]:
        return DONE
    raise Refusal(FAILED, f"reload refused: {answer['why']}")


def status(arguments: Arguments, kinds: Kinds) -> int:
    answer = ask(find_file(arguments), kinds, "status", timeout=10)
    if arguments.json:
        say(json.dumps(answer, indent=2))
        return DONE
    say(
        f"master {answer['pid']}, generation {answer['generation']}, up {answer['uptime']:.0f} s, at "
        f"{', '.join(answer['listening'])}: {answer['requests']} requests, {answer['requests_per_second']:g}/s"
    )
    for worker in answer["workers"]:
        say(
            f"worker {worker['worker']:3} {worker['pid']:8} gen {worker['generation']:<4} {worker['state']:9}"
            f"{worker['connections']:6} connections {worker['requests']:10} requests"
        )
        for one in worker["in_progress"]:
            say(f"{one['running']:18.1f} s  {one['client']:15}  {one['request']}")
    if answer["last_refusal"]:
        say(f"the last reload was refused: {answer['last_refusal']}")
    return DONE


def check(arguments: Arguments, kinds: Kinds) -> int:
    """No code of an application is run: whoever checks may be another user than the one who serves."""
    path = find_file(arguments)
    config = load(path, kinds)
    if arguments.show:
        say(describe.show(config).rstrip("\n"))
    if arguments.diff:
        for line in describe.diff(_running(path, kinds), config) or ["no differences"]:
            say(line)
    if absent := foreseen(config, kinds):
        raise Refusal(WRONG, "\n".join(absent), named=False)
    if not (arguments.show or arguments.diff):
        say(f"{path}: good")
    return DONE


def _running(path: str, kinds: Kinds) -> Config:
    """The configuration that the master serves by."""
    answer = ask(path, kinds, "config", timeout=10)
    if not answer["ok"]:
        raise Refusal(FAILED, answer["why"])
    try:
        return configuration.parse(answer["text"], path, kinds)
    except ConfigError as error:  # a folder of it has gone meanwhile, say
        raise Refusal(FAILED, f"what runs could not be started like that any more:\n{error}") from None
