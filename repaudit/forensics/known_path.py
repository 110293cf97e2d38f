"""Places that are known to differ from build to build, as the catalogue lists them.

Where it costs nothing, the content must show the symptom too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from repaudit.forensics._case import clue, contents
from repaudit.forensics._catalogue import known_at
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.difference import Aspect
from repaudit.model.finding import Clue
from repaudit.model.text import is_time

# apk names a virtual package YYYYMMDD.hhmmss, the moment it was made at.
_VIRTUAL = re.compile(rb"20\d{6}\.\d{6}")


class _KnownPath:
    name = "known_path"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield each cause that is known at this path, unless the content speaks against it."""
        difference = case.difference
        if not _differs(case):
            return
        path = difference.path.lstrip("/")
        for record, glob in known_at(path, difference.aspect):
            if _shows(record.cause.slug, case):
                yield clue(record.cause.slug, f"{path} is at a known place: {glob}")


def _differs(case: Case) -> bool:
    if case.difference.aspect is Aspect.CONTENT and case.left and case.right:
        return case.left != case.right
    return case.difference.left != case.difference.right


def _shows(slug: str, case: Case) -> bool:
    if slug == "creation_times_not_clamped":
        sides = case.difference.left, case.difference.right
        return all(side is None or is_time(side) for side in sides)
    check = _SYMPTOMS.get(slug)
    data = contents(case)
    return check is None or data is None or check(*data)


def _shadow_fields(left: bytes, right: bytes) -> set[int]:
    """Return the numbers of the fields of /etc/shadow (shadow(5)) in which accounts differ."""
    accounts = [
        {fields[0]: fields for fields in (line.split(b":") for line in side.splitlines())}
        for side in (left, right)
    ]
    if accounts[0].keys() != accounts[1].keys():
        return set()
    pairs = ((accounts[0][name], accounts[1][name]) for name in accounts[0])
    return {i for a, b in pairs for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y}


def _last_change(left: bytes, right: bytes) -> bool:
    return 2 in _shadow_fields(left, right)


def _salt(left: bytes, right: bytes) -> bool:
    return 1 in _shadow_fields(left, right) and b"$" in left and b"$" in right


def _virtual(left: bytes, right: bytes) -> bool:
    stamps = _VIRTUAL.findall(left), _VIRTUAL.findall(right)
    return bool(stamps[0] and stamps[1]) and stamps[0] != stamps[1]


def _machine_id(left: bytes, right: bytes) -> bool:
    return all(re.fullmatch(rb"[0-9a-f]{32}\n?", side) for side in (left, right))


def _listed(left: bytes, right: bytes) -> bool:
    # RECORD: path,algorithm=digest,size (the binary distribution format).
    names = ([line.split(b",")[0] for line in side.splitlines()] for side in (left, right))
    return next(names) == next(names)


def _addressed(left: bytes, right: bytes) -> bool:
    return all(side.startswith(b"glibc-ld.so.auxcache") for side in (left, right))


def _key(left: bytes, right: bytes) -> bool:
    return all(re.match(rb"-----BEGIN |ssh-|ecdsa-|sk-", side) for side in (left, right))


_SYMPTOMS: dict[str, Callable[[bytes, bytes], bool]] = {
    "apk_virtual_package_version": _virtual,
    "ldconfig_aux_cache": _addressed,
    "machine_id": _machine_id,
    "pip_record": _listed,
    "random_salt_in_shadow": _salt,
    "shadow_last_change_date": _last_change,
    "snakeoil_certificate": _key,
    "ssh_host_keys": _key,
}

FORENSIC: Forensic = _KnownPath()
