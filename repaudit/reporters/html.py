"""One HTML file for people: no script, nothing from elsewhere, readable on paper and by ear."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct

from repaudit.model.difference import Difference
from repaudit.model.finding import Finding
from repaudit.model.report import Report
from repaudit.reporters import _chain as chains
from repaudit.reporters import _matrix as matrix
from repaudit.reporters import _words as words
from repaudit.reporters._page import page
from repaudit.reporters._ranks import Ranked, ranked
from repaudit.reporters.interface import Reporter, Surface

#: What is shown in full; the rest is listed, and all of it is in the JSON.
_MOST_FULL = 150
_MOST_LISTED = 5_000
_MOST_PLACES = 12
_MOST_DETAIL = 30
_MOST_EVIDENCE = 4
#: Few findings are best read without a click.
_FEW = 8
_ID = re.compile(r"[0-9a-f]{12}")


class _Html:
    name = "html"
    summary = "one HTML file for people: no script, no network, fit for print"

    def render(self, report: Report, surface: Surface) -> bytes:
        return page(
            "report.html",
            report=report,
            call=words.naming(report),
            anchor=_anchor,
            causes=_causes(report),
            listed=report.findings[:_MOST_LISTED],
            heat=matrix.heat(report),
            layers=matrix.layers(report),
            runs=matrix.runs(report),
            run_factors=matrix.run_factors(report),
            chain=chains.chain(report),
            chains=chains,
        )


class _Place(Struct, frozen=True, kw_only=True):
    """One difference as it is shown: its lines, or the finding under which they stand already."""

    difference: Difference
    name: str
    about: str
    change: str
    lines: tuple[str, ...]
    again: str | None


class _Shown(Struct, frozen=True, kw_only=True):
    """One finding in full. `more` counts the places that are left out."""

    finding: Finding
    step: str
    wrote: str
    copied: bool
    edit: tuple[str, ...]
    tried: str
    seen: tuple[str, ...]
    places: tuple[_Place, ...]
    more: int
    open: bool


class _Cause(Struct, frozen=True, kw_only=True):
    """One cause with its findings in full, and the number of those that are only listed."""

    ranked: Ranked
    shown: tuple[_Shown, ...]
    listed: int


def _causes(report: Report) -> tuple[_Cause, ...]:
    known: dict[Difference, str] = {}
    room = _MOST_FULL
    causes = []
    for one in ranked(report):
        shown = tuple(
            _shown(finding, known, few=len(report.findings) <= _FEW)
            for finding in one.findings[:room]
        )
        room -= len(shown)
        causes.append(_Cause(ranked=one, shown=shown, listed=len(one.findings) - len(shown)))
    return tuple(causes)


def _shown(finding: Finding, known: dict[Difference, str], *, few: bool) -> _Shown:
    places = tuple(_places(finding, known))
    fix, edit = finding.fix, words.edit(finding.fix)
    return _Shown(
        finding=finding,
        step=words.cut(finding.instruction.text, 400) if finding.instruction else "",
        wrote=words.cut(words.written_by(finding), 300),
        copied=words.copied(finding),
        edit=tuple(_lines(edit)) if edit else (),
        tried=words.cut(words.tried(fix), 300) if fix else "",
        seen=tuple(words.cut(detail, 400) for detail in words.seen(finding)[:_MOST_EVIDENCE]),
        places=places,
        more=len(finding.differences) - len(places),
        open=few,
    )


def _places(finding: Finding, known: dict[Difference, str]) -> Iterator[_Place]:
    for difference in finding.differences[:_MOST_PLACES]:
        shows = bool(difference.detail) and not difference.derived_from
        again = known.get(difference) if shows else None
        yield _Place(
            difference=difference,
            name=words.cut(words.called(difference), 200),
            about=words.about(difference),
            change=words.cut(words.change(difference), 300),
            lines=tuple(_lines(difference.detail or "")) if shows and not again else (),
            again=again,
        )
        if shows:
            known.setdefault(difference, _anchor(finding))


def _lines(detail: str) -> Iterable[str]:
    lines = iter(detail.rstrip("\n").split("\n"))
    yield from (words.cut(line, 200) for line in islice(lines, _MOST_DETAIL))
    if next(lines, None) is not None:
        yield "…"


def _anchor(finding: Finding) -> str:
    """Return the name by which a finding is linked to; a stranger's id may be no name."""
    return f"finding-{finding.id}" if _ID.fullmatch(finding.id) else "findings"


REPORTER: Reporter = _Html()
