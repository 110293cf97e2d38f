"""What the builder calls for `create` (buildah, podman, dockerd) and `run` (BuildKit).

Started as `python3 -I -S -B main.py PLAN VERB --bundle DIR … ID`: it edits the bundle, probes once
what a step sees, and hands over to the real runtime. Verbs that need no edit never come here. It
starts once for each step, so it imports the standard library's light half alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from repaudit.interposer import edit, rootfs

_FLAGS = {"UNAME26": "--uname-2.6", "ADDR_NO_RANDOMIZE": "--addr-no-randomize"}
_PATIENCE = 60
_PRELOAD = f"{edit.HELPERS}/libfaketime.so.1"
#: Run by a static busybox; date is the host's and so runs with the image's own C library.
_PROBE = """
cd /dev/.repaudit
echo "umask=$(umask)"
echo "hostname=$(./busybox hostname)"
echo "kernel=$(./busybox uname -r)"
echo "cpus=$(./busybox nproc)"
echo "/proc/cpuinfo=$(./busybox grep -c ^processor /proc/cpuinfo)"
echo "/proc/stat=$(./busybox grep -c '^cpu[0-9]' /proc/stat)"
for list in online possible present; do
  echo "/sys/devices/system/cpu/$list=$(./busybox cat /sys/devices/system/cpu/$list)"
done
echo "zone=$(./busybox date +%z)"
echo "home=$HOME"
echo "user=$USER"
echo "environment=$BUILD_ENVIRONMENT_CANARY"
one=$(./busybox grep stack /proc/self/maps); two=$(./busybox grep stack /proc/self/maps)
if [ "$one" = "$two" ]; then echo aslr=off; else echo aslr=on; fi
echo "epoch=$(./date +%s)"
echo "static-epoch=$(./busybox date +%s)"
echo "month=$(./date -u -d @0 +%B)"
"""


def main(plan_path: str, argv: list[str]) -> None:
    """Edit the bundle that `argv` names, and become the runtime."""
    with open(plan_path, encoding="utf-8") as file:
        plan = json.load(file)
    bundle = argv[argv.index("--bundle") + 1] if "--bundle" in argv else os.getcwd()
    path = os.path.join(bundle, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    root = os.path.join(bundle, config["root"]["path"])
    libc = rootfs.libc(root)
    edited = edit.apply(config, _factors(plan), _facts(plan, config, root, libc))
    if plan["planted"]:
        from repaudit.interposer import plant  # with ctypes, which not every step needs

        plant.mount(edited.config, plan["helpers"])
    edited.config.setdefault("linux", {})["cgroupsPath"] = f"/{plan['cgroup']}/{argv[-1]}"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(edited.config, file)
    os.sched_setaffinity(0, edited.cpus or os.sched_getaffinity(0))
    command = [*_personality(edited), plan["runtime"], "--root", plan["state"]]
    _probe(plan, edited, root, len(libc or b""), command)
    out = _trace_file(plan["traces"]) if plan["traces"] else None
    _record(plan, edited, out, _traced(plan, edited, out))
    os.execvp(command[0], [*command, *argv])  # noqa: S606 - to become the runtime is the point


def _factors(plan: dict[str, Any]) -> dict[str, list[edit.Change]]:
    return {name: [edit.Change(*c) for c in changes] for name, changes in plan["factors"].items()}


def _facts(
    plan: dict[str, Any], config: dict[str, Any], root: str, libc: bytes | None
) -> edit.Facts:
    home = rootfs.home(root, config["process"].get("user", {}).get("uid", 0))
    return edit.Facts(
        has=lambda symbol: symbol.encode() + b"\0" in (libc or b""),
        home=home,
        home_source=rootfs.resolve(root, home) if home else None,
        helpers=plan["helpers"],
    )


def _trace_file(folder: str) -> str:
    """Return a new, empty file for the step's record: they are numbered."""
    path = os.path.join(folder, f"{len(os.listdir(folder))}.json")
    with open(path, "x", encoding="utf-8"):
        return path


def _traced(plan: dict[str, Any], edited: edit.Edited, out: str | None) -> str | None:
    """Have this process traced, if something asks for that; return why it is not."""
    if not edited.clock and out is None:
        return None
    try:
        from repaudit.interposer import attach, tracer  # with ctypes, which not every step needs
    except ImportError as error:
        return f"the tracer did not start: {error}"

    offset = None
    if edited.clock:
        with open(os.path.join(plan["helpers"], "clock"), encoding="ascii") as file:
            offset = int(file.read())
    wish = tracer.Wish(
        offset=offset,
        preload=_PRELOAD,
        out=out,
        asked=frozenset(plan["asked"] if out else ()),
        planted=plan["planted"] and out is not None,
        unmoved=plan["unmoved"],
    )
    return attach.attach(wish)


def _record(
    plan: dict[str, Any], edited: edit.Edited, out: str | None, untraced: str | None
) -> None:
    """Write down what was done for the step."""
    alone = {} if untraced is None else edited.traced
    step = {
        "args": edited.config["process"].get("args", []),
        "refused": {**edited.refused, **alone},
        "trace": out and os.path.basename(out),
        "untraced": untraced,
    }
    with open(plan["steps"], "a", encoding="utf-8") as file:
        file.write(json.dumps(step) + "\n")


def _personality(edited: edit.Edited) -> list[str]:
    flags = [_FLAGS[name] for name in edited.personality]
    return ["setarch", *flags, "--"] if flags else []


def _probe(
    plan: dict[str, Any], edited: edit.Edited, root: str, libc_size: int, command: list[str]
) -> None:
    """Run the probe in a container like the step's, once for each kind of root and user."""
    uid = edited.config["process"].get("user", {}).get("uid", 0)
    refused = "-".join(sorted(edited.refused))
    folder = os.path.join(plan["readings"], f"{libc_size}-{uid}-{refused}")
    try:
        os.mkdir(folder)
    except FileExistsError:
        return
    config = dict(edited.config)
    config.pop("hooks", None)
    config["root"] = {"path": root, "readonly": False}
    config["linux"] = {**config["linux"], "cgroupsPath": f"/{plan['cgroup']}/probe"}
    config["process"] = {
        **config["process"],
        "args": [f"{edit.HELPERS}/busybox", "sh", "-c", _PROBE],
        "cwd": "/",
        "terminal": False,
    }
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    identity = f"probe-{os.getpid()}"
    with open(os.path.join(folder, "reading"), "wb") as out:
        argv = [*command, "run", "--bundle", folder, identity]
        if not _run(argv, out, lambda: _traced(plan, edited, None)):
            # It has seen nothing, and its factors are held.
            _run([*command, "delete", "--force", identity], out)


def _run(argv: list[str], out: BinaryIO, first: Callable[[], object] | None = None) -> bool:
    """Run a program, and say whether it ended; `first` is called in the process that will be it."""
    import subprocess  # a fifth of a start, and most steps run none

    try:
        subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_PATIENCE,
            preexec_fn=first,  # there is one thread
        )
    except subprocess.TimeoutExpired:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
