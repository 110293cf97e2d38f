"""Writing pins: the edits and nothing but the edits, from a real registry on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repaudit.audit import audit_pins
from repaudit.host.fetch import Fetcher
from repaudit.model.errors import UndecidedError
from repaudit.pinning import pin_edits
from tests.command import repaudit
from tests.images import Store, member, tagged, tar, write_files
from tests.packages import sha256
from tests.standin import Reply, Server, serving

TOOL = b"a tool"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        found.replies["/tool"] = Reply(body=TOOL)
        yield found


FILE = """# syntax is old\r
FROM scratch\t\r
ADD   {url}/tool /usr/bin/   \r
RUN apt-get update # é
"""


def test_add_gets_a_checksum_and_every_other_byte_stays(tmp_path: Path, server: Server):
    path = tmp_path / "Containerfile"
    before = FILE.format(url=server.url).encode()
    path.write_bytes(before)

    shown = repaudit("pins", "write", tmp_path, "--diff")
    assert (shown.returncode, path.read_bytes()) == (1, before)
    assert f"+ADD   --checksum=sha256:{sha256(TOOL)} {server.url}/tool" in shown.stdout

    assert repaudit("pins", "write", tmp_path).returncode == 0
    after = path.read_bytes()
    edited = after.replace(f"--checksum=sha256:{sha256(TOOL)} ".encode(), b"")
    assert edited.replace(b" --error-on=any", b"") == before
    assert "NET002" not in {finding.id for finding in audit_pins([tmp_path]).findings}

    assert repaudit("pins", "write", tmp_path, "--diff").returncode == 0
    assert repaudit("pins", "write", tmp_path).returncode == 0
    assert path.read_bytes() == after


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Reply(status=404), "it is not there\n"), (Reply(body=TOOL, cut=1), "")],
)
def test_what_cannot_be_looked_up_stays_as_it_is(
    tmp_path: Path, server: Server, fault: Reply, reason: str
):
    server.replies["/tool"] = fault
    path = tmp_path / "Containerfile"
    path.write_text(f"FROM scratch\nADD {server.url}/tool /\n")
    before = path.read_bytes()
    done = repaudit("pins", "write", tmp_path)

    assert (done.returncode, path.read_bytes()) == (3, before)
    assert done.stderr.startswith(f"Containerfile:2: {server.url}/tool: not looked up: {reason}")


@pytest.mark.parametrize(
    "line",
    ["ADD {url}/tool {url}/tool /", "ADD --chown=1 {url}/tool /", "RUN curl -o x {url}/tool"],
)
def test_a_line_that_no_edit_is_sure_of_is_left_alone(tmp_path: Path, server: Server, line: str):
    path = tmp_path / "Containerfile"
    path.write_text("FROM scratch\n" + line.format(url=server.url) + "\n")
    before = path.read_bytes()
    done = repaudit("pins", "write", tmp_path)

    assert path.read_bytes() == before
    if line.startswith("ADD {url}/tool {url}"):
        assert (done.returncode, done.stderr.count("left as it is")) == (3, 1)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """A registry with one image: its name, its digest, and the environment that trusts it."""
    if not (shutil.which("docker-registry") and shutil.which("skopeo")):
        pytest.skip("needs docker-registry and skopeo")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "registry.yml"
    storage = "storage: {inmemory: {}}"
    config.write_text(f"version: 0.1\nlog: {{level: error}}\n{storage}\nhttp: {{addr: '{host}'}}\n")
    trust = tmp_path / "home" / ".config" / "containers" / "registries.conf"
    trust.parent.mkdir(parents=True)
    trust.write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')
    env = {"HOME": str(tmp_path / "home")}
    store = Store()
    folder = tmp_path / "layout"
    image = store.index(store.image(tar(member(b"a", b"1"))))
    write_files(folder, store.layout(tagged(image, "app")))
    with subprocess.Popen(["docker-registry", "serve", config], stderr=subprocess.DEVNULL) as run:
        try:
            argv = [
                "skopeo",
                "copy",
                "--all",
                "--preserve-digests",
                "-q",
                f"oci:{folder}:app",
                f"docker://{host}/app:1",
            ]
            for _ in range(50):
                done = subprocess.run(argv, env=os.environ | env, capture_output=True, text=True)
                if done.returncode == 0:
                    break
                time.sleep(0.1)
            assert done.returncode == 0, done.stderr
            yield f"{host}/app:1", image["digest"], env
        finally:
            run.terminate()


def verify(project: Path, env: dict[str, str]) -> tuple[int, list[tuple[str, int]]]:
    done = repaudit("pins", "verify", "--format=json", project, **env)
    found = json.loads(done.stdout)["findings"]
    return done.returncode, [(one["id"], one["location"]["line"]) for one in found]


def test_an_image_by_its_digest_is_asked_of_its_registry(
    tmp_path: Path, registry: tuple[str, str, dict[str, str]]
):
    name, digest, env = registry
    host = name.partition("/")[0]
    (project := tmp_path / "project").mkdir()
    file = project / "Containerfile"

    file.write_text(f"FROM {name}@{digest}\n")
    assert verify(project, env) == (0, [])
    file.write_text(f"FROM {name}@{digest}\nCOPY --from={host}/gone@{digest} /a /a\n")
    assert verify(project, env) == (1, [("IDX002", 2)])
    file.write_text(f"FROM {name}@sha256:{'0' * 64}\n")
    assert verify(project, env) == (1, [("IDX002", 1)])
    file.write_text(f"FROM {name}@{digest}\nCOPY --from=127.0.0.1:9/app@{digest} /a /a\n")
    assert verify(project, env) == (3, [("IDX001", 2)])


def test_images_get_the_digest_of_the_index_that_their_registry_serves(
    tmp_path: Path, registry: tuple[str, str, dict[str, str]]
):
    name, digest, env = registry
    project = tmp_path / "project"
    project.mkdir()
    (project / "Containerfile").write_text(
        f"FROM {name} AS one\nFROM scratch\nCOPY --from={name} /a /a\nCOPY --from=one /a /b\n"
    )
    (project / "compose.yaml").write_text(f'services:\n  a:\n    image: "{name}" # the app\n')

    done = repaudit("pins", "write", project, **env)
    assert (done.returncode, done.stderr) == (0, "")
    pinned = f"{name}@{digest}"
    assert (project / "Containerfile").read_text() == (
        f"FROM {pinned} AS one\nFROM scratch\nCOPY --from={pinned} /a /a\nCOPY --from=one /a /b\n"
    )
    assert (project / "compose.yaml").read_text() == (
        f'services:\n  a:\n    image: "{pinned}" # the app\n'
    )
    assert audit_pins([project]).verdict.value == "pinned"
    assert repaudit("pins", "write", project, "--diff", **env).stdout == ""
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in project.iterdir()}
    assert repaudit("pins", "write", project, **env).returncode == 0
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in project.iterdir()} == digests


def test_an_image_that_no_registry_serves_is_left_and_told(tmp_path: Path):
    path = tmp_path / "Containerfile"
    path.write_text("FROM 127.0.0.1:9/none:1\n")
    done = repaudit("pins", "write", tmp_path)

    assert (done.returncode, path.read_text()) == (3, "FROM 127.0.0.1:9/none:1\n")
    assert done.stderr.startswith("Containerfile:1: 127.0.0.1:9/none:1: not looked up: ")
    assert "connection refused" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("Dockerfile", "ARG BASE=debian:12\nFROM ${{BASE}}\n", "Dockerfile:2: FROM debian:12: "),
        ("compose.yml", "services:\n a:\n  image: ${{IMG:-busybox:1}}\n", "compose.yml:3: image:"),
        ("pom.xml", "<project>", "pom.xml:1: as pom: "),
        ("Dockerfile", "FROM scratch\nADD {url}/tool /\n", None),
        ("Dockerfile", "ARG BASE=scratch\nFROM ${{BASE}}\n", None),
    ],
)
def test_what_is_not_written_is_told(
    tmp_path: Path, server: Server, name: str, text: str, told: str | None
):
    (tmp_path / name).write_text(text.format(url=server.url))
    done = repaudit("pins", "write", tmp_path)

    assert done.returncode == (3 if told else 0), done.stderr
    assert done.stderr.startswith(told) if told else done.stderr == ""


def test_a_file_of_two_names_is_edited_once(tmp_path: Path, server: Server):
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "Dockerfile"
    file.write_text(f"FROM scratch\nADD {server.url}/tool /\n")
    (tmp_path / "Dockerfile").symlink_to("own/Dockerfile")
    shown = repaudit("pins", "write", tmp_path, "--diff").stdout

    assert (shown.count("+++"), shown.count("+++ b/own/Dockerfile\n")) == (1, 1)
    assert repaudit("pins", "write", tmp_path).returncode == 0
    assert (tmp_path / "Dockerfile").is_symlink()
    assert "--checksum" in file.read_text()
    assert repaudit("pins", "write", tmp_path, "--diff").stdout == ""


def test_where_a_file_was_changed_meanwhile_nothing_is_written(tmp_path: Path, server: Server):
    for name in ("a.Dockerfile", "b.Dockerfile"):
        (tmp_path / name).write_text(f"FROM scratch\nADD {server.url}/tool /\n")
    before = (tmp_path / "a.Dockerfile").read_bytes()
    edits = pin_edits([tmp_path], Fetcher(), None)
    (tmp_path / "b.Dockerfile").write_text("FROM scratch\n")

    with pytest.raises(UndecidedError, match=r"b\.Dockerfile was changed meanwhile") as raised:
        edits.write()
    assert raised.value.exit_code == 3
    assert (tmp_path / "a.Dockerfile").read_bytes() == before


def test_a_diff_has_names_as_git_writes_them(tmp_path: Path):
    for name in (b"Dockerfile.a\nb", b"Dockerfile.a b", b"Dockerfile.\xff"):
        with open(os.path.join(os.fsencode(tmp_path), name), "w") as file:
            file.write("FROM scratch\nRUN apt-get update\n")
    diff = pin_edits([tmp_path], Fetcher(offline=True), None).diff
    subprocess.run(["git", "apply", "-p1"], cwd=tmp_path, input=diff, check=True)

    assert pin_edits([tmp_path], Fetcher(offline=True), None).diff == b""
