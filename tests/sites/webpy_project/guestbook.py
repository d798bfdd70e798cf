"""A web.py application in one module: a guest book, kept in a sqlite file below the folder GUESTBOOK_VAR."""

import hashlib
import json
import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

import web
import web.form
import web.session
import web.template
from guestbook_edition import EDITION

web.config.debug = False  # else each request looks whether a module has changed

VAR = Path(os.environ["GUESTBOOK_VAR"])
PASSWORD = "let me in"
TABLE = "CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL)"

URLS = (
    "/", "Index",
    "/login", "Login",
    "/logout", "Logout",
    "/sign", "Sign",
    "/upload", "Upload",
    "/download/([a-z.]+)", "Download",
    "/stream/([a-z-]+)", "Stream",
    "/facts", "Facts",
    "/broken", "Broken",
)  # fmt: skip

app = web.application(URLS, globals(), autoreload=False)
session = web.session.Session(app, web.session.DiskStore(VAR / "sessions"), {"name": "", "token": "", "visits": 0})
EntryForm = web.form.Form(
    web.form.Textbox("text", web.form.notnull, web.form.Validator("Too long", lambda t: len(t) < 80))
)


def token():
    """What each form of this session must bring back."""
    session.token = session.token or secrets.token_hex()
    return session.token


known = {"session": session, "token": token, "home": lambda: web.ctx.homepath, "edition": EDITION}
render = web.template.render(str(Path(__file__).parent / "templates"), base="base", globals=known)


def check_token(given):
    if not secrets.compare_digest(given, token()):
        raise web.Forbidden()


def database():
    return closing(sqlite3.connect(VAR / "guestbook.sqlite3", timeout=20))


with database() as opened, opened:
    opened.execute(TABLE)


class Index:
    def GET(self, form=None):
        session.visits += 1
        with database() as connection:
            entries = connection.execute("SELECT name, text FROM entry ORDER BY id").fetchall()
        return render.index(entries, form or EntryForm())


class Login:
    def GET(self, complaint=""):
        return render.login(complaint)

    def POST(self):
        given = web.input(name="", password="", token="")
        check_token(given.token)
        if given.password != PASSWORD:
            return self.GET("Wrong password.")
        session.name = given.name
        raise web.seeother("/")


class Logout:
    def POST(self):
        check_token(web.input(token="").token)
        session.kill()
        raise web.seeother("/")


class Sign:
    def POST(self):
        check_token(web.input(token="").token)
        if not session.name:
            raise web.seeother("/login")
        form = EntryForm()
        if not form.validates():
            return Index().GET(form)
        with database() as connection, connection:
            connection.execute("INSERT INTO entry (name, text) VALUES (?, ?)", (session.name, form.d.text))
        raise web.seeother("/")


class Upload:
    def GET(self):
        return render.upload()

    def POST(self):
        given = web.input(title="", token="", file={})
        check_token(given.token)
        size, checksum = 0, hashlib.sha256()
        while piece := given.file.file.read(1 << 16):
            size += len(piece)
            checksum.update(piece)
        return answer(title=given.title, name=given.file.filename, size=size, sha256=checksum.hexdigest())


class Download:
    def GET(self, name):
        path = VAR / name
        if not path.is_file():
            raise not_found()
        web.header("Content-Type", "application/octet-stream")
        web.header("Content-Length", str(path.stat().st_size))
        with path.open("rb") as file:
            while piece := file.read(1 << 16):
                yield piece


class Stream:
    """A line at once, and the rest when somebody has written to a fifo."""

    def GET(self, fifo):
        web.header("Content-Type", "text/plain")
        yield "the first line\n"
        with open(VAR / fifo) as news:
            for line in news:
                if line == "jam\n":
                    raise RuntimeError("the ink ran out")
                yield line
        yield "the last line\n"


class Facts:
    def GET(self):
        told = {key: web.ctx.env[key] for key in ("SCRIPT_NAME", "PATH_INFO", "REMOTE_ADDR", "SERVER_PROTOCOL")}
        told |= {key: web.ctx.env[f"wsgi.{key}"] for key in ("multithread", "multiprocess", "run_once")}
        return answer(**told, pid=os.getpid(), index=f"{web.ctx.homepath}/", absolute=web.ctx.home + web.ctx.fullpath)


class Broken:
    def GET(self):
        raise RuntimeError("the ink is dry")


def answer(**told):
    web.header("Content-Type", "application/json")
    return json.dumps(told)


def not_found():
    return web.notfound(render.error("No such page."))


def out_of_order():
    return web.internalerror(render.error("The guest book is closed."))


app.notfound = not_found
app.internalerror = out_of_order
application = app.wsgifunc()
