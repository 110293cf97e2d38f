"""The manifest of a jar (META-INF/MANIFEST.MF): who built it, with what, and when.

Its lines are those of java.util.jar: CR, LF or both end one, and a blank goes on with the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.forensics._case import clue, sides
from repaudit.forensics._told import MARK
from repaudit.forensics.interface import Case, Forensic
from repaudit.forensics.text import compare, is_manifest, texts
from repaudit.model.finding import Clue

_GOES_ON = r"(?:\r\n|[\r\n]) "
_KEYS = {
    "Built-By": "user_in_java_jar_manifest",
    "Build-Jdk": "toolchain_in_java_jar_manifest",
    "Created-By": "toolchain_in_java_jar_manifest",
    "Bnd-LastModified": "timestamp_in_java_bnd_manifest",
}


class _Manifest:
    name = "manifest"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield what the keys say that builds choose, and then what of the rest differs."""
        pair = texts(case) if is_manifest(case) else None
        if pair is None:
            return
        left, right = pair
        for key, slug in _KEYS.items():
            pattern = re.compile(rf"(?<![^\r\n]){key}: ((?:[^\r\n]|{_GOES_ON})*+)")
            a, b = pattern.search(left), pattern.search(right)
            if a and b and a[1] != b[1]:
                one, other = (re.sub(_GOES_ON, "", hit[1]).strip() for hit in (a, b))
                yield clue(slug, f"{key} {sides(one, other)}")
                # Where the key stands is compared too, and an empty line would end a section.
                left, right = (pattern.sub(f"{key}: {MARK}", side, 1) for side in (left, right))
        if left != right:
            yield from compare(case, left, right)


FORENSIC: Forensic = _Manifest()
