"""pom.xml of Maven: versions that move, and those that Maven chooses (maven.apache.org/pom)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._locks import lock_above
from repaudit.ecosystems._purl import pin, purl
from repaudit.ecosystems._structured import Element, read_xml
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding, Strength

_PROPERTY = re.compile(r"\$\{([^${}]*)\}")
_MOST_STEPS = 20
#: Of a property: longer ones could be made to grow without end.
_LONGEST = 256
_PLUGINS = "org.apache.maven.plugins"
_Key = tuple[str, str]


class _Pom:
    name = "pom"
    summary = "pom.xml: ranges, LATEST, SNAPSHOT, plugins without version, missing lock"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == "pom.xml" or path.endswith(".pom")

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        root = read_xml(document)
        if root.name != "project":
            raise MalformedError(f"no pom: its root is <{root.name[:40]}>", line=root.line)
        yield from _Project(document, root).audit()


class _Project:
    def __init__(self, document: Document, root: Element) -> None:
        self._document = document
        self._root = root
        self._properties = {
            one.name: one.text.strip()
            for holder in root.all("properties")
            for one in holder.children
        }
        parent = root.child("parent")
        for name in ("groupId", "artifactId", "version"):
            value = root.value(name) or (parent.value(name) if parent else None)
            if value:
                self._properties |= {f"project.{name}": value, f"pom.{name}": value}
                self._properties.setdefault(name, value)
        if parent and parent.value("version"):
            self._properties["project.parent.version"] = parent.value("version") or ""
        # What a parent manages without saying so here cannot be seen.
        self._parent = parent is not None
        imports = root.all("dependencyManagement", "dependencies", "dependency", "scope")
        self._imports = any(scope.text.strip() == "import" for scope in imports)
        self._managed = self._management()

    def _management(self) -> set[tuple[str, str, str]]:
        found: set[tuple[str, str, str]] = set()
        for kind, path in (
            ("dependency", ("dependencyManagement", "dependencies", "dependency")),
            ("plugin", ("build", "pluginManagement", "plugins", "plugin")),
        ):
            for base in self._bases():
                for one in base.all(*path):
                    if one.value("version"):
                        found.add((kind, *self._key(one, kind)))
        return found

    def _bases(self) -> list[Element]:
        return [self._root, *self._root.all("profiles", "profile")]

    def _key(self, one: Element, kind: str) -> _Key:
        group = one.value("groupId") or (_PLUGINS if kind == "plugin" else "")
        return self._resolve(group), self._resolve(one.value("artifactId") or "")

    def _resolve(self, text: str) -> str:
        """Return `text` with the properties of this file replaced; the rest stays as it is."""
        values: Mapping[str, str] = self._properties
        for _ in range(_MOST_STEPS):
            replaced = _PROPERTY.sub(lambda match: values.get(match[1], match[0]), text[:4096])
            if replaced == text:
                break
            text = replaced
        return text

    def audit(self) -> Iterator[Pin | PinFinding]:
        """Yield the pins of the whole file, and what they lack."""
        parent = self._root.child("parent")
        if parent is not None:
            yield from self._one(parent, "parent")
        for base in self._bases():
            for path in (
                ("dependencies", "dependency"),
                ("dependencyManagement", "dependencies", "dependency"),
            ):
                for one in base.all(*path):
                    yield from self._one(one, "dependency", managed="Management" in path[0])
            for path in (("build", "plugins", "plugin"), ("reporting", "plugins", "plugin")):
                for one in base.all(*path):
                    yield from self._one(one, "plugin")
                    for inner in one.all("dependencies", "dependency"):
                        yield from self._one(inner, "dependency")
            for one in base.all("build", "pluginManagement", "plugins", "plugin"):
                yield from self._one(one, "plugin", managed=True)
            for one in base.all("build", "extensions", "extension"):
                yield from self._one(one, "extension")
        yield from self._lock()

    def _one(self, one: Element, kind: str, *, managed: bool = False) -> Iterator[Pin | PinFinding]:
        group, name = self._key(one, kind)
        if one.value("scope") == "system":
            return
        written = one.child("version")
        where = self._document.on(written.line if written else one.line)
        shown = f"{kind} {group}:{name}"[:300]
        if written is None or not written.text.strip():
            yield from self._without(one, kind, (group, name), managed=managed)
            return
        version = self._resolve(written.text.strip())
        strength, wrong = _judge(version)
        fixed = strength is Strength.VERSIONED
        package = purl("maven", name, version.strip("[]") if fixed else None, namespace=group)
        yield pin("maven", where, package, strength)
        if wrong:
            yield finding("JV001", where, f"{shown} {version[:100]} {wrong}")
        elif "${" in version and not self._parent:
            yield finding("JV001", where, f"{shown} {version[:100]} hangs on what the caller gives")

    def _without(
        self, one: Element, kind: str, key: _Key, *, managed: bool
    ) -> Iterator[PinFinding]:
        known = (kind, *key) in self._managed or managed
        if known or self._parent or (kind == "dependency" and self._imports):
            return  # it is said elsewhere, in this file or in the parent
        where = self._document.on(one.line)
        yield finding("JV002", where, f"{kind} {key[0]}:{key[1]}"[:300] + " has no version")

    def _lock(self) -> Iterator[PinFinding]:
        """Ask for a lock beside the pom, or above it: a pom fixes no file's bytes."""
        depends = any(list(self._root.all(*path)) for path in (("dependencies",), ("build",)))
        names = ("lockfile.json", "maven_install.json", ".mvn/checksums/checksums.sha256")
        if depends and not lock_above(self._document, names):
            where = self._document.on(self._root.line)
            yield finding("JV003", where, "no lock beside this pom.xml, nor above it")


def _judge(version: str) -> tuple[Strength, str | None]:
    """Return how firmly a version holds, and what is wrong with it."""
    if version in ("LATEST", "RELEASE"):
        return Strength.FLOATING, "is looked up anew"
    if version.endswith("-SNAPSHOT"):
        return Strength.FLOATING, "is built anew under the same name"
    if re.fullmatch(r"\[[^,\[\]()]+\]", version):
        return Strength.VERSIONED, None
    if version.startswith(("[", "(")):
        return Strength.RANGED, "is a range"
    return (Strength.FLOATING if "${" in version else Strength.VERSIONED), None


ECOSYSTEM: Ecosystem = _Pom()
