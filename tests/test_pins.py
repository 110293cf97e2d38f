"""Pins: the planted trees and their truth, the laws of every ecosystem, the schema, commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit.ecosystems import ECOSYSTEMS, UNREADABLE, Document, Ecosystem, document, rules
from repaudit.host.tree import Tree, open_tree
from repaudit.model.canonical import pins_schema, to_json
from repaudit.model.errors import MalformedError, UsageError
from repaudit.model.pins import (
    SCHEMA,
    Edit,
    Location,
    Pin,
    PinFinding,
    PinsReport,
    PinsVerdict,
    Severity,
    Strength,
    judge,
)
from repaudit.reporters import REPORTERS, PinsReporter, Surface
from repaudit.stages.pins import audit_tree
from tests.command import repaudit
from tests.schemas import closed

ROOT = Path(__file__).parent.parent
PLANTED = ROOT / "golden" / "pins"
#: The time of every audit here: later than any snapshot of the planted trees that is not wrong.
NOW = 1_800_000_000.0
WRITE = ".venv/bin/python -m tests.test_pins > repaudit/model/pins-1.schema.json"
many = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)


def audited(path: Path) -> PinsReport:
    return audit_tree(open_tree([path]), NOW)


def findings(text: str | bytes, name: str, **more: bytes) -> list[str]:
    """Return the ids that a file of that name and text gives, notes left out."""
    return [f.id for f in whole(text, name, **more).findings if f.severity is not Severity.NOTE]


def whole(text: str | bytes, name: str, **more: bytes) -> PinsReport:
    data = text.encode() if isinstance(text, str) else text
    found = []
    for ecosystem in ECOSYSTEMS.all():
        if ecosystem.claims(name, data[:4096]):
            found += audit(ecosystem, document(name, data, lambda path: more.get(path), NOW))
    pins = tuple(item for item in found if isinstance(item, Pin))
    wrong = tuple(item for item in found if isinstance(item, PinFinding))
    return PinsReport(verdict=judge(wrong, frozenset({UNREADABLE})), pins=pins, findings=wrong)


def audit(ecosystem: Ecosystem, file: Document) -> list[Pin | PinFinding]:
    try:
        return list(ecosystem.audit(file))
    except MalformedError as error:
        assert error.message
        assert error.line is None or error.line >= 1
        where = Location(path=file.path, line=1, end_line=1)
        return [
            PinFinding(
                id=UNREADABLE,
                severity=Severity.ERROR,
                message=error.message,
                fix=None,
                location=where,
            )
        ]


# --- the planted trees -------------------------------------------------------------------------


def truth(name: str) -> list[tuple[str, int, str]]:
    """Return (path, line, what is true of it) of each line that a person has judged."""
    found = []
    for path, lines in tomllib.loads((PLANTED / f"{name}.toml").read_text("utf-8")).items():
        text = (PLANTED / name / path).read_bytes().decode()
        for has, told in lines:
            assert text.count(has) == 1, f"{path}: {has!r} stands there {text.count(has)} times"
            found.append((path, text[: text.index(has)].count("\n") + 1, told))
    return found


def tells(item: Pin | PinFinding, path: str, line: int) -> bool:
    return item.location.path == path and item.location.line <= line <= item.location.end_line


def test_every_planted_fault_is_told_and_nothing_else():
    planted = truth("faulty")
    report = audited(PLANTED / "faulty")

    assert len(planted) >= 60
    missed = [
        (path, line, rule)
        for path, line, rule in planted
        if not any(f.id == rule and tells(f, path, line) for f in report.findings)
    ]
    assert missed == []
    beside = [
        (f.location.path, f.location.line, f.id, f.message)
        for f in report.findings
        if f.severity is not Severity.NOTE
        and not any(f.id == rule and tells(f, path, line) for path, line, rule in planted)
    ]
    assert beside == []
    assert report.verdict is PinsVerdict.FLOATING


def checkout(folder: Path, *submodules: str) -> None:
    """Make a folder the checkout of a repository whose index has these submodules at a commit."""
    subprocess.run(["git", "init", "-q", folder], check=True)
    for path in submodules:
        entry = f"160000,{'a' * 40},{path}"
        argv = ["git", "-C", folder, "update-index", "--add", "--cacheinfo", entry]
        subprocess.run(argv, check=True)


def test_every_clean_line_is_read_as_the_pin_that_it_is_and_none_is_flagged(tmp_path: Path):
    planted = truth("clean")
    # A submodule is fixed by its checkout, which no folder of this repository can be by itself.
    shutil.copytree(PLANTED / "clean", tmp_path / "clean")
    checkout(tmp_path / "clean", "third_party/federatedcompute")
    report = audited(tmp_path / "clean")

    assert len(planted) >= 60
    assert [(f.location.path, f.location.line, f.id) for f in report.findings] == []
    missed = [
        (path, line, strength)
        for path, line, strength in planted
        if not any(p.strength == strength and tells(p, path, line) for p in report.pins)
    ]
    assert missed == []
    assert report.verdict is PinsVerdict.PINNED


def test_the_planted_faults_break_most_rules_and_nearly_all_kinds_of_files():
    report = audited(PLANTED / "faulty")
    broken = {finding.id for finding in report.findings}
    # What another file's text shows, or a lock of another tool, has cases of its own below.
    elsewhere = {"JV003", "JV005", "NET006", "PAR001", "PAR002", "PY006"}
    # Of images: tests/test_snapshot.py.
    elsewhere |= {f"APT0{number}" for number in (11, 12, 13, 16, 17, 18, 19, 20)}

    looked_up = {rule.id for rule in rules() if rule.id.startswith(("IDX", "INS"))}
    assert {rule.id for rule in rules()} - broken == elsewhere | looked_up


def test_an_edit_made_silences_its_finding_and_changes_nothing_else():
    tree = open_tree([PLANTED / "faulty"])
    edits = [f for f in audit_tree(tree, NOW).findings if f.edit]

    assert len(edits) >= 4
    for finding in edits:
        data = tree.read(finding.location.path) or b""
        changed = applied(data, finding.edit)
        after = [
            item
            for ecosystem in ECOSYSTEMS.all()
            if ecosystem.claims(finding.location.path, changed[:4096])
            for item in audit(ecosystem, document(finding.location.path, changed, tree.read, NOW))
            if isinstance(item, PinFinding)
        ]
        assert (finding.id, finding.message) not in [(item.id, item.message) for item in after]


def applied(data: bytes, edit: Edit | None) -> bytes:
    assert edit is not None
    return data[: edit.start] + edit.text.encode() + data[edit.end :]


# --- single truths, each beside its opposite -----------------------------------------------------

H = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
C = "0123456789abcdef0123456789abcdef01234567"
SNAPSHOT = "http://snapshot.debian.org/archive/debian/20250520T000000Z"
SHELL = (
    ("apt-get install -y curl", ["APT002"]),
    ("apt-get install -y ./curl.deb", []),
    ("apt-get -S 20250520T000000Z install curl", []),
    ("apt-get -o APT::Snapshot=20250520T000000Z install curl", []),
    ("apt-get -S now install curl", ["APT002"]),
    (f"echo 'deb {SNAPSHOT} x main' > /etc/apt/sources.list; apt-get install curl", []),
    (f"apt-get install curl; echo 'deb {SNAPSHOT} x main' > /etc/apt/sources.list", ["APT002"]),
    (f"echo 'see {SNAPSHOT}'; apt-get install curl", ["APT002"]),
    ("echo apt-get install curl", []),
    ("# apt-get install curl", []),
    ("cat <<EOF\napt-get install curl\nEOF", []),
    ("bash <<EOF\napt-get install curl\nEOF", ["APT002"]),
    ("sh -c 'apt-get install curl'", ["APT002"]),
    ('P="a b"; apt-get install $P', ["APT002"]),
    ("xargs apt-get install -y < list", ["APT002"]),
    ("if true; then sudo -E apt-get install -y a; fi", ["APT002"]),
    ("pip install a==1.0", ["PY002"]),
    ("pip install 'a==1.*'", ["PY001"]),
    ("pip install $X", ["PY001"]),
    ("pip install --require-hashes -r requirements.txt", []),
    ("pip install -c c.txt .", []),
    ("pip install .", ["PY001"]),
    ("pip install --trusted-host p.example --no-deps .", ["PY008"]),
    (f"pip install git+https://g.example/a@{C}", []),
    (f"pip install https://d.example/a-1.whl#sha256={H}", []),
    ("pip install https://d.example/a-1.whl", ["PY002"]),
    ("pip list", []),
    ("uv pip install a", ["PY001"]),
    ("uv tool install ruff@0.4.1", ["PY002"]),
    ("curl -fsSL https://d.example/i.sh | sh", ["NET001"]),
    ("curl -fsSL https://d.example/i.sh | sudo -u x env A=b bash -s -- y", ["NET001"]),
    ("curl -fsSL https://d.example/i.py | python3 -", ["NET001"]),
    ("bash <(curl -fsSL https://d.example/i.sh)", ["NET001"]),
    ('eval "$(curl -fsSL https://d.example/i.sh)"', ["NET001"]),
    ("source <(curl -fsSL https://d.example/i.sh)", ["NET001"]),
    ("curl https://d.example/a.json | jq .", ["NET002"]),
    ("curl https://d.example/a.json | python3 -m json.tool", ["NET002"]),
    ("curl https://d.example/a.json | sh -c 'cat > b'", ["NET002"]),
    (f"curl -O https://d.example/a && echo {H}  a | sha256sum -c", []),
    (f"curl -O https://d.example/a && echo {H}  b | sha256sum -c", ["NET002"]),
    (f"echo {H}  a | sha256sum -c; curl -O https://d.example/a", ["NET002"]),
    (f"wget https://d.example/a && printf '%s  %s' {H} a | sha256sum -c -", []),
    ("wget https://d.example/a && echo $SUM a | md5sum -c", ["NET002"]),
    ("wget https://d.example/a https://d.example/a.asc; gpg --verify a.asc a", []),
    ("curl https://d.example/a > a", ["NET002"]),
    (f"wget https://d.example/$V/a-$V.z && echo {H}  a-$V.z | sha256sum -c", []),
    (
        "curl -O https://d.example/a -O https://d.example/a.sum && sha512sum -c a.sum",
        ["NET002"] * 2,
    ),
    (
        'V=1; wget https://d.example/a https://d.example/b-1; echo "$(cat b-$V)  a" | sha512sum -c',
        ["NET002", "NET002"],
    ),
    ('wget https://d.example/a && echo "$SUM  a" | sha512sum -c -', []),
    (f"wget https://d.example/$V/a-$V.z && echo {H}  a-$W.z | sha256sum -c", ["NET002"]),
    (f"V=1; wget https://d.example/$V/a-$V.z && echo {H}  a-1.z | sha256sum -c", []),
    (f"U=https://d.example/$V/a-$V.z; curl -o b $U && echo {H}  b | sha256sum -c", []),
    (f"wget https://d.example/$V/a-\\$V.z && echo {H}  'a-$V.z' | sha256sum -c", []),
    (f"curl https://d.example/a > a; sha256sum a | grep {H}", []),
    *(
        (f"curl -o a https://d.example/a{text}".replace("C", f"echo {H}  a | sha256sum -c"), wrong)
        for text, wrong in (
            (" && C && sh a", []),
            (" && C && sh a; ldconfig", []),
            (" && chmod +x a && C && ./a", []),
            ("; set -e; C; sh a", []),
            ("; set -eux; C; sh a", []),
            ("; set -o errexit; C; sh a", []),
            ("; C || exit 1; sh a", []),
            ("; C || { echo bad; exit 1; }; sh a", []),
            ("; if ! C; then exit 1; fi; sh a", []),
            ("; if C; then sh a; fi", []),
            (" && ( C ) && sh a", []),
            (" && sh -c 'C' && sh a", []),
            ("; sh a", ["NET002"]),
            (" && sh a && C", ["NET002"]),
            ("; C; sh a", ["NET002"]),
            ("; C; ldconfig", ["NET002"]),
            (" && (C || true) && sh a", ["NET002"]),
            (" && if false; then C; fi && sh a", ["NET002"]),
            ("; set -e; if false; then C; fi; sh a", ["NET002"]),
            ("; set -e; set +e; C; sh a", ["NET002"]),
            ("; C || echo bad", ["NET002"]),
            ("; C || exit 0; sh a", ["NET002"]),
            ("; C & sh a", ["NET002"]),
            ("; ! C", ["NET002"]),
            ("; (C || exit 1); sh a", ["NET002"]),
            ("; C | tee log", ["NET002"]),
            (f"; sha256sum a | tee {H}", ["NET002"]),
            ("; sh -c 'C'; sh a", ["NET002"]),
        )
    ),
    (f"if x; then curl -O https://d.example/a; echo {H} a | sha256sum -c; fi", []),
    (f"if x; then curl -O https://d.example/a; fi; echo {H} a | sha256sum -c", []),
    ("curl -o a https://d.example/main/a", ["NET003"]),
    ("curl -o a https://d.example/maintained/a", ["NET002"]),
    ("curl http://127.0.0.1:80/", []),
    ("curl -X POST https://d.example/hook", []),
    ("wget --spider https://d.example/", []),
    (f"git clone https://g.example/r && cd r && git reset --hard {C}", []),
    ("git clone https://g.example/r && cd r && git checkout v1", ["GIT001"]),
    (f"git clone https://g.example/r; git clone https://g.example/s; git checkout {C}", ["GIT001"]),
    ("git clone /srv/r", []),
    ("git submodule update --init --remote", ["GIT001"]),
    ("git submodule update --init --recursive", []),
    ('eval "pip install six"', ["PY001"]),
    ("eval pip install six", ["PY001"]),
    ('eval "echo pip install six"', []),
    ("npm ci", []),
    ("npm install", ["NPM001"]),
    ("npm install left-pad@^1.0", ["NPM001"]),
    ("npm install left-pad@1.3.0", []),
    ("npm run install", []),
    ("yarn", ["NPM001"]),
    ("yarn build", []),
    ("pnpm i --frozen-lockfile", []),
    ("go install g.example/x/y@latest", ["LNG001"]),
    ("go install g.example/x/y@v1.2.3", []),
    ("go install ./...", []),
    ("cargo install --locked --version 1.2.3 a", []),
    ("cargo install --locked a@1.2.3", []),
    ("cargo install --git https://g.example/r --locked", ["GIT001"]),
    ("gem install a:1.2.3", []),
    ("gem install a", ["LNG001"]),
    ("apk add --virtual .deps a=1.2-r0", []),
    ("apk add 'a>1'", ["APK001"]),
    ("dnf install -y a-1.2-3.el9", []),
    ("yum install -y a", ["RPM001"]),
    ("dnf clean all", []),
    ("docker run --name x -p 80:80 nginx", ["IMG007"]),
    (f"docker run --name nginx -d a/b@sha256:{H} nginx", []),
    ("docker build -t x .", []),
    ("podman pull $IMAGE", ["IMG006"]),
    ("spark-submit --conf spark.kubernetes.container.image=$I x", ["IMG006"]),
    ("add-apt-repository ppa:x/y", ["APT014"]),
    ("apt-get update --error-on=any", []),
    ("apt-get -o Acquire::https::Verify-Peer=false update", ["APT008"]),
    ("apt-get upgrade", ["APT009"]),
)


@pytest.mark.parametrize(("text", "expected"), SHELL, ids=[text for text, _ in SHELL])
def test_shell(text: str, expected: list[str]):
    assert findings(text, "x.sh") == expected


@pytest.mark.parametrize(("text", "expected"), SHELL, ids=[text for text, _ in SHELL])
def test_a_run_step_is_read_as_the_same_shell(text: str, expected: list[str]):
    held = {"requirements.txt": f"a==1 --hash=sha256:{H}".encode()}
    opening = f"FROM debian@sha256:{H}\n"
    if "\n" in text:
        steps = f"RUN <<'SCRIPT'\n{text}\nSCRIPT\n"
    else:
        # A variable that no one sets is empty to the shell, and unknown to us.
        steps = f"RUN {text}\n" if not text.startswith("#") else f"RUN true \\\n{text}\n"
    assert findings(opening + steps, "Dockerfile", **held) == expected


UNREAD = (
    ("pip install -r gone.txt", True),
    ("pacman -Sy gcc", True),
    ("pacman -Ss gcc", False),
    ("mvn -B package", True),
    ("mvn --version", False),
    ("bundle install", True),
    ("bundle exec rake", False),
    ("composer require a/b", True),
    ("poetry add x", True),
    ("poetry build", False),
    ("dotnet add package X", True),
    ("dotnet --info", False),
    ("snap install x", True),
    ("brew install x", True),
    ("cpan X", True),
    ("R -e \"install.packages('x')\"", True),
    ("R --version", False),
    ("rustup toolchain install stable", True),
    ("rustup show", False),
    ("rustup -q update", True),
    ("cpanm -n X", True),
    ("cpanm --version", False),
    ("perl -MCPAN -e 'install X'", True),
    ("perl -MCPAN::Meta -e 'print 1'", False),
    ("composer -n require a/b", True),
    ("composer --version", False),
    ("brew update", True),
    ("brew list", False),
    ("nix-env -iA x", True),
    ("nix-env -q", False),
    ("deno install x", True),
    ("deno fmt", False),
    ("pecl install x", True),
    ("pecl list", False),
    ("bundle --version", False),
    (
        "python3 -c \"import urllib.request as u; u.urlretrieve('https://d.example/a', 'a')\"",
        True,
    ),
    ("python3 -c 'print(1)'", False),
    ("python3 setup.py -q install", True),
    ("python3 setup.py bdist_wheel", False),
)


@pytest.mark.parametrize(("text", "open_"), UNREAD, ids=[text for text, _ in UNREAD])
def test_what_no_reader_judges_leaves_the_verdict_open(tmp_path: Path, text: str, open_: bool):
    (tmp_path / "Dockerfile").write_text(f"FROM debian@sha256:{H}\nRUN {text}\n")
    report = audited(tmp_path)

    assert [f.id for f in report.findings if f.id != "PY006"] == (["PAR001"] if open_ else [])
    assert report.verdict is (PinsVerdict.INCONCLUSIVE if open_ else PinsVerdict.PINNED)


def test_a_missing_requirements_file_is_unknown_and_one_with_hashes_is_not(tmp_path: Path):
    step = f"FROM debian@sha256:{H}\nCOPY r.txt .\nRUN pip install --no-deps -r r.txt\n"
    (tmp_path / "Dockerfile").write_text(step)
    assert audited(tmp_path).verdict is PinsVerdict.INCONCLUSIVE
    (tmp_path / "r.txt").write_text(f"a==1 --hash=sha256:{H}\n")
    assert audited(tmp_path).verdict is PinsVerdict.PINNED


@pytest.mark.parametrize("words", ['"/bin/bash", "-euo", "pipefail", "-c"', '"/bin/sh", "-c"'])
def test_a_shell_that_is_told_to_stop_is_heeded(words: str):
    check = f"curl -O https://d.example/a; echo {H} a | sha256sum -c; sh a"
    steps = f"FROM debian@sha256:{H}\nSHELL [{words}]\nRUN {check}\n"
    told = "-e" in words
    assert findings(steps, "Dockerfile") == ([] if told else ["NET002"])
    assert findings(f"#!/bin/sh {'-e' if told else '-x'}\n{check}\n", "x.sh") == (
        [] if told else ["NET002"]
    )


def test_checks_without_end_are_judged_in_time():
    fetch, check = "curl -o a https://d.example/a\n", f"echo {H} a | sha256sum -c\n"
    assert len(findings(fetch * 2000 + check * 2000 + "set +e\n" * 2000 + "sh a\n", "x.sh")) == 2000


FILES = (
    ("Dockerfile", "FROM a:1 AS b\nFROM b\n", ["IMG001"]),
    ("Dockerfile", "ARG X\nFROM ${X}\n", ["IMG006"]),
    ("Dockerfile", f"ARG X=a@sha256:{H}\nFROM ${{X}}\n", []),
    ("Dockerfile", f"ARG X\nFROM ${{X:-a@sha256:{H}}}\n", []),
    ("Dockerfile", "FROM scratch\nCOPY --from=b /a /b\n", ["IMG002"]),
    ("Dockerfile", "FROM scratch AS b\nFROM scratch\nCOPY --from=b /a /b\n", []),
    ("Dockerfile", "FROM scratch\nCOPY --from=0 /a /b\n", []),
    ("Dockerfile", "FROM scratch\nADD a.tar /\n", []),
    ("Dockerfile", "FROM scratch\nONBUILD ADD https://d.example/a /\n", ["NET002"]),
    ("Dockerfile", "FROM scratch\nRUN <<EOF\n#!/usr/bin/env python3\nimport os\nEOF\n", []),
    ("Dockerfile", "FROM scratch\nSHELL [\"powershell\"]\nRUN curl https://d.example/a\n", []),
    ("Dockerfile", "FROM scratch\nCMD curl https://d.example/a\n", []),
    ("Dockerfile", "FROM debian/snapshot@sha256:" + H + "\nRUN apt-get install a\n", []),
    ("Dockerfile", "FROM debian@sha256:" + H + "\nCOPY debian.sources /etc/apt/sources.list.d/\n"
     "RUN apt-get install a\n", []),
    ("Dockerfile", "FROM a@sha256:" + H + "\r\nRUN apt-get install \\\r\n  b\r\n", ["APT002"]),
    ("requirements.txt", f"a==1 --hash=sha256:{H}", []),
    ("requirements.txt", "a==1", ["PY002"]),
    ("requirements.txt", f"a===1 --hash=sha256:{H}", []),
    ("requirements.txt", "./local\n-e .\n", []),
    ("requirements.txt", f"a==1 --hash=sha256:{H}\rb\rc\u2028d\n", ["PY001", "PY001", "PY001"]),
    ("requirements.txt", f"a==1 \\\r  --hash=sha256:{H}\r", []),
    ("requirements.txt", "???", [UNREADABLE]),
    ("requirements.txt", "a b c", [UNREADABLE]),
    ("requirements.txt", "--unknown-option x", [UNREADABLE]),
    ("constraints.txt", "a<2\n", []),
    ("sources.list", "nothing of apt's", [UNREADABLE]),
    ("sources.list", f"deb [check-valid-until=no signed-by=/k] {SNAPSHOT} sid main", []),
    ("sources.list", f"deb [signed-by=/k] {SNAPSHOT} sid main", ["APT007"]),
    ("sources.list", "deb file:/srv/repository ./", []),
    ("sources.list.d/a.sources", "Types deb\n", [UNREADABLE]),
    ("sources.list.d/a.sources", "Types: deb\nURIs: https://m.example/debian\nSuites: a\n"
     "Snapshot: no\n", ["APT006"]),
    ("pylock.toml", "lock-version = 2", [UNREADABLE]),
    ("poetry.lock", "[[package", [UNREADABLE]),
    ("uv.lock", "version = 7", [UNREADABLE]),
    ("Pipfile.lock", "{}", [UNREADABLE]),
    ("Pipfile.lock", "[]", [UNREADABLE]),
    ("package-lock.json", '{"lockfileVersion": 9}', [UNREADABLE]),
    ("package-lock.json", '{"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0"}}}',
     ["NPM002"]),
    ("pom.xml", "<project>", [UNREADABLE]),
    ("pom.xml", '<!DOCTYPE a [<!ENTITY b "c">]><project/>', [UNREADABLE]),
    ("pom.xml", "<project/>", []),
    ("pom.xml", "<project><dependencies/></project>", ["JV003"]),
    ("pom.xml", "<project><parent><groupId>a</groupId><artifactId>b</artifactId>"
     "<version>1-SNAPSHOT</version></parent></project>", ["JV001"]),
    ("WORKSPACE", "http_archive(", [UNREADABLE]),
    ("WORKSPACE", "X = 1\n", []),
    ("a.bzl", "def f(name, sha):\n    http_archive(name = name, sha256 = sha)\n", []),
    ("MODULE.bazel.lock", '{"lockFileVersion": 24, "selectedYankedVersions": {"a@1": "bad"}}',
     ["BZL003"]),
    ("compose.yaml", "services: {a: {image: [}", [UNREADABLE]),
    ("compose.yaml", "x-a: &a {image: b:1}\nservices:\n  c: *a\n", ["IMG007"]),
    ("k.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'a:1'}]}", ["IMG007"]),
    ("k.yaml", "apiVersion: v1\nspec: {containers: [{image: 'a:1'}]}", []),
    ("k.yaml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: {{ .Values.x }}}]}", []),
    ("k.yaml", "apiVersion: v1\nkind: Pod\nspec: [", [UNREADABLE]),
    ("k.yaml", "title: a\nimage: b:1\n", []),
    (".gitmodules", '[submodule "a"]\n\turl = https://g.example/a\n', []),
    (".gitmodules", "]]]", [UNREADABLE]),
    (".gitmodules", "url = https://g.example/a\n", [UNREADABLE]),
    ("a/README.md", "    docker pull a:1\n", []),
    ("a/README.md", "~~~console\n# docker pull a:1\n~~~\n", ["IMG007"]),
    ("gradle.lockfile", "a:b:1=c\nempty=\n", ["JV003"]),
    ("gradle.lockfile", "?", [UNREADABLE]),
    ("gradle-wrapper.properties", "\ufeffdistributionUrl=https://a.example/g-1-bin.zip", ["JV008"]),
    ("x.sh", "docker run \\\r\n  a/b:1\r\n", ["IMG007"]),
    ("Dockerfile", f"FROM a@sha256:{H}\nRUN <<EOT bash -ex\napk add b\nEOT\n", ["APK001"]),
    ("Dockerfile", f"FROM a@sha256:{H}\nRUN true \\", []),
    ("Dockerfile", "NOTHING a\nFROM b\n", [UNREADABLE]),
)  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), FILES, ids=range(len(FILES)))
def test_files(name: str, text: str, expected: list[str]):
    held = {"debian.sources": f"Types: deb\nURIs: {SNAPSHOT}\nSuites: a\n".encode()}
    assert findings(text, name, **held) == expected


@pytest.mark.parametrize(
    ("name", "text", "locks", "expected"),
    [
        ("package.json", '{"dependencies": {"a": "^1"}}', (), "LCK002"),
        ("package.json", '{"devDependencies": {"a": "1.0.0"}}', (), "LCK002"),
        ("package.json", '{"dependencies": {"a": "^1"}}', ("yarn.lock",), "PAR001"),
        ("package.json", '{"dependencies": {"a": "^1"}}', ("package-lock.json",), None),
        ("package.json", '{"dependencies": {"a": "file:../a"}}', (), None),
        ("package.json", '{"name": "a"}', (), None),
        ("package.json", "{", (), UNREADABLE),
        ("Pipfile", "[packages]\na = '*'\n", (), "LCK002"),
        ("Pipfile", "[packages]\na = '*'\n", ("Pipfile.lock",), None),
        ("Pipfile", "[packages]\na = {path = '.'}\n", (), None),
        ("pyproject.toml", "[project]\ndependencies = ['a>1']\n", (), "PAR001"),
        ("pyproject.toml", "[project]\ndependencies = ['a>1']\n", ("uv.lock",), None),
        ("pyproject.toml", "[dependency-groups]\ndev = ['a>1']\n", ("pdm.lock",), "PAR001"),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = '^3'\n", (), None),
        ("pyproject.toml", "[tool.ruff]\n", (), None),
    ],
)
def test_a_manifest_asks_for_its_lock_beside_or_above(
    name: str, text: str, locks: tuple[str, ...], expected: str | None
):
    for folder in ("", "x/"):
        report = whole(text, f"{folder}{name}", **dict.fromkeys(locks, b""))
        assert [f.id for f in report.findings] == ([expected] if expected else [])


def test_a_pyproject_may_have_hashed_requirements_beside_it():
    text = "[project]\ndependencies = ['a>1']\n"
    for held, expected in ((b"a==1 --hash=sha256:0", []), (b"a==1", ["PAR001"])):
        report = whole(text, "pyproject.toml", **{"requirements.txt": held})
        assert [f.id for f in report.findings] == expected


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        ("Dockerfile", "FROM scratch\nADD https://g.example/r.git#main /r\n", "write # and the 40"),
        ("Dockerfile", "FROM scratch\nRUN git clone https://g.example/r\n", "git checkout and"),
        ("compose.yml", "services:\n a:\n  image: $IMG\n", "write the image with its digest here"),
        ("Dockerfile", "ARG X\nFROM ${X}\n", "give the ARG a default"),
        ("a.sh", "podman pull $IMAGE\n", "write the image, with its digest"),
    ],
)
def test_a_fix_is_one_of_its_place(name: str, text: str, fix: str):
    (finding,) = whole(text, name).findings
    assert finding.fix is not None and finding.fix.startswith(fix)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_is_believed(encoding: str):
    report = whole("# ein Übel\r\na==1\r\n".encode(encoding), "requirements.txt")

    (finding,) = report.findings
    assert (finding.id, finding.location.line) == ("PY002", 2)
    assert (finding.location.start is None) == (encoding != "utf-8-sig")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_file_that_is_known_by_its_text_is_known_in_any_encoding(encoding: str, tmp_path: Path):
    text = "apiVersion: v1\r\nkind: Pod\r\nspec: {containers: [{image: 'a:1'}]}\r\n"
    (tmp_path / "pod.yaml").write_bytes(text.encode(encoding))

    assert [f.id for f in audited(tmp_path).findings] == ["IMG007"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("spark-defaults.conf", "a\0 1\n", "PAR001"),
        ("spark-defaults.conf", "a 1\n", None),
        ("notes.md", "\0docker\0", "PAR001"),
        ("sources.list", "\0", UNREADABLE),
        ("Dockerfile", "{{ a }}\nFROM b\n", "PAR001"),
        ("Dockerfile", "NOTHING a\nFROM b\n", UNREADABLE),
        ("Dockerfile", f"FROM a@sha256:{H}\nRUN <<EOT bash\n  true\nEOT\nRUN true \\", None),
    ],
)
def test_what_is_no_text_of_its_kind_leaves_the_verdict_open(
    tmp_path: Path, name: str, text: str, expected: str | None
):
    (tmp_path / name).write_text(text)
    report = audited(tmp_path)

    assert [f.id for f in report.findings] == ([expected] if expected else [])
    assert (report.verdict is PinsVerdict.INCONCLUSIVE) == bool(expected)


def test_a_script_before_an_archive_is_read_and_the_archive_told():
    report = whole(b"#!/bin/sh\napt-get install a\nexit 0\n\0\1\2curl", "x.sh")

    assert [(f.id, f.location.line) for f in report.findings] == [("APT002", 2), ("PAR001", 4)]


def test_what_stands_in_a_finding_stands_in_the_file():
    text = "FROM debian:12\nRUN pip install \\\n  # é\n  flask \\\n  'x==1' && curl -o y https://d.example/y\n"
    spans = [
        (f.id, f.location.line, f.location.start, f.location.end)
        for f in whole(text, "Dockerfile").findings
    ]

    data = text.encode()
    assert [(i, n, data[a:b].decode()) for i, n, a, b in spans] == [
        ("IMG001", 1, "debian:12"),
        ("PY001", 4, "flask"),
        ("PY002", 5, "x==1"),
        ("NET002", 5, "https://d.example/y"),
    ]  # fmt: skip


# --- laws ----------------------------------------------------------------------------------------

NAMES = {
    "apt_sources": ("sources.list", "sources.list.d/a.sources"),
    "bazel": ("WORKSPACE", "MODULE.bazel"),
    "bazel_lock": ("MODULE.bazel.lock",),
    "compose": ("compose.yaml",),
    "containerfile": ("Containerfile",),
    "distroless_lock": ("a.lock.json",),
    "gitmodules": (".gitmodules",),
    "gradle_lockfile": ("gradle.lockfile",),
    "gradle_verification": ("gradle/verification-metadata.xml",),
    "kubernetes": ("a.yaml", "values.yaml"),
    "manifest": ("package.json", "Pipfile", "pyproject.toml"),
    "markdown": ("a.md",),
    "maven_install": ("maven_install.json",),
    "maven_lockfile": ("lockfile.json",),
    "package_lock": ("package-lock.json",),
    "pipfile_lock": ("Pipfile.lock",),
    "poetry_lock": ("poetry.lock",),
    "pom": ("pom.xml",),
    "pylock": ("pylock.toml",),
    "repaudit_lock": ("repaudit.lock",),
    "requirements": ("requirements.txt",),
    "shell": ("a.sh",),
    "spark_defaults": ("spark-defaults.conf",),
    "uv_lock": ("uv.lock",),
    "wrapper": ("gradle-wrapper.properties",),
}
IDS = {rule.id for rule in rules()}


def obeys(ecosystem: Ecosystem, name: str, data: bytes) -> None:
    file = document(name, data, lambda path: data if "o" in path else None, NOW)
    ecosystem.claims(name, data[:4096])
    first = audit(ecosystem, file)
    last = len(file.data.splitlines()) + 1
    for item in first:
        place = item.location
        assert 1 <= place.line <= place.end_line <= last, item
        if place.start is not None and place.end is not None:
            assert 0 <= place.start <= place.end <= len(file.data)
        if isinstance(item, PinFinding):
            assert item.id in IDS
            assert item.edit is None or 0 <= item.edit.start <= item.edit.end <= len(file.data)
    report = PinsReport(
        verdict=PinsVerdict.PINNED, pins=tuple(i for i in first if isinstance(i, Pin))
    )
    to_json(report)
    assert audit(ecosystem, replace(file)) == first


def test_every_ecosystem_has_a_name_here():
    assert set(NAMES) == set(ECOSYSTEMS.names())


@pytest.mark.parametrize("name", sorted(NAMES))
@many
@given(
    data=st.binary(max_size=400) | st.text(max_size=300).map(lambda t: t.encode("utf-8", "replace"))
)
@example(data=b"")
@example(data=b"\0")
@example(data=b"\xff\xfe\0")
@example(data=b"[" * 5000)
@example(data=b'{"a":' * 5000)
@example(data=b"<a>" * 5000)
@example(data=b"(" * 5000)
@example(data=b"$(" * 300)
@example(data=b"- " * 5000)
@example(data=b"&a [*a]")
def test_any_bytes_give_findings_or_a_refusal(name: str, data: bytes):
    for path in NAMES[name]:
        obeys(ECOSYSTEMS.load(name), path, data)


SAMPLES = sorted(
    path for side in ("faulty", "clean") for path in (PLANTED / side).rglob("*") if path.is_file()
)


@many
@given(
    path=st.sampled_from(SAMPLES),
    cut=st.integers(0, 4000),
    at=st.integers(0, 4000),
    put=st.binary(max_size=8)
    | st.sampled_from([b"{", b'"', b"'", b"\n", b"\r\n", b"<", b"$(", b"\\"]),
)
def test_a_damaged_file_gives_findings_or_a_refusal(path: Path, cut: int, at: int, put: bytes):
    data = path.read_bytes()
    damaged = data[:at] + put + data[at + len(put) : max(at, cut)]
    for ecosystem in ECOSYSTEMS.all():
        name = path.relative_to(PLANTED).as_posix()
        if ecosystem.claims(name, damaged[:4096]):
            obeys(ecosystem, name, damaged)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_file_of_another_kind_is_not_claimed(name: str):
    for path in (
        "a.txt",
        "main.go",
        "requirements.py",
        "Dockerfile.dockerignore",
        "x.json",
        "y.yml",
    ):
        assert not ECOSYSTEMS.load(name).claims(path, b"apiVersionless: 1\n")


def test_every_rule_says_what_why_and_where_to_read():
    for rule in rules():
        assert rule.title and not rule.title.endswith(".")
        assert rule.reason.endswith(".")
        assert rule.fix or rule.id == "PAR001"
        assert rule.reference or rule.id.startswith("PAR")
    assert [rule.id for rule in rules() if rule.open] == [UNREADABLE]


# --- locks that sign themselves ------------------------------------------------------------------


def test_the_hash_is_javas():
    from repaudit.ecosystems._starlark import hashed, shown

    # What Java says of two texts is well known; the second one gives the least of all.
    assert shown('a"\\\n') == '"a\\"\\\\\\n"'
    assert hashed(["hello"]) == by_the_book('["hello"]')
    assert by_the_book("hello") == 99162322
    assert by_the_book("polygenelubricants") == -(2**31)
    long = ["x" * 5000, {"é": None, "𝄞": 3}]
    assert hashed(long) == by_the_book(shown(long))


def by_the_book(text: str) -> int:
    total = 0
    raw = text.encode("utf-16-le")
    for at in range(0, len(raw), 2):
        total = (31 * total + raw[at] + 256 * raw[at + 1]) % 2**32
    return total - 2**32 if total >= 2**31 else total


def lock_of_version_2() -> dict[str, Any]:
    lock = {
        "artifacts": {
            "g:a": {"shasums": {"jar": H}, "version": "1"},
            "g:b": {"shasums": {"jar": H, "sources": None}, "version": "2"},
        },
        "dependencies": {"g:a": ["g:b"]},
        "repositories": {"https://packages.example/": ["g:a", "g:b"]},
        "version": "2",
    }
    text = (
        '{"artifacts": {"g:a": {"shasums": {"jar": "' + H + '"}, "version": "1"}, '
        '"g:b": {"shasums": {"jar": "' + H + '", "sources": None}, "version": "2"}}, '
        '"dependencies": {"g:a": ["g:b"]}, '
        '"repositories": {"https://packages.example/": ["g:a", "g:b"]}}'
    )
    return lock | {"__RESOLVED_ARTIFACTS_HASH": by_the_book(text), "skipped": ["g:b:jar:sources"]}


def lock_of_version_3() -> dict[str, Any]:
    lock = lock_of_version_2() | {"version": "3"}
    where = '"repository": "https://packages.example/"'
    sources = by_the_book('{"standard": {"version": "2"}, "sha": None, "dependency_hashes": {}}')
    b = by_the_book(
        f'{{"standard": {{"version": "2"}}, "sha": "{H}", {where}, "dependency_hashes": {{}}}}'
    )
    a = by_the_book(
        f'{{"standard": {{"version": "1"}}, "sha": "{H}", {where}, "dependencies": ["g:b"], '
        f'"dependency_hashes": {{"g:b": {b}}}}}'
    )
    lock["__RESOLVED_ARTIFACTS_HASH"] = {"g:a": a, "g:b": b, "g:b:jar:sources": sources}
    return lock


@pytest.mark.parametrize("make", [lock_of_version_2, lock_of_version_3])
def test_a_lock_that_was_edited_by_hand_is_told(make: Any):
    lock = make()
    assert findings(json.dumps(lock), "maven_install.json") == []

    lock["artifacts"]["g:b"]["shasums"]["jar"] = H.replace("e3", "e4")
    (finding,) = whole(json.dumps(lock), "maven_install.json").findings
    assert finding.id == "JV005"
    if lock["version"] == "3":
        assert finding.message.endswith("g:a, g:b")


def test_a_lock_of_version_1_is_read_and_signed():
    one = {"coord": "g:a:1", "file": "v1/a.jar", "sha256": H, "url": "https://p.example/a.jar"}
    more = {"directDependencies": [], "dependencies": ["g:b:2", "g:a:0"]}
    text = f'["g:a:1:{H}:v1/a.jar:https://p.example/a.jar:g:a:0,g:b:2"]'
    tree = {"version": "0.1.0", "dependencies": [one | more]}
    tree["__RESOLVED_ARTIFACTS_HASH"] = by_the_book(text)

    assert findings(json.dumps({"dependency_tree": tree}), "maven_install.json") == []
    tree["dependencies"][0]["sha256"] = None
    assert UNREADABLE in findings(json.dumps({"dependency_tree": tree}), "maven_install.json")


# --- which files ---------------------------------------------------------------------------------


def test_a_checkout_gives_what_git_does_not_ignore(tmp_path: Path):
    for name in ("Dockerfile", "new/Dockerfile", "ignored/Dockerfile"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("FROM a:1\n")
    (tmp_path / ".gitignore").write_text("ignored\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    assert open_tree([tmp_path]).files == (".gitignore", "Dockerfile", "new/Dockerfile")


def test_what_is_put_behind_another_file_s_from_is_read_and_leaves_the_verdict_open(tmp_path: Path):
    path = tmp_path / "Dockerfile.part"
    path.write_text("# common\nRUN apt-get install -y gcc\nCOPY a /a\n")
    found = [(one.id, one.location.line) for one in audited(path).findings]
    assert ("PAR001", 1) in found
    assert ("APT002", 2) in found

    path.write_text("COPY a /a\n")
    assert audited(path).verdict is PinsVerdict.INCONCLUSIVE
    path.write_text("FROM scratch\nCOPY a /a\n")
    assert (audited(path).verdict, audited(path).findings) == (PinsVerdict.PINNED, ())


def test_a_submodule_is_locked_by_the_commit_in_the_checkout_and_by_nothing_else(tmp_path: Path):
    lines = '[submodule "{0}"]\n\tpath = {0}\n\turl = https://g.example/{0}\n'
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / ".gitmodules").write_text("".join(lines.format(name) for name in ("a", "b*", "c")))

    def told() -> list[tuple[str, str]]:
        report = audited(folder)
        assert (report.verdict is PinsVerdict.PINNED) == (not report.findings)
        assert {f.id for f in report.findings} <= {"PAR001"}
        return [(p.purl.partition("?")[0], p.strength.value) for p in report.pins]

    assert told() == [(f"pkg:generic/{n}", "floating") for n in ("a", "b%2A", "c")]
    checkout(folder, "a", "bc")
    held = f"pkg:generic/a@{'a' * 40}"
    assert told() == [
        (held, "locked"),
        ("pkg:generic/b%2A", "floating"),
        ("pkg:generic/c", "floating"),
    ]
    checkout(folder, "b*", "c")
    assert [strength for _, strength in told()] == ["locked"] * 3


def test_elsewhere_what_tools_filled_is_left_out(tmp_path: Path):
    for name in ("b/Dockerfile", "a/Dockerfile", "node_modules/x/Dockerfile", "env/lib/Dockerfile"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("FROM a:1\n")
    (tmp_path / "env" / "pyvenv.cfg").touch()

    assert open_tree([tmp_path]).files == ("a/Dockerfile", "b/Dockerfile")


def test_a_link_out_of_the_folder_is_refused_and_one_within_followed(tmp_path: Path):
    (tmp_path / "outside").write_text("FROM a:1\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "plain").write_text("FROM b:1\n")
    (folder / "Dockerfile.in").symlink_to("../outside")
    (folder / "Dockerfile.own").symlink_to("plain")
    (folder / "Dockerfile.loop").symlink_to("Dockerfile.loop")

    report = audited(folder)
    assert [(f.location.path, f.id) for f in report.findings] == [
        ("Dockerfile.in", UNREADABLE),
        ("Dockerfile.loop", UNREADABLE),
        ("Dockerfile.own", "IMG001"),
    ]
    reasons = [f.message for f in report.findings if f.id == UNREADABLE]
    assert reasons == ["it is a link that leads out of the folder", "it is a link to itself"]
    (folder / "Dockerfile.loop").unlink()
    (folder / "Dockerfile.in").unlink()
    (folder / "Dockerfile.in").symlink_to("nothing")
    os.mkfifo(folder / "Dockerfile.pipe")
    assert [f.message for f in audited(folder).findings if f.id == UNREADABLE] == [
        "it is a link to what is not there",
        "it is no regular file",
    ]
    assert Tree(root=folder, files=()).read("../outside") is None
    assert Tree(root=folder, files=()).read("a\0b") is None


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (b"a b.Dockerfile", b"FROM a:1\n", "IMG001"),
        (b"Dockerfile.a b", b"FROM a:1\n", "IMG001"),
        (b"Dockerfile.a\nb", b"FROM a:1\n", "IMG001"),
        (b"\x1b[2J.dockerfile", b"FROM a:1\n", "IMG001"),
        (b"Containerfile-\xff", b"FROM a:1\n", "IMG001"),
        (b"compose.a b.yml", b"services:\n a:\n  image: a:1\n", "IMG007"),
        (b"requirements a.txt", b"six\n", "PY001"),
        (b"dev \xffrequirements.in", b"six\n", "PY001"),
        (b"requirements a/b c.txt", b"six\n", "none"),
        (b"requirements/b c.txt", b"six\n", "PY001"),
        (b"Dockerfiles", b"FROM a:1\n", "none"),
        (b"requirements.txt.bak", b"six\n", "none"),
    ],
)
def test_names_of_any_characters_are_known(tmp_path: Path, name: bytes, text: bytes, expected: str):
    path = os.path.join(os.fsencode(tmp_path), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text)
    report = audited(tmp_path)

    assert [f.id for f in report.findings] == ([] if expected == "none" else [expected])
    to_json(report)


def test_a_file_that_no_reader_knows_is_told_where_it_was_named(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("anything\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    named = repaudit("pins", "audit", tmp_path / "notes.txt", tmp_path / "Dockerfile")
    assert named.returncode == 3
    assert "notes.txt:1: PAR001 note no reader knows what kind of file this is" in named.stdout
    assert repaudit("pins", "audit", tmp_path).returncode == 0

    (tmp_path / "Dockerfile").unlink()
    for command in (("audit",), ("verify",), ("write", "--offline")):
        none = repaudit("pins", *command, tmp_path)
        assert none.returncode == 3
        assert "there is no file here that repaudit reads" in none.stdout + none.stderr


def test_what_is_no_requirements_file_is_refused_once():
    for data in (b"\x7fELF\0\1\n" * 20, b"<<<\n" * 20):
        assert findings(data, "requirements.txt") == [UNREADABLE]
    assert findings(b"<<<\na\n", "requirements.txt") == ["PY001", UNREADABLE]


def test_a_single_file_and_two_folders_are_named_from_what_holds_them(tmp_path: Path):
    for name in ("a/Dockerfile", "b/x.sh"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("")

    assert open_tree([tmp_path / "a" / "Dockerfile"]).files == ("Dockerfile",)
    assert open_tree([tmp_path / "b", tmp_path / "a"]).files == ("a/Dockerfile", "b/x.sh")
    with pytest.raises(UsageError):
        open_tree([tmp_path / "none"])


# --- the answer ----------------------------------------------------------------------------------

PLACE = Location(path="a", line=1, end_line=1, start=0, end=3)
TIGHTER: dict[tuple[str, str], dict[str, Any]] = {
    ("PinsReport", "schema"): {"const": SCHEMA},
    ("PinFinding", "id"): {"type": "string", "pattern": "^[A-Z]{2,4}[0-9]{3}$"},
    ("Pin", "purl"): {"type": "string", "pattern": "^pkg:"},
    ("Pin", "digests"): {
        "type": "array",
        "items": {"type": "string", "pattern": "^(md5|sha1|sha256|sha384|sha512):[0-9a-f]+$"},
    },
    ("Location", "line"): {"type": "integer", "minimum": 1},
    ("Location", "end_line"): {"type": "integer", "minimum": 1},
}


def schema() -> dict[str, Any]:
    return closed(PinsReport, SCHEMA, TIGHTER)


def wrong(severity: Severity, name: str = "APT001") -> PinFinding:
    return PinFinding(id=name, severity=severity, message="m", fix=None, location=PLACE)


def test_the_schema_that_ships_is_that_of_the_types():
    assert schema() == pins_schema(), f"write it again: {WRITE}"


@pytest.mark.parametrize("side", ["faulty", "clean"])
def test_an_answer_obeys_the_schema_and_is_the_same_again(side: str):
    report = audited(PLANTED / side)

    jsonschema.Draft202012Validator(pins_schema()).validate(json.loads(to_json(report)))
    assert to_json(audited(PLANTED / side)) == to_json(report)


def test_a_note_does_not_decide_and_a_file_unread_does():
    nothing: frozenset[str] = frozenset({UNREADABLE})

    assert judge([], nothing) is PinsVerdict.PINNED
    assert judge([wrong(Severity.NOTE)], nothing) is PinsVerdict.PINNED
    assert judge([wrong(Severity.WARNING)], nothing) is PinsVerdict.FLOATING
    unread = wrong(Severity.ERROR, UNREADABLE)
    assert judge([unread, wrong(Severity.ERROR)], nothing) is PinsVerdict.INCONCLUSIVE
    assert [v.exit_code for v in PinsVerdict] == [0, 1, 3]


def test_text_is_a_line_a_finding_and_a_summary():
    pin = Pin(purl="pkg:oci/a", kind="image", strength=Strength.HASHED, digests=(), location=PLACE)
    hostile = replace(wrong(Severity.ERROR), message="a\x1b[2Jb", fix="do\nthis")
    report = PinsReport(
        verdict=PinsVerdict.FLOATING, files=("a",), pins=(pin,), findings=(hostile,)
    )
    reporter = REPORTERS.load("text")

    assert isinstance(reporter, PinsReporter)
    assert reporter.render_pins(report, Surface()).decode().splitlines() == [
        "a:1: APT001 error a\\x1b[2Jb",
        "    fix: do\\nthis",
        "floating  1 error; 1 pin (1 hashed) in 1 file",
    ]


def test_the_command_exits_with_the_verdict(tmp_path: Path):
    (tmp_path / "Dockerfile").write_text("FROM a:1\n")
    clean, faulty = str(PLANTED / "clean"), str(tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "pom.xml").write_text("<project>")

    clean_file = str(PLANTED / "clean" / "Dockerfile")
    assert repaudit("pins", "audit", "--offline", clean_file).returncode == 0
    done = repaudit("pins", "audit", str(tmp_path / "Dockerfile"), "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "floating"
    done = repaudit("pins", "audit", faulty)
    assert done.returncode == 3
    assert "bad/pom.xml:1: PAR002 error as pom: no XML" in done.stdout
    assert repaudit("pins", "audit", str(tmp_path / "none")).returncode == 2
    assert repaudit("pins", "audit", clean, "--format", "none").returncode == 2


def test_the_ecosystems_are_listed():
    lines = repaudit("list", "ecosystems").stdout.splitlines()

    assert [line.split()[0] for line in lines] == list(ECOSYSTEMS.names())


if __name__ == "__main__":
    sys.stdout.buffer.write(to_json(schema()))
