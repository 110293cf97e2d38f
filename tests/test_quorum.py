"""k of n rebuilders: who agrees, who differs, and who said nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit.attestations.bundle import parse_bundles
from repaudit.host.keys import load_public
from repaudit.model.errors import UndecidedError
from repaudit.model.report import Verdict
from repaudit.stages.quorum import Quorum, Voice, hear
from tests.kept import KeyPair, image_config, kept_run, key_pair
from tests.test_attest import evidence, signed

SAME = (image_config(),) * 2
OTHER = (image_config(other="yes"),) * 2
BROKEN = (image_config(), image_config(late="yes"))


class Rebuilders:
    """People with a key each, who sign what they built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pairs: dict[str, KeyPair] = {}
        self.files: list[tuple[str, bytes]] = []

    def says(
        self, who: str, configs: tuple[bytes, ...], verdict: Verdict = Verdict.REPRODUCIBLE
    ) -> str:
        if who not in self.pairs:
            self.pairs[who] = key_pair(self.folder / who, "ed25519")
        name = f"{who}-{len(self.files)}"
        run = kept_run(self.folder / f"run-{name}", *configs, verdict=verdict)
        self.files.append((name, signed(run, self.pairs[who])))
        return evidence(run).rebuilt[0].digest

    def hear(self, needed: int, subject: str | None = None) -> Quorum:
        keys = [load_public(pair.public) for pair in self.pairs.values()]
        return hear(self.files, keys, needed, subject)


@pytest.fixture
def people(tmp_path: Path) -> Rebuilders:
    return Rebuilders(tmp_path)


def test_two_who_have_the_same_image_are_a_quorum_of_two(people: Rebuilders):
    digest = people.says("ann", SAME)
    people.says("bob", SAME)

    assert people.hear(2).digest == digest
    assert people.hear(2, digest).verdict is Verdict.REPRODUCIBLE


def test_who_differs_is_heard(people: Rebuilders):
    digest = people.says("ann", SAME)
    other = people.says("bob", OTHER)

    assert people.hear(2).verdict is Verdict.UNREPRODUCIBLE
    people.says("cat", SAME)
    assert people.hear(2).digest == digest
    assert people.hear(3).verdict is Verdict.UNREPRODUCIBLE
    assert people.hear(2, other).verdict is Verdict.UNREPRODUCIBLE


def test_a_quorum_for_another_image_than_was_asked_is_a_no(people: Rebuilders):
    people.says("ann", SAME)
    people.says("bob", SAME)

    assert people.hear(2, "sha256:" + "0" * 64).verdict is Verdict.UNREPRODUCIBLE


def test_one_person_is_no_quorum_however_often_they_sign(people: Rebuilders):
    people.says("ann", SAME)
    people.says("ann", SAME)

    assert len(people.hear(2).voices) == 1
    assert people.hear(2).verdict is Verdict.INCONCLUSIVE


def test_who_signed_two_images_stands_for_neither(people: Rebuilders):
    people.says("ann", SAME)
    people.says("ann", OTHER)
    people.says("bob", SAME)

    assert people.hear(2).verdict is Verdict.UNREPRODUCIBLE


def test_an_unreproducible_image_is_no_vote_though_its_digest_fits(people: Rebuilders):
    people.says("ann", SAME)
    people.says("bob", BROKEN, Verdict.UNREPRODUCIBLE)

    assert people.hear(2).verdict is Verdict.UNREPRODUCIBLE


def test_who_could_not_tell_is_no_vote_against(people: Rebuilders):
    people.says("ann", SAME)
    people.says("bob", SAME, Verdict.INCONCLUSIVE)

    assert people.hear(2).verdict is Verdict.INCONCLUSIVE


def test_who_could_tell_at_last_is_heard(people: Rebuilders):
    digest = people.says("ann", SAME)
    people.says("bob", OTHER, Verdict.INCONCLUSIVE)
    people.says("bob", SAME)
    assert people.hear(2).digest == digest

    people.says("cat", SAME, Verdict.INCONCLUSIVE)
    assert people.hear(3).verdict is Verdict.INCONCLUSIVE
    people.says("cat", BROKEN, Verdict.UNREPRODUCIBLE)
    assert people.hear(3).verdict is Verdict.UNREPRODUCIBLE


def test_too_few_who_agree_are_open_and_not_against_each_other():
    said = (Verdict.INCONCLUSIVE, Verdict.REPRODUCIBLE)
    mixed = [Voice(key=None, names=(), digests=("x",), verdicts=said) for _ in "ab"]  # type: ignore[arg-type]

    assert Quorum(voices=tuple(mixed), needed=3, digest=None).verdict is Verdict.INCONCLUSIVE


def test_two_images_with_a_quorum_each_have_none(people: Rebuilders):
    for who, configs in (("ann", SAME), ("bob", SAME), ("cat", OTHER), ("dan", OTHER)):
        people.says(who, configs)

    assert people.hear(2).verdict is Verdict.UNREPRODUCIBLE


def test_a_stranger_is_refused(people: Rebuilders, tmp_path: Path):
    people.says("ann", SAME)
    people.says("eve", SAME)
    del people.pairs["eve"]

    with pytest.raises(UndecidedError, match="eve-1: signed with none of the keys") as refused:
        people.hear(2)
    assert refused.value.exit_code == 3


def test_what_was_changed_after_it_was_signed_is_no_voice_and_nobodys_other_image(
    people: Rebuilders,
):
    people.says("ann", SAME)
    people.says("bob", OTHER)
    name, data = people.files[1]
    assert people.hear(2).verdict is Verdict.UNREPRODUCIBLE
    bundle = parse_bundles(data)[0]
    edited = replace(bundle, payload=bundle.payload + b" ")
    people.files[1] = (name, edited.line())

    with pytest.raises(UndecidedError, match=r"bob-1: .* changed after it was signed") as refused:
        people.hear(2)
    assert refused.value.exit_code == 3
    people.files[1] = (name, replace(edited, hint="").line())
    with pytest.raises(UndecidedError, match=r"signed with none of the keys that were given$"):
        people.hear(2)


def test_provenance_alone_says_nothing_of_reproducibility(people: Rebuilders, tmp_path: Path):
    people.says("ann", SAME)
    run = kept_run(tmp_path / "run")
    people.files.append(("p", signed(run, people.pairs["ann"], "provenance")))

    with pytest.raises(UndecidedError, match="p: signed, but no statement of the kind"):
        people.hear(2)


@given(st.lists(st.sampled_from("xyz-?"), max_size=7), st.integers(2, 4))
def test_a_quorum_is_what_counting_says(said: list[str], needed: int):
    """x, y, z: an image; -: unreproducible; ?: open."""
    verdicts = {"-": Verdict.UNREPRODUCIBLE, "?": Verdict.INCONCLUSIVE}
    voices = tuple(
        Voice(
            key=None,  # type: ignore[arg-type]
            names=(),
            digests=(one,),
            verdicts=(verdicts.get(one, Verdict.REPRODUCIBLE),),
        )
        for one in said
    )
    enough = [one for one in "xyz" if said.count(one) >= needed]
    found = Quorum(voices=voices, needed=needed, digest=enough[0] if len(enough) == 1 else None)

    if found.verdict is Verdict.REPRODUCIBLE:
        assert said.count(found.digest or "") >= needed
    elif found.verdict is Verdict.INCONCLUSIVE:
        assert len({one for one in said if one != "?"}) <= 1


def test_the_command_counts(people: Rebuilders, tmp_path: Path):
    digest = people.says("ann", SAME)
    people.says("bob", SAME)
    people.says("cat", OTHER)
    for name, data in people.files:
        (tmp_path / name).write_bytes(data)
    names = [str(tmp_path / name) for name, _ in people.files]

    def type_in(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "repaudit", "quorum", *names, *words]
        return subprocess.run(argv, capture_output=True, text=True)

    keys = [w for pair in people.pairs.values() for w in ("--key", str(pair.public))]
    done = type_in(*keys, "--threshold", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"2 of 3 rebuilders have {digest}; 2 are needed\n")
    assert type_in(*keys).returncode == 1
    assert type_in(*keys, "--threshold", "4").returncode == 2
    assert type_in(*keys[:2]).returncode == 2
    assert type_in(*keys[:4]).returncode == 3  # what a stranger signed is no other image
