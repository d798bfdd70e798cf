"""The grammar of HTTP/1.1 as compiled patterns, each beside its rule, and the one error for what breaks it.

Every pattern is meant for `fullmatch` unless it says otherwise, takes linear time on any input, and says
nothing about size: limits are judged by whoever reads.  What no pattern matched is never converted.
"""

from __future__ import annotations

import re

# RFC 9110 section 5.6.2:  token = 1*tchar;  tchar is ALPHA, DIGIT or one of !#$%&'*+-.^_`|~
TCHAR = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
TOKEN = TCHAR + rb"+"

# RFC 9110 section 5.5: visible ASCII, SP, HTAB and obs-text (0x80 to 0xFF); no other control byte, no DEL
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"

# RFC 9110 section 5.6.4:  quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'

# RFC 9112 section 2.2: a server should skip an empty line before the request line; a few are plenty
LEADING_LINES = 4
FIRST_BYTE = re.compile(TCHAR)  # with `match`: how a method begins
TLS_HANDSHAKE = b"\x16"  # how a client begins that would speak TLS (RFC 8446 section 5.1)

# RFC 9112 section 3:  request-line = method SP request-target SP HTTP-version
# RFC 9112 section 2.3:  HTTP-version = "HTTP/" DIGIT "." DIGIT, case-sensitive
# The target is visible ASCII without "#": a fragment never travels (RFC 9110 section 7.1).
METHOD_MAX = 32
REQUEST_LINE = re.compile(rb'(%b{1,%d}) ([!"$-~]+) HTTP/1\.([0-9])' % (TCHAR, METHOD_MAX))
# The form of nearly every line, as text: a target in origin-form whose path needs no decoding.
SIMPLE_LINE = re.compile(
    rf'(?!CONNECT )({TCHAR.decode()}{{1,{METHOD_MAX}}}) ((/[!"$&->@-~]*)(?:\?([!"$-~]*))?) HTTP/1\.([0-9])'
)
# What a line that is none may be instead, in the order of asking.
FOREIGN_VERSION = re.compile(rb"%b [!-~]+ HTTP/[02-9]\.[0-9]" % TOKEN)
LONG_METHOD = re.compile(rb"%b{%d,} [!-~]+ HTTP/1\.[0-9]" % (TCHAR, METHOD_MAX + 1))
WITH_FRAGMENT = re.compile(rb"%b [!-~]+ HTTP/1\.[0-9]" % TOKEN)
WITHOUT_VERSION = re.compile(rb"%b [!-~]+" % TOKEN)
RAW_TARGET = re.compile(rb"%b [!-~\x80-\xff]+ HTTP/1\.[0-9]" % TOKEN)

# RFC 9112 section 3.2.2:  absolute-form = absolute-URI, of the schemes that an HTTP server answers for
ABSOLUTE_FORM = re.compile(rb"(?i:https?)://([^/?]*)(/[^?]*)?(?:\?(.*))?")
# RFC 3986 section 2.1:  pct-encoded = "%" HEXDIG HEXDIG; with `search`, what is not
BROKEN_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# RFC 3986 section 3.3: "." and ".." have a meaning of their own; with `search`, in a decoded path
DOT_SEGMENT = re.compile(r"/\.\.?(?:/|\Z)")

# RFC 9112 section 5:  field-line = field-name ":" OWS field-value OWS.  The white space is taken off
# afterwards, because a pattern that did it would need quadratic time on a value full of spaces.
FIELD_LINE = re.compile(rb"(%b):(%b)" % (TOKEN, VALUE))
WHITE = b" \t"

# RFC 9110 section 7.2:  Host = uri-host [ ":" port ].  Names are of unreserved characters (RFC 3986, section
# 2.3) only: no name in use has sub-delims or percent signs, while lists and markup in a Host need them.
AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[([0-9A-Fa-f:.]{2,45})\])(?::[0-9]{0,5})?")

# RFC 9110 section 8.6:  Content-Length = 1*DIGIT.  Eighteen digits fit in 64 bits.
LENGTH = re.compile(rb"[0-9]{1,18}")
LONG_LENGTH = re.compile(rb"[0-9]{19,}")

OPTION = re.compile(TOKEN)  # RFC 9110 section 7.6.1:  connection-option = token
EXPECTATION = re.compile(rb"(?i:100-continue)")  # RFC 9110 section 10.1.1
CHUNKED_ONLY = re.compile(rb"(?i:chunked)")  # RFC 9112 section 7.1
# RFC 9112 section 7:  transfer-coding = token *( OWS ";" OWS token BWS "=" BWS ( token / quoted-string ) )
PARAMETER = rb"[ \t]*;[ \t]*%b[ \t]*=[ \t]*(?:%b|%b)" % (TOKEN, TOKEN, QUOTED)
CODING = re.compile(rb"(%b)(?:%b)*" % (TOKEN, PARAMETER))

# RFC 9112 section 7.1:  chunk-size [ chunk-ext ], the size in hexadecimal; fifteen digits fit in 64 bits
# RFC 9112 section 7.1.1:  chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
EXTENSION = rb"[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?" % (TOKEN, TOKEN, QUOTED)
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:%b)*)" % EXTENSION)


class BadRequest(Exception):  # noqa: N818 - the name of the status, as everyone knows it
    """A message that is refused: the status to answer with and why, for the log and the error page.

    `why` is always a sentence of ours and never holds a byte of the peer's.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why


def next_line(data: bytes, at: int, limit: int, status: int, why: str) -> int:
    """Where the line after the one at `at` begins; -1 when that one is not whole yet.

    Raises BadRequest: `status` and `why` for more than `limit` bytes before the CRLF, as early as that is
    certain; 400 for a bare LF, which a recipient may take for a line's end (RFC 9112 section 2.2) and this
    one does not.
    """
    end = data.find(b"\n", at)
    stop = end if end >= 0 else len(data)
    if stop - at > limit + 1:  # the one is for the CR, which an unfinished line may already have
        raise BadRequest(status, why)
    if end < 0:
        return -1
    if data[end - 1 : end] != b"\r":
        raise BadRequest(400, "a line ends with a bare LF")
    return end + 1
