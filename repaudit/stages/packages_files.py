"""What packages of other versions account for in two images, by the images' own records.

A record is a claim of the image that holds it, so another version is a difference as any other; it
says why many files differ at once. A file is a package's only if the package's list on each side
that has the file names it, with the digest that it has there: whatever else lies beside those files
stays on its own. Of a file that is listed without a digest nobody can say what it is to be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from posixpath import dirname, join, normpath

from msgspec import Struct
from msgspec.structs import replace

from repaudit.forensics import Content, cause
from repaudit.model.deciding import beyond
from repaudit.model.difference import Aspect, Difference, Place, Within
from repaudit.model.finding import (
    UNEXPLAINED,
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Suspect,
)
from repaudit.stages.alone import Alone
from repaudit.stages.contents import Contents
from repaudit.stages.entries import HARDLINK, SYMLINK
from repaudit.stages.findings import MOST_EVIDENCE, identity
from repaudit.stages.packages import Listed, Package
from repaudit.stages.packages_homes import Homes

_ANOTHER, _ALONE, _UNTOLD = (
    "package_of_another_version",
    "package_of_one_image_alone",
    "package_files_without_a_digest",
)
#: So many packages that list one file are heard: folders are of many.
_MOST_OWNERS = 8
_CLAIMED = (
    "so both images' own lists say, which anybody can write who makes an image; "
    "`repaudit pins verify --image` compares with the archive"
)
_FILES = {Aspect.CONTENT, Aspect.PRESENCE, Aspect.LINK}
#: What tells more of what is there than that it is.
_SHOWS = {*_FILES, Aspect.KIND}
#: So many symbolic links are followed, as Linux does.
_MOST_LINKS = 40


class Claim(Struct):
    """What of the differences is a package's: as its lists say, and what they say too little of."""

    package: Package
    proved: list[Difference]
    untold: list[Difference]
    homes: tuple[Homes, Homes] | None = None

    def holds(self, path: str, side: int) -> bool:
        """Whether a file that one side alone has is where the package has files on the other.

        Where that has the very file, it lies in a layer below, which both sides have.
        """
        if self.package.files[1 - side].get(path) is not None:
            return True
        before, after = (version or "" for version in self.package.versions)
        if self.homes is None:
            name, (left, right) = self.package.name.partition(":")[0], self.package.files
            self.homes = Homes.of(name, before, left), Homes.of(name, after, right)
        return self.homes[1 - side].hold(path, (before, after)[side])


class Claims:
    """The differences that the packages account for."""

    def __init__(
        self,
        packages: Iterable[Package],
        differences: Sequence[Difference],
        contents: Contents,
        alone: Alone,
    ) -> None:
        self._contents = contents
        self._alone = alone
        #: What is said of files that are not what a package's list says.
        self.noted: dict[Place, str] = {}
        self._claims = [Claim(package, [], []) for package in packages]
        self._owners: tuple[dict[str, list[Claim]], dict[str, list[Claim]]] = ({}, {})
        for claim in self._claims:
            for owners, files in zip(self._owners, claim.package.files, strict=True):
                for path in files:
                    named = owners.setdefault(path, [])
                    if len(named) < _MOST_OWNERS:
                        named.append(claim)
        self._there = _by_path(differences)
        refused = set[tuple[object, str]]()
        for one in differences:
            if one.aspect is not Aspect.MTIME and not self._take(one):
                refused.add((one.within, one.path))
        for one in differences:
            if one.aspect is Aspect.MTIME and (one.within, one.path) not in refused:
                self._take(one)

    def taken(self) -> set[Difference]:
        """Return the differences that are some package's."""
        return {one for claim in self._claims for one in (*claim.proved, *claim.untold)}

    def findings(self) -> Iterator[Finding]:
        """Yield what is told of each package, and of what no record says enough of, once a kind."""
        untold: dict[tuple[str, str], list[Claim]] = {}
        for claim in self._claims:
            package = claim.package
            if package.both and claim.untold:
                untold.setdefault((package.kind, package.record), []).append(claim)
            own = claim.proved if package.both else [*claim.proved, *claim.untold]
            if own:
                slug = _ANOTHER if package.both else _ALONE
                said = f"{package.words}: {_count(own)}"
                told = [said, _CLAIMED] if package.both else [said]
                yield _finding(slug, package.key, own, told)
        for (_, record), claims in untold.items():
            some = [f"{one.package.words}: {_count(one.untold)}" for one in claims]
            if len(some) > MOST_EVIDENCE:
                more = len(some) - MOST_EVIDENCE + 1
                some[MOST_EVIDENCE - 1 :] = [f"and {more} more packages"]
            yield _finding(_UNTOLD, record, [d for one in claims for d in one.untold], some)

    def _take(self, one: Difference) -> bool:
        """Give a difference to the package whose lists name it; tell whether there is one."""
        here = 1 if one.left is None else 0
        lone = one.aspect is Aspect.PRESENCE
        if lone and (removed := _whited_out(one.path)):
            return self._takes_away(one, removed, here)
        said = [
            (claim, self._proved(one, claim.package))
            for claim in self._owners[here].get(one.path, ())
            if claim.package.speaks_of(one) and (lone or one.path in claim.package.files[1])
        ]
        wrong = [claim for claim, proved in said if proved is None]
        for claim in wrong:
            if self._differs_from(one, claim.package.files):
                self.noted[one.place] = f"{claim.package.words}: its list has another digest for it"
        if wrong or not said:
            return False  # of two lists that name a file both must be right
        claim, proved = max(said, key=lambda told: bool(told[1]))
        if proved and (doubt := self._doubt(one, claim)):
            self.noted[one.place] = f"{claim.package.words}: its list names it, {doubt}"
            return False
        (claim.proved if proved and claim.package.digests else claim.untold).append(one)
        return True

    def _takes_away(self, one: Difference, removed: str, here: int) -> bool:
        """Give a whiteout to the package that has the file below, and in this version none."""
        for claim in self._owners[1 - here].get(removed, ()):
            package = claim.package
            listed = package.files[1 - here][removed] is not None
            if listed and package.both and removed not in package.files[here]:
                if package.speaks_of(one):
                    claim.proved.append(one)
                    return True
        return False

    def _doubt(self, one: Difference, claim: Claim) -> str | None:
        """Return why a list that was right is not enough for a file of a package on both sides."""
        folder = self._alone.digest(one.place) == ""
        if one.aspect is Aspect.MTIME or folder or not claim.package.both:
            return None
        if beyond(one.path):
            return "but it decides what other programs or accounts do"
        lone = one.aspect is Aspect.PRESENCE
        if lone and claim.package.digests and not claim.holds(one.path, int(one.left is None)):
            return "but the package has none there on the other side"
        return None

    def _proved(self, one: Difference, package: Package) -> bool | None:
        """Whether the lists say of a difference what it is; None where they say another thing."""
        files = package.files
        if one.aspect is Aspect.MTIME:  # a folder has the time at which it was made
            return True if None not in [listed[one.path] for listed in files] else None
        if one.aspect is Aspect.LINK and one.left and one.right:
            targets = enumerate((one.left, one.right))
            return all(self._leads_to_own(one, target, package, side) for side, target in targets)
        if one.aspect is Aspect.CONTENT:
            return self._as_listed(one, files)
        if one.aspect is Aspect.PRESENCE:
            return self._lone(one, package)
        return None

    def _as_listed(self, one: Difference, files: tuple[Listed, Listed]) -> bool | None:
        digests = [listed[one.path] for listed in files]
        if None in digests:
            return False
        kept = self._contents.get((one.left, one.right))
        if kept is None:
            return None
        pairs = zip(digests, kept.load(), strict=True)
        return all(_has(digest, content) for digest, content in pairs) or None

    def _differs_from(self, one: Difference, files: tuple[Listed, Listed]) -> bool:
        """Whether a file is known to have another digest than the list of its side."""
        sides: tuple[Content | None, ...] = (None, None)
        if one.aspect is Aspect.CONTENT and (kept := self._contents.get((one.left, one.right))):
            sides = kept.load()
        elif one.aspect is Aspect.PRESENCE:
            content = self._alone.content(one.place)
            sides = (None, content) if one.left is None else (content, None)
        pairs = zip(sides, (each.get(one.path) for each in files), strict=True)
        known = [(has, digest) for has, digest in pairs if has and has.whole and digest]
        return any(not _has(digest, has) for has, digest in known)

    def _lone(self, one: Difference, package: Package) -> bool | None:
        side = 1 if one.left is None else 0
        listed = package.files[side]
        digest, detail = self._alone.digest(one.place), one.detail or ""
        if detail.startswith(SYMLINK):
            return self._leads_to_own(one, detail.removeprefix(SYMLINK), package, side)
        place = one.place
        if detail.startswith(HARDLINK):  # the bytes are the target's, and so are the rights
            place = (one.within, detail.removeprefix(HARDLINK), Aspect.PRESENCE.value)
            digest = self._alone.digest(place)
        if digest is None or not self._alone.is_plain(place, of_root=package.kind == "deb"):
            return None  # what no list of files says
        if digest == "":
            return True if place == one.place else None
        expected, content = listed[one.path], self._alone.content(place)
        if expected is None or content is None:
            return None if content is None else False
        return _has(expected, content) or None

    def _leads_to_own(self, one: Difference, target: str, package: Package, side: int) -> bool:
        """Whether a symbolic link leads to what the package has, as its list says, and is there.

        What does not differ is not looked for, so that it is not known to be there.
        """
        path = one.path
        for _ in range(_MOST_LINKS):
            path = normpath(join("/", dirname(path), target)).lstrip("/")
            there = self._there.get((one.within, path))
            if there is None or path not in package.files[side]:
                return False
            if (there.left, there.right)[side] is None:
                return False
            link = _target(there, side)
            if link is None:
                return bool(self._proved(there, package))
            target = link
        return False


def _by_path(differences: Iterable[Difference]) -> dict[tuple[Within, str], Difference]:
    """Return of each path what tells most of what is there."""
    found: dict[tuple[Within, str], Difference] = {}
    for one in differences:
        if one.aspect in _SHOWS:
            found[one.within, one.path] = one
        elif one.aspect is Aspect.MTIME:
            found.setdefault((one.within, one.path), one)
    return found


def _has(digest: str | None, content: Content) -> bool:
    """Whether a content is whole and has a digest."""
    algorithm, _, value = (digest or "").partition(":")
    if not (content.whole and algorithm):
        return False
    return hashlib.new(algorithm, content.data, usedforsecurity=False).hexdigest() == value


def _whited_out(path: str) -> str | None:
    """Return what a whiteout takes away, None where a path is none (image-spec layer.md)."""
    folder, slash, name = path.rpartition("/")
    gone = name.removeprefix(".wh.")
    return f"{folder}{slash}{gone}" if gone != name and gone != ".wh..opq" else None


def _target(one: Difference, side: int) -> str | None:
    """Return where a symbolic link leads on one side, None where none is there."""
    if one.aspect is Aspect.LINK:
        return (one.left, one.right)[side]
    detail = one.detail or ""
    return detail.removeprefix(SYMLINK) if detail.startswith(SYMLINK) else None


def _count(differences: Iterable[Difference]) -> str:
    """Return how many files differ, and of how many others the times alone."""
    some = list(differences)
    files = {one.path for one in some if one.aspect in _FILES}
    times = {one.path for one in some} - files
    said = f"{len(files)} {'file' if len(files) == 1 else 'files'}"
    return f"{said}, and the times of {len(times)} more" if times else said


def _finding(
    slug: str, place: str, differences: Iterable[Difference], told: Sequence[str]
) -> Finding:
    known = slug == _ANOTHER
    kind = EvidenceKind.SIGNATURE
    times_last = sorted(differences, key=lambda one: (one.aspect is Aspect.MTIME, one.key))
    return Finding(
        id=identity(slug, place),
        cause=cause(slug) if known else replace(cause(slug), slug=UNEXPLAINED),
        factors=(Suspect(factor="time", confidence=Confidence.INDICATED),) if known else (),
        instruction=None,
        process=None,
        evidence=tuple(Evidence(kind=kind, source="packages", detail=said) for said in told),
        differences=tuple(times_last),
    )
