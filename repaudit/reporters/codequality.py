"""GitLab's code quality report: one issue a finding, on the line that is at fault.

Format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

from repaudit.model.canonical import to_json
from repaudit.model.digest import sha256
from repaudit.model.finding import Finding
from repaudit.model.report import Problem, Report, Verdict
from repaudit.model.text import printable
from repaudit.reporters._words import Naming, blame, change, count, cut, naming, source
from repaudit.reporters.interface import Reporter, Surface

_MOST_FILES = 3


class _CodeQuality:
    name = "codequality"
    summary = "GitLab's code quality report, on lines of the Containerfile"

    def render(self, report: Report, surface: Surface) -> bytes:
        call = naming(report)
        issues = [_finding(report, finding, call) for finding in report.findings]
        # A list without issues is green, which what could not be told is not.
        return to_json(issues + [_problem(report, problem) for problem in report.problems])


def _finding(report: Report, finding: Finding, call: Naming) -> dict[str, object]:
    paths = list(dict.fromkeys(map(call, finding.differences)))
    more = f" and {count(len(paths) - _MOST_FILES, 'more place')}"
    files = ", ".join(cut(path, 120) for path in paths[:_MOST_FILES])
    told = f"{files}{more if len(paths) > _MOST_FILES else ''}: " if files else ""
    first = next(filter(None, (change(d) for d in finding.differences[:1])), "")
    how = f": {first}" if first else ""
    return _issue(
        f"{told}{finding.cause.title} [{blame(finding)}]{how}. {finding.cause.remedy} "
        f"({finding.id})",
        finding.cause.slug,
        "major",
        source(report, finding),
        finding.id,
    )


def _problem(report: Report, problem: Problem) -> dict[str, object]:
    told = f"{Verdict.INCONCLUSIVE}: {problem.message} ({problem.hint})"
    return _issue(told, "could_not_tell", "critical", source(report), problem.message)


def _issue(
    told: str, check: str, severity: str, where: tuple[str, int] | None, identity: str
) -> dict[str, object]:
    # GitLab wants a path; two images that exist have no source, and the name shows as it is.
    path, line = where or ("image", 1)
    return {
        "description": printable(told),
        "check_name": printable(check),
        # Several images' reports may be put into one file, so the path is a part of it; the line
        # is not, since a comment above must not make a finding new.
        "fingerprint": sha256(f"{path}\0{printable(identity)}".encode()).partition(":")[2],
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    }


REPORTER: Reporter = _CodeQuality()
