r"""Which instruction wrote which layer of an image, and which one a failing step is.

`buildah build --layers` (1.28) appends one history entry for each statement below FROM, in order,
through the whole chain of stages that the target stands on; FROM itself leaves none. Seen in
images that it built:

=================  ==========================================================  =====
statement          created_by                                                  layer
=================  ==========================================================  =====
RUN                `/bin/sh -c TEXT`, or `|2 A=1 B=2 /bin/sh -c TEXT` with     yes
                   arguments in force; TEXT is all behind the keyword, flags
                   and JSON form included, whatever SHELL says
COPY, ADD          `/bin/sh -c #(nop) COPY file:… in LAST `; LAST is the last  yes
                   word as written, variables and all
ARG                `/bin/sh -c #(nop) ARG A B`: all that are declared so far   no
any other          `/bin/sh -c #(nop) ` and the logical line                   no
=================  ==========================================================  =====

WORKDIR makes no layer: the folder that it creates is in the layer of the next RUN, COPY or ADD.
Triggers (ONBUILD) of a base in Docker format come as entries before the statements of its stage;
`--label` adds LABEL entries behind the last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from repaudit.containerfile.stages import Containerfile, Stage
from repaudit.containerfile.statement import Statement
from repaudit.model.finding import Instruction

_NOTHING: Mapping[str, str] = MappingProxyType({})
_LONGEST = 500
_SHELL = "/bin/sh -c "
_NOP = "/bin/sh -c #(nop) "
_ADDED = re.compile(r"/bin/sh -c #\(nop\) (ADD|COPY) (?:.* )?in (.*) ", re.DOTALL)
_STEP = re.compile(r"(?:\[(\d{1,4})/\d+\] )?STEP (\d{1,6})/(\d{1,6}): (.*?)\s*", re.DOTALL)
_LAYERED = frozenset({"ADD", "COPY", "RUN"})

_Pair = tuple[Statement, Stage]


def layer_instructions(
    containerfile: Containerfile,
    history: Sequence[Mapping[str, object]],
    base_history_length: int | None,
    *,
    target: str | None = None,
    build_args: Mapping[str, str] = _NOTHING,
    path: str,
    architecture: str = "amd64",
    layers: int | None = None,
) -> tuple[Instruction | None, ...]:
    """Return, for each layer of an image from the base up, the instruction that wrote it.

    `history` is that of the image's configuration, of which the first `base_history_length`
    entries come with the external base (None: not known). `layers` is the number of layers, where
    it is known. None stands for a layer of the base, and for each layer of which the entry does not
    say the same as the Containerfile: a squashed image, a trigger of the base, another builder.

    Raises:
        UsageError: there is no stage `target`.

    """
    chain = containerfile.chain(target, build_args, architecture)
    pairs = [(statement, stage) for stage in chain for statement in stage.statements]
    base = 0 if chain[0].image == "scratch" else base_history_length
    if base is None:
        start = len(history) - len(pairs)
        written = _backwards(history[start:], pairs) if start > 0 else {}
        # All or nothing: a squashed image ends like one in layers, in an entry for many statements.
        written = written if len(written) == len(pairs) else {}
    else:
        start = base
        written = _aligned(_without_labels(history[start:], pairs), pairs, chain[-1])
    if not all(_is_layer(entry) or _is_setting(entry) for entry in history[max(0, start) :]):
        written = {}
    solid = [at for at, entry in enumerate(history) if _is_layer(entry)]
    if layers is not None and layers != len(solid):
        return (None,) * layers
    return tuple(_pair(written.get(at - start), path) for at in solid)


def _without_labels(
    entries: Sequence[Mapping[str, object]], pairs: Sequence[_Pair]
) -> Sequence[Mapping[str, object]]:
    """Take off the LABEL entries that `--label` added behind the last statement."""
    while len(entries) > len(pairs) and _created_by(entries[-1]).startswith(_NOP + "LABEL "):
        entries = entries[:-1]
    return entries


def _aligned(
    entries: Sequence[Mapping[str, object]], pairs: Sequence[_Pair], last: Stage
) -> dict[int, _Pair]:
    """Return the statement behind each entry above the base, as far as the two say the same.

    Fewer entries than statements are not those of a build in layers. More of them hold triggers,
    which stand before the statements of a stage, so that those of the last stage are certain.
    """
    if len(entries) < len(pairs):
        return {}
    if len(entries) > len(pairs):
        return _backwards(entries, pairs[len(pairs) - len(last.statements) :])
    found = _backwards(entries, pairs)
    for at, pair in enumerate(pairs):
        if not _says(entries[at], pair[0]):
            break
        found[at] = pair
    return found


def _backwards(entries: Sequence[Mapping[str, object]], pairs: Sequence[_Pair]) -> dict[int, _Pair]:
    """Pair entries with statements from the last one down, up to the first that disagrees."""
    found: dict[int, _Pair] = {}
    for back in range(1, min(len(entries), len(pairs)) + 1):
        if not _says(entries[-back], pairs[-back][0]):
            break
        found[len(entries) - back] = pairs[-back]
    return found


def _created_by(entry: Mapping[str, object]) -> str:
    value = entry.get("created_by")
    return value if isinstance(value, str) else ""


def _is_layer(entry: Mapping[str, object]) -> bool:
    return not entry.get("empty_layer")


def _is_setting(entry: Mapping[str, object]) -> bool:
    """Say whether an entry is of a statement that writes no files.

    With `--layers=false`, RUN, COPY and ADD are marked as empty too, save for the last statement.
    """
    text = _created_by(entry)
    return text.startswith(_NOP) and not text.startswith((_NOP + "ADD ", _NOP + "COPY "))


def _says(entry: Mapping[str, object], statement: Statement) -> bool:
    """Say whether a history entry is the one that buildah writes for `statement`."""
    created, keyword = _created_by(entry), statement.keyword
    if _is_layer(entry) is not (keyword in _LAYERED):
        return False
    if keyword == "RUN":
        return _ran(created, statement)
    if keyword in ("ADD", "COPY"):
        added = _ADDED.fullmatch(created)
        return added is not None and added.groups() == (keyword, _destination(statement))
    if keyword == "ARG":
        return created.startswith(_NOP + "ARG ")
    return created.startswith(_NOP) and _same(created.removeprefix(_NOP), statement.text)


def _ran(created: str, statement: Statement) -> bool:
    """Compare a RUN; buildah counts the words of the arguments before the shell, not the names."""
    counted = re.match(r"\|(\d{1,5}) ", created)
    if counted:
        created = created.split(" ", int(counted[1]) + 1)[-1]
    text = statement.text[len("RUN") :]
    return created.startswith(_SHELL) and _same(created.removeprefix(_SHELL), text)


def _same(left: str, right: str) -> bool:
    return left.split() == right.split()


def _destination(statement: Statement) -> str:
    if statement.json:
        return statement.json[-1]
    return (statement.arguments.split() or [""])[-1]


def _pair(pair: _Pair | None, path: str) -> Instruction | None:
    return None if pair is None else instruction(*pair, path)


def instruction(statement: Statement, stage: Stage, path: str) -> Instruction:
    """Return a statement as findings show it; `path` is the file that it is said to be in."""
    return Instruction(
        file=path, line=statement.line, text=statement.text[:_LONGEST], stage=stage.label
    )


def find_step(
    containerfile: Containerfile, progress: str, *, path: str | None = None
) -> Instruction | None:
    """Return the instruction that a line of buildah's progress names, such as `STEP 3/7: RUN …`.

    With several stages the line begins with `[1/2]`. None where the Containerfile has another
    text there, as for a trigger (ONBUILD) or a label of the command line. `path` is the file that
    the instruction is said to be in; the Containerfile's name where it is left out.
    """
    match = _STEP.fullmatch(progress.strip())
    if match is None:
        return None
    stages = containerfile.stages()
    index, step, steps = int(match[1] or 1) - 1, int(match[2]), int(match[3])
    if not 0 <= index < len(stages):
        return None
    stage = stages[index]
    here = (stage.opening, *stage.statements)
    name = path if path is not None else containerfile.name
    extra = max(0, steps - len(here))
    if 1 < step <= extra + 1:
        return None  # it may be a trigger, which stands in another Containerfile
    places = {at for at in (step - 1, step - 1 - extra) if 0 <= at < len(here)}
    said = [here[at] for at in sorted(places) if _announced(match[4], here[at])]
    return instruction(said[0], stage, name) if len(said) == 1 else None


def _announced(text: str, statement: Statement) -> bool:
    if statement.keyword == "FROM":  # buildah puts an image ID for the name of a stage
        return text.upper().startswith("FROM ")
    return _same(text, statement.text)
