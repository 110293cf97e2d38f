"""Random bytes that two runs are given alike: what is made of them is shown to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import PlannedRun
from repaudit.model.finding import Confidence
from repaudit.stages.drawn import Drawn
from tests import images
from tests.live import GOLDEN, Shell
from tests.scripted import explained

Layer = Callable[[PlannedRun], bytes]


def file(text: str) -> bytes:
    return images.archive({"srv/a": text.encode()})


def folder(name: str) -> bytes:
    """A new folder, in which a folder and a file have the same names in each run."""
    made = (images.member(f"srv/{name}{path}".encode(), kind=b"5") for path in ("/", "/in/"))
    return images.tar(*made, images.member(f"srv/{name}/in/it".encode()))


def confidence(layer: Layer, folder: Path) -> Confidence:
    """How sure it is that what differs is random."""
    findings = explained(layer, folder).findings
    (sure,) = {s.confidence for f in findings for s in f.factors if s.factor == "random"}
    return sure


def own(run: PlannedRun) -> str:
    return f"a value of {run.name}"


@pytest.mark.parametrize(
    "layer",
    [
        lambda run: file("planted" if run.planted else own(run)),
        lambda run: images.archive({f"srv/{'planted' if run.planted else own(run)}": b""}),
        lambda run: folder("planted" if run.planted else own(run)),
    ],
    ids=["content", "name", "folder"],
)
def test_what_follows_the_bytes_that_were_drawn_is_demonstrated(
    layer: Layer, tmp_path: Path
) -> None:
    assert confidence(layer, tmp_path) is Confidence.DEMONSTRATED


@pytest.mark.parametrize(
    "layer",
    [
        lambda run: file(own(run)),  # of the clock, or of a race
        lambda run: file("always" if run.traced else own(run)),  # a race that a tracer hides
        lambda run: file(own(run) if run.name != "row-1" else own(run).replace("row-1", "variant")),
        lambda run: file("planted" if run.name in {"planted", "replicate"} else own(run)),
    ],
    ids=["own", "traced", "twice", "one planted"],
)
def test_what_may_be_another_chance_stays_indicated(layer: Layer, tmp_path: Path) -> None:
    assert confidence(layer, tmp_path) is Confidence.INDICATED


def test_where_chance_does_not_strike_no_bytes_are_planted(tmp_path: Path) -> None:
    made = []

    def layer(run: PlannedRun) -> bytes:
        made.append(run.name)
        moved = run.level("umask") != run.level("umask")
        return file(f"{run.name.startswith(('variant', 'row')) or moved}")

    explained(layer, tmp_path)
    assert made[-1] == "traced"
    assert not [name for name in made if name.startswith("planted")]


def difference(right: str | None, path: str = "a") -> Difference:
    return Difference(layer=0, path=path, aspect=Aspect.CONTENT, left="0", right=right)


def test_only_places_that_differ_are_drawn() -> None:
    runs = [{}, *({one.place: one} for one in map(difference, "12"))]
    drawn = Drawn(runs, [difference("3")], ([difference("4")], [difference("4")]))

    assert (0, "a", "content") in drawn
    assert (0, "b", "content") not in drawn
    back = Drawn(runs, [difference("3")], ([], []))  # both have what the control has
    assert (0, "a", "content") not in back


STEPS = {
    "uuid": "cat /proc/sys/kernel/random/uuid > /srv/uuid",
    "device": "head -c 8 /dev/urandom > /srv/device",
    "call": "mktemp -u > /srv/call",
    "start": r"""perl -e 'print join(",", keys %{{map {$_ => 1} 1..30}}), "\n"' > /srv/start""",
    "nanoseconds": "date +%N > /srv/nanoseconds",
    "race": "for n in 1 2 3 4 5 6 7 8; do (perl -e '1 for 1..99999'; echo $n >> /srv/race) & done"
    "; wait",
}


@pytest.mark.live
@pytest.mark.slow
def test_every_source_of_random_bytes_is_planted_and_no_other_chance(shell: Shell) -> None:
    lines = [f"RUN umask 022; {step}" for step in STEPS.values()]
    context = shell.context("\n".join([f"FROM {GOLDEN}", *lines, ""]))
    done = shell("rebuild", "--explain", "--quiet", "--vary=hostname", "--format=json", context)
    report: dict[str, Any] = json.loads(done.stdout)
    sure = {
        f["differences"][0]["path"]: factor["confidence"] == "demonstrated"
        for f in report["findings"]
        for factor in f["factors"]
        if factor["factor"] == "random"
    }
    # Of the nanoseconds, the clock is all that was read.
    assert {path.removeprefix("srv/"): known for path, known in sure.items()} == {
        name: name != "race" for name in STEPS if name != "nanoseconds"
    }
