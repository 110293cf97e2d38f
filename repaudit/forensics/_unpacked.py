"""What the order of an archive's members decides: what is unpacked last stays.

The same is asked of a layer's entries (`oci/order.py`), which are members of an archive as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

from repaudit.forensics._members import HARD_LINK, Member, Members
from repaudit.model.errors import MalformedError
from repaudit.model.text import printable
from repaudit.oci.header import Header
from repaudit.oci.order import decided_in_archive
from repaudit.oci.record import record

#: Stands behind the name of a member that has the name of one before it.
_AGAIN = re.compile(r"(.*)#[0-9]+", re.DOTALL)
_SECOND = 1_000_000_000


def decides(
    members: Members, one: Sequence[str], other: Sequence[str], *, backslash: bool = False
) -> str | None:
    """Return in words what hangs on the order of these members, None where that is nothing.

    `backslash` says that one in a name may stand for a slash.
    """
    slash = "/" if backslash else "\\"
    places = {name: place for place, name in enumerate(other)}
    try:
        entries = [
            (places[name], record(_header(path.replace("\\", slash), members[name]), place))
            for place, name in enumerate(one)
            for path in (_path(name, members),)
        ]
    except MalformedError:
        return "programs that unpack them do not agree on names or kinds among them"
    return decided_in_archive(entries)


def _path(name: str, members: Members) -> str:
    again = _AGAIN.fullmatch(name)
    return again[1] if again and again[1] in members else name


def _header(name: str, member: Member) -> Header:
    """Return the header that a member would have in a layer; a folder may end with a slash."""
    kind = b"5" if name.endswith("/") else member.kind
    link = printable(member.link.decode("utf-8", "surrogateescape"))
    seconds = int(member.time) if re.fullmatch(r"-?[0-9]{1,10}", member.time) else 0
    said = (("data", sha256(member.data).hexdigest()), ("owner", member.owner))
    return Header(
        type=ord(kind),
        name=name.lstrip("/").encode(),  # as programs do that unpack it
        link=link.encode(),
        mode=member.mode & 0o7777,
        uid=0,
        gid=0,
        uname=b"",
        gname=b"",
        mtime=seconds * _SECOND,
        size=0,
        device=(0, 0),
        xattrs=said if kind == HARD_LINK else (),
    )
