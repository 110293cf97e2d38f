"""`python -m tests.fuzz TARGET [SECONDS]`: atheris (libFuzzer) on a reader, with its corpus.

A reader may raise a RepauditError and nothing else, and must come to an end. What is found lies in
the folder `crashes` of the user's cache, and belongs into tests/test_fuzz.py once it is mended.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from repaudit.model.errors import RepauditError
from repaudit.oci.changes import find_changes
from repaudit.oci.compression import Bounds, Plain
from repaudit.oci.cursor import CHUNK
from repaudit.oci.image import read_root
from repaudit.oci.layer import read_layer
from repaudit.oci.listing import Writer, load
from repaudit.oci.spool import Spool
from repaudit.oci.twin import read_twins
from repaudit.sources import open_image
from tests.images import Store, archive, header, member, pax, seal, tar

_SMALL = Bounds(free=1 << 20, ratio=200, total=1 << 22)
LAYER = tar(
    header(b"dir/", kind=b"5", mode=0o755),
    member(b"dir/file", b"content"),
    pax((b"path", b"dir/long"), (b"SCHILY.xattr.user.a", b"1")) + member(b"x", b"y"),
    member(b"L", b"n" * 120, b"L") + member(b"n", b"z"),
    pax((b"GNU.sparse.map", b"0,3"), (b"GNU.sparse.size", b"9")) + member(b"s", b"abc"),
    header(b"link", kind=b"2", link=b"dir/file"),
    header(b"hard", kind=b"1", link=b"dir/file"),
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


def _layout() -> bytes:
    store = Store()
    return archive(store.layout(store.image(LAYER)))


_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
#: What each target is, and inputs to begin with.
TARGETS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "layer": (layer, (LAYER,)),
    "twins": (twins, (b"\0\0" + LAYER, b"\4\0" + LAYER)),
    "plain": (plain, (LAYER, gzip.compress(LAYER), gzip.compress(b"a") * 2)),
    "manifest": (manifest, (next(iter(Store().blobs), b"{}"), b'{"schemaVersion": 2}')),
    "listing": (listing, (b"repaudi2" + bytes(40),)),
    "saved": (saved, (_layout(),)),
}


def once(target: str, data: bytes) -> None:
    """Give one input to a target; whatever it raises but a refusal goes through."""
    try:
        TARGETS[target][0](data)
    except RepauditError:
        return


def main(target: str, seconds: int) -> None:
    import atheris

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    home = cache / "repaudit-fuzz" / target
    (home / "corpus").mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[target][1]):
        (home / "corpus" / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=1024", "-max_len=16384"]
    words = [sys.argv[0], *options, f"-artifact_prefix={home}/crash-", str(home / "corpus")]
    atheris.instrument_all()
    atheris.Setup(words, lambda data: once(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)
