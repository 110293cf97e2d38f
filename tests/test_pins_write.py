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


@pytest.mark.parametrize("fault", [Reply(status=404), Reply(body=TOOL, cut=1)])
def test_what_cannot_be_looked_up_stays_as_it_is(tmp_path: Path, server: Server, fault: Reply):
    server.replies["/tool"] = fault
    path = tmp_path / "Containerfile"
    path.write_text(f"FROM scratch\nADD {server.url}/tool /\n")
    before = path.read_bytes()
    done = repaudit("pins", "write", tmp_path)

    assert (done.returncode, path.read_bytes()) == (3, before)
    assert done.stderr == f"Containerfile:2: {server.url}/tool: not looked up\n"


@pytest.mark.parametrize(
    "line",
    ["ADD {url}/tool {url}/tool /", "ADD --chown=1 {url}/tool /", "RUN curl -o x {url}/tool"],
)
def test_a_line_that_no_edit_is_sure_of_is_left_alone(tmp_path: Path, server: Server, line: str):
    path = tmp_path / "Containerfile"
    path.write_text("FROM scratch\n" + line.format(url=server.url) + "\n")
    before = path.read_bytes()
    repaudit("pins", "write", tmp_path)

    assert path.read_bytes() == before


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
    assert done.stderr == "Containerfile:1: 127.0.0.1:9/none:1: not looked up\n"
