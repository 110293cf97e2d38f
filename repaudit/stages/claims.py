"""Compare the claims of a Confidential Space token with an audited image, offline.

The token's own signature and its age are not judged: its issuer's keys are not here, and a token
of last year may be what is looked into. A claim that is missing is a fault, never a pass.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from repaudit.model.errors import MalformedError
from repaudit.reference_values import Audited
from repaudit.stages.launch_policy import allowed_environment

_CONFIDENTIAL = ("GCP_AMD_SEV", "GCP_AMD_SEV_ES", "GCP_INTEL_TDX", "INTEL_TDX")
_MACHINE = (
    ("swname", ("CONFIDENTIAL_SPACE",)),
    ("dbgstat", ("disabled-since-boot",)),
    ("secboot", (True,)),
    ("hwmodel", _CONFIDENTIAL),
)
#: Set by the launcher for every container.
_LAUNCHERS = frozenset({"HOSTNAME"})
#: containerd's, where the image has no environment.
_DEFAULT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
_HINT = "give the token, or its claims as JSON"


def parse_claims(data: bytes) -> dict[str, Any]:
    """Return the claims of a JWT (RFC 7519), or of plain JSON; raise MalformedError for neither."""
    text = data.strip()
    try:
        if text.count(b".") == 2 and not text.startswith(b"{"):
            body = text.split(b".")[1]
            text = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
        claims = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"no claims of a token: {error}", hint=_HINT) from error
    if not isinstance(claims, dict):
        raise MalformedError("no claims of a token: no object", hint=_HINT)
    return claims


def faults(claims: dict[str, Any], audited: Audited) -> tuple[str, ...]:
    """Return in what the claims do not fit the image on a hardened machine; nothing is good."""
    return (*_of_machine(claims), *_of_container(claims, audited))


def _of_machine(claims: dict[str, Any]) -> Iterator[str]:
    for name, wanted in _MACHINE:
        said = claims.get(name)
        if type(said) is not type(wanted[0]) or said not in wanted:  # 1 is not true
            yield f"{name} is {said!r:.80}, not {' or '.join(map(str, wanted))}"
    support = _within(claims, "submods", "confidential_space", "support_attributes")
    if not isinstance(support, list) or "STABLE" not in support:
        yield f"support_attributes is {support!r:.80}, without STABLE"


def _of_container(claims: dict[str, Any], audited: Audited) -> Iterator[str]:
    container = _within(claims, "submods", "container")
    if not isinstance(container, dict):
        yield "there is no container in the claims"
        return
    for name, wanted in (("image_digest", audited.digest), ("image_id", audited.image_id)):
        if container.get(name) != wanted:
            yield f"{name} is {container.get(name)!r:.90}, not {wanted}"
    if container.get("cmd_override"):
        yield f"the command was changed: {container['cmd_override']!r:.200}"
    elif container.get("args") != list(audited.arguments):
        yield f"it ran {container.get('args')!r:.200}, not {list(audited.arguments)!r:.200}"
    yield from _of_environment(container, audited)


def _of_environment(container: dict[str, Any], audited: Audited) -> Iterator[str]:
    found, changed = container.get("env"), container.get("env_override") or {}
    if not isinstance(found, dict) or not isinstance(changed, dict):
        yield "there is no environment in the claims"
        return
    allowed = allowed_environment(audited.labels)
    known = dict(text.partition("=")[::2] for text in audited.environment or _DEFAULT)
    for name in sorted(changed):
        if name not in allowed:
            yield f"the variable {name!r:.80} was set, which the image does not allow"
    for name in sorted({*found, *known} - set(changed) - _LAUNCHERS):
        seen, wanted = found.get(name), known.get(name)
        if seen != wanted:
            yield f"the variable {name!r:.80} is {seen!r:.80}, not {wanted!r:.80}"


def _within(value: object, *keys: str) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
