"""The canonical JSON of the report: `repaudit-report/1`."""

from __future__ import annotations

from repaudit.model.canonical import to_json
from repaudit.model.pins import PinsReport
from repaudit.model.report import Report
from repaudit.reporters.interface import PinsReporter, Surface


class _Json:
    name = "json"
    summary = "the whole report, for programs (repaudit-report/1, repaudit-pins/1)"

    def render(self, report: Report, surface: Surface) -> bytes:
        return to_json(report)

    def render_pins(self, report: PinsReport, surface: Surface) -> bytes:
        return to_json(report)


REPORTER: PinsReporter = _Json()
