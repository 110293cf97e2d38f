"""Fields that two readers would take from two places of one JSON object; such objects are refused.

To encoding/json of Go a key of whatever case is the field, and the last of several counts. Others
know one spelling, and some take the first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from repaudit.model.errors import MalformedError
from repaudit.oci.blob import parse_object

#: Of indexes, manifests and descriptors (image-spec), and of Docker's, which are read alike.
_FIELDS = frozenset(
    (
        *("schemaVersion", "mediaType", "artifactType", "manifests", "config", "layers", "subject"),
        *("digest", "size", "data", "urls", "annotations", "platform"),
        *("os", "architecture", "variant", "os.version", "os.features", "features"),
    )
)
_MAP = "annotations"


class _Object(tuple[tuple[str, object], ...]):
    """The keys and values of a JSON object, as often as they stand there."""

    __slots__ = ()


def parse_manifest(data: bytes, name: str) -> dict[str, Any]:
    """Return the index or manifest in `data`; raise MalformedError where readers may differ."""
    found = parse_object(data, name)
    check_fields(data.decode(), name, _FIELDS)
    return found


def check_fields(text: str, name: str, fields: Iterable[str]) -> None:
    """Raise MalformedError, saying `name`, where JSON has one of `fields` twice or in another case.

    Keys of annotations are no fields, and their case counts: none of them may stand twice.
    """
    known = {field.casefold(): field for field in fields}
    todo: list[object] = [json.loads(text, object_pairs_hook=_Object)]
    while todo:
        value = todo.pop()
        if isinstance(value, _Object):
            names = [key for key, _ in value]
            _refuse_others(names, known, name)
            _refuse_twins((key for key in names if key.casefold() in known), name)
            for key, item in value:
                if key == _MAP and isinstance(item, _Object):
                    _refuse_twins((one for one, _ in item), name)
                else:
                    todo.append(item)
        elif isinstance(value, list):
            todo += value


def _refuse_others(names: Iterable[str], known: dict[str, str], name: str) -> None:
    for key in names:
        field = known.get(key.casefold(), key)
        if key != field:
            raise MalformedError(f"{name} has {key!r}, which is {field!r} to some readers only")


def _refuse_twins(names: Iterable[str], name: str) -> None:
    key, times = max(Counter(names).items(), key=lambda item: item[1], default=("", 0))
    if times > 1:
        raise MalformedError(f"{name} has {key!r:.200} twice in one object: which counts is luck")
