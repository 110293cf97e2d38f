"""Which parts of several versions of a file are not the same, and not for following others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from repaudit.formats.interface import STEP, Kind, Part

#: The parts of one version of a file, by name.
Read = Mapping[str, Part]


def apart(sides: Sequence[Read], *, strict: bool = False) -> list[str]:
    """Return the names of the parts that differ, those first that some sides lack.

    Of a member that some sides lack it is the member alone. What is derived is left out where what
    it follows from differs too, unless nothing else is left; so is a place, unless `strict`.
    """
    following = {Kind.DERIVED} if strict else {Kind.DERIVED, Kind.PLACE}
    differ = dict.fromkeys([*_lone(sides), *_unlike(sides)])
    kinds = {name: _kind(sides, name) for name in differ}
    derived = [name for name, kind in kinds.items() if kind in following]
    found = {*kinds} - {*derived}
    hidden = {name for name in derived if _follows(_of(sides, name), kinds, found)}
    return [name for name in differ if name not in hidden] or derived


def _follows(of: str | Kind, kinds: Mapping[str, Kind], found: set[str]) -> bool:
    if isinstance(of, Kind):
        return of in kinds.values()
    return of in kinds if of else bool(found)


def _lone(sides: Sequence[Read]) -> Iterator[str]:
    """Yield what some sides lack."""
    if all(side.keys() == sides[0].keys() for side in sides):
        return
    nodes = [steps(side) for side in sides]
    everywhere = set.intersection(*nodes)
    for label in dict.fromkeys(label for side in sides for label in side):
        node = next((node for node in _steps(label) if node not in everywhere), label)
        if node not in everywhere or not all(label in side for side in sides):
            yield node


def _unlike(sides: Sequence[Read]) -> Iterator[str]:
    for label, first in sides[0].items():
        parts = [side[label] for side in sides if label in side]
        if len(parts) < len(sides) or all(part is first for part in parts):
            continue
        if any(part.data != first.data for part in parts) and not _same_order(parts):
            yield label


def _same_order(parts: Sequence[Part]) -> bool:
    """Whether these are orders, and the same for what all sides have."""
    return parts[0].kind is Kind.ORDER and len(set(shared([part.data for part in parts]))) == 1


def shared(orders: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return each side's order of what all sides have."""
    lists = [value.split(b"\n") for value in orders]
    common = set.intersection(*map(set, lists))
    return tuple(b"\n".join(x for x in one if x in common) for one in lists)


def _steps(label: str) -> Iterator[str]:
    words = label.split(STEP)
    return (STEP.join(words[:count]) for count in range(1, len(words) + 1))


def steps(side: Read) -> set[str]:
    """Return the names of the parts, and of what they stand below."""
    return {node for label in side for node in _steps(label)}


def _kind(sides: Sequence[Read], name: str) -> Kind:
    kinds = {side[name].kind for side in sides if name in side}
    return kinds.pop() if len(kinds) == 1 else Kind.VALUE


def _of(sides: Sequence[Read], name: str) -> str | Kind:
    return next(side[name].of for side in sides if name in side)
