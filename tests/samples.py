"""Reports as they come, made by hand: good and bad ones, hostile and large ones."""

from __future__ import annotations

from datetime import date, timedelta

from msgspec.structs import replace

from repaudit.forensics import cause, causes
from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import SETTABLE, Held, Outcome, Role
from repaudit.model.finding import (
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Fix,
    FixOutcome,
    Instruction,
    Process,
    Suspect,
)
from repaudit.model.gate import GateResult, strongest
from repaudit.model.history import Seen, Source, seen
from repaudit.model.journal import Host
from repaudit.model.pins import Location, Pin, PinFinding, PinsVerdict, Severity, Strength
from repaudit.model.report import (
    Bound,
    LayerRecord,
    Problem,
    Report,
    RunRecord,
    Subject,
    Verdict,
)
from repaudit.model.sign_off import (
    KINDS,
    Accepted,
    BuiltImage,
    DatedBase,
    DatedPin,
    DatedPins,
    KnownBy,
    PolicyRemark,
    Published,
    Settings,
    SignOff,
    SourceState,
    Submodule,
)
from repaudit.stages.allow import Allowance, Rules
from repaudit.stages.gate import judge
from tests.strategies import HOSTILE

SUBJECT = Subject(
    context="shop",
    folder="images/shop",
    containerfile="Containerfile",
    builder="buildah",
    timestamp=1_700_000_000,
    command=("buildah", "bud", "--timestamp=1700000000", "."),
)
HELD = Held(factor="build_path", reason="no step sees it")
LIMIT = Held(factor="time", reason="statically linked programs kept the real clock")
_LINES = (None, 3, 4, 6)
_TEXTS = ("", "RUN apt-get install -y nginx", "RUN date > /srv/built", "COPY --from=0 /srv /srv")


def instruction(line: int, text: str) -> Instruction:
    return Instruction(file="Containerfile", line=line, text=text, stage="0")


def runs(images: str) -> tuple[RunRecord, ...]:
    """Return runs of which those with one letter made the same image."""
    roles = (Role.CONTROL, Role.REPLICATE, *(Role.VARIANT,) * 26)
    return tuple(
        RunRecord(
            name=role.value if number < 2 else f"row-{number - 1}",
            role=role,
            levels={
                factor: "moved" if number > 1 and (number * 7 + at) % 3 else "control"
                for at, factor in enumerate(SETTABLE)
            },
            outcome=Outcome.BUILT,
            image=f"sha256:{ord(letter):064x}",
        )
        for number, (letter, role) in enumerate(zip(images, roles, strict=False))
    )


def layers() -> tuple[LayerRecord, ...]:
    sizes = (74_800_000, 12_345_678, 1_536, 900)
    return tuple(
        LayerRecord(index=n, size=size, instruction=instruction(line, text) if line else None)
        for n, (size, line, text) in enumerate(zip(sizes, _LINES, _TEXTS, strict=True))
    )


def difference(path: str, layer: int | None = 2, **more: object) -> Difference:
    given = {"aspect": Aspect.CONTENT, "left": "sha256:a", "right": "sha256:b", **more}
    return Difference(layer=layer, path=path, **given)


def finding(
    number: int, slug: str, where: Instruction | None, *differences: Difference, **more: object
) -> Finding:
    one = cause(slug)
    given = {
        "id": f"{number:012x}",
        "factors": (Suspect(factor="time", confidence=Confidence.DEMONSTRATED),),
        "process": None,
        "evidence": (
            Evidence(
                kind=EvidenceKind.EXPERIMENT,
                source="decode",
                detail="follows time in all 6 runs, 3 of which moved it",
            ),
        ),
        **more,
    }
    return Finding(cause=one, instruction=where, differences=differences, **given)


FIX = Fix(
    edit="--- a/Containerfile\n+++ b/Containerfile\n@@ -3,2 +3,2 @@\n"
    " RUN apt-get install -y nginx\n"
    '-RUN date > /srv/built\n+RUN date -u -d "@$SOURCE_DATE_EPOCH" > /srv/built\n',
    line=4,
    outcome=FixOutcome.GONE,
)


def unreproducible() -> Report:
    built = instruction(4, _TEXTS[2])
    return Report(
        verdict=Verdict.UNREPRODUCIBLE,
        subject=SUBJECT,
        varied=("time", "umask", "hostname", "file_order"),
        held=(HELD,),
        limits=(LIMIT,),
        runs=runs("AABCDB"),
        bound=Bound.of(5),
        layers=layers(),
        trial=runs("AE")[1:],
        findings=(
            finding(
                1,
                "unexplained",
                instruction(6, _TEXTS[3]),
                difference("srv/logo.png", 3, detail="-00: 89 50\n+00: 89 51\n"),
                factors=(),
                evidence=(),
            ),
            finding(
                2,
                "captures_build_date",
                built,
                difference("srv/built", detail="@@ -1 +1 @@\n-Sat 1 Jan\n+Sun 5 Feb\n"),
                process=Process(argv=("date", "+%a %e %b"), executable="/usr/bin/date", cwd="/srv"),
                fix=FIX,
            ),
            finding(
                3,
                "different_due_to_umask",
                built,
                *(
                    difference(f"srv/{name}", aspect=Aspect.MODE, left="0644", right="0664")
                    for name in "abcdefgh"
                ),
                factors=(Suspect(factor="umask", confidence=Confidence.INDICATED),),
            ),
            finding(
                4,
                "names_of_intermediate_images",
                None,
                difference("/history/2/comment", None, aspect=Aspect.HISTORY),
                factors=(),
            ),
        ),
    )


def reproducible() -> Report:
    return Report(
        verdict=Verdict.REPRODUCIBLE,
        subject=SUBJECT,
        varied=("time", "umask"),
        held=(HELD,),
        runs=runs("AAA"),
        bound=Bound.of(2),
        layers=layers(),
    )


def inconclusive() -> Report:
    return Report(
        verdict=Verdict.INCONCLUSIVE,
        subject=SUBJECT,
        held=(HELD,),
        problems=(
            Problem(
                message="the control build failed at Containerfile:3: no such thing",
                hint="the build must pass on its own first: try `buildah bud` on this context",
            ),
        ),
    )


def two_images() -> Report:
    return Report(
        verdict=Verdict.UNREPRODUCIBLE,
        subject=Subject(left="docker://shop:1", right="docker://shop:2"),
        findings=(finding(9, "unexplained", None, difference("srv/a"), factors=(), evidence=()),),
    )


def large(number: int = 2_000) -> Report:
    """Return a report of that many findings, with names that attack whoever shows them."""
    catalogue = causes()
    found = []
    for n in range(number):
        name = f"srv/{n:04}/{HOSTILE[n % len(HOSTILE)]}/{HOSTILE[n * 7 % len(HOSTILE)]}"
        line = instruction(n % 90 + 1, f"RUN make {HOSTILE[n % len(HOSTILE)]} {n % 90}")
        factor = SETTABLE[n % len(SETTABLE)]
        found.append(
            finding(
                n,
                catalogue[n % len(catalogue)].slug,
                line if n % 11 else None,
                *(
                    difference(f"{name}{k}", n % 4, detail=f"-{name}\n+{name}\n" * 40)
                    for k in range(n % 5 + 1)
                ),
                factors=(Suspect(factor=factor, confidence=list(Confidence)[n % 2]),),
                process=Process(argv=(name, name), executable=name, cwd=name),
            )
        )
    return Report(
        verdict=Verdict.UNREPRODUCIBLE,
        subject=SUBJECT,
        varied=SETTABLE,
        runs=runs("AABCDEFGHIJ"),
        bound=Bound.of(10),
        layers=layers(),
        findings=tuple(found),
    )


def gate(nights: int = 30) -> GateResult:
    """Return what the gate says after that many nights: one image that flickers, one that is green.

    On the ninth night a cause comes; it is allowed from 12 on, until 20. Night 5 could not tell.
    """
    found = unreproducible().findings
    allow = tuple(
        Allowance(
            cause=one.cause.slug,
            place="*",
            reason=f"until it is redesigned {HOSTILE[0]}",
            owner="team-web",
            expires=date(2027, 1, 21),
        )
        for one in found[:1]
    )
    judgements = []
    for name in ("app", "base"):
        past: list[Seen] = []
        for number in range(1, nights + 1):
            there = name == "app" and number in {9, 11, 12, 13, 14, *range(16, nights + 1)}
            rules = Rules(
                today=date(2027, 1, 1) + timedelta(days=number), allow=allow if number > 11 else ()
            )
            if number == 5:
                report = inconclusive()
            elif there:
                report = replace(unreproducible(), findings=found[: 1 + number % 4])
            else:
                report = replace(unreproducible(), verdict=Verdict.REPRODUCIBLE, findings=())
            source = Source(commit=f"{number:040x}", dirty=number == 7)
            judgement, night = judge(name, report, source, past, rules)
            past.append(seen(number * 3, night))
        judgements.append(judgement)
    lights = tuple(one.light for one in judgements)
    return GateResult(
        light=strongest(lights), images=tuple(judgements), warnings=("unused: a at <b>",)
    )


def sign_off() -> SignOff:
    """Return a sign-off in which there is one of everything, with names that attack."""
    report = unreproducible()
    digests = [f"sha256:{number:064x}" for number in range(9)]
    identities = tuple(
        KnownBy(kind=kind, digest=digest, used_by="whoever", layer=0 if kind == "diff ID" else None)
        for kind, digest in zip(KINDS, digests, strict=False)
    )
    place = Location(path=HOSTILE[1], line=3, end_line=3)
    pin = Pin(purl="pkg:deb/a", kind="deb", strength=Strength.LOCKED, digests=(), location=place)
    return SignOff(
        name=HOSTILE[0],
        verdict=report.verdict,
        reference=digests[0],
        images=(
            BuiltImage(runs=("control",), identities=identities),
            BuiltImage(runs=("variant", HOSTILE[2]), identities=identities[3:]),
        ),
        settings=Settings(
            user="",
            entrypoint=("/app", HOSTILE[0]),
            command=(),
            working_directory="/srv",
            environment=(f"A={HOSTILE[1]}",),
            labels={HOSTILE[2]: HOSTILE[0]},
        ),
        policy=(PolicyRemark(severity="error", label=HOSTILE[0], message="it may be changed"),),
        subject=report.subject,
        varied=report.varied,
        held=(HELD,),
        limits=(LIMIT,),
        runs=report.runs,
        hosts=1,
        host=Host(kernel="6.1", cpus=1),
        bound=Bound.of(1),
        accepted=(
            Accepted(
                finding=report.findings[0].id,
                cause=report.findings[0].cause.slug,
                place=HOSTILE[1],
                instruction=None,
                reason=HOSTILE[0],
                owner="team-web",
                until="2027-02-01",
            ),
        ),
        source=SourceState(
            commit="a" * 40,
            dirty=True,
            folder="images/shop",
            uri="git+https://git.example/shop",
            submodules=(Submodule(path=HOSTILE[1], commit="b" * 40, state="changed"),),
            ignored=(HOSTILE[2], "dist/"),
        ),
        bases=(
            DatedBase(name=HOSTILE[0], digest=digests[7], created="2026-01-01", days=1),
            DatedBase(name="scratch", digest=digests[8], created=None, days=None),
        ),
        pins=DatedPins(
            verdict=PinsVerdict.FLOATING,
            pins=(DatedPin(pin=pin, since="2026-01-01", days=30),),
            findings=(
                PinFinding(
                    id="APT001",
                    severity=Severity.ERROR,
                    message=HOSTILE[0],
                    fix=None,
                    location=place,
                ),
            ),
        ),
        published=Published(name="shop", digest=digests[1], kind="manifest"),
        tools={"buildah": "buildah version 1.28.2"},
        run_at=1_800_000_000,
        report=digests[0],
        signer="https://example.org/ann",
    )


ALL = {
    "unreproducible": unreproducible(),
    "reproducible": reproducible(),
    "inconclusive": inconclusive(),
    "two-images": two_images(),
    "large": large(),
}
