"""What of an entry differs beside its content: mode, owner, times, order, attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from repaudit.forensics._case import clue, moved, of_one_build, sides, umask_explains, values
from repaudit.forensics.interface import CLAMPED, Case, Forensic
from repaudit.model.deciding import of_system
from repaudit.model.difference import Aspect, Difference, mtime
from repaudit.model.finding import Clue

#: An owner who is a person: login.defs(5), UID_MIN.
_PERSON = re.compile(r"[1-9][0-9]{3,}:")
#: Attributes that kernel, security modules and storage drivers set by themselves (xattr(7)); what
#: a step sets, such as security.capability, is not among them.
_OF_HOSTS = re.compile(
    r"(security\.(selinux|ima|evm|apparmor|SMACK64\w*)"
    r"|system\.[\w.]+|btrfs\.\w+|(user|trusted)\.(overlay|fuseoverlayfs|containers)\.[\w.]+)="
)
#: Of these, what a policy gives every file: the others hold rights (ACLs), modes, or where a file
#: leads, and of two images nobody knows that a host set them.
_LABELS = re.compile(r"security\.(selinux|apparmor|SMACK64)=")

#: What stands beside the images of an index: a provenance holds times and IDs of its build, and
#: may say that somebody else built it.
_ATTACHED = re.compile(r"/index/manifests/\d+(?:/manifests/\d+)?")
_BY_LAYERS = "a history has a step for each layer, and says which steps made none"
_READ_IT = (
    "an attestation or artifact beside the images is another one, or there is none: read it; "
    "`docker buildx build --provenance=false --sbom=false` makes none"
)
_BESIDE_IT = "all that the other side has, config and layers, is compared"


class _Aspect:
    name = "aspect"

    def examine(self, case: Case) -> Iterator[Clue]:
        """Yield the cause that this aspect differs by, where it can have but one."""
        difference = case.difference
        if difference.is_layer:
            side = "right" if difference.left is None else "left"
            yield clue("other_number_of_layers", f"layer {difference.layer}: the {side} alone")
        if case.recut and _of_layers(difference):
            yield clue("other_number_of_layers", _BY_LAYERS)
        if _not_kept(difference):
            yield clue("no_manifest_in_docker_archive", _BESIDE_IT)
        if _is_attached(difference):
            yield clue("unexplained", _READ_IT)
        pair = values(case)
        judge = _JUDGES.get(case.difference.aspect)
        slug = judge(case, *pair) if pair and judge else None
        if pair and slug:
            yield clue(slug, f"{case.difference.aspect} {sides(*pair)}")


def _not_kept(difference: Difference) -> bool:
    """Whether it is what a docker archive cannot have; of an index the detail says so."""
    if difference.aspect is not Aspect.PRESENCE or difference.layer is not None:
        return False
    of_index = difference.path == "/index" and difference.detail is not None
    return difference.path == "/manifest" or of_index


def _is_attached(difference: Difference) -> bool:
    """Whether it is what an index lists beside images: another one, or one side's alone."""
    if difference.aspect is Aspect.PRESENCE:
        return _ATTACHED.fullmatch(difference.path) is not None
    where = difference.path.removesuffix("/digest")
    another = difference.aspect is Aspect.ANNOTATION and where != difference.path
    return another and _ATTACHED.fullmatch(where) is not None


def _of_layers(difference: Difference) -> bool:
    """Whether it is a step that one history alone has, or only that a step made a layer."""
    if difference.aspect is not Aspect.HISTORY:
        return False
    if re.fullmatch(r"/history/\d+", difference.path):
        return True
    flag = re.fullmatch(r"/history/\d+/empty_layer", difference.path)
    return bool(flag) and {difference.left, difference.right} <= {None, "true", "false"}


def _mode(case: Case, left: str, right: str) -> str | None:
    if not all(re.fullmatch(r"[0-7]{3,5}", mode) for mode in (left, right)):
        return None
    if case.difference.detail is not None and not of_one_build(case):
        return None  # which says why it is none
    explained = umask_explains(case, int(left, 8), int(right, 8))
    return "different_due_to_umask" if explained else None


def _mtime(case: Case, left: str, right: str) -> str:
    if not case.difference.path:  # of a layer's files, and not of one
        return "times_in_extended_headers"
    clamps = case.clamped is not None and case.clamped.explains(mtime(left), mtime(right))
    return CLAMPED if clamps else "layer_mtimes_not_clamped"


def _order(case: Case, _left: str, _right: str) -> str | None:
    decides = case.difference.detail is not None and not of_one_build(case)
    known = case.difference.layer is not None and not decides
    return "random_order_of_layer_entries" if known else None


def _owner(case: Case, left: str, right: str) -> str | None:
    # An ID may also follow the order in which packages make accounts; only a user who is known
    # to differ is blamed, or who is no account of the system's on one side at least. A build's user
    # has more than one file, and none of the system's, nor one that he alone may read or runs as.
    people = [owner for owner in (left, right) if _PERSON.match(owner)]
    others = {left, right} - {*people}
    builds = bool(people) and all(owner.startswith("0:0") for owner in others)
    if of_one_build(case):
        return "owner_follows_build_user" if moved(case, "user") else None
    decides = case.difference.detail is not None or of_system(case.difference.path)
    return "owner_follows_build_user" if builds and case.alike > 1 and not decides else None


def _xattr(case: Case, left: str, right: str) -> str | None:
    apart = set(left.split()) ^ set(right.split())
    own = _OF_HOSTS if of_one_build(case) else _LABELS
    hosts = all(own.match(one) for one in apart)
    return "xattrs_follow_filesystem" if apart and hosts else None


def _compression(case: Case, left: str, right: str) -> str | None:
    # "MEDIA-TYPE DIGEST" is a layer's blob; two bare digests are other bytes of another kind.
    typed = all(re.match(r"\S+/\S+ \S+:", side) for side in (left, right))
    return "layer_compression_differs" if typed and case.difference.layer is not None else None


_JUDGES: dict[Aspect, Callable[[Case, str, str], str | None]] = {
    Aspect.MODE: _mode,
    Aspect.OWNER: _owner,
    Aspect.MTIME: _mtime,
    Aspect.ORDER: _order,
    Aspect.XATTR: _xattr,
    Aspect.COMPRESSION: _compression,
}

FORENSIC: Forensic = _Aspect()
