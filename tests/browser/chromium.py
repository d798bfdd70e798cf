"""A headless Chromium, led over a pipe by its own debugging protocol: one JSON object a message, ended by NUL.

This file knows nothing of forkserver.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

LIMIT = 60  # seconds for any answer
QUIET = [  # it talks to nobody but the page's server, and needs no screen
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
]
ON_3_AND_4 = 'exec "$@" 3<&0 4>&1 0</dev/null 1>&2'  # where --remote-debugging-pipe reads and writes


class Chromium:
    """One browser with one page, ended with the `with` block."""

    def __init__(self, folder: Path) -> None:
        """`folder` takes its profile and what it prints."""
        self._log = folder / "chromium.log"
        self._command = ["sh", "-c", ON_3_AND_4, "sh", "chromium", *QUIET, "--window-size=1200,1400"]
        self._command += ["--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "about:blank"]
        self._sent, self._unread, self._session = 0, b"", ""
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Chromium:
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0
            )
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.call("Page.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()  # without its leader it ends
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have a method of the protocol carried out; its result."""
        assert self._process.stdin
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._sent:
                assert "error" not in heard, f"{method}: {heard['error']}"
                result: dict[str, Any] = heard["result"]
                return result
            self._events.append(heard)

    def _hear(self) -> dict[str, Any]:
        """The next message, an answer or an event."""
        assert self._process.stdout
        while b"\0" not in self._unread:
            readable, _, _ = select.select([self._process.stdout], [], [], LIMIT)
            data = os.read(self._process.stdout.fileno(), 65536) if readable else b""
            assert data, f"Chromium says nothing more:\n{self._log.read_text()}"
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        heard: dict[str, Any] = json.loads(message)
        return heard

    def visit(self, url: str) -> None:
        """Go to a page and wait until it is loaded, its pictures included."""
        self._load("Page.navigate", url=url)

    def reload(self) -> None:
        """Ask for the page anew, as a person does with F5, and wait until it is loaded."""
        self._load("Page.reload")

    def _load(self, method: str, **parameters: Any) -> None:
        self._events.clear()
        assert "errorText" not in self.call(method, **parameters)
        self._wait_for_load()

    def _wait_for_load(self) -> None:
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._hear())

    def type(self, selector: str, text: str) -> None:
        """Type into the element that a CSS selector finds."""
        self._found(selector, "focus()")
        self.call("Input.insertText", text=text)

    def choose(self, selector: str, path: Path) -> None:
        """Choose a file for an input that a CSS selector finds."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"the page has no {selector}"
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def click(self, selector: str) -> None:
        """Click on an element that leads to another page, and wait until that is loaded."""
        self._found(selector, "scrollIntoView({block: 'center', behavior: 'instant'})")
        box = self._found(selector, "getBoundingClientRect().toJSON()")
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        self._events.clear()
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)
        self._wait_for_load()

    def _found(self, selector: str, then: str) -> Any:
        found = f"document.querySelector({json.dumps(selector)})"
        assert self.value(f"{found} !== null"), f"the page has no {selector}"
        return self.value(f"{found}.{then}")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives on the page, once it is there if it is promised; None for undefined."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        return self.call("Runtime.evaluate", **asked)["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Save the whole page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
