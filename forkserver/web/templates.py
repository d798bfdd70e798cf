"""Pages from templates, by Jinja2, with escaping on: whatever is put into one is text, unless it is said to be markup.

Knows the library and one folder; nothing of requests.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from forkserver.web.extras import library

if TYPE_CHECKING:
    from jinja2 import Environment

EXTENSIONS = ("html", "xml", "svg", "txt", "jinja", "j2")


class Templates:
    """The templates of a folder.

    They are read once: what is edited is in use after a reload.  A name that a template uses and is not given is an
    error, not nothing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)

    @cached_property
    def environment(self) -> Environment:
        """Jinja2's, for filters and globals of one's own.  MissingLibrary when there is none."""
        jinja2: Any = library("jinja2", "templates")
        made: Environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self.folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
            cache_size=-1,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return made

    def check(self) -> None:
        """Read all of them before there are requests.  NotADirectoryError, and what Jinja2 has to say of a mistake."""
        if not os.path.isdir(self.folder):
            raise NotADirectoryError(f"there is no folder of templates {self.folder}")
        for name in self.environment.list_templates(extensions=EXTENSIONS):
            self.environment.get_template(name)

    def render(self, name: str, values: dict[str, Any]) -> str:
        """The text of a template with these values."""
        return self.environment.get_template(name).render(values)
