"""Name what is not the same in several versions of a file; only what differs is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from repaudit.formats._apart import apart, shared, steps
from repaudit.formats._lines import Values, aligned
from repaudit.formats._regions import CONTENT, ENCODING, digest, inner_name, kept, readers
from repaudit.formats.interface import BOUNDS, STEP, Bounds, Budget, Format, Kind, Part
from repaudit.model.errors import UnreadableError

#: What a part that is no file, but has parts, shows of itself where other sides lack it.
_PRESENT = b"present"

Differing = dict[str, Values]


#: Whether files inside of others, by the bytes of each side, are accounted for already.
Known = Callable[[Sequence[bytes]], bool]
#: Takes a text's locator and its sides, returns the sides to compare in their place.
Rewrite = Callable[[str, Sequence[bytes]], Sequence[bytes]]
#: Returns what may be shown of a file; two that differ still do.
Hide = Callable[[bytes], bytes]


def differing(
    sides: Sequence[bytes],
    name: str = "",
    bounds: Bounds | None = None,
    rewrite: Rewrite | None = None,
    known: Known | None = None,
    hide: Hide | None = None,
) -> Differing:
    """Return the regions of a file called `name` that differ, each with its value on every side.

    None stands where a side has no such region; a long value is its digest. What follows from other
    parts (checksums, sizes), and how a file is encoded, is told only where nothing else of that
    file differs. Nothing comes back if and only if all sides are equal. Texts are compared as
    `rewrite` returns them; where it leaves no difference, their one region has equal values. A file
    within that is `known` has one region with an empty value on each side. Files without a NUL are
    read as `hide` returns them. Without `bounds`, those of the longest side hold.
    """
    if len(set(sides)) < 2:
        return {}
    bounds = bounds or BOUNDS.of(max(map(len, sides)))
    budgets = {side: Budget(bounds) for side in sides}
    walk = _Walk([budgets[side] for side in sides], bounds.depth, rewrite, known, hide)
    return walk.file(sides, name, "", 0)


class _Walk:
    def __init__(
        self,
        budgets: Sequence[Budget],
        depth: int,
        rewrite: Rewrite | None,
        known: Known | None,
        hide: Hide | None,
    ) -> None:
        self._budgets = budgets
        self._depth = depth
        self._rewrite = rewrite
        self._known = known
        self._hide = hide

    def file(self, sides: Sequence[bytes], name: str, prefix: str, depth: int) -> Differing:
        """Return what differs in files that are not all equal."""
        if prefix and self._known is not None and self._known(sides):
            return {prefix.removesuffix(STEP): (b"",) * len(sides)}
        shown = [*sides]
        if self._hide is not None and not any(b"\0" in side for side in sides):
            shown = [*map(self._hide, sides)]
        found = self._opened(shown, name, prefix, depth) if depth < self._depth else None
        if found is None:
            pairs = zip(sides, shown, strict=True)
            values = (some if kept(some) == some else kept(side) for side, some in pairs)
            return {prefix.removesuffix(STEP) or CONTENT: tuple(values)}
        return found or {prefix + ENCODING: tuple(map(digest, sides))}

    def _opened(
        self, sides: Sequence[bytes], name: str, prefix: str, depth: int
    ) -> Differing | None:
        """Return what the first reader that reads all sides sees; None where there is none."""
        others = [{one.name for one in readers(side, name)} for side in set(sides)]
        for reader in readers(sides[0], name):
            if all(reader.name in one for one in others):
                try:
                    if reader.positional:
                        return self._lines(reader, sides, prefix)
                    read = self._read(reader, sides)
                except UnreadableError:
                    continue
                return self._compared(read, name, prefix, depth)
        return None

    def _lines(self, reader: Format, sides: Sequence[bytes], prefix: str) -> Differing:
        word, values = self._values(reader, sides)
        if self._rewrite is not None:
            where = prefix.removesuffix(STEP)
            rewritten = self._rewrite(where, sides)
            if len(set(rewritten)) < 2:
                return {where or CONTENT: tuple(map(kept, rewritten))}
            if [*rewritten] != [*sides]:
                word, values = self._values(reader, rewritten)
        return {prefix + label: _kept(some) for label, some in aligned(values, word)}

    def _values(self, reader: Format, sides: Sequence[bytes]) -> tuple[str, list[list[bytes]]]:
        """Return what the parts are called, and their values: there may be millions."""
        word, known = "line", dict[bytes, list[bytes]]()
        for side, budget in zip(sides, self._budgets, strict=True):
            if side not in known:
                known[side] = []
                for part in reader.parts(side, budget):
                    budget.count(part)
                    known[side].append(part.data)
                    word = part.name.partition(" ")[0]
        return word, [known[side] for side in sides]

    def _read(self, reader: Format, sides: Sequence[bytes]) -> list[dict[str, Part]]:
        known: dict[bytes, dict[str, Part]] = {}
        for side, budget in zip(sides, self._budgets, strict=True):
            if side not in known:
                known[side] = {}
                first = known[sides[0]]
                for part in reader.parts(side, budget):
                    budget.count(part)
                    same = first.get(part.name)
                    # Most is alike on all sides, and then held once.
                    known[side][part.name] = part if same is None or same != part else same
        return [known[side] for side in sides]

    def _compared(
        self, read: Sequence[Mapping[str, Part]], name: str, prefix: str, depth: int
    ) -> Differing:
        found: Differing = {}
        names = apart(read)
        lone = any(label not in side for label in names for side in read)
        nodes = [steps(side) if lone else set() for side in read]
        for label in names:
            parts = [side.get(label) for side in read]
            values = [part.data for part in parts if part]
            if len(values) == len(read) and all(part and part.kind is Kind.FILE for part in parts):
                inner = inner_name(name, read[0][label])
                found |= self.file(values, inner, f"{prefix}{label}{STEP}", depth + 1)
            elif len(values) == len(read) and read[0][label].kind is Kind.ORDER:
                found[prefix + label] = tuple(map(kept, shared(values)))
            else:
                found[prefix + label] = tuple(
                    _shown(side, label) if label in side or label in has else None
                    for side, has in zip(read, nodes, strict=True)
                )
        return found


def _kept(values: Values) -> Values:
    return tuple(None if value is None else kept(value) for value in values)


def _shown(side: Mapping[str, Part], label: str) -> bytes:
    part = side.get(label)
    return _PRESENT if part is None else kept(part.data)
