"""The floors of ARCHITECTURE.md as a test: imports go down only, effects live in host/ only.

The guard reads the source, so lazy and type-only imports count too; planted faults show that it
bites.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "repaudit"
FLOORS = (
    {"__init__", "model"},
    {"host"},
    {"oci", "containerfile", "formats", "attestations"},
    {
        "factors",
        "builders",
        "comparators",
        "ecosystems",
        "forensics",
        "indexes",
        "inventories",
        "reporters",
        "sources",
        "predicates",
        "reference_values",
    },
    {"stages", "interposer"},
    {"audit", "comparison", "pinning"},
    {"cli"},
    {"__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
EFFECTS = frozenset(
    {
        "getpass",
        "importlib",
        "locale",
        "os",
        "platform",
        "random",
        "requests",
        "secrets",
        "socket",
        "subprocess",
        "tempfile",
        "time",
        "urllib.request",
        "uuid",
    }
)
#: (file or folder, module): why it may have this effect though it is not in host/.
ALLOWED = {
    ("interposer/", "os"): "it is a program of its own, which starts once a build step",
    ("interposer/", "subprocess"): "it is a program of its own, and runs the probe",
    ("interposer/shift.py", "time"): "the clock of a step is what it moves",
    ("builders/_workplace.py", "os"): "the order of a directory listing is what it reads",
    ("cli/", "os"): "the environment and the user are the command line's own input",
    ("factors/file_order.py", "uuid"): "writes a hash as a UUID; makes none",
    ("cli/app.py", "importlib"): "a command is imported when it is called",
}
#: What costs more to import than a build step should pay for.
TOO_HEAVY = frozenset(
    {"dataclasses", "inspect", "msgspec", "pathlib", "rich", "typer", "typing_extensions"}
)
MOST_LINES = 320
#: Modules that are longer for now, and by how much: each is a debt, and leaves when it is paid.
LONGER: dict[str, int] = {}
FILES = sorted(p.relative_to(ROOT / PACKAGE).as_posix() for p in (ROOT / PACKAGE).rglob("*.py"))

#: A file's path below the package, and its syntax tree.
Tree = dict[str, ast.Module]


def read(folder: Path) -> Tree:
    return {
        path.relative_to(folder).as_posix(): ast.parse(path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.py"))
    }


def room_of(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield every module that is imported anywhere, with the name taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "__import__":
            yield ".by __import__"


def within(name: str, modules: frozenset[str]) -> str | None:
    """Return the one of `modules` that `name` is, or is a part of."""
    return next((m for m in modules if name == m or name.startswith(m + ".")), None)


def room_imported(name: str, rooms: set[str]) -> str | None:
    """Return the room of our package that `name` leads to, None for what is not ours."""
    package, _, rest = name.partition(".")
    if package != PACKAGE:
        return None
    room = rest.partition(".")[0]
    return room if room in rooms else "__init__"


def misplaced(tree: Tree) -> list[str]:
    """Imports that go up, or to another room of the same floor, or hide where they go."""
    rooms = {room_of(file) for file in tree}
    faults = [f"{room} has no floor: give it one in FLOORS" for room in sorted(rooms - set(FLOOR))]
    for file, module in tree.items():
        here = room_of(file)
        for name in imported(module):
            if name.startswith("."):
                faults.append(f"{file} imports {name}: say the whole name")
            there = room_imported(name, rooms)
            if there in {None, here} or not {here, there} <= set(FLOOR):
                continue
            if FLOOR[here] <= FLOOR[there]:
                faults.append(f"{file} (floor {FLOOR[here]}) imports {name} (floor {FLOOR[there]})")
    return faults


def effects(tree: Tree) -> dict[tuple[str, str], str]:
    """Return what is imported outside of host/ that acts on the world, by (file, module)."""
    return {
        (file, effect): f"{file} imports {effect}: effects live in host/ only"
        for file, module in tree.items()
        if room_of(file) != "host"
        for name in imported(module)
        if (effect := within(name, EFFECTS))
    }


def allowance(file: str, effect: str) -> tuple[str, str] | None:
    return next(((f, e) for f, e in ALLOWED if e == effect and file.startswith(f)), None)


def too_heavy(tree: Tree) -> list[str]:
    """What the interposer may not import: heavy modules, and our own outside of it."""
    return [
        f"{file} imports {name}"
        for file, module in tree.items()
        if room_of(file) == "interposer"
        for name in imported(module)
        if within(name, TOO_HEAVY)
        or (name.startswith(PACKAGE) and not name.startswith(f"{PACKAGE}.interposer"))
    ]


def constants(tree: Tree) -> dict[str, str]:
    """Return the constant in which each plug-in package's files end, by its Registry."""
    return {
        room_of(file): node.args[1].value
        for file, module in tree.items()
        if file.count("/") == 1 and file.endswith("/__init__.py")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Registry"
    }


def without_constant(tree: Tree) -> list[str]:
    """Plug-ins that do not end in their package's constant, and helpers that have it."""
    faults = []
    named = constants(tree)
    for file, module in tree.items():
        room, _, name = file.partition("/")
        if room not in named or name == "__init__.py":
            continue
        last = module.body[-1]
        targets = [last.target] if isinstance(last, ast.AnnAssign) else getattr(last, "targets", [])
        ends = [getattr(target, "id", None) for target in targets] == [named[room]]
        plugin = name != "interface.py" and not name.startswith("_")
        if ends != plugin:
            faults.append(f"{file} {'does not end' if plugin else 'ends'} in {named[room]}")
    return faults


@pytest.fixture(scope="module")
def house() -> Tree:
    return read(ROOT / PACKAGE)


def test_imports_go_down_only(house: Tree):
    assert misplaced(house) == []


def test_effects_live_in_host_only(house: Tree):
    found = effects(house)

    assert [fault for key, fault in found.items() if not allowance(*key)] == []


def test_no_allowance_outlives_its_need(house: Tree):
    used = {allowance(*key) for key in effects(house)}

    assert set(ALLOWED) - used == set()
    assert all(ALLOWED.values())


def test_the_interposer_is_light(house: Tree):
    assert too_heavy(house) == []


def test_the_interposer_is_light_when_it_runs_too():
    """What its imports import counts as well: it starts once for each build step."""
    ask = "import sys, runpy; runpy.run_path(sys.argv[1]); print(*sys.modules)"
    main = ROOT / PACKAGE / "interposer" / "main.py"
    run = [sys.executable, "-I", "-S", "-B", "-c", ask, main]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()

    assert f"{PACKAGE}.interposer.edit" in loaded
    heavy = TOO_HEAVY | {"hashlib", "subprocess"}  # which few steps need, and then import
    assert {name for name in loaded if within(name, heavy)} == set()
    ours = {name for name in loaded if name.startswith(f"{PACKAGE}.")}
    assert {name for name in ours if not name.startswith(f"{PACKAGE}.interposer")} == set()


def test_every_plugin_ends_in_its_constant(house: Tree):
    assert without_constant(house) == []
    assert set(constants(house)) >= FLOORS[3] & {room_of(file) for file in house}


@pytest.mark.parametrize("file", FILES)
def test_a_module_is_short_enough_to_be_read_at_once(file: str):
    length = len((ROOT / PACKAGE / file).read_text("utf-8").splitlines())

    assert length <= LONGER.get(file, MOST_LINES)
    assert file not in LONGER or length > MOST_LINES, "no longer too long: take it out of LONGER"


def test_every_package_and_module_says_what_it_is(house: Tree):
    assert [file for file, module in house.items() if not ast.get_docstring(module)] == []


def test_no_test_mocks():
    """What needs a patch needs a parameter, or a small fake in tests/fakes.py."""
    mocks = frozenset({"unittest.mock", "mock", "pytest_mock"})
    tests = read(ROOT / "tests")

    assert [
        f for f, module in tests.items() if any(within(n, mocks) for n in imported(module))
    ] == []


# The guard itself: it is silent in a house in order, and each planted fault is told.

SOUND = {
    "__init__.py": "",
    "__main__.py": "from repaudit.cli import main",
    "model/__init__.py": "import json",
    "model/digest.py": "from repaudit.model import errors",
    "host/process.py": "import os\nfrom repaudit.model import digest",
    "factors/__init__.py": 'FACTORS = Registry("repaudit.factors", "FACTOR")',
    "factors/interface.py": "from repaudit.model import digest",
    "factors/_shared.py": "X = 1",
    "factors/time.py": "from repaudit.factors.interface import Factor\nFACTOR: Factor = 1",
    "reporters/__init__.py": "from repaudit.host.registry import Registry",
    "interposer/main.py": "import os\nfrom repaudit.interposer import edit",
    "stages/plan.py": "from repaudit.factors import FACTORS",
    "audit.py": "from repaudit.stages import plan",
    "cli/__init__.py": "from repaudit import __version__, audit",
}
PLANTED = (
    (misplaced, "model/digest.py", "import repaudit.host.process"),
    (misplaced, "model/digest.py", "from repaudit import host"),
    (misplaced, "model/digest.py", "def f():\n    from repaudit.host import process"),
    (misplaced, "model/digest.py", "if TYPE_CHECKING:\n    from repaudit.audit import x"),
    (misplaced, "model/digest.py", "from ..host import process"),
    (misplaced, "model/digest.py", "from . import errors"),
    (misplaced, "model/digest.py", "__import__('repaudit.host')"),
    (misplaced, "factors/time.py", "from repaudit.reporters import X\nFACTOR = 1"),
    (misplaced, "stages/plan.py", "from repaudit.interposer import edit"),
    (misplaced, "audit.py", "from repaudit import cli"),
    (misplaced, "garage/car.py", ""),
    (effects, "stages/plan.py", "import random"),
    (effects, "stages/plan.py", "import os.path"),
    (effects, "audit.py", "from time import monotonic"),
    (effects, "model/digest.py", "def f():\n    import subprocess as harmless"),
    (effects, "oci/fetch.py", "from urllib import request"),
    (too_heavy, "interposer/main.py", "from pathlib import Path"),
    (too_heavy, "interposer/main.py", "import rich.console"),
    (too_heavy, "interposer/main.py", "from repaudit.model import digest"),
    (too_heavy, "interposer/edit.py", "from dataclasses import replace"),
    (without_constant, "factors/time.py", "FACTOR = 1\nX = 2"),
    (without_constant, "factors/time.py", ""),
    (without_constant, "factors/time.py", "def FACTOR():\n    pass"),
    (without_constant, "factors/_shared.py", "FACTOR = 1"),
)


def build(folder: Path, files: dict[str, str]) -> Tree:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""A room."""\n{text}\n', "utf-8")
    return read(folder)


def test_the_guard_is_silent_in_a_house_in_order(tmp_path: Path):
    tree = build(tmp_path, SOUND)

    assert (misplaced(tree), too_heavy(tree), without_constant(tree)) == ([], [], [])
    assert [key for key in effects(tree) if not allowance(*key)] == []


@pytest.mark.parametrize(("guard", "file", "text"), PLANTED)
def test_the_guard_tells_a_planted_fault(tmp_path: Path, guard, file: str, text: str):
    tree = build(tmp_path, SOUND | {file: text})

    told = guard(tree)
    faults = [told[key] for key in told if not allowance(*key)] if guard is effects else told
    assert len(faults) == 1, faults
    assert faults[0].startswith(file.partition("/")[0])
