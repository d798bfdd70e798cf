"""CGI scripts that do, name by name, what RFC 3875 allows and what it forbids; written to a folder for each server.

Those in Python run in the interpreter that runs the tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

PYTHON = f"#!{sys.executable}\n"

SCRIPTS = {
    "good.sh": r"""#!/bin/sh
printf 'Content-Type: text/plain\nContent-Length: 5\n\ngood\n'
""",
    "back.sh": r"""#!/bin/sh
printf 'Content-Type: application/octet-stream\nContent-Length: %s\n\n' "${CONTENT_LENGTH:-0}"
exec cat
""",
    "good.py": PYTHON
    + """
print("Content-Type: text/plain\\nContent-Length: 5\\n")
print("good")
""",
    "good.pl": """#!/usr/bin/perl
print "Content-Type: text/plain\\n\\ngood\\n";
""",
    "back.py": PYTHON
    + """
import os, sys
body = sys.stdin.buffer.read()
print(f"Content-Type: application/octet-stream\\nContent-Length: {len(body)}\\n", flush=True)
sys.stdout.buffer.write(body)
""",
    "back.pl": """#!/usr/bin/perl
print "Content-Type: application/octet-stream\\n\\n";
print while <STDIN>;
""",
    # What it was given, and what it is, as JSON.
    "show.py": PYTHON
    + """
import json, os, signal, sys
number = signal.SIGRTMIN
facts = {
    "environ": {os.fsencode(n).decode("latin-1"): os.fsencode(v).decode("latin-1") for n, v in os.environ.items()},
    "argv": [os.fsencode(word).decode("latin-1") for word in sys.argv],
    "stdin": sys.stdin.buffer.read().decode("latin-1"),
    "cwd": os.getcwd(),
    "umask": os.umask(0o22),
    "pid": os.getpid(), "group": os.getpgid(0), "session": os.getsid(0),
    "descriptors": sorted(name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")),
    "signals": {n: str(signal.getsignal(n)) for n in sorted(signal.valid_signals()) if n not in (9, 19)},
    "masked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "ignored": [line for line in open("/proc/self/status") if line.startswith(("SigIgn", "SigBlk"))],
    "name": __name__, "file": __file__, "path": sys.path, "executable": sys.executable, "modules": sorted(sys.modules),
    "main": sorted(vars(sys.modules["__main__"]).keys() - {"facts", "json", "os", "signal", "sys", "number",
                                                     "__warningregistry__"}),
    "streams": [[s.name, s.mode, s.encoding, s.errors, s.newlines, s.line_buffering, s.write_through, s.isatty(),
                 type(s.buffer).__name__, s.fileno(), s.closed, s is getattr(sys, f"__{n}__")]
                for n, s in (("stdin", sys.stdin), ("stdout", sys.stdout), ("stderr", sys.stderr))],
    "orig_argv": getattr(sys, "orig_argv", []), "flags": str(sys.flags), "warnoptions": sys.warnoptions,
    "hooks": [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__],
}
print("Content-Type: application/json\\n")
print(json.dumps(facts))
""",
    "show.sh": r"""#!/bin/sh
printf 'Content-Type: text/plain\n\n'
for word in "$0" "$@"; do printf '%s\n' "$word"; done
env
""",
    "show.pl": """#!/usr/bin/perl
print "Content-Type: text/plain\\n\\n";
print "$_\\n" for $0, @ARGV;
print "$_=$ENV{$_}\\n" for keys %ENV;
""",
    # Writes what it is sent, head and all.
    "say.sh": "#!/bin/sh\nexec cat\n",
    "say.py": PYTHON
    + """
import sys
sys.stdout.buffer.write(sys.stdin.buffer.read())
""",
    "say.pl": "#!/usr/bin/perl\nprint while <STDIN>;\n",
    "nph-say.py": PYTHON
    + """
import sys
sys.stdout.buffer.write(sys.stdin.buffer.read())
""",
    "nph-hello.py": PYTHON
    + """
import os
version, method = os.environ["SERVER_PROTOCOL"], os.environ["REQUEST_METHOD"]
print(f"{version} 203 As It Is\\r\\nX-Odd:   odd\\r\\n\\r\\n{method}", end="")
""",
    # Answers what its query says, so that a HEAD can have it.
    "query.py": PYTHON
    + """
import os
from urllib.parse import unquote
print(unquote(os.environ["QUERY_STRING"]), end="")
""",
    "complains.py": PYTHON
    + """
import sys
print("a word of complaint", file=sys.stderr)
print("Content-Type: text/plain\\n\\nfine")
sys.stderr.write("and one without an end")
""",
    "silent.py": PYTHON,
    "silent.sh": "#!/bin/sh\nexit 3\n",
    "raises.py": PYTHON
    + """
def deep():
    raise RuntimeError("asked to fail")
deep()
""",
    "late.py": PYTHON
    + """
import sys
print("Content-Type: text/plain\\n\\nbegun", flush=True)
raise RuntimeError("too late")
""",
    "syntax.py": PYTHON + "print(\n",
    "leaves.py": PYTHON
    + """
import sys
print("Content-Type: text/plain\\n\\nbefore")
sys.exit("a last word")
""",
    "killed.py": PYTHON
    + """
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
""",
    "killed-late.py": PYTHON
    + """
import os, signal
print("Content-Type: text/plain\\n\\nbegun", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""",
    # Leaves things to be done at its end, as scripts do.
    "untidy.py": PYTHON
    + """
import atexit, os, sys, threading
print("Content-Type: text/plain\\n")
print("main")
atexit.register(lambda: print("atexit"))
threading.Thread(target=lambda: (threading.Event().wait(0.05), print("thread"))).start()
never_closed = open(os.environ["QUERY_STRING"], "w")
never_closed.write("kept")
class Last:
    def __del__(self, write=os.write):
        write(2, b"the last one goes\\n")
last = Last()
""",
    "big.py": PYTHON
    + """
import os, sys
piece = bytes(range(256)) * 256
print("Content-Type: application/octet-stream\\n", flush=True)
for _ in range(int(os.environ["QUERY_STRING"]) * 16):
    sys.stdout.buffer.write(piece)
""",
    # Tells its pid, and that of a child in its group, then never ends; `stubborn` will not be asked.
    "endless.py": PYTHON
    + """
import os, signal, sys
if os.environ["QUERY_STRING"] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if not child:
    while True:
        signal.pause()
print("Content-Type: text/plain\\n")
print(os.getpid(), child, flush=True)
while True:
    signal.pause()
""",
    "talks.py": PYTHON
    + """
import os, time
print("Content-Type: text/plain\\n")
print(os.getpid(), flush=True)
while True:
    time.sleep(0.02)
    print("x" * 1000, flush=True)
""",
    "mute.py": PYTHON
    + """
import os, signal, sys
print(os.getpid(), file=sys.stderr, flush=True)
while True:
    signal.pause()
""",
    # Ends, and leaves a process that holds all of its streams open until a fifo ends.
    "daemon.py": PYTHON
    + """
import os
print("Content-Type: text/plain\\n", flush=True)
pid = os.fork()
if not pid:
    open(os.environ["QUERY_STRING"]).read()
    os._exit(0)
print(pid)
""",
    # Closes its output, and does something more.
    "after.py": PYTHON
    + """
import os
print("Content-Type: text/plain\\n\\nsaid", flush=True)
os.close(1)
with open(os.environ["QUERY_STRING"]) as fifo:
    fifo.read()
with open(os.environ["QUERY_STRING"] + ".done", "w") as done:
    done.write("done")
""",
    # Waits in the middle until a fifo ends.
    "waits.py": PYTHON
    + """
import os
print("Content-Type: text/plain\\n\\nold begun", flush=True)
with open(os.environ["QUERY_STRING"]) as fifo:
    fifo.read()
print("old ended")
""",
    "greedy.py": PYTHON
    + """
hoard = bytearray(1 << 30)
print("Content-Type: text/plain\\n\\nit was there")
""",
    "draws.py": PYTHON
    + """
import random, uuid
print("Content-Type: text/plain\\n")
print(random.random(), uuid.uuid4())
""",
    "imports.py": PYTHON
    + """
import beside
print("Content-Type: text/plain\\n")
print(beside.WORD, beside.__file__)
""",
    "-odd name.sh": r"""#!/bin/sh
printf 'Content-Type: text/plain\n\n%s\n' "$SCRIPT_NAME"
""",
    "no-interpreter.cgi": "#!/nowhere/at/all\n",
    "crlf.cgi": "#!/bin/sh\r\nexit\r\n",
    "no-line.cgi": "echo 'Content-Type: text/plain'\n",
    ".hidden.sh": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhidden'\n",
    "sub/deep.sh": r"""#!/bin/sh
printf 'Content-Type: text/plain\n\n%s %s\n' "$SCRIPT_NAME" "$PATH_INFO"
""",
    # As such scripts were written for twenty years; the modules are in legacy-cgi where Python has them no more.
    "form.py": PYTHON
    + """
import cgi, cgitb
cgitb.enable()
form = cgi.FieldStorage()
print("Content-Type: text/plain\\n")
print(form.getfirst("name"), form["upload"].filename, len(form["upload"].file.read()))
if form.getfirst("name") == "fail":
    raise RuntimeError("asked to fail")
""",
    # Answers with another path of this server, named by the query; to itself, for ever, where there is none.
    "elsewhere.py": PYTHON
    + """
import os
from urllib.parse import unquote
print("Location:", unquote(os.environ["QUERY_STRING"]) or os.environ["SCRIPT_NAME"])
print()
""",
}


def make_scripts(folder: Path) -> Path:
    """The folder of scripts, and beside it one that nobody may run."""
    for name, text in SCRIPTS.items():
        put_script(folder / name, text)
    (folder / "not-executable.sh").write_text(SCRIPTS["good.sh"])
    (folder / "beside.py").write_text('WORD = "found"\n')
    put_script(folder.parent / "outside.sh", SCRIPTS["good.sh"])
    (folder / "leads-out.sh").symlink_to(folder.parent / "outside.sh")
    (folder / "leads-in.sh").symlink_to(folder / "good.sh")
    return folder


def put_script(path: Path, text: str) -> None:
    """An executable file, replaced whole: one that is being written cannot be executed (ETXTBSY)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(text.encode())
    fresh.chmod(0o755)
    fresh.replace(path)
