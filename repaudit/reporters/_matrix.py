"""Tables that are pictures: factor by file, run by factor, layer by size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from repaudit.model.difference import Place
from repaudit.model.experiment import Role
from repaudit.model.finding import Confidence
from repaudit.model.report import Report, RunRecord
from repaudit.reporters._ranks import in_order
from repaudit.reporters._words import called

#: What stands over the column of findings that blame no factor.
NO_FACTOR = "no factor"
_CONFIDENCES = list(Confidence)
#: Files of one pattern that are shown by name, and rows in all.
_MOST_ALIKE = 6
_MOST_ROWS = 200


class HeatRow(Struct, frozen=True, kw_only=True):
    """One file, and the confidence with which each factor is blamed; None where it is not.

    `more` counts the files after it that show the same and are left out.
    """

    layer: int | None
    path: str
    cells: tuple[Confidence | None, ...]
    more: int = 0


class Heat(Struct, frozen=True, kw_only=True):
    """The heat map. `left_out` counts the rows for which there was no room."""

    factors: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    files: int
    left_out: int


def heat(report: Report) -> Heat:
    """Return which file follows which factor; files that follow the same stand together."""
    cells: dict[tuple[int | None, str], dict[str, Confidence]] = {}
    for finding in report.findings:
        blamed = {suspect.factor: suspect.confidence for suspect in finding.factors}
        for difference in finding.differences:
            if difference.derived_from:
                continue
            cell = cells.setdefault((difference.layer, called(difference)), {})
            for factor, sure in (blamed or {NO_FACTOR: finding.confidence}).items():
                cell[factor] = min(sure, cell.get(factor, sure), key=_CONFIDENCES.index)
    seen = {factor for cell in cells.values() for factor in cell}
    factors = in_order({*report.varied, *seen} - {NO_FACTOR})
    factors += (NO_FACTOR,) if NO_FACTOR in seen else ()
    rows = [
        HeatRow(layer=layer, path=path, cells=tuple(map(cell.get, factors)))
        for (layer, path), cell in cells.items()
    ]
    shown = list(_alike(sorted(rows, key=_pattern)))
    return Heat(
        factors=factors,
        rows=tuple(shown[:_MOST_ROWS]),
        files=len(rows),
        left_out=sum(1 + row.more for row in shown[_MOST_ROWS:]),
    )


def _pattern(row: HeatRow) -> tuple[tuple[int, ...], int, str]:
    empty = len(_CONFIDENCES)
    marks = tuple(empty if c is None else _CONFIDENCES.index(c) for c in row.cells)
    return (marks, -1 if row.layer is None else row.layer, row.path)


def _alike(rows: Iterable[HeatRow]) -> Iterable[HeatRow]:
    """Yield the rows, of many that show the same in one layer only the first."""
    for _, group in groupby(rows, key=lambda row: (row.cells, row.layer)):
        same = list(group)
        if len(same) <= _MOST_ALIKE:
            yield from same
            continue
        yield from same[: _MOST_ALIKE - 2]
        last = same[_MOST_ALIKE - 2]
        yield HeatRow(
            layer=last.layer,
            path=last.path,
            cells=last.cells,
            more=len(same) - (_MOST_ALIKE - 1),
        )


class RunRow(Struct, frozen=True, kw_only=True):
    """One run: for each factor its level, and whether that is not the control's.

    `image` is the letter that stands for its image: runs of one letter made the same. `trial`
    runs had the fixes in.
    """

    run: RunRecord
    levels: tuple[tuple[str, bool], ...]
    image: str
    trial: bool


def run_factors(report: Report) -> tuple[str, ...]:
    """Return the factors that some run has a level of."""
    return in_order({factor for run in report.runs for factor in run.levels})


def runs(report: Report) -> tuple[RunRow, ...]:
    """Return the runs in their order."""
    control = next((run.levels for run in report.runs if run.role is Role.CONTROL), {})
    made = (*report.runs, *report.trial)
    letters = _letters([run.image for run in made if run.image])
    return tuple(
        RunRow(
            run=run,
            levels=tuple(
                (run.levels.get(f, ""), run.levels.get(f) != control.get(f))
                for f in run_factors(report)
            ),
            image=letters.get(run.image or "", ""),
            trial=number >= len(report.runs),
        )
        for number, run in enumerate(made)
    )


def _letters(images: Sequence[str]) -> dict[str, str]:
    """Return A, B, … Z, AA for the images in the order in which they turn up."""
    found: dict[str, str] = {}
    for image in images:
        number, letters = len(found) + 1, ""
        while number:
            number, digit = divmod(number - 1, 26)
            letters = chr(ord("A") + digit) + letters
        found.setdefault(image, letters)
    return found


class LayerRow(Struct, frozen=True, kw_only=True):
    """One layer: `share` of the largest one's size, from 0 to 1, and the places that differ."""

    index: int
    size: int
    share: float
    line: str
    places: int


def layers(report: Report) -> tuple[LayerRow, ...]:
    """Return the layers from the base up."""
    largest = max((layer.size for layer in report.layers), default=0) or 1
    differing: dict[int | None, set[Place]] = {}
    for finding in report.findings:
        for difference in finding.differences:
            differing.setdefault(difference.layer, set()).add(difference.place)
    return tuple(
        LayerRow(
            index=layer.index,
            size=layer.size,
            share=layer.size / largest,
            line=f"{layer.instruction.line}  {layer.instruction.text}" if layer.instruction else "",
            places=len({path for _, path, _ in differing.get(layer.index, ())}),
        )
        for layer in sorted(report.layers, key=lambda layer: layer.index)
    )
