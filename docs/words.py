"""What the manual says beyond the declarations of commands and options.

Plain text, its paragraphs parted by empty lines; `words` between backquotes are typed as they stand.  A test compares
the names in these tables with those of the program.
"""

from __future__ import annotations

ABOUT = """\
A master process owns the listening sockets and serves nobody; as many workers as there are CPUs, or as the load
asks for, accept connections and answer them. What is served is told by a configuration file, `forkserver.ini`(5).
"""

COMMANDS = {
    "run": "Serves in the foreground until it is told to end; what the systemd unit starts. Messages go to standard "
    "error unless the configuration says otherwise. Ctrl-C ends it at once. With `--reload`, for development, a "
    "process beside it watches the configuration with its includes, the folders in `path` of applications and the "
    "packages that they name, and asks for a `reload` when a source, a template or a configuration has changed.",
    "serve": "Serves one folder, with listings, or one WSGI application, whose module is looked for in the current "
    "folder first, without a configuration file: on the loopback address unless `--listen` says otherwise, requests "
    "logged to standard output. What is a folder is taken for one; anything else is MODULE:APP, MODULE:FACTORY() or "
    "MODULE alone, which stands for MODULE:application.",
    "start": "Serves in the background as a daemon (PEP 3143). Returns when it serves, or prints why it cannot. "
    "Where systemd is in charge, use `systemctl start` instead.",
    "stop": "Accepts no more, answers what is in flight, ends. Waits for that: `graceful_timeout` and 5 seconds at "
    "most.",
    "restart": "Stops the server if it runs, then starts it in the background. With a broken configuration nothing is "
    "stopped. Nobody is served in between; `reload` has no such gap.",
    "reload": "Puts the configuration as it is now into use, as a transaction. Waits until it is; if anything is "
    "wrong, prints the reason, and the old configuration serves on.",
    "status": "Prints one line for the server, for each worker, and for each request in progress. `--json` prints "
    "one object with all figures.",
    "check": "Reads the configuration and prints everything that is wrong with it, each with file and line, "
    "applications that are not there included. Starts nothing, and runs nothing of them. `--show` prints every option "
    "as it holds and where it comes from, `--diff` what a reload would change in the running server.",
}

EXIT_CODES = {
    0: "done",
    1: "refused or failed; the reason is printed",
    2: "wrong usage, or a wrong configuration",
    3: "not running",
}

SIGNALLED = "To the master, whose pid `forkserver status` tells:"

SIGNALS = {
    "TERM": "end: accept no more, answer what is in flight and what the kernel had queued, for `graceful_timeout` at "
    "most",
    "INT, QUIT": "end now; whoever is left after 2 seconds is killed",
    "HUP": "reload; the outcome is told to the log alone (`forkserver reload` tells whoever typed it)",
    "USR1": "open the log files anew",
    "TTIN": "one worker more, until the next reload; of MIN-MAX both go up",
    "TTOU": "one worker less, until the next reload; the last one stays",
}

FILES = {
    "conf/server.ini": "the configuration, when none is named and this one lies below the current folder",
    "/etc/forkserver/server.ini": "otherwise",
    "/run/forkserver/NAME-CHECKSUM.sock": "the control socket (mode 0600), unless `control` names another place. "
    "Started by another user than root: in `$XDG_RUNTIME_DIR/forkserver`, else in `/tmp/forkserver-UID`",
    "/run/forkserver/NAME-CHECKSUM.pid": "the pid file of `start`, likewise, unless `pid` names another place. It is "
    "locked while the server lives, so a stale one is never believed. `run` writes one only where `pid` names it",
}

ENVIRONMENT = {
    "LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID": "sockets that systemd opened, for `listen = systemd:NAME`",
    "NOTIFY_SOCKET, WATCHDOG_USEC": "where systemd is told of readiness, reloads, figures, and that the master lives",
    "JOURNAL_STREAM": "when standard error is the journal, messages carry its priorities",
    "XDG_RUNTIME_DIR": "where an ordinary user's control socket lies",
    "any other": "as the configuration names it, `${NAME}`",
}

LANGUAGE = """\
A file is UTF-8 text of sections, `[name]`, with lines `key = value`. A value goes on in indented lines. `#` and `;`
open a comment at the start of a line or after white space; a backslash before them makes them part of the value. An
option is given once.

Times have a unit: `500ms`, `10s`, `2m`, `1h`. Sizes are bytes, or have one: `8k`, `16M`, `1G`, in powers of 1024.
Switches are `yes` or `no`, also `on`, `off`, `true`, `false`. The members of a list are separated by commas or lines.
A relative path starts from the folder of the file that holds it.

`${NAME}` stands for a variable of the environment, `${NAME:-text}` gives a default for one that is empty or not set,
and `$${` is a literal `${`.

`include` in `[server]` names further files. Only the first file may include others. A pattern may match nothing; a
plain name must be there.

Everything that is wrong is told at once, as `FILE:LINE: [section] key: what is wrong`, and nothing is started or
changed: an unknown section or option, a number without its unit, a folder or user that does not exist, two mounts in
one place, an address given twice.
"""

MOUNTS = """\
Any section whose name begins with `/` or with `HOST/` mounts something there: `[/]`, `[/docs]`, `[blog.example.org/]`.
It holds one of the options that name a kind, such as `static` or `redirect`, and further options of that kind.

The longest prefix wins, and a prefix ends at a slash: `[/docs]` answers for `/docs` and `/docs/a`, not for `/docsets`.
A host that is named has only its own mounts; all other hosts share those without a host. The port in a request's Host
field does not matter.
"""

SECTIONS = {
    "server": ("[server]", "Where it listens, and as whom it runs."),
    "log": ("[log]", "Who came, and what went wrong."),
    "limits": ("[limits]", "How long, how large, how many."),
    "static": ("static = FOLDER", "In a mount: files and folders, for GET, HEAD and OPTIONS."),
    "redirect": ("redirect = TARGET", "In a mount: whatever is below it has moved; rest of path and query are kept."),
    "cgi": ("cgi = FOLDER", "In a mount: scripts, each request a process of its own, as RFC 3875 says."),
    "wsgi": ("wsgi = MODULE:ATTRIBUTE", "In a mount: an application in Python, called as PEP 3333 says."),
}

PROXIES = """\
Peers that `trusted` names are believed when they tell of the client that they pass a request on for: by `Forwarded`
(RFC 7239), or by `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-Port`. Lists are read from
the right: the first address that is not trusted is the client. Applications and logs then see its address, its scheme
and the host that it asked for. Where both kinds of fields tell different things the request is refused.

From all other peers these fields, every other `X-Forwarded-` field and `X-Real-IP` are left out.

Where an address in `listen` is followed by the word `proxy`, each connection must begin with the PROXY protocol,
version 1 or 2, and come from a trusted peer; all others are closed. The client is the one it tells.

`connections_per_client` counts the clients that the PROXY protocol tells, and does not count trusted peers.
"""

FORMATS = """\
Besides `common`, `combined` and `json`, the option `format` takes a string as Apache's LogFormat does. Known in it are
"""

EXAMPLE = """\
[server]
listen = 0.0.0.0:8080, [::]:8080

[log]
access = /var/log/forkserver/access.log

[/]
static = /srv/www

[/old]
redirect = /new

[blog.example.org/]
static = /srv/blog
"""
