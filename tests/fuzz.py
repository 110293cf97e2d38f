"""`python -m tests.fuzz TARGET [SECONDS]`: atheris (libFuzzer) on a reader, with its corpus.

A reader may raise a RepauditError and nothing else, must come to an end soon, and writes nothing
beside its own folder. `repaudit-fuzz/TARGET` in the user's cache holds the corpus, and what was
found, which belongs into tests/test_fuzz.py once it is mended.
"""

from __future__ import annotations

import gc
import gzip
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

from repaudit.forensics import FORENSICS
from repaudit.formats import FORMATS, HEAD, Bounds, Budget, Kind, Part
from repaudit.model.difference import Aspect, Difference
from repaudit.model.errors import RepauditError
from repaudit.oci import compression
from repaudit.oci.changes import find_changes
from repaudit.oci.compression import Plain
from repaudit.oci.cursor import CHUNK
from repaudit.oci.image import read_root
from repaudit.oci.layer import read_layer
from repaudit.oci.listing import Writer, load
from repaudit.oci.spool import Spool
from repaudit.oci.twin import read_twins
from repaudit.sources import open_image
from repaudit.stages.attribute import attribute
from repaudit.stages.compare import compare
from repaudit.stages.contents import Kept, Library, with_details
from repaudit.stages.reading import Reading
from repaudit.stages.scene import Scene
from tests.format_files import pairs
from tests.images import MANIFEST, Store, archive, digest_of, header, member, pax, seal, tar

#: The most seconds of processor time that an input may take, which is 64 KiB at most.
MOST_SECONDS, MOST_BYTES = 5, 64 << 10
_SMALL = compression.Bounds(free=1 << 20, ratio=200, total=1 << 22)
_PARTS = Bounds(total=64 << 20, parts=100_000)
LAYER = tar(
    header(b"dir/", kind=b"5", mode=0o755),
    member(b"dir/file", b"content"),
    pax((b"path", b"dir/long"), (b"SCHILY.xattr.user.a", b"1")) + member(b"x", b"y"),
    member(b"L", b"n" * 120, b"L") + member(b"n", b"z"),
    pax((b"GNU.sparse.map", b"0,3"), (b"GNU.sparse.size", b"9")) + member(b"s", b"abc"),
    header(b"link", kind=b"2", link=b"dir/file"),
    header(b"hard", kind=b"1", link=b"dir/file"),
    pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9"))
    + member(b"t", b"1\n0\n3\n".ljust(512, b"\0") + b"abc"),
    member(b"dir/.wh.gone"),
    member(b"dir/.wh..wh..opq"),
)


def sealed(data: bytes) -> bytes:
    """The data with right sums in what could be headers, as nobody guesses those."""
    blocks = [data[at : at + 512] for at in range(0, len(data), 512)]
    return b"".join(seal(b) if len(b) == 512 and b[257:262] == b"ustar" else b for b in blocks)


def layer(data: bytes) -> None:
    """The tar reader: one layer, read as entries."""
    for _ in read_layer(io.BytesIO(sealed(data))):
        pass


def twins(data: bytes) -> None:
    """Two layers in step, which agree in a prefix; then their listings are joined."""
    cut = int.from_bytes(data[:2], "big") % (len(data) + 1)
    sides = sealed(data[2:]), sealed(data[2 : 2 + cut] + LAYER[cut:])
    with tempfile.TemporaryDirectory(dir=_MEMORY) as name:
        folder = Path(name)
        with Writer(folder / "l") as one, Writer(folder / "r") as other:
            read_twins(*map(io.BytesIO, sides), (one, other), Spool(folder / "s"))
            left, right = one.finish("", ""), other.finish("", "")
        try:
            find_changes(left, right)
        finally:
            left.close()
            right.close()


def plain(data: bytes) -> None:
    """The decompressors, within bounds."""
    stream = Plain(io.BytesIO(data), "blob", _SMALL)
    while stream.read(CHUNK):
        pass


class _Nothing:
    def open(self, descriptor: object) -> io.BytesIO:
        return io.BytesIO(b"{}")


def manifest(data: bytes) -> None:
    """Manifests and indexes."""
    read_root(_Nothing(), data)


def listing(data: bytes) -> None:
    """Files of the index."""
    with tempfile.NamedTemporaryFile(dir=_MEMORY) as file:
        file.write(data)
        file.flush()
        found = load(Path(file.name))
        if found is not None:
            found.close()


def saved(data: bytes) -> None:
    """Archives of images."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        path = Path(folder) / "image.tar"
        path.write_bytes(data)
        open_image(str(path), Path(folder))


def parts(name: str, data: bytes) -> None:
    """One reader of a file format: its parts have names of their own that can be shown."""
    budget, seen = Budget(_PARTS), set[str]()
    for part in FORMATS.load(name).parts(data, budget):
        budget.count(part)
        assert part.name not in seen and part.name.isprintable(), part.name
        seen.add(part.name)


class _Bytes(bytes):
    """Both sides of a file, where `diff` looks for them."""

    def read_bytes(self) -> bytes:
        return bytes(self)


def versions(data: bytes) -> None:
    """Two versions of a file, which differ in a few bytes: what is told, and why."""
    name = _NAMES[int.from_bytes(data[:1], "big") % len(_NAMES)]
    at, size = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:4], "big") % 32
    patch, left = data[4 : 4 + size], data[4 + size :]
    right = left[:at] + patch + left[at + size :]
    what = Difference(layer=0, path=name, aspect=Aspect.CONTENT, left="l", right="r")
    sizes = {"left_size": len(left), "right_size": len(right)}
    kept = Kept(left=_Bytes(left), right=_Bytes(right), **sizes)
    _look_into([what], SimpleNamespace(get=lambda _: kept))


def _look_into(differences: Sequence[Difference], contents: Any) -> None:
    """Look into files as `diff` does."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        some = with_details(differences, contents, Path(folder), 1, ("diffoscope",))
        attribute(some, contents, Scene())


def versions_of(name: str, left: bytes, right: bytes) -> bytes:
    """An input of `versions` that has `left`, and what of `right` first differs."""
    at = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), 0)
    number = _NAMES.index(name.rpartition("/")[2])
    return bytes((number, at >> 8 & 255, at & 255, 8)) + right[at : at + 8].ljust(8) + left


def images(data: bytes) -> None:
    """Two images, of any documents and layers, with right digests; then what differs in them."""
    flags, (manifest, *configs), layers = _pieces(data)
    cut = flags & 3
    with tempfile.TemporaryDirectory(dir=_MEMORY) as name:
        folder = Path(name)
        opened = []
        for side, some in enumerate((layers[:cut], layers[cut:])):
            make = _docker if flags & 4 else _oci
            (folder / f"{side}.tar").write_bytes(make(manifest, configs[side], some, flags & 8))
            (folder / str(side)).mkdir()
            opened.append(open_image(str(folder / f"{side}.tar"), folder / str(side)))
        reading = Reading.below(folder)
        found = compare(opened[0], opened[1], reading)
        _look_into(found.differences, Library(reading.spool))


_BETWEEN = b"\n--\n"


def _pieces(data: bytes) -> tuple[int, list[bytes], list[bytes]]:
    pieces = data[1:].split(_BETWEEN)[:10]
    pieces += [b""] * (3 - len(pieces))
    return int.from_bytes(data[:1], "big"), pieces[:3], [sealed(one) for one in pieces[3:]]


def _oci(manifest: bytes, config: bytes, layers: list[bytes], packed: int) -> bytes:
    store = Store()
    config = config.replace(b"@layers", _dumped([digest_of(layer) for layer in layers]))
    stored = [gzip.compress(layer, 1, mtime=0) if packed else layer for layer in layers]
    manifest = manifest.replace(b"@config", _dumped(store.add(config)))
    manifest = manifest.replace(b"@layers", _dumped([store.add(layer) for layer in stored]))
    return archive(store.layout(store.add(manifest, MANIFEST)))


def _docker(manifest: bytes, config: bytes, layers: list[bytes], _packed: int) -> bytes:
    names = [f"{number}.tar" for number in range(len(layers))]
    config = config.replace(b"@layers", _dumped([digest_of(layer) for layer in layers]))
    manifest = manifest.replace(b"@config", b'"config.json"').replace(b"@layers", _dumped(names))
    files = {"manifest.json": manifest, "config.json": config}
    return archive(files | dict(zip(names, layers, strict=True)))


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _pairs_of_images() -> tuple[bytes, ...]:
    config = b"""{"os": "linux", "architecture": "amd64", "config": {"Env": ["A=%d"]},
      "rootfs": {"type": "layers", "diff_ids": @layers}, "history": [{"created_by": "RUN %d"}]}"""
    oci = b'{"schemaVersion": 2, "mediaType": "%b", "config": @config, "layers": @layers}'
    docker = b'[{"Config": @config, "RepoTags": ["a:1"], "Layers": @layers}]'
    other = LAYER.replace(b"content", b"another").replace(b"dir/long", b"dir/file")
    both = config % (1, 1), config % (2, 2)
    return tuple(
        bytes((flags,)) + _BETWEEN.join((manifest, *both, *layers))
        for manifest, form in ((oci % MANIFEST.encode(), 0), (docker, 4))
        for flags, layers in ((form | 1, (LAYER, other)), (form | 10, (LAYER, LAYER, other)))
    )


def _layout() -> bytes:
    store = Store()
    return archive(store.layout(store.image(LAYER)))


_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
#: What the files are called that are compared; a name decides which readers are asked.
_NAMES = ("", ".rodata", *sorted({pair.name.rpartition("/")[2] for pair in pairs()}))


@cache
def _claimed(name: str) -> tuple[bytes, ...]:
    """Real files of a format, those that others hold included."""
    reader = FORMATS.load(name)
    some = [(pair.name, side) for pair in pairs() for side in (pair.left, pair.right)]
    inner = [part for _, side in some for part in _files_in(side)]
    some += [(part.name.removeprefix("member "), part.data) for part in inner]
    return tuple(dict.fromkeys(data for file, data in some if reader.claims(data[:HEAD], file)))


def _files_in(data: bytes) -> list[Part]:
    some = (one for one in FORMATS.all() if one.claims(data[:HEAD], ""))
    read = (part for one in some for part in one.parts(data, Budget(_PARTS)))
    return [part for part in read if part.kind is Kind.FILE and len(part.data) <= MOST_BYTES]


def _given(*seeds: bytes) -> Callable[[], tuple[bytes, ...]]:
    return lambda: seeds


@dataclass(frozen=True)
class Target:
    """What reads an input, and inputs to begin with."""

    read: Callable[[bytes], None]
    seeds: Callable[[], tuple[bytes, ...]]


TARGETS = {
    "layer": Target(layer, _given(LAYER)),
    "twins": Target(twins, _given(b"\0\0" + LAYER, b"\4\0" + LAYER)),
    "plain": Target(plain, _given(LAYER, gzip.compress(LAYER), gzip.compress(b"a") * 2)),
    "manifest": Target(manifest, _given(b"{}", b'{"schemaVersion": 2}')),
    "listing": Target(listing, _given(b"repaudi3" + bytes(40))),
    "saved": Target(saved, _given(_layout())),
    "images": Target(images, _pairs_of_images),
    "versions": Target(
        versions, lambda: tuple(versions_of(one.name, one.left, one.right) for one in pairs())
    ),
    **{
        f"{name} file": Target(partial(parts, name), partial(_claimed, name))
        for name in FORMATS.names()
    },
}


def once(target: str, data: bytes) -> None:
    """Give one input to a target; whatever it raises but a refusal goes through."""
    start = time.process_time()
    with suppress(RepauditError):
        TARGETS[target].read(data)
    taken = time.process_time() - start
    assert taken < MOST_SECONDS, f"{len(data)} bytes took {taken:.1f} s"


def main(target: str, seconds: int) -> None:
    import atheris

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    home = cache / "repaudit-fuzz" / target.replace(" ", "-")
    (home / "corpus").mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[target].seeds()):
        (home / "corpus" / f"seed-{number}").write_bytes(seed)
    bounds = [f"-timeout={2 * MOST_SECONDS}", "-rss_limit_mb=1024", f"-max_len={MOST_BYTES}"]
    options = [f"-max_total_time={seconds}", *bounds, f"-artifact_prefix={home}/"]
    FORENSICS.all()  # what is loaded later is not instrumented
    for one in [one for one in gc.get_objects() if isinstance(one, FunctionType)]:
        if (one.__module__ or "").startswith("repaudit."):
            atheris.instrument_func(one)
    atheris.Setup([sys.argv[0], *options, str(home / "corpus")], lambda data: once(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)
