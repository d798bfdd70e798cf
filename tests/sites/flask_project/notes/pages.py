"""The pages: what a real site does, and for tests what it was told by the server."""

import hashlib
import os
import secrets
import sqlite3

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)

from .edition import EDITION

PASSWORD = "let me in"

blueprint = Blueprint("notes", __name__)


def database():
    if "database" not in g:
        g.database = sqlite3.connect(current_app.config["VAR"] / "notes.sqlite3", timeout=20)
    return g.database


@blueprint.teardown_app_request
def close(error):
    if opened := g.pop("database", None):
        opened.close()


@blueprint.before_app_request
def check_token():
    """A form must bring back the token that this session's pages carry."""
    session.setdefault("token", secrets.token_hex())
    if request.method == "POST" and not secrets.compare_digest(request.form.get("token", ""), session["token"]):
        abort(403)


@blueprint.get("/")
def index():
    session["visits"] = session.get("visits", 0) + 1
    notes = database().execute("SELECT text, author FROM note ORDER BY id").fetchall()
    return render_template("index.html", notes=notes, edition=EDITION)


@blueprint.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        if request.form["password"] == PASSWORD:
            session["name"] = request.form["name"]
            return redirect(url_for(".index"))
        flash("Wrong password.")
    return render_template("login.html")


@blueprint.post("/logout")
def logout():
    session.clear()
    return redirect(url_for(".index"))


@blueprint.post("/add")
def add():
    if "name" not in session:
        return redirect(url_for(".login"))
    with database() as connection:
        connection.execute("INSERT INTO note (text, author) VALUES (?, ?)", (request.form["text"], session["name"]))
    flash("Noted.")
    return redirect(url_for(".index"))


@blueprint.route("/upload", methods=["GET", "POST"])
def upload():
    if request.method == "GET":
        return render_template("upload.html")
    file = request.files["file"]
    checksum = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else digest(file)
    told = {"title": request.form["title"], "name": file.filename, "size": file.tell()}
    return jsonify(**told, sha256=checksum.hexdigest())


def digest(file):
    """hashlib.file_digest() for Python 3.10."""
    checksum = hashlib.sha256()
    while piece := file.read(1 << 16):
        checksum.update(piece)
    return checksum


@blueprint.get("/download/<name>")
def download(name):
    try:
        return send_file(current_app.config["VAR"] / name, as_attachment=True)
    except FileNotFoundError:
        abort(404)


@blueprint.get("/stream/<fifo>")
def stream(fifo):
    """A line at once, and the rest when somebody has written to a fifo."""

    @stream_with_context
    def lines():
        yield f"the first line for {request.remote_addr}\n"
        with open(current_app.config["VAR"] / fifo) as news:
            for line in news:
                if line == "jam\n":
                    raise RuntimeError("the pencil broke in the middle")
                yield line
        yield "the last line\n"

    return lines(), {"Content-Type": "text/plain"}


@blueprint.get("/facts")
def facts():
    told = {key: request.environ[key] for key in ("SCRIPT_NAME", "PATH_INFO", "REMOTE_ADDR", "SERVER_PROTOCOL")}
    told |= {key: request.environ[f"wsgi.{key}"] for key in ("multithread", "multiprocess", "run_once")}
    return jsonify(**told, pid=os.getpid(), index=url_for(".index"), absolute=request.url)


@blueprint.get("/broken")
def broken():
    raise RuntimeError("the pencil broke")
