"""`hash(repr(value))` of Starlark, by which rules_jvm_external signs its locks.

`hash` is Java's String.hashCode: the sum of each UTF-16 unit times 31 to the power of how many
follow, in 32 bits (java.lang.String, and `hash` in the Starlark specification).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from operator import mul

_BLOCK = 1024
_POWERS = [pow(31, _BLOCK - 1 - i, 1 << 32) for i in range(_BLOCK)]
_STEP = pow(31, _BLOCK, 1 << 32)
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_DEEPEST = 100


def hashed(value: object) -> int:
    """Return the signed 32 bits of `hash(repr(value))`; ValueError where it is too deep."""
    units = array("H", shown(value).encode("utf-16-le", "surrogatepass"))
    total = 0
    for start in range(0, len(units), _BLOCK):
        block = units[start : start + _BLOCK]
        missing = _BLOCK - len(block)
        step = _STEP if not missing else pow(31, len(block), 1 << 32)
        total = (total * step + sum(map(mul, block, _POWERS[missing:]))) & 0xFFFFFFFF
    return total - (1 << 32) if total >> 31 else total


def shown(value: object, depth: int = 0) -> str:
    """Return `repr(value)` as Starlark writes it."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"' if _special(value) else f'"{value}"'
    if isinstance(value, dict):
        pairs = (f"{shown(k)}: {shown(v, depth + 1)}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(shown(item, depth + 1) for item in value) + "]"
    return repr(value)


def _special(text: Iterable[str]) -> bool:
    return any(mark < " " or mark in '"\\' for mark in text)


def _escaped(mark: str) -> str:
    return _ESCAPES.get(mark, mark if mark >= " " else f"\\x{ord(mark):02x}")
