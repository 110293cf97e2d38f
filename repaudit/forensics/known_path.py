"""Places that are known to differ from build to build, as the catalogue lists them."""

from __future__ import annotations

from collections.abc import Iterator

from repaudit.forensics._known import causes_at
from repaudit.forensics.interface import Case, Forensic
from repaudit.model.finding import Clue


class _KnownPath:
    name = "known_path"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield each cause that is known at this path, unless the content speaks against it."""
        yield from causes_at(case)


FORENSIC: Forensic = _KnownPath()
