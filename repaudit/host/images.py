"""What registries have of images, asked by skopeo, which has the user's mirrors and logins."""

from __future__ import annotations

import re

from repaudit.host import process
from repaudit.host.fetch import Answer, Known

#: Seconds for one manifest.
_PATIENCE = 120.0
#: How registries say that they have no such image (distribution-spec, "Error Codes").
_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
_ABSENT = re.compile(r"manifest unknown|name unknown|repository name not known")


def manifest(reference: str) -> Answer:
    """Return the bytes of an image's manifest or index, by NAME[:TAG][@DIGEST].

    That they have the digest is not checked here. Raises ToolMissingError without skopeo.
    """
    skopeo = process.require("skopeo", "skopeo")
    result = process.run([skopeo, "inspect", "--raw", f"docker://{reference}"], timeout=_PATIENCE)
    if result.status == 0:
        return Answer(known=Known.FOUND, data=result.stdout)
    words = plain(result.last_words)
    known = Known.ABSENT if _ABSENT.search(words) else Known.UNKNOWN
    return Answer(known=known, reason=words)


def plain(words: str) -> str:
    """Return what skopeo's last line says, without the time and the quotes that it puts around."""
    match = _FATAL.search(words)
    return re.sub(r"\\(.)", r"\1", match[1]) if match else words
