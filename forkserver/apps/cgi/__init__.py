"""The kind `cgi`: a folder of scripts, each request a process of its own (RFC 3875).

Knows the order of things.  Which script is meant, what it is told, how it is started, listened to and understood, is
told by the files beside this one.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from forkserver.apps.app import place_of
from forkserver.apps.cgi import shebang
from forkserver.apps.cgi.options import CgiOptions
from forkserver.apps.cgi.output import answer
from forkserver.apps.cgi.process import MARGIN, TICK, Patience, Process
from forkserver.apps.cgi.scripts import Forbidden, Script, Scripts
from forkserver.apps.cgi.shebang import Interpreter
from forkserver.apps.cgi.variables import arguments_of, base_of, told_of
from forkserver.apps.cgi.zygote import EXECUTE, Order
from forkserver.apps.cgi.zygotes import Zygotes
from forkserver.apps.errorlines import Errors, to_stderr
from forkserver.apps.files import Missing
from forkserver.http.request import Request
from forkserver.http.response import Response, error_response

__all__ = ["Cgi", "CgiOptions"]

EXHAUSTED = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


class Cgi:
    """Scripts below one mount."""

    Options = CgiOptions
    methods = None
    reads_body = True
    blocking = True

    def __init__(self, options: CgiOptions, prefix: str) -> None:
        """`prefix` is the mount's, without a slash at its end."""
        self.options = options
        self.place = place_of(prefix)
        self.scripts = Scripts(options.cgi, options.symlinks, options.hidden)
        self.root = os.fsencode(options.document_root) or self.scripts.folder
        self.base = base_of(options.env)
        self.patience = Patience(options.cgi_timeout, options.run_time)
        self.employ(threads=1, errors=to_stderr)

    def load(self) -> None:
        """Raises AppError when there is nothing to be run."""
        self.scripts.check()

    check = load  # runs nothing

    def employ(self, *, threads: int, errors: Callable[[str], None]) -> None:
        """What a worker has for itself."""
        self.log = errors
        self.turns = threading.Semaphore(self.options.processes)
        self.zygotes = Zygotes(self.base, self.options.preload_modules, self._say)
        self.cold: set[bytes] = set()  # scripts of which the log was told that they cannot be warm

    def close(self) -> None:
        """Ends what still runs, and those that run it."""
        self.zygotes.close()

    def respond(self, request: Request) -> Response:
        """The reply of the script that the path means; ConnectionAbortedError when the client has left."""
        if "%2f" in request.head.line.raw_path.lower():  # section 4.1.5: decoded, it would be another path
            return error_response(404)
        try:
            script = self.scripts.find(request.path)
        except Missing:
            return error_response(404)
        except Forbidden as error:
            self._say(str(error))
            return error_response(403)
        errors = Errors(f"[{place_of(request.script + script.name)}]", self.log)
        if not self._wait_for_turn(request):
            errors.write(f"{self.options.processes} processes run already\n")
            return _later()
        try:
            process = self._start(request, script, errors)
        except BaseException as error:
            self.turns.release()
            if isinstance(error, OSError):
                return _refused(script, errors, error)
            raise
        return answer(process, request, self.options.head_size, parsed=script.parses)

    def _say(self, text: str) -> None:
        self.log(f"[{self.place}]: {text}")

    def _wait_for_turn(self, request: Request) -> bool:
        """False when there is none in time; ConnectionAbortedError when the client has left."""
        limit = time.monotonic() + self.options.cgi_timeout
        request.extend(MARGIN)
        while not self.turns.acquire(timeout=TICK):
            if request.gone:
                raise ConnectionAbortedError("the client has left")
            if time.monotonic() > limit:
                return False
            request.extend(MARGIN)
        return True

    def _start(self, request: Request, script: Script, errors: Errors) -> Process:
        """OSError when the system will not have it."""
        with ExitStack() as ours, ExitStack() as theirs:
            body, length = _body(request, theirs)
            output, out = _pipe(ours, theirs)
            complaints, err = _pipe(ours, theirs)
            told = told_of(request, script, self.root, length, secrets=self.options.pass_authorization)
            arguments = arguments_of(request)
            order = Order(EXECUTE, script.file, arguments, {**self.base, **told}, self.options.memory)
            line = self.zygotes.start(order, (body, out, err), self._python(script))
            ours.pop_all()
        return Process(line, output, complaints, errors=errors, patience=self.patience, done=self.turns.release)

    def _python(self, script: Script) -> Interpreter | None:
        """The Python that the script is to be forked from; None for one that is to be executed."""
        if self.options.warm == "no":
            return None
        try:
            found = shebang.python_of(shebang.first_line(script.file), os.fsdecode(self.base[b"PATH"]))
        except OSError:  # not readable is not yet not executable
            found = None
        if found is None and self.options.warm == "yes" and script.file not in self.cold:
            self.cold.add(script.file)
            self._say(f"{os.fsdecode(script.file)} names no Python that can be kept warm; it is executed")
        return found


def _later() -> Response:
    return error_response(503, "", (("Retry-After", "1"),))


def _refused(script: Script, errors: Errors, error: OSError) -> Response:
    """The reply for a script that was not started, and a word on why."""
    if error.errno in EXHAUSTED:
        errors.write(f"there is no room for another process: {error.strerror}\n")
        return _later()
    if error.errno == errno.E2BIG:
        errors.write("the request is too large to be told to a program\n")
        return error_response(431)
    try:
        why = shebang.trouble(shebang.first_line(script.file))
    except OSError:
        why = ""
    errors.write(f"cannot be executed: {error.strerror}{'; ' + why if why else ''}\n")
    return error_response(500)


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """Our end, to read from, and theirs."""
    reading, writing = os.pipe()
    ours.callback(os.close, reading)
    theirs.callback(os.close, writing)
    return reading, writing


def _body(request: Request, theirs: ExitStack) -> tuple[int, int]:
    """A descriptor to read the body from, at its beginning, and its length (section 4.2)."""
    body = request.body
    if not isinstance(body, bytes):
        return body.fileno(), os.fstat(body.fileno()).st_size
    if not body:
        descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        theirs.callback(os.close, descriptor)
        return descriptor, 0
    descriptor = os.memfd_create("body", os.MFD_CLOEXEC)
    theirs.callback(os.close, descriptor)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(body)
        file.flush()
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor, len(body)
