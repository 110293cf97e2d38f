"""Locks of real packages against the real indexes, with pip's and Maven's own words for them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

import pytest

from repaudit.host.clock import ticks
from repaudit.host.fetch import Fetcher
from repaudit.model.pins import PinsVerdict
from repaudit.pinning import verify_pins

pytestmark = pytest.mark.live
MOST = 30


def judged(project: Path, cache: Path) -> tuple[PinsVerdict, list[str], int]:
    fetcher = Fetcher(cache=cache)
    start = ticks()
    report = verify_pins([project], None, fetcher)
    print(f"{len(report.pins)} pins, {ticks() - start:.1f} s, {fetcher.asked} requests")
    return report.verdict, [finding.id for finding in report.findings], fetcher.asked


def test_the_packages_of_this_environment(tmp_path: Path):
    """The hashes are what pip would install, by its own report."""
    known = sorted({(d.metadata["Name"], d.version) for d in distributions()}, key=str)
    names = [one for one in known if one[0] != "repaudit"][:MOST]
    (tmp_path / "in").write_text("".join(f"{name}=={version}\n" for name, version in names))
    argv = "install -q --dry-run --ignore-installed --no-deps --report r.json -r in".split()
    subprocess.run([sys.executable, "-m", "pip", *argv], cwd=tmp_path, check=True)
    lines = []
    for one in json.loads((tmp_path / "r.json").read_text())["install"]:
        digest = one["download_info"]["archive_info"]["hashes"]["sha256"]
        said = one["metadata"]
        lines.append(f"{said['name']}=={said['version']} --hash=sha256:{digest}\n")
    project = tmp_path / "requirements.txt"
    project.write_text("".join(lines))

    verdict, ids, asked = judged(project, tmp_path / "cache")
    assert verdict is not PinsVerdict.INCONCLUSIVE
    assert set(ids) <= {"IDX004", "IDX005"}  # what was yanked or has to be built since is no lie
    assert asked == len(lines)

    project.write_text("".join(lines).replace(digest, digest[:-4] + "0000"))
    assert "IDX003" in judged(project, tmp_path / "cache")[1]


def test_what_maven_fetched_for_itself(tmp_path: Path):
    """The lock is made from the files that a real mvn has downloaded."""
    if shutil.which("mvn") is None:
        pytest.skip("needs mvn")
    store = tmp_path / "m2"
    argv = ["mvn", "-q", "-B", f"-Dmaven.repo.local={store}", "help:help", "dependency:help"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    locked = []
    for path in sorted(store.rglob("*.jar"))[:MOST]:
        *group, name, version, _ = path.relative_to(store).parts
        one = {"groupId": ".".join(group), "artifactId": name, "version": version}
        digest = sha256(path.read_bytes()).hexdigest()
        locked.append(one | {"checksumAlgorithm": "SHA-256", "checksum": digest})
    lock = {"artifactId": "a", "lockFileVersion": 1, "dependencies": locked}
    project = tmp_path / "lockfile.json"
    project.write_text(json.dumps(lock))

    assert len(locked) == MOST
    assert judged(project, tmp_path / "cache")[:2] == (PinsVerdict.PINNED, [])
    assert judged(project, tmp_path / "cache")[2] == len(locked)  # asked anew, sent only if changed
    project.write_text(project.read_text().replace(locked[0]["checksum"], "0" * 64))
    assert judged(project, tmp_path / "cache")[1] == ["IDX003"]
