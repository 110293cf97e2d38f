"""Files of a known grammar: whether all that differs in one is what its program writes anew.

Of two images nobody knows who made them, so a place alone explains nothing. Where a file's grammar
says of each byte what it is, a time, say, or the ID of a commit, and nothing else differs, there is
nothing left that somebody could have put there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from struct import Struct

#: Days since 1970 that lie nearer together than these are two dates of a build (some ten years).
_NEAR_DAYS = 3660
_DAY = re.compile(rb"[1-9][0-9]{3,4}")
#: The fields of shadow(5), and the one with the day of the last change.
_FIELDS, _LAST_CHANGE = 9, 2
#: For how many days after it a password holds, where nobody has decided that.
_MOST_DAYS, _FOR_EVER = 4, (b"", b"99999")
_LABEL = rb"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: The name of one host, and nothing else (hostname(5)).
_HOSTNAME = re.compile(rb"(?=.{1,253}$)" + _LABEL + rb"(?:\." + _LABEL + rb")*+\n?", re.MULTILINE)
#: The line by which a runtime lets a container find itself: its name is its ID (hosts(5)).
_OWN = re.compile(rb"([0-9a-f.:]{2,39})[ \t]+[0-9a-f]{12}")
#: RFC 1918 and RFC 4193. `is_private` holds for 6.6.6.6 as well, where IPv6 maps it.
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_ID = rb"(?:[0-9a-f]{64}|[0-9a-f]{40})"
#: A line of a reflog: the commits before and after, who, when, and what was done. Who gave no
#: address is the user at the host's name, which is the container's ID.
_LOGGED = re.compile(
    _ID + b" " + _ID + rb"( [^\n<>]*<[^\n<>]*?)(?:@[0-9a-f]{12}\.\(none\))?(> )"
    rb"[0-9]{1,10} [+-][0-9]{4}(.*)"
)
#: A line of wget's: host, port, whether its subdomains too, when it was seen, how long it holds.
_HOST = re.compile(rb"([^\t]+\t[0-9]+\t[01]\t)[0-9]{9,10}(\t[0-9]+)")
#: A line of npm's cache index: a digest of JSON, and that JSON.
_ENTRY = re.compile(rb"([0-9a-f]{40})\t(\{.*\})")
#: In JSON no text holds these: its quotes have a backslash before them.
_TIMES = re.compile(
    rb'"time":[0-9]{10,16}(?=[,}])|"date":"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} '
    rb'[0-9:]{8} GMT"'
)
_HEAD, _STAT, _REST = Struct(">4sII"), 24, 16
_DIGEST, _EXTENDED = 20, 0x4000


def accounts_for_all(path: str, left: bytes, right: bytes) -> bool:
    """Whether the grammar of the file at a path accounts for each byte that differs."""
    return any(place.fullmatch(path) and same(left, right) for place, same in _GRAMMARS)


def _matching(form: re.Pattern[bytes]) -> Callable[[bytes, bytes], bool]:
    """Return what says whether two lines have a form, and the same in its groups."""

    def same(left: bytes, right: bytes) -> bool:
        one, other = form.fullmatch(left), form.fullmatch(right)
        return one is not None and other is not None and one.groups() == other.groups()

    return same


def _same_account(left: bytes, right: bytes) -> bool:
    one, other = left.split(b":"), right.split(b":")
    if len(one) != _FIELDS or len(other) != _FIELDS:
        return False
    if one[_MOST_DAYS] not in _FOR_EVER:
        return False
    days = one.pop(_LAST_CHANGE), other.pop(_LAST_CHANGE)
    if one != other or not all(map(_DAY.fullmatch, days)):
        return False  # 0 and no day at all have a meaning of their own
    return abs(int(days[0]) - int(days[1])) < _NEAR_DAYS


def _same_host(left: bytes, right: bytes) -> bool:
    """Whether both are a container's own line, with the address of a private network."""
    hits = _OWN.fullmatch(left), _OWN.fullmatch(right)
    return all(hit is not None and _private(hit[1].decode()) for hit in hits)


def _private(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in _PRIVATE)


def _hostnames(left: bytes, right: bytes) -> bool:
    return all(_HOSTNAME.fullmatch(side) for side in (left, right))


def _indexes(left: bytes, right: bytes) -> bool:
    seen = _unseen(left), _unseen(right)
    return seen[0] is not None and seen[0] == seen[1]


def _unseen(index: bytes) -> bytes | None:
    """Return an index without the times, device and inode of each file, and without its checksum.

    None where it is none of versions 2 and 3, or its checksum is not its own (gitformat-index(5)).
    """
    if len(index) < _HEAD.size + _DIGEST or _sha1(index[:-_DIGEST]) != index[-_DIGEST:]:
        return None
    magic, version, count = _HEAD.unpack_from(index)
    if magic != b"DIRC" or version not in {2, 3}:
        return None
    kept, at = [index[: _HEAD.size]], _HEAD.size
    for _ in range(min(count, len(index))):
        start, at = at, at + _STAT + _REST + _DIGEST
        flags = int.from_bytes(index[at : at + 2], "big")
        end = index.find(b"\0", at + (4 if flags & _EXTENDED else 2))
        if end < 0:
            return None
        at = start + (end - start) // 8 * 8 + 8
        kept.append(index[start + _STAT : at])
    return b"".join([*kept, index[at:-_DIGEST]])


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _same_entry(left: bytes, right: bytes) -> bool:
    one, other = _ENTRY.fullmatch(left), _ENTRY.fullmatch(right)
    if one is None or other is None:
        return False
    sound = all(_sha1(hit[2]).hex().encode() == hit[1] for hit in (one, other))
    return sound and _TIMES.sub(b"", one[2]) == _TIMES.sub(b"", other[2])


def _lines(same: Callable[[bytes, bytes], bool]) -> Callable[[bytes, bytes], bool]:
    """Return what says whether two texts have as many lines, and each is the other, or the same."""

    def compared(left: bytes, right: bytes) -> bool:
        one, other = left.split(b"\n"), right.split(b"\n")
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(a == b or same(a, b) for a, b in pairs)

    return compared


_GRAMMARS = tuple(
    (re.compile(place, re.DOTALL), same)
    for place, same in (
        (r"etc/shadow-?", _lines(_same_account)),
        (r"etc/hostname", _hostnames),
        (r"etc/hosts", _lines(_same_host)),
        (r"(?:.*/)?\.git/index", _indexes),
        (r"(?:.*/)?\.git/logs/.*", _lines(_matching(_LOGGED))),
        (r"(?:.*/)?\.npm/_cacache/index-v5/.*", _lines(_same_entry)),
        (r"(?:.*/)?\.wget-hsts", _lines(_matching(_HOST))),
    )
)
