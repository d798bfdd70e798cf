"""What the servers of the group `cgi` have in common: a folder of scripts, and what those answer."""

from __future__ import annotations

import os
import sys
from typing import ClassVar

from .peer import Peer

BUSY = b'{"answer": "&lt;42&gt;", "words": ["a", "b"], "subject": "hello"}\n'
SHORT = b"hello, world\n"
# One that a server which gives up root can run as well.
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable

# Each tells its length: wrk takes an answer that ends with its connection for a broken one.
SCRIPTS = {
    "busy.py": f"""#!{PYTHON}
import json, html, re, email
message = email.message_from_string("Subject: hello\\n\\nbody")
answer = {{"answer": html.escape("<42>"), "words": re.findall("[a-z]", "a b"), "subject": message["Subject"]}}
print("Content-Type: application/json\\nContent-Length: {len(BUSY)}\\n")
print(json.dumps(answer))
""",
    "plain.py": f"#!{PYTHON}\nprint('Content-Type: text/plain\\nContent-Length: 13\\n\\nhello, world')\n",
    "length.py": f"""#!{PYTHON}
import os, sys
print("Content-Type: text/plain\\nContent-Length: 5\\n")
print(len(sys.stdin.read(int(os.environ["CONTENT_LENGTH"]))))
""",
    "hello.sh": "#!/bin/sh\nprintf 'Content-Type: text/plain\\nContent-Length: 13\\n\\nhello, world\\n'\n",
}


def write(folder: str) -> None:
    """Make the scripts in `cgi-bin` of an existing folder, readable for the user that a server may turn into."""
    os.makedirs(os.path.join(folder, "cgi-bin"))
    for name, text in SCRIPTS.items():
        path = os.path.join(folder, "cgi-bin", name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)


class CgiPeer(Peer):
    """A server of scripts: `self.site` is the folder in which `cgi-bin` is."""

    group = "cgi"
    probe = "/cgi-bin/hello.sh"
    closes: ClassVar[bool] = False  # knows no kept connections

    def proof(self) -> bytes:
        return SHORT
