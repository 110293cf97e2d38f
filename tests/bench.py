"""`make bench`: what the audit costs, as ratios to bare buildah, both sides in turn in one go."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests import base

_SMALL = """FROM localhost/repaudit-golden
RUN mkdir /srv/app
RUN find /usr -type f | LC_ALL=C sort > /srv/app/files
"""
#: Some twenty seconds of one CPU's work, in steps that write and read files.
_LARGE = """FROM localhost/repaudit-golden
RUN mkdir /srv/app && cp -a /usr/share /srv/app/share
RUN tar --sort=name -cf /srv/app/usr.tar /usr
RUN gzip -9 -n < /srv/app/usr.tar > /srv/app/usr.tar.gz
RUN for n in 1 2 3 4 5 6; do sha512sum /srv/app/usr.tar; done > /srv/app/sums
RUN gzip -6 -n < /srv/app/usr.tar | sha256sum > /srv/app/sum && rm /srv/app/usr.tar
RUN find / -xdev -type f | LC_ALL=C sort > /srv/app/files
"""
_STEPS = 20


def timed(argv: Sequence[str], environment: dict[str, str], allowed: Sequence[int]) -> float:
    began = time.monotonic()
    done = subprocess.run(argv, env=environment, capture_output=True)
    if done.returncode not in allowed:
        sys.exit(f"{argv[0]} failed: {done.stderr.decode(errors='replace')[-800:]}")
    return time.monotonic() - began


def bare(context: Path, environment: dict[str, str], runtime: str = "runc") -> float:
    build = ["buildah", "bud", "--isolation=oci", f"--runtime={runtime}", "--no-cache"]
    return timed([*build, "--timestamp=0", str(context)], environment, [0])


def audit(context: Path, environment: dict[str, str]) -> float:
    argv = [sys.executable, "-m", "repaudit", "rebuild", "--twice", "--timestamp", "0"]
    return timed([*argv, "--quiet", str(context)], environment, [0, 1])


def compare(name: str, text: str, environment: dict[str, str], rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Containerfile").write_text(text)
        ratios, builds, audits = [], [], []
        for _ in range(rounds):
            two = bare(Path(folder), environment) + bare(Path(folder), environment)
            one = audit(Path(folder), environment)
            builds.append(two)
            audits.append(one)
            ratios.append(one / two)
    print(
        f"{name}: rebuild --twice / two bare builds = {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); medians {statistics.median(audits):.2f} s and "
        f"{statistics.median(builds):.2f} s, {rounds} rounds",
        flush=True,
    )


def step_cost(environment: dict[str, str], rounds: int) -> None:
    """The same steps with the interposer in the place of runc and without, per step."""
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        (context / "Containerfile").write_text(
            "FROM localhost/repaudit-golden\n" + "RUN true\n" * _STEPS
        )
        shim = _shim(context)
        extra = []
        for _ in range(rounds):
            plain = bare(context, environment)
            extra.append((bare(context, environment, str(shim)) - plain) / _STEPS * 1000)
    print(
        f"interposer: {statistics.median(extra):+.0f} ms a RUN step "
        f"({min(extra):+.0f} to {max(extra):+.0f}), {_STEPS} steps, {rounds} rounds",
        flush=True,
    )


def _shim(context: Path) -> Path:
    """A run's interposer with all factors at their variant level, outside of a run."""
    from repaudit.audit import this_machine
    from repaudit.builders._workplace import Workplace
    from repaudit.host.jail import Jail
    from repaudit.stages.plan import edits, make_plan

    plan = make_plan(this_machine("bench", None), vary=(), hold=("file_order",), builds=2)
    changes = edits(plan.runs[-1], plan.machine)
    changes.pop("file_order", None)
    with Jail(context) as jail:
        place = Workplace(context / "run", jail, changes, 0)
        place.start_clock()
    return place.runtime


def in_turn(*jobs: Callable[[], None]) -> None:
    for job in jobs:
        job()


def main() -> None:
    environment = os.environ | base.storage()
    in_turn(
        lambda: compare("a build of some 1 s", _SMALL, environment, 5),
        lambda: compare("a build of some 20 s", _LARGE, environment, 3),
        lambda: step_cost(environment, 5),
    )
    # Bare builds leave their images in the storage of the base image.
    subprocess.run(["buildah", "rmi", "--prune", "--force"], env=environment, capture_output=True)


if __name__ == "__main__":
    main()
