"""What each run was told by its levels: texts that stand in a line because of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repaudit.forensics._case import Blame, moved
from repaudit.forensics.interface import Case

#: Stands around the name of what a text was replaced by.
MARK = "\x01"
# A level of home without a canary is the image's own: most likely one of these.
_OWN_HOME = r"/root|/home/[\w.-]+|/nonexistent"
_CAUSES = {
    "kernel": "captures_kernel_version",
    "locale": "captures_locale",
    "timezone": "captures_timezone",
}


def mask(case: Case, left: str, right: str) -> tuple[str, str, list[Blame]]:
    """Replace texts that stand in both lines because each run was told so, and say which."""
    found = []
    for slug, on_left, on_right in (*_canaries(case), *_values(case)):
        in_left, in_right = on_left.findall(left), on_right.findall(right)
        if in_left and len(in_left) == len(in_right):
            mark = f"{MARK}{slug or 'canary'}{MARK}"
            left, right = on_left.sub(mark, left), on_right.sub(mark, right)
            found.append(Blame(slug, in_left[0], in_right[0]))
    return left, right, found


Told = tuple[str, re.Pattern[str], re.Pattern[str]]


def _canaries(case: Case) -> Iterator[Told]:
    """Yield the canaries, without a slug: canary.py reports them."""
    for level in case.left_levels:
        pair = moved(case, level.factor)
        if pair is None:
            continue
        other = next(side for side in case.right_levels if side.factor == level.factor)
        for number in range(max(len(level.canaries), len(other.canaries))):
            sides = (
                _word(side.canaries[number]) if number < len(side.canaries) else _own(side.value)
                for side in (level, other)
            )
            on_left, on_right = sides
            yield "", on_left, on_right


def _own(value: str) -> re.Pattern[str]:
    return _word(value) if value else re.compile(rf"(?<![\w/.-])(?:{_OWN_HOME})(?![\w.-])")


def _values(case: Case) -> Iterator[Told]:
    for factor, slug in _CAUSES.items():
        pair = moved(case, factor)
        if pair:
            yield slug, _word(pair[0]), _word(pair[1])
    cpus = moved(case, "cpus")
    if cpus:
        yield "captures_cpu_count", _cpu_list(cpus[0]), _cpu_list(cpus[1])
    masks = moved(case, "umask")
    if masks:
        for left, right in zip(_masks(masks[0]), _masks(masks[1]), strict=True):
            yield "different_due_to_umask", _word(left), _word(right)


def _cpu_list(value: str) -> re.Pattern[str]:
    # Cpus_allowed_list writes 0-3 for a run and commas between (cpuset(7), "List format").
    # A single number is too common a word to be taken for a list.
    numbers = value.split(",")
    run = numbers == [str(int(numbers[0]) + i) for i in range(len(numbers))]
    text = f"{numbers[0]}-{numbers[-1]}" if run and len(numbers) > 1 else value
    return re.compile(rf"(?<=Cpus_allowed_list:\t){re.escape(text)}$")


def _masks(value: str) -> tuple[str, ...]:
    symbolic = "u={},g={},o={}".format(*(_allowed(digit) for digit in value[-3:]))
    return value, value[-3:], symbolic


def _allowed(digit: str) -> str:
    return "".join(x for x, bit in zip("rwx", (4, 2, 1), strict=True) if ~int(digit, 8) & bit)


def _word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])")
