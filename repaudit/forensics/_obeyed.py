"""Texts that are run or obeyed.

Of two images of which nothing is known, no look of a word is innocent there: a date, a random name
or a duration may be somebody's edit. What stands in a comment is, and when something was made,
where the line says so.
"""

from __future__ import annotations

import re

from repaudit.forensics._case import of_one_build
from repaudit.forensics.interface import Case
from repaudit.model.difference import Aspect

#: Languages in which a line that begins so is a comment; in all others it is one with `#`.
_SLASHES = r"c|cc|cpp|go|h|java|js|lua|mjs|php|rs|ts"
_DASHES = r"lua|sql"
#: What is run, searched, matched or obeyed: settings, scripts, sources.
_PLACES = re.compile(
    r"(?:^|/)(?:etc/.*|\.(?:aws|config|docker|gnupg|kube|m2|ssh)/.*|META-INF/services/[^/]+"
    r"|\.[^/]+|[^/]*(?:crontab|ignore|requirements[^/]*)|(?:Docker|Container|[Mm]ake)file[^/]*"
    rf"|[^/]+\.(?:{_SLASHES}|{_DASHES}|bash|cfg|conf|ini|json|mk|order|path|pl|policy|properties"
    r"|pth|py|rb|rules|service|sh|socket|timer|toml|xml|ya?ml)(?:\.in)?)\Z",
    re.DOTALL,
)
#: What a container's runtime obeys; labels and the history tell people.
_CONFIG = re.compile(r"/?config/config/(?!Labels(?:/|$))")
_SLASHED = re.compile(rf".*\.(?:{_SLASHES})", re.DOTALL)
_DASHED = re.compile(rf".*\.(?:{_DASHES})", re.DOTALL)
_UNCOMMENTED = re.compile(r".*\.(?:json|xml)", re.DOTALL)
#: A comment that interpreters and builders read all the same.
_DIRECTIVE = re.compile(r"#(?:!|\s*+(?:syntax|escape|check)\s*+=)")
#: When something was made, by the words before it or by its key.
_MADE = re.compile(
    r"(?i)built|compiled|created|generated|modified|published|updated|copyright|\(c\)|©"
    r"|build[ _.-]?(?:date|time|stamp)|(?<![(a-z_.-])(?:date|timestamp)[\"']?\s*[:=]"
)
#: What ends a line for some readers, and not for others.
_ODD_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]|\r(?!\n)")


def obeyed(case: Case, *texts: str) -> bool:
    """Whether two images are compared, and one of these texts is run or obeyed."""
    if of_one_build(case):
        return False
    aspect, path = case.difference.aspect, case.difference.path
    if aspect is not Aspect.CONTENT:
        return aspect is Aspect.LINK or (aspect is Aspect.CONFIG and bool(_CONFIG.match(path)))
    scripts = any(text.startswith("#!") for text in texts)
    return scripts or _PLACES.search(path) is not None


def tells(case: Case, line: str, *, comments: bool) -> bool:
    """Whether a line of such a text is a comment, if there are, or says when a thing was made."""
    if _MADE.search(line):
        return True
    return comments and _is_comment(case.difference.path, line.strip())


def plain_lines(text: str) -> bool:
    """Whether a text has lines of which all readers agree, so that a comment is one."""
    return _ODD_ENDS.search(text) is None


def _is_comment(path: str, line: str) -> bool:
    if _UNCOMMENTED.fullmatch(path):
        return False
    if _SLASHED.fullmatch(path):
        if line.startswith("/*"):
            return "*/" not in line[:-2]
        return line.startswith("//") or (_DASHED.fullmatch(path) is not None and line[:2] == "--")
    if _DASHED.fullmatch(path):
        return line.startswith("--")
    return line.startswith("#") and not _DIRECTIVE.match(line)
