"""Values of the model, one strategy a type."""

from __future__ import annotations

from hypothesis import strategies as st

from repaudit.forensics import causes
from repaudit.model.difference import Aspect, Difference
from repaudit.model.experiment import INTRINSIC, SETTABLE, Held, Outcome, Role
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
from repaudit.model.image import Entry, Kind
from repaudit.model.report import (
    Ignored,
    LayerRecord,
    Problem,
    Report,
    RunRecord,
    Same,
    Subject,
    Verdict,
    View,
)

#: Pieces of names that speak to a terminal, a shell or a decoder, beside plain ones.
HOSTILE = (
    "\x1b[31m",
    "\x1b]0;owned\x07",
    "\x9b2J",
    "\u202e",
    "\u2066",
    "\u2028",
    "\ufeff",
    "\x85",
    "\0",
    "\x7f",
    "\r",
    "\n",
    "\t",
    "\udc80",
    "\ud83d",
    "[bold]",
    ":smile:",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "]](javascript:alert(1)) **b** `c` | {{ 7 * 7 }}",
    "]]>&#60;!--",
    "@octocat #1 https://example.org www.example.org",
    "```",
    "$(id)",
    "日本",
    "🤦🧑‍🚀🫠" * 9,
    "é",
)


def joined(pieces: list[str]) -> str:
    """Join pieces; two surrogates that make a pair become the character, as JSON would have it."""
    text = "".join(pieces)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


hostile_texts = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=4)), max_size=5
).map(joined)
digests = st.binary(min_size=1, max_size=2).map(lambda b: "sha256:" + (b.hex() * 64)[:64])
sorted_pairs = st.dictionaries(
    st.sampled_from(("user.a", "user.b", "security.capability")), st.text("01= ", max_size=3)
).map(lambda d: tuple(sorted(d.items())))


@st.composite
def entries(draw: st.DrawFn, path: str = "srv/a", position: int = 0) -> Entry:
    """An entry whose fields fit its kind, as oci.layer gives them."""
    kind = draw(st.sampled_from(Kind))
    data = kind is Kind.FILE
    size = draw(st.integers(0, 3)) if data else 0
    linked = kind in {Kind.SYMLINK, Kind.HARDLINK}
    numbers = st.tuples(st.integers(0, 9), st.integers(0, 9))
    return Entry(
        path=path,
        kind=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2)),
        gid=draw(st.integers(0, 2)),
        uname=draw(st.sampled_from(("", "root", "a"))),
        gname=draw(st.sampled_from(("", "root", "b"))),
        mtime=draw(st.sampled_from((0, 1, 1_000_000_000, 1_000_000_001))),
        size=size,
        digest=draw(digests) if data else None,
        link=draw(st.sampled_from(("a", "/etc/b", ""))) if linked else None,
        device=draw(numbers) if kind in {Kind.CHARACTER, Kind.BLOCK} else None,
        xattrs=draw(sorted_pairs),
        position=position,
        offset=512 + 1024 * position,
        stored=size,
    )


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Entry]:
    """A layer's entries by path, in stored order."""
    names = ("a", "b", "etc", "etc/c", "srv/d e", "srv/\udcff")
    paths = draw(st.lists(st.sampled_from(names), unique=True, max_size=5))
    return {path: draw(entries(path, number)) for number, path in enumerate(paths)}


differences = st.builds(
    Difference,
    layer=st.none() | st.integers(0, 3),
    path=hostile_texts,
    aspect=st.sampled_from(Aspect),
    left=st.none() | hostile_texts,
    right=st.none() | hostile_texts,
    detail=st.none() | hostile_texts,
)
factors = st.sampled_from(SETTABLE + INTRINSIC)
held = st.builds(Held, factor=st.sampled_from(SETTABLE), reason=hostile_texts)
instructions = st.builds(
    Instruction,
    file=hostile_texts,
    line=st.integers(1, 99),
    text=hostile_texts,
    stage=hostile_texts,
)
processes = st.builds(
    Process,
    argv=st.lists(hostile_texts, max_size=2).map(tuple),
    executable=hostile_texts,
    cwd=hostile_texts,
)
evidence = st.builds(
    Evidence,
    kind=st.sampled_from(EvidenceKind),
    source=st.sampled_from(("canary", "rebuild")),
    detail=hostile_texts,
    runs=st.just(("control", "variant")),
)
fixes = st.builds(
    Fix,
    edit=st.none() | hostile_texts,
    line=st.none() | st.integers(1, 99),
    outcome=st.none() | st.sampled_from(FixOutcome),
    reason=st.none() | hostile_texts,
)
findings = st.builds(
    Finding,
    id=st.text("0123456789abcdef", min_size=12, max_size=12),
    cause=st.sampled_from(causes()),
    factors=st.lists(
        st.builds(Suspect, factor=factors, confidence=st.sampled_from(Confidence)), max_size=2
    ).map(tuple),
    instruction=st.none() | instructions,
    process=st.none() | processes,
    evidence=st.lists(evidence, max_size=2).map(tuple),
    differences=st.lists(differences, max_size=10).map(tuple),
    fix=st.none() | fixes,
)
runs = st.builds(
    RunRecord,
    name=st.sampled_from(("control", "variant", "search-1")),
    role=st.sampled_from(Role),
    levels=st.dictionaries(st.sampled_from(SETTABLE), hostile_texts, max_size=3),
    outcome=st.sampled_from(Outcome),
    image=st.none() | digests,
)
subjects = st.builds(
    Subject,
    context=st.none() | hostile_texts,
    folder=st.none() | hostile_texts,
    containerfile=st.none() | hostile_texts,
    builder=st.none() | st.just("buildah"),
    timestamp=st.none() | st.integers(0, 1 << 33),
    left=st.none() | hostile_texts,
    right=st.none() | hostile_texts,
)
layer_records = st.builds(
    LayerRecord,
    index=st.integers(0, 3),
    size=st.integers(0, 1 << 40),
    instruction=st.none() | instructions,
)
reports = st.builds(
    Report,
    verdict=st.sampled_from(Verdict),
    subject=subjects,
    varied=st.lists(st.sampled_from(SETTABLE), unique=True, max_size=3).map(tuple),
    held=st.lists(held, max_size=2).map(tuple),
    limits=st.lists(held, max_size=2).map(tuple),
    runs=st.lists(runs, max_size=2).map(tuple),
    layers=st.lists(layer_records, max_size=3).map(tuple),
    findings=st.lists(findings, max_size=3).map(tuple),
    problems=st.lists(st.builds(Problem, message=hostile_texts, hint=hostile_texts)).map(tuple),
    views=st.lists(
        st.builds(View, platform=hostile_texts, view=hostile_texts, reason=hostile_texts),
        max_size=2,
    ).map(tuple),
    unread=st.integers(0, 9),
    untold=st.lists(hostile_texts, max_size=2).map(tuple),
    same=st.lists(st.builds(Same, platform=hostile_texts, digest=hostile_texts), max_size=2).map(
        tuple
    ),
    ignored=st.lists(
        st.builds(Ignored, kind=hostile_texts, count=st.integers(0, 9)), max_size=2
    ).map(tuple),
    trial=st.lists(runs, max_size=2).map(tuple),
)
