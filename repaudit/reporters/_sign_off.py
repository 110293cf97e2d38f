"""A sign-off for people: a page, and a script by which a stranger checks it and builds again."""

from __future__ import annotations

import shlex

from repaudit.model.sign_off import SignOff, SourceState
from repaudit.model.text import printable
from repaudit.reporters._page import file, page

_BUILT = {"manifest as built", "manifest", "index"}


def sign_off_page(sign_off: SignOff) -> bytes:
    """Return the page; the same sign-off gives the same bytes."""
    signed, *others = sign_off.images
    return page(
        "sign-off.html",
        it=sign_off,
        signed=signed,
        others=others,
        address=_address(sign_off.source),
        joined=shlex.join,
    )


def reproduce_script(sign_off: SignOff) -> bytes:
    """Return a POSIX shell script that needs git, buildah, skopeo and openssl, and no repaudit."""
    signed = sign_off.images[0].identities
    source = sign_off.source
    modules = source.submodules if source else ()
    words = {
        "CONFIG": next(one.digest for one in signed if one.kind == "config"),
        "MANIFESTS": " ".join(one.digest for one in signed if one.kind in _BUILT),
        "COMMIT": source.commit if source else "",
        "URI": _address(source) or "",
        "FOLDER": (source.folder or "") if source else "",
        "SUBMODULES": "\n".join(one.path for one in modules if one.state != "absent"),
        "BASES": "\n".join(f"{base.digest} {base.name}" for base in sign_off.bases),
    }
    tools = (f"#   {printable(_named(*tool))}" for tool in sorted(sign_off.tools.items()))
    *command, context = sign_off.subject.command or ("false", ".")
    lines = (
        "#!/bin/sh",
        f"# Check what was signed off of {printable(sign_off.name)}, and build it again.",
        "# It was built with:",
        *tools,
        "set -eu",
        *(f"{name}={shlex.quote(text)}" for name, text in words.items()),
        "",
        f'run() {{ {shlex.join(command)} --iidfile="$1" {shlex.quote(context)}; }}',
    )
    text = "".join(f"{line}\n" for line in lines) + file("reproduce.sh")
    return text.encode("utf-8", "surrogateescape")


def _named(tool: str, version: str) -> str:
    """Return what a tool says of its version, with its name, which not each says itself."""
    return version if tool in version else f"{tool} {version}"


def _address(source: SourceState | None) -> str | None:
    """Return where git clones the source from: its URI without what says that it is git's."""
    return source.uri.removeprefix("git+") if source and source.uri else None
