"""The index of blobs: what is known is not read again, what is not sound is not believed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from repaudit.host.store import Store
from repaudit.model.errors import MalformedError
from repaudit.model.image import ImageSet
from repaudit.oci.image import read_images
from repaudit.oci.shelf import Shelf
from repaudit.oci.spool import Spool
from repaudit.sources import Opened
from repaudit.stages.compare import compare
from repaudit.stages.contents import Library
from repaudit.stages.reading import Reading
from tests.fakes import SealedBlobs
from tests.images import Store as Blobs
from tests.images import digest_of, member, root_of, tar

ONE = tar(member(b"same", b"x" * 900), member(b"stamp", b"left"))
OTHER = tar(member(b"same", b"x" * 900), member(b"stamp", b"right!"))
THIRD = tar(member(b"same", b"y" * 900), member(b"stamp", b"left"))


class Audits:
    """Audits one after the other, with one store and scratch of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "index")
        self.blobs = Blobs()
        self._number = 0

    def image(self, layer: bytes) -> ImageSet:
        return read_images(self.blobs, root_of(self.blobs.image(layer, compress=True)))

    def compare(self, left: bytes, right: bytes, *, sealed: bool = False):
        """Compare, and return the differences and the bytes of what differs."""
        sides = [
            Opened(images=self.image(layer), blobs=SealedBlobs() if sealed else self.blobs)
            for layer in (left, right)
        ]
        self._number += 1
        reading = Reading.below(self.folder / str(self._number), self.store)
        found = compare(*sides, reading)
        contents = Library(reading.spool)
        kept = [contents.get((one.left, one.right)) for one in found.differences]
        return found.differences, [
            (side.data, side.size) for one in kept if one for side in one.load()
        ]

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "index").iterdir())


@pytest.fixture
def audits(tmp_path: Path) -> Audits:
    return Audits(tmp_path)


def test_what_was_compared_is_not_read_again(audits: Audits):
    first = audits.compare(ONE, OTHER)

    assert audits.compare(ONE, OTHER, sealed=True) == first
    assert first[0]


def test_layers_that_never_met_are_told_apart_by_their_listings(audits: Audits, tmp_path: Path):
    fresh = Audits(tmp_path / "fresh").compare(OTHER, THIRD)
    audits.compare(ONE, OTHER)
    audits.compare(ONE, THIRD)

    assert audits.compare(OTHER, THIRD) == fresh


def test_only_the_layer_that_is_not_known_is_read(audits: Audits, tmp_path: Path):
    fresh = Audits(tmp_path / "fresh").compare(ONE, THIRD)
    audits.compare(ONE, OTHER)

    assert audits.compare(ONE, THIRD) == fresh


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "swap"])
def test_a_file_that_is_not_as_it_was_is_thrown_away(audits: Audits, damage: str):
    first = audits.compare(ONE, OTHER)
    for path in audits.files:
        data = path.read_bytes()
        middle = len(data) // 2
        path.write_bytes(
            {
                "flip": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
                "cut": data[:-1],
                "empty": b"",
                "swap": audits.files[0].read_bytes(),
            }[damage]
        )

    assert audits.compare(ONE, OTHER) == first
    assert audits.compare(ONE, OTHER, sealed=True) == first


def test_a_listing_under_another_layers_name_is_not_taken(audits: Audits):
    first = audits.compare(ONE, THIRD)
    one, other = [path for path in audits.files if path.name.startswith("sha256-")]
    one.write_bytes(other.read_bytes())

    assert audits.compare(ONE, THIRD) == first


def test_a_blob_that_is_known_under_another_diff_id_is_read_and_refused(audits: Audits):
    audits.compare(ONE, OTHER)
    left, right = (audits.image(layer).images[0].layers[0] for layer in (ONE, THIRD))
    wrong = replace(left, diff_id=digest_of(b"another"))
    shelf = Shelf(audits.folder / "shelf", audits.store)

    with pytest.raises(MalformedError, match="diff_id"):
        shelf.read((audits.blobs, wrong), (audits.blobs, right), Spool(audits.folder / "spool"))


def test_nothing_of_a_layer_that_was_refused_is_kept(audits: Audits):
    for blob in audits.blobs.blobs:
        assert blob
    left, right = (audits.image(layer).images[0].layers[0] for layer in (ONE, OTHER))
    audits.blobs.blobs[left.descriptor.digest] += b"more"
    shelf = Shelf(audits.folder / "shelf", audits.store)

    with pytest.raises(MalformedError):
        shelf.read((audits.blobs, left), (audits.blobs, right), Spool(audits.folder / "spool"))
    assert shelf.find(left) is None
    assert shelf.find(right) is None


def test_without_a_place_to_write_the_audit_goes_on(audits: Audits, tmp_path: Path):
    (tmp_path / "file").write_text("")
    audits.store = Store(tmp_path / "file" / "index")

    assert audits.compare(ONE, OTHER)[0]


# The store itself.


def test_a_store_keeps_what_was_used_last_and_stays_in_its_bound(tmp_path: Path):
    store = Store(tmp_path / "store", most=250)
    source = tmp_path / "source"
    for number, name in enumerate("abcd"):
        source.write_bytes(bytes(100))
        store.put(source, name)
        for earlier, kept in enumerate("abcd"[: number + 1]):
            path = tmp_path / "store" / kept
            if path.exists():
                os.utime(path, (earlier + (kept == "a") * 10, earlier + (kept == "a") * 10))

    assert {path.name for path in (tmp_path / "store").iterdir()} == {"a", "d"}


def test_a_store_looks_over_its_files_seldom(tmp_path: Path):
    folder = tmp_path / "store"
    looked = 0

    def watch(event: str, details: tuple[object, ...]) -> None:
        nonlocal looked
        looked += event in {"os.listdir", "os.scandir"} and details[0] == str(folder)

    store = Store(folder, most=10_000)
    sys.addaudithook(watch)
    for number in range(2000):
        store.put(bytes(100), str(number))

    assert len(list(folder.iterdir())) <= 100
    assert 1 < looked < 2000 / 5


def test_a_draft_that_was_left_behind_goes_with_the_rest(tmp_path: Path):
    store = Store(tmp_path / "store", most=150)
    (tmp_path / "store").mkdir()
    left = tmp_path / "store" / "draft-abc"
    left.write_bytes(bytes(100))
    os.utime(left, (1, 1))
    (tmp_path / "source").write_bytes(bytes(100))
    store.put(tmp_path / "source", "a")

    assert not left.exists()


_PUT = """
import sys
from pathlib import Path
from repaudit.host.store import Store
store = Store(Path(sys.argv[1]))
while True:
    for name in "ab":
        store.put(Path(sys.argv[2]), name)
"""


def test_killed_at_any_moment_a_file_is_whole_or_not_there(tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(1 << 20))
    for number in range(6):
        process = subprocess.Popen([sys.executable, "-c", _PUT, tmp_path / "store", source])
        time.sleep(0.15 + 0.02 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()

        for path in (tmp_path / "store").glob("[ab]"):
            assert path.read_bytes() == source.read_bytes()


def test_two_audits_at_once_do_not_disturb_each_other(tmp_path: Path):
    audits = [Audits(tmp_path / str(number)) for number in range(2)]
    for audit in audits:
        audit.store = Store(tmp_path / "index", most=4000)

    def work(audit: Audits):
        return [audit.compare(*pair) for pair in ((ONE, OTHER), (ONE, THIRD)) * 10]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, audits)
    assert first == second
    assert all(differences for differences, _ in first)


def test_a_listing_that_is_evicted_while_it_is_read_stays_readable(audits: Audits):
    audits.compare(ONE, OTHER)
    shelf = Shelf(audits.folder / "shelf", audits.store)
    found = shelf.find(audits.image(ONE).images[0].layers[0])
    assert found is not None
    with closing(found):
        for path in audits.files:
            path.unlink()
        assert [found.entry(number).path for number in range(len(found))] == ["same", "stamp"]
