"""Places where a file decides more than the thing that it is a part of: what a whole system runs.

Of such a file no name, no list and no habit tells enough; who may write it is a decision as well.
"""

from __future__ import annotations

import re

#: What the system itself is made of, or reads as root, and the folders that hold it: who may write
#: in those may put another one there. Sources are data.
_SYSTEM = re.compile(
    r"(?:etc|root|boot|s?bin|lib\w*|usr(?!/(?:local/)?src/)|var/(?:spool|lib)|run|dev)(?:/.*)?"
    r"|\.|var",
    re.DOTALL,
)
#: Settings that every program, account or session is under.
_SETTINGS = (
    r"ld\.so\.|(?:ana)?cron|at\.|sudo|doas|sub[ug]id|g?shadow|passwd|group|pam\.|security/|login|"
    r"securetty|shells|profile|bash|zsh|csh|fish|inputrc|environment|skel/|ssh/|ssl/|pki/|"
    r"ca-certificates|apt/|dpkg/|yum|dnf|apk/|systemd/|init|rc|hosts|nsswitch|resolv|network|mod|"
    r"udev/|polkit|dbus|sysctl|logrotate|update-motd|fstab|crypttab|exports|krb5|gss/|kernel/|"
    r"xdg/autostart|gitconfig|npmrc|pip\.conf|alternatives/"
)
#: What is read for all of them, what interpreters run when they start, keys, and homes.
_BEYOND = re.compile(
    rf"etc/(?:{_SETTINGS}).*"
    r"|(?:root|home|boot|dev|run|var/spool|usr/local/(?!lib/)|usr/share/keyrings)(?:/.*)?"
    r"|(?:.*/)?(?:\.ssh|\.gnupg|glibc-hwcaps)/.*"
    r"|(?:.*/)?(?:[^/]*\.pth|authorized_keys2?|rubygems_plugin\.rb)"
    r"|(?:.*/)?(?:site|user)customize(?:[./].*)?",
    re.DOTALL,
)
#: Folders of which all that lies there is taken: a name more is a command, a module, a job more.
_TAKEN_WHOLE = re.compile(
    r"(?:.*/)?(?:s?bin|games|[^/]+\.(?:d|wants|requires)|[^/]*-generators|autostart"
    r"|systemd/(?:system|user)|(?:system-)?services|(?:site|dist)-packages|python[0-9.]+)/[^/]+",
    re.DOTALL,
)
#: Where a file is taken up by nobody who does not ask for it: what people read, and modules of a
#: package of Python's. Elsewhere programs look for what they load or run by place and name alone.
_ASKED_FOR = re.compile(
    r"(?:usr/(?:local/)?)?share/(?:doc|man|info|locale)/.+"
    r"|(?:.*/)?(?:site|dist)-packages/[^/]+/.+",
    re.DOTALL,
)
#: What has data of its own, each below its own name.
_DATA = re.compile(r"(?:usr/(?:local/)?)?share/.+", re.DOTALL)
#: Folders that no one thing has for itself.
_SHARED = re.compile(
    r"(?:(?:usr/(?:local/)?)?(?:lib\w*(?:/[^/]+-linux-[^/]+)?|s?bin|share(?:/(?:doc|info|man|locale))?"
    r"|include|libexec|games|src)|usr(?:/local)?|etc|opt|srv|var(?:/(?:lib|cache|log))?"
    r"|.*/(?:(?:site|dist)-packages|node_modules|python[0-9.]+))?",
    re.DOTALL,
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


def looked_into(path: str, package: str) -> bool:
    """Whether others than a package may take up a file there; data is below its name its own."""
    own = _DATA.fullmatch(path) and package in path.split("/")[:-1]
    return not (own or _ASKED_FOR.fullmatch(path))


def shared(folder: str) -> bool:
    """Whether a folder below which many things lie is none's own."""
    return _SHARED.fullmatch(folder) is not None
