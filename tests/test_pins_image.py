"""Locks against an image: what was swapped is named, and what is as locked is not."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repaudit.audit import audit_pins
from repaudit.host.fetch import Fetcher
from repaudit.host.scratch import scratch
from repaudit.inventories import INVENTORIES
from repaudit.model.canonical import pins_schema
from repaudit.model.pins import Location, Pin, PinsReport, PinsVerdict, Severity, Strength
from repaudit.oci.filesystem import merge
from repaudit.sources import open_image
from repaudit.stages.installed import absent, compare, locks_of
from repaudit.stages.pinned import against_indexes, against_packages, verified
from tests.command import repaudit
from tests.images import Store, member, tar, write_files
from tests.packages import (
    SITE,
    Tree,
    boot_jar,
    hidden_lock,
    installed_wheel,
    integrity,
    jar,
    node_package,
    sha256,
    wheel,
    zipped,
)
from tests.test_filesystem import merged

WHEEL = wheel("alpha", "1.0")
JAR, SECOND = jar("org.example", "beta", "2.0"), jar("org.example", "gamma", "3.0")
TARBALL = b"the archive of left-pad"


def layout(folder: Path, *layers: Mapping[str, bytes]) -> str:
    """An image of layers, the first of which has a dpkg that has installed nothing."""
    store = Store()
    layers = ({"var/lib/dpkg/status": b""}, *layers)
    tars = [tar(*(member(n.encode(), d) for n, d in layer.items())) for layer in layers]
    write_files(folder, store.layout(store.image(*tars)))
    return str(folder)


def locks(folder: Path) -> Path:
    """A project that locks one wheel, two jars and one node package."""
    folder.mkdir()
    (folder / "requirements.txt").write_text(f"alpha==1.0 --hash=sha256:{sha256(WHEEL)}\n")
    shasums = {
        "org.example:beta": {"shasums": {"jar": sha256(JAR)}, "version": "2.0"},
        "org.example:gamma": {"shasums": {"jar": sha256(SECOND)}, "version": "3.0"},
    }
    (folder / "maven_install.json").write_text(json.dumps(signed(shasums)))
    package = {"version": "1.3.0", "integrity": integrity(TARBALL)}
    lock = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/left-pad": package}}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder


def signed(artifacts: dict[str, Any]) -> dict[str, Any]:
    from repaudit.ecosystems._starlark import hashed

    body = {"artifacts": artifacts, "dependencies": {}, "repositories": {}}
    return body | {"version": "2", "__RESOLVED_ARTIFACTS_HASH": hashed(body)}


def image_tree() -> Tree:
    """An image that is as these locks say."""
    return {
        **installed_wheel("alpha", "1.0"),
        "app/app.jar": boot_jar({"beta-2.0.jar": JAR}),
        "app/lib/gamma-3.0.jar": SECOND,
        **node_package("left-pad", "1.3.0"),
        **hidden_lock({"left-pad": ("1.3.0", TARBALL)}),
    }


def held(project: Path, image: str) -> PinsReport:
    """Hold locks against an image alone, without an index."""
    audited = audit_pins([project])
    known = locks_of(audited.pins)
    with scratch() as folder:
        opened = open_image(image, folder)
        (one,) = opened.images.images
        seen, _ = compare(known, merge(opened.blobs, one))
    return verified(audited, [*seen, *absent(known)])


def verdict_of(folder: Path, *layers: Mapping[str, bytes]) -> tuple[PinsVerdict, list[str]]:
    project = folder / "project"
    if not project.exists():
        locks(project)
    report = held(project, layout(folder / "image", *layers))
    told = [f"{f.id} {f.message}" for f in report.findings if f.severity is not Severity.NOTE]
    return report.verdict, told


def test_an_image_as_locked_is_in_order(tmp_path: Path):
    tree = image_tree() | {"app/lib/beta-2.0.jar": JAR}
    del tree["app/app.jar"]
    assert verdict_of(tmp_path, tree) == (PinsVerdict.PINNED, [])


def test_what_was_swapped_for_other_bytes_is_named(tmp_path: Path):
    """A jar in a jar, a jar by itself, a node package, and a file of a wheel."""
    forged = jar("org.example", "beta", "2.0", b"\xca\xfe\xd0\x0d")
    layer = {
        "app/app.jar": boot_jar({"beta-2.0.jar": forged}),
        "app/lib/gamma-3.0.jar": jar("org.example", "gamma", "3.0", b"other"),
        SITE + "alpha/__init__.py": b"x = 2\n",
        **hidden_lock({"left-pad": ("1.3.0", b"another archive")}),
    }
    assert verdict_of(tmp_path, image_tree(), layer) == (
        PinsVerdict.FLOATING,
        [
            "INS005 alpha 1.0: changed after it was installed: alpha/__init__.py",
            "INS004 image:/app/app.jar!/BOOT-INF/lib/beta-2.0.jar is org.example/beta 2.0 with "
            "other bytes than locked",
            "INS004 image:/app/lib/gamma-3.0.jar is org.example/gamma 3.0 with other bytes than "
            "locked",
            "INS004 image:/app/node_modules/left-pad/package.json is left-pad 1.3.0, whose own "
            "record names other bytes than locked",
        ],
    )


def test_another_version_and_a_stranger_are_named(tmp_path: Path):
    layer = {
        SITE + ".wh.alpha": b"",
        SITE + ".wh.alpha-1.0.dist-info": b"",
        **installed_wheel("alpha", "1.1"),
        **installed_wheel("omega", "9"),
        "app/lib/.wh.gamma-3.0.jar": b"",
        "app/lib/gamma-4.0.jar": jar("org.example", "gamma", "4.0"),
        "app/lib/delta-1.jar": jar("com.example", "delta", "1"),
        **node_package("right-pad", "1.0.0"),
    }
    assert verdict_of(tmp_path, image_tree(), layer)[1] == [
        "INS001 com.example/delta 1 is in the image and in no lock",
        "INS001 right-pad 1.0.0 is in the image and in no lock",
        "INS001 omega 9 is in the image and in no lock",
        "INS003 image:/app/lib/gamma-4.0.jar is org.example/gamma 4.0; locked is 3.0",
        f"INS003 image:/{SITE}alpha-1.1.dist-info/METADATA is alpha 1.1; locked is 1.0",
    ]


def test_what_is_locked_and_not_there_is_a_note(tmp_path: Path):
    project = locks(tmp_path / "project")
    tree = image_tree() | {"app/lib/beta-2.0.jar": JAR}
    del tree["app/lib/gamma-3.0.jar"], tree["app/app.jar"]
    report = held(project, layout(tmp_path / "image", tree))

    assert report.verdict is PinsVerdict.PINNED
    ((finding),) = report.findings
    assert (finding.id, finding.message, finding.location.path) == (
        "INS002",
        "org.example/gamma 3.0 is locked, and not in the image",
        "maven_install.json",
    )


def test_a_lock_of_which_nothing_is_in_the_image_leaves_the_verdict_open(tmp_path: Path):
    project = locks(tmp_path / "project")
    tree = image_tree() | {"app/lib/beta-2.0.jar": JAR}
    del tree["app/app.jar"]
    without = {path: data for path, data in tree.items() if not path.startswith(SITE)}
    report = held(project, layout(tmp_path / "image", without))

    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert [(f.id, f.message, f.location.path) for f in report.findings] == [
        ("INS008", "none of 1 locked pypi packages is in the image", "requirements.txt")
    ]


def test_files_that_are_gone_are_told(tmp_path: Path):
    gone = {SITE + "alpha/.wh.__init__.py": b""}
    assert verdict_of(tmp_path, image_tree(), gone)[1] == [
        "INS007 alpha 1.0: 1 of the files in its RECORD are not there"
    ]


def test_a_lock_with_one_edited_shasum_is_named(tmp_path: Path):
    project = locks(tmp_path / "project")
    path = project / "maven_install.json"
    path.write_text(path.read_text().replace(sha256(JAR), sha256(b"other")))

    ids = [line.partition(" ")[0] for line in verdict_of(tmp_path, image_tree())[1]]
    assert ids == ["INS004", "JV005"]


def test_without_any_lock_packages_are_counted(tmp_path: Path):
    (tmp_path / "project").mkdir()
    tree = {**installed_wheel("alpha", "1.0"), **installed_wheel("omega", "9")}

    assert verdict_of(tmp_path, tree)[1] == [
        "INS001 2 pypi packages are in the image, and there is no lock"
    ]


STATUS = b"Package: python3-deb\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"


@pytest.mark.parametrize("name", ["python3-deb", "python3-deb:all"])
def test_what_dpkg_installed_is_no_stranger_unless_it_has_no_such_package(
    tmp_path: Path, name: str
):
    debian = {
        path.replace("usr/local", "usr"): data for path, data in installed_wheel("deb", "1").items()
    }
    listed = {f"var/lib/dpkg/info/{name}.list": "".join(f"/{path}\n" for path in debian).encode()}
    status = {"var/lib/dpkg/status": STATUS}

    assert verdict_of(tmp_path, image_tree(), debian | listed | status)[1] == []
    for other in (b"", STATUS.replace(b"python3", b"python4")):
        layer = debian | listed | {"var/lib/dpkg/status": other}
        told = verdict_of(tmp_path, image_tree(), layer)[1]
        assert told == ["INS001 deb 1 is in the image and in no lock"]


def test_what_says_that_it_was_built_here_is_unknown_and_what_came_from_a_file_is_not(
    tmp_path: Path,
):
    def told(origin: bytes) -> tuple[PinsVerdict, list[tuple[str, str]]]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        tree = image_tree() | {"app/lib/beta-2.0.jar": JAR} | installed_wheel("own", "0")
        tree |= {SITE + "own-0.dist-info/direct_url.json": origin}
        del tree["app/app.jar"]
        report = held(locks(folder), layout(folder / "image", tree))
        return report.verdict, [(f.id, f.message) for f in report.findings]

    verdict, found = told(b'{"url": "file:///src", "dir_info": {}}')
    message = (
        f"image:/{SITE}own-0.dist-info/METADATA says that it was built here, so no lock names the "
        "bytes of it"
    )
    assert (verdict, found) == (PinsVerdict.INCONCLUSIVE, [("INS006", message)])
    verdict, found = told(b'{"url": "file:///own.whl", "archive_info": {}}')
    stranger = ("INS001", "own 0 is in the image and in no lock")
    assert (verdict, found) == (PinsVerdict.FLOATING, [stranger])


def test_a_jar_that_holds_another_is_not_passed_over(tmp_path: Path):
    padded = zipped({"A.class": b"x", "pad.jar": zipped({"META-INF/MANIFEST.MF": b""})})
    image = layout(tmp_path / "image", {"app/lib/gamma-3.0.jar": SECOND, "app/evil-6.jar": padded})
    report = held(locks(tmp_path / "project"), image)

    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert ("INS006", "image:/app/evil-6.jar") in {(f.id, f.location.path) for f in report.findings}


def test_no_package_hides_behind_capitals_an_egg_or_holes(tmp_path: Path):
    evil = jar("org.evil", "evil", "6")
    eggs = {
        "lib/one-1.egg-info/PKG-INFO": b"Name: one\nVersion: 1\n",
        "lib/two-2.egg-info": b"Name: two\nVersion: 2\n",
        "lib/three.egg/EGG-INFO/PKG-INFO": b"Name: three\nVersion: 3\n",
    }
    told = verdict_of(tmp_path, image_tree(), eggs | {"app/evil.JAR": evil})[1]
    assert told == [
        f"INS001 {name} is in the image and in no lock"
        for name in ("org.evil/evil 6", "one 1", "three 3", "two 2")
    ]
    files = merged(sparse(evil), tar(member(b"lib/full.jar", SECOND)))
    seen, _ = compare(locks_of(()), files)
    assert [(one.rule, one.message) for one in seen] == [
        ("INS001", "1 maven packages are in the image, and there is no lock"),
        ("INS006", "app/evil.jar: sparse files are not looked into"),
    ]


def sparse(data: bytes) -> bytes:
    """A layer as GNU tar makes it of a file that begins with a hole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "app/evil.jar")
        path.parent.mkdir()
        with path.open("wb") as file:
            file.seek(1 << 20)
            file.write(data)
        argv = ["tar", "--sparse", "--format=gnu", "-C", folder, "-cf", "-", "app/evil.jar"]
        return subprocess.run(argv, check=True, capture_output=True).stdout


def test_a_package_of_npm_whose_archive_nobody_compared_is_unknown(tmp_path: Path):
    """The image's own record of the archive is the image's word."""
    project = locks(tmp_path / "project")
    message = "1 npm package in the image could not be compared with what is locked"
    for name, layer in (("kept", hidden_lock({"left-pad": ("1.3.0", TARBALL)})), ("none", {})):
        tree = node_package("left-pad", "1.3.0") | layer
        files = merged(tar(*(member(path.encode(), data) for path, data in tree.items())))
        audited = audit_pins([project])
        seen, ties = compare(locks_of(audited.pins), files)
        assert ([one.rule for one in seen], len(ties)) == ([], 1), name
        seen = list(against_indexes(audited.pins, ties, Fetcher(offline=True)))
        unknown = [one for one in seen if one.rule == "INS006"]
        assert [one.message.partition(":")[0] for one in unknown] == [message], name


def test_a_shaded_jar_is_the_one_that_its_file_is_called(tmp_path: Path):
    names = ("beta", "inner", "other")
    said = {
        f"META-INF/maven/g/{n}/pom.properties": f"groupId=g\nartifactId={n}\nversion=1\n".encode()
        for n in names
    }
    files = merged(
        tar(
            member(b"lib/beta-1.jar", zipped(said)),
            member(b"lib/strange.jar", zipped(said)),
            member(b"lib/plain-7.jar", zipped({"a": b""})),
            member(b"lib/cut-1.jar", zipped(said)[:-30]),
        )
    )
    found = {one.path: getattr(one, "purl", "") for one in INVENTORIES.load("jar").installed(files)}

    assert found == {
        "lib/beta-1.jar": "pkg:maven/g/beta@1",
        "lib/strange.jar": "",
        "lib/plain-7.jar": "pkg:maven/plain@7",
        "lib/cut-1.jar": "",
    }


def test_debian_packages_are_held_against_the_lock_that_names_their_debs():
    def pin(name: str, version: str, digest: str, path: str = "status") -> Pin:
        where = Location(path=path, line=1, end_line=1)
        return Pin(
            purl=f"pkg:deb/debian/{name}@{version}?arch=amd64",
            kind="deb",
            strength=Strength.HASHED,
            digests=(f"sha256:{sha256(digest.encode())}",) if digest else (),
            location=where,
        )

    locked = [pin(name, "1", name, "repaudit.lock") for name in ("a", "b", "c", "d", "e")]
    found = [pin("a", "1", "a"), pin("b", "1", "other"), pin("c", "2", "c"), pin("e", "1", "")]
    found.append(pin("stranger", "1", "x"))
    seen = [(one.rule, one.message) for one in against_packages(locked, found)]

    assert seen == [
        ("INS004", "b 1 in the image is of another .deb than locked"),
        ("INS003", "c in the image is 2; locked is 1"),
        ("INS002", "d 1 is locked, and not in the image"),
    ]
    assert list(against_packages([], found)) == []
    assert list(against_packages([pin("a", "1", "")], [])) == []
    (none,) = against_packages(locked, [])
    assert (none.rule, none.message) == ("INS008", "none of 5 locked deb packages is in the image")


def test_a_jar_bomb_is_told_within_the_bounds():
    bomb = zipped({"a.jar": bytes(64 << 20)})
    files = merged(tar(member(b"x.jar", zipped({f"{n}.jar": bomb for n in range(10)}))))

    assert list(INVENTORIES.load("jar").installed(files))


DAMAGE = st.lists(
    st.tuples(st.sampled_from(sorted(image_tree())), st.integers(0, 3000), st.binary(max_size=6)),
    max_size=6,
)


@pytest.mark.parametrize("name", INVENTORIES.names())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(damage=DAMAGE)
def test_any_bytes_give_an_inventory(name: str, damage: list[tuple[str, int, bytes]]):
    tree = image_tree()
    for path, at, put in damage:
        tree[path] = tree[path][:at] + put + tree[path][at + len(put) :]
    files = merged(tar(*(member(path.encode(), data) for path, data in tree.items())))
    inventory = INVENTORIES.load(name)

    first = sorted(inventory.installed(files), key=lambda one: one.path)
    assert first == sorted(inventory.installed(files), key=lambda one: one.path)


def test_the_command_names_what_was_swapped(tmp_path: Path):
    project = locks(tmp_path / "project")
    sound = layout(tmp_path / "a", image_tree())
    other = layout(
        tmp_path / "b",
        image_tree() | {"app/lib/gamma-3.0.jar": jar("org.example", "gamma", "3.0", b"other")},
    )

    argv = ("pins", "verify", str(project), "--offline", "--image")
    done = repaudit(*argv, sound)
    assert done.returncode == 3, done.stderr
    told = ": IDX001 note 2 maven pins were not looked up: offline\n    fix: leave out --offline\n"
    assert told in done.stdout
    assert repaudit(*argv, str(tmp_path / "no")).returncode == 2
    done = repaudit(*argv, other, "--format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    jsonschema.Draft202012Validator(pins_schema()).validate(report)
    ids = sorted(one["id"] for one in report["findings"])
    assert ids == [*["IDX001"] * 3, "INS004", *["INS006"] * 3]
