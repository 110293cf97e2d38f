"""What apt on this machine is set to, and signatures by Debian's keys (apt.conf(5), gpgv(1))."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from repaudit.host import process
from repaudit.host.scratch import scratch
from repaudit.model.errors import MalformedError, ToolFailedError

#: Where the package debian-archive-keyring puts its keys.
_KEYRINGS = "/usr/share/keyrings"
_SNAPSHOTS = "https://snapshot.debian.org"
#: A line of `apt-get --print-uris`.
_URI = re.compile(
    r"^'(?P<url>[^'\s]+)' (?P<file>\S+\.deb) \d+ SHA256:(?P<digest>[0-9a-f]{64})$", re.MULTILINE
)
#: Seconds: for the lists of all suites, from a slow service.
_PATIENCE = 900.0
_ASKED = {
    "http": "Acquire::http::Proxy",
    "https": "Acquire::https::Proxy",
    "trusted": "Dir::Etc::trusted/f",
    "parts": "Dir::Etc::trustedparts/d",
    "override": "Acquire::Snapshots::URI::Override::Label::Debian",
    "label": "Acquire::Snapshots::URI::Label::Debian",
}


class AptSettings(Struct, frozen=True, kw_only=True):
    """The snapshot service, the proxies by scheme, and the keyrings that may sign for Debian."""

    snapshots: str
    proxies: Mapping[str, str]
    keyrings: tuple[Path, ...]


class List(Struct, frozen=True, kw_only=True):
    """An index that apt on this machine has fetched. `key` is its path as InRelease names it."""

    inrelease: Path
    packages: Path
    key: str
    repository: str


def settings() -> AptSettings:
    """Return what apt on this machine is set to; Debian's defaults where there is no apt."""
    words: dict[str, str] = {}
    if process.find_tool("apt-config"):
        asked = [word for pair in _ASKED.items() for word in pair]
        text = process.check(["apt-config", "shell", *asked], doing="asking apt for its settings")
        words = dict(word.split("=", 1) for word in shlex.split(text.decode(errors="replace")))
    template = words.get("override") or words.get("label") or ""
    service, archive, _ = template.partition("/archive/")
    proxies = {scheme: words[scheme] for scheme in ("http", "https") if words.get(scheme)}
    rings = [*Path(_KEYRINGS).glob("debian-archive-*.gpg")]
    if words.get("parts"):
        rings += Path(words["parts"]).glob("*.gpg")
    if words.get("trusted"):
        rings.append(Path(words["trusted"]))
    return AptSettings(
        snapshots=service if archive else _SNAPSHOTS,
        proxies={scheme: "" if one == "DIRECT" else one for scheme, one in proxies.items()},
        keyrings=tuple(sorted(ring for ring in rings if ring.is_file())),
    )


def signed_text(data: bytes, keyrings: Sequence[Path], name: str) -> bytes:
    """Return what is signed in a clear-signed message, and nothing that stands around it.

    One good signature by a key of `keyrings` is enough, and one bad is too many. `name` is what
    messages call it. Raises MalformedError where the signature does not hold.
    """
    process.require("gpgv", "gpgv")
    with TemporaryDirectory() as folder:
        message, text = Path(folder, "signed"), Path(folder, "text")
        message.write_bytes(data)
        rings = [word for ring in keyrings for word in ("--keyring", str(ring))]
        ask = ["gpgv", "--status-fd", "1", *rings, "--output", str(text), str(message)]
        told = process.run(ask, env={"GNUPGHOME": folder}).stdout.decode(errors="replace")
        states = {line.split()[1] for line in told.splitlines() if line.startswith("[GNUPG:] ")}
        if "VALIDSIG" not in states or "GOODSIG" not in states or "BADSIG" in states:
            reasons = states & {"BADSIG", "NO_PUBKEY", "EXPKEYSIG", "REVKEYSIG", "NODATA"}
            raise MalformedError(
                f"{name}: the signature does not hold ({', '.join(sorted(reasons)) or 'none'})",
                hint="install debian-archive-keyring, or get the index elsewhere",
            )
        return text.read_bytes() if text.exists() else b""


def own_lists() -> tuple[List, ...]:
    """Return the Packages indexes that apt on this machine holds, as they were fetched."""
    if process.find_tool("apt-get") is None:
        return ()
    form = "$(FILENAME)\t$(METAKEY)\t$(REPO_URI)\t$(RELEASE)"
    result = process.run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    found = []
    for line in result.stdout.decode(errors="replace").splitlines():
        packages, key, repository, _ = line.split("\t")
        stem = packages.partition("_" + key.replace("/", "_"))[0]
        one = List(
            inrelease=Path(stem + "_InRelease"),
            packages=Path(packages),
            key=key,
            repository=repository,
        )
        if one.inrelease.is_file() and one.packages.is_file():
            found.append(one)
    return tuple(found)


def plain(path: Path) -> bytes:
    """Return the bytes of a list of apt's, whatever it is compressed with."""
    helper = "/usr/lib/apt/apt-helper"
    result = process.run([helper, "cat-file", str(path)])
    if result.status != 0:
        raise ToolFailedError(f"reading apt's lists: {result.last_words}")
    return result.stdout


class Taken(Struct, frozen=True, kw_only=True):
    """A .deb that apt would fetch: its address, its name there, and its SHA-256 in hex."""

    url: str
    file: str
    sha256: str


def resolve(
    sources: str, status: bytes, architecture: str, names: Sequence[str], asked: AptSettings
) -> tuple[Taken, ...]:
    """Return what apt would fetch to install `names` beside what a dpkg status has.

    It runs in a root of its own, with these one-line `sources`, and installs nothing. Packages that
    are recommended are among them. Raises ToolFailedError, with apt's own words.
    """
    process.require("apt-get", "apt")
    with scratch() as folder:
        for path in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d"):
            (folder / path).mkdir(parents=True)
        (folder / "status").write_bytes(status)
        (folder / "etc/sources.list").write_text(sources)
        settings = {
            "Dir": f"{folder}/",
            "Dir::Etc": "etc/",
            "Dir::Etc::sourceparts": "none",
            "Dir::State": "state/",
            "Dir::State::status": f"{folder}/status",
            "Dir::Cache": "cache/",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "",
            "Acquire::ForceHash": "SHA256",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        settings |= {
            f"Acquire::{scheme}::Proxy": proxy or "DIRECT"
            for scheme, proxy in asked.proxies.items()
        }
        (folder / "conf").write_text("".join(f'{k} "{v}";\n' for k, v in settings.items()))
        env = {"APT_CONFIG": str(folder / "conf")}
        words = ["apt-get", "-qq", "--yes"]

        def ask(*more: str) -> str:
            result = process.run([*words, *more], env=env, timeout=_PATIENCE)
            if result.status != 0:
                raise ToolFailedError(f"apt-get: {result.last_words.removeprefix('E: ')[:300]}")
            return result.stdout.decode(errors="replace")

        ask("update", "--error-on=any")
        return tuple(_taken(ask("install", "--print-uris", "--", *names)))


def _taken(text: str) -> Iterator[Taken]:
    for match in _URI.finditer(text):
        yield Taken(url=match["url"], file=match["file"], sha256=match["digest"])
