"""The packages of all kinds that two images have in other versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from repaudit.model.difference import Difference
from repaudit.stages.alone import Alone
from repaudit.stages.contents import Contents
from repaudit.stages.packages import Package, Sides
from repaudit.stages.packages_files import Claims

#: Where a version of a package is told.
_TOLD = re.compile(
    r"(?:.*/)?(?:dpkg/status(?:\.d/.*)?|RECORD|package\.json|[^/]*\.[jw]ar)", re.DOTALL
)


def package_claims(
    differences: Sequence[Difference], contents: Contents, alone: Alone, sides: Sides
) -> Claims:
    """Return what of the differences the packages account for that are of other versions."""
    told = any(_TOLD.fullmatch(one.path) for one in differences)
    packages = _packages(differences, contents, alone, sides) if told else ()
    return Claims(packages, differences, contents, alone)


def _packages(
    differences: Sequence[Difference], contents: Contents, alone: Alone, sides: Sides
) -> Iterator[Package]:
    # Most pairs of images have none, and need not wait for the readers.
    from repaudit.stages.packages_dpkg import debian_packages
    from repaudit.stages.packages_named import jars, npm_packages
    from repaudit.stages.packages_wheel import python_packages

    yield from debian_packages(differences, contents, sides)
    yield from python_packages(differences, alone, sides)
    yield from npm_packages(differences, contents, alone, sides)
    yield from jars(differences, sides)
