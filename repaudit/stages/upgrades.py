"""The packages of all kinds that two images have in other versions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from repaudit.model.difference import Difference
from repaudit.stages.alone import Alone
from repaudit.stages.contents import Contents
from repaudit.stages.packages import Sides
from repaudit.stages.packages_dpkg import debian_packages
from repaudit.stages.packages_files import Claims
from repaudit.stages.packages_named import jars, npm_packages
from repaudit.stages.packages_wheel import python_packages


def package_claims(
    differences: Sequence[Difference], contents: Contents, alone: Alone, sides: Sides
) -> Claims:
    """Return what of the differences the packages account for that are of other versions."""
    packages = chain(
        debian_packages(differences, contents, sides),
        python_packages(differences, alone, sides),
        npm_packages(differences, contents, alone, sides),
        jars(differences, sides),
    )
    return Claims(packages, differences, contents, alone)
