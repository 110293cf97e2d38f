"""`python -m tests.bench_diffoscope [PAIR…]`: diffoscope on the same two layers, and what it names.

Prints how much longer it takes, and which differences one of both names and the other does not:
`PATH: ASPECT` for members of the layer, `PATH > PART: ASPECT` for what is in a file of those. It is
stopped after 25 minutes; the large pair takes all of them, so it is compared where it is named.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from repaudit.formats import differing
from tests import pairs
from tests.bench_diff import REPAUDIT, Cost, cost, make_selftest

#: A line of diffoscope's `file list`: mode, owner, size, time, and the name with its target.
_LISTED = re.compile(
    r"[-+](\S{10}) +0 +(.*?) +(\d+|\d+, *\d+) (\d{4}-\S+ \S+) (?:\./)?(.*?)/?(?: -> (.*))?"
)
_COLUMNS = ("mode", "owner", "content", "mtime")
#: A line of `zipinfo`, which ends in a time and a name.
_ZIPPED = re.compile(r"[-+]\S+ .* \d\d-\w{3}-\d\d \d\d:\d\d (.+)")
_SECTION = re.compile(r"--hex-dump=(\S+)")
_NOTES = "Displaying notes found in: "
#: Seconds after which it is stopped: a hundred times and more of what we take for the large pair.
_PATIENCE = 1500


def named_by_diffoscope(answer: dict[str, Any]) -> set[str]:
    """Return what a JSON report of diffoscope names."""
    return {place for layer in answer["details"] for place in _members(layer, "")}


def _members(node: dict[str, Any], outer: str) -> Iterator[str]:
    """Yield what is named of the members of an archive, which are this node's details."""
    for child in node.get("details", ()):
        name = child["source1"]
        if name == "file list":
            yield from _listed(child["unified_diff"], outer)
        elif not outer:
            path = name.removeprefix("./")
            yield f"{path}: content"
            yield from _inside(child, f"{path} > ")


def _inside(node: dict[str, Any], outer: str) -> Iterator[str]:
    for child in node.get("details", ()):
        name, diff = child["source1"], child.get("unified_diff") or ""
        if name.startswith("zipinfo"):
            hits = map(_ZIPPED.fullmatch, diff.splitlines())
            yield from (f"{outer}{hit[1]}: mtime" for hit in hits if hit)
        elif found := _SECTION.search(name):
            yield f"{outer}{found[1]}: content"
        elif _NOTES in diff:
            yield from (f"{outer}{section}: content" for section in _notes(diff))
        elif name == "Python bytecode" and "-moddate" in diff:
            yield f"{outer.removesuffix(' > ')}: its mtime"
        elif name == "filetype from file(1)" and "last modified" in diff:
            yield f"{outer.removesuffix(' > ')}: its mtime"
        elif child.get("details"):
            yield from _members(child, outer)
        elif not name.startswith("strings"):  # of the whole file: a section says it better
            yield f"{outer}{name}: content" if "{}" in name else ""


def _notes(diff: str) -> Iterator[str]:
    section = ""
    for line in diff.splitlines()[1:]:
        if _NOTES in line:
            section = line.partition(_NOTES)[2].strip()
        elif line[0] in "-+":
            yield section


def _listed(diff: str, outer: str) -> Iterator[str]:
    sides: dict[str, dict[str, tuple[str | Any, ...]]] = {"-": {}, "+": {}}
    for hit in filter(None, map(_LISTED.fullmatch, diff.splitlines())):
        sides[hit[0][0]][hit[5]] = hit.groups()
    for path in sides["-"].keys() | sides["+"].keys():
        one, other = sides["-"].get(path), sides["+"].get(path)
        if one is None or other is None:
            yield f"{outer}{path}: presence"
            continue
        for aspect, a, b in zip(_COLUMNS, one, other, strict=False):
            if a != b:
                yield f"{outer}{path}: {aspect}"


def named_by_repaudit(report: dict[str, Any], blobs: Sequence[Path]) -> set[str]:
    """Return what our report names, and of the files that differ what the readers say of them."""
    told = {
        (difference["path"], difference["aspect"])
        for finding in report["findings"]
        for difference in finding["differences"]
        if difference["layer"] is not None
    }
    found = {f"{path}: {aspect}" for path, aspect in told}
    paths = {path for path, aspect in told if aspect == "content"}
    left, right = (_files(blob, paths) for blob in blobs)
    for path in paths:
        for locator in differing((left[path], right[path]), Path(path).name):
            if not locator.startswith("line "):  # that is the content itself
                found.add(_place(path, locator))
    return found


def _files(blob: Path, paths: set[str]) -> dict[str, bytes]:
    with tarfile.open(blob, "r|*") as archive:
        wanted = ((one, one.name.removeprefix("./")) for one in archive if one.isreg())
        return {
            path: file.read()
            for one, path in wanted
            if path in paths and (file := archive.extractfile(one))
        }


def _place(path: str, locator: str) -> str:
    """Return a locator of ours in the words of this comparison."""
    steps = [step for step in locator.split(" > ") if step != "inflated"]
    steps = [step.removeprefix("member ") for step in steps if not step.startswith("string ")]
    if steps == ["mtime"]:
        return f"{path}: its mtime"
    if steps[-1] == "mtime":
        return f"{path} > {' > '.join(steps[:-1])}: mtime"
    return f"{path} > {' > '.join(steps)}: content"


def against(name: str) -> None:
    """Print the ratio and both lists for one pair."""
    layouts = pairs.pair(name)
    blobs = [pairs.blob(layout) for layout in layouts]
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours"), Path(folder, "theirs")
        ask = [REPAUDIT, "diff", "--quiet", "--no-diffoscope", "--format", f"json={ours}", *layouts]
        walls = []
        for number in range(3):
            cache = str(Path(folder, str(number)))
            make_selftest(cache)
            walls.append(cost(ask, XDG_CACHE_HOME=cache).wall)
        ask = ["diffoscope", "--no-progress", "--json", theirs, *blobs]
        took = cost(ask, _PATIENCE, TMPDIR=folder)
        _say(name, took, statistics.median(walls))
        if not took.done:
            print(f"{name}: diffoscope was stopped, and had named nothing by then")
            return
        _compare(
            name,
            named_by_repaudit(json.loads(ours.read_text()), blobs),
            named_by_diffoscope(json.loads(theirs.read_text())) - {""},
        )


def _say(name: str, took: Cost, wall: float) -> None:
    least = "" if took.done else "at least "
    print(
        f"{name}: diffoscope / repaudit = {least}{took.wall / wall:.0f} "
        f"({least}{took.wall:.0f} s and {took.memory:.0f} MB, against {wall:.2f} s)",
        flush=True,
    )


def _compare(name: str, ours: set[str], theirs: set[str]) -> None:
    print(f"{name}: {len(ours & theirs)} differences are named by both")
    for who, some in (("diffoscope", theirs - ours), ("repaudit", ours - theirs)):
        print(f"{name}: {len(some)} by {who} alone" + (":" if some else ""))
        for place in sorted(some):
            print(f"  {place}")


def main(names: Sequence[str]) -> None:
    done = subprocess.run(["diffoscope", "--version"], capture_output=True, text=True, check=True)
    print(done.stdout.strip())
    for name in names:
        against(name)


if __name__ == "__main__":
    main(sys.argv[1:] or ["small", "medium"])
