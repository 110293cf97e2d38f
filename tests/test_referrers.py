"""Statements attached to an image in a registry, and found again."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from repaudit.attestations.bundle import parse_bundles
from repaudit.host.distribution import Manifest, Repository, _Login, parse_reference
from repaudit.host.keys import load_public
from repaudit.model.errors import MalformedError, RefusedError, SourceError, UsageError
from repaudit.oci.referrer import MANIFEST, fallback_tag, parse_referrers
from repaudit.stages.attest import verify
from repaudit.stages.referrers import attach, find
from tests.kept import KeyPair, image_config, kept_run, key_pair, manifest
from tests.registry import certificate, docker_registry, modern_registry
from tests.test_attest import signed

needs_registry = pytest.mark.skipif(
    shutil.which("docker-registry") is None, reason="needs docker-registry"
)
IMAGE = Manifest(data=manifest(image_config()), media_type=MANIFEST)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return kept_run(tmp_path / "run")


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path / "keys", "ed25519")


def push(repository: Repository, config: bytes) -> str:
    """Push an image without layers, and return its digest."""
    repository.put_blob(config)
    image = Manifest(data=manifest(config), media_type=MANIFEST)
    repository.put_manifest(image.digest, image)
    return image.digest


@needs_registry
def test_what_is_attached_is_found_again_and_the_image_stays(host: str, run: Path, keys: KeyPair):
    repository = Repository(host, "found/again")
    digest = push(repository, image_config())
    data = signed(run, keys)
    made = attach(f"{host}/found/again@{digest}", data)

    assert repository.referrers(digest) is None  # Debian's has no such API: the tag is what counts
    listed = repository.manifest(fallback_tag(digest))
    assert listed is not None
    assert {one.digest for one in parse_referrers(listed.data, "tag")} == set(made)
    assert len(made) == 5
    found = find(f"{host}/found/again@{digest}")
    assert sorted(found.splitlines()) == sorted(data.splitlines())
    assert len(verify(found, load_public(keys.public), digest).statements) == 5
    image = repository.manifest(digest)
    assert image is not None and image.data == IMAGE.data


@needs_registry
def test_the_same_bundle_is_attached_but_once(host: str, run: Path, keys: KeyPair):
    digest = push(Repository(host, "once"), image_config())
    data = signed(run, keys, "reproducibility")

    assert attach(f"{host}/once@{digest}", data) == attach(f"{host}/once@{digest}", data)
    assert len(parse_bundles(find(f"{host}/once@{digest}"))) == 1


@needs_registry
def test_what_is_there_stays(host: str, run: Path, keys: KeyPair):
    digest = push(Repository(host, "others"), image_config())
    reference = f"{host}/others@{digest}"
    attach(reference, signed(run, keys, "reproducibility"))
    attach(reference, signed(run, keys, "verification_summary"))

    assert len(parse_bundles(find(reference))) == 2


@needs_registry
def test_what_two_writers_lost_is_there_once_it_is_attached_again(
    host: str, run: Path, keys: KeyPair
):
    """The tag has no lock, and this registry may answer 500 to two writers of one blob."""
    digest = push(Repository(host, "race"), image_config())
    reference = f"{host}/race@{digest}"
    bundles = signed(run, keys).splitlines(keepends=True)

    def write(bundle: bytes) -> None:
        with suppress(SourceError):
            attach(reference, bundle)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, bundles))
    for bundle in bundles:
        attach(reference, bundle)
    assert sorted(find(reference).splitlines(keepends=True)) == sorted(bundles)


@needs_registry
def test_a_statement_about_another_image_is_not_attached(host: str, run: Path, keys: KeyPair):
    digest = push(Repository(host, "other"), image_config(other="yes"))

    with pytest.raises(RefusedError, match="no statement of the file is about"):
        attach(f"{host}/other@{digest}", signed(run, keys))
    with pytest.raises(SourceError, match="nothing is attached"):
        find(f"{host}/other@{digest}")


@needs_registry
def test_an_image_that_is_not_there_is_told(host: str, run: Path, keys: KeyPair):
    with pytest.raises(SourceError, match="has no image"):
        attach(f"{host}/gone:1", signed(run, keys))


def test_a_registry_with_the_api_keeps_the_list_itself(
    run: Path, keys: KeyPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    login = {"auth": base64.b64encode(b"ann:secret").decode()}
    with modern_registry() as (host, stored):
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {host: login}}))
        digest = push(Repository(host, "app"), image_config())
        data = signed(run, keys)
        attach(f"{host}/app@{digest}", data)

        assert sorted(find(f"{host}/app@{digest}").splitlines()) == sorted(data.splitlines())
        assert not any(kind.endswith("index.v1+json") for kind, _ in stored.values())

        (tmp_path / "auth.json").write_text(json.dumps({"auths": {"other.example": login}}))
        with pytest.raises(SourceError, match="401"):
            find(f"{host}/app@{digest}")


def test_a_login_trusts_whom_the_user_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    login = {"auth": base64.b64encode(b"ann:secret").decode()}
    address = "127.0.0.2"  # which is not spoken to in clear
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    with modern_registry(address, certificate(tmp_path, address)) as (host, stored):
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {host: login}}))
        with pytest.raises(SourceError, match="certificate verify failed"):
            push(Repository(host, "app"), image_config())

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
        assert push(Repository(host, "app"), image_config()) in stored


def test_a_login_is_for_its_own_host_and_never_in_clear():
    login = _Login("https", "registry.example")
    login._header = "Basic secret"
    for url, told in (
        ("https://registry.example/v2/app", True),
        ("http://registry.example/v2/app", False),
        ("https://registry.example:444/v2/app", False),
        ("https://other.example/v2/app", False),
    ):
        prepared = requests.Request("GET", url, auth=login).prepare()
        assert ("Authorization" in prepared.headers) is told
        assert bool(prepared.hooks["response"]) is told


def test_a_registry_that_lies_is_caught(run: Path, keys: KeyPair, tmp_path: Path, monkeypatch):
    login = {"auth": base64.b64encode(b"ann:secret").decode()}
    with modern_registry() as (host, stored):
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {host: login}}))
        repository = Repository(host, "app")
        digest = push(repository, image_config())
        stored[digest] = (MANIFEST, b"{}")

        with pytest.raises(MalformedError, match="not the manifest"):
            find(f"{host}/app@{digest}")


def test_a_registry_that_is_not_there_is_told():
    with pytest.raises(SourceError, match="cannot be reached"):
        find("127.0.0.1:1/app:1")


@pytest.mark.parametrize(
    "text",
    [
        "app",
        "app:1",
        "library/app",
        "host.example/App",
        "host.example/a@sha256:1",
        "/a",
        "",
        "a" * 9999,
    ],
)
def test_what_names_no_image_in_a_registry_is_refused(text: str):
    with pytest.raises(UsageError, match="not an image in a registry"):
        parse_reference(text)


def test_a_reference_is_host_name_and_tag_or_digest():
    digest = "sha256:" + "a" * 64
    for text, name, rest in (
        ("docker://registry.example/a/b:1", "registry.example/a/b", "1"),
        (f"localhost:5000/a:1@{digest}", "localhost:5000/a", digest),
        ("[::1]:5000/a", "[::1]:5000/a", "latest"),
    ):
        repository, reference = parse_reference(text)
        assert (repository.name, reference) == (name, rest)
