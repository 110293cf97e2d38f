"""Compare what independent rebuilders signed, and count who has the same image.

A rebuilder is a key. Different keys are what can be checked; that different people hold them, on
different machines, is for whoever collects the keys to know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from repaudit.attestations.bundle import Bundle, parse_bundles
from repaudit.host.keys import PublicKey
from repaudit.model.errors import UndecidedError
from repaudit.model.report import Verdict
from repaudit.model.reproducibility import PREDICATE_TYPE
from repaudit.model.statement import PAYLOAD_TYPE, Statement, parse_statement
from repaudit.stages.attest import verdict_of


class Voice(Struct, frozen=True, kw_only=True):
    """What one rebuilder signed: the digests of its images, and whether it found them the same.

    It stands for a digest only if that is its one image, and it called it reproducible.
    """

    key: PublicKey
    names: tuple[str, ...]
    digests: tuple[str, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def digest(self) -> str | None:
        """The one image that this rebuilder stands for, None where it stands for none."""
        sure = self.verdicts == (Verdict.REPRODUCIBLE,) and len(self.digests) == 1
        return self.digests[0] if sure else None

    @property
    def open(self) -> bool:
        """Whether it could not tell."""
        return self.verdicts == (Verdict.INCONCLUSIVE,)


class Quorum(Struct, frozen=True, kw_only=True):
    """The voices, how many are needed, and the image that enough of them stand for, if any.

    `subject` is the image that they must stand for, None for any.
    """

    voices: tuple[Voice, ...]
    needed: int
    subject: str | None = None
    digest: str | None

    @property
    def verdict(self) -> Verdict:
        """Reproducible with a quorum; unreproducible where somebody has another; else open."""
        if self.digest is not None:
            return Verdict.REPRODUCIBLE
        spoken = [voice for voice in self.voices if not voice.open]
        heard = {digest for voice in spoken for digest in voice.digests}
        heard |= {self.subject} if self.subject else set()
        differs = any(Verdict.UNREPRODUCIBLE in voice.verdicts for voice in spoken)
        return Verdict.UNREPRODUCIBLE if differs or len(heard) > 1 else Verdict.INCONCLUSIVE


def hear(
    files: Sequence[tuple[str, bytes]],
    keys: Sequence[PublicKey],
    needed: int,
    subject: str | None = None,
) -> Quorum:
    """Verify files of bundles, each with the one of `keys` that fits, and count.

    Files with the same key are one voice. With `subject`, only that image can have a quorum; two
    images that have one each have none. Raises UndecidedError where a bundle is of none of the
    keys, or a file says nothing of reproducibility.
    """
    heard: dict[str, list[tuple[str, Statement]]] = {}
    for name, data in files:
        for key, statement in _statements(name, data, keys):
            heard.setdefault(key.id, []).append((name, statement))
    known = {key.id: key for key in keys}
    voices = tuple(_voice(known[key], said) for key, said in sorted(heard.items()))
    votes = Counter(voice.digest for voice in voices if voice.digest is not None)
    enough = [digest for digest, count in votes.items() if count >= needed]
    chosen = enough[0] if len(enough) == 1 else None
    if subject is not None:
        chosen = subject if subject in enough else None
    return Quorum(voices=voices, needed=needed, subject=subject, digest=chosen)


def _statements(
    name: str, data: bytes, keys: Sequence[PublicKey]
) -> list[tuple[PublicKey, Statement]]:
    found = []
    for bundle in parse_bundles(data):
        fits = [k for k in keys if k.verifies(bundle.signature, PAYLOAD_TYPE, bundle.payload)]
        if not fits:
            raise _no_voice(name, bundle, keys)
        statement = parse_statement(bundle.payload)
        if statement.predicate_type == PREDICATE_TYPE:
            found.append((fits[0], statement))
    if not found:
        raise UndecidedError(
            f"{name}: signed, but no statement of the kind {PREDICATE_TYPE}",
            hint="sign one with: repaudit attest RUN",
        )
    return found


def _no_voice(name: str, bundle: Bundle, keys: Sequence[PublicKey]) -> UndecidedError:
    """Return the error for what nobody is known to have said: it is no word against an image."""
    named = next((key for key in keys if bundle.hint == key.hint), None)
    if named is not None:
        return UndecidedError(
            f"{name}: the signature is not that of {named.uri} over these bytes: "
            "it was changed after it was signed",
            hint="get it again from who signed it",
        )
    other = f": the bundle names {bundle.hint}" if bundle.hint else ""
    return UndecidedError(
        f"{name}: signed with none of the keys that were given{other}",
        hint="name the key of each rebuilder with --key",
    )


def _voice(key: PublicKey, said: Sequence[tuple[str, Statement]]) -> Voice:
    """Return what one key says; that it could not tell at one time is no word against another."""
    judged = [(verdict_of(one), one) for _, one in said]
    sure = [(verdict, one) for verdict, one in judged if verdict is not Verdict.INCONCLUSIVE]
    counting = sure or judged
    return Voice(
        key=key,
        names=tuple(sorted({name for name, _ in said})),
        digests=tuple(sorted({named.digest for _, one in counting for named in one.subjects})),
        verdicts=tuple(sorted({verdict for verdict, _ in counting if verdict is not None})),
    )
