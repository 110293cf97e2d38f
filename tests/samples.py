"""Reports as they come, made by hand: good and bad ones, hostile and large ones."""

from __future__ import annotations

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
from repaudit.model.report import (
    Bound,
    LayerRecord,
    Problem,
    Report,
    RunRecord,
    Subject,
    Verdict,
)
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


ALL = {
    "unreproducible": unreproducible(),
    "reproducible": reproducible(),
    "inconclusive": inconclusive(),
    "two-images": two_images(),
    "large": large(),
}
