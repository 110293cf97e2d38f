"""Keep a run: the report, each image's new blobs, logs, and the journal.

The journal holds what a report must not: times, the host, tool versions.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from repaudit.host import machine
from repaudit.host.scratch import write
from repaudit.model.canonical import report_from_json, to_json
from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.experiment import BuildRun
from repaudit.model.report import Report

REPORT = "report.json"


def keep(output: Path, report: Report, runs: Sequence[BuildRun], start: int) -> None:
    """Write everything below `output`; raise UsageError where that cannot be written."""
    for run in runs:
        if run.blobs is None:
            continue
        target = output / "runs" / run.planned.name
        try:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path(run.blobs) / "blobs", target / "blobs")
            shutil.copy(Path(run.blobs) / "log", target / "log")
        except OSError as error:
            raise UsageError(
                f"cannot keep the run in {output}: {error}",
                hint="name a folder with room that can be written",
            ) from error
    journal = {
        "start": start,
        "host": {"kernel": machine.kernel(), "cpus": len(machine.cpus())},
        "tools": {tool.name: tool.path for tool in machine.tools()},
        "runs": {run.planned.name: {"milliseconds": run.milliseconds} for run in runs},
    }
    write(output / "journal.json", to_json(journal))
    write(output / REPORT, to_json(report))


def clear(output: Path) -> None:
    """Remove what an earlier run kept, so that it is not taken for the next one's answer."""
    for name in (REPORT, "journal.json"):
        (output / name).unlink(missing_ok=True)
    shutil.rmtree(output / "runs", ignore_errors=True)


def load(run: Path) -> Report:
    """Read the report of a kept run, given its folder or the report itself."""
    path = run / REPORT if run.is_dir() else run
    try:
        return report_from_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"no report at {path}: {error.strerror}",
            hint="keep one with: repaudit rebuild --output DIR",
        ) from error
    except MalformedError as error:
        raise MalformedError(f"{path}: {error.message}", hint=error.hint) from error
