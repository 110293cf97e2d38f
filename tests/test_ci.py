"""What README.md tells to copy into CI: valid by the services' schemas, and run where it can."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from repaudit.cli.gate import _Image
from repaudit.stages.allow import load_allowances
from tests.live import ROOT
from tests.test_gate import BUILD_INFO, keep, report

ACTION = ROOT / ".github" / "actions" / "gate" / "action.yml"
TEMPLATE = ROOT / ".gitlab" / "repaudit.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
README = (ROOT / "README.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    """The code blocks of README.md of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def block(kind: str, word: str) -> str:
    (found,) = [text for text in blocks(kind) if word in text]
    return found


def check(schema: str, file: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file]
    return subprocess.run(argv, capture_output=True, text=True)


def tool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("schema", "word"),
    [("vendor.github-workflows", "jobs:"), ("vendor.gitlab-ci", "extends:")],
)
def test_a_block_to_copy_is_valid_and_a_misspelled_one_is_not(
    tmp_path: Path, schema: str, word: str
):
    (file := tmp_path / "ci.yml").write_text(block("yaml", word))
    assert check(schema, file).returncode == 0, check(schema, file).stdout
    broken = file.read_text().replace("runs-on:", "run-on:").replace("include:", "include: 1 #")
    file.write_text(broken)
    assert check(schema, file).returncode == 1


def test_the_action_and_the_template_are_valid():
    for schema, file in (("vendor.github-actions", ACTION), ("vendor.gitlab-ci", TEMPLATE)):
        assert check(schema, file).returncode == 0, check(schema, file).stdout


def test_the_blocks_name_what_there_is():
    workflow = yaml.safe_load(block("yaml", "jobs:"))
    (step,) = [s for s in workflow["jobs"]["gate"]["steps"] if "repaudit" in s["uses"]]
    path = step["uses"].partition("/")[2].partition("/")[2].partition("@")[0]
    assert ROOT / path / "action.yml" == ACTION
    assert set(step["with"]) <= set(yaml.safe_load(ACTION.read_text())["inputs"])
    job = yaml.safe_load(block("yaml", "extends:"))
    assert job["include"][0]["remote"].endswith("/.gitlab/repaudit.yml")
    assert job["gate"]["extends"] in yaml.safe_load(TEMPLATE.read_text())
    hooks = {hook["id"] for hook in yaml.safe_load(HOOKS.read_text())}
    asked = yaml.safe_load(block("yaml", "repos:"))["repos"][0]["hooks"]
    assert {hook["id"] for hook in asked} <= hooks


def test_the_hook_is_one_that_pre_commit_takes(tmp_path: Path):
    assert tool("pre_commit", "validate-manifest", HOOKS).returncode == 0
    (config := tmp_path / "config.yaml").write_text(block("yaml", "repos:"))
    assert tool("pre_commit", "validate-config", config).returncode == 0
    (broken := tmp_path / "hooks.yaml").write_text(HOOKS.read_text().replace("entry:", "entri:"))
    assert tool("pre_commit", "validate-manifest", broken).returncode == 1
    (hook,) = yaml.safe_load(HOOKS.read_text())
    assert hook["entry"] == "repaudit pins audit"


@pytest.mark.parametrize(("text", "code"), [("FROM scratch\n", 0), ("FROM debian:12\n", 1)])
def test_the_hooks_command_fails_on_what_floats(place: Path, text: str, code: int):
    (hook,) = yaml.safe_load(HOOKS.read_text())
    (place / "work" / "Containerfile").write_text(text)
    path = f"{place / 'repaudit' / '.venv' / 'bin'}:/usr/bin:/bin"
    assert bash(place, hook["entry"], PATH=path).returncode == code


def test_the_toml_blocks_are_read(tmp_path: Path):
    images = tomllib.loads(block("toml", "[[image]]"))["image"]
    assert [image["name"] for image in images] == ["app", "base"]
    known = {name.replace("_", "-") for name in _Image.__struct_fields__}
    assert all(set(image) <= known for image in images)
    (file := tmp_path / "allow.toml").write_text(block("toml", "[[allow]]"))
    assert [entry.owner for entry in load_allowances(file)] == ["team-web"]


# The scripts themselves, with the tool where they expect it, and no root.


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout with a red and a green kept run; `sudo` and the tool are where CI has them."""
    tool = tmp_path / "repaudit" / ".venv" / "bin" / "repaudit"
    tool.parent.mkdir(parents=True)
    script = f"export PYTHONPATH={ROOT}; exec {sys.executable} -m repaudit"
    tool.write_text(f'#!/bin/sh\n{script} "$@"\n')
    (sudo := tmp_path / "bin" / "sudo").parent.mkdir()
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    tool.chmod(0o755)
    sudo.chmod(0o755)
    keep(tmp_path / "work" / "red", report(BUILD_INFO))
    keep(tmp_path / "work" / "green", report())
    return tmp_path


def bash(place: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "HOME": str(place), **variables}
    argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(argv, cwd=place / "work", env=environment, capture_output=True, text=True)


def gate_step() -> dict[str, Any]:
    steps: list[dict[str, Any]] = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    return next(step for step in steps if step["name"] == "Gate")


@pytest.mark.parametrize(("target", "code"), [("green", 0), ("red", 1), ("none", 2)])
def test_the_actions_script_passes_on_the_code_and_writes_the_summary(
    place: Path, target: str, code: int
):
    inputs = {k: str(v["default"]) for k, v in yaml.safe_load(ACTION.read_text())["inputs"].items()}
    inputs["target"] = target
    step = gate_step()
    variables = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: inputs[m[1]], text)
        for name, text in step["env"].items()
    }
    variables["GITHUB_ACTION_PATH"] = str(place / "repaudit" / ".github" / "actions" / "gate")
    Path(variables["GITHUB_ACTION_PATH"]).mkdir(parents=True)
    variables["HISTORY"] = f"{place}{variables['HISTORY']}"
    variables["OUTPUT"] = f"{place}{variables['OUTPUT']}"
    variables["GITHUB_STEP_SUMMARY"] = str(place / "summary")
    done = bash(place, step["run"], **variables)

    assert done.returncode == code, done.stderr
    if code < 2:
        word = "green" if target == "green" else "red"
        assert f"    {word}  {target}" in (place / "summary").read_text()
        assert json.loads((place / "var/tmp/repaudit-audit/gate.json").read_text())["light"] == word
        assert len(os.listdir(place / "var/tmp/repaudit-nights/nights")) == 1


def test_no_input_of_the_action_is_put_into_a_script():
    """Inputs reach scripts as variables: `${{ }}` in one would run what a stranger wrote."""
    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    assert not any("${{" in step["run"] for step in steps)


@pytest.mark.parametrize(("target", "code"), [("green", 0), ("red", 1)])
def test_the_templates_script_passes_on_the_code(place: Path, target: str, code: int):
    job = yaml.safe_load(TEMPLATE.read_text())[".repaudit-gate"]
    variables = job["variables"] | {"REPAUDIT_TARGET": target}
    (place / "var" / "tmp").mkdir(parents=True)

    def run(part: list[str]) -> subprocess.CompletedProcess[str]:
        script = "\n".join(part).replace("/opt/repaudit", str(place / "repaudit"))
        return bash(place, script.replace("/var/tmp", str(place / "var/tmp")), **variables)

    for night in (1, 2):
        assert run(job["before_script"][3:]).returncode == 0
        done = run(job["script"])
        assert done.returncode == code, done.stderr
        assert run(job["after_script"]).returncode == 0
        (cached,) = job["cache"]["paths"]
        assert len(os.listdir(place / "work" / cached / "nights")) == night
        (artifact,) = job["artifacts"]["paths"]
        assert (place / "work" / artifact / "gate.json").is_file()
        shutil.rmtree(place / "work" / artifact)  # the next job has a clean checkout and the cache
