"""The members of a tar archive, bounded."""

from __future__ import annotations

import io
import tarfile

from repaudit.forensics._inner import Member

_MAGIC_AT = 257  # POSIX ustar, pax and GNU all say "ustar" there
_MOST_MEMBERS = 50_000


def is_tar(data: bytes) -> bool:
    """Whether `data` starts with the header of a tar archive."""
    return data[_MAGIC_AT : _MAGIC_AT + 5] == b"ustar"


def members(data: bytes) -> dict[tuple[str, int], Member]:
    """Return the members by name and occurrence; of a broken archive, those before the break."""
    found: dict[tuple[str, int], Member] = {}
    seen: dict[str, int] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errorlevel=1) as archive:
            for info in archive:
                number = seen[info.name] = seen.get(info.name, -1) + 1
                found[info.name, number] = _member(info, data)
                if len(found) >= _MOST_MEMBERS:
                    break
    except (tarfile.TarError, EOFError, ValueError, OverflowError, IndexError, KeyError):
        pass  # what was read up to here still counts
    return found


def _member(info: tarfile.TarInfo, data: bytes) -> Member:
    size = info.size if info.isreg() else 0
    return Member(
        time=int(info.mtime),
        owner=f"{info.uid}:{info.gid} {info.uname}:{info.gname}",
        mode=info.mode,
        data=data[info.offset_data :][:size],
    )
