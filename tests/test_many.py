"""Very many differing files, and very large ones: grouped, and each looked at a bounded time."""

from __future__ import annotations

import gc
import io
import tarfile
import tracemalloc
from collections.abc import Callable
from cProfile import Profile
from datetime import UTC, datetime
from pathlib import Path
from pstats import Stats

from msgspec.structs import replace

from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import PlannedRun, Role
from repaudit.model.finding import Confidence, Finding
from repaudit.model.report import Report, Verdict
from repaudit.oci.spool import MOST_OF_ONE
from repaudit.reporters import REPORTERS
from repaudit.reporters.interface import Surface
from repaudit.stages.attribute import attribute, attribution
from repaudit.stages.contents import Kept
from repaudit.stages.explain import Observations
from repaudit.stages.scene import Scene
from tests.scripted import explained

_FEW, _MANY = 100, 400
#: Bytes a file; its archives, which the builder here makes up in memory, are some of it.
_MOST_HELD = 6_000


def _archive(run: PlannedRun, contents: dict[str, bytes]) -> bytes:
    """A layer of these files, made under the umask of a run."""
    umask = run.level("umask")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o666 & ~int(umask.value, 8) if umask else 0o644
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _day(run: PlannedRun) -> str:
    level = run.level("time")
    return datetime.fromtimestamp(int(level.value) if level else 0, UTC).strftime("%Y-%m-%d")


def _dated(number: int) -> Callable[[PlannedRun], bytes]:
    """So many files, each of which holds the date and has a mode that follows the umask."""

    def layer(run: PlannedRun) -> bytes:
        day = _day(run)
        texts = {f"srv/{n:05}": f"file {n}\nbuilt on {day}\n".encode() for n in range(number)}
        return _archive(run, texts)

    return layer


def compared(layer: Callable[[PlannedRun], bytes], folder: Path) -> Report:
    """What `rebuild --twice` says of such runs."""
    return explained(layer, folder, explain=False, builds=2)


def _counted(
    make: Callable[[Callable[[PlannedRun], bytes], Path], Report], number: int, folder: Path
) -> tuple[Report, Stats]:
    """The report on so many files, and how often each function was called for it."""
    folder.mkdir()
    profile = Profile()
    report = profile.runcall(make, _dated(number), folder)
    return report, Stats(profile)


def _calls(stats: Stats, file: str, function: str) -> int:
    return sum(
        counts[1]
        for (path, _, name), counts in stats.stats.items()  # type: ignore[attr-defined]
        if path.endswith(file) and name == function
    )


def _size(report: Report, name: str) -> int:
    return len(REPORTERS.load(name).render(report, Surface()))


def _told(finding: Finding) -> tuple[str, int, list[tuple[str, Confidence]]]:
    suspects = [(suspect.factor, suspect.confidence) for suspect in finding.factors]
    return finding.cause.slug, len(finding.differences), suspects


def test_many_files_are_one_finding_a_cause_and_cost_no_more_than_each_its_share(tmp_path: Path):
    few, first = _counted(compared, _FEW, tmp_path / "few")
    many, second = _counted(compared, _MANY, tmp_path / "many")

    assert second.total_calls <= _MANY / _FEW * first.total_calls  # type: ignore[attr-defined]
    assert many.verdict is Verdict.UNREPRODUCIBLE
    assert [_told(finding) for finding in many.findings] == [
        ("captures_build_date", _MANY, [("time", Confidence.INDICATED)]),
        ("different_due_to_umask", _MANY, [("umask", Confidence.INDICATED)]),
    ]
    for name in ("text", "html"):  # for people: the number of files grows, not what is read
        assert _size(many, name) < 1.1 * _size(few, name)


def test_an_explanation_looks_at_each_file_a_few_times_whatever_the_number_of_runs(tmp_path: Path):
    _, first = _counted(explained, _FEW, tmp_path / "few")
    many, second = _counted(explained, _MANY, tmp_path / "many")

    assert second.total_calls <= _MANY / _FEW * first.total_calls  # type: ignore[attr-defined]
    assert [_told(finding) for finding in many.findings] == [
        ("captures_build_date", _MANY, [("time", Confidence.DEMONSTRATED)]),
        ("different_due_to_umask", _MANY, [("umask", Confidence.DEMONSTRATED)]),
    ]
    assert len(many.runs) == 10
    # The other runs have the bytes of one of the first, and tell the same of them.
    assert _calls(second, "stages/regions.py", "cut") == _MANY
    assert _calls(second, "stages/attribute.py", "_examined") == 2 * _MANY


def _least_held(number: int, folder: Path) -> int:
    """What `_held` says at least: a thread that reads ahead may hold a piece or two more."""
    return min(_held(number, folder / str(time)) for time in range(3))


def _held(number: int, folder: Path) -> int:
    """The most bytes that Python held at a time while it explained so many files.

    Garbage is collected at once: how much of it lies about is another number each time.
    """
    folder.mkdir(parents=True)
    usual = gc.get_threshold()
    gc.set_threshold(1_000, 1, 1)
    tracemalloc.start()
    try:
        explained(_dated(number), folder)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*usual)


def test_an_explanation_holds_a_few_kilobytes_a_file(tmp_path: Path):
    _held(1, tmp_path / "one")  # what is loaded once
    few, many = _least_held(_FEW, tmp_path / "few"), _least_held(_MANY, tmp_path / "many")

    assert (many - few) / (_MANY - _FEW) < _MOST_HELD


def test_a_file_too_large_to_be_cut_is_compared_as_a_whole_and_the_report_says_so(tmp_path: Path):
    padding = bytes(MOST_OF_ONE)

    def layer(run: PlannedRun) -> bytes:
        umask = run.level("umask")
        end = umask.value.encode() if umask else b""
        return _archive(run, {"srv/large": padding + end, "srv/small": end})

    report = explained(layer, tmp_path)

    told = {d.path: f for f in report.findings for d in f.differences if d.aspect is Aspect.CONTENT}
    said = [evidence.detail for evidence in told["srv/large"].evidence]
    assert any("of 1 of these files, the runs were compared as a whole" in one for one in said)
    assert told["srv/large"].factors[0].factor == "umask"


def test_only_what_is_kept_whole_is_cut(tmp_path: Path):
    run = PlannedRun(name="run", role=Role.VARIANT, levels=())
    for size, uncut in ((1, False), (MOST_OF_ONE + 1, True)):
        kept = Kept(left=tmp_path / "a", right=tmp_path / "b", left_size=1, right_size=size)
        kept.left.write_bytes(b"a")
        kept.right.write_bytes(b"b")
        one = Difference(layer=0, path="f", aspect=Aspect.CONTENT, left="x", right="y")
        seen = Observations(run, real=0)
        seen.add(run, frozenset({"umask"}), [one], {("x", "y"): kept})

        (decoded,) = seen.decode(("umask",)).values()
        assert [followed.factor for followed in decoded.followed] == ["umask"]
        assert bool(seen.uncut) is uncut


def test_of_a_large_file_without_a_clue_it_is_said_how_much_was_read(tmp_path: Path):
    for size, said in ((1, []), (MOST_OF_ONE + 1, ["of files as large as f, the first 128 MiB"])):
        kept = Kept(left=tmp_path / "a", right=tmp_path / "b", left_size=1, right_size=size)
        kept.left.write_bytes(b"\0a")
        kept.right.write_bytes(b"\0b")
        one = Difference(layer=0, path="f", aspect=Aspect.CONTENT, left="x", right="y")
        (finding,) = attribute([one], {("x", "y"): kept}, Scene())

        assert finding.cause.slug == "unexplained"
        assert [e.detail.removesuffix(" are read") for e in finding.evidence] == said


def test_what_stands_under_a_place_that_was_told_of_still_stands_there(tmp_path: Path):
    mode = Difference(layer=0, path="srv", aspect=Aspect.MODE, left="0644", right="0664")
    upper = replace(mode, layer=1)

    told = attribution([mode, upper], {}, Scene(told={mode.place}), {}).findings
    assert {d.place for finding in told for d in finding.differences} == {mode.place, upper.place}
    assert attribution([mode], {}, Scene(told={mode.place}), {}).findings == ()
