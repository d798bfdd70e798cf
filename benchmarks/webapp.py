"""The site of the small API that the row `web-hello` asks; to servers other than forkserver it is an application.

Copied into a folder of its own, as `wsgiapp.py` is.
"""

from __future__ import annotations

from forkserver.web import Request, Site

site = Site()


@site.get("/hello")
def hello(request: Request) -> str:
    return "Hello, world\n"
