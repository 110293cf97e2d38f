"""Images in the values of configurations: variables replaced, names that speak of images."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._images import audit_image, reference
from repaudit.ecosystems._yaml import Scalar, Yaml
from repaudit.model.pins import Location, Pin, PinFinding

_DEFAULT = re.compile(r"\$\{\w+:?-([^}$]*)\}")
_NAMED = re.compile(r"(?:^|[_.-])image(?:$|[_.-])", re.IGNORECASE)
_PARTS = re.compile(
    r"(?:repo|repository|registry|name|tag|version|policy|secrets?|digest|path|dir|size|format|type"
    r"|prefix|suffix|user|password|quality|width|height)$",
    re.IGNORECASE,
)
SPARK = re.compile(
    r"(?P<key>spark\.kubernetes\.(?:(?:driver|executor)\.)?container\.image)[ \t]*[ \t=:][ \t]*"
    r"(?P<image>[^\s\"'\\,;]+)"
)


def audit_value(text: str, where: Location, said: str) -> Iterator[Pin | PinFinding]:
    """Yield the pin of an image in a configuration; defaults of `${X:-y}` are taken."""
    plain = _DEFAULT.sub(r"\1", text.strip())
    if not plain:
        return
    if "{{" in plain or "<" in plain:
        yield finding("PAR001", where, f"{said} {text[:100]}: it is filled in elsewhere")
    elif "$" in plain:
        fix = (
            "write the image with its digest here, or as the default: ${NAME:-IMAGE@sha256:DIGEST}"
        )
        message = f"{said} {text[:100]}: the image hangs on a variable"
        yield finding("IMG006", where, message, fix=fix)
    else:
        yield from audit_image(plain, where, said=said, configured=True)


def speaks_of_image(name: str, value: str) -> bool:
    """Say whether a setting holds an image: its name says so, and its value may be one."""
    if not _NAMED.search(name) or _PARTS.search(name):
        return False
    plain = _DEFAULT.sub(r"\1", value.strip())
    found = reference(plain)
    return found is not None and bool(found.digest or found.tag or "/" in found.name)


def audit_spark(source: Yaml, scalar: Scalar) -> Iterator[Pin | PinFinding]:
    """Yield the images that Spark's settings name in a text."""
    for match in SPARK.finditer(scalar.text):
        where = source.inside(scalar, match["image"])
        yield from audit_value(match["image"], where, match["key"])
