"""Places where a file decides more than the thing that it is a part of: what a whole system runs.

Of such a file no name, no list and no habit tells enough; who may write it is a decision as well.
"""

from __future__ import annotations

import re

#: What the system itself is made of, or reads as root; sources are data there.
_SYSTEM = re.compile(
    r"(?:etc|root|boot|s?bin|lib\w*|usr(?!/(?:local/)?src/)|var/(?:spool|lib)|run|dev)(?:/.*)?"
)
#: What is read for every program, account or session: settings, keys, homes, and what Python and
#: other interpreters run when they start.
_BEYOND = re.compile(
    r"(?:etc|root|home|boot|dev|run|var/spool|usr/local/(?!lib/)|usr/share/keyrings)(?:/.*)?"
    r"|(?:.*/)?\.(?:ssh|gnupg)/.*"
    r"|(?:.*/)?(?:[^/]*\.pth|authorized_keys2?|rubygems_plugin\.rb)"
    r"|(?:.*/)?(?:site|user)customize(?:[./].*)?"
)
#: Folders of which all that lies there is taken: a name more is a command, a job or a rule more.
_TAKEN_WHOLE = re.compile(
    r"(?:.*/)?(?:s?bin|games|[^/]+\.(?:d|wants|requires)|[^/]*-generators|autostart"
    r"|systemd/(?:system|user)|(?:system-)?services)/[^/]+"
)


def of_system(path: str) -> bool:
    """Whether who may write there may do more than change an application."""
    return bool(_SYSTEM.fullmatch(path) or _BEYOND.fullmatch(path))


def beyond(path: str) -> bool:
    """Whether a file there decides what other programs or accounts do."""
    return _BEYOND.fullmatch(path) is not None


def taken_whole(path: str) -> bool:
    """Whether a file there is taken up because it lies there."""
    return _TAKEN_WHOLE.fullmatch(path) is not None
