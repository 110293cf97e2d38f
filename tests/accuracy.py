"""`make accuracy`: how often `rebuild --explain` names what a person planted in golden/causes-*.

Each `[[truth]]` of a case is one place that must differ: `path` (a glob) and `aspect`, with the
`factors` that make it differ, the `causes` to be told, and the `process` that writes it; a `|`
stands between two words that are both right. `step` is the comment before the RUN that does it. The
neighbour clean-* has the same steps, repaired: every finding there is invented.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from rich.console import Console
from rich.table import Table

from repaudit.model.canonical import to_json
from tests import base

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "golden"
RECORD = GOLDEN / "accuracy.json"
CASES = tuple(sorted(path.parent.name for path in GOLDEN.glob("causes-*/Containerfile")))
#: The forensic that knows places by their names. Without it, what it knows of a tool is left out of
#: the judgement of that tool's own case.
BY_NAME = "known_path"
_NONE = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One place that differs, and why, by a person's judgement."""

    step: str
    line: int
    path: str
    aspect: str
    factors: frozenset[str]
    causes: tuple[frozenset[str], ...]
    processes: frozenset[str]

    def speaks_of(self, difference: dict[str, Any]) -> bool:
        return self.aspect == difference["aspect"] and fnmatchcase(difference["path"], self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a report says of the place of one truth. `told` are the factors, the likeliest first."""

    truth: Truth
    seen: bool
    told: tuple[str, ...]
    demonstrated: frozenset[str]
    causes: frozenset[str]
    line: bool
    process: bool

    @property
    def first(self) -> bool:
        return bool(self.told) and self.told[0] in self.truth.factors

    @property
    def exact(self) -> bool:
        return set(self.told) == self.truth.factors

    @property
    def cause(self) -> bool:
        return all(wanted & self.causes for wanted in self.truth.causes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A case as it was told: a verdict a truth, and what was told of places without a truth."""

    case: str
    verdicts: tuple[Verdict, ...]
    invented: tuple[str, ...]
    builds: int
    factors: int


def truths(case: str) -> tuple[Truth, ...]:
    """Return the truth of a case, read from its case.toml and its Containerfile."""
    lines = steps(case)
    tables = tomllib.loads((GOLDEN / case / "case.toml").read_text("utf-8"))["truth"]
    return tuple(
        Truth(
            step=table["step"],
            line=lines[table["step"]],
            path=table["path"],
            aspect=table.get("aspect", "content"),
            factors=frozenset(table["factors"]),
            causes=tuple(frozenset(words.split("|")) for words in table["causes"]),
            processes=frozenset(table["process"].split("|")),
        )
        for table in tables
    )


def steps(case: str) -> dict[str, int]:
    """Return the line of each step that has a name: a comment of one word before its RUN."""
    text = (GOLDEN / case / "Containerfile").read_text("utf-8").splitlines()
    named = {}
    for number, (line, following) in enumerate(pairwise(text), start=2):
        comment = re.fullmatch(r"# ([a-z][a-z0-9-]*)", line)
        if comment and following.startswith("RUN "):
            named[comment[1]] = number
    return named


def images(case: str) -> tuple[str, ...]:
    """Return the images that a case builds on."""
    text = (GOLDEN / case / "Containerfile").read_text("utf-8")
    return tuple(re.findall(r"^FROM (\S+)", text, re.MULTILINE))


def clean(case: str) -> str:
    """Return the repaired neighbour of a case."""
    return case.replace("causes-", "clean-", 1)


def judge(case: str, wanted: Sequence[Truth], report: dict[str, Any]) -> Outcome:
    """Join a report of `rebuild --explain` with the truth."""
    findings = [f for f in report["findings"] if not f["differences"] or _in_a_layer(f)]
    if not findings:  # else what names layers by their digests follows from what differs in them
        findings = report["findings"]
    return Outcome(
        case=case,
        verdicts=tuple(_verdict(truth, findings) for truth in wanted),
        invented=tuple(_invented(wanted, findings)),
        builds=len(report["runs"]),
        factors=len(report["varied"]),
    )


def _in_a_layer(finding: dict[str, Any]) -> bool:
    return any(difference["layer"] is not None for difference in finding["differences"])


def _verdict(truth: Truth, findings: Sequence[dict[str, Any]]) -> Verdict:
    here = [f for f in findings if any(map(truth.speaks_of, f["differences"]))]
    suspects = [suspect for finding in here for suspect in finding["factors"]]
    shown = [s["factor"] for s in suspects if s["confidence"] == "demonstrated"]
    rest = [s["factor"] for s in suspects]
    wrote = {PurePosixPath(f["process"]["argv"][0]).name for f in here if f["process"]}
    return Verdict(
        truth=truth,
        seen=bool(here),
        told=tuple(dict.fromkeys([*shown, *rest])),
        demonstrated=frozenset(shown),
        causes=frozenset(finding["cause"]["slug"] for finding in here),
        line={(f["instruction"] or {}).get("line") for f in here} == {truth.line},
        process=bool(wrote) and wrote <= truth.processes,
    )


def _invented(wanted: Sequence[Truth], findings: Sequence[dict[str, Any]]) -> Iterator[str]:
    places = {
        (difference["path"], difference["aspect"])
        for finding in findings
        for difference in finding["differences"]
        if not any(truth.speaks_of(difference) for truth in wanted)
    }
    yield from (f"{path} {aspect}" for path, aspect in sorted(places))
    yield from sorted(f["cause"]["slug"] for f in findings if not f["differences"])


def explain(case: str, *options: str, package: Path = ROOT) -> dict[str, Any]:
    """Return the report of `rebuild --explain` by the repaudit in `package`."""
    argv = [sys.executable, "-m", "repaudit", "rebuild", "--explain", "--quiet", "--format", "json"]
    environment = os.environ | base.storage(*images(case)) | {"PYTHONPATH": str(package)}
    done = subprocess.run(
        [*argv, *options, "--timestamp", "1700000000", str(GOLDEN / case)],
        cwd=package,
        env=environment,
        stdout=subprocess.PIPE,
    )
    if done.returncode not in {0, 1}:
        sys.exit(f"{case}: repaudit ended with {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def without(forensic: str, folder: Path) -> Path:
    """Copy the package into `folder` less one forensic: a plug-in is a file."""
    shutil.copytree(ROOT / "repaudit", folder / "repaudit")
    (folder / "repaudit" / "forensics" / f"{forensic}.py").unlink()
    return folder


def evaluate(cases: Iterable[str], reports: Path) -> tuple[list[Outcome], list[Outcome]]:
    """Judge each case and its neighbour, with every forensic and without BY_NAME.

    A report that lies in `reports` already is taken as it is.
    """
    full, bare = [], []
    with tempfile.TemporaryDirectory() as scratch:
        less = without(BY_NAME, Path(scratch))
        for case in cases:
            report = kept(reports / f"{case}.json", case, ROOT)
            full.append(judge(case, truths(case), report))
            findings = filter(_in_a_layer, report["findings"])
            if BY_NAME in {
                e["source"] for f in findings for e in f["evidence"]
            }:  # else nothing changes without it
                report = kept(reports / f"{case}-without.json", case, less)
            bare.append(judge(case, truths(case), report))
            report = kept(reports / f"{clean(case)}.json", clean(case), ROOT)
            full.append(judge(clean(case), (), report))
    return full, bare


def kept(path: Path, case: str, package: Path, *options: str) -> dict[str, Any]:
    """Return the report in `path`, made if it is not there, and say how long that took."""
    if not path.exists():
        began = time.monotonic()
        path.write_text(json.dumps(explain(case, *options, package=package)), "utf-8")
        print(f"{path.stem}: {time.monotonic() - began:.0f} s", flush=True)
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def scores(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the counts of some cases, and the shares that are held to bounds."""
    verdicts = [verdict for outcome in outcomes for verdict in outcome.verdicts]
    shown = [factor in v.truth.factors for v in verdicts for factor in v.demonstrated]
    rest = [f in v.truth.factors for v in verdicts for f in v.told if f not in v.demonstrated]
    return {
        "truths": len(verdicts),
        "first": sum(v.first for v in verdicts),
        "right": sum(v.exact for v in verdicts),
        "wrong": sum(bool(v.told) and not v.exact for v in verdicts),
        "missed": sum(not v.told for v in verdicts),
        "invented": sum(len(outcome.invented) for outcome in outcomes),
        "cause": sum(v.cause for v in verdicts),
        "line": sum(v.line for v in verdicts),
        "process": sum(v.process for v in verdicts),
        "demonstrated": len(shown),
        "demonstrated_right": sum(shown),
        "indicated": len(rest),
        "indicated_right": sum(rest),
    }


def shares(found: dict[str, int]) -> dict[str, float]:
    """Return what is right at first place, and how far each confidence is to be believed."""

    def share(right: str, of: str) -> float:
        return round(found[right] / found[of], 3) if found[of] else 1.0

    return {
        **{word: share(word, "truths") for word in ("first", "line", "process")},
        "precision_demonstrated": share("demonstrated_right", "demonstrated"),
        "precision_indicated": share("indicated_right", "indicated"),
    }


def confusion(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    """Count each factor of the truth by what was answered; what was answered too much is (none)."""
    pairs: Counter[tuple[str, str]] = Counter()
    for verdict in (v for outcome in outcomes for v in outcome.verdicts):
        wanted, told = verdict.truth.factors, set(verdict.told)
        pairs.update((factor, factor) for factor in wanted & told)
        lost, surplus = wanted - told, told - wanted
        pairs.update((factor, answer) for factor in lost for answer in (surplus or {_NONE}))
        if not lost:
            pairs.update((_NONE, answer) for answer in surplus)
    return {
        row: {answer: count for (factor, answer), count in sorted(pairs.items()) if factor == row}
        for row in sorted({factor for factor, _ in pairs})
    }


def misses(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return what was not told as it is: each truth whose factors or causes are not right."""
    return [
        {
            "case": outcome.case,
            "step": v.truth.step,
            "path": v.truth.path,
            "aspect": v.truth.aspect,
            "factors": sorted(v.truth.factors),
            "told": list(v.told),
            "cause": v.cause,
        }
        for outcome in outcomes
        for v in outcome.verdicts
        if not (v.exact and v.cause)
    ]


def record(full: Sequence[Outcome], bare: Sequence[Outcome]) -> dict[str, Any]:
    """Return the whole judgement; it holds no time, so that it changes only with the answers."""
    counts = [outcome.builds for outcome in full if outcome.verdicts]
    factors = max(outcome.factors for outcome in full)
    return {
        "shares": shares(scores(full)),
        "all": scores(full),
        "without_known_path": scores(bare),
        "cases": {outcome.case: scores([outcome]) for outcome in full},
        "confusion": confusion(full),
        "misses": misses(full),
        "invented": {o.case: list(o.invented) for o in full if o.invented},
        "builds": {
            "median": statistics.median(counts),
            "most": max(counts),
            # Beside these, to name the process; and to tell random bytes, where chance strikes.
            "traced": 1,
            "planted": 2,
            "of_a_clean_image": max(o.builds for o in full if not o.verdicts),
            # Control and replicate, then one factor a build.
            "one_at_a_time": factors + 2,
            # reprotest --auto-build: control, again, all, then one factor a build; what it says of
            # cases that it can run is in reprotest.json.
            "reprotest": factors + 3,
        },
    }


_COLUMNS = ("truths", "first", "right", "wrong", "missed", "invented", "cause", "line", "process")


def show(found: dict[str, Any]) -> None:
    console = Console(width=140)
    table = Table("case", *_COLUMNS, "demonstrated", title="what was planted, and what was told")
    rows = found["cases"] | {"all": found["all"], "without known_path": found["without_known_path"]}
    for name, row in rows.items():
        shown = f"{row['demonstrated_right']}/{row['demonstrated']}"
        table.add_row(name, *(str(row[column]) for column in _COLUMNS), shown)
    console.print(table)
    answers = sorted({answer for row in found["confusion"].values() for answer in row})
    matrix = Table("truth", *answers, title="factors: the truth's rows, the answer's columns")
    for factor, row in found["confusion"].items():
        matrix.add_row(factor, *(str(row.get(answer, "")) for answer in answers))
    console.print(matrix)
    for miss in found["misses"]:
        cause = "" if miss["cause"] else ", another cause"
        told = (" ".join(miss["told"]) or "nothing") + cause
        wanted = " ".join(miss["factors"])
        console.print(f"{miss['case']} {miss['step']}: {wanted}; told {told}")
    console.print(f"shares: {found['shares']}")
    console.print(f"builds: {found['builds']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write golden/{RECORD.name}")
    parser.add_argument("--reports", type=Path, help="keep reports there, and take what is there")
    parser.add_argument("cases", nargs="*", help="only these, causes-*")
    asked = parser.parse_args()
    if asked.write and asked.cases:
        parser.error("--write needs every case")
    with tempfile.TemporaryDirectory() as scratch:
        reports = asked.reports or Path(scratch)
        reports.mkdir(parents=True, exist_ok=True)
        found = record(*evaluate(asked.cases or CASES, reports))
    show(found)
    if asked.write:
        RECORD.write_bytes(to_json(found))


if __name__ == "__main__":
    main()
