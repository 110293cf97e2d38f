"""Answers of servers, kept between runs: each whole and under what was asked, or not there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from msgspec import Struct

from repaudit.host.scratch import write


class Kept(Struct, frozen=True, kw_only=True):
    """An answer as it was kept: its bytes, its media type, and its ETag, empty without one."""

    data: bytes
    kind: str
    tag: str = ""


class Answers(Struct, frozen=True):
    """The answers in a folder. A key says what was asked; None keeps nothing."""

    folder: Path | None

    def get(self, key: str) -> Kept | None:
        """Return what was kept under a key; None where nothing was, or it is damaged."""
        path = self._path(key)
        try:
            line, _, data = path.read_bytes().partition(b"\n") if path else (b"", b"", b"")
            head = json.loads(line)
            if head["key"] != key or head["sha256"] != hashlib.sha256(data).hexdigest():
                return None
            return Kept(data=data, kind=str(head["kind"]), tag=str(head["tag"]))
        except (OSError, ValueError, KeyError, TypeError):  # not kept, or not whole
            return None

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer, whole or not at all."""
        if path := self._path(key):
            digest = hashlib.sha256(kept.data).hexdigest()
            head = {"key": key, "kind": kept.kind, "tag": kept.tag, "sha256": digest}
            write(path, json.dumps(head, sort_keys=True).encode() + b"\n" + kept.data)

    def _path(self, key: str) -> Path | None:
        name = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        return self.folder / name[:2] / name if self.folder else None
