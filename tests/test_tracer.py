"""The tracer of build steps: on plain processes of this machine, and live in a build's steps."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from repaudit import audit
from repaudit.builders import BUILDERS, BuildRequest
from repaudit.builders._trace import read_trace
from repaudit.host.scratch import scratch
from repaudit.interposer import attach as attach_module
from repaudit.interposer import program, ptrace, seccomp
from repaudit.interposer.names import Names
from repaudit.model.experiment import BuildRun, Outcome
from repaudit.model.trace import Program, Trace
from repaudit.stages.plan import edits, make_plan
from tests import live

OFFSET = 400 * 86_400
ATTACH = Path(attach_module.__file__)
LAUNCH = """
import os, sys
sys.path.insert(0, sys.argv[1])
from repaudit.interposer import attach, tracer
offset, out = int(sys.argv[2]) if sys.argv[2] else None, sys.argv[3] or None
wish = tracer.Wish(offset, "/no/such/library", out, everywhere=True, unmoved=sys.argv[4])
wish = wish._replace(planted="PLANTED" in os.environ)
reason = attach.attach(wish)
assert reason is None, reason
os.execvp(sys.argv[5], sys.argv[5:])
"""

works = subprocess.run([sys.executable, "-I", "-S", "-B", ATTACH], capture_output=True)
needs_tracing = pytest.mark.skipif(works.returncode != 0, reason=works.stdout.decode().strip())


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How a traced command ended, and what was recorded of it."""

    status: int
    text: str
    trace: Trace | None

    def writer(self, path: Path) -> Program | None:
        """The program that wrote a path."""
        assert self.trace is not None
        found = self.trace.writers[str(path).lstrip("/")]
        return None if found.wrote is None else self.trace.programs[found.wrote]

    def inputs(self, executable: str) -> set[tuple[str, str]]:
        """What the programs of this name read."""
        assert self.trace is not None
        return {
            (one.kind, one.detail)
            for each in self.trace.programs
            if Path(each.executable).name.startswith(executable)
            for one in each.inputs
        }


@dataclass(frozen=True)
class Tracing:
    """Runs commands under the tracer, each with a record of its own."""

    folder: Path

    def __call__(
        self,
        *argv: str | Path,
        offset: int | None = OFFSET,
        record: bool = True,
        unmoved: str = "",
        planted: bool = False,
    ) -> Seen:
        out = self.folder / f"{len(list(self.folder.glob('*.json')))}.json"
        root = ATTACH.parent.parent.parent
        words = ["" if offset is None else offset, out if record else "", unmoved, *argv]
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", LAUNCH, *map(str, (root, *words))],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
            | ({"PLANTED": ""} if planted else {}),
        )
        text = done.stdout + done.stderr
        return Seen(status=done.returncode, text=text, trace=read_trace(out) if record else None)

    def python(self, text: str, **words: bool) -> Seen:
        return self(sys.executable, "-I", "-S", "-B", "-c", text, **words)


@pytest.fixture
def traced(tmp_path: Path) -> Tracing:
    return Tracing(tmp_path)


def year(offset: int) -> str:
    return time.strftime("%Y", time.gmtime(time.time() + offset))


# Random bytes.

DRAWS = {
    "a call": "import os; print(os.urandom(8).hex(), os.getrandom(3).hex())",
    "a large call": "import os; print(len(os.urandom(200_000)), hash(os.urandom(200_000)))",
    "by name": "import uuid; print(uuid.uuid4())",
    "the start": "import ctypes as c; f = c.CDLL(None).getauxval; f.restype = c.c_void_p; "
    "print(c.string_at(f(25), 16).hex())",
    "hashes": "print({str(n) for n in range(20)})",
}


@needs_tracing
@pytest.mark.parametrize("text", DRAWS.values(), ids=DRAWS)
def test_planted_bytes_are_the_same_each_time_and_others_are_not(traced: Tracing, text: str):
    def seen(*, planted: bool) -> list[str]:
        command = (sys.executable, "-E", "-S", "-c", text)
        return [traced(*command, planted=planted).text for _ in range(2)]

    one, again = seen(planted=True)
    assert one == again
    assert "Traceback" not in one
    assert len({one, *seen(planted=False)}) == 3


@needs_tracing
def test_each_program_is_planted_its_own_bytes(traced: Tracing):
    draw = f"{sys.executable} -S -c 'import os; print(os.urandom(8).hex())'"
    drawn = traced("sh", "-c", f"{draw}; {draw}; {draw} other", planted=True)

    assert len(set(drawn.text.split())) == 3
    assert drawn.text == traced("sh", "-c", f"{draw}; {draw}; {draw} other", planted=True).text
    assert drawn.inputs("python") >= {("random", "8")}


# The clock.


@needs_tracing
@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("command", [("busybox", "date"), ("date",)])
def test_the_clock_of_a_program_that_no_preload_reaches_is_moved(
    traced: Tracing, command: Sequence[str], record: bool
):
    seen = traced(*command, "+%Y %s", record=record)
    told, epoch = seen.text.split()

    assert told == year(OFFSET)
    assert abs(int(epoch) - time.time() - OFFSET) < 60


@needs_tracing
def test_without_an_offset_the_clock_is_what_it_is(traced: Tracing):
    assert abs(int(traced("busybox", "date", "+%s", offset=None).text) - time.time()) < 60


CLOCKS = """
import ctypes, threading, time
libc = ctypes.CDLL(None)
class Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("rest", ctypes.c_long))
now, own = Time(), Time()
libc.syscall(201, ctypes.byref(own))
libc.gettimeofday(ctypes.byref(now), None)
clocks = [time.clock_gettime(which) for which in (0, 5, 11)]
seen = [time.time(), own.seconds, libc.syscall(201, None), now.seconds, *clocks]
def read():
    for _ in range(100):
        seen.append(time.time())
threads = [threading.Thread(target=read) for _ in range(6)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print(int(min(seen)), int(max(seen)), time.clock_gettime(1) < 10**9)
print(libc.syscall(228, 0, 1), libc.syscall(228, 0, None))
"""


@needs_tracing
def test_every_clock_that_shows_the_date_is_moved_in_every_thread_and_no_other(traced: Tracing):
    spread, bad = traced.python(CLOCKS, record=False).text.splitlines()
    first, last, monotonic = spread.split()

    assert abs(int(first) - time.time() - OFFSET) < 60
    assert int(last) - int(first) < 90  # TAI is 37 seconds ahead
    assert monotonic == "True"
    assert bad == "-1 -1"  # a bad address is still an error


WAITS = """
import ctypes, os, struct, time
libc = ctypes.CDLL(None, use_errno=True)
def until():
    instant = struct.pack("<qq", *divmod(time.time_ns() + 10**9, 10**9))
    return ctypes.create_string_buffer(instant, 16), instant
began = time.monotonic()
told, before = until()
assert libc.clock_nanosleep(0, 1, told, None) == 0 and bytes(told) == before
semaphore, (told, before) = ctypes.create_string_buffer(64), until()
libc.sem_init(semaphore, 0, 0)
assert libc.sem_timedwait(semaphore, told) == -1 and ctypes.get_errno() == 110
assert bytes(told) == before
timer = libc.timerfd_create(0, 0)
assert libc.timerfd_settime(timer, 1, bytes(16) + until()[1], None) == 0
os.read(timer, 8)
print(round(time.monotonic() - began))
"""


@needs_tracing
def test_a_program_waits_for_an_instant_as_long_as_it_means_to(traced: Tracing):
    assert traced.python(WAITS, record=False).text == "3\n"


@needs_tracing
@pytest.mark.skipif(not shutil.which("gcc"), reason="no compiler")
def test_a_static_program_with_threads_is_moved(traced: Tracing):
    (traced.folder / "a.c").write_text(
        """
        #include <pthread.h>
        #include <stdio.h>
        #include <time.h>
        static void *ask(void *at) { *(time_t *)at = time(0); return 0; }
        int main(void) {
            time_t seen[400]; pthread_t t[400];
            for (int i = 0; i < 400; i++) pthread_create(t + i, 0, ask, seen + i);
            for (int i = 0; i < 400; i++) pthread_join(t[i], 0);
            for (int i = 0; i < 400; i++) printf("%ld\\n", (long)seen[i]);
        }
        """
    )
    subprocess.run(["gcc", "-static", "-o", "a", "a.c", "-lpthread"], cwd=traced.folder, check=True)
    told = traced("./a", record=False).text.split()

    assert len(told) == 400  # some end while others begin
    assert all(abs(int(one) - time.time() - OFFSET) < 60 for one in told)


# A step ends as it would without us.


@needs_tracing
@pytest.mark.parametrize("record", [False, True])
def test_every_exit_status_and_signal_is_passed_on(traced: Tracing, record: bool):
    for status in (0, 1, 7, 127, 255):
        assert traced("sh", "-c", f"exit {status}", record=record).status == status
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        assert traced("sh", "-c", f"kill -{number} $$", record=record).status == -number


@needs_tracing
def test_signals_job_control_and_stops_work(traced: Tracing):
    script = """
    trap 'echo caught' USR1
    kill -USR1 $$
    sleep 60 & child=$!
    kill -STOP $child; sleep 0.2
    grep -qi '^State:.T (' /proc/$child/status && echo stopped
    kill -CONT $child; sleep 0.2
    grep -q '^State:.S' /proc/$child/status && echo goes on
    kill $child; wait $child 2>/dev/null; echo $?
    """
    assert traced("sh", "-c", script).text.split("\n") == [
        "caught",
        "stopped",
        "goes on",
        "143",
        "",
    ]


@needs_tracing
def test_a_program_that_a_thread_executes_is_followed(traced: Tracing):
    seen = traced.python(
        """
import os, threading, time
go = lambda: os.execvp("busybox", ["busybox", "sh", "-c", "busybox date +%Y; echo x > thread"])
threading.Thread(target=go).start()
time.sleep(30)
"""
    )

    assert seen.text == f"{year(OFFSET)}\n"
    writer = seen.writer(traced.folder / "thread")
    assert writer is not None
    assert writer.argv[:2] == ("busybox", "sh")


@needs_tracing
def test_what_outlives_the_first_process_is_followed_to_its_end(traced: Tracing):
    seen = traced("sh", "-c", "(sleep 0.5; date +%Y > late) >/dev/null 2>&1 &")

    assert seen.status == 0
    assert (traced.folder / "late").read_text() == f"{year(OFFSET)}\n"
    assert seen.writer(traced.folder / "late") is not None  # the lock waits for it


@needs_tracing
def test_the_tracer_holds_no_pipe_of_the_builders_open(traced: Tracing):
    """Else `subprocess.run` would wait for its end, and not just for the first process's."""
    began = time.monotonic()
    seen = traced("sh", "-c", "sleep 5 >/dev/null 2>&1 & exit 3", record=False)

    assert seen.status == 3
    assert time.monotonic() - began < 4


KILLS = """
import os, signal, subprocess, time
for number in range(12):
    child = subprocess.Popen(["sh", "-c", "while :; do /bin/true & done"], start_new_session=True)
    time.sleep(0.01 * number)
    child.kill()  # in the midst of a fork, like as not; what it started goes on
    child.wait()
print("done")
"""


@needs_tracing
@pytest.mark.parametrize("record", [False, True])
def test_nothing_hangs_where_a_process_is_killed_while_it_forks(traced: Tracing, record: bool):
    seen = traced.python(KILLS, record=record)

    assert (seen.status, seen.text) == (0, "done\n")
    assert seen.trace is None or seen.trace.faults == ()


def test_a_record_that_is_not_whole_is_none(tmp_path: Path):
    for number, text in enumerate(("", "{", '{"programs": [')):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        assert read_trace(path) is None


@needs_tracing
@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
def test_a_program_may_trace_another_unless_there_is_a_record(traced: Tracing):
    command = ("strace", "-f", "-o", "calls", "sh", "-c", "true; exit 4")

    assert traced(*command, record=False).status == 4
    assert "execve" in (traced.folder / "calls").read_text()
    refused = traced(*command)
    assert refused.status != 4
    assert refused.trace is not None
    assert "ptrace" in refused.trace.cut


# The record.


def test_who_wrote_what_and_who_named_it(traced: Tracing):
    seen = traced(
        "sh",
        "-c",
        """
        echo one > first
        cp first second
        mv second third
        mkdir -p a/b; cp first a/b/deep; mv a moved
        ln third hard; ln -s third soft
        ln -s moved/b short; cp first short/through
        cat first nowhere > /dev/null 2>&1
        sh -c 'exec >> first; echo two'
        touch no/such/folder 2> /dev/null
        cd moved; echo x > ./b/../here
        """,
    )
    here = traced.folder
    trace = seen.trace
    assert trace is not None

    def both(path: str) -> tuple[str | None, str | None]:
        found = trace.writers[str(here / path).lstrip("/")]
        names = (
            None if one is None else Path(trace.programs[one].argv[0]).name
            for one in (found.wrote, found.named)
        )
        return tuple(names)  # type: ignore[return-value]

    assert both("third") == ("cp", "mv")
    assert both("moved/b/deep") == ("cp", None)
    assert both("moved") == ("mkdir", "mv")
    assert both("hard") == ("cp", "ln")
    assert both("soft") == ("ln", None)
    assert both("moved/b/through") == ("cp", None)
    assert both("moved/here") == ("sh", None)
    assert both("first") == ("sh", None)
    first = seen.writer(here / "first")
    assert first is not None
    assert first.argv == ("sh", "-c", "exec >> first; echo two")
    names = {Path(path).name for path in trace.writers}
    assert not names & {"nowhere", "null", "a", "second", "through2"}
    assert (trace.cut, trace.faults) == ((), ())


@needs_tracing
def test_what_a_shell_opens_for_a_program_is_written_by_the_program(traced: Tracing):
    seen = traced(
        "sh",
        "-c",
        """
        date > alone
        true | cat > piped
        date > early; mv early late
        { date; cp alone other; } > several
        echo shell > own
        date >> own
        """,
    )
    assert seen.trace is not None
    found = {
        name: seen.writer(traced.folder / name)
        for name in ("alone", "piped", "late", "several", "other", "own")
    }
    called = {name: Path(one.argv[0]).name if one else None for name, one in found.items()}
    assert called == {
        "alone": "date",
        "piped": "cat",
        "late": "date",
        "several": "sh",  # one of them wrote it, and nobody saw which
        "other": "cp",
        "own": "date",
    }


@needs_tracing
def test_a_call_that_fails_writes_nothing(traced: Tracing):
    script = "mkdir d; busybox mkdir d; busybox mv no d; busybox sh -c ': > d'; busybox ln -s x d"
    writer = traced("sh", "-c", script).writer(traced.folder / "d")

    assert writer is not None
    assert writer.argv == ("mkdir", "d")


@needs_tracing
def test_programs_know_where_they_come_from(traced: Tracing):
    seen = traced("sh", "-c", "cd /; env -i busybox sh -c '/bin/true; echo; exit'; :")
    assert seen.trace is not None
    programs = seen.trace.programs

    last = next(n for n, one in enumerate(programs) if one.argv[0].endswith("true"))
    lineage, number = [], last
    while number is not None:
        lineage.append(programs[number].argv[0])
        number = programs[number].parent
    assert lineage == ["/bin/true", "busybox", "env", "sh"]
    assert programs[last].cwd == "/"
    assert Path(programs[0].executable).name == Path(os.path.realpath("/bin/sh")).name


@needs_tracing
@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("date", {("clock", "")}),
        ("uname -r", {("uname", "")}),
        ("nproc", {("cpus", "")}),
        ("ls folder", {("listing", "folder")}),
        ("mktemp -u", {("random", "8")}),
        ("true", set()),
        ("cat file", set()),
    ],
)
def test_what_a_program_reads_that_two_builds_do_not_share(
    traced: Tracing, command: str, wanted: set[tuple[str, str]]
):
    (traced.folder / "folder").mkdir()
    (traced.folder / "file").touch()
    seen = traced("sh", "-c", f"{command}; :")

    found = {(k, Path(d).name if k == "listing" else d) for k, d in seen.inputs(command.split()[0])}
    assert found == wanted


@needs_tracing
def test_a_chroot_is_a_part_of_the_step(traced: Tracing):
    root = traced.folder / "root"
    (root / "bin").mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, root / "bin/busybox")
    script = "echo x > /new; echo x > /new; cd bin; echo > y"
    seen = traced("chroot", root, "/bin/busybox", "sh", "-c", script)

    assert seen.status == 0, seen.text
    for name in ("new", "bin/y"):
        writer = seen.writer(root / name)
        assert writer is not None
        assert writer.executable == str(root / "bin/busybox")


# Its parts.

OPS = st.lists(
    st.tuples(
        st.sampled_from(["wrote", "moved", "linked", "swapped"]),
        st.sampled_from(["/a", "/b", "/a/x", "/a/y", "/b/x", "/c/d/e"]),
        st.sampled_from(["/a", "/b", "/a/x", "/a/y", "/b/x", "/c/d/e"]),
        st.integers(0, 9),
    ),
    max_size=12,
)


@given(OPS)
def test_names_never_fail_and_the_last_writer_stands(ops):
    names = Names()
    for what, old, new, program_ in ops:
        if what == "wrote":
            names.wrote(new, program_)
        else:
            getattr(names, what)(old, new, program_)
    names.wrote("/last", 3)

    assert names.writers()["last"] == [3, None]


def test_a_folder_takes_along_what_lies_in_it_and_a_swap_goes_both_ways():
    names = Names()
    names.wrote("/a/x", 1)
    names.wrote("/b", 2)
    names.moved("/a", "/c", 3)
    assert names.writers() == {"b": [2, None], "c": [None, 3], "c/x": [1, None]}
    names.swapped("/b", "/c", 4)
    assert names.writers() == {"b": [None, 4], "b/x": [1, None], "c": [2, 4]}


def test_what_is_written_after_a_move_lies_where_it_is_written():
    names = Names()
    names.wrote("/a/x/one", 1)
    names.moved("/a", "/c", 3)
    names.wrote("/a/x/two", 1)
    names.wrote("/c/x/three", 2)
    names.swapped("/a", "/c", 4)
    names.wrote("/c/x/four", 5)

    writers = {path: who for path, (who, _) in names.writers().items() if who is not None}
    assert writers == {"a/x/one": 1, "a/x/three": 2, "c/x/two": 1, "c/x/four": 5}


@given(st.binary(max_size=300), st.integers(0, 255))
def test_a_malformed_program_is_told_as_something_and_never_fails(data: bytes, cut: int):
    for head in (data, b"\x7fELF\2\1" + data, Path("/bin/true").read_bytes()[:cut] + data):
        assert isinstance(program.parse(head), program.Kind)


def test_programs_are_told_apart():
    assert program.parse(Path(sys.executable).resolve().read_bytes()[:4096]).glibc
    busybox = shutil.which("busybox")
    assert busybox is not None
    kind = program.parse(Path(busybox).read_bytes()[:4096])
    assert (kind.native, kind.glibc, kind.go) == (True, False, False)
    assert not program.parse(b"#!/bin/sh").native


def run_filter(filter_: bytes, number: int, *args: int, arch: int = 0xC000003E) -> int:
    """Run a filter's words as the kernel does (bpf(4)), on one call."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *args, *[0] * (6 - len(args)))
    words = list(struct.iter_unpack("<HBBI", filter_))
    at = value = 0
    while True:
        code, true, false, k = words[at]
        at += 1
        if code == 0x06:
            return int(k)
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, k)
        elif code == 0x54:
            value &= k
        else:
            at += true if (value == k if code == 0x15 else value & k) else false


@pytest.mark.parametrize(
    ("number", "args", "stops"),
    [
        (seccomp.OPENAT, (0, 0, os.O_RDONLY | os.O_CLOEXEC), False),
        (seccomp.OPENAT, (0, 0, os.O_WRONLY), True),
        (seccomp.OPENAT, (0, 0, os.O_RDONLY | os.O_CREAT), True),
        (seccomp.OPENAT, (0, 0, os.O_DIRECTORY), True),
        (seccomp.OPEN, (0, os.O_RDWR), True),
        (seccomp.OPEN, (0, 0), False),
        (seccomp.CLOCK_GETTIME, (0,), True),
        (seccomp.CLOCK_GETTIME, (1,), False),
        (seccomp.CLOCK_GETTIME, (5,), True),
        (seccomp.CLOCK_NANOSLEEP, (0, 0), False),
        (seccomp.CLOCK_NANOSLEEP, (0, 1), True),
        (seccomp.FUTEX, (0, 9 | 128), False),
        (seccomp.FUTEX, (0, 9 | 128 | 256), True),
        (seccomp.FUTEX, (0, 6 | 128), True),
        (seccomp.CLONE, (0x11,), False),
        (seccomp.CLONE, (0x11 | seccomp.CLONE_UNTRACED,), True),
        (seccomp.RENAME, (), True),
        (0, (), False),
        (1, (), False),
    ],
)
def test_the_filter_stops_what_it_means_to_and_nothing_else(
    number: int, args: tuple[int, ...], stops: bool
):
    filter_ = seccomp.program((*seccomp.CLOCK, *seccomp.PROVENANCE))

    assert run_filter(filter_, number, *args) == (0x7FF00000 if stops else 0x7FFF0000)
    assert run_filter(filter_, number, *args, arch=0x40000003) == 0x7FFF0000


@needs_tracing
def test_a_tracee_of_somebody_else_is_left_alone_and_the_reason_is_told(traced: Tracing):
    """A process has one tracer: under another one (gdb, strace) the step runs untraced."""
    inner = LAUNCH.replace("assert reason is None, reason", "print(reason, flush=True)")
    words = [ATTACH.parent.parent.parent, "", traced.folder / "in", traced.folder / "un", "true"]
    command = [sys.executable, "-I", "-S", "-B", "-c", inner, *words]
    seen = traced(*command)

    assert "the tracer did not start" in seen.text
    assert seen.status == 0


def test_supported_says_the_word_size():
    assert ptrace.supported() == (os.uname().machine == "x86_64")


#: A program of i386 that ends with the status 7: an ELF header, a segment, and _exit(7).
I386 = (
    b"\x7fELF\1\1\1".ljust(16, b"\0")
    + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    + struct.pack("<IIIIIIII", 1, 0, 0x8048000, 0x8048000, 96, 96, 5, 4096)
    + b"\xb8\1\0\0\0\xbb\7\0\0\0\xcd\x80"
)


def kept_clocks(traced: Tracing, *argv: str | Path, offset: int | None = OFFSET) -> list[str]:
    told = traced.folder / "unmoved"
    told.write_text("")
    assert traced(*argv, offset=offset, record=False, unmoved=str(told)).status == 7
    return told.read_text().splitlines()


@needs_tracing
def test_a_program_of_another_word_size_keeps_its_clock_and_that_is_told(traced: Tracing):
    foreign = traced.folder / "foreign"
    foreign.write_bytes(I386)
    foreign.chmod(0o755)
    if subprocess.run(["sh", "-c", str(foreign)], capture_output=True).returncode != 7:
        pytest.skip("this kernel runs no 32-bit programs")

    (line,) = kept_clocks(traced, "sh", "-c", f"{foreign}; {foreign}")
    assert "word size" in line
    assert kept_clocks(traced, foreign, offset=None) == []  # nothing was to be moved
    assert kept_clocks(traced, "sh", "-c", "exit 7") == []


# In a build.


def built_image(folder: Path, containerfile: str, *, traced: bool) -> BuildRun:
    context = folder / "context"
    context.mkdir()
    (context / "Containerfile").write_text(containerfile, "utf-8")
    plan = make_plan(audit.this_machine("tracer", 1_700_000_000), vary=("time",), hold=(), builds=2)
    builder = BUILDERS.load("buildah")
    request = BuildRequest(
        context=context,
        containerfile=context / "Containerfile",
        target=None,
        build_args=(),
        secrets=(),
        timestamp=1_700_000_000,
    )
    with scratch() as home:
        (home / "shared").mkdir()
        prepared = builder.prepare(request, [live.GOLDEN], home / "shared", 1)
        run = replace(plan.runs[1], traced=traced)
        done = builder.build(
            prepared, run, edits(run, plan.machine), home / "run", print, lambda: None
        )
        assert done.outcome is Outcome.BUILT, done.failure
        assert done.blobs is not None
        # The blobs alone: beside them lies a sparse disk.
        shutil.copytree(Path(done.blobs) / "blobs", folder / "image" / "blobs")
        return done


STEPS = """
RUN date +%Y > /srv/year && env -i date +%Y >> /srv/year
RUN grep TracerPid /proc/self/status > /srv/pid
RUN mkdir /srv/app && cd /srv/app && perl -e 'open F, ">", "made"; print F rand' && mv made kept
RUN sleep 60 >/dev/null 2>&1 & echo x > /srv/left
"""


@pytest.mark.live
@needs_tracing
@pytest.mark.parametrize("traced", [False, True])
def test_in_a_build_the_clock_moves_once_and_each_step_has_its_own_record(
    traced: bool, tmp_path: Path, golden_storage: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    for name, value in golden_storage.items():
        monkeypatch.setenv(name, value)
    run = built_image(tmp_path, f"FROM {live.GOLDEN}{STEPS}", traced=traced)
    files = live.files(tmp_path / "image")

    there = int(dict(run.readings[1])["epoch"])
    year_ = time.strftime("%Y", time.gmtime(there))
    assert files["srv/year"].decode().split() == [year_] * 2
    assert int(dict(run.readings[1])["static-epoch"]) - there in range(3)
    assert files["srv/pid"].decode().split() == ["TracerPid:", "0"]
    assert [step.untraced for step in run.steps] == [None] * 4
    assert run.unmoved == ()
    if not traced:
        assert [step.trace for step in run.steps] == [None] * 4
        return
    traces = [step.trace for step in run.steps if step.trace is not None]
    assert [trace.faults for trace in traces] == [()] * 4
    writer = traces[2].writers["srv/app/kept"]
    assert writer.wrote is not None
    assert traces[2].programs[writer.wrote].argv[0] == "perl"
    assert traces[2].programs[writer.named or 0].argv == ("mv", "made", "kept")
    assert traces[2].programs[writer.named or 0].cwd == "/srv/app"
    assert "srv/left" in traces[3].writers
    assert not [path for trace in traces for path in trace.writers if "repaudit" in path]
