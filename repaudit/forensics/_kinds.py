"""Two words that differ: what kind of word both are."""

from __future__ import annotations

import re

from repaudit.forensics._case import moved, of_one_build, umask_explains
from repaudit.forensics._dates import clock_number
from repaudit.forensics._stamps import offset
from repaudit.forensics._words import WORDS, foreign
from repaudit.forensics.interface import Case
from repaudit.formats import read_digest

UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
#: A name that Python's tempfile drew, in whatever folder.
DRAWN = r"(?:(?:/[\w.-]+){0,16}/)?tmp[a-z0-9_]{8}"
#: A salted password, by method: `$6$salt$hash`, `$y$parameters$salt$hash` (crypt(5)).
CRYPT = r"\$[a-z0-9]{1,10}\$(?:[a-zA-Z0-9./=,+-]+\$){0,4}[a-zA-Z0-9./+]{20,}={0,2}"
_HEX = re.compile(r"[0-9a-fA-F]{8,}")
_CHECKSUM = re.compile(
    r"(?i)(?<![a-z])(?:sha\d*(?:sum)?|md5(?:sum)?|crc\d*|checksum|digest|integrity|etag|commit)"
    r"(?![a-z])"
    r"|^\s*[0-9a-f]{32,128}  ?\*?\S"
    # buildah's history: what was copied, by its checksum
    r"|#\(nop\) (?:ADD|COPY) (?:file|dir|multi):"
)
_DIGEST_LENGTHS = frozenset({8, 32, 40, 56, 64, 96, 128})
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_UNIT = re.compile(r"(?:ns|us|µs|ms|s|secs?|seconds?|min|minutes?|msec|milliseconds?)")
#: What stands before a duration; `SUCCESS [` in Maven's summary of modules.
TOOK = re.compile(
    r"(?i)(?<![a-z])(?:took|ran|elapsed|finished|completed|duration|real|user|sys"
    r"|total time)\b|\bSUCCESS \["
)
_TIMES = re.compile(
    r"(?i)(?<![a-z])(?:[acm]?time(?:stamp)?|stamp|dated?|epoch|built|created|generated|modified"
    r"|copyright|year)(?![a-z])|\(c\)|©"
)
_ADDRESS = re.compile(r"(?:0x0*|0{4})?(?:7f|5[5-9a-f])[0-9a-f]{10}")
# gcc's temporary assembler and object files
_OBJECT = re.compile(r"cc[A-Za-z0-9]{6}\.[os]")
# A container's ID, which docker makes its host name.
_CONTAINER = re.compile(r"(?=.*[a-f])(?=.*[0-9])[0-9a-f]{12}")
_HOST = (
    r"(?i)(?:(?<![a-z_-])(?:host[ _-]?name|(?:build[ _-]?|on )host)[\"']?\s*[:=]?\s*[\"']?"
    r"|(?<![\w/.@-])root@)"
)
_TEMPORARY = re.compile(rf"/(?:var/)?tmp/|tmp[._]|{DRAWN}$")
# A name that mktemp(1), mkstemp(3) or Python's tempfile made: six to twelve letters and digits.
# Of two kinds of letters, or with digits: few names that people give are.
_LOOKS_DRAWN = re.compile(r"\d.*[A-Za-z]|[A-Za-z].*\d|[a-z].*[A-Z].*[a-z]|[A-Z].*[a-z].*[A-Z]")
_MADE_UP = re.compile(r"[A-Za-z]{0,8}?[A-Za-z0-9_]{6,12}")


def kind(case: Case, line: str, left: str, right: str, after: str) -> str | None:
    """Return the cause that a pair of words shows; `after` is the word that follows."""
    return (
        _number(case, line, left, right, after)
        or _named(case, left, right)
        or _mode(case, left, right)
        or _random(case, line, left, right)
    )


def _number(case: Case, line: str, left: str, right: str, after: str) -> str | None:
    cpus = moved(case, "cpus")
    if cpus and (left, right) == (_count(cpus[0]), _count(cpus[1])) and left != right:
        return "captures_cpu_count"
    if all(re.fullmatch(r"(?:19|20)\d\d", word) for word in (left, right)):
        return "captures_build_date" if says_time(case, line) else None
    if clock_number(case, left, right):
        return "captures_build_date"
    if _UNIT.fullmatch(after) and _NUMBER.fullmatch(left) and _NUMBER.fullmatch(right):
        measured = of_one_build(case) or TOOK.search(line)
        return "captures_execution_time" if measured else None
    return None


def says_time(case: Case, line: str) -> bool:
    """Whether a number in `line` that looks like a time is one.

    In two images of which nothing is known it may be a version, a size or a port as well, unless
    the line says what it is.
    """
    return of_one_build(case) or _TIMES.search(line) is not None


def _count(value: str) -> str:
    return str(value.count(",") + 1)


def _named(case: Case, left: str, right: str) -> str | None:
    zones = moved(case, "timezone")
    if zones and _names_zone(left, zones[0]) and _names_zone(right, zones[1]):
        return "captures_timezone"
    one, other = WORDS.get(left.lower()), WORDS.get(right.lower())
    # In two images, `may` and `june` may be somebody's names.
    if one and other and len(left) > 1 and len(right) > 1 and of_one_build(case):
        elsewhere = foreign(one.languages, other.languages, moved=moved(case, "locale") is not None)
        return "captures_locale" if elsewhere else "captures_build_date"
    return None


def _names_zone(word: str, value: str) -> bool:
    """Whether `word` is how date(1) shows the zone that the TZ string `value` sets."""
    east = offset(value)
    if word[:1] in "+-":
        return east is not None and offset(word) == east
    return east == 0 and word in ("UTC", "GMT")


def _mode(case: Case, left: str, right: str) -> str | None:
    one, other = _read_mode(left), _read_mode(right)
    if one is None or other is None:
        return None
    # Bare digits may be anything, so they count only where both umasks are known to explain them.
    known = moved(case, "umask") is not None or not left.isdigit()
    return "different_due_to_umask" if known and umask_explains(case, one, other) else None


def _read_mode(word: str) -> int | None:
    if re.fullmatch(r"0?[0-7]{3}", word):
        return int(word, 8)
    if re.fullmatch(r"[-dlbcps](?:[r-][w-][x-]){3}", word):
        return sum(1 << (8 - i) for i, letter in enumerate(word[1:]) if letter != "-")
    return None


def _random(case: Case, line: str, left: str, right: str) -> str | None:
    if _TEMPORARY.match(left) and _TEMPORARY.match(right):
        return "captures_temporary_path" if _temporary(case, left, right) else None
    if _OBJECT.fullmatch(left) and _OBJECT.fullmatch(right):
        return "captures_temporary_path"
    if _ADDRESS.fullmatch(left) and _ADDRESS.fullmatch(right):
        written = left[0] == right[0] == "0"  # else it may be a commit
        return "captures_memory_address" if written or of_one_build(case) else None
    if re.fullmatch(UUID, left) and re.fullmatch(UUID, right):
        return "embeds_random_value"
    if _CONTAINER.fullmatch(left) and _CONTAINER.fullmatch(right) and _names_host(line, left):
        return "captures_hostname"
    if re.fullmatch(CRYPT, left) and re.fullmatch(CRYPT, right):
        drawn = of_one_build(case) and _salt(left) != _salt(right)
        return "embeds_random_value" if drawn else None
    if _names_file(case, left, right):
        return "checksum_of_varying_file"
    in_hex = _hex(left, right)
    if not in_hex and not _base64(left, right):
        return None
    if _CHECKSUM.search(line) and (not in_hex or len(left) in _DIGEST_LENGTHS):
        return None  # it is the digest of no file that is there on both sides
    # In two images it may be a key, a commit or a token that somebody put there.
    return "embeds_random_value" if of_one_build(case) else None


def _names_host(line: str, word: str) -> bool:
    """Whether `line` says that `word` is a host: else it may be a commit, or a digest's start."""
    return re.search(rf"{_HOST}{word}(?![\w.@/-])", line) is not None


def _names_file(case: Case, left: str, right: str) -> bool:
    """Whether a file has these digests on the two sides."""
    if case.files is None or not (left.isascii() and right.isascii()):
        return False
    one, other = (read_digest(word.encode()) for word in (left, right))
    return bool(one and other and case.files.named(one, other))


def _salt(word: str) -> str:
    """Return the salt of a salted password; bcrypt's stands before the hash, in one field."""
    fields = word.split("$")
    return fields[-1][:22] if fields[1].startswith("2") else fields[-2]


def _hex(left: str, right: str) -> bool:
    # Digits alone may be a size or an inode number, letters alone a word.
    both = left + right
    return (
        len(left) == len(right)
        and bool(_HEX.fullmatch(left) and _HEX.fullmatch(right))
        and any(letter.isdigit() for letter in both)
        and not both.isdigit()
    )


def _base64(left: str, right: str) -> bool:
    return (
        len(left) == len(right) >= 16
        and all(re.fullmatch(r"[A-Za-z0-9+/_-]+={0,2}", word) for word in (left, right))
        and all(re.search(c, w) for c in (r"[a-z]", r"[A-Z]", r"\d") for w in (left, right))
        and sum(x != y for x, y in zip(left, right, strict=True)) >= len(left) // 2
    )


def _temporary(case: Case, left: str, right: str) -> bool:
    """Whether two paths differ in names such as mktemp makes, and in nothing else."""
    # Python's random names may hold an underscore, so a second try does not split at it.
    for separators in (r"([/._-])", r"([/.-])"):
        parts = re.split(separators, left), re.split(separators, right)
        if len(parts[0]) == len(parts[1]):
            pairs = [(x, y) for x, y in zip(*parts, strict=True) if x != y]
            words = [word for pair in pairs for word in pair]
            drawn = of_one_build(case) or all(map(_LOOKS_DRAWN.search, words))
            if pairs and drawn and all(_made_up(x, y) for x, y in pairs):
                return True
    return False


def _made_up(left: str, right: str) -> bool:
    same = len(left) == len(right)
    return same and bool(_MADE_UP.fullmatch(left) and _MADE_UP.fullmatch(right))
