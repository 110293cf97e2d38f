"""What is inside a file, down to the member and the field: one format a file.

`differing` says which regions of several versions of a file are not the same, `regions` what all
regions of one file are, and `parts` what one reader sees.
"""

from repaudit.formats._differing import differing
from repaudit.formats._regions import readers, regions
from repaudit.formats.interface import BOUNDS, Bounds, Budget, Format, Kind, Part

__all__ = [
    "BOUNDS",
    "Bounds",
    "Budget",
    "Format",
    "Kind",
    "Part",
    "differing",
    "readers",
    "regions",
]
