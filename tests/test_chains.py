"""What stands under another file since that was read for it, by a trace; and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from repaudit.interposer.pipes import Pipes
from repaudit.model.difference import Aspect, Difference
from repaudit.model.finding import Clue, EvidenceKind, Instruction
from repaudit.stages.chains import Told, read_for
from repaudit.stages.provenance import Author
from tests.live import GOLDEN, Shell

LINE = Instruction(file="Containerfile", line=2, text="RUN make", stage="0")


def clue(slug: str, factor: str) -> Clue:
    return Clue(slug=slug, factors=(factor,), kind=EvidenceKind.SIGNATURE, detail="")


CHANCE = clue("embeds_random_value", "random")
UMASK = clue("different_due_to_umask", "umask")


def told(path: str, *clues: Clue, of: tuple[str, ...] = (), drew: bool = False) -> Told:
    drawn = ("clock",) if drew else ()
    author = Author(instruction=LINE, process=None, sources=of, drawn=drawn)
    difference = Difference(layer=1, path=path, aspect=Aspect.CONTENT, left="x", right="y")
    return Told(difference=difference, author=author, clues=clues)


def under(*some: Told) -> dict[str, list[str]]:
    found = read_for(some, [one.difference for one in some], {})
    return {path: [root for _, root, _ in roots] for (_, path, _), roots in found.items()}


def test_what_has_no_cause_but_chance_stands_under_what_was_read_for_it() -> None:
    assert under(told("a", UMASK), told("b", CHANCE, of=("a",))) == {"b": ["a"]}
    assert under(told("a", UMASK), told("b", of=("a",))) == {"b": ["a"]}


def test_what_has_a_cause_of_its_own_does_not() -> None:
    assert under(told("a", CHANCE), told("b", UMASK, of=("a",))) == {}
    assert under(told("a", CHANCE), told("b", CHANCE, of=("a",), drew=True)) == {}


def test_what_has_a_cause_in_part_stands_under_it_for_the_rest() -> None:
    assert under(told("a"), told("b", UMASK, CHANCE, of=("a",))) == {"b": ["a"]}


def test_a_chain_is_followed_to_its_root() -> None:
    assert under(told("a"), told("b", of=("a",)), told("c", of=("b",))) == {"b": ["a"], "c": ["a"]}


def test_two_that_were_read_for_each_other_stand_for_themselves() -> None:
    assert under(told("a", of=("b",)), told("b", of=("a",))) == {}


def test_what_was_read_and_does_not_differ_explains_nothing() -> None:
    assert under(told("b", CHANCE, of=("etc/passwd",))) == {}


def test_a_pipe_joins_programs_and_an_end_without_one_is_the_shells() -> None:
    pipes = Pipes()
    pipes.starts(0, (), ("pipe:[1]",))  # sh: its output is the log
    pipes.starts(1, (), ("pipe:[2]",))  # cat a |
    pipes.starts(2, ("pipe:[2]",), ("/b",))  # rev > b
    pipes.starts(3, (), ("pipe:[3]",))  # $(cat a)
    pipes.starts(4, (), ("pipe:[1]",))  # cat a
    parents = (None, 0, 0, 0, 0)

    assert pipes.fed(parents) == {2: {1}, 0: {3}}


STEPS = """
RUN mkdir /srv/app && date +%s%N > /srv/app/root
RUN cd /srv/app && gzip -9 < root > /tmp/t && md5sum /tmp/t | rev | cut -c 4-24 > made && rm /tmp/t
RUN cd /srv/app && cat root /proc/sys/kernel/random/uuid | md5sum | cut -c 1-20 > own
RUN cd /srv/app && cat root > /dev/null && hostname > named
"""


@pytest.mark.live
def test_a_build_tells_what_was_made_of_what_differs(
    tmp_path: Any, golden_storage: dict[str, str]
) -> None:
    shell = Shell(tmp_path, golden_storage)
    words = ("--explain", "--vary=time,hostname", "--timestamp=1700000000", "--quiet")
    done = shell("rebuild", *words, "--format=json", shell.context(f"FROM {GOLDEN}{STEPS}"))

    places: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        for one in finding["differences"]:
            if one["aspect"] == "content":
                factors = ",".join(sorted(suspect["factor"] for suspect in finding["factors"]))
                place = (factors, tuple(one.get("derived_from", ())))
                places.setdefault(one["path"].rpartition("/")[2], set()).add(place)
    root = ("srv/app/root",)
    assert ("time", ()) in places["root"]
    assert places["made"] == {("time", root)}
    assert places["own"] == {("random", ())}
    assert places["named"] == {("hostname", ())}
