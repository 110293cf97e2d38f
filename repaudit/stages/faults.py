"""The faults that the selftest plants, each in an image that is sound but for it."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from repaudit.model.difference import Aspect
from repaudit.oci.header import BLOCK
from repaudit.oci.image import OCI_MANIFEST
from repaudit.sources import Opened
from repaudit.stages.sample import END, SAMPLE, Images, Member, archive, sparse

#: Grows and shrinks with the tables below: a fault that is no longer planted is noticed.
PLANTED = 79
_Members = tuple[Member, ...]
#: Changes a layer, given the path of the member that is meant.
_Change = Callable[[str, _Members], _Members]
_Root = Mapping[str, Any]


class Plan(Struct, frozen=True, kw_only=True):
    """Two images, and the difference that must be found between them; None for no difference."""

    kind: str
    name: str
    path: str
    aspect: Aspect | None
    left: Opened
    right: Opened


def plans() -> Iterator[Plan]:
    """Yield all that is planted."""
    images = Images()
    sound = images.image(archive(SAMPLE))

    def plan(
        kind: str, name: str, path: str, aspect: Aspect | None, root: _Root, left: _Root = sound
    ) -> Plan:
        sides = images.opened(left), images.opened(root)
        return Plan(kind=kind, name=name, path=path, aspect=aspect, left=sides[0], right=sides[1])

    for kind, name, path, change in _ENTRIES:
        layer = archive(change(path, SAMPLE))
        place, aspect = _TOLD.get((kind, name), (path.rstrip("/"), _aspect(kind)))
        yield plan(kind, name, place, aspect, images.image(layer))
    for kind, name, path, root in _images(images):
        yield plan(kind, name, path, _aspect(kind), root)
    for kind, name, path, left, root in _beside(images):
        yield plan(kind, name, path, _aspect(kind), root, left)


def _aspect(kind: str) -> Aspect | None:
    return None if kind == "nothing" else _ASPECTS.get(kind) or Aspect(kind)


def _set(**fields: Any) -> _Change:  # noqa: ANN401 - as Member takes them
    """Change fields of the first member with the path."""

    def change(path: str, members: _Members) -> _Members:
        at = next(n for n, member in enumerate(members) if member.path == path)
        return (*members[:at], replace(members[at], **fields), *members[at + 1 :])

    return change


def _put(member: Member) -> _Change:
    """Put another member in the place of the last one with the path."""

    def change(path: str, members: _Members) -> _Members:
        at = max(n for n, known in enumerate(members) if known.path == path)
        return (*members[:at], member, *members[at + 1 :])

    return change


def _remove(path: str, members: _Members) -> _Members:
    return tuple(member for member in members if member.path != path)


def _add(path: str, members: _Members) -> _Members:
    return (*members, Member(path=path))


def _move(path: str, members: _Members) -> _Members:
    """Put the first member with the path at the end."""
    one = next(member for member in members if member.path == path)
    return (*(member for member in members if member is not one), one)


def _flip(at: int) -> _Change:
    """Change one byte of a content, and not its length."""

    def change(path: str, members: _Members) -> _Members:
        data = bytearray(next(member.data for member in members if member.path == path))
        data[at] ^= 1
        return _set(data=bytes(data))(path, members)

    return change


def _attribute(name: str, value: str) -> _Change:
    return _set(pax={f"SCHILY.xattr.{name}": value})


_LONG = "dir/" + "long" * 40
_HOLE = "dir/sparse"
_TALL = sparse(_HOLE, [(0, b"head"), (8192, b"tall")], 16384)
_MOVED = sparse(_HOLE, [(0, b"head"), (4096, b"tail")], 16384)
_GROWN = sparse(_HOLE, [(0, b"head"), (8192, b"tail")], 32768)
_SYMLINK, _FILE, _BLOCK = tarfile.SYMTYPE, tarfile.REGTYPE, tarfile.BLKTYPE
#: As what a class must be told, where it is not an aspect itself.
_ASPECTS = {
    "device": Aspect.KIND,
    "sparse": Aspect.CONTENT,
    "duplicate": Aspect.CONTENT,
    "whiteout": Aspect.PRESENCE,
    "encoding": Aspect.COMPRESSION,
}
#: Where and as what a fault must be told that does not follow its path and class.
_TOLD = {
    ("duplicate", "the second of two"): ("dir/twice (entry 2)", Aspect.CONTENT),
    ("duplicate", "a third"): ("dir/twice (entry 3)", Aspect.PRESENCE),
    ("whiteout", "its time"): ("dir/.wh.gone", Aspect.MTIME),
    ("order", "a member stands elsewhere"): ("", Aspect.ORDER),
    ("encoding", "a record that means nothing"): ("", Aspect.COMPRESSION),
}
#: Class, fault, the member's path, and what is done to it.
_ENTRIES: tuple[tuple[str, str, str, _Change], ...] = (
    ("presence", "a file is missing", "dir/file", _remove),
    ("presence", "a file is added", "new", _add),
    ("presence", "a directory is missing", "dir/", _remove),
    ("presence", "a symlink is missing", "dir/link", _remove),
    ("presence", "a hard link is missing", "dir/hard", _remove),
    ("presence", "a device is missing", "dev/char", _remove),
    ("presence", "the last member is missing", "last", _remove),
    ("content", "the first byte", "dir/file", _flip(0)),
    ("content", "the last byte", "dir/file", _flip(-1)),
    ("content", "a byte of a large file", "dir/large", _flip(-9)),
    ("content", "of the last member", "last", _flip(0)),
    ("content", "a byte more", "dir/file", _set(data=b"some content\n\n")),
    ("content", "of an empty file", "dir/empty", _set(data=b"\0")),
    ("content", "under a long name", _LONG, _set(data=b"another")),
    ("content", "of a file with attributes", "dir/attributes", _flip(0)),
    ("kind", "a file becomes a symlink", "dir/empty", _set(type=_SYMLINK, link="file")),
    ("kind", "a hard link becomes a symlink", "dir/hard", _set(type=_SYMLINK)),
    ("kind", "a fifo becomes a file", "dev/fifo", _set(type=_FILE)),
    ("kind", "a device becomes another kind", "dev/char", _set(type=_BLOCK)),
    ("device", "major number", "dev/char", _set(device=(2, 3))),
    ("device", "minor number", "dev/block", _set(device=(7, 1))),
    ("mode", "of a file", "dir/file", _set(mode=0o600)),
    ("mode", "set-user-ID", "dir/file", _set(mode=0o4644)),
    ("mode", "of a directory", "dir/", _set(mode=0o1777)),
    ("mode", "of a fifo", "dev/fifo", _set(mode=0o600)),
    ("mode", "of a device", "dev/char", _set(mode=0o666)),
    ("owner", "user id", "dir/file", _set(uid=1)),
    ("owner", "group id", "dir/file", _set(gid=1)),
    ("owner", "user name", "dir/file", _set(uname="nobody")),
    ("owner", "group name", "dir/file", _set(gname="staff")),
    ("owner", "of a symlink", "dir/link", _set(uid=1)),
    ("mtime", "a second", "dir/file", _set(mtime=1_700_000_001)),
    ("mtime", "a nanosecond", "dir/file", _set(pax={"mtime": "1700000000.000000001"})),
    ("mtime", "of a directory", "dir/", _set(mtime=1)),
    ("mtime", "of a symlink", "dir/link", _set(mtime=1)),
    ("link", "target of a symlink", "dir/link", _set(link="empty")),
    ("link", "target of a hard link", "dir/hard", _set(link="dir/empty")),
    ("xattr", "a value", "dir/attributes", _attribute("user.a", "2")),
    ("xattr", "a name", "dir/attributes", _attribute("user.b", "1")),
    ("xattr", "gone", "dir/attributes", _set(pax={})),
    ("xattr", "capabilities", "dir/file", _attribute("security.capability", "\1")),
    ("sparse", "data", _HOLE, _put(_TALL)),
    ("sparse", "where the data lies", _HOLE, _put(_MOVED)),
    ("sparse", "size", _HOLE, _put(_GROWN)),
    ("duplicate", "the first of two", "dir/twice", _set(data=b"another first")),
    ("duplicate", "the second of two", "dir/twice", _put(Member(path="dir/twice", data=b"3"))),
    ("duplicate", "a third", "dir/twice", _add),
    ("whiteout", "missing", "dir/.wh.gone", _remove),
    ("whiteout", "opaque, missing", "opaque/.wh..wh..opq", _remove),
    ("whiteout", "its time", "dir/.wh.gone", _set(mtime=1)),
    ("order", "a member stands elsewhere", "dir/file", _move),
    ("encoding", "a record that means nothing", "dir/file", _set(pax={"comment": "x"})),
)


def _images(images: Images) -> Iterator[tuple[str, str, str, _Root]]:
    """Yield what is planted outside of a layer's entries, and two images that are the same."""
    layer = archive(SAMPLE)
    upper, whiteout = (archive((Member(path=path),)) for path in ("upper", ".wh.upper"))
    env = {"config": {"Env": ["A=1"]}}
    unknown = {"x-unknown": "1"}
    history = {"history": [{"created_by": "RUN"}]}
    notes = {"annotations": {"when": "now"}}
    yield "encoding", "padding at the end", "", images.image(layer + END)
    yield "encoding", "white space of the manifest", "", images.image(layer, indent=1)
    yield "compression", "another level", "", images.image(layer, level=9)
    yield "compression", "none", "", images.image(layer, level=0)
    yield "presence", "a layer more", "", images.image(layer, upper)
    gone = "upper (hidden by a later entry)"
    yield "presence", "what a later layer hides", gone, images.image(layer, upper, whiteout)
    yield "config", "a variable", "/config/config", images.image(layer, config=env)
    yield "config", "a field", "/config/x-unknown", images.image(layer, config=unknown)
    yield "history", "a step", "/history/0", images.image(layer, config=history)
    place = "/manifest/annotations"
    yield "annotation", "of the manifest", place, images.image(layer, manifest=notes)
    place = "/manifest/layers/0/annotations"
    yield "annotation", "of a layer", place, images.image(layer, layer=notes)
    yield "nothing", "the same image", "", images.image(layer)


def _beside(images: Images) -> Iterator[tuple[str, str, str, _Root, _Root]]:
    """Yield what stands beside another difference, which must not hide it."""
    one, other = (images.image(archive(SAMPLE), config={"author": who}) for who in "ab")
    known = {"os": "linux", "architecture": "amd64"}
    first, arm = {"platform": known}, {"platform": known | {"architecture": "arm64"}}
    attested = [
        images.add(text, OCI_MANIFEST, platform={"os": "unknown", "architecture": "unknown"})
        for text in (b"a", b"b")
    ]

    def indexes(left: Sequence[_Root], right: Sequence[_Root]) -> tuple[_Root, _Root]:
        return images.index(*left), images.index(*right)

    place = "/index/manifests/0"
    turned = indexes([{**one, **first}], [{**other, **arm}])
    yield "annotation", "a platform in an index", f"{place}/platform/architecture", *turned
    noted = indexes([one], [{**other, "annotations": {"when": "now"}}])
    yield "annotation", "of an image in an index", f"{place}/annotations", *noted
    signed = indexes([one, attested[0]], [other, attested[1]])
    yield "annotation", "an attestation", "/index/manifests/1/digest", *signed
    more = indexes([one], [other, attested[0]])
    yield "presence", "an attestation more", "/index/manifests/1", *more
    order = indexes([one, attested[0]], [attested[0], other])
    yield "order", "of an index", "/index/manifests", *order
    yield from _written(images)
    typed = images.image(archive(SAMPLE), layer={"mediaType": "application/x-unknown"})
    yield "annotation", "the type of a layer", "/manifest/layers/0/mediaType", one, typed


def _written(images: Images) -> Iterator[tuple[str, str, str, _Root, _Root]]:
    """Yield other ways to write a layer, beside a file that differs."""
    other = _flip(0)("last", SAMPLE)
    left = images.image(archive(other))
    sound = archive(SAMPLE)
    file = sound.index(b"dir/file")

    def put(at: int, data: bytes) -> _Root:
        layer = sound[:at] + data + sound[at + len(data) :]
        block = layer[file : file + BLOCK]
        total = sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
        sealed = block[:148] + b"%06o\0 " % total + block[156:]
        return images.image(layer[:file] + sealed + layer[file + BLOCK :])

    comment = _set(pax={"comment": "x"})("dir/file", SAMPLE)
    for name, root in (
        ("the magic, beside a file", put(file + 257, b"ustar  \0")),
        ("the form of a number, beside a file", put(file + 136, b" ")),
        ("padding, beside a file", put(file + 2 * BLOCK - 1, b"x")),
        ("a record that means nothing, beside a file", images.image(archive(comment))),
        ("zeros at the end, beside a file", images.image(sound + END)),
        ("the time of gzip, beside a file", images.image(sound, mtime=1)),
    ):
        yield "encoding", name, "", left, root
    # What some reader may take for more than another way to write the same.
    unknown = _set(pax={"x.unknown": "x"})("dir/file", SAMPLE)
    yield "annotation", "spare bytes, beside a file", "", left, put(file + 500, b"x")
    root = images.image(archive(unknown))
    yield "annotation", "a record that nobody knows, beside a file", "", left, root
    read = [_set(pax={"atime": when})("dir/file", SAMPLE) for when in ("1", "2")]
    left, root = images.image(archive(read[0])), images.image(archive(_flip(0)("last", read[1])))
    yield "mtime", "a time of reading, beside a file", "", left, root
