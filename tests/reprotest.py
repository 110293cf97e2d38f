"""`python -m tests.reprotest [CASE…]`: what `reprotest --auto-build` and we say of golden cases.

reprotest varies a build on the host. Of a `buildah bud` it varies nothing that a step could see,
and the random host name of each container differs anyway. So that its variations reach the steps,
they run here in a chroot of the same base image, and what they leave in /srv is the artefact. A
chroot takes root, so `user_group` is left out. Needs Debian's reprotest, disorderfs and faketime.
Its order of builds is random, and names that it brings along itself (CPU_LIST) move by chance: an
answer may not be the same twice.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repaudit import containerfile as cf
from repaudit.model.canonical import to_json
from tests import accuracy, base

RECORD = accuracy.GOLDEN / "reprotest.json"
#: One case of each kind that it can and cannot tell apart.
CASES = (
    "causes-archives",
    "causes-pairs",
    "combo-clock-and-umask",
    "combo-everything",
    "combo-locale-and-timezone",
    "combo-random",
)
_FACTORS = {
    "domain_host": "hostname",
    "fileordering": "file_order",
    "locales": "locale",
    "num_cpus": "cpus",
}
#: What no step of a container sees. reprotest's control has its home in the build path.
_ALONE = {"build_path", "exec_path"}
_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
_PRELUDE = """set -e
tree=$PWD
if [ "$1" != inside ]; then exec unshare --mount sh "$0" inside; fi
echo >> {folder}/builds
mkdir -m 755 -p srv
own=$(mktemp -d {folder}/build.XXXXXX)
mkdir -p $own/upper $own/work $own/root
options=lowerdir={folder}/more:{base},upperdir=$own/upper,workdir=$own/work
mount -t overlay -o $options overlay $own/root
mount --bind srv $own/root/srv
mount --rbind /proc $own/root/proc
mount --rbind /dev $own/root/dev
"""
_END = "tar --sort=name --mtime=@0 -C srv -cf srv.tar ."


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The builds that an answer took, and the factors that it blames for what lies below /srv."""

    builds: int
    blamed: frozenset[str]

    def against(self, planted: frozenset[str]) -> dict[str, Any]:
        """Return it beside the truth."""
        return {
            "builds": self.builds,
            "right": sorted(self.blamed & planted),
            "wrong": sorted(self.blamed - planted),
            "missed": sorted(planted - self.blamed),
        }


def planted(case: str) -> frozenset[str]:
    """Return the factors by which files below /srv differ."""
    if case in accuracy.CASES:
        found = [t for t in accuracy.truths(case) if t.path.startswith("srv/")]
        return frozenset().union(*(truth.factors for truth in found))
    found = _truth(case)["expect"]["finding"]
    return frozenset(f["factor"] for f in found if f["path"].startswith("srv/"))


def variations(case: str) -> str:
    """Return what reprotest shall vary: the factors that the case names, else all that it can."""
    named = _truth(case).get("vary", ())
    theirs = {factor: variation for variation, factor in _FACTORS.items()}
    some = [f"+{theirs.get(factor, factor)}" for factor in named]
    return ",".join(["-all", *some] if some else ["+all", "-user_group"])


def _truth(case: str) -> dict[str, Any]:
    return tomllib.loads((accuracy.GOLDEN / case / "case.toml").read_text("utf-8"))


def script(case: str, root: Path, folder: Path) -> str:
    """Return the steps of a case of one stage as a shell script."""
    lines = [_PRELUDE.format(folder=folder, base=root)]
    where = "/"
    parsed = cf.parse((accuracy.GOLDEN / case / "Containerfile").read_bytes())
    (stage,) = parsed.stages()
    for statement in stage.statements:
        if statement.keyword == "WORKDIR":
            where = statement.arguments
        elif statement.keyword == "COPY":
            *files, to = statement.arguments.split()
            lines.append(f"cp {shlex.join(files)} $own/root{where}/{to}")
        elif statement.keyword == "RUN":
            step = shlex.quote(f"cd {where} && {statement.arguments}")
            lines.append(f"chroot $own/root /bin/sh -c {step}")
    return "\n".join([*lines, _END, ""])


def reprotest(case: str) -> Answer:
    """Run reprotest on a case."""
    environment = os.environ | base.storage(*accuracy.images(case))
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, _mounted(case, environment) as root:
        folder = Path(name)
        more = folder / "more" / _FAKETIME.parent.relative_to("/")
        more.mkdir(parents=True)
        (more / _FAKETIME.name).write_bytes(_FAKETIME.read_bytes())
        (folder / "build.sh").write_text(script(case, root, folder), "utf-8")
        words = ["reprotest", "--auto-build", "--no-diffoscope", f"--vary={variations(case)}"]
        words += ["-c", f"sh {folder}/build.sh", str(accuracy.GOLDEN / case), "srv.tar"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        builds = len((folder / "builds").read_text().splitlines())
    if done.returncode not in {0, 1}:
        sys.exit(f"{case}: reprotest ended with {done.returncode}\n{done.stderr[-2000:]}")
    blamed = done.stdout.partition("varying each of the following:\n")[2].partition("\n")[0].split()
    known = frozenset(_FACTORS.get(one, one) for one in blamed) - _ALONE
    return Answer(builds=builds, blamed=known)


def ours(case: str, reports: Path) -> Answer:
    """Run `rebuild --explain` on a case, unless its report lies in `reports`."""
    named = ",".join(_truth(case).get("vary", ()))
    options = ["--vary", named] if named else []
    report = accuracy.kept(reports / f"{case}.json", case, accuracy.ROOT, *options)
    blamed = [
        suspect["factor"]
        for finding in report["findings"]
        if any(d["path"].startswith("srv/") for d in finding["differences"])
        for suspect in finding["factors"]
    ]
    return Answer(builds=len(report["runs"]), blamed=frozenset(blamed))


@contextmanager
def _mounted(case: str, environment: dict[str, str]) -> Iterator[Path]:
    """Mount the image that a case builds on."""
    (image,) = accuracy.images(case)

    def buildah(*words: str) -> str:
        done = subprocess.run(
            ["buildah", *words], env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()

    container = buildah("from", image)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write golden/{RECORD.name}")
    parser.add_argument("--reports", type=Path, help="keep reports there, and take what is there")
    parser.add_argument("cases", nargs="*", help="only these")
    asked = parser.parse_args()
    if asked.write and asked.cases:
        parser.error("--write needs every case")
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        reports = asked.reports or Path(scratch)
        reports.mkdir(parents=True, exist_ok=True)
        for case in asked.cases or CASES:
            truth = planted(case)
            found[case] = {
                "repaudit": ours(case, reports).against(truth),
                "reprotest": reprotest(case).against(truth),
            }
            print(json.dumps({case: found[case]}, indent=1), flush=True)
    if asked.write:
        RECORD.write_bytes(to_json(found))


if __name__ == "__main__":
    main()
