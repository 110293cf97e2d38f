"""The gate's answer in words, and as a page with the trend of each image over its nights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from repaudit.model.gate import Change, GateResult, Judgement, Point, State, Told
from repaudit.model.history import Light, Source
from repaudit.reporters._page import page

_SHORT = 12
#: The drawing, in pixels: where it ends, where nights begin and end, how high bars are, how wide.
_WIDTH, _LEFT, _RIGHT = 720, 34, 706
_CEILING, _HIGHEST, _WIDEST = 14, 114, 44
_MARKS = {Light.GREEN: "✓", Light.RED: "✗", Light.INCONCLUSIVE: "?"}
_MOST_ROWS = 200


def word(change: Change) -> str:
    """Return what became of a finding, in one word."""
    if change.excuse is None or change.state is State.GONE:
        return change.state.value
    return "allowed" if change.excuse.by == "allow" else "known"


def details(change: Change) -> Iterator[str]:
    """Yield what else is to be said of a finding, a line each."""
    if change.excuse is not None and change.excuse.until is not None:
        yield f"until {change.excuse.until}, {change.excuse.owner}: {change.excuse.reason}"
    yield from change.notes
    if change.flaky is not None:
        times = f"{change.flaky.seen} of {change.flaky.nights} nights since it was first there"
        yield f"flaky: seen on {times}"
    counts = change.excuse is None and change.state is not State.GONE
    if change.came is not None and counts:
        after, by = change.came.after, change.came.by
        yield f"came after {point(after)}, by {point(by)}"
        if after.source == by.source and after.source is not None and not after.source.dirty:
            yield "both are the same commit: what changed is not in the source"
    if change.remedy and counts:
        yield f"fix: {change.remedy}"


def point(one: Point) -> str:
    """Return words for a night and its commit."""
    return f"{number(one)} ({commit(one.source)})"


def number(one: Point) -> str:
    """Return words for a night."""
    return "tonight" if one.sequence is None else f"result {one.sequence}"


def commit(source: Source | None) -> str:
    """Return words for a commit."""
    if source is None:
        return "commit not known"
    return source.commit[:_SHORT] + (" and more: dirty tree" if source.dirty else "")


def gate_page(result: GateResult) -> bytes:
    """Return the page; the same result gives the same bytes."""
    return page(
        "gate.html",
        result=result,
        images=tuple(map(_image, result.images)),
        width=_WIDTH,
        ceiling=_CEILING,
        left=_LEFT,
        word=word,
        details=details,
        point=point,
        commit=commit,
    )


class _Night(Struct, frozen=True, kw_only=True):
    """A night as it is drawn and listed.

    `new` and `gone` count against the last night that could tell; None where this one could not,
    or none was before. `x` is the middle, `bar` the width; what counts stands from `top` down to
    `middle`, and what is excused from there to the floor.
    """

    told: Told
    name: str
    label: str
    mark: str
    x: float
    bar: float
    top: float
    middle: float
    new: int | None
    gone: int | None


class _Image(Struct, frozen=True, kw_only=True):
    """One image: its judgement, its nights, the most findings of one, where the bars stand, rows.

    A row is a finding with what each night told of it.
    """

    judgement: Judgement
    nights: tuple[_Night, ...]
    most: int
    floor: int
    rows: tuple[tuple[Change, tuple[str, ...]], ...]
    left_out: int


def _image(judgement: Judgement) -> _Image:
    told = judgement.nights
    most = max((len(night.counting) + len(night.excused) for night in told), default=0)
    floor = _CEILING + (_HIGHEST if most else 0)
    changes = judgement.changes[:_MOST_ROWS]
    return _Image(
        judgement=judgement,
        nights=tuple(_nights(told, most, floor)),
        most=most,
        floor=floor,
        rows=tuple((one, tuple(_seen(night, one.finding) for night in told)) for one in changes),
        left_out=len(judgement.changes) - len(changes),
    )


def _nights(told: Sequence[Told], most: int, floor: int) -> Iterator[_Night]:
    slot = min(_WIDEST, (_RIGHT - _LEFT) / max(len(told), 1))
    scale = _HIGHEST / max(most, 1)
    every = -(-len(told) // 15)  # so that labels do not run into each other
    known: set[str] | None = None
    for place, night in enumerate(told):
        ids, silent = {*night.counting, *night.excused}, _silent(night)
        middle = floor - scale * len(night.excused)
        shown = (len(told) - 1 - place) % every == 0
        name = number(night.point)
        yield _Night(
            told=night,
            name=name,
            label=name.rpartition(" ")[2] if shown else "",
            mark=_MARKS[night.light],
            x=_LEFT + slot * (place + 0.5),
            bar=slot * 0.62,
            top=middle - scale * len(night.counting),
            middle=middle,
            new=None if silent or known is None else len(ids - known),
            gone=None if silent or known is None else len(known - ids),
        )
        known = known if silent else ids


def _seen(night: Told, finding: str) -> str:
    if finding in night.counting:
        return "counted"
    if finding in night.excused:
        return "excused"
    return "not known" if _silent(night) else ""


def _silent(night: Told) -> bool:
    """Whether a night could tell of no finding, so that none is gone by it."""
    return night.light is Light.INCONCLUSIVE and not night.counting and not night.excused
