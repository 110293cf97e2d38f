"""Kubernetes objects, as written or as Helm renders them, and the values of Helm charts.

Images stand in pod specs, but also in the environment of programs that start pods themselves, in
ConfigMaps and in Spark's settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._configured import audit_spark, audit_value, speaks_of_image
from repaudit.ecosystems._yaml import Mapping, Scalar, Yaml
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding

_OBJECT = re.compile(rb"^(?:apiVersion|kind):", re.MULTILINE)
_VALUES = re.compile(r"values.*\.ya?ml", re.IGNORECASE | re.DOTALL)
_SPARK = re.compile(r"spark\.kubernetes\.(?:(?:driver|executor)\.)?container\.image")
#: Volumes whose `image` is a block device.
_DEVICES = frozenset({"rbd"})


class _Kubernetes:
    name = "kubernetes"
    summary = "Kubernetes and Helm: images in pods, environments, ConfigMaps, Spark settings"

    def claims(self, path: str, head: bytes) -> bool:
        name = path.rpartition("/")[2]
        if not name.endswith((".yaml", ".yml")):
            return False
        return bool(_VALUES.fullmatch(name)) or bool(_OBJECT.search(head))

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        chart = document.read(document.beside("Chart.yaml")) is not None
        values = chart and bool(_VALUES.fullmatch(document.name))
        source = Yaml(document)
        try:
            for _, mappings in groupby(source.mappings(), key=lambda mapping: mapping.number):
                yield from _document(source, mappings, values=values)
        except MalformedError as error:
            if b"{{" not in document.data:
                raise
            message = "a template: what Helm makes of it was not read"
            yield finding("PAR001", document.on(error.line or 1), message)


def _document(
    source: Yaml, mappings: Iterator[Mapping], *, values: bool
) -> Iterator[Pin | PinFinding]:
    found: list[tuple[Scalar, str]] = []
    settings: list[Scalar] = []
    config: list[tuple[str, Scalar]] = []
    top: Mapping | None = None
    for mapping in mappings:
        top = mapping
        found += _images(mapping, values=values)
        settings += (one for one in mapping.scalars.values() if _SPARK.search(one.text))
        if mapping.path == ("data",):
            config += mapping.scalars.items()
    if top is None or not (values or {"apiVersion", "kind"} <= top.keys):
        return
    if "kind" in top.scalars and top.scalars["kind"].text == "ConfigMap":
        found += ((one, f"{name}:") for name, one in config if speaks_of_image(name, one.text))
    for scalar, said in sorted(found, key=lambda pair: pair[0].start):
        yield from audit_value(scalar.text, source.location(scalar), said)
    for scalar in settings:
        yield from audit_spark(source, scalar)


def _images(mapping: Mapping, *, values: bool) -> Iterator[tuple[Scalar, str]]:
    scalars = mapping.scalars
    image = scalars.get("image")
    if image and mapping.path[-1:] not in {(device,) for device in _DEVICES}:
        yield image, "image:"
    name, value = scalars.get("name"), scalars.get("value")
    if name and value and speaks_of_image(name.text, value.text):
        yield value, f"{name.text}:"
    for key, scalar in scalars.items():
        if _SPARK.fullmatch(key):
            yield scalar, f"{key}:"
    repository = scalars.get("repository")
    if values and repository and "image" in "/".join(mapping.path[-1:]).lower():
        yield _joined(repository, scalars), "repository:"


def _joined(repository: Scalar, scalars: dict[str, Scalar]) -> Scalar:
    """Return the image that a chart makes of its repository, tag and digest."""
    parts = [
        scalars[name].text if name in scalars else "" for name in ("registry", "tag", "digest")
    ]
    registry, tag, digest = parts
    whole = f"{registry}/{repository.text}" if registry else repository.text
    whole += (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    return Scalar(whole, repository.start, repository.end, plain=False)


ECOSYSTEM: Ecosystem = _Kubernetes()
