"""Does a stranger with nothing but Debian get through with a sign-off? `make check-sign-off`.

The demo's repaired image is built, signed off with both kinds of keys, built again by its
reproduce.sh, and released as an archive. Then all of it is checked in a root file system that
mmdebstrap makes of a handful of Debian packages, without a network and without Python: the sums,
the signature over them, each statement's DSSE signature (with openssl, jq and printf), the
released image; and the same with one bit changed or another key, which must be refused. Takes a
minute, and the first time another for the root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import base
from tests.kept import key_pair

CASE = Path(__file__).parent.parent / "golden" / "clean-service"
PACKAGES = "openssl,jq,skopeo"
OURS = (sys.executable, "-m", "repaudit")
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
#: What a stranger types who trusts no script of ours: $1 is the public key.
BY_HAND = r"""
set -eu
cd /mnt/sign-off
sha256sum --check --strict SHA256SUMS
verify() { # verify SIGNATURE FILE
  case $(openssl pkey -pubin -in "$KEY" -noout -text) in
    *ED25519*) openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in "$2" -sigfile "$1" ;;
    *) openssl dgst -sha256 -verify "$KEY" -signature "$1" "$2" ;;
  esac
}
verify SHA256SUMS.sig SHA256SUMS
count=0
while IFS= read -r line; do
  printf %s "$line" | jq -r .dsseEnvelope.payload | base64 -d >/tmp/payload
  printf %s "$line" | jq -r '.dsseEnvelope.signatures[0].sig' | base64 -d >/tmp/sig
  type=$(printf %s "$line" | jq -r .dsseEnvelope.payloadType)
  printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c </tmp/payload)" >/tmp/pae
  cat /tmp/payload >>/tmp/pae
  verify /tmp/sig /tmp/pae
  jq -r '.predicateType + "  " + .subject[0].digest.sha256' </tmp/payload
  count=$((count + 1))
done <statements.sigstore.jsonl
echo "$count statements"
jq -r '.verdict + "  " + .reference' sign-off.json
"""


def run(*argv: str | Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    whole = os.environ | (env or {})
    done = subprocess.run([str(word) for word in argv], env=whole, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def must(*argv: str | Path, env: dict[str, str] | None = None) -> str:
    status, said = run(*argv, env=env)
    if status:
        raise SystemExit(f"{' '.join(map(str, argv))}: {status}\n{said}")
    return said


def clean_root(folder: Path) -> Path:
    """Return a root file system of Debian packages alone, kept beside the base images."""
    kept = base.cache() / "stranger"
    if not kept.is_dir():
        print("making a root of Debian packages (once)", flush=True)
        made = folder / "root"
        must("mmdebstrap", "--variant=essential", f"--include={PACKAGES}", "bookworm", made)
        shutil.copytree(made, kept, symlinks=True, ignore=shutil.ignore_patterns("dev"))
        (kept / "dev").mkdir(exist_ok=True)
    return kept


def inside(root: Path, work: Path, *argv: str, key: str) -> tuple[int, str]:
    """Run in the root, without a network; /mnt is `work`, and read-only."""
    box = ["bwrap", "--ro-bind", root, "/", "--ro-bind", work, "/mnt", "--proc", "/proc"]
    box += ["--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--unshare-all"]
    box += ["--clearenv", "--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin"]
    box += ["--setenv", "HOME", "/tmp", "--setenv", "KEY", key, "--chdir", "/mnt", "--", *argv]
    return run(*box)


def build(folder: Path, storage: dict[str, str]) -> tuple[Path, Path]:
    """Keep a run of the demo's image, committed; return the run and the context."""
    context = folder / "app"
    shutil.copytree(CASE, context)
    must("git", "-C", context, "init", "--quiet")
    must(*GIT, "-C", context, "add", "--all")
    must(*GIT, "-C", context, "commit", "--quiet", "--message=demo")
    audit = ("rebuild", "--quiet", "--timestamp=1700000000", "--output", folder / "run", context)
    print(must(*OURS, *audit, env=storage).splitlines()[0])
    return folder / "run", context


def build_again(folder: Path, script: Path, context: Path, storage: dict[str, str]) -> Path:
    """Build as a stranger, in a storage that holds the base image; release what was built."""
    conf = folder / "storage.conf"
    words = f'graphroot = "{folder}/g"\nrunroot = "{folder}/r"\n'
    conf.write_text(f'[storage]\ndriver = "overlay"\n{words}')
    own = {"CONTAINERS_STORAGE_CONF": str(conf)}
    copy = ("skopeo", "copy", "--quiet", "--preserve-digests")
    layout = f"oci:{folder}/base:base"
    must(*copy, f"containers-storage:{base.NAME}", layout, env=storage)
    must(*copy, layout, f"containers-storage:{base.NAME}", env=own)
    try:
        said = must("sh", script, "build", context, env=own).splitlines()[-2:]
        print("\n".join(said))
        built = said[0].partition("sha256:")[2][:64]
        must(*copy, f"containers-storage:{built}", f"oci-archive:{folder}/app.tar:app", env=own)
    finally:
        run("umount", folder / "g" / "overlay")  # buildah leaves its storage mounted on itself
    return folder / "app.tar"


def check(kind: str, root: Path, work: Path) -> Iterator[str]:
    """Yield what is wrong, over a folder that holds sign-off, archive and keys."""
    script = "/mnt/sign-off/reproduce.sh"

    def expect(word: str, what: str, *argv: str, key: str = "/mnt/release.pub") -> Iterator[str]:
        good = not word.startswith("NO: ")
        status, said = inside(root, work, *argv, key=key)
        right = (status, word.removeprefix("NO: ") in said) == (0 if good else 1, True)
        print(f"{'ok  ' if right else 'FAIL'} {'accepts' if good else 'refuses'}  {kind}: {what}")
        if not right:
            yield f"{kind}: {what}: {status}\n{said}"

    no_python = ("sh", "-c", "! command -v python3 && echo none")
    yield from expect("none", "a root without Python", *no_python)
    by_hand = ("sh", "-c", BY_HAND)
    yield from expect("4 statements", "sums, signature and DSSE by hand", *by_hand)
    refused = "NO: erification" if kind == "ecdsa" else "NO: Signature Verification Failure"
    yield from expect(refused, "another key, by hand", *by_hand, key="/mnt/wrong.pub")
    yield from expect("is signed with", "check", "sh", script, "check", "/mnt/release.pub")
    yield from expect(
        "NO: NO: SHA256", "check, another key", "sh", script, "check", "/mnt/wrong.pub"
    )
    yield from expect("same manifest", "image", "sh", script, "image", "oci-archive:/mnt/app.tar")
    for name in ("sign-off.json", "statements.sigstore.jsonl", "SHA256SUMS"):
        path = work / "sign-off" / name
        data = path.read_bytes()
        path.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
        what = f"check, one bit of {name} changed"
        yield from expect("NO: NO: ", what, "sh", script, "check", "/mnt/release.pub")
        path.write_bytes(data)


def main() -> int:
    storage = base.storage()
    faults = []
    with tempfile.TemporaryDirectory(prefix="repaudit-sign-off-", dir="/var/tmp") as name:
        folder = Path(name)
        root = clean_root(folder)
        kept, context = build(folder, storage)
        archive = None
        for kind in ("ecdsa", "ed25519"):
            (work := folder / kind).mkdir()
            pair, wrong = key_pair(work / "keys", kind), key_pair(work / "other", kind)
            output = work / "sign-off"
            must(*OURS, "sign-off", kept, "--key", pair.private, "--output", output)
            archive = archive or build_again(folder, output / "reproduce.sh", context, storage)
            os.link(archive, work / "app.tar")
            shutil.copy(pair.public, work / "release.pub")
            shutil.copy(wrong.public, work / "wrong.pub")
            faults += check(kind, root, work)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(faults)} failures")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
