"""Do repaudit and sigstore-js agree on which bundles are good? `make check-attestations`.

Every bundle of a run is verified by both, with ECDSA and ed25519 keys; then with its payload or
signature changed, a wrong key, and a wrong subject, which both have to refuse.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.kept import KeyPair, kept_run, key_pair

OTHER = "sha256:" + "0" * 64
SOURCE = "git+https://example.org/app@" + "a" * 40
MODULES = Path(__file__).parent / "independent"


def run(*argv: str | Path) -> tuple[int, str]:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def ours(bundle: Path, key: Path, subject: str, kind: str) -> tuple[int, str]:
    """Ask for the statement's own kind: one alone that gives no verdict is open else."""
    call = [sys.executable, "-m", "repaudit", "attest", "verify", bundle, "--key", key]
    return run(*call, "--subject", subject, "--predicate", kind)


def theirs(bundle: Path, key: Path, subject: str) -> tuple[int, str]:
    return run("node", MODULES / "verify.mjs", bundle, key, subject)


def bundles(folder: Path, pair: KeyPair) -> list[bytes]:
    kept = kept_run(folder / "run")
    sign = [sys.executable, "-m", "repaudit", "attest", kept, "--key", pair.private]
    done = subprocess.run([*map(str, sign), "--source", SOURCE], capture_output=True, check=True)
    return done.stdout.splitlines()


def changed(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    plain = json.loads(line)
    change(plain["dsseEnvelope"])
    return json.dumps(plain).encode()


def edit_payload(envelope: dict[str, Any]) -> None:
    said = json.loads(base64.b64decode(envelope["payload"]))
    said["predicate"]["verdict"] = "reproducible!"
    envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()


def edit_signature(envelope: dict[str, Any]) -> None:
    data = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    data[-1] ^= 1
    envelope["signatures"][0]["sig"] = base64.b64encode(data).decode()


def cases(folder: Path, kind: str) -> Iterator[tuple[str, bytes, Path, str, bool]]:
    """Yield (name, bundle, public key, subject, whether it is good).

    A name is the key's kind, the predicate's type, and what was changed.
    """
    pair, wrong = key_pair(folder / "keys", kind), key_pair(folder / "wrong", kind)
    for line in bundles(folder, pair):
        said = json.loads(base64.b64decode(json.loads(line)["dsseEnvelope"]["payload"]))
        subject = "sha256:" + said["subject"][0]["digest"]["sha256"]
        name = f"{kind} {said['predicateType']}"
        yield name, line, pair.public, subject, True
        yield f"{name}, payload", changed(line, edit_payload), pair.public, subject, False
        yield f"{name}, signature", changed(line, edit_signature), pair.public, subject, False
        yield f"{name}, wrong key", line, wrong.public, subject, False
        yield f"{name}, wrong subject", line, pair.public, OTHER, False


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("ecdsa", "ed25519"):
            for name, line, key, subject, good in cases(Path(scratch) / kind, kind):
                bundle = Path(scratch) / "bundle.json"
                bundle.write_bytes(line)
                said = name.split(" ")[1].rstrip(",")
                answers = {"repaudit": ours(bundle, key, subject, said)}
                answers["sigstore-js"] = theirs(bundle, key, subject)
                right = all((status == 0) is good for status, _ in answers.values())
                failed += not right
                print(f"{'ok  ' if right else 'FAIL'} {'accepts' if good else 'refuses'}  {name}")
                if not right:
                    print(f"     {answers}")
    print(f"{failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
