"""The sign-off: what a person answers for, refused where nobody may, and checked by a stranger."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import resource
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import Struct
from msgspec.structs import replace
from typer.testing import CliRunner

from repaudit.cli.app import app
from repaudit.host import git
from repaudit.host.scratch import write_folder
from repaudit.model.canonical import shipped_schema
from repaudit.model.errors import RepauditError, UsageError
from repaudit.model.finding import Finding
from repaudit.model.history import Source
from repaudit.model.report import Verdict
from repaudit.model.sign_off import SIGN_OFF_SCHEMA
from repaudit.stages.dated import day
from tests import images
from tests.kept import JOURNAL, KeyPair, image_config, kept_run, key_pair
from tests.live import Shell
from tests.test_gate import BUILD_INFO, OTHER

OTHER_DIGEST = "sha256:" + "0" * 64
PIN = "FROM example.org/base:1@sha256:" + "b" * 64
NEVER = "9999-01-01"
TWO = (image_config(), image_config(late="yes"))


class Place(Struct, frozen=True, kw_only=True):
    """A context under git, and what is needed to keep runs of it."""

    folder: Path
    context: Path
    source: Source

    def kept(self, name: str = "run", *configs: bytes, **more: Any) -> Path:
        context = str(self.context)
        known = {"source": more.pop("source", self.source), "hidden": more.pop("hidden", ())}
        journal = replace(JOURNAL, context=context, **known)
        return kept_run(self.folder / name, *configs, journal=journal, **more)

    def git(self, *words: str, folder: Path | None = None, at: str = "2026-11-01T00:00:00Z") -> str:
        who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
        who |= {name.replace("AUTHOR", "COMMITTER"): text for name, text in who.items()}
        who |= {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at, "GIT_ALLOW_PROTOCOL": "file"}
        argv = ["git", "-C", str(folder or self.context), *words]
        done = subprocess.run(argv, env=os.environ | who, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, at: str = "2026-11-01T00:00:00Z") -> Source:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=m", at=at)
        return Source(commit=self.git("rev-parse", "HEAD"), dirty=False)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (context := tmp_path / "app").mkdir()
    (context / "Containerfile").write_text(f"{PIN}\nCOPY a /a\n")
    (context / "a").write_text("a\n")
    made = Place(folder=tmp_path, context=context, source=Source(commit="", dirty=False))
    made.git("init", "--quiet")
    return replace(made, source=made.commit())


@pytest.fixture
def keys(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path / "keys", "ed25519")


class Done(Struct, frozen=True, kw_only=True):
    returncode: int
    stdout: str
    stderr: str


def repaudit(*words: str | Path, **env: str) -> Done:
    """Run the command: here, or under an environment in a process of its own."""
    argv = ["sign-off", *map(str, words)]
    if env:
        call = [sys.executable, "-m", "repaudit", *argv]
        done = subprocess.run(call, env=os.environ | env, capture_output=True, text=True)
        return Done(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)
    result = CliRunner().invoke(app, argv)
    error = result.exception
    if isinstance(error, RepauditError):  # what main() makes words of
        told = f"{error.message}\n  way out: {error.hint}"
        code, stderr = error.exit_code, result.stderr + told
        return Done(returncode=code, stdout=result.stdout, stderr=stderr)
    assert error is None or isinstance(error, SystemExit), error
    return Done(returncode=result.exit_code, stdout=result.stdout, stderr=result.stderr)


def signed(run: Path, *words: str | Path, **env: str) -> dict[str, Any]:
    """Sign off into a folder beside the run; return sign-off.json, which obeys its schema."""
    out = run.parent / f"out-{len(list(run.parent.glob('out-*')))}"
    done = repaudit(run, "--output", out, *words, **env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((out / "sign-off.json").read_bytes())
    jsonschema.Draft202012Validator(shipped_schema(SIGN_OFF_SCHEMA)).validate(found)
    return found | {"folder": out}


def refused(run: Path, code: int, told: str, *words: str | Path) -> None:
    """It ends with that code and word, and nothing at all was written."""
    out = run.parent / "refused" / "out"
    done = repaudit(run, "--output", out, *words)
    assert (done.returncode, told in done.stderr) == (code, True), (done.returncode, done.stderr)
    assert "way out" in done.stderr
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


def contents(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def allow_file(folder: Path, *findings: Finding, expires: str = NEVER) -> Path:
    path = folder / f"allow-{expires}.toml"
    path.write_text(
        "".join(
            f'[[allow]]\ncause = "{one.cause.slug}"\nplace = "*"\nreason = "shown"\n'
            f'owner = "team-base"\nexpires = {expires}\n'
            for one in findings
        )
    )
    return path


# What is signed off.


def test_a_reproducible_run_is_signed_off_with_all_that_belongs_to_it(place: Place, keys: KeyPair):
    labels = {"tee.launch_policy.allow_cmd_override": "true"}
    found = signed(place.kept("run", *(image_config(**labels),) * 2), "--key", keys.private)

    assert (found["verdict"], found["accepted"], found["published"]) == ("reproducible", [], None)
    (image,) = found["images"]
    assert image["runs"] == ["control", "variant"]
    assert [one["kind"] for one in image["identities"]] == ["manifest as built", "config"]
    assert "Confidential Space (image_digest)" in image["identities"][0]["used_by"]
    assert found["reference"] == image["identities"][0]["digest"]
    assert (found["hosts"], found["bound"]["runs"], len(found["runs"])) == (1, 1, 2)
    assert (found["varied"], found["held"][0]["factor"]) == (["umask"], "time")
    assert found["settings"]["command"] == ["/app"]
    assert found["settings"]["environment"] == ["PATH=/bin"]
    assert [one["severity"] for one in found["policy"]] == ["error"]
    assert found["source"]["commit"] == place.source.commit
    assert not found["source"]["dirty"]
    (base,) = found["bases"]
    assert (base["created"], base["days"]) == ("2026-09-21", 115)
    assert found["tools"] == {"buildah": "buildah version 1.28.2", "repaudit": "1"}
    assert found["signer"].startswith("ni:///sha-256;")
    files = contents(found["folder"])
    assert hashlib.sha256(files["report.json"]).hexdigest() in found["report"]
    assert files["key.pub"] == keys.public.read_bytes()
    assert set(files) == {
        *("SHA256SUMS", "SHA256SUMS.sig", "key.pub", "report.html", "report.json"),
        *("reproduce.sh", "sign-off.html", "sign-off.json", "statements.sigstore.jsonl"),
    }


def test_the_same_run_gives_the_same_bytes_on_any_day_and_anywhere(place: Place, keys: KeyPair):
    run = place.kept()
    first = signed(run, "--key", keys.private)["folder"]
    again = signed(run, "--key", keys.private, TZ="Pacific/Kiritimati", LC_ALL="C")["folder"]
    dated = signed(run, "--key", keys.private, SOURCE_DATE_EPOCH="1700000000")["folder"]

    assert contents(first) == contents(again)
    others = {name for name, data in contents(dated).items() if data != contents(first)[name]}
    assert others == {"statements.sigstore.jsonl", "SHA256SUMS", "SHA256SUMS.sig"}


def test_an_archive_holds_the_same_files_and_is_the_same_again(place: Place, keys: KeyPair):
    run = place.kept()
    folder = signed(run, "--key", keys.private)["folder"]
    made = []
    for _ in range(2):
        (place.folder / "app.tar").unlink(missing_ok=True)
        done = repaudit(run, "--output", place.folder / "app.tar", "--key", keys.private)
        assert done.returncode == 0, done.stderr
        made.append((place.folder / "app.tar").read_bytes())

    assert made[0] == made[1]
    with tarfile.open(place.folder / "app.tar") as tar:
        names = {member.name: tar.extractfile(member) for member in tar}
        read = {name.removeprefix("app/"): file.read() for name, file in names.items() if file}
        assert {member.mtime for member in tar} == {JOURNAL.start}
    assert read == contents(folder)


def test_without_a_key_nothing_is_signed_and_all_say_so(place: Place, keys: KeyPair):
    found = signed(place.kept())

    assert found["signer"] is None
    run = place.kept("again")
    told = repaudit(run, "--output", place.folder / "unsigned").stdout
    assert told.startswith("collected, not signed: app sha256:")
    told = repaudit(run, "--output", place.folder / "signed", "--key", keys.private).stdout
    assert told.startswith("signed off: app sha256:")
    assert "SHA256SUMS.sig" not in contents(found["folder"])
    assert "<dt>Signed by</dt><dd>nobody</dd>" in (found["folder"] / "sign-off.html").read_text()


def test_a_pin_is_as_old_as_its_snapshot_or_its_lines_last_commit(place: Place):
    (place.context / "sources.list").write_text(
        "deb [check-valid-until=no] http://snapshot.debian.org/archive/debian/20260101T000000Z/ "
        "bookworm main\n"
    )
    (place.context / "Containerfile").write_text(f"{PIN}\nRUN apt-get install gcc\n")
    later = replace(place, source=place.commit("2026-12-01T00:00:00Z"))
    pins = {one["pin"]["kind"]: one for one in signed(later.kept())["pins"]["pins"]}

    assert (pins["image"]["since"], pins["image"]["days"]) == ("2026-11-01", 75)
    assert (pins["apt-source"]["since"], pins["apt-source"]["days"]) == ("2026-01-01", 379)
    assert (pins["deb"]["pin"]["strength"], pins["deb"]["since"]) == ("floating", None)


def test_lines_older_than_a_shallow_clone_have_no_date(place: Place):
    (place.context / "a").write_text("a\nb\n")
    place.commit("2026-12-01T00:00:00Z")
    place.git("clone", "--quiet", "--depth=1", f"file://{place.context}", str(place.folder / "s"))

    whole = git.line_dates(place.context, "HEAD", "a")
    assert [day(whole[line]) for line in (1, 2)] == ["2026-11-01", "2026-12-01"]
    assert git.line_dates(place.folder / "s", "HEAD", "a") == {}
    assert git.line_dates(place.context, "HEAD", "none") == {}


# What is accepted, and what is refused.


def test_a_difference_is_signed_off_only_if_a_rule_holds_for_it(place: Place):
    run = place.kept("run", *TWO, verdict=Verdict.UNREPRODUCIBLE, findings=(BUILD_INFO, OTHER))
    both = allow_file(place.folder, BUILD_INFO, OTHER)

    refused(run, 1, BUILD_INFO.cause.slug)
    refused(
        run,
        1,
        OTHER.cause.slug,
        "--allow",
        allow_file(place.folder, BUILD_INFO, expires="9998-01-01"),
    )
    old = allow_file(place.folder, BUILD_INFO, OTHER, expires="2020-01-01")
    refused(run, 1, "allowed until 2020-01-01 only, by team-base", "--allow", old)
    found = signed(run, "--allow", both)
    assert [(one["finding"], one["until"]) for one in found["accepted"]] == [
        (BUILD_INFO.id, NEVER),
        (OTHER.id, NEVER),
    ]
    assert found["accepted"][0]["owner"] == "team-base"
    assert len(found["images"]) == 2
    page = (found["folder"] / "sign-off.html").read_text()
    assert "2 differences accepted" in page
    assert "team-base" in page


def test_an_open_verdict_is_never_signed_off(place: Place):
    run = place.kept("run", verdict=Verdict.INCONCLUSIVE, findings=(BUILD_INFO,))

    refused(run, 3, "app", "--allow", allow_file(place.folder, BUILD_INFO))


def test_a_tree_that_no_commit_holds_is_refused_unless_told(place: Place):
    dirty = replace(place.source, dirty=True)
    refused(place.kept("was", source=dirty), 1, "holds more than the commit")
    refused(place.kept("none", source=None), 1, "no git repository")
    run = place.kept()
    assert not signed(run)["source"]["dirty"]
    (place.context / "more").write_text("")
    refused(run, 1, "holds more than the commit")
    assert signed(run, "--allow-dirty")["source"]["dirty"]
    assert signed(place.folder / "none", "--allow-dirty")["source"] is None
    place.commit()
    refused(run, 1, "check that commit out", "--allow-dirty")
    refused(run, 2, "--context", "--context", place.folder / "no" / "such")


def test_a_run_that_lies_in_the_context_is_no_part_of_the_source(place: Place):
    (place.context / "old").mkdir()
    hidden = place.kept("app/audit", hidden=("old",))
    (place.context / "old" / "requirements.txt").write_text("a\n")
    done = repaudit(hidden, "--output", place.folder / "out")

    assert done.returncode == 0, done.stderr
    found = json.loads((place.folder / "out" / "sign-off.json").read_bytes())
    assert not found["source"]["dirty"]
    assert {one["pin"]["location"]["path"] for one in found["pins"]["pins"]} == {"Containerfile"}
    refused(place.kept("app/other"), 1, "holds more than the commit")


def test_what_git_ignores_is_told_unless_the_build_ignores_it_too(place: Place):
    (place.context / ".gitignore").write_text("*.log\ndist\n")
    later = replace(place, source=place.commit())
    assert signed(run := later.kept())["source"]["ignored"] == []
    (place.context / "dist").mkdir()
    for name in ("a.log", "dist/a", "dist/b"):
        (place.context / name).write_text("")
    assert signed(run)["source"]["ignored"] == ["a.log", "dist/"]
    (place.context / ".containerignore").write_text("dist\n")
    found = signed(replace(later, source=place.commit()).kept("again"))
    assert found["source"]["ignored"] == ["a.log"]
    assert "no clone has it" in (found["folder"] / "sign-off.html").read_text()


def test_submodules_are_named_and_a_changed_one_is_a_dirty_tree(place: Place):
    (other := place.folder / "other").mkdir()
    place.git("init", "--quiet", folder=other)
    (other / "b").write_text("b\n")
    place.git("add", "--all", folder=other)
    place.git("commit", "--quiet", "--message=m", folder=other)
    place.git("submodule", "--quiet", "add", f"file://{other}", "sub")
    later = replace(place, source=place.commit())
    run = later.kept()
    pinned = place.git("rev-parse", "HEAD", folder=other)

    assert signed(run)["source"]["submodules"] == [
        {"path": "sub", "commit": pinned, "state": "clean"}
    ]
    (place.context / "sub" / "more").write_text("")
    refused(run, 1, "holds more than the commit")
    place.git("submodule", "--quiet", "deinit", "--force", "--all")
    assert signed(run)["source"]["submodules"][0]["state"] == "absent"


def test_the_source_that_is_told_must_be_the_one_that_was_built(place: Place):
    uri = "git+https://example.org/app"
    refused(place.kept(), 2, "the run built", "--source", f"{uri}@{'0' * 40}")

    found = signed(place.folder / "run", "--source", f"{uri}@{place.source.commit}")
    assert found["source"]["uri"] == uri
    script = (found["folder"] / "reproduce.sh").read_text()
    assert "URI=https://example.org/app" in script


# The released image and the published digest.


def layout(folder: Path, config: bytes, *, index: bool) -> Path:
    """An image with this config whose manifest is another: it was pushed by another tool."""
    made = images.describe(config, images.CONFIG)
    plain = {
        "schemaVersion": 2,
        "mediaType": images.MANIFEST,
        "layers": [],
        "annotations": {"a": "b"},
    }
    described = {"mediaType": images.CONFIG, "digest": made.digest, "size": made.size}
    blobs = [config, json.dumps(plain | {"config": described}).encode()]
    entry = images.describe(blobs[-1], images.MANIFEST)
    listed = {"mediaType": entry.media_type, "digest": entry.digest, "size": entry.size}
    if index:
        kind = "application/vnd.oci.image.index.v1+json"
        listed["platform"] = {"os": "linux", "architecture": "amd64"}
        blobs.append(
            json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [listed]}).encode()
        )
        outer = images.describe(blobs[-1], kind)
        listed = {"mediaType": kind, "digest": outer.digest, "size": outer.size}
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for blob in blobs:
        (folder / "blobs" / "sha256" / hashlib.sha256(blob).hexdigest()).write_bytes(blob)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [listed]}))
    return folder


@pytest.mark.parametrize("index", [False, True])
def test_the_released_image_is_known_by_its_own_digests(place: Place, index: bool):
    pushed = layout(place.folder / "pushed", image_config(), index=index)
    found = signed(place.kept(), "--image", pushed)

    kinds = [one["kind"] for one in found["images"][0]["identities"]]
    assert kinds == [*(["index"] if index else []), "manifest", "manifest as built", "config"]
    assert found["reference"] == found["images"][0]["identities"][0]["digest"]
    assert found["reference"] != found["runs"][0]["image"]


def test_an_archive_is_known_by_the_files_digest_too(place: Place):
    pushed = layout(place.folder / "pushed", image_config(), index=False)
    with tarfile.open(place.folder / "app.oci", "w") as tar:
        for path in sorted(pushed.rglob("*")):
            tar.add(path, path.relative_to(pushed), recursive=False)
    digest = "sha256:" + hashlib.sha256((place.folder / "app.oci").read_bytes()).hexdigest()
    run = place.kept()

    for reference in (place.folder / "app.oci", f"oci-archive:{place.folder / 'app.oci'}"):
        found = signed(run, "--image", reference)
        known = {one["kind"]: one["digest"] for one in found["images"][0]["identities"]}
        assert known["archive"] == digest


def test_another_image_than_was_built_is_refused(place: Place):
    pushed = layout(place.folder / "pushed", image_config(other="yes"), index=False)

    refused(place.kept(), 1, "is not what the run built", "--image", pushed)


def test_the_published_digest_must_be_the_images(place: Place):
    run = place.kept()
    digest = signed(run)["reference"]
    (file := place.folder / "published").write_text(f"{digest}  app\n{OTHER_DIGEST}  base\n")
    found = signed(run, "--published", file)

    assert found["published"] == {"name": "app", "digest": digest, "kind": "manifest as built"}
    refused(run, 1, f"publishes {OTHER_DIGEST} as base", "--published", file, "--name", "base")
    refused(run, 1, "publishes no web", "--published", file, "--name", "web")


# The files.


def test_nothing_is_written_over_and_nothing_is_half(place: Place):
    found = signed(run := place.kept())
    before = contents(found["folder"])

    done = repaudit(run, "--output", found["folder"])
    assert done.returncode == 2
    assert "name a new folder" in done.stderr
    assert contents(found["folder"]) == before
    with pytest.raises(UsageError, match="cannot write"):
        write_folder(place.folder / "half", {"a": b"a", "no/such/b": b"b"})
    left = [path.name for path in place.folder.iterdir() if path.name.startswith((".", "half"))]
    assert left == []


def no_room() -> None:
    """As on a full disk: no file may have more than 4 KiB (setrlimit(2), EFBIG)."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


@pytest.mark.parametrize("output", ["out", "out.tar"])
def test_without_room_there_is_nothing(place: Place, keys: KeyPair, output: str):
    (where := place.folder / "where").mkdir()
    run = place.kept()
    argv = [sys.executable, "-m", "repaudit", "sign-off", run, "--key", keys.private, "--output"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*map(str, argv), where / output],
        env=environment,
        preexec_fn=no_room,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, "cannot write" in done.stderr) == (2, True), done.stderr
    assert list(where.iterdir()) == []


def test_a_report_of_another_version_is_not_signed_off(place: Place):
    run = place.kept()
    said = json.loads((run / "report.json").read_bytes()) | {"schema": "repaudit-report/2"}
    (run / "report.json").write_text(json.dumps(said))
    refused(run, 3, "repaudit-report/2")
    (run / "report.json").write_bytes(place.kept("other").joinpath("report.json").read_bytes())
    (run / "journal.json").write_text('{"start": "today"}')
    refused(run, 3, "not a journal")


def test_a_hostile_name_speaks_neither_to_the_shell_nor_to_the_page(place: Place):
    hostile = "a'$(touch pwned)\n`touch pwned`<script>alert(1)</script>"
    journal = replace(
        JOURNAL,
        context=str(place.context),
        source=place.source,
        bases=(replace(JOURNAL.bases[0], name=hostile),),
        versions={"buildah": hostile},
    )
    config = image_config(**{hostile: hostile})
    run = kept_run(place.folder / "run", config, config, journal=journal)
    found = signed(run, "--name", hostile)
    page = (found["folder"] / "sign-off.html").read_text()
    script = found["folder"] / "reproduce.sh"

    assert "<script" not in page
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    done = subprocess.run(["sh", script, "check"], cwd=place.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (place.folder / "pwned").exists()


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_a_stranger_checks_it_with_openssl_and_coreutils(place: Place, kind: str):
    pair, wrong = (key_pair(place.folder / name, kind) for name in ("keys", "wrong"))
    folder = signed(place.kept(), "--key", pair.private)["folder"]

    def check(*words: str | Path) -> tuple[int, str]:
        argv = ["sh", str(folder / "reproduce.sh"), *map(str, words)]
        done = subprocess.run(argv, cwd=place.folder, capture_output=True, text=True)
        return done.returncode, done.stdout

    script = (folder / "reproduce.sh").read_text()
    assert "\n#   buildah version 1.28.2\n#   repaudit 1\nset -eu\n" in script
    assert check("check", pair.public) == (0, check("check", pair.public)[1])
    assert "is signed with" in check("check", pair.public.relative_to(place.folder))[1]
    assert "was not checked" in check("check")[1]
    assert check("check", wrong.public)[0] == 1
    assert check("check", folder / "report.json")[0] == 3
    assert check()[0] == check("build")[0] == check("other")[0] == 2
    (folder / "SHA256SUMS.sig").unlink()
    assert check("check") == (0, "the files are those of SHA256SUMS\nit is not signed\n")
    code, told = check("check", pair.public)
    assert (code, "NO: it is not signed" in told) == (1, True)
    (folder / "report.html").write_bytes(b"other")
    assert check("check", pair.public)[0] == 1


def test_a_key_that_others_may_read_is_warned_of(place: Place, keys: KeyPair):
    keys.private.chmod(0o644)
    done = repaudit(place.kept(), "--output", place.folder / "out", "--key", keys.private)

    assert done.returncode == 0
    assert f"warning: others may read {keys.private}" in done.stderr


def test_the_statements_are_those_of_attest(place: Place, keys: KeyPair):
    found = signed(place.kept(), "--key", keys.private, "--signer", "https://example.org/ann")
    lines = contents(found["folder"])["statements.sigstore.jsonl"].splitlines()
    said = [json.loads(base64.b64decode(json.loads(n)["dsseEnvelope"]["payload"])) for n in lines]

    assert {one["predicateType"].rpartition("/")[2] for one in said} >= {"v1"}
    provenance = next(one for one in said if "provenance" in one["predicateType"])
    assert provenance["predicate"]["runDetails"]["builder"]["id"] == found["signer"]
    named = provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [one["name"] for one in named] == ["example.org/base:1"]


@pytest.mark.parametrize("words", [("--signer", "x"), ("--public-key", "x"), ("--key", "no/such")])
def test_wrong_words_are_wrong_usage(place: Place, words: tuple[str, ...]):
    refused(place.kept(), 2, "", *words)
    empty = replace(JOURNAL, start=None)
    refused(kept_run(place.folder / "old", journal=empty), 2, "no journal of its run")


@pytest.mark.live
def test_a_stranger_builds_it_again_and_knows_another_image(tmp_path: Path, golden_storage):
    """With git, buildah and skopeo alone, in a storage of their own."""
    shell = Shell(tmp_path, golden_storage)
    context = shell.context("FROM scratch\nCOPY a /a\n", a="a\n")
    place = Place(folder=tmp_path, context=context, source=Source(commit="", dirty=False))
    place.git("init", "--quiet")
    place.commit()
    run = context / "audit"  # as README tells it: no build sees it, and it makes no tree dirty
    for _ in range(2):
        assert shell("rebuild", "--quiet", "--output", run, context).status == 0
    done = shell("sign-off", run, "--output", "out")
    assert done.status == 0, done.stderr
    (conf := tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/g"\nrunroot = "{tmp_path}/r"\n'
    )
    environment = shell.environment | {"CONTAINERS_STORAGE_CONF": str(conf)}

    def stranger(*words: str | Path) -> tuple[int, str]:
        argv = ["sh", str(shell.cwd / "out" / "reproduce.sh"), *map(str, words)]
        ended = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, text=True)
        return ended.returncode, ended.stdout + ended.stderr

    status, said = stranger("build", context)
    assert status == 0, said
    assert "the same manifest" in said
    find = ["buildah", "images", "--quiet", "--no-trunc"]
    told = subprocess.run(find, env=environment, capture_output=True, text=True, check=True)
    built = told.stdout.split()[0].removeprefix("sha256:")
    for options, manifest in ((["--preserve-digests"], "same"), ([], "another")):
        copy = ["skopeo", "copy", "--quiet", *options, f"containers-storage:{built}"]
        archive = tmp_path / f"{manifest}.tar"
        subprocess.run([*copy, f"oci-archive:{archive}:app"], env=environment, check=True)
        status, said = stranger("image", f"oci-archive:{archive}")
        assert status == 0, said
        assert manifest in said.splitlines()[-1]
    (context / "a").write_text("b\n")
    place.commit()
    other = ["buildah", "bud", "--quiet", "--timestamp=0", "--tag=other", str(context)]
    subprocess.run(other, env=environment, check=True, capture_output=True)
    status, said = stranger("image", "containers-storage:localhost/other")
    assert (status, "NO: its config is" in said) == (1, True), said
    assert stranger("build", context)[0] == 0  # the commit, not what is there now
    assert stranger("image", "oci-archive:none.tar")[0] == 3
    assert stranger("build", "no-such-source")[0] == 3
