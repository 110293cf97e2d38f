"""Collect what a person signs off with a release: one value, from a kept run and its context.

Refused is what nobody may answer for: a difference that no rule allows, a verdict that is open, a
source that no commit holds, a published or released image that is another one.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from msgspec import Struct
from msgspec.structs import replace

from repaudit.containerfile.ignored import ignored_by_all
from repaudit.host import git
from repaudit.host.tree import open_tree
from repaudit.model.errors import RefusedError, UndecidedError, UsageError
from repaudit.model.history import Light
from repaudit.model.journal import Journal
from repaudit.model.sign_off import (
    Accepted,
    BuiltImage,
    DatedPins,
    PolicyRemark,
    SignOff,
    SourceState,
    Submodule,
)
from repaudit.predicates import Evidence
from repaudit.stages import launch_policy
from repaudit.stages.allow import Rules
from repaudit.stages.audited import describe
from repaudit.stages.dated import dated_bases, dated_pins
from repaudit.stages.gate import judge
from repaudit.stages.keep import load_journal, ours_below
from repaudit.stages.known_by import built_images, compare_published, released
from repaudit.stages.pins import audit_tree
from repaudit.stages.steady import rules_of

_AGAIN = "keep a run with: repaudit rebuild --output DIR"


class SignOffRequest(Struct, frozen=True, kw_only=True):
    """What `repaudit sign-off` is asked; each field means what its option says."""

    run: Path
    context: Path | None
    rules: Rules
    name: str | None
    image: str | None
    published: Path | None
    allow_dirty: bool
    signer: str | None


def run_at(run: Path) -> int:
    """Return when a kept run was made, in seconds since 1970; raise UsageError if it is unknown."""
    start = load_journal(run).start
    if start is None:
        raise UsageError(f"{run} has no journal of its run", hint=_AGAIN)
    return start


def collect(request: SignOffRequest, evidence: Evidence, folder: Path) -> SignOff:
    """Return what is signed off; `folder` is ours to fill.

    Raises RefusedError (1) or UndecidedError (3) where nobody may answer for this run.
    """
    journal, now = load_journal(request.run), run_at(request.run)
    report = evidence.report
    name = request.name or report.subject.context or "image"
    accepted = _accepted(name, evidence, request.rules)
    context = _context(request, journal)
    hidden = ours_below(context, (), (request.run, *(context / p for p in journal.hidden)))
    source = _source(context, hidden, journal, evidence, allow_dirty=request.allow_dirty)
    signed, *others = built_images(request.run, evidence)
    outside = released(request.image, signed, folder)
    signed = BuiltImage(runs=signed.runs, identities=(*outside, *signed.identities))
    settings = describe(request.run, evidence.rebuilt[0]).settings
    return SignOff(
        name=name,
        verdict=report.verdict,
        reference=signed.identities[0].digest,
        images=(signed, *others),
        settings=settings,
        policy=tuple(
            PolicyRemark(severity=one.severity.value, label=one.label, message=one.message)
            for one in launch_policy.judge(settings.labels)
        ),
        subject=report.subject,
        varied=report.varied,
        held=report.held,
        limits=report.limits,
        runs=report.runs,
        hosts=1,  # a run has one host; what several saw is for `repaudit quorum` to compare
        host=journal.host,
        bound=report.bound,
        accepted=accepted,
        source=source,
        bases=dated_bases(journal.bases, now),
        pins=_pins(context, hidden, source.commit if source else None, now),
        published=compare_published(request.published, name, signed),
        tools=journal.versions | ({"repaudit": journal.repaudit} if journal.repaudit else {}),
        run_at=now,
        report=evidence.report_digest,
        signer=request.signer,
    )


def _accepted(name: str, evidence: Evidence, rules: Rules) -> tuple[Accepted, ...]:
    """Return what was accepted, by the gate's own judgement; raise where it is not green."""
    judgement, _ = judge(name, evidence.report, None, (), rules)
    if judgement.light is Light.INCONCLUSIVE:
        problem = next(iter(judgement.problems), None)
        raise UndecidedError(
            f"{name} cannot be signed off: {problem.message if problem else 'nothing was varied'}",
            hint=problem.hint if problem else "repaudit rebuild --output DIR, and vary something",
        )
    counting = [change for change in judgement.changes if change.excuse is None]
    if judgement.light is Light.RED:
        said = "; ".join(
            f"{one.cause} at {one.place}" + "".join(f" ({note})" for note in one.notes)
            for one in counting[:5]
        )
        more = f" and {len(counting) - 5} more" if len(counting) > 5 else ""
        raise RefusedError(
            f"{name} cannot be signed off: {said or 'its images differ'}{more}",
            hint="mend it, or accept it with a reason, an owner and an end: --allow FILE",
        )
    found = {finding.id: finding for finding in evidence.report.findings}
    return tuple(
        Accepted(
            finding=change.finding,
            cause=change.cause,
            place=change.place,
            instruction=found[change.finding].instruction,
            reason=change.excuse.reason or "",
            owner=change.excuse.owner or "",
            until=change.excuse.until or "",
        )
        for change in judgement.changes
        if change.excuse is not None
    )


def _context(request: SignOffRequest, journal: Journal) -> Path:
    said = request.context or (Path(journal.context) if journal.context else None)
    if said is None or not said.is_dir():
        raise UsageError(
            f"the context {said or 'of the run'} is not here", hint="name it with --context DIR"
        )
    return said.resolve()


def _pins(context: Path, hidden: tuple[str, ...], commit: str | None, now: int) -> DatedPins:
    tree = open_tree([context])
    own = tuple(f for f in tree.files if not any(PurePath(f).is_relative_to(p) for p in hidden))
    return dated_pins(audit_tree(replace(tree, files=own), now), context, commit, now)


def _source(
    context: Path,
    hidden: tuple[str, ...],
    journal: Journal,
    evidence: Evidence,
    *,
    allow_dirty: bool,
) -> SourceState | None:
    built, now, told = journal.source, git.source(context, hidden), evidence.source
    if told is not None and (built is None or told.commit != built.commit):
        said = built.commit if built else "no commit that is known"
        raise UsageError(f"the run built {said}, not {told.commit}", hint="mend --source")
    if built is None:
        if not allow_dirty:
            raise RefusedError(
                f"{context} was in no git repository, so nobody can tell what was built",
                hint="commit it and build again; --allow-dirty signs it off all the same",
            )
        return None
    if now is None or now.commit != built.commit:
        there = now.commit if now else "no commit"
        raise RefusedError(
            f"the run built {built.commit}, and {context} is at {there}",
            hint="check that commit out, or name its work tree: --context DIR",
        )
    modules = tuple(
        Submodule(path=path, commit=commit, state=state)
        for path, commit, state in git.submodules(context, built.commit)
    )
    rules = rules_of(context, context / (evidence.report.subject.containerfile or "Containerfile"))
    dirty = built.dirty or now.dirty or any(one.state == "changed" for one in modules)
    if dirty and not allow_dirty:
        raise RefusedError(
            f"{context} holds more than the commit {built.commit}, so nobody else can build it",
            hint="commit it and build again; --allow-dirty signs it off all the same",
        )
    return SourceState(
        commit=built.commit,
        dirty=dirty,
        folder=evidence.report.subject.folder,
        uri=told.uri if told else None,
        submodules=modules,
        ignored=tuple(
            path
            for path in git.ignored(context)
            if not any(PurePath(path).is_relative_to(own) for own in hidden)
            and not ignored_by_all(rules, path.rstrip("/"), folder=path.endswith("/"))
        ),
    )
