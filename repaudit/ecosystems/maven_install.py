"""maven_install.json of rules_jvm_external, versions 1 to 3, with their own hash recomputed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._purl import digests, pin, purl
from repaudit.ecosystems._starlark import hashed
from repaudit.ecosystems._structured import Places, read_json, table, tables, text
from repaudit.ecosystems.interface import Document, Ecosystem
from repaudit.model.errors import MalformedError
from repaudit.model.pins import Location, Pin, PinFinding, Severity, Strength

_MARK = b"__RESOLVED_ARTIFACTS_HASH"
_SIGNED = ("artifacts", "dependencies", "repositories")
_MOST_NAMED = 5
#: What stands in the third place of a coordinate and is no classifier.
_PACKAGINGS = frozenset({"jar", "pom", "aar", "war", "zip", "exe", "tar.gz", "json", "klib"})


class _MavenInstall:
    name = "maven_install"
    summary = "maven_install.json of rules_jvm_external: hashes, and the lock's own hash"

    def claims(self, path: str, head: bytes) -> bool:
        name = path.rpartition("/")[2]
        return name.endswith("maven_install.json") or (name.endswith(".json") and _MARK in head)

    def audit(self, document: Document) -> Iterator[Pin | PinFinding]:
        lock = read_json(document)
        places = Places(document)
        tree = table(lock.get("dependency_tree"))
        if tree:
            yield from _signature(document, tree, _sign_1)
            for one in tables(tree.get("dependencies")):
                yield from _file(places, one)
            return
        version = lock.get("version")
        if version not in ("2", "3"):
            raise MalformedError(f"a maven_install.json of version {version!r}, not 1, 2 or 3")
        yield from _signature(document, lock, _sign_2 if version == "2" else _sign_3)
        skipped = lock.get("skipped")
        left_out = frozenset(map(str, skipped)) if isinstance(skipped, list) else frozenset[str]()
        homes = _homes(lock)
        for key, artifact in table(lock.get("artifacts")).items():
            yield from _artifact(places, key, table(artifact), left_out, homes)


def _homes(lock: dict[str, Any]) -> dict[str, str]:
    """Return the repository that each file came from, the first one that has it."""
    homes: dict[str, str] = {}
    for repository, keys in table(lock.get("repositories")).items():
        for key in keys if isinstance(keys, list) else ():
            homes.setdefault(str(key), repository.rstrip("/"))
    return homes


def _artifact(
    places: Places,
    key: str,
    artifact: dict[str, Any],
    skipped: frozenset[str],
    homes: dict[str, str],
) -> Iterator[Pin | PinFinding]:
    version = text(artifact.get("version"))
    where = places.key(key)
    group, _, rest = key.partition(":")
    name, *packaging = rest.split(":")
    for kind, value in table(artifact.get("shasums")).items():
        more = [] if kind == "jar" else [kind]
        full = ":".join([key, *([] if packaging or not more else ["jar"]), *more])
        coordinate = ":".join([group, name, *packaging, *more, version])
        absent = value is None and not skipped.isdisjoint((full, key))
        home = homes.get(full) or homes.get(key, "")
        yield from _entry(where, coordinate, value, absent=absent, home=home)


def _file(places: Places, one: dict[str, Any]) -> Iterator[Pin | PinFinding]:
    coordinate, url, file = (text(one.get(name)) for name in ("coord", "url", "file"))
    if coordinate:
        path = file.partition("/")[2]
        group = coordinate.partition(":")[0].replace(".", "/")
        # `v1/https/host/path` is where it was kept; the repository ends where the group begins.
        home = url[: url.rfind(f"/{group}/")] if path and f"/{group}/" in url else ""
        where, absent = places.key(coordinate), one.get("file") is None
        yield from _entry(where, coordinate, one.get("sha256"), absent=absent, home=home)


def _entry(
    where: Location, coordinate: str, value: object, *, absent: bool, home: str
) -> Iterator[Pin | PinFinding]:
    """Yield the pin of one file; `absent` ones are known to have none."""
    parts = coordinate.split(":")
    hashes = digests(f"sha256:{value}")
    group, name, version = parts[0], parts[1] if len(parts) > 1 else "", parts[-1]
    extra = parts[2:-1]
    packaging = extra.pop(0) if len(extra) > 1 or (extra and extra[0] in _PACKAGINGS) else "jar"
    package = purl(
        "maven",
        name,
        version,
        namespace=group,
        classifier="-".join(extra),
        type=None if packaging == "jar" else packaging,
        repository_url=home,
    )
    yield pin("maven", where, package, Strength.HASHED if hashes else Strength.VERSIONED, hashes)
    if version.endswith("-SNAPSHOT"):
        yield finding("JV001", where, f"{coordinate} is a SNAPSHOT")
    if not hashes and not absent:
        yield finding("JV004", where, f"{coordinate} has no sha256")


def _signature(document: Document, lock: dict[str, Any], sign: Any) -> Iterator[PinFinding]:  # noqa: ANN401
    """Yield what is wrong with the hash that a lock has of itself."""
    kept = lock.get(_MARK.decode())
    where = Places(document).of(_MARK.decode())
    if kept is None:
        yield finding("JV005", where, "the lock has no hash of its own", severity=Severity.WARNING)
        return
    try:
        computed = list(sign(lock))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise MalformedError(f"its own hash cannot be computed: {error!r}"[:300]) from error
    if kept == computed[0]:
        return
    if kept in computed[1:]:
        message = "the lock is signed in the order of an older rules_jvm_external"
        yield finding("JV005", where, message, severity=Severity.NOTE)
        return
    yield finding("JV005", where, _difference(kept, computed[0]))


def _difference(kept: object, computed: object) -> str:
    if not (isinstance(kept, dict) and isinstance(computed, dict)):
        return f"the lock says {str(kept)[:40]} of itself, and is {computed}"
    names = sorted(
        key for key in kept.keys() | computed.keys() if kept.get(key) != computed.get(key)
    )
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"not as they were locked: {', '.join(map(str, names[:_MOST_NAMED]))}{more}"


def _sign_1(tree: dict[str, Any]) -> Iterator[int]:
    signed = []
    for one in tree["dependencies"]:
        parts = [one["coord"]]
        if one["file"] is not None:
            parts += [one["sha256"], one["file"].replace("\\", "/")]
            parts += [one["url"]] if one["url"] else []
        parts += [",".join(sorted(one["dependencies"]))] if one["dependencies"] else []
        signed.append(":".join(parts))
    yield hashed(sorted(signed))


def _sign_2(lock: dict[str, Any]) -> Iterator[int]:
    yield hashed({key: _sorted(lock[key], 0) for key in _SIGNED})


def _sorted(value: Any, depth: int) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, dict):
        return {key: _sorted(value[key], depth + 1) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item, depth + 1) for item in value]
    return value


def _sign_3(lock: dict[str, Any]) -> Iterator[dict[str, int]]:
    repositories = lock["repositories"]
    yield _chained(_files(lock, sorted(repositories)))
    yield _chained(_files(lock, repositories))


def _files(lock: dict[str, Any], repositories: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what version 3 signs of each file, keys in the order in which they are signed."""
    files: dict[str, dict[str, Any]] = {}
    for key, artifact in lock["artifacts"].items():
        standard = {name: value for name, value in artifact.items() if name != "shasums"}
        jar = ":jar" if key.count(":") == 1 else ""
        for kind, value in artifact["shasums"].items():
            name = key if kind == "jar" else f"{key}{jar}:{kind}"
            files[name] = {"standard": standard, "sha": value}
    for repository in repositories:
        for name in lock["repositories"][repository]:
            files[name]["repository"] = repository
    for name, wanted in lock["dependencies"].items():
        files[name]["dependencies"] = sorted(wanted)
    return files


def _chained(files: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return each file's hash, which holds the hashes of what it depends on.

    In a circle the file that is met first counts with what it is without them.
    """
    plain = {name: hashed(value) for name, value in files.items()}
    done: dict[str, int] = {}
    waiting = dict.fromkeys(files)
    looked: dict[str, int] = {}
    for first in files:
        if first not in waiting:
            continue
        del waiting[first]
        stack = [first]
        while stack:
            name = stack[-1]
            wanted = files[name].get("dependencies", [])
            at = looked.get(name, 0)
            while at < len(wanted) and wanted[at] not in waiting:
                at += 1
            looked[name] = at
            if at < len(wanted):
                del waiting[wanted[at]]
                stack.append(wanted[at])
                continue
            stack.pop()
            known = {one: done.get(one, plain.get(one, 0)) for one in wanted}
            done[name] = hashed(files[name] | {"dependency_hashes": known})
    return done


ECOSYSTEM: Ecosystem = _MavenInstall()
