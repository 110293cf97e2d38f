"""Verified blobs: whatever is read was hashed and counted, and at the end compared.

A digest is known to be right at the end of a blob and no earlier, so what was read before the end
may not be acted on: small blobs are read whole, and layers are drained.
"""

from __future__ import annotations

import hashlib
import json
from io import SEEK_END
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Protocol, Self

from repaudit.model.digest import Descriptor
from repaudit.model.errors import MalformedError
from repaudit.model.image import Layer
from repaudit.oci.compression import BOUNDS, Bounds, Plain
from repaudit.oci.cursor import CHUNK, Readable

#: The bound that registries and runtimes put on manifests (distribution-spec, "Pushing Manifests").
MAX_JSON = 4 << 20
#: Real ones are six deep. Above a thousand, whoever walks them would break.
_MAX_NESTING = 64


class Blobs(Protocol):
    """Opens blobs as they are stored; whoever reads them verifies."""

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """Return the blob's stored bytes; raise SourceError where it is not there."""


class Verified:
    """A stream that raises MalformedError, naming the blob, unless it has this digest and size.

    `what` is the word for the blob and `wanted` that for its digest in messages; `size` is in
    bytes, None where nobody said it.
    """

    def __init__(
        self, stream: Readable, digest: str, size: int | None, what: str, wanted: str = "digest"
    ) -> None:
        self._stream = stream
        self._digest = digest
        self._size = size
        self._names = what, wanted
        self._hash = hashlib.new(digest.partition(":")[0])
        self._count = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; at the end, compare."""
        data = self._stream.read(size)
        self._hash.update(data)
        self._count += len(data)
        if self._size is not None and self._count > self._size:
            self._refuse(f"more than {self._size} bytes")
        if not data and size:
            self._compare()
        return data

    def _compare(self) -> None:
        if self._size is not None and self._count != self._size:
            self._refuse(f"{self._count} bytes, not {self._size}")
        found = f"{self._digest.partition(':')[0]}:{self._hash.hexdigest()}"
        if found != self._digest:
            self._refuse(found)

    def _refuse(self, found: str) -> NoReturn:
        what, wanted = self._names
        raise MalformedError(f"{what} does not match its {wanted}: {found}")


class LayerStream:
    """The uncompressed bytes of a layer; close it, or use it as a context.

    Its digest and diff_id are verified when the end was read: `drain` does.
    """

    def __init__(self, file: BinaryIO, layer: Layer, bounds: Bounds = BOUNDS) -> None:
        digest = layer.descriptor.digest
        self._file = file
        stored = Verified(file, digest, layer.descriptor.size, f"blob {digest}")
        plain = Plain(stored, f"blob {digest}", bounds)
        #: What its compressor says first.
        self.wrapper = plain.wrapper
        # Where both digests are the same, the stored bytes are the uncompressed ones.
        same = digest == layer.diff_id and plain.form == "tar"
        what = f"layer {layer.index} (blob {digest})"
        self._stream: Readable = (
            plain if same else Verified(plain, layer.diff_id, None, what, "diff_id")
        )

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; raise MalformedError for corrupt data and wrong digests."""
        return self._stream.read(size)

    def drain(self) -> None:
        """Read to the end, so that all that was read can be trusted."""
        while self.read(CHUNK):
            pass

    def close(self) -> None:
        """Close the blob."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_layer(blobs: Blobs, layer: Layer, bounds: Bounds = BOUNDS) -> LayerStream:
    """Open a layer as its uncompressed stream. What is neither gzip, zstd nor tar is refused."""
    file = blobs.open(layer.descriptor)
    try:
        return LayerStream(file, layer, bounds)
    except BaseException:
        file.close()
        raise


def read_blob(blobs: Blobs, descriptor: Descriptor) -> bytes:
    """Return a small blob (manifest, config, index) whole and verified; refuse above 4 MiB."""
    name = f"blob {descriptor.digest}"
    if descriptor.size > MAX_JSON:
        raise MalformedError(f"{name} is too large for what it is: {descriptor.size} bytes")
    with blobs.open(descriptor) as file:
        stream = Verified(file, descriptor.digest, descriptor.size, name)
        return _read_all(stream)


def check_size(blobs: Blobs, descriptor: Descriptor) -> None:
    """Raise as a reader would where a blob is not there, or not of its size; nothing is read."""
    with blobs.open(descriptor) as file:
        found, size = file.seek(0, SEEK_END), descriptor.size
    if found != size:
        words = f"more than {size} bytes" if found > size else f"{found} bytes, not {size}"
        raise MalformedError(f"blob {descriptor.digest} does not match its digest: {words}")


def read_digest(blobs: Blobs, digest: str) -> bytes:
    """Like `read_blob`, where only the digest is known."""
    with blobs.open(Descriptor(media_type="", digest=digest, size=0)) as file:
        return _read_all(Verified(file, digest, None, f"blob {digest}"))


def _read_all(stream: Readable) -> bytes:
    data = b""
    while more := stream.read(CHUNK):
        data += more
        if len(data) > MAX_JSON:
            raise MalformedError(f"a manifest or config of more than {MAX_JSON} bytes")
    return data


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object in `data`; raise MalformedError, saying `name`, where it is none."""
    try:
        value = json.loads(data.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is no JSON object")
    check_nesting(value, name)
    return value


def check_nesting(value: object, name: str) -> None:
    """Raise MalformedError, saying `name`, for JSON that is nested too deep to be compared."""
    if _nested_deeper(value, _MAX_NESTING):
        raise MalformedError(f"{name} is nested more than {_MAX_NESTING} deep")


def _nested_deeper(value: object, bound: int) -> bool:
    level = [value]
    for _ in range(bound):
        nested = [item for item in level if isinstance(item, dict | list)]
        level = [x for item in nested for x in (item.values() if isinstance(item, dict) else item)]
    return any(isinstance(item, dict | list) for item in level)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
