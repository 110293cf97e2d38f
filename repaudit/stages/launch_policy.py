"""Judge an image's launch policy by the rules of Confidential Space's launcher.

The labels `tee.launch_policy.*` say what whoever starts the image may change (go-tpm-tools,
launcher/spec/launch_policy.go). The launcher passes over a label that it does not know, so a typing
error goes unnoticed; a value that it cannot read keeps the image from starting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum

from msgspec import Struct

PREFIX = "tee.launch_policy."
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})  # Go's strconv.ParseBool
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_WHEN = frozenset({"always", "debugonly", "never"})
_MONITORED = frozenset({"none", "memoryonly", "all"})
_OLD, _NEW = "monitoring_memory_allow", ("hardened_monitoring", "debug_monitoring")
#: Variables by which whoever sets them chooses code that runs in the container.
_LOADERS = frozenset(
    {"BASH_ENV", "CLASSPATH", "ENV", "GCONV_PATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"}
    | {"NODE_OPTIONS", "NODE_PATH", "PATH"}
    | {"PERL5LIB", "PERL5OPT", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "RUBYLIB", "RUBYOPT"}
    | {"_JAVA_OPTIONS"}
)


class Severity(StrEnum):
    """`error`: it does not start, or the digest no longer says what runs. A note is no fault."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Remark(Struct, frozen=True, kw_only=True):
    """What is to be said of one label."""

    severity: Severity
    label: str
    message: str


def judge(labels: Mapping[str, str]) -> tuple[Remark, ...]:
    """Return what is to be said of the launch policy in `labels`, in the labels' order by name."""
    own = {k.removeprefix(PREFIX): v for k, v in labels.items() if k.startswith(PREFIX)}
    return tuple(_remarks(own))


def allowed_environment(labels: Mapping[str, str]) -> frozenset[str]:
    """Return the variables that whoever starts the image may set."""
    return frozenset(filter(None, labels.get(PREFIX + "allow_env_override", "").split(",")))


def _remarks(own: Mapping[str, str]) -> Iterator[Remark]:
    for name in sorted(own):
        rule = _RULES.get(name)
        if rule is None:
            near = get_close_matches(name, _RULES, 1)
            meant = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            yield _remark(Severity.ERROR, name, f"the launcher passes over this label{meant}")
            continue
        yield from (_remark(severity, name, message) for severity, message in rule(own[name]))
    if _OLD in own and any(name in own for name in _NEW):
        yield _remark(Severity.ERROR, _OLD, "the launcher refuses it beside the two newer labels")


def _remark(severity: Severity, name: str, message: str) -> Remark:
    return Remark(severity=severity, label=PREFIX + name, message=message)


_Said = Iterator[tuple[Severity, str]]


def _switch(severity: Severity, allowed: str) -> Callable[[str], _Said]:
    def rule(value: str) -> _Said:
        if value not in _TRUE | _FALSE:
            yield Severity.ERROR, f"{value!r} is no boolean: the launcher refuses to start it"
        elif value in _TRUE:
            yield severity, allowed

    return rule


def _environment(value: str) -> _Said:
    for name in filter(None, value.split(",")):
        if name in _LOADERS or name.startswith("LD_"):
            yield Severity.ERROR, f"who starts it may set {name}, and so choose code that runs"
        elif name != name.strip():
            yield Severity.ERROR, f"{name!r} has spaces, so the launcher allows no such variable"
        else:
            yield Severity.NOTE, f"who starts it may set {name}"


def _mounts(value: str) -> _Said:
    for path in filter(None, value.split(":")):
        if not path.startswith("/"):
            yield Severity.ERROR, f"{path!r} is not absolute: the launcher refuses every mount"
        elif path.strip("/") in {"", "bin", "etc", "lib", "lib64", "opt", "sbin", "usr"}:
            yield Severity.ERROR, f"who starts it may mount over the code in {path}"
        else:
            yield Severity.NOTE, f"who starts it may mount at {path} and below"


def _when(value: str) -> _Said:
    word = value.lower().strip()
    if word not in _WHEN:
        yield Severity.ERROR, f"{value!r} is none of {', '.join(sorted(_WHEN))}: it does not start"
    elif word == "always":
        yield Severity.WARNING, "what it prints leaves the trusted environment"


def _old_monitoring(value: str) -> _Said:
    if value.lower().strip() not in _WHEN:
        yield Severity.ERROR, f"{value!r} is none of {', '.join(sorted(_WHEN))}: it does not start"
    yield Severity.NOTE, f"deprecated; write {PREFIX}{_NEW[0]} and {PREFIX}{_NEW[1]}"


def _monitoring(value: str) -> _Said:
    if value.lower() not in _MONITORED:
        yield Severity.ERROR, f"{value!r} is none of none, memoryOnly, all: it does not start"
    elif value.lower() != "none":
        yield Severity.NOTE, "use of memory, and with `all` more, is shown outside"


_RULES: dict[str, Callable[[str], _Said]] = {
    "allow_capabilities": _switch(Severity.ERROR, "who starts it may add Linux capabilities"),
    "allow_cgroups": _switch(Severity.WARNING, "the container sees a cgroup file system"),
    "allow_cmd_override": _switch(
        Severity.ERROR, "who starts it may change the command: the digest no longer says what runs"
    ),
    "allow_env_override": _environment,
    "allow_mount_destinations": _mounts,
    "debug_monitoring": _monitoring,
    "hardened_monitoring": _monitoring,
    "log_redirect": _when,
    _OLD: _old_monitoring,
}
