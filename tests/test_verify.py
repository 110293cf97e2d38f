"""Published digests: every form is read, nothing is passed over, and names are not guessed."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.published import Built, Identity, Standing
from repaudit.stages.published import load_published
from repaudit.stages.verify import compare_releases, verify
from tests import images
from tests.command import alone as repaudit

SERVICES = {
    "aggregator/aggregator": "a9cdcadff8b1c5c4d4225a129428dd86b65e75be80df48c6b3aecc8b68b46e30",
    "collector/collector": "d5eca9963f3ca1d722fd1d9c6f689badf1bbb9d06a020b14e21a80458b3a8b68",
    "modelupdater/model_updater": (
        "b0bc213e4cb34c99525345b1d544371ce5c9d647ec08405a9ca96d61e0b272fa"
    ),
    "taskassignment/task_assignment": (
        "6cabefa2a45c8a8240b7a813bd799ff2979ee97ff18831a083c383da114d6fee"
    ),
    "taskbuilder/task_builder": "5d6424e86e07e8f38d015959a5157f662e5d229e6c901849105b798b666af38e",
    "taskmanagement/task_management": (
        "dc5405620fcc2299bbd9e6efed217ffbd46a58f0a7365e8e31b7b5d0f5698932"
    ),
    "taskscheduler/task_scheduler": (
        "9a475248ddd5f8498b300047f6a6f2955b0ccb099472869ebebbfc6795efa96b"
    ),
}
#: What ODP published of v0.7.0, and of v0.7.1, in which two stayed as they were.
V0_7_0 = {f"bazel-bin/shuffler/services/{k}_image": f"sha256:{v}" for k, v in SERVICES.items()}
_LATER = (
    "a9cdcadff8b1c5c4d4225a129428dd86b65e75be80df48c6b3aecc8b68b46e30",
    "51e50b4984af0f06143f92d62e70ca2d68af50747d26649d0e492f0070765440",
    "b0bc213e4cb34c99525345b1d544371ce5c9d647ec08405a9ca96d61e0b272fa",
    "6b5d42272b07a62dd42eca1f7d36f2da4a4b483cafef142c607a7002abaa0cda",
    "30d687c11d143efa2ad48d1080f5b5d6f7eed7d119501304ab95c19026cb8bc1",
    "feff80bace0d49effe07e0277e56a90a2d958b06859414988e82239023957a14",
    "d66aa68a48386243fac930d1d583ea00d693ff4f07e175c66fa021e70615d3f1",
)
V0_7_1 = {name: f"sha256:{digest}" for name, digest in zip(V0_7_0, _LATER, strict=True)}


def building(digests: dict[str, str]) -> str:
    """A BUILDING.md of the same shape: code in a line, a block of another kind, and the block."""
    lines = "".join(f'{k}/index.json:      "digest": "{v}"\n' for k, v in digests.items())
    return (
        "# Building\n\n```./scripts/docker_sh.sh```\n\n## The expected output:\n"
        f"```\n{lines}```\n\n## Publishing\n\n```\n./scripts/upload_images.sh\n```\n"
    )


def published(folder: Path, text: str, name: str = "BUILDING.md") -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (path := folder / name).write_text(text)
    return path


# ODP's block of seven digests.


@pytest.mark.parametrize("digests", [V0_7_0, V0_7_1])
def test_odps_block_is_read(tmp_path: Path, digests: dict[str, str]):
    assert load_published(published(tmp_path, building(digests))) == digests


def images_in(folder: Path, names: list[str]) -> dict[str, str]:
    """Make an image layout under each name; return the digests, read with no code of ours."""
    digests = {}
    for name in names:
        store = images.Store()
        layer = images.tar(images.member(b"file", name.encode()))
        images.write_files(folder / name, store.layout(store.image(layer)))
        index = json.loads((folder / name / "index.json").read_text())
        digests[name] = index["manifests"][0]["digest"]
    return digests


def test_seven_built_images_are_compared_and_missing_extra_and_changed_fail(tmp_path: Path):
    digests = images_in(tmp_path, list(V0_7_0))
    published(tmp_path, building(digests))
    whole = ["verify", "BUILDING.md", *digests, "--quiet"]
    first, *rest = digests

    done = repaudit(tmp_path, *whole)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("same ") == 7
    assert done.stdout.count("(manifest)") == 7
    assert done.stdout.endswith("\nverified\n")

    done = repaudit(tmp_path, "verify", "BUILDING.md", *rest, "--quiet")
    assert done.returncode == 1
    assert f"missing  {first}\n" in done.stdout
    assert done.stdout.count("same ") == 6

    published(tmp_path, building({name: digests[name] for name in rest}))
    done = repaudit(tmp_path, *whole)
    assert done.returncode == 1
    assert f"extra    {first}\n" in done.stdout

    published(tmp_path, building(digests | {first: V0_7_0[first]}))
    done = repaudit(tmp_path, *whole, "--format", "json")
    assert done.returncode == 1
    found = {image["name"]: image for image in json.loads(done.stdout)["images"]}
    assert [one["standing"] for one in found.values()].count("same") == 6
    assert found[first]["standing"] == "changed"
    assert (found[first]["published"], found[first]["built"]) == (V0_7_0[first], digests[first])

    published(tmp_path, building(digests).replace(digests[first], digests[first][:-1]))
    done = repaudit(tmp_path, *whole)
    assert done.returncode == 3
    assert "line 7" in done.stderr
    assert done.stdout == ""


def test_an_archive_is_known_by_its_own_digest_and_by_its_images(tmp_path: Path):
    images_in(tmp_path, ["app"])
    subprocess.run(["tar", "-C", tmp_path / "app", "-cf", tmp_path / "app.tar", "."], check=True)
    sums = subprocess.run(["sha256sum", "app.tar"], cwd=tmp_path, capture_output=True, text=True)
    published(tmp_path, sums.stdout, "SHA256SUMS")

    done = repaudit(tmp_path, "verify", "SHA256SUMS", "app.tar", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "(archive)" in done.stdout
    index = json.loads((tmp_path / "app" / "index.json").read_text())
    published(tmp_path, f"app {index['manifests'][0]['digest']}\n", "list")
    done = repaudit(tmp_path, "verify", "list", "app=app.tar", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "(manifest)" in done.stdout


# The other forms.

A, B, C = "a" * 64, "b" * 64, "c" * 96


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{A}  app.tar\n{B} *base.tar\n", {"app.tar": f"sha256:{A}", "base.tar": f"sha256:{B}"}),
        (f"SHA256 (app.tar) = {A}\n", {"app.tar": f"sha256:{A}"}),
        (f"{C} PCR0\n{C} PCR1\n", {"PCR0": f"sha384:{C}", "PCR1": f"sha384:{C}"}),
        (f"# what we built\n\napp sha256:{A}\n", {"app": f"sha256:{A}"}),
        (f"registry.example/app@sha256:{A}", {"registry.example/app": f"sha256:{A}"}),
        (f"app: sha256:{A}", {"app": f"sha256:{A}"}),
        (f"./a/app {A.upper()}", {"a/app": f"sha256:{A}"}),
        (json.dumps({"app": f"sha256:{A}"}), {"app": f"sha256:{A}"}),
        (json.dumps({"PCR0": C, "commit": "v1", "built-at": "now"}), {"PCR0": f"sha384:{C}"}),
        (
            json.dumps({"Measurements": {"HashAlgorithm": "Sha384 { ... }", "PCR0": C}}),
            {"PCR0": f"sha384:{C}"},
        ),
        (json.dumps([{"name": "app", "digest": f"sha256:{A}"}]), {"app": f"sha256:{A}"}),
        (json.dumps({"images": [{"name": "app", "digest": A}]}), {"app": f"sha256:{A}"}),
        (
            json.dumps({"assets": [{"name": "a", "digest": f"sha256:{A}"}], "id": "b" * 40}),
            {"a": f"sha256:{A}"},
        ),
        (
            json.dumps({"assets": [{"name": "z.zip", "digest": A}], "body": building(V0_7_0)}),
            V0_7_0,
        ),
    ],
)
def test_each_form_is_read(tmp_path: Path, text: str, wanted: dict[str, str]):
    assert load_published(published(tmp_path, text, "published")) == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no digest"),
        ("hello\n", "line 1"),
        (f"{A}  app\n{A[:-1]}  base\n", "line 2"),
        (f"{A}  app\n{A}a  base\n", "line 2"),
        (f"app sha384:{A}\n", "line 1"),
        (f"app md5:{'a' * 32}\n", "line 1"),
        (f"{A}  app\n{B}  app\n", "two digests of app"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "no digest"),
        ("[1]", "without a name"),
        ('{"app": 1}', "app: not a digest"),
        (json.dumps({"images": [{"name": "app", "digest": A[1:]}]}), "app: not a digest"),
        ('{"Measurements": 1}', "no digest"),
        ('{"PCR0": "x"}', "PCR0: not a digest"),
        (f'{{"app": "{A}", "app": "{B}"}}', "two members called 'app'"),
        (f'[{{"name": "app", "digest": "{A}", "digest": "{B}"}}]', "two members called 'digest'"),
        (json.dumps({"PCR0": C, "pcr2": C}), "'pcr2': a digest where none"),
        (json.dumps({"Measurements": {"PCR0": C, "PCR3x": "x"}}), "'PCR3x': a digest where none"),
        (json.dumps({"PCR0": C, "app": f"sha256:{A}"}), "'app': a digest where none"),
        (json.dumps({"Measurements": {"PCR0": C}, "app": A}), "'app': a digest where none"),
        (json.dumps({"images": [{"name": "a", "digest": A}], "b": B}), "'b': a digest where none"),
        (json.dumps({"assets": [{"name": "a", "digest": A}, {"name": "b"}]}), "b: not a digest"),
        ("\x00", "line 1"),
        ("a" * (1 << 20 | 1), "bytes"),
    ],
)
def test_what_is_malformed_is_refused_with_its_place(tmp_path: Path, text: str, told: str):
    path = published(tmp_path, text, "published")
    with pytest.raises(MalformedError, match=told) as refused:
        load_published(path)
    assert refused.value.message.startswith(str(path))
    assert refused.value.exit_code == 3


def test_a_file_that_is_not_there_is_wrong_usage_and_one_that_is_no_text_malformed(tmp_path: Path):
    with pytest.raises(UsageError):
        load_published(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedError, match="UTF-8"):
        load_published(tmp_path / "binary")


def test_markdown_without_a_block_of_digests_is_malformed(tmp_path: Path):
    text = f"# Building\n\nIt is {A}.\n\n```\nmake\n```\n"
    with pytest.raises(MalformedError, match="no digest"):
        load_published(published(tmp_path, text))


@pytest.mark.parametrize(
    "line", [f'svc/index.json: "digest": "sha256:{A[1:]}"', f"svc@sha256:{A}a", f"{A[1:]}  svc"]
)
def test_a_damaged_digest_in_a_block_of_its_own_is_no_other_block(tmp_path: Path, line: str):
    whole = f"```\napp@sha256:{A}\n```\n"
    with pytest.raises(MalformedError, match=r"line 5 holds no name and digest"):
        load_published(published(tmp_path, f"{whole}\n```\n{line}\n```\n".replace("\n\n", "\n")))

    commands = f"```\ngit checkout {'a' * 40}\ndocker pull app@sha256:{A}\n```\n"
    assert load_published(published(tmp_path, whole + commands)) == {"app": f"sha256:{A}"}


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_digests_or_malformed(tmp_path_factory, data: bytes):
    path = tmp_path_factory.getbasetemp() / "any.md"
    path.write_bytes(data)
    try:
        assert load_published(path)
    except MalformedError as error:
        assert error.hint


# How names meet.

X, Y = f"sha256:{A}", f"sha256:{B}"


def built(name: str, digest: str = X) -> Built:
    other = Identity(kind="config", digest=f"sha256:{'d' * 64}")
    return Built(name=name, identities=(Identity(kind="manifest", digest=digest), other))


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("out/app", "out/app", True),
        ("app", "out/app", True),
        ("bazel-bin/out/app", "out/app", True),
        ("base", "out/app", False),
        ("myapp", "app", False),  # a word, not letters
        ("app/out", "app", False),
    ],
)
def test_a_name_is_the_end_of_the_other(name: str, other: str, same: bool):
    assert verify({other: X}, [built(name)]).verified is same


def test_a_doubt_is_not_guessed_away():
    with pytest.raises(UsageError, match="a/image, b/image"):
        verify({"a/image": X, "b/image": X}, [built("image")])
    with pytest.raises(UsageError, match="two images may be image"):
        verify({"image": X}, [built("a/image"), built("b/image")])
    with pytest.raises(UsageError, match="twice"):
        verify({"image": X}, [built("image"), built("image")])
    assert verify({"a/image": X, "image": X}, [built("a/image"), built("image")]).verified


names = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(names, names, st.sets(st.sampled_from("abcdefgh")))
def test_verified_is_the_same_set_with_the_same_digests(one, other, changed):
    result = verify(dict.fromkeys(one, X), [built(n, Y if n in changed else X) for n in other])

    alike = set(one) == set(other) and not set(one) & changed
    assert result.verified is alike
    standing = {image.name: image.standing for image in result.images}
    for name in {*one, *other}:
        wanted = Standing.CHANGED if name in changed else Standing.SAME
        wanted = wanted if name in one else Standing.EXTRA
        assert standing[name] is (wanted if name in other else Standing.MISSING)


# From release to release.


def test_a_digest_that_changes_without_an_input_is_an_alarm_and_nothing_else_is():
    result = compare_releases(V0_7_0, V0_7_1, ["WORKSPACE"])
    assert result.verified
    assert [image.standing for image in result.images].count(Standing.SAME) == 2

    result = compare_releases(V0_7_0, V0_7_1, [])
    assert not result.verified
    assert sum(image.alarm for image in result.images) == 5
    assert compare_releases(V0_7_0, V0_7_0, []).verified
    later = dict(list(V0_7_0.items())[1:])  # task_builder was not always there
    assert compare_releases(later, V0_7_0, []).verified


def committed(folder: Path, tag: str) -> None:
    words = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for argv in (["add", "-A"], [*words, "commit", "-qm", tag], ["tag", tag]):
        subprocess.run(["git", "-C", folder, *argv], check=True)


def test_the_inputs_are_asked_of_git(tmp_path: Path):
    commit = partial(committed, tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    old = published(tmp_path / ".git" / "old", building(V0_7_0))
    for tag, digests, source in (("v1", V0_7_0, "a"), ("v2", V0_7_1, "a"), ("v3", V0_7_1, "b")):
        published(tmp_path, building(digests))
        published(tmp_path / "src", source, "main.c")
        commit(tag)
    since = ["verify", "BUILDING.md", "--since", old, "--commits"]

    done = repaudit(tmp_path, *since, "v1..v2")
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("alarm ") == 5
    assert "0 inputs changed" in done.stdout
    done = repaudit(tmp_path, *since, "v1..v3")
    assert done.returncode == 0, done.stdout
    assert "1 inputs changed" in done.stdout
    assert repaudit(tmp_path, *since, "v1..v3", "--inputs", "src").returncode == 0
    published(tmp_path / "docs", "", "a.md")
    commit("v4")
    assert repaudit(tmp_path, *since, "v3..v4").returncode == 0
    assert repaudit(tmp_path, *since, "v3..v4", "--inputs", "src").returncode == 1
    assert repaudit(tmp_path, *since, "v3..v4", "--inputs", "scr").returncode == 2
    for wrong in ("v1..v9", "v1", "..", "--output=x..v1"):
        assert repaudit(tmp_path, *since, wrong).returncode == 2, wrong


def test_digests_that_lie_in_no_repository_are_of_the_one_that_we_are_in(tmp_path: Path):
    repository, new, old = (tmp_path / name for name in ("source", "new.md", "old.md"))
    subprocess.run(["git", "init", "-q", repository], check=True)
    for text in ("a", "b"):
        published(repository / "src", text, "main.c")
        committed(repository, f"v-{text}")
    published(tmp_path, building(V0_7_1), new.name)
    published(tmp_path, building(V0_7_0), old.name)

    def changed(folder: Path) -> subprocess.CompletedProcess[str]:
        return repaudit(folder, "verify", new, "--since", old, "--commits", "v-a..v-b")

    done = changed(repository)
    assert (done.returncode, "1 inputs changed" in done.stdout) == (0, True), done.stderr
    done = changed(tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path} is in no git repository" in done.stderr


def test_measurements_of_another_tool_are_compared_as_lists(tmp_path: Path):
    published(tmp_path, f"{C} PCR0\n{C} PCR1\n", "nitro.pcrs")
    published(tmp_path, json.dumps({"PCR0": C, "PCR1": C, "commit": "a"}), "expected_pcr.json")

    done = repaudit(tmp_path, "verify", "nitro.pcrs", "--built", "expected_pcr.json")
    assert done.returncode == 0, done.stderr
    published(tmp_path, json.dumps({"PCR0": C}), "expected_pcr.json")
    assert (
        repaudit(tmp_path, "verify", "nitro.pcrs", "--built", "expected_pcr.json").returncode == 1
    )


@pytest.mark.parametrize(
    "words",
    [
        ["BUILDING.md"],
        ["BUILDING.md", "a", "--built", "BUILDING.md"],
        ["BUILDING.md", "--since", "BUILDING.md"],
        ["BUILDING.md", "a", "--inputs", "src"],
        ["none", "a"],
        ["BUILDING.md", "no/such/image"],
        ["BUILDING.md", "a", "--format", "sarif"],
    ],
)
def test_wrong_words_are_wrong_usage(tmp_path: Path, words: list[str]):
    published(tmp_path, building(V0_7_0))

    done = repaudit(tmp_path, "verify", *words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
