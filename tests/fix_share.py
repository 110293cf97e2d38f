"""How many of the tried fixes make the difference vanish: `python -m tests.fix_share [CASE…]`.

Without names it takes every golden case that may have findings. The bound is 80 %.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from repaudit import audit
from repaudit.cli.progress import Silent
from repaudit.model.finding import Finding, FixOutcome
from tests import accuracy, base

GOLDEN = Path(__file__).parent.parent / "golden"
KINDS = ("causes-*", "combo-*", "factor-*")
LEAST = 0.8


def tried(case: str) -> Iterator[Finding]:
    """Rebuild a golden case with its fixes, and yield the findings that have an edit."""
    os.environ.update(base.storage(*accuracy.images(case)))
    truth = tomllib.loads((GOLDEN / case / "case.toml").read_text("utf-8"))
    request = audit.RebuildRequest(
        context=GOLDEN / case,
        timestamp=truth.get("timestamp", "1700000000"),
        vary=tuple(truth.get("vary", ())),
        try_fixes=True,
    )
    for finding in audit.rebuild(request, Silent()).findings:
        if finding.fix and finding.fix.outcome:
            yield finding


def share(outcomes: Iterable[FixOutcome]) -> float:
    """Return the part of them that is `gone`; 1 where nothing was tried."""
    counted = Counter(outcomes)
    return counted[FixOutcome.GONE] / counted.total() if counted else 1.0


def main(cases: list[str]) -> int:
    outcomes: list[FixOutcome] = []
    for case in cases or sorted(path.name for kind in KINDS for path in GOLDEN.glob(kind)):
        for finding in tried(case):
            if finding.fix and finding.fix.outcome:
                outcomes.append(finding.fix.outcome)
                line = finding.instruction.line if finding.instruction else 0
                reason = finding.fix.reason or ""
                print(f"{finding.fix.outcome:8} {case}:{line} {finding.cause.slug} {reason}")
    print(f"{share(outcomes):.0%} of {len(outcomes)} tried fixes made the difference vanish")
    return 0 if share(outcomes) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
