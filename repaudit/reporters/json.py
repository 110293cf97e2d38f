"""The canonical JSON of the report: `repaudit-report/1`."""

from __future__ import annotations

from repaudit.model.canonical import to_json
from repaudit.model.report import Report
from repaudit.reporters.interface import Reporter, Surface


class _Json:
    name = "json"
    summary = "the whole report, for programs (repaudit-report/1)"

    def render(self, report: Report, surface: Surface) -> bytes:
        return to_json(report)


REPORTER: Reporter = _Json()
