"""What the tracer saw of one build step: its programs, who wrote which path, what each read.

A program is one execve(2) of one process. Its forks count for it until they execute another.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Input(Struct, frozen=True, kw_only=True):
    """Something that a program read and that need not be the same in two builds.

    `kind` is `clock`, `random` (`detail` is the number of bytes asked for, if known), `listing`
    (`detail` is the directory), `uname` (host name and kernel), `cpus`, `memory` or `file`
    (`detail` is the path: of a file that was asked for, or that the step wrote); `count` is how
    often.
    """

    kind: str
    detail: str
    count: int


class Program(Struct, frozen=True, kw_only=True):
    """One execve: the program that it came from (an index; None: the step's first), and its start.

    `executable` and `cwd` are paths in the image. `fed` are the programs that wrote into its pipes.
    """

    parent: int | None
    executable: str
    argv: tuple[str, ...]
    cwd: str
    inputs: tuple[Input, ...]
    fed: tuple[int, ...] = ()


class Writer(Struct, frozen=True, kw_only=True):
    """Who wrote a path: the program that opened it for writing last, and the one that named it.

    Both are indices into the programs. `wrote` is None for a file that was there before the step;
    `named` is the program that moved or linked it here, None if the name is the one written to.
    """

    wrote: int | None
    named: int | None


class Trace(Struct, frozen=True, kw_only=True):
    """The record of one step.

    `writers` goes by path as layers have it, without a leading slash. It holds every path that a
    program set out to write, also such as were removed again. `cut` names what reached its bound
    ("programs", "names", "arguments", "inputs") and is not complete; `faults` are the tracer's own.
    """

    programs: tuple[Program, ...]
    writers: Mapping[str, Writer]
    cut: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
