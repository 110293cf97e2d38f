"""Real clients that resolve what a project asks for: uv, git, and Maven with its lock's plugin."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from repaudit.host import process
from repaudit.host.clients import pip_index
from repaudit.host.git import TAME
from repaudit.host.scratch import scratch
from repaudit.model.errors import ToolFailedError, ToolMissingError

#: Settings of the clients that are the user's to choose: certificates, proxies, interpreters.
_UV = ("UV_PYTHON", "UV_CACHE_DIR", "UV_NATIVE_TLS", "UV_KEYRING_PROVIDER", "UV_INSECURE_HOST")
_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_MAVEN = ("JAVA_HOME", "MAVEN_OPTS", "MAVEN_ARGS")
#: Seconds: for a question to one server, and for all that a project depends on.
_SHORT, _LONG = 60.0, 1800.0
_ASKED = tuple(
    word
    for scheme in ("https", "http", "git", "ssh")
    for word in ("-c", f"protocol.{scheme}.allow=always")
)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LOCK_PLUGIN = "io.github.chains-project:maven-lockfile"


def compile_requirements(file: Path, before: str | None) -> bytes:
    """Return the lock that uv makes of a requirements file: every version, every hash.

    `before` leaves out what was uploaded later (RFC 3339). The index is pip's own. Nothing of a
    package is run: what has no wheel cannot be resolved. Raises ToolMissingError, ToolFailedError.
    """
    uv = process.find_tool("uv")
    if uv is None:
        raise ToolMissingError("uv (`pipx install uv`)", "pipx")
    words = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--generate-hashes"]
    words += ["--universal", "--no-build", "--no-config", "--no-progress", "--color", "never"]
    words += ["--exclude-newer", before] if before else []
    index = pip_index()
    words += ["--default-index", index] if index else []
    result = process.run(
        [*words, "--", file.name], cwd=file.parent, timeout=_LONG, env=_passed(*_UV, *_TRUST)
    )
    if result.status != 0:
        raise ToolFailedError(f"uv: {_reason(result.stderr)}")
    return result.stdout


def remote_commit(url: str, revision: str) -> str:
    """Return the commit that a branch or tag of a repository is now, HEAD's where none is named.

    Raises ToolMissingError, and ToolFailedError where the repository does not answer, or has
    neither.
    """
    process.require("git", "git")
    asked = [f"refs/heads/{revision}", f"refs/tags/{revision}", f"refs/tags/{revision}^{{}}"]
    env = _passed(*_TRUST) | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
    }
    words = ["git", *TAME, *_ASKED, "ls-remote", "--", url, *(asked if revision else ["HEAD"])]
    result = process.run(words, timeout=_SHORT, env=env, cwd=Path("/"))
    if result.status != 0:
        raise ToolFailedError(f"git: {_first(result.stderr, 'fatal:') or result.last_words}")
    lines = (line.partition("\t") for line in result.stdout.decode(errors="replace").splitlines())
    found = {name: commit for commit, _, name in lines if _COMMIT.fullmatch(commit)}
    # As git itself: a tag before a branch of the same name, and what an annotated tag is of.
    order = [*reversed(asked[1:]), asked[0]] if revision else ["HEAD"]
    commit = next((found[name] for name in order if name in found), None)
    if commit is None:
        raise ToolFailedError(f"it has no branch and no tag {revision[:80]!r}")
    return commit


def maven_locks(root: Path, poms: Sequence[str], pom: str) -> Mapping[str, bytes]:
    """Return the lockfile.json of a project and of its modules, by path, as its plugin makes them.

    `poms` are all the tree's, which are copied: nothing is written where they lie. Raises
    ToolMissingError, ToolFailedError.
    """
    mvn = process.require("mvn", "maven")
    with scratch() as folder:
        for path in poms:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, folder / path)
        words = [mvn, "-q", "-B", "-f", str(folder / pom), f"{_LOCK_PLUGIN}:generate"]
        words += ["-DchecksumAlgorithm=SHA-256"]
        result = process.run(words, timeout=_LONG, env=_passed(*_MAVEN))
        if result.status != 0:
            reason = _first(result.stdout + result.stderr, "[ERROR]") or result.last_words
            raise ToolFailedError(f"mvn: {reason[:300].replace(str(folder), '.')}")
        return {
            found.relative_to(folder).as_posix(): found.read_bytes()
            for found in sorted(folder.rglob("lockfile.json"))
        }


def _passed(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _first(said: bytes, mark: str) -> str | None:
    """Return what stands behind `mark` on the first line that begins with it and says something."""
    lines = (line.strip() for line in said.decode(errors="replace").splitlines())
    words = (line.removeprefix(mark).strip() for line in lines if line.startswith(mark))
    return next(filter(None, words), None)


def _reason(stderr: bytes) -> str:
    """Return what a resolver says in the end, on one line: its frames and marks taken off."""
    text = re.sub(r"[^\x20-\x7e]+", " ", stderr.decode(errors="replace"))
    return " ".join(text.split())[:400] or "it gives no reason"
