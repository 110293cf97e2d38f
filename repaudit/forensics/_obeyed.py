"""Texts that are run or obeyed.

Of two images of which nothing is known, no look of a word is innocent there: a date, a random name
or a duration may be somebody's edit. What stands in a comment is, and when something was made,
where the line says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from repaudit.forensics._case import Blame, of_one_build
from repaudit.forensics._members import MEMBER, unpacked_as
from repaudit.forensics.interface import Case
from repaudit.formats import STEP
from repaudit.model.deciding import of_system
from repaudit.model.difference import Aspect

#: Languages in which a line that begins so is a comment; in all others it is one with `#`.
_SLASHES = (
    r"c|cc|cjs|cpp|cs|cxx|d|dart|go|gradle|groovy|h|hh|hpp|java|js|jsx|kt|kts|lua|m|mjs|mm|php|rs"
    r"|scala|swift|ts|tsx|vue"
)
_DASHES = r"hs|lua|sql"
_HASHES = (
    r"awk|bash|bat|bzl|cfg|cmake|cmd|conf|csh|desktop|egg-link|el|env|ex|exs|fish|hcl|idx|ini|j2"
    r"|jl|json|ksh|la|link|m4|mk|mount|network|nix|order|path|pl|pm|policy|properties|ps1|psm1|pth"
    r"|py|pyi|r|rb|rules|sed|service|sh|slice|socket|target|tcl|tf|tfvars|timer|toml|vim|xml|xsl"
    r"|ya?ml|zsh"
)
#: What is run, searched, matched or obeyed: settings, scripts, sources.
_PLACES = re.compile(
    r"(?i)(?:^|/)(?:(?:etc|var/spool|var/lib/dpkg/alternatives)/.*"
    r"|\.(?:aws|config|docker|gnupg|kube|m2|ssh)/.*|\.git/(?:config|hooks/.*|info/.*)"
    r"|META-INF/services/[^/]+|\.[^/]+|[^/]*(?:crontab|ignore|requirements[^/]*|\.env\.[^/]+)"
    r"|(?:Docker|Container|Gem|Jenkins|Make|Pip|Proc|Rake|Vagrant)file[^/]*"
    rf"|[^/]+\.(?:{_SLASHES}|{_DASHES}|{_HASHES})(?:\.in)?)\Z",
    re.DOTALL,
)
#: What a container's runtime obeys; labels and the history tell people.
_CONFIG = re.compile(r"/?config/config/(?!Labels(?:/|$))")
_SLASHED, _DASHED, _UNCOMMENTED = (
    re.compile(rf"(?i).*\.(?:{endings})(?:\.in)?", re.DOTALL)
    for endings in (_SLASHES, _DASHES, "json|xml|xsl")
)
#: Java writes no blank there, and nothing else begins so.
_PROPERTIES = re.compile(r".*\.properties", re.DOTALL)
#: A comment; what follows at once may be a directive: of sudo, of a preprocessor, of a builder.
_COMMENT = re.compile(r"#(?!\s*+(?:syntax|escape|check)\s*+=)[#\s]|#\Z")
_SLASHED_COMMENT = re.compile(r"//(?!go:|/)(?!.*\?>)|/\*(?!.*\*/.)", re.DOTALL)
#: When something was made, by the words right before it.
_MADE = re.compile(
    r"(?:(?<![a-z])(?:last[ _-]?)?"
    r"(?:built|compiled|created|generated|modified|published|updated)(?:[ _-]?(?:at|date|on|time))?"
    r"|(?<![a-z])build[ _.-]?(?:date|stamp|time(?:stamp)?)|(?<![\w.(-])(?:date|timestamp)"
    r"|(?:copyright|\(c\)|©)(?:\s*\(c\)|\s*©)?(?:\s+\d{4}\s*[,-])?)"
    r"[\"']?(?:\s*[:=]\s*|\s+|(?<=[-,])\s*)(?:at|in|on)?\s*[\"'(]*\s*\Z",
    re.IGNORECASE,
)
#: So far before it.
_NEAR = 60
#: Names of what people read and no program runs: without an ending, or with one of these.
_READ = re.compile(
    r"(?:.*/)?(?:[^/.]+|[^/]+\.(?:csv|list|log|lst|md|out|rst|sums?|tsv|txt))", re.DOTALL
)
#: Looks that are dates, and all others.
_DATES = frozenset({"captures_build_date", "captures_locale", "captures_timezone"})
_LOOKS = frozenset(
    {
        *("captures_execution_time", "captures_hostname", "captures_memory_address"),
        *("captures_temporary_path", "embeds_random_value"),
    }
)
#: What ends a line for some readers, and not for others.
_ODD_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]|\r(?!\n)")
#: Text in text: a heredoc, a block of YAML. What is a comment there nobody knows.
_EMBEDDED = re.compile(r"<<[-~]?\s*+[\"'\\\w]|[:-][ \t]++[|>][0-9+-]*+[ \t]*+$", re.MULTILINE)


def obeyed(case: Case, *texts: str) -> bool:
    """Whether two images are compared, and one of these texts is run or obeyed."""
    if of_one_build(case):
        return False
    aspect, path = case.difference.aspect, case.difference.path
    if aspect is not Aspect.CONTENT:
        return aspect is Aspect.LINK or (aspect is Aspect.CONFIG and bool(_CONFIG.match(path)))
    scripts = any(text.startswith("#!") for text in texts)
    return scripts or _PLACES.search(path) is not None


def decides(path: str, sides: Iterable[bytes], regions: Iterable[str]) -> bool:
    """Whether a file with these bytes may decide something where it differs, in these regions.

    So may a setting, a program, and a part of an archive that is one once that is unpacked.
    """
    if _PLACES.search(path) or any(side.startswith((b"#!", b"\x7fELF")) for side in sides):
        return True
    steps = (step for region in regions for step in region.split(STEP))
    members = (step.removeprefix(MEMBER) for step in steps if step.startswith(MEMBER))
    names = [name.replace("\\", "/") for name in members]  # as unzip does
    return any(".." in name or _is_setting(unpacked_as(name)) for name in names)


def _is_setting(path: str) -> bool:
    return of_system(path) or _PLACES.search(path) is not None


def commented(case: Case, line: str) -> bool:
    """Whether a line of such a text is a comment, if it has any (`has_comments`)."""
    path, line = case.difference.path, line.strip()
    if _UNCOMMENTED.fullmatch(path):
        return False
    if _PROPERTIES.fullmatch(path):
        return line.startswith(("#", "!"))
    dashed = _DASHED.fullmatch(path) is not None and line.startswith("--")
    if _SLASHED.fullmatch(path):
        return dashed or _SLASHED_COMMENT.match(line) is not None
    return dashed or (_DASHED.fullmatch(path) is None and _COMMENT.match(line) is not None)


def has_comments(text: str) -> bool:
    """Whether all readers agree which lines of a text are comments."""
    return not (_ODD_ENDS.search(text) or _EMBEDDED.search(text))


def tells_when(line: str, blame: Blame) -> bool:
    """Whether a line says that something was made at the date that is blamed."""
    if blame.slug not in _DATES or not blame.left:
        return False
    places = [hit.start() for hit in re.finditer(re.escape(blame.left), line)]
    return bool(places) and all(_MADE.search(line[max(0, at - _NEAR) : at]) for at in places)


def read_by_people(path: str) -> bool:
    """Whether a file is called as one that no program runs or obeys."""
    return _READ.fullmatch(path) is not None


def dates_alone(case: Case, found: Iterable[Blame]) -> tuple[Blame, ...]:
    """Return what is blamed; of two images, what looks random, or measured, is unexplained."""
    if of_one_build(case):
        return tuple(found)
    return tuple(_doubted(one) if one.slug in _LOOKS else one for one in found)


def _doubted(blame: Blame) -> Blame:
    return Blame("unexplained", blame.left, blame.right)
