"""A snapshot service of Debian on loopback: dated, signed runs, and what can go wrong with them.

It answers as snapshot.debian.org does (`/archive/`, `/file/`, `/mr/`), and as an HTTP proxy, so
that unmodified addresses lead here.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import subprocess
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

HOST = "http://snapshot.debian.org"
ARCHITECTURE = "amd64"
SUITES = {"debian": "bookworm", "debian-security": "bookworm-security"}
#: A suite that base images name as well, and that has nothing in it.
EMPTY = {"debian": ("bookworm-updates",)}

#: Archive, then run, then package, then version.
Runs = Mapping[str, Mapping[str, Mapping[str, str]]]


class Archives:
    """The files of all runs, below `folder`, signed by a key that is made for them."""

    def __init__(self, folder: Path, runs: Runs, *, lives: int | None = None) -> None:
        """`lives`: days for which a Release file is valid."""
        self.folder, self.runs, self._lives = folder, runs, lives
        self.keyring = folder / "keys" / "standin.gpg"
        self._home = Path(tempfile.mkdtemp(prefix="k"))  # the agent's socket wants a short path
        self.keyring.parent.mkdir(parents=True)
        self._gpg("--quick-gen-key", "standin@example.org", "ed25519", "sign", "never")
        self._gpg("--output", self.keyring, "--export")
        self.files: dict[str, Path] = {}
        for archive, dated in runs.items():
            for run, packages in dated.items():
                self._run(archive, run, packages)
        for path in sorted((folder / "tree").rglob("*")):
            if path.is_file():
                self.files.setdefault(hashlib.sha1(path.read_bytes()).hexdigest(), path)

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", self._home, "--kill", "all"], check=True)
        shutil.rmtree(self._home, ignore_errors=True)

    def deb(self, name: str, version: str) -> Path:
        """Return the .deb of a package; it depends on `base`, and holds files and a conffile."""
        found = self.folder / "debs" / f"{name}_{version}_{ARCHITECTURE}.deb"
        if not found.exists():
            root = self.folder / "build" / f"{name}-{version}"
            depends = "" if name == "base" else "Depends: base\n"
            control = (
                f"Package: {name}\nVersion: {version}\nArchitecture: {ARCHITECTURE}\n{depends}"
                f"Maintainer: Nobody <nobody@example.org>\nDescription: {name}\n of the stand-in\n"
            )
            (root / "DEBIAN").mkdir(parents=True)
            (root / "DEBIAN" / "control").write_text(control)
            (root / "usr/share" / name).mkdir(parents=True)
            (root / "usr/share" / name / "version").write_text(version)
            (root / "usr/share/doc" / name).mkdir(parents=True)
            (root / "usr/share/doc" / name / "copyright").write_text("nobody's")
            (root / "etc").mkdir()
            (root / "etc" / f"{name}.conf").write_text("as released\n")
            (root / "DEBIAN" / "conffiles").write_text(f"/etc/{name}.conf\n")
            sums = "".join(
                f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n"
                for path in sorted((root / "usr").rglob("*"))
                if path.is_file()
            )
            (root / "DEBIAN" / "md5sums").write_text(sums)
            found.parent.mkdir(exist_ok=True)
            build = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", root, found]
            environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
            subprocess.run(build, check=True, capture_output=True, env=environment)
        return found

    def _gpg(self, *words: object) -> None:
        ask = ["gpg", "--homedir", self._home, "--batch", "--yes", "--passphrase", "", "--quiet"]
        subprocess.run([*ask, *map(str, words)], check=True, capture_output=True)

    def _run(self, archive: str, run: str, packages: Mapping[str, str]) -> None:
        root = self.folder / "tree" / archive / run
        pool = root / "pool"
        pool.mkdir(parents=True)
        for name, version in packages.items():
            deb = self.deb(name, version)
            os.link(deb, pool / deb.name)
        listing = ["apt-ftparchive", "packages", "pool"]
        index = subprocess.run(listing, cwd=root, check=True, capture_output=True).stdout
        self._suite(archive, run, SUITES[archive], index)
        for name in EMPTY.get(archive, ()):
            self._suite(archive, run, name, b"")

    def _suite(self, archive: str, run: str, name: str, index: bytes) -> None:
        suite = self.folder / "tree" / archive / run / "dists" / name
        place = suite / "main" / f"binary-{ARCHITECTURE}"
        files = {"Packages": index, "Packages.xz": lzma.compress(index)}
        (place / "by-hash" / "SHA256").mkdir(parents=True)
        sums = []
        for file, data in files.items():
            digest = hashlib.sha256(data).hexdigest()
            (place / file).write_bytes(data)
            (place / "by-hash" / "SHA256" / digest).write_bytes(data)
            sums.append(f" {digest} {len(data)} main/binary-{ARCHITECTURE}/{file}\n")
        (suite / "Release").write_text(
            self._release(archive, run, name) + "SHA256:\n" + "".join(sums)
        )
        self._gpg("--output", suite / "InRelease", "--clearsign", suite / "Release")

    def _release(self, archive: str, run: str, suite: str) -> str:
        when = datetime.strptime(run, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        label = {"debian": "Debian", "debian-security": "Debian-Security"}[archive]
        fields = {
            "Origin": "Debian",
            "Label": label,
            "Suite": suite,
            "Codename": suite,
            "Date": format_datetime(when, usegmt=True),
            "Acquire-By-Hash": "yes",
            "Architectures": ARCHITECTURE,
            "Components": "main",
        }
        if self._lives is not None:
            fields["Valid-Until"] = format_datetime(when + timedelta(days=self._lives), usegmt=True)
        return "".join(f"{name}: {value}\n" for name, value in fields.items())


class Service:
    """Serves archives; `faults` maps a part of a path to what happens to it.

    `vanished`, `tampered`, `busy` (429 for ever), `busy once`, `slow` (nothing comes any more) and
    `cut off`. `moved` puts one part of a path in the place of another: what is served there is of
    somewhere else. `asked` holds every path that was asked for.
    """

    def __init__(self, archives: Archives, port: int) -> None:
        self.archives, self.port = archives, port
        self.faults: dict[str, str] = {}
        self.moved: dict[str, str] = {}
        self.asked: list[str] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, path: str) -> str | None:
        for part, fault in self.faults.items():
            if part in path:
                if fault == "busy once":
                    del self.faults[part]
                return fault
        return None

    def find(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers."""
        for part, other in self.moved.items():
            path = path.replace(part, other)
        parts = urlsplit(path)
        words = unquote(parts.path).strip("/").split("/")
        if words[0] == "mr":
            body = self._machine(words[1:], parse_qs(parts.query))
            return (404, b"", {}) if body is None else (200, json.dumps(body).encode(), {})
        if words[0] == "file" and len(words) > 1 and words[1] in self.archives.files:
            return 200, self.archives.files[words[1]].read_bytes(), {}
        if words[0] == "archive" and len(words) > 2:
            return self._archive(words[1], words[2], "/".join(words[3:]))
        return 404, b"", {}

    def _archive(self, archive: str, instant: str, path: str) -> tuple[int, bytes, dict[str, str]]:
        runs = sorted(self.archives.runs.get(archive, ()))
        at = bisect_right(runs, instant)
        if not at:
            return 404, b"", {}
        file = self.archives.folder / "tree" / archive / runs[at - 1] / path
        if file.is_dir():
            canonical = f"/archive/{archive}/{runs[at - 1]}/{path}"
            return (
                (200, b"", {}) if runs[at - 1] == instant else (301, b"", {"Location": canonical})
            )
        if not file.is_file():
            return 404, b"", {}
        digest = hashlib.sha1(file.read_bytes()).hexdigest()
        return 302, b"", {"Location": f"/file/{digest}/{file.name}"}

    def _machine(self, words: Sequence[str], query: Mapping[str, Sequence[str]]) -> object:
        archives = self.archives
        if words[0] == "timestamp":
            asked = query.get("archive", list(archives.runs))
            return {"result": {name: sorted(archives.runs[name]) for name in asked}}
        if words[0] == "file" and len(words) > 2 and words[1] in archives.files:
            found = [one for one in self._debs() if one["hash"] == words[1]]
            return {"hash": words[1], "result": found}
        if words[0] == "binary" and len(words) > 1:
            versions = {one["version"] for one in self._debs() if one["binary"] == words[1]}
            result = [{"name": words[1], "binary_version": one} for one in sorted(versions)]
            return {"binary": words[1], "result": result} if result else None
        return None

    def _debs(self) -> Iterator[dict[str, str]]:
        for digest, path in self.archives.files.items():
            if path.suffix == ".deb":
                name, version, _ = path.stem.split("_")
                _, archive, run, *_ = path.relative_to(self.archives.folder).parts
                yield {
                    "hash": digest,
                    "binary": name,
                    "version": version,
                    "archive_name": archive,
                    "first_seen": run,
                }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def do_GET(self) -> None:
        split = urlsplit(self.path)  # a proxy is asked for a whole address
        path = split.path + (f"?{split.query}" if split.query else "")
        self.service.asked.append(path)
        fault = self.service.fault(path)
        status, body, headers = self.service.find(path)
        if fault == "vanished":
            status, body, headers = 404, b"", {}
        elif fault in ("busy", "busy once"):
            status, body, headers = 429, b"", {"Retry-After": "1"}
        elif fault and status == 302:  # the bytes come from elsewhere: spoil them here
            status, body, headers = self.service.find(headers["Location"])
        if fault == "tampered":
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "slow":
            self.service.stopping.wait(30)
        if fault in ("slow", "cut off"):
            body, self.close_connection = body[: len(body) // 2], True
        self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:
        """Say nothing."""


@contextmanager
def serve(archives: Archives) -> Iterator[Service]:
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        service = Service(archives, server.server_address[1])
        handler.service = service
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield service
        finally:
            service.stopping.set()
            server.shutdown()
            thread.join()


class Root:
    """A root file system that real apt installs into, without a chroot."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder = folder
        self._service = service
        for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc/apt/preferences.d"):
            (folder / name).mkdir(parents=True)
        for name in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"):
            (folder / name).mkdir(parents=True)
        (folder / "var/lib/dpkg/status").touch()
        self._conf = folder.parent / f"{folder.name}.conf"
        self._conf.write_text(f'Dir "{folder}/";\n')  # the machine's own settings stay out of it
        (folder / "etc/os-release").write_text(
            'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
        )

    def sources(self, instant: str, *archives: str, check: str = "no") -> None:
        """Take packages from a snapshot from now on."""
        text = "".join(
            f"Types: deb\nURIs: {HOST}/archive/{name}/{instant}/\nSuites: {SUITES[name]}\n"
            f"Components: main\nCheck-Valid-Until: {check}\n"
            f"Signed-By: {self._service.archives.keyring}\n\n"
            for name in archives
        )
        (self.folder / "etc/apt/sources.list.d").mkdir(exist_ok=True)
        (self.folder / "etc/apt/sources.list.d/debian.sources").write_text(text)

    def apt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run apt-get in here; what it says is in stdout."""
        options = {
            "Dir": f"{self.folder}/",
            "Dir::State::status": f"{self.folder}/var/lib/dpkg/status",
            "Dir::Bin::dpkg": shutil.which("dpkg"),
            "DPkg::Options::": f"--root={self.folder}",
            "APT::Architecture": ARCHITECTURE,
            "APT::Architectures": ARCHITECTURE,
            "APT::Sandbox::User": "root",
            "Acquire::http::Proxy": self._service.url,
            "Acquire::Retries": "0",
            "Acquire::Languages": "none",
            "Dpkg::Use-Pty": "0",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            "APT_CONFIG": str(self._conf),
        }
        ask = ["apt-get", *given, "--yes", "--allow-downgrades", *words]
        return subprocess.run(
            ask, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def install(self, *names: str) -> None:
        for words in (("update", "--error-on=any"), ("install", *names)):
            done = self.apt(*words)
            assert done.returncode == 0, done.stdout

    def forget_sources(self) -> None:
        shutil.rmtree(self.folder / "etc/apt/sources.list.d")

    def files(self) -> dict[str, bytes]:
        """What of it matters in an image."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and "var/lib/apt" not in str(path) and "cache" not in str(path)
        }
