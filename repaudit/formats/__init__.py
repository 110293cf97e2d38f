"""What is inside a file, down to the member and the field: one format a file.

`differing` says which regions of several versions of a file are not the same, `apart` which parts,
`regions` what all regions of one file are. A reader on its own is
`FORMATS.load(name).parts(data, Budget())`.
"""

from repaudit.formats._apart import apart
from repaudit.formats._bytes import parting
from repaudit.formats._checksums import algorithm, read_digest
from repaudit.formats._differing import differing
from repaudit.formats._lines import matcher, reordered
from repaudit.formats._regions import CONTENT, FORMATS, digest, regions
from repaudit.formats.interface import BOUNDS, HEAD, STEP, Bounds, Budget, Format, Kind, Part

__all__ = [
    "BOUNDS",
    "CONTENT",
    "FORMATS",
    "HEAD",
    "STEP",
    "Bounds",
    "Budget",
    "Format",
    "Kind",
    "Part",
    "algorithm",
    "apart",
    "differing",
    "digest",
    "matcher",
    "parting",
    "read_digest",
    "regions",
    "reordered",
]
