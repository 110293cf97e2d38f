"""gradle/verification-metadata.xml (docs.gradle.org, "Verifying dependencies")."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import digests, pin, purl, strong
from repaudit.ecosystems._structured import Element, read_xml
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Pin, PinFinding, Strength

_ALGORITHMS = frozenset({"md5", "sha1", "sha256", "sha512"})


class _GradleVerification:
    name = "gradle_verification"
    summary = "verification-metadata.xml of Gradle: checksums, and what it trusts without one"

    def claims(self, path: str, head: bytes) -> bool:
        return path.rpartition("/")[2] == "verification-metadata.xml"

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        root = read_xml(document)
        if root.name != "verification-metadata":
            raise MalformedError(f"its root is <{root.name[:40]}>", line=root.line)
        signed = False
        for settings in root.all("configuration"):
            signed |= settings.value("verify-signatures") == "true"
            yield from _settings(document, settings)
        for component in root.all("components", "component"):
            for artifact in component.all("artifact"):
                yield from _artifact(document, component, artifact, signed=signed)


def _settings(document: Document, settings: Element) -> Iterator[PinFinding]:
    metadata = settings.child("verify-metadata")
    if metadata is not None and metadata.text.strip() == "false":
        message = "verify-metadata is false: poms are not verified"
        yield finding("JV004", document.on(metadata.line), message, fix="set it to true")
    for trust in settings.all("trusted-artifacts", "trust"):
        given = trust.attributes
        wide = given.get("regex") == "true" or not given.get("version")
        sources = any(word in given.get("file", "") for word in ("sources", "javadoc"))
        if wide and not sources:
            shown = " ".join(f"{name}={value}" for name, value in sorted(given.items()))
            message = f"trusted without a checksum: {shown[:200]}"
            yield finding("JV004", document.on(trust.line), message, fix="name one version of it")


def _artifact(
    document: Document, component: Element, artifact: Element, *, signed: bool
) -> Iterator[Pin | PinFinding]:
    group, name, version = (component.attributes.get(k, "") for k in ("group", "name", "version"))
    where = document.on(artifact.line)
    kinds = [one for one in artifact.children if one.name in _ALGORITHMS]
    hashes = digests(*(f"{one.name}:{one.attributes.get('value', '')}" for one in kinds))
    firm = Strength.HASHED if strong(hashes) else Strength.VERSIONED
    package = purl("maven", name, version, namespace=group)
    yield pin("maven", where, package, firm, hashes)
    by_key = signed and artifact.child("pgp") is not None
    if not strong(hashes) and not by_key:
        shown = artifact.attributes.get("name", "")[:200]
        yield finding("JV004", where, f"{shown}: {'only a weak' if hashes else 'no'} checksum")


ECOSYSTEM: Ecosystem = _GradleVerification()
