"""Places that are known to differ from build to build, as the catalogue lists them.

A place explains what its program writes there, and no more: bytes of the form that those have, and
in runs of one build that a file is there which nobody can execute. A mode, an owner and another
kind of file are not its doing. Of two images it explains all of a file only where the grammar of
that file says so (`_grammars.py`); else the place gives what is unexplained there a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from repaudit.forensics._case import clue, inflate, of_one_build, whole
from repaudit.forensics._catalogue import Record, known_at
from repaudit.forensics._grammars import accounts_for_all
from repaudit.forensics.interface import CLAMPED, Case
from repaudit.forensics.text import decoded
from repaudit.model.difference import Aspect, Difference
from repaudit.model.finding import Clue
from repaudit.model.text import instant

#: What runs: no log and no cache, whatever it is called.
_PROGRAM = re.compile(
    rb"\x7fELF|#!|MZ.{58}|\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe|\0asm",
    re.DOTALL,
)
#: What people write, beside what a program keeps: pg_hba.conf, gpg.conf.
_SETTINGS = re.compile(r"\.(?:cnf|conf|py|rules|service|sh)$")
#: What a time of creation shows: whether it is clamped.
_CREATED = {"creation_times_not_clamped": False, CLAMPED: True}
# apk names a virtual package YYYYMMDD.hhmmss, the moment it was made at.
_VIRTUAL = re.compile(rb"20\d{6}\.\d{6}")
#: What builders write into a configuration, by its key: a container's ID, which docker also makes
#: its host name, a version, and what BuildKit keeps of a build, in base64.
_BUILDERS = {"builder_version_in_label", "container_id_in_config"}
_WRITTEN = re.compile(
    r"(?:Hostname|container)=(?:[0-9a-f]{12}|[0-9a-f]{64})?"
    r"|(?:io\.buildah\.version|docker_version)="
    r"(?:v?[0-9]+(?:\.[0-9]+){1,3}(?:[-+~][0-9A-Za-z.+~-]{1,40})?)?"
    r"|moby\.buildkit\.[a-z0-9.]+=(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=))?"
)


def causes_at(case: Case) -> Iterator[Clue]:
    """Yield each cause that is known where a case is, unless the content speaks against it."""
    difference = case.difference
    if not _differs(case):
        return
    path = difference.path.lstrip("/")
    for record, glob in known_at(path, difference.aspect):
        others = glob.endswith("*") and _SETTINGS.search(path)
        if not others and _explains(record, case):
            found = clue(record.cause.slug, f"{path} is at a known place: {glob}")
            yield replace(found, whole=_tells_all(record, case))


def place_of(case: Case) -> str | None:
    """Return the slug of the cause that is known where a file of one of two images is, if any.

    That is a file of the form that its program writes, which nobody can execute; one that decides
    whom a container trusts has no such place, nor has one of which the bytes are not known.
    """
    aspect, path = case.difference.aspect, case.difference.path.lstrip("/")
    sides = [side.data for side in (case.left, case.right) if side is not None]
    usual = aspect is Aspect.CONTENT or (aspect is Aspect.PRESENCE and not case.difference.detail)
    if of_one_build(case) or not usual or not sides or _HASHED.search(path):
        return None
    for record, glob in known_at(path, aspect):
        others = glob.endswith("*") and _SETTINGS.search(path)
        check = _SYMPTOMS.get(record.cause.slug)
        if record.trust or others or not all(_has_form(record, side) for side in sides):
            continue
        if check is None or check(sides[0], sides[-1]):
            return record.cause.slug
    return None


def at_known_place(difference: Difference) -> bool:
    """Whether some cause is known to show where a difference is, whatever differs there."""
    path = difference.path.lstrip("/")
    return next(known_at(path, difference.aspect), None) is not None


def _tells_all(record: Record, case: Case) -> bool:
    """Whether what is checked of a file is all of it, so that it is nothing besides."""
    if case.difference.aspect is not Aspect.CONTENT or case.left is None or case.right is None:
        return record.whole
    if record.whole or of_one_build(case) or not whole(case):
        return record.whole
    path = case.difference.path.lstrip("/")
    return accounts_for_all(path, case.left.data, case.right.data)


def _differs(case: Case) -> bool:
    if case.difference.aspect is Aspect.CONTENT and case.left and case.right:
        return case.left != case.right
    return case.difference.left != case.difference.right


def _explains(record: Record, case: Case) -> bool:
    difference, slug = case.difference, record.cause.slug
    if slug in _CREATED:
        return _created(case, clamped=_CREATED[slug])
    if record.trust and not of_one_build(case):
        return False
    hashed = _HASHED.search(difference.path) is not None
    if difference.aspect is Aspect.PRESENCE:  # nobody looked into a file that one side alone has
        return of_one_build(case) and difference.detail == (_SNAKEOIL if hashed else None)
    if difference.aspect is not Aspect.CONTENT:
        key = difference.path.rpartition("/")[2]
        sides = [side for side in (difference.left, difference.right) if side is not None]
        written = all(_WRITTEN.fullmatch(f"{key}={side}") for side in sides)
        return of_one_build(case) or slug not in _BUILDERS or written
    if hashed or case.left is None or case.right is None:
        return False
    data = case.left.data, case.right.data
    check = _SYMPTOMS.get(slug)
    return all(_has_form(record, side) for side in data) and (check is None or check(*data))


def _created(case: Case, *, clamped: bool) -> bool:
    """Whether these are two times, and not one in two ways, and the two that are clamped to."""
    left, right = case.difference.left, case.difference.right
    one, other = (instant(side) if side else None for side in (left, right))
    if one is None or other is None or one == other:
        return False
    clamps = case.clamped is not None and case.clamped.explains(one, other)
    return clamps is clamped


def _has_form(record: Record, data: bytes) -> bool:
    if record.text:
        data = inflate(data)
        if decoded(data, cut=True) is None:
            return False
    return not _PROGRAM.match(data)


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
    # An empty one is made when the container starts (machine-id(5)).
    return all(re.fullmatch(rb"(?:[0-9a-f]{32}\n?)?", side) for side in (left, right))


def _listed(left: bytes, right: bytes) -> bool:
    # RECORD: path,algorithm=digest,size (the binary distribution format).
    names = ([line.split(b",")[0] for line in side.splitlines()] for side in (left, right))
    return next(names) == next(names)


def _addressed(left: bytes, right: bytes) -> bool:
    return all(not side or side.startswith(b"glibc-ld.so.auxcache") for side in (left, right))


def _key(left: bytes, right: bytes) -> bool:
    return all(_KEY.fullmatch(side) for side in (left, right))


def _kernels(left: bytes, right: bytes) -> bool:
    # The file is a part of apt's configuration, which can run programs.
    settings = {*re.findall(rb"[\w-]+(?:::[\w/-]*)+", left + right)}
    return settings <= {b"APT::NeverAutoRemove", b"APT::LastInstalledKernel"}


#: Keys alone, or one public key with its comment.
_KEY = re.compile(
    rb"(?:-----BEGIN ([A-Z ]+)-----[\sA-Za-z0-9+/=]++-----END \1-----\s*+)*+"
    rb"|(?:ssh|ecdsa|sk)-\S++ [A-Za-z0-9+/=]++(?: [^\n]*+)?\n?"
)
#: Where links stand that make a certificate a trusted one, and what is said of that of ssl-cert.
_HASHED = re.compile(r"etc/ssl/certs/[0-9a-f]{8}\.[0-9]")
_SNAKEOIL = "it is a symlink to ssl-cert-snakeoil.pem"
_SYMPTOMS: dict[str, Callable[[bytes, bytes], bool]] = {
    "apk_virtual_package_version": _virtual,
    "apt_kernel_list": _kernels,
    "ldconfig_aux_cache": _addressed,
    "machine_id": _machine_id,
    "pip_record": _listed,
    "random_salt_in_shadow": _salt,
    "shadow_last_change_date": _last_change,
    "snakeoil_certificate": _key,
    "ssh_host_keys": _key,
}
