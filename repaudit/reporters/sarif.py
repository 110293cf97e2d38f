"""SARIF 2.1.0: alerts on the lines of the Containerfile, as GitHub code scanning takes them.

Format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/; what GitHub reads of it, and its limits:
"SARIF support for code scanning" in its documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from urllib.parse import quote

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from repaudit import __version__
from repaudit.model.canonical import to_json
from repaudit.model.difference import Difference
from repaudit.model.finding import Cause, Finding, Fix
from repaudit.model.report import Problem, Report, Verdict
from repaudit.model.text import printable
from repaudit.reporters._ranks import ranked
from repaudit.reporters._words import blame, called, change, count, cut, scope, source
from repaudit.reporters.interface import Reporter, Surface

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
#: GitHub takes no more results of one run, and no longer descriptions.
_MOST_RESULTS = 25_000
_MOST_TEXT = 1_000
_MOST_FILES = 10
#: A link in a message is `[text](target)`; a name of a file shall not become one (section 3.11.6).
_LITERAL = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]"})
_Object = dict[str, object]


class _Sarif:
    name = "sarif"
    summary = "SARIF 2.1.0 for code scanning, on lines of the Containerfile"

    def render(self, report: Report, surface: Surface) -> bytes:
        return to_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report)]})


def _run(report: Report) -> _Object:
    placed: list[Finding] = []
    left_out: list[Finding] = []
    for finding in report.findings:
        # A comparison of two images knows no source, and an alert needs a line.
        room = len(placed) < _MOST_RESULTS and source(report, finding)
        (placed if room else left_out).append(finding)
    rules: dict[str, Cause] = {}
    for one in ranked(report):
        rules.setdefault(one.cause.slug, one.cause)
    numbers = {slug: number for number, slug in enumerate(rules)}
    return {
        "tool": {
            "driver": {
                "name": "repaudit",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": list(map(_rule, rules.values())),
            }
        },
        # Alerts of another image's run stay open: up to the last slash it is GitHub's category.
        "automationDetails": {"id": _category(report)},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report, left_out)],
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The repository's root."}}},
        "results": [_result(report, finding, numbers) for finding in placed],
        "properties": {
            "verdict": report.verdict.value,
            "scope": [f"{name}: {printable(value)}" for name, value in scope(report)],
        },
    }


def _category(report: Report) -> str:
    about = report.subject
    place = about.folder if about.folder is not None else about.context
    parts = ("repaudit", place, about.containerfile or about.left)
    return "".join(f"{quote(printable(part))}/" for part in parts if part)


def _rule(cause: Cause) -> _Object:
    title = _told(cause.title)
    rule: _Object = {
        "id": printable(cause.slug),
        "shortDescription": {"text": title},
        "fullDescription": {"text": f"{title}: the image differs from build to build."},
        "help": {"text": _told(cause.remedy), "markdown": _told(cause.remedy)},
        # The image differs; only why is more or less sure, and that stands in each message.
        "defaultConfiguration": {"level": "error"},
        "properties": {
            "tags": ["reproducibility"],
            "precision": "very-high",
            "problem.severity": "error",
        },
    }
    name = "".join(word.capitalize() for word in printable(cause.slug).split("_"))[:255]
    if name.lower() != cause.slug:  # a name that only says the id again is refused (SARIF1001)
        rule["name"] = name
    if cause.reference and cause.reference.startswith("https://"):
        rule["helpUri"] = quote(printable(cause.reference), safe=":/?#=&%~+,;@!$'()*-._")
    return rule


def _result(report: Report, finding: Finding, numbers: dict[str, int]) -> _Object:
    path, line = source(report, finding) or ("", 1)
    region: _Object = {"startLine": line}
    if finding.instruction:
        region["snippet"] = {"text": cut(finding.instruction.text, _MOST_TEXT)}
    artifact: _Object = {"uri": quote(path), "uriBaseId": "SRCROOT"}
    result: _Object = {
        "ruleId": printable(finding.cause.slug),
        "ruleIndex": numbers[finding.cause.slug],
        "level": "error",
        "message": {"text": _message(finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": artifact,
                    "region": region,
                },
                "logicalLocations": list(_places(finding)),
            }
        ],
        # No line number is in it: a comment above must not make a finding new.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.id}:1",
            "repaudit/v1": finding.id,
        },
        "properties": {
            "confidence": finding.confidence.value,
            "factors": [suspect.factor for suspect in finding.factors],
        },
    }
    if replacements := list(_replacements(finding.fix)):
        change = {"artifactLocation": artifact, "replacements": replacements}
        told = {"text": _told(finding.cause.remedy)}
        result["fixes"] = [{"description": told, "artifactChanges": [change]}]
    return result


def _replacements(fix: Fix | None) -> Iterator[_Object]:
    """Yield a fix as edits of whole lines; none for one that was tried in vain."""
    if fix is None or fix.edit is None or not fix.useful:
        return
    try:
        hunks = [hunk for file in PatchSet(fix.edit) for hunk in file]
    except UnidiffParseError:  # a stranger's report may call anything an edit
        return
    for hunk in hunks:
        start = hunk.source_start
        for context, group in groupby(hunk, key=lambda line: bool(line.is_context)):
            lines = list(group)
            gone = sum(bool(line.is_removed or line.is_context) for line in lines)
            if not context:
                region = {"startLine": start, "startColumn": 1}
                region |= {"endLine": start + gone, "endColumn": 1}
                new = "".join(line.value for line in lines if line.is_added)
                yield {"deletedRegion": region, "insertedContent": {"text": new}}
            start += gone


def _places(finding: Finding) -> Iterator[_Object]:
    for name in dict.fromkeys(map(_place, finding.differences[:_MOST_FILES])):
        yield {"fullyQualifiedName": name, "kind": "resource"}


def _place(difference: Difference) -> str:
    return cut(called(difference, layered=True), 300)


def _message(finding: Finding) -> str:
    paths = list(dict.fromkeys(map(called, finding.differences)))
    files = ", ".join(cut(path, 120) for path in paths[:_MOST_FILES])
    more = len(paths) - _MOST_FILES
    rest = f" and {count(more, 'more place')}" if more > 0 else ""
    told = [f"{finding.cause.title} [{blame(finding)}]: {files}{rest}".rstrip(": ") + "."]
    told += filter(None, (change(d) for d in finding.differences[:1] if not d.detail))
    told += [evidence.detail for evidence in finding.evidence[:1]]
    return _told(" ".join([*told, finding.cause.remedy]))


def _invocation(report: Report, left_out: Sequence[Finding]) -> _Object:
    notes = [_problem(problem) for problem in report.problems]
    notes += [
        _note("note", f"{f.id} {f.cause.slug}: {f.cause.title}; no line to show it on")
        for f in left_out
    ]
    return {
        "executionSuccessful": report.verdict is not Verdict.INCONCLUSIVE,
        "toolExecutionNotifications": notes,
    }


def _problem(problem: Problem) -> _Object:
    return _note("error", f"{problem.message}. {problem.hint}".rstrip(". ") + ".")


def _note(level: str, text: str) -> _Object:
    return {"level": level, "message": {"text": _told(text)}}


def _told(text: str) -> str:
    """Return a text as a message: printable, not empty, and no links in it."""
    return cut(text, _MOST_TEXT).translate(_LITERAL) or "(nothing)"


REPORTER: Reporter = _Sarif()
