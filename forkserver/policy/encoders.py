"""Content codings in the making: gzip by the standard library, zstd and br by libraries that are optional.

Knows how bytes become fewer; knows nothing of answers and fields.
"""

from __future__ import annotations

import importlib.util
import sys
import zlib
from typing import Any, Protocol

GZIP_LEVEL, BROTLI_QUALITY, ZSTD_LEVEL = 5, 4, 3  # where more effort begins to cost more than it saves
_NATIVE_ZSTD = sys.version_info >= (3, 14)  # PEP 784


class Encoder(Protocol):
    """One body's; each call gives what there is to be sent by now."""

    def feed(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes:
        """So that the other side can decode all that was fed."""
        ...

    def finish(self) -> bytes: ...


class Gzip:
    """RFC 1952."""

    def __init__(self) -> None:
        self._made = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self.feed = self._made.compress

    def flush(self) -> bytes:
        return self._made.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._made.flush()


class Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        import brotli  # noqa: PLC0415 - optional

        made: Any = brotli.Compressor(quality=BROTLI_QUALITY)
        self.feed, self.flush, self.finish = made.process, made.flush, made.finish


class Zstd:
    """RFC 8878, and RFC 9659 for its window: below 8 MB at this level."""

    def __init__(self) -> None:
        if _NATIVE_ZSTD:
            from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - new

            made: Any = zstd.ZstdCompressor(level=ZSTD_LEVEL)
            self.feed = made.compress
            self._flush, self._finish = (made.FLUSH_BLOCK,), (made.FLUSH_FRAME,)
        else:
            import zstandard  # noqa: PLC0415 - optional

            made = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()
            self.feed = made.compress
            self._flush, self._finish = (zstandard.COMPRESSOBJ_FLUSH_BLOCK,), (zstandard.COMPRESSOBJ_FLUSH_FINISH,)
        self._end = made.flush

    def flush(self) -> bytes:
        return bytes(self._end(*self._flush))

    def finish(self) -> bytes:
        return bytes(self._end(*self._finish))


ENCODERS: dict[str, type[Any]] = {"br": Brotli, "zstd": Zstd, "gzip": Gzip}
_LIBRARIES = {"br": "brotli", "zstd": "compression.zstd" if _NATIVE_ZSTD else "zstandard", "gzip": "zlib"}


def available(coding: str) -> bool:
    """Whether what it needs is installed."""
    return importlib.util.find_spec(_LIBRARIES[coding]) is not None
