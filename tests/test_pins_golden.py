"""golden/pinned: written, audited, and built by real tools against stand-ins on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repaudit.audit import audit_pins
from repaudit.host.fetch import Fetcher
from repaudit.model.canonical import lock_from_json
from repaudit.model.pins import PinsVerdict
from repaudit.pinning import pin_edits, verify_pins
from tests import base
from tests.packages import wheel
from tests.registry import docker_registry
from tests.snapshots import Archives, Service, serve
from tests.standin import Server, serving
from tests.test_indexes import QUICK, Simple
from tests.test_pins_at import uploaded
from tests.test_snapshot import configured

pytestmark = pytest.mark.live
GOLDEN = Path(__file__).parent.parent / "golden" / "pinned"
OTHER = "other@1.0%2Bdeb12u1"
AT = "20250215T000000Z"
RUNS = {
    "debian": {
        "20250101T030405Z": {"base": "1.0", "tool": "1.0", "other": "1.0"},
        "20250201T030405Z": {"base": "1.0", "tool": "1.1", "other": "1.0"},
        "20250301T030405Z": {"base": "2.0", "tool": "1.2", "other": "2.0"},
    },
    "debian-security": {"20250201T120000Z": {"other": "1.0+deb12u1"}},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "project"))


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    with serving() as server:
        simple = Simple(server)
        for version, day in (("1.0", "2025-01-01"), ("2.0", "2025-03-01")):
            name = f"alpha-{version}-py3-none-any.whl"
            simple.add("alpha", name, wheel("alpha", version), **uploaded(day))
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        yield server


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A registry that holds the base, under a name that is not its address."""
    storage = base.storage(base.APT)
    with docker_registry(tmp_path) as host:
        conf = tmp_path / "home/.config/containers/registries.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text(
            f'[[registry]]\nprefix = "registry.example"\nlocation = "{host}"\ninsecure = true\n'
        )
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        copy = ["skopeo", "copy", "-q", "--dest-tls-verify=false"]
        copy += [f"containers-storage:{base.APT}", f"docker://{host}/base:1"]
        subprocess.run(copy, check=True, env=os.environ | storage)
        yield host


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    """A snapshot service to which the configuration of apt leads, and the proxy of all else."""
    archives = Archives(tmp_path / "archives", RUNS)
    try:
        with serve(archives) as found:
            environment = configured(tmp_path, found)
            monkeypatch.setenv("APT_CONFIG", environment["APT_CONFIG"])
            monkeypatch.setenv("http_proxy", found.url)
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            yield found
    finally:
        archives.close()


@pytest.mark.usefixtures("index", "registry")
def test_the_golden_project_is_pinned_and_still_builds(
    project: Path, tmp_path: Path, service: Service
):
    before = {path.name: path.read_bytes() for path in project.iterdir()}
    flagged = {(f.location.path, n) for f in audit_pins([project]).findings for n in lines_of(f)}
    edits = pin_edits([project], Fetcher(waiting=QUICK), AT, versions=True)
    assert edits.written.unknown == ()
    edits.write()

    report = audit_pins([project])
    assert (report.verdict, report.findings) == (PinsVerdict.PINNED, ())
    again = pin_edits([project], Fetcher(waiting=QUICK), AT, versions=True)
    assert (again.diff, again.written.unknown) == (b"", ())
    after = {path.name: path.read_bytes() for path in project.iterdir()}
    assert set(after) == {*before, "repaudit.lock"}
    lock = lock_from_json(after["repaudit.lock"])
    debs = [one.purl.partition("?")[0] for one in lock.packages]
    assert debs == [f"pkg:deb/debian/{name}" for name in ("base@1.0", OTHER, "tool@1.1")]
    assert {one.instant for one in lock.packages} == {AT}
    assert b"other=1.0+deb12u1\r\n" in after["Containerfile"]
    unasked = verify_pins([project], None, Fetcher(waiting=QUICK))
    assert unasked.verdict is PinsVerdict.INCONCLUSIVE  # of names nobody is asked
    assert {(f.id, f.message.split()[1]) for f in unasked.findings} == {
        *(("IDX001", kind) for kind in ("apt-source", "deb")),
    }
    service.faults["pool/tool"] = "tampered"
    spoilt = verify_pins([project], None, Fetcher(waiting=QUICK))
    (finding,) = set(spoilt.findings) - set(unasked.findings)
    assert (finding.id, finding.location.path) == ("IDX003", "repaudit.lock")
    service.faults.clear()
    for name, data in before.items():
        rest = iter(after[name].splitlines(keepends=True))
        for number, line in enumerate(data.splitlines(keepends=True), 1):
            assert (name, number) in flagged or line in rest, (name, number)

    assert built(project, tmp_path, service) == ["1.0", "1.0+deb12u1", "1.1"]
    install = [sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "--no-cache-dir"]
    install += ["--target", tmp_path / "site", "-r", project / "requirements.txt"]
    subprocess.run(install, check=True)
    assert (tmp_path / "site/alpha-1.0.dist-info").is_dir()


def lines_of(finding: object) -> range:
    place = finding.location  # type: ignore[attr-defined]
    return range(place.line, place.end_line + 1)


def built(project: Path, folder: Path, service: Service) -> list[str]:
    """Build with buildah, apt led to a snapshot; return the versions that it installed."""
    shutil.copy(service.archives.keyring, project / "standin.gpg")
    service.asked.clear()
    storage = folder / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
    )
    environment = os.environ | {"CONTAINERS_STORAGE_CONF": str(storage)}
    build = ["buildah", "bud", "--isolation=oci", "--network=host", "--tag=app"]
    build += [f"--build-arg=http_proxy={service.url}", str(project)]
    done = subprocess.run(build, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path for path in service.asked if "/archive/" in path and AT not in path] == []
    run = ["buildah", "from", "--pull-never", "--name=one", "app"]
    subprocess.run(run, env=environment, check=True, capture_output=True)
    run = ["buildah", "run", "--isolation=oci", "one", "cat", "/versions"]
    text = subprocess.run(run, env=environment, check=True, capture_output=True).stdout
    subprocess.run(["buildah", "rm", "one"], env=environment, check=True)
    return text.decode().replace("1.", "\n1.").split()
