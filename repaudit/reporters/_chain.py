"""The causal chain as a drawing: factor, then the process or line that wrote, then the file."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from repaudit.model.finding import Confidence, Finding
from repaudit.model.report import Report
from repaudit.reporters._matrix import NO_FACTOR
from repaudit.reporters._ranks import in_order
from repaudit.reporters._words import count, cut, naming, written_by

ROW = 26
COLUMNS = (1, 180, 640)
WIDTHS = (130, 370, 358)
WIDTH = 1000
#: Where a letter is this wide, a text that fits its box has so many of them.
_LETTER = 7.25
#: Files of one step that are drawn by name, and boxes of a column in all.
_MOST_FILES = 4
_MOST_BOXES = 36
_MOST_LINKS = 300


class Link(Struct, frozen=True, kw_only=True):
    """What leads from a factor over a step to a file; the twin of the drawing is a list of them."""

    factor: str
    step: str
    files: tuple[str, ...]
    confidence: Confidence


class Box(Struct, frozen=True, kw_only=True):
    """A text in a frame; `x` and `y` are its left edge and its middle, in pixels."""

    x: int
    y: int
    width: int
    text: str


class Line(Struct, frozen=True, kw_only=True):
    """An SVG path from one box to another."""

    path: str
    confidence: Confidence


class Chain(Struct, frozen=True, kw_only=True):
    """The links, and their drawing of `height` pixels; `left_out` steps had no room in it."""

    links: tuple[Link, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    height: int
    left_out: int
    more_links: int


def chain(report: Report) -> Chain:
    """Return what leads from factors to files."""
    links = list(_links(report))
    steps: dict[str, list[Link]] = {}
    for link in links:
        steps.setdefault(link.step, []).append(link)
    files = {name: _files(some) for name, some in steps.items()}
    drawn: list[str] = []
    room = _MOST_BOXES
    for name in steps:
        room -= max(len(files[name]), 1)
        if room < 0:
            break
        drawn.append(name)
    boxes, lines = _drawing([link for name in drawn for link in steps[name]], drawn, files)
    return Chain(
        links=tuple(links[:_MOST_LINKS]),
        boxes=boxes,
        lines=lines,
        height=max((box.y for box in boxes), default=0) + ROW,
        left_out=len(steps) - len(drawn),
        more_links=max(len(links) - _MOST_LINKS, 0),
    )


def step(finding: Finding) -> str:
    """Return what wrote a finding's files: the process if it was traced, and the line."""
    where = finding.instruction
    wrote = written_by(finding) or (where.text if where else "")
    line = f"line {where.line}: " if where else ""
    return f"{line}{wrote}" or "the builder"


def _links(report: Report) -> list[Link]:
    found: dict[tuple[str, str, Confidence], dict[str, None]] = {}
    call = naming(report)
    lines = sorted(report.findings, key=lambda f: f.instruction.line if f.instruction else 1 << 30)
    for finding in lines:
        names = [call(d) for d in finding.differences if not d.derived_from]
        suspects = [(s.factor, s.confidence) for s in finding.factors]
        for factor, sure in suspects or [(NO_FACTOR, finding.confidence)]:
            found.setdefault((factor, step(finding), sure), {}).update(dict.fromkeys(names))
    return [
        Link(factor=factor, step=where, files=tuple(names), confidence=sure)
        for (factor, where, sure), names in found.items()
    ]


def _files(links: Sequence[Link]) -> list[str]:
    """Return the files of one step, the last of many as a count."""
    names = list(dict.fromkeys(name for link in links for name in link.files))
    if len(names) <= _MOST_FILES:
        return names
    return [*names[: _MOST_FILES - 1], f"and {count(len(names) - _MOST_FILES + 1, 'more file')}"]


def _drawing(
    links: Sequence[Link], steps: Sequence[str], files: dict[str, list[str]]
) -> tuple[tuple[Box, ...], tuple[Line, ...]]:
    boxes: dict[tuple[int, str, str], Box] = {}
    y = ROW
    for name in steps:
        rows = max(len(files[name]), 1)
        boxes[1, name, ""] = _box(1, y + (rows - 1) * ROW // 2, name)
        for number, file in enumerate(files[name]):
            boxes[2, name, file] = _box(2, y + number * ROW, file)
        y += rows * ROW + ROW // 2
    factors = in_order({link.factor for link in links})
    height = max(y, len(factors) * ROW)
    for number, factor in enumerate(factors):
        boxes[0, factor, ""] = _box(
            0, ROW + (2 * number + 1) * height // (2 * len(factors)), factor
        )
    lines: dict[str, Line] = {}
    for link in links:
        middle = boxes[1, link.step, ""]
        ways = [(boxes[0, link.factor, ""], middle)]
        for name in link.files:
            last = (2, link.step, files[link.step][-1])
            ways.append((middle, boxes.get((2, link.step, name), boxes[last])))
        for start, end in ways:
            lines.setdefault(
                _curve(start, end), Line(path=_curve(start, end), confidence=link.confidence)
            )
    return tuple(boxes.values()), tuple(lines.values())


def _box(column: int, y: int, text: str) -> Box:
    shown = cut(text, int((WIDTHS[column] - 14) / _LETTER))
    return Box(x=COLUMNS[column], y=y, width=14 + round(len(shown) * _LETTER), text=shown)


def _curve(start: Box, end: Box) -> str:
    x, to = start.x + start.width, end.x
    half = (x + to) // 2
    return f"M{x} {start.y}C{half} {start.y} {half} {end.y} {to} {end.y}"
