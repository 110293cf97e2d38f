"""JUnit XML, as Jenkins, GitLab and others read it: one case a factor, one a finding.

There is no schema that all readers share; what is written is the part that they have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from repaudit.model.finding import Finding
from repaudit.model.report import Report, Verdict
from repaudit.model.text import printable
from repaudit.reporters._ranks import in_order
from repaudit.reporters._words import (
    Naming,
    about,
    blame,
    change,
    count,
    cut,
    edit,
    limits,
    naming,
    scope,
    source,
    tried,
)
from repaudit.reporters._words import subject as named
from repaudit.reporters.interface import Reporter, Surface

_MOST_FILES = 50
_MOST_DETAIL = 12


class _JUnit:
    name = "junit"
    summary = "JUnit XML: one test case a factor, and one a finding"

    def render(self, report: Report, surface: Surface) -> bytes:
        root = Element("testsuites", name="repaudit")
        suite = SubElement(root, "testsuite", name=printable(f"repaudit {named(report)}"))
        properties = SubElement(suite, "properties")
        for name, value in (("verdict", report.verdict.value), *scope(report)):
            SubElement(properties, "property", name=name, value=printable(value))
        for case in _cases(report):
            suite.append(case)
        totals = {"tests": "testcase", "failures": "*/failure", "errors": "*/error"}
        for element in (root, suite):
            for name, path in {**totals, "skipped": "*/skipped"}.items():
                element.set(name, str(len(suite.findall(path))))
        indent(root)
        return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _cases(report: Report) -> Iterator[Element]:
    yield _verdict(report)
    blamed: dict[str, list[str]] = {}
    for finding in report.findings:
        for suspect in finding.factors:
            blamed.setdefault(suspect.factor, []).append(finding.id)
    for factor in in_order({*report.varied, *blamed}):
        told = blamed.get(factor)
        yield _case(
            "factor",
            factor,
            kind="failure" if told else "",
            message=f"the image follows it in {count(len(told or ()), 'finding')}",
            text=" ".join(told or ()),
        )
    for held in report.held:
        if held.factor not in blamed:
            yield _case("factor", held.factor, kind="skipped", message=f"held: {held.reason}")
    call = naming(report)
    for finding in report.findings:
        yield _finding(report, finding, call)


def _verdict(report: Report) -> Element:
    kinds = {Verdict.UNREPRODUCIBLE: "failure", Verdict.INCONCLUSIVE: "error"}
    told = [line for problem in report.problems for line in (problem.message, problem.hint)]
    open_ = report.problems if report.verdict is Verdict.INCONCLUSIVE else ()
    message = open_[0].message if open_ else report.verdict.value
    told += [f"{name}  {value}" for name, value in limits(report)]
    return _case(
        "verdict",
        "verdict",
        kind=kinds.get(report.verdict, ""),
        message=message,
        text="\n".join(map(printable, told)),
    )


def _finding(report: Report, finding: Finding, call: Naming) -> Element:
    # Readers follow a case by its name from night to night, so no line number is in it.
    case = _case(
        "finding",
        f"{finding.cause.slug} {finding.id}",
        kind="failure",
        message=f"{finding.cause.title} [{blame(finding)}]",
        text="\n".join(_lines(finding, call)),
    )
    where = source(report, finding)
    if where:
        case.set("file", where[0])
        case.set("line", str(where[1]))
    return case


def _lines(finding: Finding, call: Naming) -> Iterator[str]:
    where = finding.instruction
    yield cut(f"{where.file}:{where.line}  {where.text}", 300) if where else "the image as a whole"
    for difference in finding.differences[:_MOST_FILES]:
        told = f"{call(difference)}  {about(difference)}  {change(difference)}"
        yield cut(told.rstrip(), 300)
        if difference.detail and not difference.derived_from:
            lines = difference.detail.rstrip("\n").split("\n")
            yield from (f"  {cut(line, 160)}" for line in lines[:_MOST_DETAIL])
    if len(finding.differences) > _MOST_FILES:
        yield f"… and {len(finding.differences) - _MOST_FILES} more (all in --format json)"
    yield f"fix: {printable(finding.cause.remedy)}"
    if finding.fix:
        yield from (f"  {cut(line, 160)}" for line in edit(finding.fix).splitlines())
        yield printable(tried(finding.fix))


def _case(group: str, name: str, *, kind: str, message: str = "", text: str = "") -> Element:
    # No build of a report has a length in it, and some readers want the attribute.
    case = Element("testcase", classname=f"repaudit.{group}", name=printable(name), time="0")
    if kind:
        told = SubElement(case, kind, message=printable(message))
        if kind != "skipped":
            told.set("type", group)
        told.text = text or None
    return case


REPORTER: Reporter = _JUnit()
