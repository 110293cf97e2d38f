"""Programs that no preload reaches: what they write of the clock is found, and blamed on time."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from repaudit import audit
from repaudit.audit import RebuildRequest
from repaudit.cli.progress import Silent
from repaudit.model.finding import Confidence

C = "#include <stdio.h>\n#include <time.h>\nint main(void) { time_t now = time(0); %s }\n"
YEAR = 'printf("%d\\n", 1900 + gmtime(&now)->tm_year);'
GO = """package main

import (
	"os"
	"time"
)

func main() { os.Stdout.WriteString(time.Now().Format("2006\\n")) }
"""


def c_program(folder: Path) -> str:
    (folder / "year.c").write_text(C % YEAR, "utf-8")
    command = ["gcc", "-static", "-o", "program", "year.c"]
    subprocess.run(command, cwd=folder, check=True)
    return "program"


def go_program(folder: Path) -> str:
    (folder / "year.go").write_text(GO, "utf-8")
    own = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    command = ["go", "build", "-o", "program", "year.go"]
    subprocess.run(command, cwd=folder, check=True, env=os.environ | own)
    return "program"


def busybox(folder: Path) -> str:
    shutil.copy2("/bin/busybox", folder / "busybox")
    return "busybox date +%Y-%m-%d"


PROGRAMS = {"busybox": busybox, "gcc": c_program, "go": go_program}


@pytest.mark.live
@pytest.mark.parametrize("tool", PROGRAMS)
def test_the_clock_of_a_static_program_is_blamed(
    tool: str, tmp_path: Path, golden_storage: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which(tool):
        pytest.skip(f"no {tool}")
    for key, value in golden_storage.items():
        monkeypatch.setenv(key, value)
    step = PROGRAMS[tool](tmp_path)
    (tmp_path / "Containerfile").write_text(
        "FROM localhost/repaudit-golden\nCOPY . /usr/local/bin/\n"
        f"RUN umask 022 && {step} > /srv/year\n",
        "utf-8",
    )

    request = RebuildRequest(context=tmp_path, vary=("time",), timestamp="0", explain=True)
    report = audit.rebuild(request, Silent())

    (finding,) = [f for f in report.findings if f.differences[0].path == "srv/year"]
    assert [(s.factor, s.confidence) for s in finding.factors] == [
        ("time", Confidence.DEMONSTRATED)
    ]
    assert finding.cause.slug == "captures_build_date"
    assert finding.instruction
    assert finding.instruction.line == 3
    assert finding.process
    assert finding.process.argv[0] == step.split()[0]
