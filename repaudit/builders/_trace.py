"""What a tracer wrote down of one step, read back."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

from repaudit.model.trace import Input, Program, Trace, Writer


def read_trace(path: Path) -> Trace | None:
    """Return what a tracer wrote down; None if it did not come to that, or not to its end.

    The tracer holds a lock until its record is whole, a moment after the step has ended.
    """
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        text = file.read()
    try:
        told = json.loads(text)
    except ValueError:  # empty, or cut off by a full disk
        return None
    return Trace(
        programs=tuple(
            Program(
                parent=program["parent"],
                executable=program["executable"],
                argv=tuple(program["argv"]),
                cwd=program["cwd"],
                fed=tuple(program["fed"]),
                inputs=tuple(
                    Input(kind=kind, detail=detail, count=count)
                    for kind, details in sorted(program["inputs"].items())
                    for detail, count in sorted(details.items())
                ),
            )
            for program in told["programs"]
        ),
        writers={path: Writer(wrote=w, named=n) for path, (w, n) in told["writers"].items()},
        cut=tuple(told["cut"]),
        faults=tuple(told["faults"]),
    )
