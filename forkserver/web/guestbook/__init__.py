"""A guestbook: a whole site, small enough to be read at one go, and the example of `forkserver.web`.

    [/guestbook]
    web = forkserver.web.guestbook
    env = GUESTBOOK=/srv/guestbook

`model.py` knows what is kept, `pages.py` what is asked and answered, `templates` how it looks.
"""

from __future__ import annotations

from forkserver.web.guestbook.pages import site

__all__ = ["site"]
