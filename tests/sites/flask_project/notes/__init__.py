"""A Flask application made by a factory: notes, kept in a sqlite file below the folder NOTES_VAR."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from flask import Flask, render_template

from . import pages

TABLE = "CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, author TEXT NOT NULL)"


def create_app():
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="a secret for tests alone", VAR=Path(os.environ["NOTES_VAR"]))
    with closing(sqlite3.connect(app.config["VAR"] / "notes.sqlite3")) as database, database:
        database.execute(TABLE)
    app.register_blueprint(pages.blueprint)
    app.register_error_handler(404, lambda error: (render_template("error.html", text="No such note."), 404))
    app.register_error_handler(500, lambda error: (render_template("error.html", text="The pencil broke."), 500))
    return app
