"""Keep a run: the report, each image's new blobs, logs, and the journal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

import msgspec

from repaudit import __version__
from repaudit.builders import Prepared
from repaudit.host import machine
from repaudit.host.scratch import write
from repaudit.model.canonical import report_from_json, to_json
from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.experiment import BuildRun, Outcome
from repaudit.model.history import Source
from repaudit.model.journal import BaseImage, Duration, Host, Journal
from repaudit.model.report import Report, Verdict

REPORT, JOURNAL = "report.json", "journal.json"


def keep(
    output: Path, report: Report, runs: Sequence[BuildRun], journal: Journal, logs: Sequence[Path]
) -> None:
    """Write everything below `output`; raise UsageError where that cannot be written.

    `logs` are those of all runs, also of such as failed and are in no report, each in the folder
    of its run. The journal comes first, and marks the folder as ours; the report makes it a kept
    run, at last.
    """
    write(output / JOURNAL, to_json(journal))
    try:
        for log in logs:
            target = output / "runs" / log.parent.name
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(log, target / "log")
        for run in runs:
            if run.blobs is not None:
                target = output / "runs" / run.planned.name
                shutil.copytree(Path(run.blobs) / "blobs", target / "blobs")
    except OSError as error:
        raise UsageError(
            f"cannot keep the run in {output}: {error}",
            hint="name a folder with room that can be written",
        ) from error
    write(output / REPORT, to_json(report))


def record(
    start: int,
    context: Path,
    containerfile: Path,
    source: Source | None,
    prepared: Prepared,
    runs: Sequence[BuildRun],
) -> Journal:
    """Return the journal of runs that were made just now, on this machine."""
    tools = machine.tools()
    return Journal(
        start=start,
        repaudit=__version__,
        context=str(context.resolve()),
        containerfile=str(containerfile.resolve()),
        source=source,
        hidden=prepared.request.hidden,
        host=Host(kernel=machine.kernel(), cpus=len(machine.cpus())),
        bases=tuple(
            BaseImage(name=b.name, digest=b.digest, created=b.created) for b in prepared.bases
        ),
        tools={tool.name: tool.path for tool in tools},
        versions=machine.versions(tools),
        runs={run.planned.name: Duration(milliseconds=run.milliseconds) for run in runs},
    )


def clear(output: Path) -> None:
    """Remove what an earlier run kept, so that it is not taken for the next one's answer.

    Raises UsageError for a folder that holds anything and is not one of ours: nothing of a
    stranger's is removed.
    """
    if not output.is_dir() or not any(output.iterdir()):
        return
    if not is_ours(output):
        raise UsageError(
            f"{output} is not empty, and holds no run that was kept",
            hint="name a new folder, an empty one, or one of `rebuild --output`; it is as it was",
        )
    (output / REPORT).unlink(missing_ok=True)
    shutil.rmtree(output / "runs", ignore_errors=True)
    (output / JOURNAL).unlink()


def ours_below(context: Path, paths: Iterable[str], written: Iterable[Path]) -> tuple[str, ...]:
    """Return what repaudit itself wrote below a context, or is about to write, each path once.

    `paths` is what is there: a run that was kept, or a report, is no source of the next image, and
    whoever builds from a clean checkout has none. Only what is there is returned.
    """
    root = context.resolve()
    inside = (path.resolve() for path in written)
    ours = {str(p.relative_to(root)) for p in inside if p.is_relative_to(root) and p != root}
    marks = (root / path for path in paths if PurePath(path).name == JOURNAL)
    ours |= {
        str(m.parent.relative_to(root)) for m in marks if m.parent != root and is_run(m.parent)
    }
    return tuple(sorted(path for path in ours if (root / path).exists()))


def is_ours(folder: Path) -> bool:
    """Whether a folder is one that a run was kept in, or was about to be."""
    try:
        journal = load_journal(folder)
    except MalformedError:
        return False
    return journal.start is not None and bool(journal.tools)


def is_run(path: Path) -> bool:
    """Whether a path is a kept run, or a report, rather than a build context."""
    return path.is_file() or ((path / REPORT).is_file() and (path / JOURNAL).is_file())


def containerfile_of(run: Path) -> Path:
    """Return the Containerfile that a kept run was built from, as its journal says.

    Raises UsageError where there is no journal, or the file is no longer there.
    """
    said = load_journal(run).containerfile
    if said is None:
        raise UsageError(
            f"{run} does not say which Containerfile it was", hint="name it with --file"
        )
    path = Path(said)
    if not path.is_file():
        raise UsageError(f"{path} is not there any more", hint="name it with --file")
    return path


def load(run: Path) -> Report:
    """Read the report of a kept run, given its folder or the report itself.

    Raises UsageError where there is none, and MalformedError where it is none of this version, or
    calls reproducible what its own findings, problems or images speak against.
    """
    path = run / REPORT if run.is_dir() else run
    try:
        report = report_from_json(path.read_bytes())
        _check_verdict(report)
        return report
    except OSError as error:
        raise UsageError(
            f"no report at {path}: {error.strerror}",
            hint="keep one with: repaudit rebuild --output DIR",
        ) from error
    except MalformedError as error:
        raise MalformedError(f"{path}: {error.message}", hint=error.hint) from error


def _check_verdict(report: Report) -> None:
    """Raise MalformedError where `reproducible` is not what the rest of the report says.

    Two images that are compared have no runs, and may differ in what was to be left out.
    """
    if report.verdict is not Verdict.REPRODUCIBLE:
        return
    built = {run.image for run in report.runs if run.outcome is Outcome.BUILT}
    counts = (
        (len(report.findings), "findings"),
        (len(report.problems), "problems"),
        (len(built) if len(built) > 1 else 0, "different images"),
    )
    against = [f"{count} {what}" for count, what in counts if count]
    if against:
        raise MalformedError(
            f"called reproducible, with {' and '.join(against)}",
            hint="it is not as repaudit wrote it: make the audit again",
        )


def load_journal(run: Path) -> Journal:
    """Return the journal of a kept run, given its folder; an empty one where there is none."""
    path = run / JOURNAL
    if not path.is_file():  # a report alone
        return Journal()
    try:
        return msgspec.convert(json.loads(path.read_bytes()), Journal)
    except (ValueError, RecursionError) as error:  # msgspec's own is a ValueError
        hint = "give the folder that `repaudit rebuild --output` wrote"
        raise MalformedError(f"{path}: not a journal: {error}", hint=hint) from error


def load_source(run: Path) -> Source | None:
    """Return the commit that a kept run built, given its folder; None where it is not known."""
    return load_journal(run).source
