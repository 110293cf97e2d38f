"""WORKSPACE, MODULE.bazel and the .bzl files that they load: what Bazel downloads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._images import audit_image
from repaudit.ecosystems._purl import COMMIT, digests, integrity, pin, purl, strong
from repaudit.ecosystems._starlark_calls import Call, Starlark
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.pins import Pin, PinFinding, Strength

_Found = Iterator[Pin | PinFinding]
_WORKSPACES = frozenset({"WORKSPACE", "WORKSPACE.bazel", "WORKSPACE.bzlmod", "MODULE.bazel"})
_SUFFIXES = (".bzl", ".MODULE.bazel")
_HTTP = frozenset({"http_archive", "http_file", "http_jar", "archive_override"})
_GIT = frozenset({"git_repository", "new_git_repository", "git_override"})
_COORDINATE = re.compile(r"([^\s:]+):([^\s:]+)(?::[^\s]*?)?:([^\s:@]+)(?:@\w+)?")
_MOVING = re.compile(r"[\[(].*[\])]|LATEST|RELEASE|.*-SNAPSHOT|.*\+")


class _Bazel:
    name = "bazel"
    summary = "WORKSPACE, MODULE.bazel, .bzl: archives, repositories, images, package locks"

    def claims(self, path: str, head: bytes) -> bool:
        name = path.rpartition("/")[2]
        return name in _WORKSPACES or name.endswith(_SUFFIXES)

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        source = Starlark(document)
        for call in source.calls():
            yield from _call(source, call)
        if document.name == "MODULE.bazel":
            lock = document.read(document.beside("MODULE.bazel.lock"))
            if lock is None and b"use_extension" in document.data:
                yield finding("BZL003", document.on(1), "no MODULE.bazel.lock beside it")


def _call(source: Starlark, call: Call) -> _Found:
    if call.name in _HTTP:
        yield from _http(source, call)
    elif call.name in _GIT:
        yield from _git(source, call)
    elif call.name in ("oci_pull", "container_pull") or call.function.endswith("oci.pull"):
        yield from _image(source, call)
    elif call.name == "maven_install" or call.function.endswith("maven.install"):
        yield from _maven(source, call)
    elif call.name in ("pip_parse", "pip_install") or call.function.endswith("pip.parse"):
        locks = ("requirements_lock", "requirements", "requirements_by_platform")
        yield from _locked(source, call, locks, "requirements_lock")
    elif call.function.endswith("apt.install"):
        yield from _locked(source, call, ("lock",), "lock")
    elif call.name == "bazel_dep":
        yield from _module(source, call)
    elif call.name == "go_repository":
        yield from _go(source, call)


def _http(source: Starlark, call: Call) -> _Found:
    plain = source.text(call, "sha256")
    subresource = source.text(call, "integrity")
    urls = [text for name in ("url", "urls") for text, _ in source.texts(call, name)]
    name = source.text(call, "name") or source.text(call, "module_name") or call.name
    hashes = digests(f"sha256:{plain}") + integrity(subresource)
    # A hash that hangs on something else is there, though it cannot be seen.
    unseen = "" in (plain, subresource) and not hashes and _hangs(source, call)
    firm = Strength.HASHED if strong(hashes) else Strength.VERSIONED
    package = purl("generic", name, download_url=urls[0] if urls else None)
    yield pin("http", call.location, package, firm, hashes)
    if unseen:
        yield finding("PAR001", call.location, f"{call.name} {name[:100]}: its hash is computed")
    elif not strong(hashes):
        shown = f" {urls[0][:200]}" if urls else ""
        yield finding("BZL001", call.location, f"{call.name} {name[:100]}{shown}")


def _hangs(source: Starlark, call: Call) -> bool:
    nodes = (call.arguments[name] for name in ("sha256", "integrity") if name in call.arguments)
    return any(source.value(node) is None for node in nodes)


def _git(source: Starlark, call: Call) -> _Found:
    remote = source.text(call, "remote") or ""
    commit = source.text(call, "commit")
    name = source.text(call, "name") or source.text(call, "module_name") or call.name
    fixed = bool(commit and COMMIT.fullmatch(commit))
    package = purl("generic", name, commit if fixed else None, vcs_url=f"git+{remote}")
    yield pin("git", call.location, package, Strength.LOCKED if fixed else Strength.FLOATING)
    if not fixed:
        asked = source.text(call, "tag") or source.text(call, "branch") or commit or "nothing"
        message = f"{call.name} {name[:100]} {remote[:200]}: {asked[:80]} is no commit of 40 digits"
        yield finding("BZL002", call.location, message)


def _image(source: Starlark, call: Call) -> _Found:
    image = source.text(call, "image") or source.text(call, "repository") or ""
    registry = source.text(call, "registry")
    digest, tag = source.text(call, "digest"), source.text(call, "tag")
    whole = f"{registry}/{image}" if registry else image
    whole += (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    for item in audit_image(whole, call.location, said=call.name):
        if isinstance(item, Pin):
            yield item
        else:
            yield finding("BZL004", call.location, item.message)


def _maven(source: Starlark, call: Call) -> _Found:
    locked = source.text(call, "maven_install_json") is not None
    locked |= source.text(call, "lock_file") is not None
    for text, where in source.texts(call, "artifacts"):
        match = _COORDINATE.fullmatch(text)
        group, name, version = match.groups() if match else ("", text, "")
        package = purl("maven", name, version, namespace=group)
        moving = bool(_MOVING.fullmatch(version))
        firm = Strength.RANGED if moving else Strength.VERSIONED if version else Strength.FLOATING
        yield pin("maven", where, package, firm)
        if moving and not locked:
            yield finding("JV001", where, f"{text[:200]} moves")
    if not locked:
        fix = "add maven_install_json (or lock_file), and run bazel run @maven//:pin"
        message = f"{call.function} without a lock: transitive artifacts are looked up anew"
        yield finding("BZL004", call.location, message, fix=fix)


def _locked(source: Starlark, call: Call, names: tuple[str, ...], wanted: str) -> _Found:
    if not any(name in call.arguments for name in names) and call.arguments:
        name = source.text(call, "name") or source.text(call, "hub_name") or ""
        message = f"{call.function} {name[:100]} without {wanted}"
        yield finding("BZL004", call.location, message, fix=f"add {wanted}")


def _module(source: Starlark, call: Call) -> _Found:
    name, version = source.text(call, "name") or "", source.text(call, "version")
    firm = Strength.VERSIONED if version else Strength.FLOATING
    yield pin("bazel-module", call.location, purl("bazel", name, version), firm)


def _go(source: Starlark, call: Call) -> _Found:
    name = source.text(call, "importpath") or source.text(call, "name") or ""
    fixed = bool(source.text(call, "sum") or source.text(call, "sha256"))
    commit = source.text(call, "commit")
    fixed |= bool(commit and COMMIT.fullmatch(commit))
    space, _, last = name.rpartition("/")
    package = purl("golang", last, source.text(call, "version"), namespace=space)
    yield pin("golang", call.location, package, Strength.HASHED if fixed else Strength.VERSIONED)
    if not fixed:
        message = f"go_repository {name[:200]} without sum or commit"
        yield finding("BZL001", call.location, message, fix="add sum")


ECOSYSTEM: Ecosystem = _Bazel()
