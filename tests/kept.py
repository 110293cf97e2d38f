"""Kept runs written by hand, and keys, for what is signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from repaudit.model.canonical import to_json
from repaudit.model.experiment import Held, Outcome, Role
from repaudit.model.finding import Finding
from repaudit.model.journal import BaseImage, Host, Journal
from repaudit.model.report import Bound, Report, RunRecord, Subject, Verdict
from tests import images

BASE = "sha256:" + "b" * 64
JOURNAL = Journal(
    start=1_800_000_000,
    repaudit="1",
    host=Host(kernel="6.1", cpus=2),
    bases=(BaseImage(name="example.org/base:1", digest=BASE, created=1_790_000_000),),
    versions={"buildah": "buildah version 1.28.2"},
)


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    private: Path
    public: Path


def key_pair(folder: Path, kind: str = "ecdsa", password: str = "") -> KeyPair:
    """Write a new pair of keys; the private one is its owner's alone."""
    made = {
        "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }[kind]()
    folder.mkdir(parents=True, exist_ok=True)
    pair = KeyPair(private=folder / f"{kind}.key", public=folder / f"{kind}.pub")
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    pair.private.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    pair.private.chmod(0o600)
    pair.public.write_bytes(
        made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return pair


def manifest(config: bytes) -> bytes:
    described = images.describe(config, images.CONFIG)
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": images.MANIFEST,
            "config": {
                "mediaType": images.CONFIG,
                "digest": described.digest,
                "size": described.size,
            },
            "layers": [],
        }
    ).encode()


def image_config(**labels: str) -> bytes:
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": labels, "Env": ["PATH=/bin"], "Cmd": ["/app"]},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
    ).encode()


def kept_run(
    folder: Path,
    *configs: bytes,
    verdict: Verdict = Verdict.REPRODUCIBLE,
    builds: int = 2,
    findings: tuple[Finding, ...] = (),
    journal: Journal = JOURNAL,
) -> Path:
    """Write what `rebuild --output` keeps of a control and variants with these image configs."""
    runs = []
    for number, config in enumerate(configs or (image_config(),) * 2):
        data = manifest(config)
        name = "variant" if number else "control"
        runs.append(
            RunRecord(
                name=name,
                role=Role.VARIANT if number else Role.CONTROL,
                levels={"umask": "0002" if number else "0022"},
                outcome=Outcome.BUILT,
                image=images.digest_of(data),
            )
        )
        blobs = folder / "runs" / name / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for blob in (data, config):
            (blobs / images.digest_of(blob).partition(":")[2]).write_bytes(blob)
    report = Report(
        verdict=verdict,
        subject=Subject(
            context="app",
            containerfile="Containerfile",
            builder="buildah",
            timestamp=0,
            command=("buildah", "bud", "."),
        ),
        varied=("umask",),
        held=(Held(factor="time", reason="held on request"),),
        runs=tuple(runs),
        bound=Bound.of(builds - 1),
        findings=findings,
    )
    (folder / "report.json").write_bytes(to_json(report))
    (folder / "journal.json").write_bytes(to_json(journal))
    return folder
