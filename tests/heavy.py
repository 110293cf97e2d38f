"""Files that are small, and made to take hours or gigabytes of whoever looks into them."""

from __future__ import annotations

import gzip
import struct


def elf(strings: bytes, names: bytes = b"\0.rodata\0", more: int = 0) -> bytes:
    """A program with a section of strings, and `more` that are called by the whole of `names`."""
    body = names + strings
    table = struct.pack("<IIQQQQ24x", 0, 3, 0, 0, 64, len(names))
    table += struct.pack("<IIQQQQ24x", 1, 1, 0, 0, 64 + len(names), len(strings))
    table += struct.pack("<IIQQQQ24x", 1, 1, 0, 0, 64, 0) * more
    fields = (3, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, more + 2, 0)
    return b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", *fields) + body + table


def _lines(side: bytes, end: bytes = b"") -> bytes:
    """Lines that stand fifty times, each between two that the other side has not."""
    return b"".join(b"%d\n%b%d\n" % (n % 51, side, n) for n in range(2_400)) + end


def _keys(value: int) -> bytes:
    """Keys called like those that stand twice, so that each takes the number of another."""
    names = ["x" + "#2" * n for n in range(1_200)] + ["x"]
    return "".join(f"{name}={value}\n" for name in names).encode()


_PATHS = b"\n".join(b"/./." * 990 + b"%d" % n for n in range(60))
_HEX = b"\0".join(b"tmp_abcdefgh-" + b"a1b2" * 900 + b"g%d" % n for n in range(60))
_NAMES = b"\0" + b"\1" * (1 << 20) + b"\0"
_MEMBERS = gzip.compress(b"", mtime=0) * 20_000
_IDS = b"%PDF-1.4\n" + b"/ID[" * 65_000

#: What a file is called, and its bytes on both sides.
FILES = {
    "lines": (_lines(b"l"), _lines(b"r", b"x")),
    "paths": (_PATHS, _PATHS.replace(b"/./.", b"/./-")),
    "numbers": (elf(_HEX), elf(_HEX.replace(b"a1b2", b"a1b3"))),
    "names": (elf(b"a\0", _NAMES, 500), elf(b"b\0", _NAMES, 500)),
    "members.gz": (_MEMBERS, _MEMBERS + gzip.compress(b"a", mtime=0)),
    "ids.pdf": (_IDS, _IDS + b"x"),
    "keys.properties": (_keys(1), _keys(2)),
}
