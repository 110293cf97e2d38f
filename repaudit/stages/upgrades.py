"""The packages of all kinds that two images have in other versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from repaudit.model.difference import Difference
from repaudit.stages.alone import Alone
from repaudit.stages.contents import Contents
from repaudit.stages.packages import Package, Sides
from repaudit.stages.packages_files import Claims
from repaudit.stages.packages_named import jars, npm_packages

#: Where versions of packages are told.
_DEBIAN = re.compile(r"(?:.*/)?dpkg/status(?:\.d/.*)?", re.DOTALL)
_PYTHON = re.compile(r"(?:.*/)?RECORD", re.DOTALL)


def package_claims(
    differences: Sequence[Difference], contents: Contents, alone: Alone, sides: Sides
) -> Claims:
    """Return what of the differences the packages account for that are of other versions."""
    return Claims(_packages(differences, contents, alone, sides), differences, contents, alone)


def _packages(
    differences: Sequence[Difference], contents: Contents, alone: Alone, sides: Sides
) -> Iterator[Package]:
    # Most pairs of images have none of a kind, and need not wait for its reader.
    if _some(_DEBIAN, differences):
        from repaudit.stages.packages_dpkg import debian_packages

        yield from debian_packages(differences, contents, sides)
    if _some(_PYTHON, differences):
        from repaudit.stages.packages_wheel import python_packages

        yield from python_packages(differences, alone, sides)
    yield from npm_packages(differences, contents, alone, sides)
    yield from jars(differences, sides)


def _some(places: re.Pattern[str], differences: Sequence[Difference]) -> bool:
    return any(places.fullmatch(one.path) for one in differences)
