"""The sentences that several formats share, so that all say the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from functools import partial

from repaudit.model.difference import Aspect, Difference
from repaudit.model.finding import Confidence, Finding, Fix, FixOutcome
from repaudit.model.report import Report, RunRecord, Verdict
from repaudit.model.text import printable

_DIGEST = re.compile(r"\w+:\w+")
_FROM_STAGE = re.compile(r"(?i)(copy|add)\s(.*\s)?--from=")
_TRIED = {
    FixOutcome.GONE: "with this edit the difference is gone",
    FixOutcome.PARTLY: "with this edit the difference is gone in part",
    FixOutcome.UNNEEDED: "this edit is not needed",
    FixOutcome.REMAINS: "the difference remains",
    FixOutcome.BREAKS: "this edit breaks the build",
    FixOutcome.UNTRIED: "not tried",
}
_WITH_OTHERS = "with this edit and others the difference is gone"
#: What gives a place its name.
Naming = Callable[[Difference], str]
#: What a person is told of a file that came along from another stage.
COPIED = "copied from another stage: the fix belongs to the line that made it"


def cut(text: str, length: int) -> str:
    """Return `text` printable and at most `length` characters long."""
    shown = printable(text)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: one file, two files."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def subject(report: Report) -> str:
    """Return what was audited, and how it was built."""
    about = report.subject
    if about.left is not None:
        return f"{about.left} against {about.right}"
    clamp = "bare" if about.timestamp is None else f"times clamped to {about.timestamp}"
    return f"{about.containerfile} ({about.builder}, {clamp})"


def _run(run: RunRecord) -> str:
    made = f"{run.name} {(run.image or run.outcome)[:19]}"
    return f"{made} ({count(run.skipped, 'equal step')} not run again)" if run.skipped else made


def scope(report: Report) -> Iterator[tuple[str, str]]:
    """Yield what the verdict rests on, and what it does not reach."""
    if report.subject.command:
        yield "built by", command(report)
    if report.runs:
        yield "runs", ", ".join(map(_run, report.runs))
        yield "varied", " ".join(report.varied) or "nothing"
    yield from limits(report)
    for problem in report.problems:
        yield "problem", problem.message
        if problem.hint:
            yield "way out", problem.hint


def command(report: Report) -> str:
    """Return what builds the image without repaudit, as a shell takes it; "" if not known."""
    return shlex.join(report.subject.command or ())


def limits(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the factors that were not varied, by reason, and how far the varied ones reached."""
    grouped: dict[str, list[str]] = {}
    for held in report.held:
        grouped.setdefault(held.reason, []).append(held.factor)
    for reason, factors in grouped.items():
        yield "held", f"{' '.join(factors)}: {reason}"
    for limit in report.limits:
        yield "limit", f"{limit.factor}: {limit.reason}"
    for view in report.views:
        yield "view", f"{view.platform}: {view.view}, as {view.reason}"
    for same in report.same:
        yield "same", f"{same.platform}: the image itself, {same.digest}"
    if report.unread:
        its = "its digest is" if report.unread == 1 else "their digests are"
        yield "not compared", f"{count(report.unread, 'layer')}, as {its} the same on both sides"
    for untold in report.untold:
        yield "not told", untold
    if report.ignored:
        yield "ignored", ", ".join(f"{some.count} {some.kind}" for some in report.ignored)


def conclusion(report: Report) -> Iterator[str]:
    """Yield what the verdict comes to, and what it does not say."""
    if report.verdict is Verdict.REPRODUCIBLE and report.runs:
        yield (
            f"The image is the same in {len(report.runs)} runs on this host, under the factors "
            "varied above. Other factors, other hosts and later downloads were not tried."
        )
        if report.bound:
            yield (
                f"Chance that changes up to {report.bound.rate:.0%} of builds may have been missed "
                f"by {count(report.bound.runs, 'run')} beside the control (95 % confidence)."
            )
    elif report.verdict is Verdict.UNREPRODUCIBLE:
        differences = {d.place: d for finding in report.findings for d in finding.differences}
        own = {d.place for f in report.findings for d in f.differences if not d.derived_from}
        follow = len(differences.keys() - own)
        derived = f", {follow} of which only follow from another" if follow else ""
        unexplained = sum(
            finding.confidence is Confidence.UNEXPLAINED for finding in report.findings
        )
        yield (
            f"{count(len(report.findings), 'finding')} ({unexplained} unexplained), "
            f"{count(len(differences), 'difference')}{derived}."
        )
        if report.same and all(map(_beside_images, differences.values())):
            its = "image is" if len(report.same) == 1 else "images are"
            yield f"The {its} the same on both sides; the index around, and so its digest, is not."


def _beside_images(difference: Difference) -> bool:
    return difference.layer is None and f"{difference.path}/".startswith("/index/")


def blame(finding: Finding) -> str:
    """Return the factors that a finding blames, and how surely."""
    suspects = ", ".join(suspect.factor for suspect in finding.factors)
    return f"{suspects} ({finding.confidence})" if suspects else str(finding.confidence)


def copied(finding: Finding) -> bool:
    """Whether a finding's line only brought in what an earlier stage made, as far as is known."""
    where = finding.instruction
    return where is not None and not finding.process and bool(_FROM_STAGE.match(where.text))


def seen(finding: Finding) -> tuple[str, ...]:
    """Return what the detectors saw, each once; what a trial showed stands with the fix."""
    return tuple(dict.fromkeys(one.detail for one in finding.evidence if one.source != "fix"))


def written_by(finding: Finding) -> str:
    """Return the command line of the process that wrote, "" where none is known."""
    return shlex.join(finding.process.argv) if finding.process else ""


def edit(fix: Fix | None) -> str:
    """Return the hunks of a fix without the names of both files, "" where it is no edit."""
    return "".join((fix.edit or "").splitlines(keepends=True)[2:]) if fix else ""


def tried(fix: Fix) -> str:
    """Return what came of a fix, or why there is none; "" where there is nothing to say."""
    if not fix.outcome and not fix.reason:
        return ""
    said = _TRIED[fix.outcome] if fix.outcome else "no edit"
    if fix.outcome is FixOutcome.GONE and fix.reason:  # then others may have had a part in it
        said = _WITH_OTHERS
    return f"{said}: {fix.reason}" if fix.reason else said


def naming(report: Report) -> Naming:
    """Return how places are called: with the layer where only that tells them apart.

    A line of a Containerfile says more than a number, but two images that exist have none.
    """
    layers = {d.layer for f in report.findings for d in f.differences} - {None}
    return partial(called, layered=report.subject.left is not None and len(layers) > 1)


def called(difference: Difference, *, layered: bool = False) -> str:
    """Return what a place is called, with the platform of one of several images."""
    layer = None if difference.layer is None else f"layer {difference.layer}"
    name = difference.path or ("" if layer else "the documents of the image")
    within = [difference.platform, layer if layered or not name else None]
    return ": ".join(filter(None, (", ".join(filter(None, within)), name)))


def about(difference: Difference) -> str:
    """Return the word for what differs at a place."""
    return "encoding" if _spelled_otherwise(difference) else difference.aspect.value


def _spelled_otherwise(difference: Difference) -> bool:
    """Whether two digests are all that differs; a layer's blob has its media type before it."""
    sides = (difference.left or "", difference.right or "")
    return difference.aspect is Aspect.COMPRESSION and all(map(_DIGEST.fullmatch, sides))


def change(difference: Difference) -> str:
    """Return in one phrase how both sides differ; "" where only the content would tell."""
    if difference.derived_from:
        root, *others = difference.derived_from
        if root == difference.path:
            return "as it is in a layer below"
        more = f" and {count(len(others), 'other file')}" if others else ""
        return f"follows from {root}{more}"
    if difference.detail:
        return ""
    if difference.aspect is Aspect.PRESENCE:
        side = "right" if difference.left is None else "left"
        what = difference.right if difference.left is None else difference.left
        return f"only on the {side}" + ("" if what in {None, "present"} else f": {_short(what)}")
    if difference.aspect is Aspect.CONTENT:
        return ""
    values = f"{_short(difference.left)} → {_short(difference.right)}"
    if _spelled_otherwise(difference):
        what = "documents" if difference.layer is None else "entries"
        how = "white space, key order" if difference.layer is None else "tar format, padding"
        return f"the same {what}, written otherwise ({how}): {values}"
    return values


def _short(value: str | None) -> str:
    return "none" if value is None else cut(value, 80)


def source(report: Report, finding: Finding | None = None) -> tuple[str, int] | None:
    """Return the file in the repository and the line to point at, None where none is known.

    What concerns the whole image points at the Containerfile's first line.
    """
    where = finding.instruction if finding else None
    file = where.file if where else report.subject.containerfile
    folder = report.subject.folder
    path = printable(f"{folder}/{file}" if folder else file or "").strip("/")
    return (path, max(where.line, 1) if where else 1) if path else None


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the parts of a sentence of the catalogue: whether it is code, and its words."""
    parts = text.split("`")
    even = len(parts) % 2 == 1  # else a backtick has no partner, and nothing is code
    yield from ((bool(n % 2), part) for n, part in enumerate(parts if even else [text]) if part)


def distinct(report: Report, factor: str) -> tuple[str, ...]:
    """Return the levels that the runs gave a factor, in the order in which they turn up."""
    return tuple(dict.fromkeys(run.levels[factor] for run in report.runs if factor in run.levels))
