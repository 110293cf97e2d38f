"""A Containerfile as a whole: its stages, and the images that it takes from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from repaudit.containerfile.statement import Statement
from repaudit.containerfile.variables import Scope, expand, platform
from repaudit.model.errors import UsageError

_NOTHING: Mapping[str, str] = MappingProxyType({})
#: A reference that lost its name or tag to a variable without a value is none.
_REFERENCE = re.compile(r"[^\s:@/$](?:\S*[^\s:@/])?")


class Stage(Struct, frozen=True, kw_only=True):
    """One stage: the FROM that opens it, and the statements below.

    `base` is the reference as written, `image` the same with its variables replaced, or None where
    that leaves no reference. `parent` is the earlier stage that it stands on, if it does.
    """

    index: int
    name: str | None
    opening: Statement
    statements: tuple[Statement, ...]
    base: str
    image: str | None
    parent: int | None

    @property
    def label(self) -> str:
        """The name, or else the index."""
        return self.name or str(self.index)


class Containerfile(Struct, frozen=True, kw_only=True):
    """A Containerfile, read. `name` is what errors call it; spans point into `data`."""

    name: str
    data: bytes
    escape: str
    directives: tuple[tuple[str, str], ...]
    statements: tuple[Statement, ...]

    def stages(
        self, build_args: Mapping[str, str] = _NOTHING, architecture: str = "amd64"
    ) -> tuple[Stage, ...]:
        """Return the stages in order, their bases expanded as the build arguments say."""
        opens = [i for i, s in enumerate(self.statements) if s.keyword == "FROM"]
        values = self._globals(build_args, architecture)
        found: list[Stage] = []
        for start, end in zip(opens, [*opens[1:], len(self.statements)], strict=True):
            opening = self.statements[start]
            base, *named = opening.arguments.split()
            image = _reference(base, values, self.escape)
            found.append(
                Stage(
                    index=len(found),
                    name=named[1] if named else None,
                    opening=opening,
                    statements=self.statements[start + 1 : end],
                    base=base,
                    image=image,
                    parent=_earlier(image, found),
                )
            )
        return tuple(found)

    def stage(
        self,
        target: str | None,
        build_args: Mapping[str, str] = _NOTHING,
        architecture: str = "amd64",
    ) -> Stage:
        """Return the stage called `target`, by name or index; the last one for None.

        Names are matched without regard to case, as BuildKit does; buildah wants the exact name.

        Raises:
            UsageError: there is no such stage.

        """
        stages = self.stages(build_args, architecture)
        if target is None:
            return stages[-1]
        exact = [stage for stage in stages if stage.name == target]
        index = _earlier(target, stages)
        if not exact and index is None:
            names = ", ".join(stage.label for stage in stages)
            raise UsageError(f"{self.name} has no stage {target!r}", hint=f"its stages: {names}")
        return exact[-1] if exact or index is None else stages[index]

    def chain(
        self,
        target: str | None,
        build_args: Mapping[str, str] = _NOTHING,
        architecture: str = "amd64",
    ) -> tuple[Stage, ...]:
        """Return the target stage and the stages that it stands on, the lowest one first.

        Raises:
            UsageError: there is no such stage.

        """
        stages = self.stages(build_args, architecture)
        stage = self.stage(target, build_args, architecture)
        return (*_below(stage, stages), stage)

    def external_images(
        self,
        build_args: Mapping[str, str] = _NOTHING,
        target: str | None = None,
        architecture: str = "amd64",
    ) -> tuple[str, ...]:
        """Return every image that a build up to `target` takes from outside, as first met.

        That is FROM, COPY and ADD `--from`, and RUN `--mount=…,from=`, in all stages up to the
        target, since buildah builds each of them. A reference that hangs on a variable whose value
        is not known here (the base image's environment, say) is left out.

        Raises:
            UsageError: there is no such stage.

        """
        last = self.stage(target, build_args, architecture).index
        stages = self.stages(build_args, architecture)
        found: dict[str, None] = {}
        for stage in stages[: last + 1]:
            if stage.image and stage.parent is None and stage.image != "scratch":
                found[stage.image] = None
            for statement, scope in self.walk(stage, build_args, architecture):
                for image in (scope.resolve(raw) for raw in sources(statement)):
                    if image and outside(image, stages[: stage.index]):
                        found[image] = None
        return tuple(found)

    def walk_all(
        self, build_args: Mapping[str, str] = _NOTHING, architecture: str = "amd64"
    ) -> Iterator[tuple[Stage, Statement, Scope]]:
        """Yield every statement from the first FROM on, with its stage and the variables behind it.

        It goes over the file once, whatever the number of stages.
        """
        outer = self._globals(build_args, architecture)
        environments: list[dict[str, str]] = []
        for stage in self.stages(build_args, architecture):
            inherited = {} if stage.parent is None else environments[stage.parent]
            scope = Scope(inherited, outer=outer, given=build_args, escape=self.escape)
            for statement in (stage.opening, *stage.statements):
                scope.read(statement)
                yield stage, statement, scope
            environments.append(scope.environment)

    def walk(
        self, stage: Stage, build_args: Mapping[str, str] = _NOTHING, architecture: str = "amd64"
    ) -> Iterator[tuple[Statement, Scope]]:
        """Yield the statements of a stage, each with the variables in force behind it."""
        stages = self.stages(build_args, architecture)
        outer = self._globals(build_args, architecture)
        environment: dict[str, str] = {}
        for one in (*_below(stage, stages), stage):
            scope = Scope(environment, outer=outer, given=build_args, escape=self.escape)
            for statement in one.statements:
                scope.read(statement)
                if one.index == stage.index:
                    yield statement, scope
            environment = scope.environment

    def earlier(
        self,
        name: str | None,
        stage: Stage,
        build_args: Mapping[str, str] = _NOTHING,
        architecture: str = "amd64",
    ) -> Stage | None:
        """Return the stage before `stage` that `--from=name` means there, None where none is."""
        stages = self.stages(build_args, architecture)[: stage.index]
        index = _earlier(name, stages)
        return None if index is None else stages[index]

    def separable(
        self, build_args: Mapping[str, str] = _NOTHING, target: str | None = None
    ) -> bool:
        """Whether a step is known by its words, and does all that it does in its own layer.

        Then a builder that takes the layer over leaves out this step, and no other. It is not so
        where a mount brings in what stands in no layer below, or hands it on. Steps of the same
        words could be taken for each other.

        Raises:
            UsageError: there is no such stage.

        """
        last = self.stage(target, build_args).index
        stages = self.stages(build_args)[: last + 1]
        steps = [s for stage in stages for s in stage.statements if s.keyword == "RUN"]
        mounts = [value for step in steps for name, value in step.flags if name == "mount"]
        options = [option.strip() for mount in mounts for option in mount.split(",")]
        if any(one == "type=cache" or one.startswith("from=") for one in options):
            return False
        return len({tuple(step.arguments.split()) for step in steps}) == len(steps)

    def declares_argument(self, name: str) -> bool:
        """Say whether any stage has `ARG name`, and so sees what `--build-arg` gives."""
        begun = False
        for statement in self.statements:
            begun |= statement.keyword == "FROM"
            if begun and statement.keyword == "ARG":
                words = statement.arguments.split()
                if name in (word.partition("=")[0] for word in words):
                    return True
        return False

    def _globals(self, build_args: Mapping[str, str], architecture: str) -> dict[str, str]:
        known = platform(architecture)
        scope = Scope({}, outer=known, given=build_args, escape=self.escape, closed=True)
        for statement in self.statements:
            if statement.keyword == "FROM":
                break
            scope.read(statement)
        return known | scope.values


def _below(stage: Stage, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Return the stages that a stage stands on, the lowest one first."""
    found: list[Stage] = []
    while stage.parent is not None:
        stage = stages[stage.parent]
        found.insert(0, stage)
    return tuple(found)


def _reference(base: str, values: Mapping[str, str], escape: str) -> str | None:
    expansion = expand(base, values, escape)
    whole = expansion.understood and _REFERENCE.fullmatch(expansion.text)
    return expansion.text if whole else None


def _earlier(name: str | None, stages: list[Stage] | tuple[Stage, ...]) -> int | None:
    """Return the index of the stage that `name` means, the latest of that name, or None."""
    for stage in reversed(stages):
        if name and stage.name and stage.name.lower() == name.lower():
            return stage.index
    if name and re.fullmatch("[0-9]{1,4}", name) and int(name) < len(stages):
        return int(name)
    return None


def outside(image: str, earlier: tuple[Stage, ...]) -> bool:
    """Say whether `image` is no stage but an image that comes from elsewhere."""
    return (
        _earlier(image, earlier) is None
        and image != "scratch"
        and not re.fullmatch("[0-9]+", image)
    )


def sources(statement: Statement) -> Iterator[str]:
    """Yield what a statement takes files from, as written: a stage or an image."""
    for name, value in statement.flags:
        if name == "from" and statement.keyword in ("ADD", "COPY"):
            yield value
        elif name == "mount" and statement.keyword == "RUN":
            for option in value.split(","):
                key, _, source = option.strip().partition("=")
                if key == "from":
                    yield source
