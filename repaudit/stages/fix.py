"""The remedy of each finding as an edit of the Containerfile, where one is known and safe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from repaudit import containerfile as cf
from repaudit.containerfile.edit import Splice, clash, insert_before, sound, splice, unified
from repaudit.containerfile.shell import script
from repaudit.forensics import fix_of
from repaudit.model.finding import Finding, Fix, Instruction
from repaudit.stages.mend import NO_SHELL, NOTHING, NoEditError, Step

_NO_PLACE = "no step is known to have written it"
_CLASH = "the fix of another finding changes the same words"


class Proposal(Struct, frozen=True, kw_only=True):
    """The edits of one finding: splices, and steps before which an argument must be declared."""

    finding: str
    splices: tuple[Splice, ...]
    declared: tuple[tuple[int, cf.Statement, str], ...]


class Fixes(Struct, frozen=True, kw_only=True):
    """What is proposed for one Containerfile, finding by finding, and what is not, with reasons."""

    file: cf.Containerfile
    proposals: tuple[Proposal, ...]
    refused: Mapping[str, str]

    def edited(self, some: Iterable[Proposal] | None = None) -> bytes:
        """Return the file with these proposals made, all of them if none are named."""
        return _edited(self.file, self.proposals if some is None else tuple(some))

    def touching(self, run: int, some: Sequence[Proposal]) -> list[Proposal]:
        """Return those of the proposals that change the text of the n-th RUN."""
        return [proposal for proposal in some if run in _touched(self.file, proposal)]

    def begins(self, proposal: Proposal) -> int:
        """Return the first byte of the file that a proposal changes."""
        return min(one.start for one in _splices(self.file, [proposal]))

    def shown_in(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Return the findings, each with its fix."""
        known = {proposal.finding: proposal for proposal in self.proposals}
        return tuple(self._with_fix(finding, known.get(finding.id)) for finding in findings)

    def _with_fix(self, finding: Finding, proposal: Proposal | None) -> Finding:
        if proposal is None:
            reason = self.refused.get(finding.id)
            fix = Fix(edit=None, line=None, reason=reason) if reason else None
            return replace(finding, fix=fix)
        diff = unified(self.file.data, self.edited([proposal]), self.file.name)
        line = self.file.data.count(b"\n", 0, self.begins(proposal)) + 1
        edit = diff.decode("utf-8", "surrogateescape")
        return replace(finding, fix=Fix(edit=edit, line=line))


def propose(file: cf.Containerfile, findings: Sequence[Finding]) -> Fixes:
    """Return the edits for all findings that have one; the first of two that clash is kept."""
    proposals: list[Proposal] = []
    refused: dict[str, str] = {}
    for finding in findings:
        if not fix_of(finding.cause.slug):
            continue
        try:
            proposal = _proposal(file, finding)
            _check(file, [*proposals, proposal])
        except NoEditError as error:
            refused[finding.id] = str(error)
        else:
            proposals.append(proposal)
    return Fixes(file=file, proposals=tuple(proposals), refused=refused)


def _check(file: cf.Containerfile, proposals: Sequence[Proposal]) -> None:
    """Refuse edits after which the file would say something else than meant."""
    splices = _splices(file, proposals)
    if clash(splices):
        raise NoEditError(_CLASH)
    inserted = len(_declarations(file, proposals))
    after = splice(file.data, splices)
    if not sound(file, after, inserted):
        raise NoEditError(NO_SHELL)
    edited = cf.parse(after, name=file.name)
    steps = runs(edited)
    if any(script(edited, steps[at]) is None for at in _touched(file, proposals[-1])):
        raise NoEditError(NO_SHELL)


def runs(file: cf.Containerfile) -> list[cf.Statement]:
    """Return the RUN statements; no edit adds one or takes one away."""
    return [statement for statement in file.statements if statement.keyword == "RUN"]


def _touched(file: cf.Containerfile, proposal: Proposal) -> list[int]:
    return [
        number
        for number, statement in enumerate(runs(file))
        if any(statement.start <= one.start <= statement.end for one in proposal.splices)
    ]


def _edited(file: cf.Containerfile, proposals: Sequence[Proposal]) -> bytes:
    return splice(file.data, _splices(file, proposals))


def _splices(file: cf.Containerfile, proposals: Sequence[Proposal]) -> list[Splice]:
    return [
        *_declarations(file, proposals),
        *(one for proposal in proposals for one in proposal.splices),
    ]


def _declarations(file: cf.Containerfile, proposals: Sequence[Proposal]) -> list[Splice]:
    """Return one line for each argument and stage, before the first step that needs it."""
    first: dict[tuple[int, str], cf.Statement] = {}
    for stage, statement, name in (d for proposal in proposals for d in proposal.declared):
        known = first.setdefault((stage, name), statement)
        first[stage, name] = min(known, statement, key=lambda s: s.start)
    return [insert_before(file, one, f"ARG {name}") for (_, name), one in first.items()]


def _proposal(file: cf.Containerfile, finding: Finding) -> Proposal:
    places = list(_places(file, finding))
    if not places:
        raise NoEditError(_NO_PLACE)
    splices: list[Splice] = []
    declared: list[tuple[int, cf.Statement, str]] = []
    reasons = [NOTHING]
    for stage, statement in places:
        step = Step(file, stage, statement, finding)
        try:
            found = list(step.splices())
        except NoEditError as error:
            reasons.append(str(error))
            continue
        splices += found
        declared += step.declared(found)
    if not splices and not declared:
        raise NoEditError(reasons[-1])
    return Proposal(finding=finding.id, splices=tuple(splices), declared=tuple(declared))


def _places(file: cf.Containerfile, finding: Finding) -> Iterator[tuple[cf.Stage, cf.Statement]]:
    """Yield the steps that the fix of a finding belongs to.

    For what was copied from an earlier stage these are its steps that name the file.
    """
    if finding.instruction is None:
        return
    stages = file.stages()
    for stage, statement in _found(stages, finding.instruction):
        if statement.keyword == "RUN":
            yield stage, statement
        elif statement.keyword == "COPY":
            for origin in _origins(file, statement, finding):
                name = PurePosixPath(origin.path).name
                for below in file.chain(str(origin.stage.index)):
                    for step in below.statements:
                        if step.keyword == "RUN" and name in step.arguments:
                            yield below, step


def _origins(
    file: cf.Containerfile, statement: cf.Statement, finding: Finding
) -> dict[cf.Origin, None]:
    paths = dict.fromkeys(difference.path for difference in finding.differences)
    return dict.fromkeys(o for path in paths for o in cf.origins(file, statement.line, path))


def _found(
    stages: Sequence[cf.Stage], instruction: Instruction
) -> list[tuple[cf.Stage, cf.Statement]]:
    """Return the statement that says what `instruction` says, the nearest if there are several."""
    same = [
        (stage, statement)
        for stage in stages
        if stage.label == instruction.stage
        for statement in stage.statements
        if statement.text.startswith(instruction.text)
    ]
    return sorted(same, key=lambda pair: abs(pair[1].line - instruction.line))[:1]
