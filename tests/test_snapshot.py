"""The instants of a Debian image: real apt, a signed snapshot on loopback, and what goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repaudit.ecosystems import contents, unpacked
from repaudit.host.apt import AptSettings, own_lists
from repaudit.host.fetch import Fetcher, Waiting
from repaudit.model.errors import MalformedError
from repaudit.model.pins import PinsReport, PinsVerdict, Strength
from repaudit.oci.filesystem import merge
from repaudit.sources import open_image
from repaudit.stages.debian import Asked, of_packages, packages_report
from tests import base, images
from tests.packages import SITE, installed_wheel, jar, sha256
from tests.snapshots import HOST, Archives, Root, Service, serve
from tests.standin import Reply, serving
from tests.test_indexes import JAR, PLACE, WHEEL, Simple, maven_lock, uv_lock

pytestmark = pytest.mark.live

T1, T2, T3, T4 = (f"2025{month}01T030405Z" for month in ("01", "02", "03", "04"))
S2, S4 = "20250201T120000Z", "20250401T120000Z"
RUNS = {
    "debian": {
        T1: {"base": "1.0", "tool": "1.0", "other": "1:1.0~rc1"},
        T2: {"base": "1.0", "tool": "1.1", "other": "1:1.0~rc1"},
        T3: {"base": "1.0", "tool": "1.1", "other": "1:1.0"},
        T4: {"base": "2.0", "tool": "1.2", "other": "1:1.0"},
    },
    "debian-security": {S2: {"tool": "1.1+deb12u1"}, S4: {"tool": "1.2"}},
}
SOURCES = "etc/apt/sources.list.d/debian.sources"
LATER = 1_800_000_000.0


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archives]:
    found = Archives(tmp_path_factory.mktemp("archives"), RUNS)
    yield found
    found.close()


@pytest.fixture
def service(archives: Archives) -> Iterator[Service]:
    with serve(archives) as found:
        yield found


@pytest.fixture
def root(tmp_path: Path, service: Service) -> Root:
    return Root(tmp_path / "root", service)


#: From which instant, of which archives, which packages.
Step = tuple[str, tuple[str, ...], tuple[str, ...]]
Install = Callable[..., dict[str, bytes]]
MAIN, BOTH = ("debian",), ("debian", "debian-security")


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory, archives: Archives) -> Iterator[Install]:
    """Have real apt install in steps, and return the files of the root: once for each steps."""
    kept: dict[tuple[Step, ...], dict[str, bytes]] = {}
    with serve(archives) as service:

        def files(*steps: Step) -> dict[str, bytes]:
            if steps not in kept:
                root = Root(tmp_path_factory.mktemp("roots") / "root", service)
                for instant, archives, names in steps:
                    root.sources(instant, *archives)
                    root.install(*names)
                kept[steps] = root.files()
            return dict(kept[steps])

        yield files


class Verify:
    """Verifies roots as images, with a cache that lasts."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder, self.service = folder, service
        self.number = 0
        self.keyring = service.archives.keyring
        self.cache = "cache"

    def image(self, *layers: bytes) -> Path:
        self.number += 1
        store = images.Store()
        layout = store.layout(store.image(*layers))
        return images.write_files(self.folder / f"image{self.number}", layout)

    def __call__(self, files: dict[str, bytes], *, offline: bool = False) -> PinsReport:
        return self.of(self.image(images.archive(files)), offline=offline)

    def of(self, image: Path, *, offline: bool = False) -> PinsReport:
        cache = self.folder / self.cache
        cache.mkdir(exist_ok=True)
        fetcher = Fetcher(
            offline=offline,
            cache=cache,
            proxies={"http": self.service.url},
            waiting=Waiting(backoff=0, read=0.5),
        )
        keys = (self.keyring,)
        settings = AptSettings(snapshots=HOST, proxies={}, keyrings=keys)
        asked = Asked(fetcher=fetcher, settings=settings, now=LATER)
        opened = open_image(str(image), self.folder)
        held = [of_packages(merge(opened.blobs, one)) for one in opened.images.images]
        return packages_report(held, asked)


@pytest.fixture
def verify(tmp_path: Path, service: Service) -> Verify:
    return Verify(tmp_path, service)


def told(report: PinsReport) -> dict[str, str]:
    return {finding.id: finding.message for finding in report.findings}


def live(files: dict[str, bytes], *archives: str) -> dict[str, bytes]:
    """The same image with sources that are no snapshot."""
    suites = {"debian": "bookworm", "debian-security": "bookworm-security"}
    text = "".join(f"deb http://mirror.example/{one} {suites[one]} main\n" for one in archives)
    left = {path: data for path, data in files.items() if "sources.list.d" not in path}
    return left | {"etc/apt/sources.list": text.encode()}


# One instant, two, impossible.


def test_an_image_of_one_instant_has_the_interval_of_it(install: Install, verify: Verify):
    files = install(
        (
            T2,
            MAIN,
            (
                "tool",
                "other",
            ),
        )
    )

    report = verify(live(files, "debian"))

    assert told(report) == {"APT017": f"{T2}: 3 packages"}
    assert report.verdict is PinsVerdict.PINNED
    assert {pin.strength for pin in report.pins} == {Strength.HASHED}
    assert "pkg:deb/debian/other@1:1.0~rc1?arch=amd64&distro=debian-12" in {
        pin.purl for pin in report.pins
    }


def test_the_interval_is_as_long_as_nothing_changes(install: Install, verify: Verify):
    files = install((T2, MAIN, ("base",)))

    assert told(verify(live(files, "debian"))) == {"APT017": f"{T1} to {T3}: 1 package"}


def test_a_security_archive_has_its_own_runs(install: Install, verify: Verify):
    files = install(
        (
            "20250215T000000Z",
            BOTH,
            (
                "tool",
                "other",
            ),
        )
    )

    report = verify(live(files, "debian", "debian-security"))

    assert told(report) == {"APT017": f"{S2}: 3 packages"}
    assert "tool@1.1%2Bdeb12u1" in str(report.pins)


def test_an_image_of_two_instants_names_what_forbids_one(install: Install, verify: Verify):
    files = install((T1, MAIN, ("base", "other")), (T4, MAIN, ("tool",)))

    report = verify(live(files, "debian"))

    assert report.verdict is PinsVerdict.FLOATING
    message = told(report)["APT012"]
    assert message == (f"{T1} to {T2}: 2 packages; {T4}: 1 package. What forbids one: tool 1.2")


def test_a_package_of_no_instant_is_named(root: Root, verify: Verify, archives: Archives):
    root.sources(T2, "debian")
    root.install("tool")
    local = archives.deb("tool", "1.1local1")
    ask = ["dpkg", f"--root={root.folder}", "--install", str(local)]
    subprocess.run(ask, check=True, capture_output=True)

    report = verify(live(root.files(), "debian"))

    assert report.verdict is PinsVerdict.FLOATING
    assert told(report)["APT011"].startswith("tool 1.1local1 amd64 is in no index")
    assert told(report)["APT017"] == f"{T1} to {T3}: 1 package"
    strengths = {pin.purl.partition("?")[0]: pin.strength for pin in report.pins}
    assert strengths["pkg:deb/debian/tool@1.1local1"] is Strength.VERSIONED


def test_a_package_of_the_same_version_with_other_dependencies_is_named(
    install: Install, verify: Verify
):
    files = install((T2, MAIN, ("tool",)))
    status = files["var/lib/dpkg/status"]
    files["var/lib/dpkg/status"] = status.replace(b"Depends: base", b"Depends: base (>= 0.5)")

    assert told(verify(files)) == {"APT011": "tool 1.1 amd64 is not the index's: depends"}


# Images that name their snapshot themselves.


def test_an_image_of_its_own_snapshot_is_pinned_without_a_search(install: Install, verify: Verify):
    files = install((T2, MAIN, ("tool",)))

    report = verify(files)

    assert (report.verdict, report.findings) == (PinsVerdict.PINNED, ())


def test_a_package_that_the_images_own_snapshot_lacks_is_named(install: Install, verify: Verify):
    files = install((T1, MAIN, ("tool",)))
    files[SOURCES] = files[SOURCES].replace(T1.encode(), T4.encode())

    report = verify(files)

    assert report.verdict is PinsVerdict.FLOATING
    assert {finding.id for finding in report.findings} == {"APT011"}
    assert len(report.findings) == 2  # base and tool


@pytest.mark.parametrize("instant", ["now", "20991231T000000Z"])
def test_a_snapshot_that_floats_is_named(install: Install, verify: Verify, instant: str):
    files = install((T2, MAIN, ("base",)))
    files[SOURCES] = files[SOURCES].replace(T2.encode(), instant.encode())

    report = verify(files)

    assert instant in told(report)["APT004"]
    assert report.verdict is PinsVerdict.FLOATING


def test_the_snapshot_option_of_apt_is_understood(install: Install, verify: Verify):
    files = install((T2, MAIN, ("base",)))
    text = f"deb [snapshot={T2}] http://mirror.example/debian bookworm main\n"
    files = live(files) | {"etc/apt/sources.list": text.encode()}

    assert verify(files).findings == ()


# Images of all shapes.


def test_a_distroless_image_has_a_file_a_package(install: Install, verify: Verify):
    files = install((T2, MAIN, ("tool",)))
    stanzas = files["var/lib/dpkg/status"].decode().strip().split("\n\n")
    release = files["etc/os-release"]
    unpacked = {path: data for path, data in files.items() if path.startswith(("usr/", "etc/"))}
    del unpacked[SOURCES]
    files = {f"var/lib/dpkg/status.d/{at}": f"{one}\n".encode() for at, one in enumerate(stanzas)}
    files |= {"var/lib/dpkg/status.d/0.md5sums": b"0 usr/share/base\n"} | unpacked
    files |= {"usr/lib/os-release": release}

    report = verify(files)

    # Where nothing names the suites, security counts as well, and it overtakes from S2 on.
    assert told(report) == {"APT017": f"{T2}: 2 packages"}
    assert len({pin.location.path for pin in report.pins}) == 2


def test_a_later_layer_takes_away_what_it_whites_out(install: Install, verify: Verify):
    files = install((T2, MAIN, ("tool",)))
    below = images.archive(files | {"etc/apt/sources.list": b"deb http://x.example/y z main\n"})
    above = images.archive({"etc/apt/.wh.sources.list": b""})

    assert "APT014" in told(verify.of(verify.image(below)))
    assert verify.of(verify.image(below, above)).findings == ()


def test_an_image_without_dpkg_leaves_the_verdict_open(verify: Verify):
    report = verify({"etc/os-release": b"ID=alpine\n"})

    assert report.verdict is PinsVerdict.INCONCLUSIVE


@pytest.mark.parametrize("path", ["lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite"])
def test_packages_that_nobody_reads_leave_the_verdict_open(
    whole: dict[str, bytes], verify: Verify, path: str
):
    assert verify(whole | {f"{path}.bak": b""}).verdict is PinsVerdict.PINNED
    report = verify(whole | {path: b""})

    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert path in told(report)["APT016"]


@pytest.mark.parametrize("data", [b"\xff\x00", b"Package: \n", b"Version: 1\n\n\n", b":\n" * 99])
def test_a_status_of_any_bytes_is_refused_by_name(verify: Verify, data: bytes):
    report = verify({"var/lib/dpkg/status": data})

    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert "PAR002" in told(report)


@pytest.mark.parametrize("suite", ["../../../mr/file", "a?b=c", "..", "a//b", "%2e%2e"])
def test_an_image_cannot_choose_what_is_asked_for(
    install: Install, verify: Verify, service: Service, suite: str
):
    files = install((T2, MAIN, ("base",)))
    del files[SOURCES]
    files["etc/apt/sources.list"] = f"deb {HOST}/archive/debian/{T2}/ {suite} main\n".encode()

    verify(files)

    assert [path for path in service.asked if suite in path or ".." in path] == []


def test_an_image_cannot_make_us_ask_without_end(
    install: Install, verify: Verify, service: Service
):
    files = install((T2, MAIN, ("base",)))
    lines = (f"deb {HOST}/archive/debian/{T2}/ s{number} main\n" for number in range(999))
    files["etc/apt/sources.list"] = "".join(lines).encode()

    assert "PAR002" in told(verify(files))
    assert service.asked == []


# The files of packages, beside those of their .debs.

FILE = "usr/share/tool/version"
STATUS, SUMS = "var/lib/dpkg/status", "var/lib/dpkg/info/tool.md5sums"


def swapped(files: dict[str, bytes]) -> dict[str, bytes]:
    """One file changed, and the package's own list of it as well."""
    old, new = (hashlib.md5(data).hexdigest().encode() for data in (files[FILE], b"another"))
    return files | {FILE: b"another", SUMS: files[SUMS].replace(old, new)}


def test_a_file_with_other_bytes_than_in_the_deb_is_named_whatever_its_md5sums_say(
    whole: dict[str, bytes], verify: Verify
):
    report = verify(swapped(whole))

    assert report.verdict is PinsVerdict.FLOATING
    assert told(report) == {"APT013": f"tool 1.1 amd64: not as in its .deb: {FILE}"}
    (finding,) = report.findings
    assert finding.location.path == STATUS
    assert whole[STATUS].splitlines()[finding.location.line - 1] == b"Package: tool"


def test_a_file_that_is_gone_is_named_unless_images_may_well_be_without_it(
    whole: dict[str, bytes], verify: Verify
):
    files = {path: data for path, data in whole.items() if "copyright" not in path}
    assert verify(files).findings == ()
    del files[FILE]
    assert told(verify(files)) == {
        "APT019": f"tool 1.1 amd64: in its .deb and not in the image: {FILE}"
    }
    files["etc/dpkg/dpkg.cfg.d/small"] = b"path-exclude=/usr/share/tool/*\n"
    assert verify(files).findings == ()
    files["etc/dpkg/dpkg.cfg.d/small"] += b"path-include = /usr/share/*/version\n"
    assert "APT019" in told(verify(files))


def test_a_conffile_may_be_changed_and_is_told(whole: dict[str, bytes], verify: Verify):
    report = verify(whole | {"etc/tool.conf": b"ours"})

    assert report.verdict is PinsVerdict.PINNED
    assert told(report) == {"APT020": "tool 1.1 amd64: not as in its .deb: etc/tool.conf"}


def test_a_diverted_file_stands_where_dpkg_put_it(whole: dict[str, bytes], verify: Verify):
    diverted = f"/{FILE}\n/{FILE}.real\nother\n".encode()
    files = whole | {"var/lib/dpkg/diversions": diverted}
    files |= {f"{FILE}.real": files[FILE], FILE: b"of another package"}
    assert verify(files).findings == ()
    assert "APT013" in told(verify(files | {f"{FILE}.real": b"changed"}))


def test_without_the_deb_md5sums_show_what_they_can_and_the_verdict_stays_open(
    whole: dict[str, bytes], verify: Verify, service: Service
):
    service.faults["pool/tool"] = "vanished"
    report = verify(whole)
    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert told(report) == {
        "APT018": "the files of 1 package were held against their own md5sums alone: "
        "their .debs could not be had: gone from the snapshot"
    }
    assert verify(swapped(whole)).verdict is PinsVerdict.INCONCLUSIVE  # nothing can tell
    report = verify(whole | {FILE: b"another"})
    assert report.verdict is PinsVerdict.FLOATING
    assert told(report)["APT013"] == f"tool 1.1 amd64: not as its own md5sums say: {FILE}"
    service.faults.clear()
    assert verify(whole).verdict is PinsVerdict.PINNED


@pytest.mark.parametrize("fault", ["tampered", "cut off", "slow", "busy"])
def test_a_deb_that_is_not_what_was_signed_is_none(
    whole: dict[str, bytes], verify: Verify, service: Service, fault: str
):
    service.faults["pool/tool"] = fault
    report = verify(swapped(whole))
    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert set(told(report)) == {"APT018"}
    service.faults.clear()
    assert "APT013" in told(verify(swapped(whole)))


def test_what_is_known_of_a_deb_is_not_asked_for_again(
    whole: dict[str, bytes], verify: Verify, service: Service
):
    verify(whole)
    assert [path for path in service.asked if "/pool/" in path] != []
    service.asked.clear()
    verify(whole)
    assert [path for path in service.asked if "/pool/" in path] == []


@pytest.mark.parametrize("form", ["gzip", "xz", "zstd", "none"])
def test_debs_of_every_compression_are_read(tmp_path: Path, form: str):
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(
        "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: a\n"
    )
    (root / "DEBIAN/conffiles").write_text("/etc/a\nremove-on-upgrade /etc/b\n")
    for path, text in (("etc/a", "a"), ("usr/b", "b")):
        (root / path).parent.mkdir()
        (root / path).write_text(text)
    os.link(root / "usr/b", root / "usr/c")
    deb = tmp_path / "a.deb"
    ask = ["dpkg-deb", "--root-owner-group", "--nocheck", f"-Z{form}", "--build", root, deb]
    subprocess.run(ask, check=True, capture_output=True)
    found = contents(deb.read_bytes())

    sums = {name: f"sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in "ab"}
    assert found.files == {"etc/a": sums["a"], "usr/b": sums["b"], "usr/c": sums["b"]}
    assert found.conffiles == {"etc/a", "etc/b"}
    assert unpacked(found.packed()) == found
    for cut in (0, 7, 8, 70, 200, len(deb.read_bytes()) - 30):
        with pytest.raises(MalformedError):
            contents(deb.read_bytes()[:cut])


# What goes wrong on the way.


@pytest.fixture
def whole(install: Install) -> dict[str, bytes]:
    files = install((T2, MAIN, ("tool",)))
    return files


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("InRelease", "tampered"),
        ("InRelease", "cut off"),
        ("InRelease", "slow"),
        ("InRelease", "busy"),
        ("SHA256", "tampered"),
        ("SHA256", "cut off"),
        ("mr/timestamp", "vanished"),
        ("binary-amd64", "vanished"),
    ],
)
def test_what_cannot_be_trusted_or_had_leaves_the_verdict_open(
    whole: dict[str, bytes], verify: Verify, service: Service, part: str, fault: str
):
    service.faults[part] = fault
    report = verify(whole)

    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert "APT016" in told(report)
    assert {pin.strength for pin in report.pins} == {Strength.VERSIONED}

    service.faults.clear()
    assert verify(whole).verdict is PinsVerdict.PINNED  # nothing wrong was kept


def test_what_is_signed_for_another_suite_is_not_taken(
    install: Install, verify: Verify, service: Service
):
    files = install(("20250215T000000Z", BOTH, ("base",)))
    sound = verify(files)
    assert sound.verdict is PinsVerdict.PINNED, told(sound)
    verify.cache = "other"
    service.moved = {f"debian-security/{S2}/dists/bookworm-security": f"debian/{T2}/dists/bookworm"}
    report = verify(files)

    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert told(report)["APT016"].endswith("bookworm-security/InRelease is of bookworm")


def test_what_was_signed_for_an_earlier_run_is_not_taken(
    install: Install, verify: Verify, service: Service
):
    """The image is of T1, and says that it is of T4."""
    files = install((T1, MAIN, ("base", "tool")))
    assert verify(files).verdict is PinsVerdict.PINNED
    files[SOURCES] = files[SOURCES].replace(T1.encode(), T4.encode())
    assert "APT011" in told(verify(files))
    verify.cache = "other"
    service.moved = {f"debian/{T4}/": f"debian/{T1}/"}
    report = verify(files)

    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert f"is of {T1}, older than the run before has it" in told(report)["APT016"]


def test_a_server_that_asks_for_patience_gets_it(
    whole: dict[str, bytes], verify: Verify, service: Service
):
    service.faults["InRelease"] = "busy once"

    assert verify(whole).verdict is PinsVerdict.PINNED


def test_a_signature_by_another_key_does_not_hold(
    whole: dict[str, bytes], verify: Verify, tmp_path: Path
):
    other = Archives(tmp_path / "other", {"debian": {T1: {"base": "1.0"}}})
    other.close()
    verify.keyring = other.keyring

    report = verify(whole)

    assert report.verdict is PinsVerdict.INCONCLUSIVE
    assert "NO_PUBKEY" in told(report)["APT016"]


def test_offline_what_was_kept_is_enough_and_what_was_not_is_said(
    whole: dict[str, bytes], verify: Verify, service: Service
):
    assert verify(whole, offline=True).verdict is PinsVerdict.INCONCLUSIVE
    assert verify(whole).verdict is PinsVerdict.PINNED
    before = len(service.asked)

    again = verify(whole)

    assert again.verdict is PinsVerdict.PINNED
    assert [path for path in service.asked[before:] if "/mr/" not in path] == []


def test_a_real_root_is_tied_to_the_signed_lists_of_apt(
    golden_storage: dict[str, str], tmp_path: Path
):
    """What mmdebstrap made of Debian's own archive, by the lists that this machine holds."""
    if not own_lists():
        pytest.skip("apt on this machine holds no lists")
    (tmp_path / "empty").mkdir()
    ask = [sys.executable, "-m", "repaudit", "pins", "verify", str(tmp_path / "empty"), "--image"]
    ask += [f"containers-storage:{base.NAME}", "--offline", "--format", "json"]
    environment = os.environ | golden_storage | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(ask, env=environment, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (3, "")  # at which instant, nobody was asked
    report = json.loads(done.stdout)
    tied = [pin for pin in report["pins"] if pin["strength"] == "hashed"]
    assert len(report["pins"]) > 50
    assert all(len(pin["digests"]) == 1 for pin in tied)
    assert len(tied) > len(report["pins"]) / 2  # a point release may lie between root and lists


def test_apt_itself_refuses_what_we_refuse(root: Root, service: Service, archives: Archives):
    """The stand-in's faults are faults to the real client as well."""
    root.sources(T2, "debian")
    for part, fault in (("InRelease", "tampered"), ("InRelease", "vanished")):
        service.faults = {part: fault}
        assert root.apt("update", "--error-on=any").returncode == 100
    service.faults = {}
    assert root.apt("update", "--error-on=any").returncode == 0
    for fault in ("vanished", "tampered"):
        service.faults = {".deb": fault}
        assert root.apt("install", "tool").returncode == 100


def test_apt_refuses_an_expired_snapshot_unless_it_is_told(tmp_path: Path):
    runs = {run: {"base": "1.0"} for run in (T1, T2)}
    found = Archives(tmp_path / "archives", {"debian": runs}, lives=7)
    try:
        with serve(found) as service:
            root = Root(tmp_path / "root", service)
            root.sources(T1, "debian", check="yes")
            assert "is expired" in root.apt("update", "--error-on=any").stdout
            root.sources(T1, "debian")
            root.install("base")
            verify, files = Verify(tmp_path, service), root.files()
            assert verify(files).verdict is PinsVerdict.PINNED
            files[SOURCES] = files[SOURCES].replace(T1.encode(), T2.encode())
            assert verify(files).verdict is PinsVerdict.PINNED
            verify.cache, service.moved = "other", {f"debian/{T2}/": f"debian/{T1}/"}
            assert "InRelease ran out on 20250108T030405Z" in told(verify(files))["APT016"]
    finally:
        found.close()


def configured(folder: Path, service: Service) -> dict[str, str]:
    """The environment in which apt's configuration leads to the stand-in."""
    conf = folder / "apt.conf"
    conf.write_text(
        f'Dir::Etc::parts "/nonexistent"; Dir::Etc::main "none";\n'
        f'Dir::Etc::trustedparts "{service.archives.keyring.parent}/";\n'
        f'Acquire::http::Proxy "{service.url}";\n'
        f'Acquire::Snapshots::URI::Label::Debian "{HOST}/archive/debian/@SNAPSHOTID@/";\n'
    )
    return {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "APT_CONFIG": str(conf),
        "XDG_CACHE_HOME": str(folder / "xdg"),
        "TMPDIR": str(folder),
    }


def test_one_jar_one_wheel_and_one_deb_with_other_bytes_are_all_named(
    whole: dict[str, bytes], verify: Verify, service: Service, tmp_path: Path
):
    """The wheel and the deb have their own records changed as well, so that these tell nothing."""
    with serving() as server:
        wheels, jars = Simple(server), f"{server.url}/m2/"
        wheels.add("alpha", "alpha-1.0-py3-none-any.whl", WHEEL)
        server.replies[PLACE] = Reply(body=JAR)
        project = maven_lock(tmp_path / "project", server.url, sha256(JAR))
        uv_lock(project, server.url, sha256(WHEEL))
        sound = whole | installed_wheel("alpha", "1.0") | {"app/beta-2.0.jar": JAR}
        other = swapped(sound) | installed_wheel("alpha", "1.0", b"x = 2\n")
        other["app/beta-2.0.jar"] = jar("org.example", "beta", "2.0", b"other")

        def told_of(files: dict[str, bytes]) -> tuple[int, list[str]]:
            image = verify.image(images.archive(files))
            ask = [sys.executable, "-m", "repaudit", "pins", "verify", project, "--image", image]
            done = subprocess.run(
                ask, env=configured(tmp_path, service), capture_output=True, text=True
            )
            assert (done.stderr, jars in done.stdout) == ("", False)
            lines = done.stdout.splitlines()[:-1]
            return done.returncode, [one for one in lines if not one.startswith("    fix")]

        assert told_of(sound) == (0, [])
        status, lines = told_of(other)
        assert status == 1
        told = [line.partition(" ")[2] for line in lines]
        assert sorted(told) == [
            f"APT013 error tool 1.1 amd64: not as in its .deb: {FILE}",
            f"INS004 error alpha@1.0 at {SITE}alpha-1.0.dist-info/METADATA: 1 files are not those "
            "of alpha-1.0-py3-none-any.whl: alpha/__init__.py",
            "INS004 error image:/app/beta-2.0.jar is org.example/beta 2.0 with other bytes than "
            "locked",
        ]


def test_the_command_line_takes_proxy_service_and_keys_from_apts_configuration(
    whole: dict[str, bytes], verify: Verify, service: Service, tmp_path: Path
):
    image = verify.image(images.archive(whole))
    (tmp_path / "empty").mkdir()
    ask = [sys.executable, "-m", "repaudit", "pins", "verify", str(tmp_path / "empty")]
    ask += ["--image", image, "--format", "json"]
    environment = configured(tmp_path, service)

    done = subprocess.run(ask, env=environment, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["verdict"], len(report["pins"])) == ("pinned", 2)
    done = subprocess.run([*ask, "--offline"], env=environment, capture_output=True, text=True)
    assert done.returncode == 3  # which runs there are is never kept
    assert str(tmp_path) not in done.stdout
