"""Registries on this machine: Debian's docker-registry, and a small one that knows referrers.

No registry that can be installed here has the referrers API, so that one is written down from the
distribution-spec; it asks for a login, too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOGIN = "Basic " + base64.b64encode(b"ann:secret").decode()
INDEX = "application/vnd.oci.image.index.v1+json"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """Run docker-registry on an empty folder; yield its host and port."""
    host = f"127.0.0.1:{free_port()}"
    config = folder / "registry.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}"
    config.write_text(f"version: 0.1\n{storage}\nhttp: {{addr: '{host}'}}\n")
    log = subprocess.DEVNULL
    server = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://{host}/v2/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield host
    finally:
        server.terminate()
        server.wait()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stored: dict[str, tuple[str, bytes]]

    def log_message(self, *_: object) -> None:
        pass

    def _say(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _known(self) -> bool:
        if self.headers.get("Authorization") == LOGIN:
            return True
        self._say(401, WWW_Authenticate='Basic realm="here"')
        return False

    def do_GET(self) -> None:
        if not self._known():
            return
        _, kind, name = self.path.rsplit("/", 2)
        if kind == "referrers":
            self._say(200, self._referrers(name), Content_Type=INDEX)
        elif name in self.stored:
            self._say(200, self.stored[name][1], Content_Type=self.stored[name][0])
        else:
            self._say(404, b"{}")

    do_HEAD = do_GET

    def _referrers(self, digest: str) -> bytes:
        found = []
        for name, (media_type, data) in self.stored.items():
            plain = json.loads(data) if media_type.endswith("manifest.v1+json") else {}
            if plain.get("subject", {}).get("digest") == digest:
                kind = {"artifactType": plain["artifactType"]}
                entry = {"digest": name, "size": len(data), "mediaType": media_type}
                found.append(kind | entry)
        return json.dumps({"schemaVersion": 2, "manifests": found}).encode()

    def do_POST(self) -> None:
        self._read()
        if self._known():
            self._say(202, Location=f"{self.path}session?state=1")

    def do_PUT(self) -> None:
        data = self._read()
        if not self._known():
            return
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        kind = self.headers.get("Content-Type") or ""
        self.stored[digest] = (kind, data)
        listed = kind.endswith("manifest.v1+json") and b'"subject"' in data
        self._say(201, **({"OCI_Subject": "yes"} if listed else {}))


def certificate(folder: Path, address: str) -> Path:
    """Make a certificate of its own authority for an address, with the key in the same file."""
    path = folder / "registry.pem"
    new = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    name = ["-subj", "/CN=registry", "-addext", f"subjectAltName=IP:{address}"]
    argv = ["openssl", "req", *new, *name, "-keyout", path, "-out", folder / "authority.pem"]
    subprocess.run(argv, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (folder / "authority.pem").read_bytes())
    return path


@contextmanager
def modern_registry(
    address: str = "127.0.0.1", tls: Path | None = None
) -> Iterator[tuple[str, dict[str, tuple[str, bytes]]]]:
    """Run a registry with the referrers API and a login; yield its host, and what it stores.

    `tls` is a file with certificate and key.
    """
    stored: dict[str, tuple[str, bytes]] = {}
    handler = type("Handler", (_Handler,), {"stored": stored})
    with ThreadingHTTPServer((address, 0), handler) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"{address}:{server.server_address[1]}", stored
        finally:
            server.shutdown()
            thread.join()
