"""Writing pins of an instant: apt's sources, requirements by uv, commits, and repaudit.lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from repaudit.audit import audit_pins
from repaudit.host.fetch import Fetcher
from repaudit.model.canonical import lock_from_json, shipped_schema, to_json
from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.lock import SCHEMA, Lock, Locked
from repaudit.model.pins import PinsVerdict, Severity
from repaudit.pinning import PinEdits, pin_edits, verify_pins
from repaudit.stages.pin_apt import parse_instant
from tests.command import repaudit
from tests.packages import sha256, wheel, wheel_tree, zipped
from tests.schemas import closed
from tests.standin import Reply, Server, serving
from tests.test_indexes import QUICK, Simple

AT = "20260301T000000Z"
NOW = 1_800_000_000.0  # 2027-01-15
SNAPSHOT = f"http://snapshot.debian.org/archive/debian/{AT}/"
SECURITY = f"http://snapshot.debian.org/archive/debian-security/{AT}/"
WRITE = ".venv/bin/python -m tests.test_pins_at > repaudit/model/lock-1.schema.json"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def edits(project: Path, at: str | None = None) -> PinEdits:
    return pin_edits([project], Fetcher(waiting=QUICK), at)


def written(project: Path, at: str | None = None) -> dict[str, bytes]:
    """Write, show that there is nothing to write then, and return the files."""
    found = edits(project, at)
    assert found.written.unknown == ()
    found.write()
    again = edits(project, at)
    assert (again.diff, again.written.unknown) == (b"", ())
    return {path.name: path.read_bytes() for path in project.iterdir()}


def left(project: Path, at: str | None = None) -> str:
    """Show that there is nothing that can be written, and return why."""
    found = edits(project, at)
    assert found.diff == b""
    return "\n".join(found.written.unknown)


def wrong(project: Path) -> list[str]:
    report = audit_pins([project])
    return [one.id for one in report.findings if one.severity is not Severity.NOTE]


# Instants.


@pytest.mark.parametrize("text", [AT, "2026-03-01", "20260301", "2026-03-01T00:00:00Z"])
def test_an_instant_has_one_form(text: str):
    assert parse_instant(text, NOW) == AT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("now", "is no instant"),
        ("", "is no instant"),
        ("2026-03-01T00:00:00+02:00", "is no instant"),
        ("2026-02-30", "there is no"),
        ("2027-02-01", "is yet to come"),
        ("20270115T070000Z", "is not over for a day yet"),
        ("\u0662\u0660\u0662\u06660301", "is no instant"),
    ],
)
def test_what_is_no_instant_or_not_over_is_refused(text: str, reason: str):
    with pytest.raises(UsageError, match=reason):
        parse_instant(text, NOW)


def test_the_command_refuses_it_before_anything_is_looked_up(tmp_path: Path):
    done = repaudit("pins", "write", tmp_path, "--at", "now")
    assert done.returncode == 2
    assert "'now' is no instant" in done.stderr


# apt's sources.

ONE_LINE = b"""\xef\xbb\xbf# ours\r
deb http://mirror.example/debian  bookworm main \r
deb [ arch=amd64 ] https://mirror.example/debian-security/ bookworm-security main # new\r
"""
DEB822 = b"""# ours
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Snapshot: enable
URIs: http://snapshot.debian.org/archive/debian-security/now
Suites: bookworm-security
Components: main
Check-Valid-Until: no
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"""


def test_sources_in_both_forms_become_a_snapshot_and_all_else_stays(tmp_path: Path):
    (tmp_path / "sources.list").write_bytes(ONE_LINE)
    (tmp_path / "debian.sources").write_bytes(DEB822)
    files = written(tmp_path, "2026-03-01")

    assert files["sources.list"] == ONE_LINE.replace(
        b"http://mirror.example/debian ", f"{SNAPSHOT} ".encode()
    ).replace(
        b" ] https://mirror.example/debian-security/",
        f"  check-valid-until=no] {SECURITY.replace('http', 'https')}".encode(),
    )
    assert files["debian.sources"] == DEB822.replace(
        b"http://mirror.example/debian\n", f"{SNAPSHOT}\n".encode()
    ).replace(b"security/now", f"security/{AT}".encode()).replace(
        b"Components: main\nSigned-By", b"Components: main\nSigned-By", 1
    ).replace(f"{SNAPSHOT}\n".encode(), f"{SNAPSHOT}\nCheck-Valid-Until: no\n".encode())
    assert wrong(tmp_path) == []


def test_without_an_instant_sources_stay(tmp_path: Path):
    (tmp_path / "sources.list").write_bytes(ONE_LINE)
    assert written(tmp_path)["sources.list"] == ONE_LINE


def test_an_archive_without_a_snapshot_stays(tmp_path: Path):
    text = b"deb [signed-by=/k] https://packages.example/apt stable main\n"
    (tmp_path / "other.list").write_bytes(text)
    assert written(tmp_path, AT)["other.list"] == text
    assert wrong(tmp_path) == ["APT014"]


DIGEST = "sha256:" + "a" * 64
FILE = f"""FROM debian:12@{DIGEST} AS build\r
ENV A=b\r
# what it needs\r
RUN apt-get update --error-on=any\r
RUN apt-get install -y gcc\r
FROM build\r
RUN apt-get install -y make\r
FROM debian:12@{DIGEST}\r
RUN echo 'deb http://mirror.example/debian bookworm main' > /etc/apt/sources.list \\\r
 && apt-get update --error-on=any && apt-get install -y curl\r
"""


def test_a_stage_that_takes_its_bases_sources_gets_a_step_before_the_first_use(tmp_path: Path):
    (tmp_path / "Dockerfile").write_bytes(FILE.encode())
    after = written(tmp_path, AT)["Dockerfile"].decode()

    (line,) = (line for line in after.split("\r\n") if line.startswith("RUN sed "))
    assert (
        after.replace(line + "\r\n", "").replace(SNAPSHOT, "http://mirror.example/debian") == FILE
    )
    assert after.index(line) == FILE.index("# what")
    assert wrong(tmp_path) == []


OTHER = "http://snapshot.debian.org/archive/debian/20250101T000000Z/"
#: What is no archive of Debian's, in all the forms that apt takes.
FOREIGN_FIELDS = (
    "URIs: https://x.example/debian/",
    "URIs:\thttps://x.example/debian",
    "URIs:https://x.example/y",
    "uris: https://x.example/debian-security",
    "URIs: http://notdebian.org/debian",
    "URIs: http://a.debian.org.example/debian",
    "URIs: http://a.debian.org/debian http://x.example/debian",
    "URIs: http://a.debian.org/debian\n https://x.example/debian",
    "URIs: http://snapshot.debian.org/archive/debian/now/",
    "URIs:",
    "URIs:\n https://x.example/y",
)
FOREIGN_LINES = (
    "deb https://x.example/linux/debian bookworm stable",
    "deb https://x.example/debian/ bookworm main",
    "deb\thttps://x.example/debian x y",
    "  deb https://x.example/y z w",
    "deb-src https://x.example/debian z w",
    "deb [ trusted=yes ]\thttps://x.example/y z w",
    "deb https://x.example/y z w # ://snapshot.debian.org/archive/",
    "deb [a=http://snapshot.debian.org/archive/] https://x.example/y z w",
    '"deb" https://x.example/y z w',
)


def test_the_step_rewrites_both_forms_and_stops_at_what_it_does_not_know(tmp_path: Path):
    """The step itself, run by a real sh with its folder moved."""
    (tmp_path / "Dockerfile").write_bytes(FILE.encode())
    after = written(tmp_path, AT)["Dockerfile"].decode()
    step = next(one for one in after.split("\r\n") if one.startswith("RUN sed "))
    etc = tmp_path / "etc/apt"
    (etc / "sources.list.d").mkdir(parents=True)
    script = step.removeprefix("RUN ").replace("/etc/apt/", f"{etc}/")

    def run() -> int:
        return subprocess.run(["sh", "-c", script], capture_output=True).returncode

    (etc / "sources.list").write_text(
        "# deb http://old.example/debian x main\n\n"
        "deb http://a.debian.org/debian bookworm main\n"
        "\tdeb\t[arch=amd64] https://b.c.debian.org/debian-security/ bookworm-security main # x\n"
        f"deb {OTHER} bookworm-updates main\n"
    )
    deb822 = etc / "sources.list.d/debian.sources"
    deb822.write_text("Types: deb\nuris :http://debian.org/debian/\nSuites: bookworm\n")
    assert run() == 0
    assert (etc / "sources.list").read_text() == (
        "# deb http://old.example/debian x main\n\n"
        f"deb [check-valid-until=no ] {SNAPSHOT} bookworm main\n"
        f"deb [check-valid-until=no arch=amd64] {SECURITY} bookworm-security main # x\n"
        f"deb {OTHER} bookworm-updates main\n"
    )
    assert deb822.read_text() == (
        f"Types: deb\nURIs: {SNAPSHOT}\nCheck-Valid-Until: no\nSuites: bookworm\n"
    )
    good = deb822.read_text()
    for line in FOREIGN_FIELDS:
        deb822.write_text(f"Types: deb\n{line}\nSuites: x\n")
        assert run() != 0, line
    deb822.write_text(good)
    for line in FOREIGN_LINES:
        other = etc / "sources.list.d/other.list"
        other.write_text(f"{line}\n")
        assert run() != 0, line
        assert other.read_text() == f"{line}\n"
    other.write_text("")
    assert run() == 0


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("FROM ubuntu:24.04@{d}\nRUN apt-get install -y a\n", "Ubuntu has another"),
        ("FROM a:1@{d}\nUSER app\nRUN sudo apt-get install -y a\n", "runs as USER app"),
        ('FROM a:1@{d}\nSHELL ["x"]\nSHELL ["sh"]\nRUN apt-get install a\n', "another SHELL"),
        ("FROM a:1@{d}\nONBUILD RUN apt-get install -y a\n", "no step of its own"),
    ],
)
def test_where_no_step_can_be_put_the_file_stays_and_it_is_told(
    tmp_path: Path, lines: str, reason: str
):
    (tmp_path / "Dockerfile").write_text(lines.format(d=DIGEST))
    assert reason in left(tmp_path, AT)


def test_versions_need_an_instant_and_a_base_that_can_be_read(tmp_path: Path):
    (tmp_path / "Dockerfile").write_text(
        f"FROM 127.0.0.1:9/none:1@{DIGEST}\nADD --checksum={DIGEST} https://x.example/debian.list "
        "/etc/apt/sources.list\nRUN apt-get install -y curl\n"
    )
    for at, offline in ((None, False), (AT, True)):
        with pytest.raises(UsageError, match="looked up in a snapshot"):
            pin_edits([tmp_path], Fetcher(offline=offline), at, versions=True)
    edits = pin_edits([tmp_path], Fetcher(), AT, versions=True)
    (told,) = edits.written.unknown
    assert told.startswith("Dockerfile:3: the versions of what it installs: ")
    assert b"curl=" not in edits.diff


# Requirements.


@pytest.fixture
def index(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An index, pip's own, with three versions of alpha, which needs beta."""
    simple = Simple(server)
    for version, when in (("1.0", "2025-01-01"), ("2.0", "2026-02-01"), ("2.1", "2026-06-01")):
        tree = wheel_tree("alpha", version)
        name = f"alpha-{version}.dist-info/METADATA"
        tree[name] += b"Requires-Dist: beta\n"
        simple.add("alpha", f"alpha-{version}-py3-none-any.whl", zipped(tree), **uploaded(when))
    simple.add("beta", "beta-1.0-py3-none-any.whl", wheel("beta", "1.0"), **uploaded("2025-01-01"))
    simple.add("gamma", "gamma-1.0.tar.gz", b"not to be built", **uploaded("2025-01-01"))
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.mktemp("uv")))


def uploaded(day: str) -> dict[str, object]:
    return {"upload-time": f"{day}T00:00:00.000000Z", "requires-python": ">=3.8"}


REQUIREMENTS = b'\xef\xbb\xbf# ours\r\nAlpha>=1 ; python_version >= "3"   # the first\r\n'


@pytest.mark.usefixtures("index")
def test_requirements_get_the_versions_of_then_with_hashes(tmp_path: Path, server: Server):
    project = tmp_path / "project"
    project.mkdir()
    (project / "requirements.txt").write_bytes(REQUIREMENTS)
    after = written(project, AT)["requirements.txt"]

    chosen = server.replies["/files/alpha-2.0-py3-none-any.whl"]
    other = server.replies["/files/beta-1.0-py3-none-any.whl"]
    assert isinstance(chosen, Reply) and isinstance(other, Reply)
    assert after == (
        b'\xef\xbb\xbf# ours\r\nAlpha==2.0 ; python_version >= "3" \\\r\n'
        b"    --hash=sha256:%s   # the first\r\n"
        b"beta==1.0 \\\r\n    --hash=sha256:%s\r\n"
    ) % (sha256(chosen.body).encode(), sha256(other.body).encode())
    assert wrong(project) == []
    install = [sys.executable, "-m", "pip", "install", "--require-hashes", "--no-cache-dir", "-q"]
    install += ["--target", str(tmp_path / "site"), "-r", str(project / "requirements.txt")]
    subprocess.run(install, check=True, env=os.environ)
    assert (tmp_path / "site/alpha-2.0.dist-info").is_dir()
    assert (tmp_path / "site/beta-1.0.dist-info").is_dir()


@pytest.mark.usefixtures("index")
def test_without_an_instant_the_newest_is_taken_and_a_source_file_gets_a_lock_beside(
    tmp_path: Path,
):
    (tmp_path / "requirements.in").write_text("alpha\n")
    files = written(tmp_path)

    assert files["requirements.in"] == b"alpha\n"
    assert files["requirements.txt"].startswith(b"alpha==2.1 \\\n    --hash=sha256:")
    assert wrong(tmp_path) == []


@pytest.mark.parametrize("line", ["gamma", "delta", "alpha<1"])
@pytest.mark.usefixtures("index")
def test_what_cannot_be_resolved_or_would_have_to_be_built_stays(tmp_path: Path, line: str):
    (tmp_path / "requirements.txt").write_text(f"{line}\n")
    assert left(tmp_path).startswith("requirements.txt:1: requirements.txt: uv: ")


# Commits.

OLD, NEW, TAG = "1" * 40, "2" * 40, "3" * 40


@pytest.fixture
def repository(server: Server) -> str:
    """A repository, by git's dumb protocol: a branch, and a tag with an object of its own."""
    refs = f"{NEW}\trefs/heads/main\n{TAG}\trefs/tags/v1\n{OLD}\trefs/tags/v1^{{}}\n"
    server.replies["/r.git/info/refs"] = Reply(body=refs.encode(), kind="text/plain")
    server.replies["/r.git/HEAD"] = Reply(body=b"ref: refs/heads/main\n", kind="text/plain")
    return f"{server.url}/r.git"


def test_repositories_get_the_commit_that_is_there_now(tmp_path: Path, repository: str):
    file = (
        "FROM scratch\nADD {url}{main} /a\nADD --chown=1 {url}{tag}:sub /b\n"
        "RUN git clone -b v1 {url} /src{checkout} && make\n"
        "RUN git clone {url}{newest}\n"
    )
    before = file.format(url=repository, main="", tag="#v1", checkout="", newest="")
    (tmp_path / "Dockerfile").write_text(before)
    (tmp_path / "requirements.txt").write_text(f"a @ git+{repository}@v1#egg=a\n")
    files = written(tmp_path)

    assert files["Dockerfile"].decode() == file.format(
        url=repository,
        main=f"#{NEW}",
        tag=f"#{OLD}",
        checkout=f" && git -C /src checkout -q {OLD}",
        newest=f" && git -C r checkout -q {NEW}",
    )
    assert files["requirements.txt"].decode() == f"a @ git+{repository}@{OLD}#egg=a\n"
    assert wrong(tmp_path) == []


@pytest.mark.parametrize(
    "step",
    ["git clone {url} $HERE", "git clone --depth 1 {url} /a", "git clone {url} | tee log"],
)
def test_a_clone_that_no_edit_is_sure_of_stays(tmp_path: Path, repository: str, step: str):
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nRUN {step.format(url=repository)}\n")
    left(tmp_path)


# Maven. The plugin itself is on no stand-in: what it is asked, and where, is what is shown here.

MVN = """#!/bin/sh
case "$*" in *maven-lockfile:generate*SHA-256*) ;; *) exit 2 ;; esac
while [ "$1" != -f ]; do shift; done
cd "$(dirname "$2")" && grep -q broken pom.xml && {
    echo "[ERROR] "; echo "[ERROR] no such artifact"; exit 1; }
echo '{"artifactId": "a", "lockFileVersion": 1, "dependencies": []}' > lockfile.json
"""
POM = "<project><artifactId>a</artifactId><dependencies/>{more}</project>\n"


@pytest.fixture
def mvn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "bin/mvn"
    path.parent.mkdir()
    path.write_text(MVN)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    (tmp_path / "project/sub").mkdir(parents=True)
    return tmp_path / "project"


def test_a_pom_without_a_lock_gets_one_and_nothing_else_is_written(mvn: Path):
    (mvn / "sub/pom.xml").write_text(POM.format(more=""))
    assert wrong(mvn) == ["JV003"]
    edits(mvn).write()

    assert sorted(path.name for path in (mvn / "sub").iterdir()) == ["lockfile.json", "pom.xml"]
    assert wrong(mvn) == []
    assert edits(mvn).diff == b""


def test_a_lock_that_maven_cannot_make_is_told_with_its_own_words(mvn: Path):
    (mvn / "pom.xml").write_text(POM.format(more="<!-- broken -->"))
    assert left(mvn) == "pom.xml:1: pom.xml: mvn: no such artifact"


# repaudit.lock.


def test_a_download_of_a_step_goes_into_the_lock_which_audit_and_verify_heed(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "Dockerfile"
    path.write_text("FROM scratch\nRUN ./get && curl -o /tool http://tools.example/tool\n")
    monkeypatch.setenv("http_proxy", server.url)
    server.replies["http://tools.example/tool"] = Reply(body=b"a tool")
    assert wrong(tmp_path) == ["NET002"]
    files = written(tmp_path)

    assert json.loads(files["repaudit.lock"]) == {
        "schema": "repaudit-lock/1",
        "packages": [
            {
                "purl": "pkg:generic/tool?download_url=http://tools.example/tool",
                "kind": "http",
                "digests": [f"sha256:{sha256(b'a tool')}"],
                "origin": "http://tools.example/tool",
                "instant": None,
            }
        ],
    }
    jsonschema.Draft202012Validator(shipped_schema(SCHEMA)).validate(
        json.loads(files["repaudit.lock"])
    )
    report = audit_pins([tmp_path])
    assert report.verdict is PinsVerdict.PINNED
    assert [(one.id, one.severity.value) for one in report.findings] == [("NET002", "note")]
    assert "repaudit.lock names its bytes" in report.findings[0].message

    def verified(*, offline: bool = False) -> tuple[PinsVerdict, list[str]]:
        told = verify_pins([tmp_path], None, Fetcher(waiting=QUICK, offline=offline))
        return told.verdict, [one.id for one in told.findings]

    assert verified() == (PinsVerdict.PINNED, [])
    server.replies["http://tools.example/tool"] = Reply(body=b"another")
    assert verified() == (PinsVerdict.FLOATING, ["IDX003"])
    del server.replies["http://tools.example/tool"]
    assert verified() == (PinsVerdict.FLOATING, ["IDX002"])
    assert verified(offline=True) == (PinsVerdict.INCONCLUSIVE, ["IDX001"])


def test_a_lock_keeps_what_is_in_it_and_is_the_same_bytes():
    a, b = (
        Locked(purl=f"pkg:generic/{name}", kind="http", digests=(DIGEST,), origin="https://x")
        for name in "ab"
    )
    lock = Lock().extended([b]).extended([a])

    assert to_json(lock) == to_json(Lock().extended([a, b]))
    assert lock_from_json(to_json(lock)) == lock
    other = Locked(purl=a.purl, kind="http", digests=(), origin="https://y")
    assert lock.extended([other]).packages == (other, b)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"schema": "repaudit-lock/2"}', b"[" * 5000]
)
def test_a_lock_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes):
    with pytest.raises(MalformedError):
        lock_from_json(data)
    (tmp_path / "repaudit.lock").write_bytes(data)
    assert audit_pins([tmp_path]).verdict is PinsVerdict.INCONCLUSIVE


TIGHTER: dict[tuple[str, str], dict[str, Any]] = {
    ("Lock", "schema"): {"const": SCHEMA},
    ("Locked", "purl"): {"type": "string", "pattern": "^pkg:"},
    ("Locked", "digests"): {
        "type": "array",
        "items": {"type": "string", "pattern": "^(md5|sha1|sha256|sha384|sha512):[0-9a-f]+$"},
    },
}


def schema() -> dict[str, Any]:
    return closed(Lock, SCHEMA, TIGHTER)


def test_the_schema_that_ships_is_that_of_the_types():
    assert schema() == shipped_schema(SCHEMA), f"write it again: {WRITE}"


if __name__ == "__main__":
    sys.stdout.buffer.write(to_json(schema()))
