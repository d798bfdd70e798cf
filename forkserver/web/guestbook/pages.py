"""What is at each address of the guestbook: for browsers without scripts, and for programs that know PUT and DELETE.

Knows requests and answers; what is kept is the model's, how it looks the templates'.
"""

from __future__ import annotations

import os

from forkserver.web import Forbidden, HTTPError, MethodNotAllowed, NotFound, Request, Response, Site
from forkserver.web.guestbook.model import LONGEST, Entry, Guestbook

HERE = os.path.dirname(__file__)
PAGE = 10  # entries on one
OWN = 50  # entries that a visitor may still change: the session lies in a cookie, which is small
WANTED = {"name": "Please enter your name.", "text": "Please write a few words."}
FIELDS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

book = Guestbook(os.environ.get("GUESTBOOK") or "guestbook")
site = Site(secret=book.secret(), templates=os.path.join(HERE, "templates"))


@site.get("/")
def index(request: Request) -> Response:
    """The entries, the newest first, and the form for another one."""
    return listed(request, {}, {})


@site.post("/")
def add(request: Request) -> Response:
    """A new entry, which its writer may change later."""
    values, errors, picture = read(request)
    if errors:
        return listed(request, values, errors)
    number = book.add(values["name"], values["text"], picture)
    request.session["mine"] = [*request.session.get("mine", []), number][-OWN:]
    return done(request, "Thank you! Your entry is in the book.")


@site.get("/entry/<int:number>")
def show(request: Request, number: int) -> Response:
    """One entry; to its writer with a form to change it."""
    entry = found(number)
    return shown(request, entry, {"name": entry.name, "text": entry.text}, {})


@site.put("/entry/<int:number>")
def change(request: Request, number: int) -> Response:
    """Other words, and another picture if there is one."""
    entry = own(request, number)
    values, errors, picture = read(request)
    if errors:
        return shown(request, entry, values, errors)
    book.change(entry, values["name"], values["text"], picture)
    return done(request, "Your entry is changed.")


@site.delete("/entry/<int:number>")
def remove(request: Request, number: int) -> Response:
    """No entry any more."""
    book.remove(own(request, number))
    return done(request, "Your entry is gone.")


@site.post("/entry/<int:number>")
def from_form(request: Request, number: int) -> Response:
    """What a form of HTML means, which knows GET and POST alone."""
    meant = {"PUT": change, "DELETE": remove}.get(request.form["method"])
    if meant is None:
        raise MethodNotAllowed(["GET", "POST", "PUT", "DELETE"])
    return meant(request, number)


@site.get("/picture/<name>")
def picture(request: Request, name: str) -> Response:
    """A picture; under this name there is never another one."""
    keep = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response.file(name, root=book.pictures, headers=keep)


@site.get("/style.css")
def style(request: Request) -> Response:
    """How it looks."""
    return Response.file(os.path.join(HERE, "public", "style.css"))


@site.error(403)
@site.error(404)
@site.error(413)
def failed(request: Request, error: HTTPError) -> Response:
    """A page in the look of all others."""
    return site.render(request, "failed.html", error=error)


@site.after
def guard(request: Request, response: Response) -> None:
    """No browser runs or loads what is not ours, whatever somebody has brought into a page."""
    for name, value in FIELDS.items():
        response.headers[name] = value


def read(request: Request) -> tuple[dict[str, str], dict[str, str], str]:
    """(values, what is wrong with them, name of the picture) of a form; a picture is kept when all else is well."""
    values = {field: request.form.get(field, "").replace("\r\n", "\n").strip() for field in LONGEST}
    errors = {field: WANTED[field] for field, value in values.items() if not value}
    errors |= {
        field: f"Please use at most {longest} characters."
        for field, longest in LONGEST.items()
        if len(values[field]) > longest
    }
    if errors or "picture" not in request.uploads:
        return values, errors, ""
    try:
        return values, errors, book.keep(request.uploads["picture"].file)
    except ValueError as error:
        return values, {"picture": str(error)}, ""


def listed(request: Request, values: dict[str, str], errors: dict[str, str]) -> Response:
    """The page of entries, with the form as it was filled in."""
    page = max(1, request.query.number("page", 1))
    entries, older = book.entries(page, PAGE)
    said = request.session.pop("said", "")
    return answered(request, "index.html", values, errors, entries=entries, page=page, older=older, said=said)


def shown(request: Request, entry: Entry, values: dict[str, str], errors: dict[str, str]) -> Response:
    """The page of one entry, likewise."""
    return answered(request, "entry.html", values, errors, entry=entry)


def answered(
    request: Request, template: str, values: dict[str, str], errors: dict[str, str], **more: object
) -> Response:
    """A page with a form; 422 when what was sent with it makes no sense."""
    more |= {"values": values, "errors": errors, "longest": LONGEST, "mine": mine(request)}
    return site.render(request, template, status=422 if errors else 200, **more)


def done(request: Request, said: str) -> Response:
    """Back to the entries, where the visitor is told so, once; a reload of that page sends nothing again."""
    request.session["said"] = said
    return Response.redirect(request.url("/"))


def mine(request: Request) -> list[int]:
    """The numbers of the visitor's own entries."""
    numbers: list[int] = request.session.get("mine", [])
    return numbers


def found(number: int) -> Entry:
    """An entry that there is."""
    entry = book.entry(number)
    if entry is None:
        raise NotFound("There is no such entry; its writer may have removed it.")
    return entry


def own(request: Request, number: int) -> Entry:
    """An entry that is the visitor's to change."""
    entry = found(number)
    if number not in mine(request):
        raise Forbidden("Only who wrote an entry may change it.")
    return entry
