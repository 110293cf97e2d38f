"""Does a stranger with nothing but Debian get through with a sign-off? `make check-sign-off`.

The demo's repaired image is built, signed off with both kinds of keys, built again by its
reproduce.sh, and released as an archive. Then all of it is checked in a root file system that
mmdebstrap makes of a handful of Debian packages, without a network and without Python: the sums,
the signature over them, each statement's DSSE signature (with openssl, jq and printf), the
released image; and the same with one byte changed, which must be refused. Takes two minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import base
from tests.kept import KeyPair, key_pair

CASE = Path(__file__).parent.parent / "golden" / "clean-service"
PACKAGES = "openssl,jq,skopeo"
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
#: What a stranger types who trusts no script of ours: $1 is the public key.
BY_HAND = r"""
set -eu
cd /work/sign-off
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
    """Run in the root, without a network; /work is ours, and read-only."""
    box = ["bwrap", "--ro-bind", root, "/", "--ro-bind", work, "/work", "--proc", "/proc"]
    box += ["--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--unshare-all"]
    box += ["--clearenv", "--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin"]
    box += ["--setenv", "HOME", "/tmp", "--setenv", "KEY", key, "--chdir", "/work", "--", *argv]
    return run(*box)


def signed_off(folder: Path, work: Path, pair: KeyPair, storage: dict[str, str]) -> None:
    """Build, sign off, build again as a stranger, and release an archive, all below `work`."""
    context = folder / "app"
    shutil.copytree(CASE, context)
    must("git", "-C", context, "init", "--quiet")
    must(*GIT, "-C", context, "add", "--all")
    must(*GIT, "-C", context, "commit", "--quiet", "--message=demo")
    ours = (sys.executable, "-m", "repaudit")
    audit = ("rebuild", "--quiet", "--timestamp=1700000000", "--output", folder / "run", context)
    print(must(*ours, *audit, env=storage).splitlines()[0])
    must(*ours, "sign-off", folder / "run", "--key", pair.private, "--output", work / "sign-off")
    # A storage of the stranger's own, with the base image by the digest that the script asks for.
    conf = folder / "storage.conf"
    words = f'graphroot = "{folder}/g"\nrunroot = "{folder}/r"\n'
    conf.write_text(f'[storage]\ndriver = "overlay"\n{words}')
    own = {"CONTAINERS_STORAGE_CONF": str(conf)}
    layout = f"oci:{folder}/base:base"
    copy = ("skopeo", "copy", "--quiet", "--preserve-digests")
    must(*copy, f"containers-storage:{base.NAME}", layout, env=storage)
    must(*copy, layout, f"containers-storage:{base.NAME}", env=own)
    try:
        print(must("sh", work / "sign-off" / "reproduce.sh", "build", context, env=own), end="")
        built = must("buildah", "images", "--quiet", "--no-trunc", env=own).split()[0]
        archive = f"oci-archive:{work}/app.tar:app"
        must(*copy, f"containers-storage:{built.removeprefix('sha256:')}", archive, env=own)
    finally:
        run("umount", folder / "g" / "overlay")  # buildah leaves its storage mounted on itself


def check(kind: str, folder: Path, root: Path, storage: dict[str, str]) -> list[str]:
    (work := folder / "work").mkdir(parents=True)
    pair, wrong = key_pair(folder / "keys", kind), key_pair(folder / "wrong", kind)
    signed_off(folder, work, pair, storage)
    shutil.copy(pair.public, work / "release.pub")
    shutil.copy(wrong.public, work / "wrong.pub")
    script = "/work/sign-off/reproduce.sh"
    faults = []

    def expect(code: int, what: str, *argv: str, key: str = "/work/release.pub") -> None:
        status, said = inside(root, work, *argv, key=key)
        right = status == code if code == 0 else status not in {0, 2, 126, 127}
        print(f"{'ok  ' if right else 'FAIL'} {kind}: {what}")
        if code == 0 and "DSSE" not in what:
            print("".join(f"       {line}\n" for line in said.splitlines()), end="")
        if not right:
            faults.append(f"{what}: {status}\n{said}")

    expect(1, "there is no Python in it", "sh", "-c", "command -v python3")
    expect(0, "sums, signature, statements by hand (DSSE)", "sh", "-c", BY_HAND)
    expect(1, "by hand with another key", "sh", "-c", BY_HAND, key="/work/wrong.pub")
    expect(0, "reproduce.sh check", "sh", script, "check", "/work/release.pub")
    expect(1, "reproduce.sh check, another key", "sh", script, "check", "/work/wrong.pub")
    expect(0, "reproduce.sh image", "sh", script, "image", "oci-archive:/work/app.tar")
    for name in ("sign-off.json", "statements.sigstore.jsonl", "SHA256SUMS"):
        path = work / "sign-off" / name
        data = path.read_bytes()
        path.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
        expect(1, f"one bit of {name} changed", "sh", script, "check", "/work/release.pub")
        path.write_bytes(data)
    return faults


def main() -> int:
    storage = base.storage()
    faults = []
    with tempfile.TemporaryDirectory(prefix="repaudit-sign-off-", dir="/var/tmp") as name:
        root = clean_root(Path(name))
        for kind in ("ecdsa", "ed25519"):
            faults += check(kind, Path(name) / kind, root, storage)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(faults)} failures")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
