"""Whether an error page is the small and valid HTML that it should be; knows nothing of how it came."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr"}


class Page(HTMLParser):
    """Counts on every element that opens being closed, and collects the title."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[str] = []
        self.title = self.doctype = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_decl(self, decl: str) -> None:
        self.doctype = decl

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"closed but never opened: {tag}"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "title":
            self.title += data


def check_page(body: bytes, status: int) -> None:
    """AssertionError unless `body` is a whole page about `status`."""
    assert len(body) < 4096
    page = Page(body.decode("utf-8"))
    assert page.doctype.lower() == "doctype html"
    assert page.title.startswith(str(status))
    assert {"html", "head", "body", "h1", "p"} <= set(page.seen)
