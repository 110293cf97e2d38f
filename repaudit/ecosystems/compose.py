"""Compose files: the images of services (compose-spec)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._configured import audit_value, speaks_of_image
from repaudit.ecosystems._yaml import Mapping, Yaml
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.pins import Pin, PinFinding

_NAME = re.compile(r"(?:docker-|podman-)?compose(?:[._-].+)?\.ya?ml", re.IGNORECASE | re.DOTALL)


class _Compose:
    name = "compose"
    summary = "compose files: images of services, and in their environment"

    def claims(self, path: str, head: bytes) -> bool:
        return bool(_NAME.fullmatch(path.rpartition("/")[2]))

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        source = Yaml(document)
        for mapping in source.mappings():
            yield from _mapping(source, mapping)


def _mapping(source: Yaml, mapping: Mapping) -> Iterator[Pin | PinFinding]:
    service = len(mapping.path) == 2 and mapping.path[0] == "services"
    template = len(mapping.path) == 1 and mapping.path[0].startswith("x-")
    image = mapping.scalars.get("image")
    if (service or template) and image and "build" not in mapping.keys:  # else it names the result
        yield from audit_value(image.text, source.location(image), "image:")
    if mapping.path[-1:] == ("environment",):
        for name, scalar in mapping.scalars.items():
            if speaks_of_image(name, scalar.text):
                yield from audit_value(scalar.text, source.location(scalar), f"{name}:")
    elif mapping.path[-2:] == ("environment", "[]"):
        for scalar in mapping.scalars.values():
            name, _, value = scalar.text.partition("=")
            if speaks_of_image(name, value):
                yield from audit_value(value, source.location(scalar), f"{name}=")


ECOSYSTEM: Ecosystem = _Compose()
