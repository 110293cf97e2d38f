"""Attribution: one finding a cause and place, nothing lost, and nobody blamed who did not move."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit.forensics import causes
from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import INTRINSIC, SETTABLE, Level
from repaudit.model.finding import (
    UNEXPLAINED,
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Instruction,
    Suspect,
)
from repaudit.stages.attribute import attribute
from repaudit.stages.contents import Kept
from repaudit.stages.decode import Decoded, Followed
from repaudit.stages.findings import RANKS, breakage_finding, merge
from repaudit.stages.plan import make_plan
from repaudit.stages.scene import Scene
from tests import strategies
from tests.fakes import MACHINE

CONTROL, VARIANT = (run.levels for run in make_plan(MACHINE, vary=(), hold=(), builds=2).runs)
LINES = tuple(
    Instruction(file="Containerfile", line=n, text=f"RUN step {n}", stage="0") for n in (3, 5, 7)
)
#: Two runs that differ in every factor, and two in which nothing was moved.
MOVED = Scene(left=CONTROL, right=VARIANT, runs=("control", "variant"), instructions=LINES)
STILL = replace(MOVED, right=CONTROL, runs=("control", "replicate"))
quick = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)


def a(path: str, aspect: Aspect, left: str | None, right: str | None, layer: int | None = 0):
    return Difference(layer=layer, path=path, aspect=aspect, left=left, right=right)


MODE = a("srv/a", Aspect.MODE, "0644", "0664")
ODD_MODE = a("srv/odd", Aspect.MODE, "0644", "4755")
MTIMES = [a(f"srv/{n:04}", Aspect.MTIME, "1", "2", layer=n % 3) for n in range(1203)]


def found(*differences: Difference, scene: Scene = MOVED, contents=None) -> tuple[Finding, ...]:
    return attribute(differences, contents or {}, scene)


def slugs(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.cause.slug for finding in findings]


def blamed(findings: tuple[Finding, ...]) -> set[str]:
    return {suspect.factor for finding in findings for suspect in finding.factors}


def held_still(*factors: str) -> Scene:
    """A scene in which all but these factors moved."""
    right = tuple(
        level if level.factor not in factors else control
        for control, level in zip(CONTROL, VARIANT, strict=True)
    )
    return replace(MOVED, right=right)


def contents_of(folder: Path, left: bytes, right: bytes, digests=("sha256:a", "sha256:b")):
    """Both sides of a difference of these digests, as stages.contents keeps them."""
    kept = Kept(
        left=folder / "left", right=folder / "right", left_size=len(left), right_size=len(right)
    )
    kept.left.write_bytes(left)
    kept.right.write_bytes(right)
    return {digests: kept}


def canary(levels: tuple[Level, ...], factor: str) -> str:
    return next(level.canaries[0] for level in levels if level.factor == factor)


# What a line says that it draws, and what runs show of an order.


def _by_line(folder: Path, text: str, left: bytes, right: bytes) -> list[str]:
    scene = replace(MOVED, instructions=(replace(LINES[0], text=text),))
    content = a("srv/f", Aspect.CONTENT, "sha256:a", "sha256:b")
    return slugs(found(content, scene=scene, contents=contents_of(folder, left, right)))


def test_what_a_line_draws_is_heard_where_nothing_else_is_known(tmp_path: Path):
    draws = "RUN head -c 9 /dev/urandom > /srv/f"
    assert _by_line(tmp_path, draws, b"\x01a", b"\x02b") == ["embeds_random_value"]
    assert _by_line(tmp_path, draws, b"one", b"another") == ["embeds_random_value"]
    assert _by_line(tmp_path, draws, b"2026-11-22", b"2027-12-27") == ["captures_build_date"]
    assert _by_line(tmp_path, "RUN ./make", b"\x01a", b"\x02b") == ["unexplained"]


def _decoded(**changes) -> Decoded:
    known = Decoded(
        followed=(), runs=14, differing=6, unmoved=0, settled=False, chance=False, baffling=False
    )
    return replace(known, **changes)


def _order(folder: Path, decoded: Decoded | None) -> tuple[list[str], set[str]]:
    content = a("srv/f", Aspect.CONTENT, "sha256:a", "sha256:b")
    lines = [b"".join(b"%d\n" % n for n in some) for some in ((2, 3, 1, 4), (3, 1, 4, 2))]
    scene = replace(MOVED, decoded={content.place: decoded} if decoded else {})
    findings = found(content, scene=scene, contents=contents_of(folder, *lines))
    return slugs(findings), blamed(findings)


@pytest.mark.parametrize(
    "changes", [{"baffling": True}, {"chance": True, "settled": True}], ids=str
)
def test_an_order_that_follows_nothing_is_a_race_and_one_finding(tmp_path: Path, changes):
    assert _order(tmp_path, _decoded(**changes)) == (
        ["random_order_in_output"],
        {"random", "concurrency"},
    )


def test_an_order_of_which_runs_tell_nothing_is_what_it_looks_like(tmp_path: Path):
    listed = (["random_order_of_directory_entries"], {"file_order"})
    assert _order(tmp_path, None) == listed
    assert _order(tmp_path, _decoded()) == listed
    follows = Followed(factor="file_order", where="", times=5, sure=True)
    assert _order(tmp_path, _decoded(followed=(follows,), settled=True)) == listed


def test_a_clock_that_stood_still_is_not_blamed_beside_chance(tmp_path: Path):
    """The date follows the clock; between two runs at one time the salt alone differs."""
    content = a("srv/f", Aspect.CONTENT, "sha256:a", "sha256:b")
    ids = (b"0f8fad5b-d9cb-469f-a165-70867728950e", b"7c9e6679-7425-40de-944b-e07fc1f90ae7")
    kept = contents_of(tmp_path, *ids)

    def told(**changes) -> list[str]:
        follows = Followed(factor="time", where="line 1", times=5, sure=True)
        decoded = _decoded(followed=(follows,), settled=True, **changes)
        scene = replace(STILL, decoded={content.place: decoded})
        return slugs(found(content, scene=scene, contents=kept if changes else {}))

    assert told(chance=True) == ["embeds_random_value"]
    assert told() == ["captures_build_date"]  # seconds passed, and nothing else is known


def test_nobody_need_explain_what_the_remedy_takes_away(tmp_path: Path):
    def told(path: str, **changes) -> list[str]:
        content = a(path, Aspect.CONTENT, "sha256:a", "sha256:b")
        decoded = _decoded(**(changes or {"baffling": True}))
        scene = replace(MOVED, decoded={content.place: decoded})
        ends = contents_of(tmp_path, b"a" * 39 + b"1\n", b"b" * 39 + b"2\n")
        return slugs(found(content, scene=scene, contents=ends))

    assert told("srv/.git/refs/heads/main") == ["git_checkout_state"]
    assert "unexplained" in told("srv/git/refs/heads/main")
    unsure, sure = (
        (Followed(factor="umask", where="", times=2, sure=sure),) for sure in (False, True)
    )
    assert told("srv/.git/refs/heads/main", followed=unsure) == ["git_checkout_state"]
    assert "different_due_to_umask" in told("srv/git/refs/heads/main", followed=unsure)
    assert "different_due_to_umask" in told("srv/.git/refs/heads/main", followed=sure)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"differing": 6}, "differs from the control in 6 of 13 other runs, and follows no factor"),
        ({"chance": True, "differing": 1, "unmoved": 1}, "1 of 13 other runs, which moved nothing"),
        ({"chance": True, "unmoved": 2}, "6 of 13 other runs, 2 of which moved nothing"),
        ({"chance": True, "differing": 1}, "each of 14 runs has another name in its place"),
    ],
)
def test_what_follows_nothing_is_said_in_words_that_are_so(changes, words: str):
    assert words in _decoded(**changes).words(())


# Grouping.


def test_many_files_with_one_cause_are_one_finding():
    (only,) = found(*MTIMES)

    assert only.cause.slug == "layer_mtimes_not_clamped"
    assert only.differences == tuple(MTIMES)
    assert only.instruction is None, "the builder decides that, no line does"
    assert only.evidence


def test_one_cause_at_two_lines_is_two_findings():
    findings = found(MODE, replace(MODE, path="srv/b", layer=1))

    assert slugs(findings) == ["different_due_to_umask"] * 2
    assert [f.instruction for f in findings] == list(LINES[:2])


def test_two_causes_at_one_line_are_two_findings():
    assert len(set(slugs(found(MODE, a("", Aspect.ORDER, "x", "y"))))) == 2


def test_a_difference_without_a_clue_is_unexplained_and_says_so():
    (only,) = found(ODD_MODE)

    assert (only.cause.slug, only.confidence) == ("unexplained", Confidence.UNEXPLAINED)
    assert only.factors == ()
    assert only.evidence == ()
    assert only.instruction == LINES[0]


@pytest.mark.parametrize(
    ("scene", "way", "useless"),
    [(MOVED, "`repaudit rebuild --explain`", "diff"), (Scene(), "`repaudit diff`", "--explain")],
)
def test_the_way_out_is_one_that_can_be_taken(scene: Scene, way: str, useless: str):
    """Of two images that exist there may be no source, and then there is nothing to vary."""
    (only,) = found(ODD_MODE, scene=scene)
    assert way in only.cause.remedy
    assert useless not in only.cause.remedy


def test_unexplained_differences_are_not_thrown_together():
    findings = found(
        ODD_MODE,
        replace(ODD_MODE, path="srv/odd2"),
        replace(ODD_MODE, path="usr/odd"),
        a("srv/odd", Aspect.LINK, "a", "b"),
    )

    assert [len(f.differences) for f in findings].count(1) == 2
    assert sorted(len(f.differences) for f in findings) == [1, 1, 2]


def test_the_unexplained_come_first_then_line_by_line():
    findings = found(
        *MTIMES[:2],
        replace(MODE, path="srv/b", layer=2),
        MODE,
        replace(ODD_MODE, layer=2),
    )

    assert slugs(findings)[0] == "unexplained"
    lines = [f.instruction.line for f in findings[1:] if f.instruction]
    assert lines == [3, 7]


def test_a_layer_without_a_line_has_its_findings_all_the_same():
    for instructions in ((), (None, None)):
        findings = found(MODE, ODD_MODE, scene=replace(MOVED, instructions=instructions))
        assert [f.instruction for f in findings] == [None, None]


# Every difference stands somewhere.


fitting = strategies.differences.filter(
    lambda d: all(fits(text) for text in (d.path, d.left, d.right))
)


def fits(text: str | None) -> bool:
    """Whether a text is one that the bytes of a layer can give: surrogates stand for bytes only."""
    try:
        (text or "").encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


known_places = st.sampled_from(
    (
        *MTIMES[:3],
        MODE,
        ODD_MODE,
        a("", Aspect.ORDER, "x", "y"),
        a("/config/created", Aspect.CONFIG, "2001-01-01T00:00:00Z", "2002-01-01T00:00:00Z", None),
        a("/history/0/created", Aspect.HISTORY, "2001-01-01T00:00:00Z", None, None),
        a("var/log/dpkg.log", Aspect.CONTENT, "sha256:a", "sha256:b"),
        a("etc/machine-id", Aspect.PRESENCE, None, "present"),
        a("srv/a", Aspect.OWNER, "0:0", "7:7"),
        a("srv/a", Aspect.XATTR, None, "user.a=1"),
        a("", Aspect.COMPRESSION, "a/b sha256:a", "a/b sha256:b"),
    )
)
some = st.lists(fitting | known_places, unique_by=lambda d: d.key, max_size=8)
scenes = st.sampled_from((MOVED, STILL, Scene(), held_still("umask", "user", "time")))


@quick
@given(some, scenes)
def test_each_difference_stands_in_a_finding_and_none_is_made_up(differences, scene):
    findings = found(*differences, scene=scene)

    assert {d for f in findings for d in f.differences} == set(differences)
    assert all(f.differences for f in findings)
    assert all(len(set(f.differences)) == len(f.differences) for f in findings)


@quick
@given(some, scenes)
def test_ids_name_one_finding_each_and_the_same_one_again(differences, scene):
    findings = found(*differences, scene=scene)

    assert len({f.id for f in findings}) == len(findings)
    assert findings == found(*differences, scene=scene)
    assert {f.id for f in findings} == {f.id for f in found(*differences[::-1], scene=scene)}


@quick
@given(some, some)
def test_an_id_does_not_change_when_other_findings_come(differences, others):
    # What is there in a layer below already stands under that.
    known = {(d.path, d.aspect) for d in differences}
    others = [d for d in others if (d.path, d.aspect) not in known]
    alone, among = ({f.id for f in found(*ds)} for ds in (differences, [*differences, *others]))

    assert alone <= among


@quick
@given(some)
def test_two_existing_images_have_no_levels_and_no_lines(differences):
    for finding in found(*differences, scene=Scene()):
        assert finding.instruction is None
        assert finding.process is None
        assert {suspect.factor for suspect in finding.factors} <= {*SETTABLE, *INTRINSIC}


@pytest.mark.parametrize(
    "difference",
    [
        a("/config/\ud83d/x", Aspect.CONFIG, "1", "2", None),
        a("/config/author", Aspect.CONFIG, "\ud83d", "2", None),
    ],
    ids=["key", "value"],
)
def test_a_config_with_a_lone_surrogate_is_attributed(difference: Difference):
    assert len(found(difference)) == 1


def test_a_path_that_is_no_utf_8_has_a_finding():
    assert len(found(a("srv/\udcff/x", Aspect.LINK, "\udcff", None))) == 1


# Identity.


def test_an_id_is_the_same_when_the_lines_move():
    lower = replace(MOVED, instructions=tuple(replace(line, line=line.line + 10) for line in LINES))
    before, after = found(MODE, ODD_MODE), found(MODE, ODD_MODE, scene=lower)

    assert [f.id for f in before] == [f.id for f in after]
    assert [f.instruction for f in before] != [f.instruction for f in after]


def test_an_id_is_the_same_when_a_layer_comes_before():
    shifted = replace(MOVED, instructions=(None, *LINES))
    before, after = (
        {f.id for f in found(*(replace(d, layer=layer) for d in (MODE, ODD_MODE)), scene=scene)}
        for layer, scene in ((0, MOVED), (1, shifted))
    )

    assert before == after


@pytest.mark.parametrize("other", [{"text": "RUN other"}, {"stage": "1"}, {"file": "Dockerfile"}])
def test_an_id_is_another_for_another_line(other):
    changed = replace(MOVED, instructions=(replace(LINES[0], **other),))

    assert found(MODE)[0].id != found(MODE, scene=changed)[0].id


def test_an_id_is_the_same_whatever_the_values_and_levels_are():
    (control,), (other,) = (
        found(difference, scene=scene)
        for difference, scene in ((MODE, MOVED), (replace(MODE, path="srv/b"), held_still("time")))
    )

    assert control.id == other.id


def test_an_id_is_twelve_hex_digits():
    assert all(len(f.id) == 12 and int(f.id, 16) >= 0 for f in found(MODE, ODD_MODE, *MTIMES[:1]))


# Blame.


@quick
@given(some)
def test_a_factor_that_was_not_moved_is_never_blamed(differences):
    assert blamed(found(*differences, scene=STILL)) <= {"time", *INTRINSIC}


@pytest.mark.parametrize("factor", sorted({level.factor for level in CONTROL} - {"time"}))
def test_a_factor_that_was_held_alone_is_not_blamed(factor: str):
    scene = held_still(factor)

    assert scene.moved(factor) is False
    assert MOVED.moved(factor) is True


@pytest.mark.parametrize("factor", ["time", *INTRINSIC])
def test_time_passes_and_chance_strikes_in_every_run(factor: str):
    assert STILL.moved(factor)


def test_a_factor_without_a_level_was_not_moved():
    assert not MOVED.moved("build_path")


def test_a_umask_is_blamed_where_it_moved_and_only_there():
    assert slugs(found(MODE)) == ["different_due_to_umask"]
    assert blamed(found(MODE)) == {"umask"}
    assert slugs(found(MODE, scene=held_still("umask"))) == ["unexplained"]


def test_two_existing_images_may_be_blamed_on_any_factor():
    (only,) = found(MODE, scene=Scene())

    assert blamed((only,)) == {"umask"}


def test_what_a_replicate_shows_is_blamed_on_time_or_chance():
    findings = found(*MTIMES[:2], a("", Aspect.ORDER, "x", "y"), scene=STILL)

    assert blamed(findings) <= {"time", *INTRINSIC}
    assert len(findings) == 2


def test_a_canary_in_a_file_is_evidence_against_its_factor(tmp_path: Path):
    names = [canary(levels, "hostname") for levels in (CONTROL, VARIANT)]
    sides = tuple(f"built on {name}\n".encode() for name in names)
    contents = contents_of(tmp_path, *sides)
    difference = a("srv/a", Aspect.CONTENT, "sha256:a", "sha256:b")

    (only,) = found(difference, contents=contents)
    assert (only.cause.slug, blamed((only,))) == ("captures_hostname", {"hostname"})
    assert only.evidence[0].kind is EvidenceKind.CANARY
    assert only.evidence[0].runs == ("control", "variant")
    assert only.confidence is Confidence.INDICATED
    assert slugs(found(difference)) == ["unexplained"], "without the bytes nothing is known"


def test_a_file_with_two_causes_stands_in_both(tmp_path: Path):
    words = ("hostname", "environment")
    sides = tuple(
        "\n".join(f"{word}={canary(levels, word)}" for word in words).encode()
        for levels in (CONTROL, VARIANT)
    )
    difference = a("srv/a", Aspect.CONTENT, "sha256:a", "sha256:b")

    findings = found(difference, contents=contents_of(tmp_path, *sides))
    assert blamed(findings) == set(words)
    assert [f.differences for f in findings] == [(difference,)] * 2


def test_bytes_are_looked_at_for_differences_of_content_only(tmp_path: Path):
    names = [canary(levels, "hostname").encode() for levels in (CONTROL, VARIANT)]
    contents = contents_of(tmp_path, names[0], names[1])

    assert slugs(found(ODD_MODE, contents=contents)) == ["unexplained"]


# Several pairs of runs.


FINDING = found(MODE)[0]


def test_merging_nothing_and_one_and_the_same_changes_nothing():
    findings = found(MODE, ODD_MODE, *MTIMES[:3])

    assert merge(()) == ()
    assert merge(findings) == findings
    assert merge([*findings, *findings]) == findings


def test_the_same_cause_at_the_same_place_is_one_finding_of_all_runs():
    other = replace(
        FINDING,
        factors=(Suspect(factor="time", confidence=Confidence.INDICATED),),
        evidence=(Evidence(kind=EvidenceKind.TRACE, source="x", detail="y"),),
        differences=(replace(MODE, path="srv/0"), MODE),
    )
    (only,) = merge([FINDING, other])

    assert [d.path for d in only.differences] == ["srv/0", "srv/a"]
    assert [s.factor for s in only.factors] == ["umask", "time"]
    assert set(only.evidence) == {*FINDING.evidence, *other.evidence}
    ranks = [RANKS[e.kind] for e in only.evidence]
    assert ranks == sorted(ranks)


SURE, UNSURE = Confidence.DEMONSTRATED, Confidence.INDICATED


def suspected(sure: Confidence, *paths: str, factor: str = "umask") -> Finding:
    """The same finding with that confidence, at these places."""
    suspect = Suspect(factor=factor, confidence=sure)
    differences = tuple(replace(MODE, path=path) for path in paths)
    return replace(FINDING, factors=(suspect,), differences=differences)


@pytest.mark.parametrize(
    ("findings", "wanted"),
    [
        ((suspected(SURE, "a"), suspected(UNSURE, "a", "b")), UNSURE),  # of b it is not shown
        ((suspected(SURE, "a"), suspected(SURE, "b")), SURE),
        ((suspected(SURE, "a", "b"), suspected(UNSURE, "b")), SURE),
        ((suspected(SURE, "a"), suspected(SURE, "b"), suspected(UNSURE, "c")), UNSURE),
        ((suspected(UNSURE, "a"), suspected(UNSURE, "a")), UNSURE),
    ],
)
def test_what_is_demonstrated_is_so_of_every_place(
    findings: tuple[Finding, ...], wanted: Confidence
):
    for some in (findings, findings[::-1]):
        (merged,) = merge(some)
        assert merged.factors == (Suspect(factor="umask", confidence=wanted),)


def test_a_factor_that_one_pair_does_not_blame_is_not_demonstrated_of_its_places():
    two = suspected(SURE, "a"), suspected(SURE, "b", factor="time")
    (merged,) = merge(two)
    assert {s.factor: s.confidence for s in merged.factors} == {"umask": UNSURE, "time": UNSURE}

    (merged,) = merge((suspected(UNSURE, "a"), suspected(SURE, "a", factor="time")))
    assert [s.factor for s in merged.factors] == ["time", "umask"]  # the surest first


def test_a_place_that_differs_in_two_runs_is_shown_as_it_was_first_seen():
    later = replace(FINDING, differences=(replace(MODE, right="0600"),))

    assert merge([FINDING, later])[0].differences == (MODE,)


def test_other_places_stay_other_findings():
    findings = found(MODE, replace(MODE, path="srv/b", layer=1))

    assert len(merge(findings)) == 2


def places(findings) -> set[tuple[object, ...]]:
    return {(f.id, d.layer, d.path, d.aspect) for f in findings for d in f.differences}


@quick
@given(st.lists(strategies.findings, max_size=6))
def test_merging_loses_no_place_and_is_done_once(findings):
    merged = merge(findings)

    assert {f.id for f in merged} == {f.id for f in findings}
    assert places(merged) == places(findings)
    # Of findings that two processes wrote, each difference names its own.
    told, known = (
        {replace(d, process=None) for f in some for d in f.differences}
        for some in (merged, findings)
    )
    assert told <= known
    assert merge(merged) == merged
    unexplained = [f.confidence is Confidence.UNEXPLAINED for f in merged]
    assert unexplained == sorted(unexplained, reverse=True)


# A build that breaks.


def test_a_level_that_breaks_the_build_is_a_finding():
    finding = breakage_finding("locale", "et_EE.UTF-8", "sort: no", LINES[0])

    assert finding.cause.slug == "build_breaks_when_varied"
    assert blamed((finding,)) == {"locale"}
    assert (finding.instruction, finding.differences) == (LINES[0], ())
    assert "locale is et_EE.UTF-8, in both of two runs: sort: no" in finding.evidence[0].detail


def test_a_build_that_no_single_level_breaks_blames_none():
    finding = breakage_finding(None, "", "no", None)

    assert (finding.factors, finding.instruction) == ((), None)
    assert finding.id != breakage_finding("time", "", "no", None).id


def test_the_id_of_a_breakage_is_the_lines_and_the_factors():
    one, other = (breakage_finding("locale", level, level, LINES[0]) for level in "ab")

    assert one.id == other.id
    assert one.id != breakage_finding("locale", "a", "a", LINES[1]).id


def test_every_cause_that_is_used_here_is_in_the_catalogue():
    assert {"unexplained", "build_breaks_when_varied"} <= {cause.slug for cause in causes()}


def test_a_name_follows_from_other_findings_only_where_there_are_some():
    base = a(
        "/manifest/annotations/org.opencontainers.image.base.digest",
        Aspect.ANNOTATION,
        "1",
        "2",
        None,
    )
    (alone,) = found(base, scene=Scene())
    both = found(base, a("x", Aspect.MODE, "0644", "0600"), scene=Scene())

    assert (alone.cause.slug, alone.confidence) == (UNEXPLAINED, Confidence.UNEXPLAINED)
    assert [one.detail for one in alone.evidence] == ["the base image is another one"]
    assert "names_of_intermediate_images" in slugs(both)
    assert slugs(found(base)) == ["names_of_intermediate_images"]  # a run's base is no other one


def test_a_layer_more_is_told_as_that_and_a_file_more_is_not():
    layer, file = (a(path, Aspect.PRESENCE, None, "present") for path in ("", "x"))

    assert slugs(found(layer, scene=Scene())) == ["other_number_of_layers"]
    assert slugs(found(file, scene=Scene())) == [UNEXPLAINED]


def test_another_attestation_is_told_as_that_and_explained_by_nothing():
    """It may say that another builder made the image."""
    names = "/index/manifests/1/digest", "/index/manifests/1/annotations/digest"
    told = [found(a(name, Aspect.ANNOTATION, "x 1", "x 2", None), scene=Scene()) for name in names]

    assert [slugs(some) for some in told] == [[UNEXPLAINED], [UNEXPLAINED]]
    said = [[e.detail for finding in some for e in finding.evidence] for some in told]
    assert ["beside the images" in str(details) for details in said] == [True, False]


def test_another_order_of_an_index_is_no_order_of_entries():
    index = a("/index/manifests", Aspect.ORDER, "linux/amd64", "linux/arm64", None)

    assert slugs(found(index, scene=Scene())) == [UNEXPLAINED]


def test_what_differs_alike_on_two_platforms_is_told_of_both():
    """What one platform's layer has is not copied up from a layer of the other."""
    one = replace(a("srv", Aspect.MODE, "0755", "0700", 0), platform="linux/amd64")
    other = replace(one, platform="linux/arm64", layer=1)
    some = [d for finding in found(one, other, scene=Scene()) for d in finding.differences]

    assert sorted(some, key=lambda d: d.key) == [one, other]


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ("FROM docker.io/library/a:1", "FROM docker.io/library/a:2", 1),
        ("made by hand", "made by someone else", 0),
        ("FROM a", "made by someone else", 0),
        (None, "FROM a", 0),
    ],
)
def test_a_comment_says_that_the_base_is_another_one_only_if_it_names_one(left, right, told):
    comment = a("history/0/comment", Aspect.HISTORY, left, right, None)
    (alone,) = found(comment, scene=Scene())

    assert alone.cause.slug == UNEXPLAINED
    assert [one.detail for one in alone.evidence] == ["the base image is another one"] * told
