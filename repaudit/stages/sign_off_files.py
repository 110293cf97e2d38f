"""A sign-off as files: for programs, for people, for a shell, signed and summed up."""

from __future__ import annotations

import io
import tarfile

from repaudit.host.keys import SigningKey
from repaudit.model.canonical import to_json
from repaudit.model.digest import sha256
from repaudit.model.sign_off import SignOff
from repaudit.predicates import Evidence
from repaudit.reporters import REPORTERS, Surface
from repaudit.reporters._sign_off import reproduce_script, sign_off_page
from repaudit.stages.attest import attest


def as_files(sign_off: SignOff, evidence: Evidence, key: SigningKey | None) -> dict[str, bytes]:
    """Return the files by name. SHA256SUMS is of all others, and its signature is over its bytes.

    Only the signatures of an ECDSA key are not the same each time.
    """
    files = {
        "sign-off.json": to_json(sign_off),
        "sign-off.html": sign_off_page(sign_off),
        "report.json": to_json(evidence.report),
        "report.html": REPORTERS.load("html").render(evidence.report, Surface()),
        "reproduce.sh": reproduce_script(sign_off),
    }
    if key is not None:
        files["statements.sigstore.jsonl"] = attest(evidence, (), key)
        files["key.pub"] = key.public.pem
    sums = "".join(
        f"{sha256(data).removeprefix('sha256:')}  {name}\n" for name, data in sorted(files.items())
    ).encode("ascii")
    files["SHA256SUMS"] = sums
    if key is not None:
        files["SHA256SUMS.sig"] = key.sign_bytes(sums)
    return files


def as_tar(files: dict[str, bytes], folder: str, time: int) -> bytes:
    """Return the files as a tar of one folder, all of it as of `time`: the same bytes each time."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime = len(data), time
            entry.mode = 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()
