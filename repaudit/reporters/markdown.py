"""Markdown for a pull request or a job's summary, as GitHub and GitLab render it.

GitHub drops a step summary of more than 1 MiB whole, so what does not fit is counted instead.
What an image or a stranger's report holds stands in `<code>`, with each character that could mean
something to Markdown as an entity (CommonMark 0.31, section 2.5), or in a fence that is longer
than any within.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from repaudit.model.difference import Difference
from repaudit.model.finding import Finding
from repaudit.model.report import Report
from repaudit.reporters._ranks import Ranked, ranked, summary
from repaudit.reporters._words import (
    COPIED,
    Naming,
    about,
    blame,
    change,
    conclusion,
    copied,
    count,
    cut,
    edit,
    naming,
    pieces,
    scope,
    seen,
    subject,
    tried,
    written_by,
)
from repaudit.reporters.interface import Reporter, Surface

#: Bytes, with room for what else a job writes into its summary.
MOST_BYTES = 900_000
_MOST_FILES = 20
_MOST_DETAIL = 40
_MOST_EVIDENCE = 3
#: What Markdown would see, and GitHub and GitLab: links, mentions, formulas, emoji.
_MEANS_SOMETHING = re.compile(r"[\\`*_\[\]<>#|&$~@]|:(?=//)|www\.")
_IN_PROSE = re.compile(rf"{_MEANS_SOMETHING.pattern}|:(?=\w)")
_SUMMARY = "| findings | places | cause | |\n| ---: | ---: | --- | --- |"
_HEAD = "| factor | cause | line | files | finding |\n| --- | --- | --- | --- | --- |\n"


class _Markdown:
    name = "markdown"
    summary = "Markdown for a job's summary or a pull request, below 1 MiB"

    def render(self, report: Report, surface: Surface) -> bytes:
        call = naming(report)
        head = "\n".join(_header(report, call))
        groups = ranked(report)
        findings = [finding for group in groups for finding in group.findings]
        table = _fitting((_row(one, call) for one in findings), MOST_BYTES // 2)
        blocks = _fitting(_blocks(groups, call), MOST_BYTES - len(_bytes(head + "".join(table))))
        text = head + (f"\n{_HEAD}{''.join(table)}" if table else "")
        if len(table) < len(findings):
            text += f"\n{count(len(findings) - len(table), 'more finding')}: see --format json.\n"
        text += "".join(blocks)
        if len(blocks) < len(findings):
            text += f"\n{count(len(findings) - len(blocks), 'finding')} without details here.\n"
        return _bytes(text)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _fitting(parts: Iterable[str], most: int) -> list[str]:
    """Return the first parts that take at most `most` bytes together."""
    kept = []
    for part in parts:
        most -= len(_bytes(part))
        if most < 0:
            break
        kept.append(part)
    return kept


def _code(text: str, length: int = 160) -> str:
    """Return `text` as code that nothing in it can leave."""
    return f"<code>{_MEANS_SOMETHING.sub(_entity, cut(text, length))}</code>"


def _plain(text: str) -> str:
    return _IN_PROSE.sub(_entity, cut(text, 600))


def _prose(text: str) -> str:
    """Return a sentence of the catalogue; a stranger's report may hold anything there as well."""
    return "".join(_code(part, 400) if is_code else _plain(part) for is_code, part in pieces(text))


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0][0])};{found[0][1:]}"


def _header(report: Report, call: Naming) -> Iterator[str]:
    yield f"### {report.verdict}: {_code(subject(report))}\n"
    yield from (f"{_plain(sentence)}\n" for sentence in conclusion(report))
    if lines := summary(report, call):
        yield _SUMMARY
        for line in lines:
            told = _plain(cut(line.told, 300))
            yield f"| {line.findings} | {line.places} | {_plain(line.cause)} | {told} |"
        yield ""
    for name, value in scope(report):
        exact = name in {"built by", "runs"}
        yield f"* **{name}** {_code(value, 2_000) if exact else _prose(value)}"
    yield ""


def _row(finding: Finding, call: Naming) -> str:
    where = finding.instruction
    cells = (
        _plain(blame(finding)),
        _plain(finding.cause.title),
        _code(f"{where.file}:{where.line}", 80) if where else "the image as a whole",
        _files(finding, call),
        _code(finding.id, 40),
    )
    return f"| {' | '.join(cells)} |\n"


def _files(finding: Finding, call: Naming) -> str:
    paths = list(dict.fromkeys(map(call, finding.differences)))
    more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
    return ", ".join(_code(path, 80) for path in paths[:2]) + more


def _blocks(groups: Iterable[Ranked], call: Naming) -> Iterator[str]:
    shown: set[Difference] = set()
    for group in groups:
        for finding in group.findings:
            yield "\n".join(_block(finding, shown, call))


def _block(finding: Finding, shown: set[Difference], call: Naming) -> Iterator[str]:
    where = finding.instruction
    place = _code(f"{where.file}:{where.line}  {where.text}") if where else "the image as a whole"
    yield f"\n<details><summary>{_plain(finding.cause.title)}: {place}</summary>\n"
    yield f"**Fix** {_prose(finding.cause.remedy)}\n"
    if copied(finding):
        yield f"**Note** {COPIED}\n"
    if changes := edit(finding.fix):
        yield _fence(changes)
    if finding.fix and (told := tried(finding.fix)):
        yield f"{_plain(told)}\n"
    if wrote := written_by(finding):
        yield f"**Written by** {_code(wrote, 300)}\n"
    for detail in seen(finding)[:_MOST_EVIDENCE]:
        yield f"* seen: {_code(detail, 400)}"
    for difference in finding.differences[:_MOST_FILES]:
        told = _plain(f"{about(difference)} {change(difference)}".rstrip())
        yield f"* {_code(call(difference))} {told}"
        if difference.detail and not difference.derived_from and difference not in shown:
            yield _fence(difference.detail)
        shown.add(difference)
    if len(finding.differences) > _MOST_FILES:
        yield f"* … and {len(finding.differences) - _MOST_FILES} more (all in --format json)"
    yield "\n</details>\n"


def _fence(detail: str) -> str:
    lines = detail.rstrip("\n").split("\n")
    shown = [cut(line, 200) for line in lines[:_MOST_DETAIL]]
    shown += ["…"] if len(lines) > _MOST_DETAIL else []
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(("", f"  {fence}diff", *(f"  {line}" for line in shown), f"  {fence}", ""))


REPORTER: Reporter = _Markdown()
