"""A site: its routes, what happens before and after every request, and the way from a request to its answer.

Knows the order of things; what each of them is, is told by the files beside this one.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from forkserver.http.request import Request as Call
from forkserver.http.response import Response as Answer
from forkserver.http.response import error_response
from forkserver.web.errors import Forbidden, HTTPError
from forkserver.web.files import File
from forkserver.web.forms import Limits
from forkserver.web.origins import is_foreign
from forkserver.web.request import Request, text_of
from forkserver.web.response import PlainPage, Response, response_of
from forkserver.web.routing import Arguments, Converter, Handler, Router
from forkserver.web.sessions import Sessions
from forkserver.web.templates import Templates

if TYPE_CHECKING:
    from forkserver.web.gateway import StartResponse
    from forkserver.web.testing import Client

H = TypeVar("H", bound=Handler)
Before = Callable[[Request], Any]
After = Callable[[Request, Response], Response | None]

AGE = 14 * 24 * 3600  # seconds that a session is kept after its last change


class Site:
    """What is at each address of a site; `web = module:site` serves it, and so does every WSGI server.

    Handlers are given the Request, and by name the parts of the path that their route names.  They return a Response, a
    str (sent as plain text), bytes, a dict or list (as JSON), or a generator of pieces; or they raise an HTTPError.
    Several threads call them at once.
    """

    def __init__(
        self,
        *,
        secret: str | Sequence[str] = "",
        templates: str | os.PathLike[str] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        trusted_origins: Collection[str] = (),
        session_cookie: str = "session",
        session_age: int = AGE,
    ) -> None:
        """`secret` signs sessions: long, random, the same in all processes, and secret.  Of several the last one signs.

        `templates` is a folder; `trusted_origins` are other origins, such as https://example.org, whose pages may send
        forms here, or "*" for all.  `session_age` is in seconds.
        """
        secrets = (secret,) if isinstance(secret, str) else tuple(secret)
        self.sessions = Sessions(tuple(filter(None, secrets)), session_cookie, session_age)
        self.templates = None if templates is None else Templates(templates)
        self.limits = limits
        self.log: Callable[[str], None] = _to_stderr  # takes lines for the error log of the server
        self._trusted = frozenset(trusted_origins)
        self._router = Router()
        self._before: list[Before] = []
        self._after: list[After] = []
        self._errors: dict[int, Callable[[Request, HTTPError], Any]] = {}

    # What a module says of its site.

    def route(self, pattern: str, methods: Iterable[str] = ("GET",)) -> Callable[[H], H]:
        """A decorator: these methods of `pattern`, such as `/page/<name>`, are answered by the function.

        `<name>` takes one part of a path, `<int:name>` a number, `<path:name>` all the rest; see `converter`.  HEAD is
        answered as GET, and OPTIONS by itself.  ValueError for what is no pattern, or has a handler already.
        """

        def add(handler: H) -> H:
            self._router.add(pattern, methods, handler)
            return handler

        return add

    def get(self, pattern: str) -> Callable[[H], H]:
        """`route` for GET, and so for HEAD."""
        return self.route(pattern, ("GET",))

    def post(self, pattern: str) -> Callable[[H], H]:
        """`route` for POST."""
        return self.route(pattern, ("POST",))

    def put(self, pattern: str) -> Callable[[H], H]:
        """`route` for PUT."""
        return self.route(pattern, ("PUT",))

    def patch(self, pattern: str) -> Callable[[H], H]:
        """`route` for PATCH."""
        return self.route(pattern, ("PATCH",))

    def delete(self, pattern: str) -> Callable[[H], H]:
        """`route` for DELETE."""
        return self.route(pattern, ("DELETE",))

    def converter(self, name: str, pattern: str, convert: Callable[[str], Any] = str) -> None:
        """Have `<name:…>` in later routes take what the regular expression `pattern` matches, as `convert` gives it.

        Where `convert` raises ValueError the route does not match.  `pattern` has no groups with names.
        """
        self._router.converters[name] = Converter(pattern, convert)

    def before(self, hook: Before) -> Before:
        """A decorator: called with each request before its handler; what it returns, unless None, is the answer."""
        self._before.append(hook)
        return hook

    def after(self, hook: After) -> After:
        """A decorator: called with each request and its answer, which it may change or replace."""
        self._after.append(hook)
        return hook

    def error(self, status: int) -> Callable[[H], H]:
        """A decorator: makes the page for a status, from the request and the HTTPError, whose status it has then.

        That for 500 is made of all else that a handler raises, too, once the traceback is in the log; without one the
        server answers.
        """

        def add(handler: H) -> H:
            self._errors[status] = handler
            return handler

        return add

    def render(self, request: Request, template: str, /, *, status: int = 200, **values: Any) -> Response:
        """A page from a template, which knows `request` and `url` besides the values."""
        if self.templates is None:
            raise RuntimeError("make the site with Site(templates=FOLDER)")
        text = self.templates.render(template, {"request": request, "url": request.url, **values})
        return Response.html(text, status)

    # What serves it.

    def respond(self, call: Call) -> Answer:
        """The answer to a request of the server's; raises what a handler does, unless there is a page for 500."""
        handler, arguments = call.asked.note or self._find(call)
        request = Request(call, self, arguments)
        try:
            try:
                result = self._met(request) if self._before else None
                response = response_of(handler(request, **arguments) if result is None else result)
            except HTTPError as error:
                response = self._refusal(request, error)
            except Exception:  # the handler's trouble, of whatever kind
                if 500 not in self._errors:
                    raise
                self.log(f"{request.method} {request.target} failed:\n{traceback.format_exc()}")
                response = self._refusal(request, HTTPError(500))
            if self._after or response.cookies or request.session_used is not None or type(response.body) is File:
                # A copy: should a handler give the same object every time, nobody is sent the cookies of another.
                return self._finished(request, response.copy())
            return response
        finally:
            if request.opened is not None:
                request.opened.close()

    def _find(self, call: Call) -> tuple[Handler, Arguments]:
        """Who answers a request; noted for other requests of the same bytes."""
        found = call.asked.note = self._looked_up(call)
        return found

    def _looked_up(self, call: Call) -> tuple[Handler, Arguments]:
        """The handler, by all that the head says, or whoever says why there is none."""
        line, fields = call.asked.head[:2]
        host = line.authority or fields.host or ""
        try:
            if is_foreign(line.method, fields.values, host, self._trusted):
                raise Forbidden("A page of another site has sent this.")
            path = text_of(call.asked.path)
            found = self._router.find(line.method, path or "/")
            return found if path else (_to_its_slash, {})  # the mount itself: from there no link would lead below it
        except HTTPError as error:
            if error.status == 405 and line.method == "OPTIONS":
                return partial(_options, error.headers), {}
            return partial(_raise, error.status, error.detail, error.headers), {}

    def _met(self, request: Request) -> Any:
        """What a hook answers before the handler is asked; None when none does."""
        for hook in self._before:
            result = hook(request)
            if result is not None:
                return result
        return None

    def _refusal(self, request: Request, error: HTTPError) -> Response:
        """The page of an error."""
        handler = self._errors.get(error.status)
        if handler is None:
            page = error_response(error.status, error.detail)
            assert isinstance(page.body, bytes)
            response = PlainPage.html(page.body.decode(), error.status)
        else:
            response = response_of(handler(request, error))
            if response.status == 200:  # it says nothing else: a page that tells of an error is no good one
                response.status = error.status
        for name, value in error.headers.items():
            response.headers[name] = value
        return response

    def _finished(self, request: Request, response: Response) -> Response:
        """What was left open until the request and its answer are both there."""
        for hook in self._after:
            other = hook(request, response)
            response = response if other is None else other.copy()
        if type(response.body) is File and response.status == 200:
            try:
                fields = request.call.asked.head.fields.values
                response.status, added, response.body = response.body.answer(request.method, fields, request.call.now)
            except HTTPError as error:
                response = self._refusal(request, error)
            else:
                _describe(response, added)
        if request.session_used is not None:
            response.headers.add("Vary", "Cookie")
            response.headers.setdefault("Cache-Control", "private")  # whatever was made of it is this visitor's
            if request.session_used.changed:
                response.cookies = (*response.cookies, self.sessions.cookie(request.session_used))
        https = request.scheme == "https"
        for cookie in response.cookies:
            response.headers.add("Set-Cookie", cookie.line(https=https, path=request.url("") or "/"))
        return response

    def check(self) -> None:
        """Whether it can serve, as far as can be told before: once, before workers are forked.

        MissingLibrary, ValueError for a secret that is none, and what is wrong with a template.
        """
        self.sessions.check()
        if self.templates is not None:
            self.templates.check()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """As a WSGI application (PEP 3333)."""
        from forkserver.web.gateway import serve  # noqa: PLC0415 - forkserver itself does without

        return serve(self, environ, start_response)

    def test(self, **circumstances: Any) -> Client:
        """A client that asks this site without a socket; see Client."""
        from forkserver.web.testing import Client  # noqa: PLC0415 - for tests alone

        return Client(self, **circumstances)


def _describe(response: Response, added: tuple[tuple[str, str], ...]) -> None:
    """Complete the fields of a file's answer; a 304 tells what a cache is to update (RFC 9110 section 15.4.5)."""
    if response.status == 304:
        kept = ("cache-control", "content-location", "expires", "vary", "set-cookie")
        response.fields = tuple([field for field in response.fields if field[0].lower() in kept])
    response.fields += added


def _options(headers: dict[str, str], request: Request) -> Response:
    return Response("", 204, headers=headers)


def _to_its_slash(request: Request) -> Response:
    query = request.call.asked.head.line.query
    return Response.redirect(f"{request.url('/')}{'?' if query else ''}{query}", 308)


def _raise(status: int, detail: str, headers: dict[str, str], request: Request) -> NoReturn:
    raise HTTPError(status, detail, headers)


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
