"""Packages of other versions in two images, by their own records, and what hides beside them.

The neighbours are what somebody may have put there: not listed, listed with another digest, with
rights that no list speaks of, or of a package that claims to be the same.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repaudit.comparison import DiffRequest, compare_images
from repaudit.forensics import cause
from repaudit.model.finding import Confidence, Finding
from tests.images import Store, header, member, octal, pad, pax, seal, tar, write_files

Files = dict[str, bytes]
STATUS = "var/lib/dpkg/status"
INFO = "var/lib/dpkg/info/"
OTHER = b"Package: other\nStatus: install ok installed\nArchitecture: all\nVersion: 5\n\n"


def stanza(name: str, version: str, more: bytes = b"") -> bytes:
    text = f"Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n"
    return text.encode() + more + b"\n"


def package(name: str, files: Files, *, conffiles: Files | None = None) -> Files:
    """What dpkg has of a package once these are its files."""
    paths = sorted({*files, *(conffiles or {})})
    folders = sorted({str(up) for path in paths for up in Path(path).parents} - {"."})
    listed = ["/.", *(f"/{path}" for path in sorted([*folders, *paths]))]
    sums = [f"{hashlib.md5(data).hexdigest()}  {path}" for path, data in sorted(files.items())]
    return {
        f"{INFO}{name}.list": "\n".join([*listed, ""]).encode(),
        f"{INFO}{name}.md5sums": "\n".join([*sums, ""]).encode(),
        **files,
        **(conffiles or {}),
    }


def image(version: str, files: Files) -> Files:
    """A system with `app` in that version, and another package."""
    return {STATUS: stanza("app", version) + OTHER, **package("app", files)}


def layer(files: Files, modes: Mapping[str, int], links: Mapping[str, str]) -> bytes:
    named = (
        member(name.encode(), data, mode=modes.get(name, 0o644))
        for name, data in sorted(files.items())
    )
    linked = (
        member(name.encode(), kind=b"2", link=to.encode(), mode=0o777) for name, to in links.items()
    )
    return tar(*named, *linked)


def write(
    folder: Path,
    *layers: Files,
    modes: Mapping[str, int] | None = None,
    links: Mapping[str, str] | None = None,
) -> str:
    store = Store()
    tars = [layer(files, modes or {}, links or {}) for files in layers]
    return str(write_files(folder, store.layout(store.image(*tars))))


def told(left: str, right: str) -> dict[str, list[Finding]]:
    """The findings, by the title of their cause."""
    request = DiffRequest(left=left, right=right, diffoscope=False)
    found: dict[str, list[Finding]] = {}
    for one in compare_images(request, lambda _: None, 1).findings:
        found.setdefault(one.cause.title, []).append(one)
    return found


def title(slug: str) -> str:
    return cause(slug).title


UPGRADE, LONE, UNTOLD, PLAIN = map(
    title,
    (
        "package_of_another_version",
        "package_of_one_image_alone",
        "package_files_without_a_digest",
        "unexplained",
    ),
)
SAME = {"usr/share/app/a": b"alpha\n"}
BEFORE = {**SAME, "usr/bin/app": b"\x7fELF one", "usr/share/app/old": b"old\n"}
AFTER = {**SAME, "usr/bin/app": b"\x7fELF two", "usr/share/app/new": b"new\n"}


def paths(findings: list[Finding]) -> set[str]:
    return {one.path for finding in findings for one in finding.differences}


def test_a_package_of_another_version_is_one_finding_with_all_its_files(tmp_path: Path):
    left = write(tmp_path / "l", image("1", BEFORE))
    found = told(left, write(tmp_path / "r", image("2", AFTER)))

    assert found.keys() == {UPGRADE}
    app, status = sorted(found[UPGRADE], key=lambda one: len(one.differences), reverse=True)
    assert app.confidence is Confidence.INDICATED
    assert app.evidence[0].detail == "app 1 -> 2: 5 files"
    lists = {f"{INFO}app.list", f"{INFO}app.md5sums"}
    assert paths([app]) == {"usr/bin/app", "usr/share/app/old", "usr/share/app/new", *lists}
    assert paths([status]) == {STATUS}
    assert status.evidence[0].detail == "app 1 -> 2: 1 file"
    assert status.id != app.id


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"usr/bin/app": b"\x7fELF evil"}, "usr/bin/app"),
        ({"usr/share/app/new": b"evil\n"}, "usr/share/app/new"),
        ({"usr/share/app/evil": b"evil\n"}, "usr/share/app/evil"),
        ({"etc/cron.d/app": b"evil\n"}, "etc/cron.d/app"),
    ],
)
def test_what_its_list_does_not_say_stays_unexplained_and_stands_first(
    changed: Files, path: str, tmp_path: Path
):
    left = write(tmp_path / "l", image("1", BEFORE))
    right = write(tmp_path / "r", {**image("2", AFTER), **changed})
    for sides in ((left, right), (right, left)):
        found = told(*sides)
        assert paths(found[PLAIN]) == {path}
        assert path not in paths(found[UPGRADE])
        assert next(iter(found)) == PLAIN


@pytest.mark.parametrize(
    ("path", "accounted"),
    [
        ("usr/share/app/more/new", True),  # below a folder of its own
        ("usr/lib/libapp.so.2", True),  # beside one like it
        ("usr/share/new", False),
        ("usr/share/other/new", False),
        ("usr/lib/app/new", False),
        ("usr/bin/new", False),  # a command more
        ("usr/lib/glibc-hwcaps/x/libc.so.6", False),
        ("usr/share/app/new.pth", False),
        ("etc/app.d/new", False),
        ("etc/ld.so.preload", False),
        ("etc/cron.d/app", False),
        ("root/.ssh/authorized_keys", False),
    ],
)
def test_a_list_alone_gives_a_package_no_file_that_decides_more(
    path: str, accounted: bool, tmp_path: Path
):
    lib = {"usr/lib/libapp.so.1": b"\x7fELF lib"}
    left = write(tmp_path / "l", image("1", {**BEFORE, **lib}))
    right = write(tmp_path / "r", image("2", {**AFTER, **lib, path: b"new or evil\n"}))
    for sides in ((left, right), (right, left)):
        found = told(*sides)
        assert paths(found.get(PLAIN, [])) == (set() if accounted else {path})
        assert (path in paths(found[UPGRADE])) is accounted
        said = [one.detail for each in found.get(PLAIN, []) for one in each.evidence]
        assert any("its list names it" in detail for detail in said) is not accounted


@pytest.mark.parametrize(
    ("path", "accounted"),
    [("etc/shadow", False), ("etc/pam.d/su", False), ("etc/app.conf", True), ("usr/a.pth", False)],
)
def test_nor_one_that_it_had_and_that_does(path: str, accounted: bool, tmp_path: Path):
    left = write(tmp_path / "l", image("1", {**BEFORE, path: b"root:*:1::::::\n"}))
    right = write(tmp_path / "r", image("2", {**AFTER, path: b"root::1::::::\n"}))
    found = told(left, right)
    assert paths(found.get(PLAIN, [])) == (set() if accounted else {path})
    said = [one.detail for one in found[UPGRADE][0].evidence]
    assert "own lists" in said[1]
    assert "pins verify --image" in said[1]


def test_a_file_that_the_other_side_did_not_have_so_is_no_upgrade_of_it(tmp_path: Path):
    """What lay there before was another thing than its list said."""
    left = write(tmp_path / "l", {**image("1", BEFORE), "usr/bin/app": b"\x7fELF evil"})
    found = told(left, write(tmp_path / "r", image("2", AFTER)))
    assert paths(found[PLAIN]) == {"usr/bin/app"}
    said = [one.detail for one in found[PLAIN][0].evidence]
    assert "app 1 -> 2: its list has another digest for it" in said


def test_a_package_of_the_same_version_has_no_other_files(tmp_path: Path):
    left = write(tmp_path / "l", image("1", BEFORE))
    found = told(left, write(tmp_path / "r", image("1", AFTER)))
    assert UPGRADE not in found
    assert "usr/bin/app" in paths(found[PLAIN])


def test_rights_are_no_matter_of_lists(tmp_path: Path):
    left = write(tmp_path / "l", image("1", BEFORE))
    modes = {"usr/bin/app": 0o755, "usr/share/app/new": 0o4755}
    found = told(left, write(tmp_path / "r", image("2", AFTER), modes=modes))

    assert {(one.path, one.aspect) for f in found[PLAIN] for one in f.differences} == {
        ("usr/bin/app", "mode"),
        ("usr/share/app/new", "presence"),
    }
    modes = {"usr/bin/app": 0o644, "usr/share/app/new": 0o755}
    assert told(left, write(tmp_path / "s", image("2", AFTER), modes=modes)).keys() == {UPGRADE}


def test_nor_are_attributes_owners_and_what_others_may_write(tmp_path: Path):
    """Each of these would be there with a digest that its list has."""
    files = {**SAME, "usr/bin/app": b"\x7fELF two"}
    own = image("2", {**files, "usr/share/app/new": b"new\n"})
    rest = {name: data for name, data in own.items() if name != "usr/share/app/new"}
    capable = (b"SCHILY.xattr.security.capability", b"\1\0\0\2" + bytes(16))
    new = b"usr/share/app/new"
    head = header(new, 4)
    lone = {
        "root's": member(new, b"new\n"),
        "somebody's": seal(head[:108] + octal(1000, 8) + head[116:]) + pad(b"new\n"),
        "capable": pax(capable) + member(new, b"new\n"),
        "open": member(new, b"new\n", mode=0o666),
    }
    left = write(tmp_path / "l", image("1", BEFORE))
    for name, entry in lone.items():
        store = Store()
        packed = tar(*(member(path.encode(), data) for path, data in sorted(rest.items())), entry)
        right = write_files(tmp_path / name, store.layout(store.image(packed)))
        found = told(left, str(right))
        assert paths(found.get(PLAIN, [])) == ({new.decode()} if name != "root's" else set())


def test_a_folder_of_a_package_is_one_that_others_may_not_write(tmp_path: Path):
    for number, mode in enumerate((0o755, 0o777)):
        sides = []
        for version in "12":
            own = image(version, {"usr/bin/app": version.encode()})
            own[f"{INFO}app.list"] += b"/usr/share/app2\n" if version == "2" else b""
            entries = [member(path.encode(), data) for path, data in sorted(own.items())]
            if version == "2":
                entries.append(member(b"usr/share/app2", kind=b"5", mode=mode))
            store = Store()
            files = store.layout(store.image(tar(*entries)))
            sides.append(str(write_files(tmp_path / f"{number}{version}", files)))
        assert (PLAIN in told(*sides)) == (mode == 0o777)


def test_what_dpkg_keeps_without_a_digest_is_unexplained_beside_it(tmp_path: Path):
    script = f"{INFO}app.postinst"
    left = write(tmp_path / "l", {**image("1", BEFORE), script: b"#!/bin/sh\ntrue\n"})
    right = write(tmp_path / "r", {**image("2", AFTER), script: b"#!/bin/sh\nevil\n"})
    found = told(left, right)

    assert found.keys() == {UNTOLD, UPGRADE}
    assert paths(found[UNTOLD]) == {script}
    assert found[UNTOLD][0].confidence is Confidence.UNEXPLAINED
    assert found[UNTOLD][0].evidence[0].detail == "app 1 -> 2: 1 file"


def test_dpkgs_status_tells_of_versions_and_of_no_more(tmp_path: Path):
    left = write(tmp_path / "l", image("1", BEFORE))
    status = stanza("app", "2") + OTHER.replace(b"install ok", b"hold ok")
    found = told(left, write(tmp_path / "r", {**image("2", AFTER), STATUS: status}))

    assert paths(found[PLAIN]) == {STATUS}
    twice = stanza("app", "2") + OTHER + stanza("app", "3")
    found = told(left, write(tmp_path / "s", {**image("2", AFTER), STATUS: twice}))
    assert UPGRADE not in found


def test_a_package_of_one_image_alone_is_unexplained_with_its_name(tmp_path: Path):
    more = package("more", {"usr/bin/more": b"\x7fELF more"})
    status = stanza("app", "1") + stanza("more", "7") + OTHER
    left, right = image("1", BEFORE), {**image("1", BEFORE), **more, STATUS: status}
    for number, sides in enumerate([(left, right), (right, left)]):
        found = told(
            write(tmp_path / f"l{number}", sides[0]), write(tmp_path / f"r{number}", sides[1])
        )
        assert found.keys() == {LONE}
        assert all(one.confidence is Confidence.UNEXPLAINED for one in found[LONE])
        assert paths(found[LONE]) == {STATUS, *more}
        side = ("right", "left")[number]
        said = {one.evidence[0].detail for one in found[LONE]}
        assert said == {f"more 7 on the {side} alone: {n}" for n in ("3 files", "1 file")}


def test_another_name_of_a_file_has_its_bytes(tmp_path: Path):
    data = b"\x7fELF two"
    own = image("2", {**SAME, "usr/share/app/p": data, "usr/share/app/p2": data})
    del own["usr/share/app/p2"]
    left = write(tmp_path / "l", image("1", SAME))
    targets = {"usr/share/app/p": False, "usr/share/app/a": True, "usr/bin/evil": True}
    for number, (target, wrong) in enumerate(targets.items()):
        entries = [member(path.encode(), each) for path, each in sorted(own.items())]
        entries.append(member(b"usr/bin/evil", b"evil"))
        entries.append(member(b"usr/share/app/p2", kind=b"1", link=target.encode()))
        store = Store()
        right = write_files(tmp_path / f"{number}", store.layout(store.image(tar(*entries))))
        found = paths(told(left, str(right))[PLAIN])
        assert found == {"usr/bin/evil", *(["usr/share/app/p2"] if wrong else [])}


def test_a_link_is_the_packages_if_it_leads_to_a_file_of_it(tmp_path: Path):
    names = ("usr/lib/libapp.so.1", "usr/lib/libapp.so.2")
    sides = []
    for version, name in zip("12", names, strict=True):
        files = package("app", {name: f"\x7fELF {version}".encode()})
        files[f"{INFO}app.list"] += b"/usr/lib/libapp.so\n"
        sides.append({STATUS: stanza("app", version) + OTHER, **files})
    link = "usr/lib/libapp.so"
    left = write(tmp_path / "l", sides[0], links={link: "libapp.so.1"})

    right = write(tmp_path / "r", sides[1], links={link: "libapp.so.2"})
    assert told(left, right).keys() == {UPGRADE}
    for number, target in enumerate(("/tmp/evil.so", "../lib/evil.so.2", "../../usr/bin/app")):
        right = write(tmp_path / f"r{number}", sides[1], links={link: target})
        assert paths(told(left, right)[UNTOLD]) == {link}


def test_and_if_that_is_there(tmp_path: Path):
    """A list may name what no image has, and what somebody puts there once a container runs."""
    link, later = "usr/lib/app/plugin.so", "dev/shm/evil.so"
    sides = []
    for version in "12":
        files = package("app", {f"{link}.{version}": f"\x7fELF {version}".encode()})
        files[f"{INFO}app.list"] += f"/{link}\n/{link}.0\n".encode()
        sides.append({STATUS: stanza("app", version) + OTHER, **files})
    links = {link: "plugin.so.0", f"{link}.0": "plugin.so.1"}
    left = write(tmp_path / "l", sides[0], links=links)
    right = write(tmp_path / "r", sides[1], links={**links, f"{link}.0": "plugin.so.2"})
    assert told(left, right).keys() == {UPGRADE}
    links[f"{link}.0"] = f"/{later}"
    for number, sums in enumerate((b"", f"{'0' * 32}  {later}\n".encode())):
        files = dict(sides[1])
        files[f"{INFO}app.list"] += f"/{later}\n".encode()
        files[f"{INFO}app.md5sums"] += sums
        right = write(tmp_path / f"{number}", files, links=links)
        assert paths(told(left, right)[UNTOLD]) == {f"{link}.0"}
    links[f"{link}.0"] = "plugin.so.0"
    right = write(tmp_path / "round", sides[1], links=links)
    assert paths(told(left, right)[UNTOLD]) == {f"{link}.0"}


def test_settings_and_files_in_a_merged_usr_are_known_too(tmp_path: Path):
    sides = []
    for version in "12":
        conf = f"etc {version}\n".encode()
        sums = f"Conffiles:\n /etc/app.conf {hashlib.md5(conf).hexdigest()}\n".encode()
        lib = f"\x7fELF {version}".encode()
        files = package("app", {"lib/app.so": lib}, conffiles={"etc/app.conf": conf})
        files["usr/lib/app.so"] = files.pop("lib/app.so")
        sides.append({STATUS: stanza("app", version, sums) + OTHER, **files})
    left = write(tmp_path / "l", sides[0])

    assert told(left, write(tmp_path / "r", sides[1])).keys() == {UPGRADE}
    edited = {**sides[1], "etc/app.conf": b"evil\n"}
    assert paths(told(left, write(tmp_path / "s", edited))[PLAIN]) == {"etc/app.conf"}


def test_each_layer_is_as_dpkg_had_it_then(tmp_path: Path):
    """A list that is the same on both sides is read from the layer that has it."""
    same = {"usr/share/app/a": b"alpha\n"}
    base = [image(v, {**same, "usr/bin/app": v.encode()}) for v in "12"]
    later = [image(v, {**same, "usr/bin/app": v.encode()}) for v in "34"]
    left = write(tmp_path / "l", base[0], later[0], {"srv/x": b"1"})
    right = write(tmp_path / "r", base[1], later[1], {"srv/x": b"2"})
    found = told(left, right)

    assert paths(found[PLAIN]) == {"srv/x"}
    said = {one.evidence[0].detail for one in found[UPGRADE]}
    assert said == {f"app {v}: {n}" for v in ("1 -> 2", "3 -> 4") for n in ("2 files", "1 file")}
    # Of images whose layers do not correspond the files together are compared.
    found = told(write(tmp_path / "m", base[0]), right)
    assert {one.evidence[0].detail for one in found[UPGRADE]} == {
        "app 1 -> 4: 2 files",
        "app 1 -> 4: 1 file",
    }


def bare(version: str, files: Files) -> Files:
    """What images without dpkg have of a package: a file for its record, and its md5sums."""
    own = package("app", files)
    record = stanza("app", version).replace(b"Status: install ok installed\n", b"")
    sums = own.pop(f"{INFO}app.md5sums")
    del own[f"{INFO}app.list"]
    home = "var/lib/dpkg/status.d/app"
    return {home: record, f"{home}.md5sums": sums, **own}


def test_one_side_may_have_a_package_from_a_layer_that_both_have(tmp_path: Path):
    """Its files then differ by being there, or by being taken away, in the layer above."""
    base = image("1", BEFORE)
    status = base[STATUS] + stanza("more", "1")
    gone = {"usr/share/app/.wh.old": b"", "usr/share/app/.wh.a": b""}
    above = {**image("2", AFTER), **gone}
    left = write(tmp_path / "l", base, {STATUS: status})
    right = write(tmp_path / "r", base, {**above, STATUS: above[STATUS] + stanza("more", "1")})
    for sides in ((left, right), (right, left)):
        found = told(*sides)
        assert found.keys() == {PLAIN, UPGRADE}
        assert paths(found[PLAIN]) == {"usr/share/app/.wh.a"}
        assert {"usr/share/app/.wh.old", "usr/bin/app"} < paths(found[UPGRADE])


def test_so_it_is_in_an_image_without_dpkg(tmp_path: Path):
    left = write(tmp_path / "l", bare("1", BEFORE))
    right = write(tmp_path / "r", bare("2", AFTER))
    found = told(left, right)
    assert found.keys() == {UPGRADE}
    said = "app 1 -> 2 in var/lib/dpkg/status.d/app: 5 files"
    assert [one.evidence[0].detail for one in found[UPGRADE]] == [said]

    payload = {**bare("2", AFTER), "usr/bin/app": b"\x7fELF evil", "usr/bin/evil": b"evil"}
    found = told(left, write(tmp_path / "s", payload))
    assert paths(found[PLAIN]) == {"usr/bin/app", "usr/bin/evil"}
    same = {**bare("1", AFTER)}
    assert UPGRADE not in told(left, write(tmp_path / "t", same))


@pytest.mark.parametrize(
    "files",
    [
        {f"{INFO}app.md5sums": b"\xff\0\n" * 9, f"{INFO}app.list": b"usr/bin/app\n"},
        {f"{INFO}app.md5sums": b"", f"{INFO}app.list": b""},
        {f"{INFO}app.md5sums": hashlib.md5(b"x").hexdigest().encode() + b"  ../../usr/bin/app\n"},
    ],
)
def test_lists_that_cannot_be_read_say_nothing(files: Files, tmp_path: Path):
    found = told(
        write(tmp_path / "l", image("1", BEFORE)),
        write(tmp_path / "r", {**image("2", AFTER), **files}),
    )
    assert "usr/bin/app" not in paths(found.get(UPGRADE, []))


# --- Python, npm, jars -------------------------------------------------------------------------

SITE = "usr/lib/python3/site-packages/"
EVIL = b"import evil\n"


def sha256(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def wheel(version: str, files: Files, more: str = "") -> Files:
    """An installed package, with bytecode, of which RECORD says no digest."""
    home = f"{SITE}my_app-{version}.dist-info"
    own = {f"{SITE}{name}": data for name, data in files.items()}
    own[f"{home}/METADATA"] = f"Name: my-app\nVersion: {version}\n".encode()
    rows = [f"{name.removeprefix(SITE)},{sha256(data)},{len(data)}" for name, data in own.items()]
    rows += [f"my_app-{version}.dist-info/RECORD,,", "my_app/__pycache__/a.cpython-311.pyc,,"]
    code = b"\xa7\r\r\n\0\0\0\0" + files["my_app/a.py"]
    own[f"{SITE}my_app/__pycache__/a.cpython-311.pyc"] = code
    own[f"{home}/RECORD"] = ("\n".join(rows) + f"\n{more}").encode()
    return own


ONE = {"my_app/a.py": b"one = 1\n", "my_app/old.py": b"old = 1\n"}
TWO = {"my_app/a.py": b"two = 2\n", "my_app/new.py": b"new = 2\n"}


def test_a_python_package_of_another_version_is_what_its_records_list(tmp_path: Path):
    found = told(write(tmp_path / "l", wheel("1.0", ONE)), write(tmp_path / "r", wheel("1.1", TWO)))

    assert found.keys() == {UPGRADE, UNTOLD}
    (only,) = found[UPGRADE]
    assert only.evidence[0].detail == f"my-app 1.0 -> 1.1 in {SITE[:-1]}: 7 files"
    assert paths(found[UNTOLD]) == {f"{SITE}my_app/__pycache__/a.cpython-311.pyc"}


@pytest.mark.parametrize(
    ("payload", "more"),
    [
        ({f"{SITE}my_app/new.py": b"evil"}, ""),
        ({f"{SITE}evil.pth": b"import evil\n"}, ""),
        ({f"{SITE}my_app/a.py": b"evil"}, ""),
        ({f"{SITE}evil.pth": EVIL}, f"evil.pth,{sha256(EVIL)},12\n"),
        ({f"{SITE}evil.py": EVIL}, f"evil.py,{sha256(EVIL)},12\n"),
        ({f"{SITE}o/evil.py": EVIL}, f"o/evil.py,{sha256(EVIL)},12\n"),
    ],
)
def test_and_no_more_than_that(payload: Files, more: str, tmp_path: Path):
    left = write(tmp_path / "l", wheel("1.0", ONE))
    right = write(tmp_path / "r", {**wheel("1.1", TWO, more), **payload})
    found = told(left, right)
    assert paths(found[PLAIN]) == {*payload}
    assert not paths(found[UPGRADE]) & {*payload}


def test_a_record_proves_nothing_outside_of_its_folder(tmp_path: Path):
    evil = b"* * * * * root evil\n"
    row = f"../../../../etc/cron.d/my_app,{sha256(evil)},{len(evil)}\n"
    left = write(tmp_path / "l", wheel("1.0", ONE))
    right = write(tmp_path / "r", {**wheel("1.1", TWO, row), "etc/cron.d/my_app": evil})

    assert "etc/cron.d/my_app" in paths(told(left, right)[UNTOLD])


def test_a_record_that_cannot_be_read_says_nothing(tmp_path: Path):
    left = write(tmp_path / "l", wheel("1.0", ONE))
    for number, more in enumerate(("a,b", '"x', "a,sha256=_,")):
        right = write(tmp_path / f"r{number}", wheel("1.1", TWO, more))
        assert told(left, right).keys() <= {PLAIN, title("same_bytes_under_another_name")}


def test_two_versions_on_one_side_are_no_upgrade(tmp_path: Path):
    left = write(tmp_path / "l", wheel("1.0", ONE))
    right = write(tmp_path / "r", {**wheel("1.1", TWO), **wheel("1.2", TWO)})
    assert UPGRADE not in told(left, right)


def module(version: str, files: Files, root: str = "srv/node_modules/@a/b") -> Files:
    text = f'{{"name": "@a/b", "version": "{version}"}}'.encode()
    return {f"{root}/{name}": data for name, data in {**files, "package.json": text}.items()}


def test_an_npm_package_of_another_version_is_named_and_unexplained(tmp_path: Path):
    nested = "srv/node_modules/@a/b/node_modules/c/index.js"
    left = write(tmp_path / "l", {**module("1.0.0", {"index.js": b"1\n"}), nested: b"c\n"})
    right = write(
        tmp_path / "r",
        {**module("1.0.1", {"index.js": b"2\n", "more.js": b"3\n"}), nested: b"d\n"},
    )
    found = told(left, right)

    assert found.keys() == {PLAIN, UNTOLD}
    (only,) = found[UNTOLD]
    assert only.confidence is Confidence.UNEXPLAINED
    assert only.evidence[0].detail == "@a/b 1.0.0 -> 1.0.1 in srv/node_modules: 3 files"
    assert paths(found[PLAIN]) == {nested}
    same = write(tmp_path / "s", module("1.0.0", {"index.js": b"2\n"}))
    assert UNTOLD not in told(left, same)


def test_an_npm_package_of_one_image_alone_is_named(tmp_path: Path):
    left = write(tmp_path / "l", {"srv/a": b"a"})
    right = write(tmp_path / "r", {"srv/a": b"a", **module("1.0.0", {"index.js": b"1\n"})})
    found = told(left, right)
    assert found.keys() == {LONE}
    assert (
        found[LONE][0].evidence[0].detail
        == "@a/b 1.0.0 in srv/node_modules on the right alone: 2 files"
    )


def test_a_jar_of_another_version_is_named_by_its_name(tmp_path: Path):
    left = write(tmp_path / "l", {"srv/lib/log4j-core-2.17.0.jar": b"PK1", "srv/lib/x-1.jar": b"1"})
    right = write(tmp_path / "r", {"srv/lib/log4j-core-2.17.1.jar": b"PK2", "srv/y-2.jar": b"2"})
    found = told(left, right)

    (only,) = found[UNTOLD]
    assert only.evidence[0].detail == "log4j-core 2.17.0 -> 2.17.1 in srv/lib: 2 files"
    assert paths(found[PLAIN]) == {"srv/lib/x-1.jar", "srv/y-2.jar"}


def test_of_two_records_that_name_a_file_both_must_be_right(tmp_path: Path):
    """What dpkg says was another file is no other package's."""
    sides = []
    for version, files in (("1.0", ONE), ("1.1", TWO)):
        own = wheel(version, files)
        module = f"{SITE}my_app/a.py"
        deb = package("app", {module: own[module] if version == "1.0" else b"other\n"})
        sides.append({STATUS: stanza("app", version) + OTHER, **deb, **own})
    found = told(write(tmp_path / "l", sides[0]), write(tmp_path / "r", sides[1]))
    assert paths(found[PLAIN]) == {f"{SITE}my_app/a.py"}


def test_each_image_of_an_index_has_its_own_packages(tmp_path: Path):
    sides = []
    for name, version in (("l", "1"), ("r", "2")):
        store = Store()
        files = AFTER if version == "2" else BEFORE
        images = [
            store.image(layer(image(version, files), {}, {}), architecture="amd64"),
            store.image(layer(image("1", BEFORE), {}, {}), architecture="arm64"),
        ]
        listed = [
            {**one, "platform": {"os": "linux", "architecture": name}}
            for one, name in zip(images, ("amd64", "arm64"), strict=True)
        ]
        sides.append(str(write_files(tmp_path / name, store.layout(store.index(*listed)))))
    found = told(*sides)

    assert UPGRADE in found
    app = max(found[UPGRADE], key=lambda one: len(one.differences))
    assert app.evidence[0].detail == "app 1 -> 2: 5 files"
    assert {one.platform for one in app.differences} == {"linux/amd64"}


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_bytes_of_a_record_break_the_comparison(data: bytes, more: bytes):
    site = f"{SITE}my_app-1.1.dist-info/RECORD"
    records = {
        STATUS: stanza("app", "2") + data,
        f"{INFO}app.list": data,
        f"{INFO}app.md5sums": data + b"\n" + more,
        "var/lib/dpkg/status.d/app": data,
        site: data,
        "srv/node_modules/b/package.json": data,
    }
    with tempfile.TemporaryDirectory() as folder:
        one = {**image("1", BEFORE), **bare("1", BEFORE), **wheel("1.0", ONE)}
        left = write(Path(folder) / "l", {**one, **module("1", {}, "srv/node_modules/b")})
        assert told(left, write(Path(folder) / "r", {**image("2", AFTER), **records}))
