"""A registry over HTTP (OCI distribution-spec): manifests, small blobs, and lists of referrers.

Images go through skopeo; this is for what skopeo does not know. Credentials are those that
`skopeo login` or `docker login` wrote to a file. A registry on this machine is spoken to in clear.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from msgspec import Struct
from requests.auth import AuthBase, HTTPBasicAuth

from repaudit.model.errors import MalformedError, SourceError, UsageError

_MAX_BYTES = 16 << 20
#: Characters of a reference.
_MAX_NAME = 1000
#: Seconds to wait for a connection, and for the next byte.
_TIMEOUT = (10, 60)
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
_LABEL = "[A-Za-z0-9-]+"
_HOST = rf"localhost(?::\d+)?|{_LABEL}(?:\.{_LABEL})+(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?|{_LABEL}:\d+"
_REFERENCE = re.compile(
    rf"(?:docker:/{{2}})?(?P<host>{_HOST})/(?P<name>{_NAME})"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.manifest.v1",
        "oci.image.index.v1",
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
    )
)


class Manifest(Struct, frozen=True, kw_only=True):
    """A manifest as the registry holds it: its exact bytes, verified, and their type."""

    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """The digest of the bytes."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()


class Repository:
    """One repository of a registry. Every method raises SourceError where the registry refuses."""

    def __init__(self, host: str, name: str) -> None:
        local = urlsplit(f"//{host}").hostname in {"localhost", "127.0.0.1", "::1"}
        self.name = f"{host}/{name}"
        scheme = "http" if local else "https"
        self._base = f"{scheme}://{host}/v2/{name}/"
        self._session = requests.Session()
        self._session.auth = _Login(scheme, host)

    def manifest(self, reference: str) -> Manifest | None:
        """Return the manifest called `reference`, a tag or a digest; None where there is none."""
        answer = self._ask("GET", f"manifests/{reference}", headers={"Accept": _ACCEPT})
        if answer.status_code == requests.codes.not_found:
            return None
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        found = Manifest(data=self._body(answer), media_type=kind)
        if ":" in reference and found.digest != reference:
            raise MalformedError(f"{self.name}: not the manifest {reference}, but {found.digest}")
        return found

    def put_manifest(self, reference: str, manifest: Manifest) -> bool:
        """Store a manifest; return whether the registry lists it with its subject by itself."""
        kind = {"Content-Type": manifest.media_type}
        answer = self._ask("PUT", f"manifests/{reference}", data=manifest.data, headers=kind)
        self._body(answer)
        return "OCI-Subject" in answer.headers

    def blob(self, digest: str) -> bytes:
        """Return a blob of at most 16 MiB, verified."""
        data = self._body(self._ask("GET", f"blobs/{digest}"))
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise MalformedError(f"{self.name}: not the blob {digest}")
        return data

    def put_blob(self, data: bytes) -> None:
        """Store a blob, unless it is there."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if self._ask("HEAD", f"blobs/{digest}").status_code == requests.codes.ok:
            return
        started = self._ask("POST", "blobs/uploads/")
        self._body(started)
        where = urljoin(started.url, started.headers.get("Location", ""))
        where += ("&" if urlsplit(where).query else "?") + f"digest={digest}"
        kind = {"Content-Type": "application/octet-stream"}
        self._body(self._ask("PUT", where, data=data, headers=kind))

    def referrers(self, digest: str) -> bytes | None:
        """Return the registry's list of what refers to `digest`; None where it has no such API."""
        answer = self._ask("GET", f"referrers/{digest}")
        # some registries answer any unknown path with their web page
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        known = answer.status_code == requests.codes.ok and kind.endswith("index.v1+json")
        return self._body(answer) if known else None

    def _ask(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                urljoin(self._base, path),
                data=data,
                headers=headers,
                stream=True,
                timeout=_TIMEOUT,
            )
        except requests.RequestException as error:
            raise SourceError(
                f"{self.name} cannot be reached: {error}",
                hint="is it running, and can it be reached from here?",
            ) from error

    def _body(self, answer: requests.Response) -> bytes:
        data = b""
        try:
            for chunk in answer.iter_content(1 << 20):
                data += chunk
                if len(data) > _MAX_BYTES:
                    break
        except requests.RequestException as error:
            raise SourceError(f"{self.name}: {error}", hint="try again") from error
        if not answer.ok:
            words = data[:200].decode(errors="replace").strip() or answer.reason
            login = "log in with `skopeo login`, and see that you may write there"
            raise SourceError(f"{self.name}: {answer.status_code} {words}", hint=login)
        if len(data) > _MAX_BYTES:
            raise MalformedError(f"{self.name}: an answer of more than {_MAX_BYTES} bytes")
        return data


def parse_reference(text: str) -> tuple[Repository, str]:
    """Return the repository of `HOST/NAME[:TAG][@DIGEST]`, and the tag or digest."""
    match = _REFERENCE.fullmatch(text) if len(text) < _MAX_NAME else None
    if match is None:
        raise UsageError(
            f"not an image in a registry: {text!r:.120}",
            hint="write HOST/NAME@sha256:…, with the registry's host, in small letters",
        )
    return Repository(match["host"], match["name"]), match["digest"] or match["tag"] or "latest"


class _Login(AuthBase):
    """Answers a challenge of its own host (RFC 9110, and the registries' token protocol).

    What is secret goes there alone, and never in clear where the registry is spoken to in TLS: a
    registry may name another place for an upload.
    """

    def __init__(self, scheme: str, host: str) -> None:
        self._scheme = scheme
        self._host = host
        self._header: str | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        asked = urlsplit(request.url or "")
        if (asked.scheme, asked.netloc) == (self._scheme, self._host):
            if self._header:
                request.headers["Authorization"] = self._header
            request.register_hook("response", self._answer)  # type: ignore[no-untyped-call]
        return request

    def _answer(
        self,
        answer: requests.Response,
        **options: Any,  # noqa: ANN401 - what `send` was given
    ) -> requests.Response:
        if answer.status_code != requests.codes.unauthorized:
            return answer
        header = self._authorization(answer.headers.get("WWW-Authenticate", ""))
        again = answer.request.copy()
        if header is None or again.headers.get("Authorization") == header:
            return answer
        self._header = again.headers["Authorization"] = header
        again.hooks = {"response": []}
        answer.close()
        # The options are those of the first try: the user's proxy, and the authorities they trust.
        found: requests.Response = answer.connection.send(again, **options)
        found.history.append(answer)
        found.request = again
        return found

    def _authorization(self, challenge: str) -> str | None:
        scheme, _, rest = challenge.partition(" ")
        login = _credentials(self._host)
        if scheme.lower() == "basic" and login:
            return "Basic " + base64.b64encode(":".join(login).encode()).decode()
        if scheme.lower() != "bearer":
            return None
        asked = requests.utils.parse_dict_header(rest)  # type: ignore[no-untyped-call]
        realm = asked.pop("realm", "") or ""
        if urlsplit(realm).scheme != "https":
            return None
        auth = HTTPBasicAuth(*login) if login else None
        token = requests.get(realm, params=asked, auth=auth, timeout=_TIMEOUT)
        plain = token.json() if token.ok else {}
        found = plain.get("token") or plain.get("access_token")
        return f"Bearer {found}" if found else None


def _credentials(host: str) -> tuple[str, str] | None:
    """Return the user and password that a login wrote down for a host (containers-auth.json(5))."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    named = os.environ.get("REGISTRY_AUTH_FILE")
    places = (
        [Path(named)]
        if named
        else [
            Path(runtime) / "containers/auth.json",
            Path("~/.config/containers/auth.json").expanduser(),
            Path("~/.docker/config.json").expanduser(),
        ]
    )
    for path in places:
        try:
            entry = json.loads(path.read_bytes())["auths"][host]["auth"]
            user, _, password = base64.b64decode(entry).decode().partition(":")
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no such file, or no login for this host: the registry may be open
        return user, password
    return None
