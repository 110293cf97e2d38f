"""Bring levels about in a bundle's config.json (runtime-spec config.md). Pure functions."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

HELPERS = "/dev/.repaudit"
#: The slots that the builder has seen to when the run started.
_AT_START = "run:"
#: The slot that asks the tracer to move the clock of programs that no preload reaches.
CLOCK = "exec:clock"
#: The file systems whose files are the kernel's, in whatever image.
_KERNELS = {"proc", "sysfs"}


class Change(NamedTuple):
    """An Edit as the run's plan holds it (see model.experiment.Edit for the meaning)."""

    slot: str
    value: str
    unless: Sequence[str]
    needs: str | None


class Facts(NamedTuple):
    """What the edits ask about the bundle: has(need) and where the helpers and the root lie."""

    has: Callable[[str], bool]
    home: str | None
    home_source: str | None
    helpers: str


class Edited(NamedTuple):
    """The new config, the CPUs to run on, the personality flags, and the factors refused.

    `clock` asks the tracer to move the clock. `traced` are the factors that are in force by the
    tracer alone, and why the rest of them is not: where there is no tracer, they are refused.
    """

    config: dict[str, Any]
    cpus: tuple[int, ...]
    personality: tuple[str, ...]
    refused: dict[str, str]
    clock: bool = False
    traced: dict[str, str] = {}  # noqa: RUF012 - never changed, a new one takes its place


def apply(
    config: Mapping[str, Any], factors: Mapping[str, Sequence[Change]], facts: Facts
) -> Edited:
    """Return `config` with every factor's changes, and why a factor could not be applied.

    A factor is applied whole or not at all, but that the tracer needs nothing of the image: what it
    does stands alone. What the image sets itself stays: a variable in the step's environment that
    the builder did not make is the Containerfile's own choice.
    """
    new = copy.deepcopy(dict(config))
    process = new.setdefault("process", {})
    env = dict(item.partition("=")[::2] for item in process.get("env", ()))
    own = {n for n, v in env.items() if not (n == "HOSTNAME" and v == config.get("hostname"))}
    result = Edited(new, (), (), {})
    new.setdefault("mounts", []).append(bind(HELPERS, facts.helpers, writable=False))
    for factor, changes in factors.items():
        reason = _refusal(changes, own, facts)
        possible = changes
        if reason is not None:
            possible = [change for change in changes if change.slot == CLOCK]
            if not possible or _refusal(possible, own, facts) is not None:
                result.refused[factor] = reason
                continue
            result = result._replace(traced={**result.traced, factor: reason})
        for change in possible:
            result = _one(result, change, env, own, facts)
    process["env"] = [f"{name}={value}" for name, value in env.items()]
    return result


def _refusal(changes: Sequence[Change], own: set[str], facts: Facts) -> str | None:
    for change in changes:
        for pattern in change.unless:
            set_by_image = fnmatch.filter(sorted(own), pattern)
            if set_by_image:
                return f"the image sets {set_by_image[0]} itself"
        if change.needs == "home" and facts.home is None:
            return "the step's user has no home directory in the image"
        if change.needs not in {None, "home"} and not facts.has(str(change.needs)):
            return f"the image has no glibc with {change.needs} (static, musl, or older)"
    return None


def _one(
    result: Edited, change: Change, env: dict[str, str], own: set[str], facts: Facts
) -> Edited:
    place, _, name = change.slot.lstrip("/").partition("/")
    if place == "exec:affinity":
        return result._replace(cpus=tuple(map(int, change.value.split(","))))
    if change.slot == CLOCK:
        return result._replace(clock=change.value == "on")
    if place == "exec:personality":
        flags = (name,) if change.value == "on" else ()
        return result._replace(personality=result.personality + flags)
    if place == "process" and name.startswith("env/"):
        env.update({n: change.value for n in [name[4:]] if n not in own})
    elif not place.startswith(_AT_START):
        _write(result.config, change.slot, change.value, env, facts)
    return result


def _write(
    config: dict[str, Any], slot: str, value: str, env: dict[str, str], facts: Facts
) -> None:
    if slot == "/process/user/umask":
        config["process"].setdefault("user", {})["umask"] = int(value, 8)
    elif slot == "/hostname":
        config["hostname"] = value
    elif slot == "home:alias":
        if value and facts.home_source:
            config["mounts"].append(bind(value, facts.home_source, writable=True))
            env["HOME"] = value
    elif slot.startswith("/mounts/"):
        _mount(config, slot.removeprefix("/mounts"), value, facts)
    else:
        raise ValueError(f"no such slot: {slot}")


def _mount(config: dict[str, Any], destination: str, value: str, facts: Facts) -> None:
    """Mount below our own folder, over what the builder mounts, or in the kernel's file systems.

    Never elsewhere: a mount point that is not in the image yet would stay in it as an empty file.
    """
    if not value:
        return
    source = value if value.startswith("/") else f"{facts.helpers}/{value}"
    kernels = [f"{m['destination']}/" for m in config["mounts"] if m.get("type") in _KERNELS]
    if destination.startswith((HELPERS, *kernels)):
        config["mounts"].append(bind(destination, source, writable=False))
        return
    for mount in config["mounts"]:
        if mount["destination"] == destination:
            mount["source"] = source


def bind(destination: str, source: str, *, writable: bool) -> dict[str, Any]:
    """Return the bundle's entry for a bind mount."""
    options = ["rbind"] if writable else ["rbind", "ro"]
    return {"destination": destination, "type": "bind", "source": source, "options": options}
