"""The interposer: edits of a bundle, facts of a stranger's root, and the program as a whole."""

from __future__ import annotations

import copy
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repaudit.factors import FACTORS
from repaudit.interposer import edit, rootfs
from repaudit.interposer.edit import HELPERS, Change, Facts
from repaudit.model.experiment import Held
from tests.fakes import MACHINE

NAMES = [
    name for name in FACTORS.names() if not isinstance(FACTORS.load(name).levels(MACHINE), Held)
]
FACTS = Facts(has=lambda symbol: True, home="/root", home_source="/root-of-it/root", helpers="/h")
MAIN = Path(edit.__file__).with_name("main.py")


def config(*env: str, **more: Any) -> dict[str, Any]:
    """A bundle's config as buildah writes it."""
    return {
        "ociVersion": "1.0.2",
        "hostname": "b5f3a",
        "root": {"path": "rootfs"},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["sh", "-c", "true"],
            "env": ["PATH=/usr/bin:/bin", "HOSTNAME=b5f3a", *env],
            "cwd": "/",
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/etc/hosts", "type": "bind", "source": "/run/1/hosts"},
        ],
        **more,
    }


def changes(factor: str, level: int = 1) -> list[Change]:
    """A factor's edits at a level, as a run's plan holds them."""
    found = FACTORS.load(factor)
    levels = found.levels(MACHINE)
    assert not isinstance(levels, Held)
    return [Change(e.slot, e.value, e.unless, e.needs) for e in found.edits(levels[level], MACHINE)]


def applied(given: dict[str, Any], *factors: str, level: int = 1, **facts: Any) -> edit.Edited:
    return edit.apply(given, {f: changes(f, level) for f in factors}, FACTS._replace(**facts))


def env_of(edited: edit.Edited) -> dict[str, str]:
    return dict(item.partition("=")[::2] for item in edited.config["process"]["env"])


def mounts_of(edited: edit.Edited) -> dict[str, str]:
    return {mount["destination"]: mount["source"] for mount in edited.config["mounts"]}


# Each factor's edits end in the right field.


def test_the_environment_gets_what_its_factors_set():
    env = env_of(applied(config(), "timezone", "locale", "user", "environment", "time"))

    assert env["TZ"] == "<+14>-14"
    assert (env["LC_ALL"], env["LOCPATH"]) == ("et_EE.UTF-8", f"{HELPERS}/locale")
    assert env["USER"] == env["LOGNAME"] == f"user-{MACHINE.token('user')}"
    assert env["BUILD_ENVIRONMENT_CANARY"].startswith("env-")
    assert env["LD_PRELOAD"] == f"{HELPERS}/libfaketime.so.1"
    assert env["FAKETIME_TIMESTAMP_FILE"] == f"{HELPERS}/clock"
    assert env["PATH"] == "/usr/bin:/bin"


@pytest.mark.parametrize(("level", "umask"), [(0, 0o022), (1, 0o002)])
def test_the_umask_is_the_process_users(level: int, umask: int):
    edited = applied(config(), "umask", level=level)

    assert edited.config["process"]["user"] == {"uid": 0, "gid": 0, "umask": umask}


def test_the_host_name_is_the_uts_names_the_environments_and_that_of_etc_hosts():
    edited = applied(config(), "hostname")
    name = changes("hostname")[0].value

    assert edited.config["hostname"] == env_of(edited)["HOSTNAME"] == name
    assert mounts_of(edited)["/etc/hosts"] == "/h/hosts"


def test_a_second_home_is_a_mount_of_the_first_and_home_names_it():
    alias = f"{HELPERS}/home/{MACHINE.token('home')}"
    own, other = (applied(config(), "home", level=level) for level in (0, 1))

    assert "HOME" not in env_of(own)
    assert alias not in mounts_of(own)
    assert env_of(other)["HOME"] == alias
    assert mounts_of(other)[alias] == "/root-of-it/root"
    (mount,) = (m for m in other.config["mounts"] if m["destination"] == alias)
    assert "ro" not in mount["options"]


def test_locales_are_brought_along_read_only():
    edited = applied(config(), "locale")

    (mount,) = (m for m in edited.config["mounts"] if m["destination"] == f"{HELPERS}/locale")
    assert mount["source"] == MACHINE.locales
    assert "ro" in mount["options"]


@pytest.mark.parametrize(("level", "cpus"), [(0, (0, 1, 2, 3)), (1, (0,))])
def test_cpus_are_for_the_process_that_hands_over(level: int, cpus: tuple[int, ...]):
    assert applied(config(), "cpus", level=level).cpus == cpus


def test_one_cpu_is_what_the_kernels_files_tell_and_all_cpus_are_its_own_to_tell():
    every, one = (mounts_of(applied(config(), "cpus", level=level)) for level in (0, 1))

    cpus = "/sys/devices/system/cpu"
    assert {path: one[path] for path in one.keys() - every.keys()} == {
        "/proc/cpuinfo": "/h/cpuinfo",
        "/proc/stat": "/h/stat",
        f"{cpus}/online": "/h/cpu-list",
        f"{cpus}/possible": "/h/cpu-list",
        f"{cpus}/present": "/h/cpu-list",
    }
    assert every.keys() == mounts_of(applied(config())).keys()


def test_nothing_is_mounted_in_a_folder_that_only_has_the_name_of_a_kernels_file_system():
    given = config()
    given["mounts"] = [m for m in given["mounts"] if m["destination"] != "/sys"]
    given["mounts"][0]["type"] = "bind"

    assert mounts_of(applied(given, "cpus")) == mounts_of(applied(given))


def test_personalities_add_up_and_are_off_when_they_are_off():
    assert set(applied(config(), "kernel").personality) == {"UNAME26"}
    assert set(applied(config(), "aslr", level=0).personality) == {"ADDR_NO_RANDOMIZE"}
    assert applied(config(), "kernel", level=0).personality == ()
    assert applied(config(), "aslr").personality == ()


def test_what_is_set_up_when_the_run_starts_is_no_edit_of_a_step():
    plain, varied = applied(config()), applied(config(), "file_order")

    assert plain.config == varied.config
    assert (varied.cpus, varied.personality, varied.refused) == ((), (), {})


def test_the_helpers_are_there_read_only_even_if_nothing_is_varied():
    (mount,) = (m for m in applied(config()).config["mounts"] if m["destination"] == HELPERS)

    assert mount == {
        "destination": HELPERS,
        "type": "bind",
        "source": "/h",
        "options": ["rbind", "ro"],
    }


def test_every_factor_applies_to_the_smallest_config():
    for level in (0, 1):
        assert applied({"root": {"path": "rootfs"}}, *NAMES, level=level).refused == {}


def test_an_unknown_slot_is_an_error_and_not_nothing():
    for slot in ("/process/cwd", "/linux/seccomp", "home:elsewhere"):
        with pytest.raises(ValueError, match="no such slot"):
            edit.apply(config(), {"x": [Change(slot, "1", (), None)]}, FACTS)


# What the image sets itself wins.


@pytest.mark.parametrize(
    ("own", "factor"),
    [
        ("TZ=Europe/Berlin", "timezone"),
        ("TZ=", "timezone"),
        ("LANG=C", "locale"),
        ("LANGUAGE=de", "locale"),
        ("LC_ALL=C", "locale"),
        ("LC_COLLATE=C", "locale"),
        ("HOME=/srv", "home"),
        ("USER=app", "user"),
        ("LOGNAME=app", "user"),
        ("FAKETIME=@0", "time"),
    ],
)
def test_what_the_image_sets_itself_stays_and_the_factor_says_so(own: str, factor: str):
    given = config(own)
    edited = applied(given, *NAMES)
    name = own.partition("=")[0]

    assert edited.refused == {factor: f"the image sets {name} itself"}
    assert env_of(edited)[name] == own.partition("=")[2]
    assert applied(config(), *NAMES).refused == {}


@pytest.mark.parametrize("own", ["TZDATA=1", "XTZ=1", "LANGUAGES=1", "HOMEPAGE=1", "LCALL=1"])
def test_a_variable_with_another_name_refuses_nothing(own: str):
    assert applied(config(own), *NAMES).refused == {}


@pytest.mark.parametrize("factor", sorted({*NAMES} - {"time"}))
def test_a_factor_is_applied_whole_or_not_at_all(factor: str):
    """Refused by its last edit, it leaves nothing of its first ones."""
    *first, last = changes(factor)
    refused = {factor: [*first, last._replace(unless=("OWN",))]}

    edited = edit.apply(config("OWN=1"), refused, FACTS)
    assert edited.refused == {factor: "the image sets OWN itself"}
    assert edited._replace(refused={}) == applied(config("OWN=1"))


def test_what_the_tracer_does_stands_alone_where_the_preload_is_refused():
    """The preload is applied whole or not at all; the tracer needs nothing of the image."""
    whole, alone = (applied(config(*own), "time") for own in ((), ("LD_PRELOAD=/own.so",)))

    assert (whole.clock, whole.traced, whole.refused) == (True, {}, {})
    assert alone.traced == {"time": "the image sets LD_PRELOAD itself"}
    assert alone._replace(traced={}) == applied(config("LD_PRELOAD=/own.so"))._replace(clock=True)


def test_a_clock_that_the_image_sets_is_not_moved_by_the_tracer_either():
    edited = applied(config("FAKETIME=@0"), "time")

    assert edited.refused == {"time": "the image sets FAKETIME itself"}
    assert (edited.clock, edited.traced) == (False, {})


def test_one_refused_factor_leaves_the_others_in_force():
    env = env_of(applied(config("TZ=UTC"), "timezone", "user"))

    assert (env["TZ"], env["USER"]) == ("UTC", f"user-{MACHINE.token('user')}")


def test_an_image_with_its_own_locales_is_not_half_varied():
    assert "locale" in applied(config("LOCPATH=/own"), "locale").refused


def test_a_factor_does_not_count_what_another_factor_set_as_the_images_own():
    once = {"a": [Change("/process/env/TZ", "1", (), None)], "timezone": changes("timezone")}

    assert edit.apply(config(), once, FACTS).refused == {}


def test_a_need_that_the_root_does_not_meet_is_the_reason():
    edited = applied(config(), *NAMES, has=lambda symbol: symbol == "GLIBC_2.28")

    assert (list(edited.refused), list(edited.traced)) == ([], ["time"])
    assert "GLIBC_2.34" in edited.traced["time"]
    assert "LD_PRELOAD" not in env_of(edited)


def test_without_a_home_there_is_no_second_one():
    edited = applied(config(), *NAMES, home=None, home_source=None)

    assert list(edited.refused) == ["home"]
    assert "home directory" in edited.refused["home"]


def test_the_builders_host_name_is_replaced_and_the_images_own_stays():
    builders = applied(config(), "hostname")
    images = applied({**config(), "hostname": "other"}, "hostname")

    assert env_of(builders)["HOSTNAME"] == builders.config["hostname"]
    assert env_of(images)["HOSTNAME"] == "b5f3a"
    assert images.config["hostname"] == builders.config["hostname"]


def test_outside_of_our_folder_only_existing_mounts_are_replaced():
    """A mount point that is not there yet would stay in the image as an empty file."""
    edited = applied(config(), *NAMES)

    theirs = {mount["destination"] for mount in config()["mounts"]}
    ours = (f"{HELPERS}/", "/proc/", "/sys/")  # whose files are there in every image, or in none
    assert {d for d in mounts_of(edited) if d in theirs or not f"{d}/".startswith(ours)} == theirs
    assert mounts_of(edited)["/proc"] == "proc"


def test_a_replaced_mount_keeps_its_kind_and_options():
    given = config()
    given["mounts"][3]["options"] = ["rbind", "ro"]
    (mount,) = (m for m in applied(given, "hostname").config["mounts"] if "hosts" in m["source"])

    assert mount == {**given["mounts"][3], "source": "/h/hosts"}


@pytest.mark.parametrize("level", [0, 1])
def test_the_input_is_not_modified(level: int):
    given = config("A=1")
    before = copy.deepcopy(given)
    applied(given, *NAMES, level=level)

    assert given == before


def test_the_order_of_the_factors_does_not_matter():
    ahead, back = (applied(config(), *names) for names in (NAMES, NAMES[::-1]))

    assert env_of(ahead) == env_of(back)
    assert mounts_of(ahead) == mounts_of(back)
    assert sorted(ahead.personality) == sorted(back.personality)


def test_a_variable_may_hold_what_it_likes():
    assert env_of(applied(config("A=b=c", "B=", "C=\n"), "timezone"))["A"] == "b=c"


# Facts of a stranger's root.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that holds nothing but folders, beside a secret outside of it."""
    (tmp_path / "secret").write_text("root:x:0:0:root:/outside:/bin/sh\n")
    (tmp_path / "outside").mkdir()
    root = tmp_path / "root"
    for name in ("etc", "lib", "root", "srv/deep"):
        (root / name).mkdir(parents=True)
    return root


def device(path: Path, major: int, minor: int) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(major, minor))
    except PermissionError:
        pytest.skip("only root makes devices")


def passwd(root: Path, *lines: str) -> None:
    (root / "etc/passwd").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("link", "target", "asked", "found"),
    [
        ("srv/abs", "/etc", "srv/abs/x", "etc/x"),
        ("srv/rel", "../etc", "srv/rel/x", "etc/x"),
        ("srv/up", "../../../../etc", "srv/up/x", "etc/x"),
        ("srv/root", "/", "srv/root/etc/x", "etc/x"),
        ("srv/dots", "/../../etc/./", "srv/dots//x", "etc/x"),
        ("srv/deep/l", "..", "srv/deep/l/../etc/x", "etc/x"),
        ("srv/none", "/nowhere", "srv/none", None),
        ("srv/loop", "loop", "srv/loop", None),
        ("srv/loop", "/srv/loop/x", "srv/loop", None),
        ("srv/x", "/etc/x", "/../../srv/../srv/x", "etc/x"),
    ],
)
def test_links_are_followed_as_in_a_chroot(root: Path, link, target, asked, found):
    (root / "etc/x").write_text("x")
    (root / link).symlink_to(target)

    where = rootfs.resolve(str(root), asked)
    assert where == (str(root / found) if found else None)


@pytest.mark.parametrize("asked", ["", "/", ".", "..", "../..", "/..", "etc/.."])
def test_no_dots_lead_out_of_the_root(root: Path, asked: str):
    assert rootfs.resolve(str(root), asked) in {str(root), f"{root}/"}


def test_forty_links_are_followed_and_not_one_more(root: Path):
    for number in range(50):
        (root / f"srv/{number}").symlink_to(f"{number + 1}")
    (root / "srv/50").write_text("x")

    assert rootfs.resolve(str(root), "srv/10") == str(root / "srv/50")
    assert rootfs.resolve(str(root), "srv/9") is None


NAME = st.sampled_from(["a", "b", "c", "d"])
TARGET = st.lists(st.sampled_from(["", ".", "..", "a", "b", "c", "d", "secret"]), max_size=6)
NODES = st.lists(st.tuples(st.lists(NAME, min_size=1, max_size=3), st.none() | TARGET), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(nodes=NODES, asked=TARGET)
def test_nothing_that_is_resolved_lies_outside(root: Path, nodes, asked):
    shutil.rmtree(root)
    root.mkdir()
    for parts, target in nodes:
        path = root.joinpath(*parts)
        if any(parent.is_symlink() for parent in (path, *path.parents)) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if target is None:
            path.mkdir()
        else:
            path.symlink_to("/".join(target) or "/")

    where = rootfs.resolve(str(root), "/".join(asked))
    if where is not None:
        assert os.path.realpath(where) == where.rstrip("/")
        assert Path(where).is_relative_to(root)
        assert os.path.lexists(where)


def test_a_passwd_that_leads_to_the_hosts_is_not_read(root: Path):
    for target in ("/etc/passwd", "../../../../../../etc/passwd", str(root.parent / "secret")):
        (root / "etc/passwd").unlink(missing_ok=True)
        (root / "etc/passwd").symlink_to(target)
        assert rootfs.read(str(root), "etc/passwd") is None
        assert rootfs.home(str(root), 0) == "/root", "as if there were none"


def test_a_folder_that_leads_out_is_not_gone_through(root: Path):
    (root / "etc").rmdir()
    (root / "etc").symlink_to(root.parent)
    (root.parent / "passwd").write_text("root:x:0:0::/outside:/bin/sh\n")

    assert rootfs.read(str(root), "etc/passwd") is None


def test_a_fifo_is_not_waited_for(root: Path):
    os.mkfifo(root / "etc/passwd")

    assert rootfs.read(str(root), "etc/passwd") is None


def test_a_folder_is_no_file(root: Path):
    assert rootfs.read(str(root), "etc") is None


@pytest.mark.parametrize("number", [(1, 3), (1, 5)], ids=["null", "zero"])
def test_a_device_is_not_read(root: Path, number: tuple[int, int]):
    device(root / "etc/passwd", *number)

    assert rootfs.read(str(root), "etc/passwd") is None


def test_a_device_is_not_even_opened(root: Path):
    """To open some of them is to act: a tape rewinds, a watchdog starts. This one has no driver."""
    device(root / "etc/passwd", 250, 250)

    assert rootfs.read(str(root), "etc/passwd") is None


def test_a_huge_file_is_cut_off(root: Path):
    with (root / "etc/passwd").open("wb") as file:
        file.truncate(1 << 40)

    assert len(rootfs.read(str(root), "etc/passwd") or b"") == 16 << 20


@pytest.mark.parametrize(
    ("lines", "uid", "home"),
    [
        (["root:x:0:0:root:/root:/bin/sh"], 0, "/root"),
        (["app:x:7:7::/srv/deep:/bin/sh"], 7, "/srv/deep"),
        (["app:x:7:7::/srv/deep:/bin/sh"], 8, None),
        (["app:x:7:7::/nowhere:/bin/sh"], 7, None),
        (["app:x:7:7::srv:/bin/sh"], 7, None),
        (["app:x:7:7::/etc/passwd:/bin/sh"], 7, None),
        (["app:x:7:7::/../../outside:/bin/sh"], 7, None),
        (["app:x:7:7:/srv", "", "::::::", "app:x:7:7::/srv:/bin/sh"], 7, "/srv"),
        (["\udcff:x:7:7:\udcff:/srv:".encode("utf-8", "surrogateescape")], 7, "/srv"),
    ],
)
def test_a_home_is_a_folder_of_the_image(root: Path, lines, uid, home):
    data = b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines)
    (root / "etc/passwd").write_bytes(data)

    assert rootfs.home(str(root), uid) == home


def test_a_home_with_a_nul_in_it_is_none(root: Path):
    passwd(root, "root:x:0:0:root:/ro\0ot:/bin/sh")

    assert rootfs.home(str(root), 0) is None


def test_without_a_passwd_root_is_at_home_in_root(root: Path):
    assert (rootfs.home(str(root), 0), rootfs.home(str(root), 7)) == ("/root", None)
    (root / "root").rmdir()
    assert rootfs.home(str(root), 0) is None


def test_the_c_library_is_found_through_links(root: Path):
    assert rootfs.libc(str(root)) is None
    (root / "usr/lib64").mkdir(parents=True)
    (root / "usr/lib64/libc-2.36.so").write_bytes(b"GLIBC_2.36\0")
    (root / "usr/lib64/libc.so.6").symlink_to("libc-2.36.so")
    (root / "lib64").symlink_to("/usr/lib64")

    assert rootfs.libc(str(root)) == b"GLIBC_2.36\0"


def test_musl_is_not_the_c_library_that_is_meant(root: Path):
    (root / "lib/libc.so").write_bytes(b"musl")

    assert rootfs.libc(str(root)) is None


# The program as a whole, with a runtime that writes down what it is told.

RUNTIME = """#!/bin/sh
bundle=$(pwd)
previous=
for word; do
  [ "$previous" = --bundle ] && bundle=$word
  previous=$word
done
call={calls}/$(ls {calls} | wc -l)
mkdir "$call"
printf '%s\\n' "$@" > "$call/argv"
cp "$bundle/config.json" "$call/config.json"
uname -r > "$call/kernel"
nproc > "$call/cpus"
case "$*" in *probe-*) echo umask=0002; echo kernel=x ;; esac
exit {status}
"""


class Bench:
    """A bundle, a plan and a fake runtime, as a run's workplace has them."""

    def __init__(self, folder: Path, *factors: str, status: int = 0) -> None:
        self.bundle = folder / "bundle"
        self.calls_folder = folder / "calls"
        for name in ("bundle/rootfs/root", "calls", "helpers", "readings"):
            (folder / name).mkdir(parents=True)
        self.steps = folder / "steps"
        self.readings = folder / "readings"
        self.runtime = folder / "runtime"
        self.runtime.write_text(RUNTIME.format(calls=self.calls_folder, status=status))
        self.runtime.chmod(0o755)
        (folder / "helpers" / "clock").write_text("+034560000\n")
        self.write(config())
        self.plan = folder / "plan.json"
        plan = {
            "runtime": str(self.runtime),
            "state": str(folder / "state"),
            "helpers": str(folder / "helpers"),
            "steps": str(self.steps),
            "readings": str(self.readings),
            "traces": None,
            "asked": [],
            "planted": False,
            "unmoved": str(folder / "unmoved"),
            "cgroup": "repaudit-test",
            "factors": {factor: changes(factor) for factor in factors},
        }
        self.plan.write_text(json.dumps(plan))

    def write(self, given: dict[str, Any]) -> None:
        (self.bundle / "config.json").write_text(json.dumps(given))

    def run(self, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Start the interposer as the shim does."""
        command = [sys.executable, "-I", "-S", "-B", str(MAIN), str(self.plan), *argv]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)

    def create(self, name: str = "c1") -> None:
        done = self.run("create", "--bundle", str(self.bundle), "--pid-file", "p", name)
        assert (done.returncode, done.stderr) == (0, "")

    def calls(self) -> Iterator[tuple[list[str], dict[str, Any], str]]:
        """Yield what the runtime was told: its argv, the config, and the kernel that it saw."""
        for folder in sorted(self.calls_folder.iterdir(), key=lambda path: int(path.name)):
            argv = (folder / "argv").read_text().splitlines()
            kernel = (folder / "kernel").read_text().strip()
            yield argv, json.loads((folder / "config.json").read_text()), kernel


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, "umask", "timezone", "hostname", "environment")


def test_a_step_reaches_the_runtime_edited_after_one_probe(bench: Bench):
    bench.create()
    (probe, probed, _), (argv, seen, _) = bench.calls()

    state = ["--root", str(bench.bundle.parent / "state")]
    assert argv == [*state, "create", "--bundle", str(bench.bundle), "--pid-file", "p", "c1"]
    assert seen["process"]["user"]["umask"] == 0o002
    assert "TZ=<+14>-14" in seen["process"]["env"]
    assert seen["process"]["args"] == ["sh", "-c", "true"]
    assert seen["linux"]["cgroupsPath"] == "/repaudit-test/c1"
    assert probe[:3] == [*state, "run"]
    assert probed["process"]["args"][0] == f"{HELPERS}/busybox"
    assert probed["process"]["env"] == seen["process"]["env"]


def test_the_probe_runs_in_the_steps_own_root(bench: Bench):
    given = config()
    given["root"] = {"path": str(bench.bundle / "rootfs"), "readonly": True}
    given["hooks"] = {"prestart": [{"path": "/bin/true"}]}
    bench.write(given)
    bench.create()
    (_, probed, _), (_, seen, _) = bench.calls()

    assert probed["root"] == {"path": str(bench.bundle / "rootfs"), "readonly": False}
    assert "hooks" not in probed
    assert (seen["root"], seen["hooks"]) == (given["root"], given["hooks"])


def test_the_verb_of_buildkit_is_edited_too(bench: Bench):
    done = bench.run("run", "--bundle", str(bench.bundle), "c1")
    *_, (argv, seen, _) = bench.calls()

    assert done.returncode == 0
    assert argv[2:] == ["run", "--bundle", str(bench.bundle), "c1"]
    assert seen["process"]["user"]["umask"] == 0o002


def test_a_bundle_may_be_where_the_runtime_starts(bench: Bench):
    assert bench.run("create", "c1", cwd=bench.bundle).returncode == 0
    *_, (argv, seen, _) = bench.calls()

    assert argv[2:] == ["create", "c1"]
    assert seen["process"]["user"]["umask"] == 0o002


def test_what_was_done_is_written_down_for_each_step(bench: Bench):
    bench.create("c1")
    bench.write(config("TZ=UTC"))
    bench.create("c2")
    steps = [json.loads(line) for line in bench.steps.read_text().splitlines()]

    assert [step["args"] for step in steps] == [["sh", "-c", "true"]] * 2
    assert [step["refused"] for step in steps] == [
        {},
        {"timezone": "the image sets TZ itself"},
    ]


def test_each_kind_of_root_user_and_refusal_is_probed_once(bench: Bench):
    for name in ("c1", "c2"):
        bench.write(config())
        bench.create(name)
    assert len(list(bench.readings.iterdir())) == 1
    bench.write(config("TZ=UTC"))
    bench.create("c3")
    given = config()
    given["process"]["user"]["uid"] = 7
    bench.write(given)
    bench.create("c4")

    assert len(list(bench.readings.iterdir())) == 3
    assert {(folder / "reading").read_text() for folder in bench.readings.iterdir()} == {
        "umask=0002\nkernel=x\n"
    }
    assert len(list(bench.calls())) == 4 + 3


def test_the_runtimes_exit_status_is_the_interposers(tmp_path: Path):
    bench = Bench(tmp_path, "umask", status=7)

    assert bench.run("create", "--bundle", str(bench.bundle), "c1").returncode == 7


def test_every_factor_at_once_reaches_the_runtime(tmp_path: Path):
    own = sorted(os.sched_getaffinity(0))
    bench = Bench(tmp_path, *NAMES)
    plan = json.loads(bench.plan.read_text())
    plan["factors"]["cpus"] = [["exec:affinity", str(own[-1]), [], None]]
    bench.plan.write_text(json.dumps(plan))
    (bench.bundle / "rootfs/lib").mkdir()
    (bench.bundle / "rootfs/lib/libc.so.6").write_bytes(b"\0GLIBC_2.28\0GLIBC_2.34\0")
    bench.create()
    _, (_, seen, kernel) = bench.calls()

    (step,) = map(json.loads, bench.steps.read_text().splitlines())
    assert (step["refused"], step["untraced"]) == ({}, None)
    assert kernel.startswith("2.6.")
    assert (bench.calls_folder / "1/cpus").read_text().strip() == "1"
    assert f"HOME={HELPERS}/home/{MACHINE.token('home')}" in seen["process"]["env"]


def test_a_root_without_a_c_library_refuses_what_needs_one(tmp_path: Path):
    bench = Bench(tmp_path, "time", "locale", "umask")
    bench.create()

    (step,) = map(json.loads, bench.steps.read_text().splitlines())
    assert sorted(step["refused"]) == ["locale"]  # the tracer moves the time


def test_it_leaves_nothing_in_the_root_and_no_bytecode(bench: Bench):
    before = sorted(bench.bundle.rglob("*"))
    bench.create()

    assert sorted(bench.bundle.rglob("*")) == before


def test_its_own_environment_changes_nothing(bench: Bench):
    """A step's builder may hand on what it likes: PYTHONPATH and the like are not looked at."""
    command = [sys.executable, "-I", "-S", "-B", str(MAIN), str(bench.plan)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    done = subprocess.run(
        [*command, "create", "--bundle", str(bench.bundle), "c1"],
        env=environment,
        cwd="/",
        capture_output=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, b"")
