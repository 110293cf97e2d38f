"""spark-defaults.conf and its like: the images that Spark starts on Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._configured import SPARK, audit_value
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.pins import Pin, PinFinding

_NAME = re.compile(r"spark.*\.(?:conf|properties)(?:\.template)?", re.DOTALL)
_LONGEST_LINE = 65_536


class _SparkDefaults:
    name = "spark_defaults"
    summary = "spark-defaults.conf: images of drivers and executors"

    def claims(self, path: str, head: bytes) -> bool:
        return bool(_NAME.fullmatch(path.rpartition("/")[2]))

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        at = 0
        for line in document.data.split(b"\n"):
            here, at = at, at + len(line) + 1
            text = line[:_LONGEST_LINE].decode("latin-1")
            match = None if text.lstrip().startswith("#") else SPARK.search(text)
            if match:
                start, end = here + match.start("image"), here + match.end("image")
                yield from audit_value(match["image"], document.at(start, end), match["key"])


ECOSYSTEM: Ecosystem = _SparkDefaults()
