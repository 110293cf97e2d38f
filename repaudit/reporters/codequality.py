"""GitLab's code quality report: one issue a finding, on the line that is at fault.

Format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

from repaudit.model.canonical import to_json
from repaudit.model.digest import sha256
from repaudit.model.finding import Finding
from repaudit.model.report import Problem, Report, Verdict
from repaudit.model.text import printable
from repaudit.reporters._words import blame, called, count, cut, source
from repaudit.reporters.interface import Reporter, Surface

_MOST_FILES = 3


class _CodeQuality:
    name = "codequality"
    summary = "GitLab's code quality report, on lines of the Containerfile"

    def render(self, report: Report, surface: Surface) -> bytes:
        issues = [_finding(report, finding) for finding in report.findings]
        # A list without issues is green, which what could not be told is not.
        return to_json(issues + [_problem(report, problem) for problem in report.problems])


def _finding(report: Report, finding: Finding) -> dict[str, object]:
    paths = list(dict.fromkeys(called(d) for d in finding.differences))
    more = f" and {count(len(paths) - _MOST_FILES, 'more place')}"
    files = ", ".join(cut(path, 120) for path in paths[:_MOST_FILES])
    told = f"{files}{more if len(paths) > _MOST_FILES else ''}: " if files else ""
    return _issue(
        f"{told}{finding.cause.title} [{blame(finding)}]. {finding.cause.remedy} ({finding.id})",
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
