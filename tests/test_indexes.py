"""Locks against indexes: what they serve, what they no longer serve, and what they do not say."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repaudit.host.clients import npm_registry
from repaudit.host.fetch import Fetcher, Waiting
from repaudit.indexes import maven, npm
from repaudit.model.pins import Location, Pin, PinsReport, PinsVerdict, Severity, Strength
from repaudit.pinning import verify_pins
from tests.command import repaudit
from tests.images import member, tar
from tests.packages import (
    SITE,
    Tree,
    hidden_lock,
    installed_wheel,
    integrity,
    jar,
    sha256,
    wheel,
    wheel_tree,
    zipped,
)
from tests.standin import Reply, Server, serving
from tests.test_pins_image import layout, signed

QUICK = Waiting(retries=1, backoff=0.01, longest=1, read=0.3, whole=1.0)
WHEEL = wheel("alpha", "1.0")
SDIST = b"an archive of sources"
JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(cache=tmp_path / "cache", waiting=QUICK)


class Simple:
    """A simple index that speaks JSON, or, as many mirrors do, HTML alone."""

    def __init__(self, server: Server, *, html: bool = False) -> None:
        self.server, self.html = server, html
        self.projects: dict[str, list[dict[str, object]]] = {}

    def add(self, project: str, name: str, data: bytes, **more: object) -> None:
        file = {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": sha256(data)}}
        self.projects.setdefault(project, []).append(file | more)
        self.server.replies[f"/files/{name}"] = Reply(body=data)
        self.server.replies[f"/simple/{project}/"] = lambda accept: self.page(project, accept)

    def page(self, project: str, accept: str) -> Reply:
        files = self.projects[project]
        if JSON in accept and not self.html:
            body = {"meta": {"api-version": "1.1"}, "name": project, "files": files, "versions": []}
            return Reply(body=json.dumps(body).encode(), kind=JSON)
        return Reply(body="".join(map(self.link, files)).encode(), kind="text/html")

    @staticmethod
    def link(file: dict[str, object]) -> str:
        yanked = f' data-yanked="{file["yanked"]}"' if "yanked" in file else ""
        known = file.get("core-metadata")
        known = f' data-core-metadata="sha256={known["sha256"]}"' if isinstance(known, dict) else ""
        hashes = file["hashes"]
        assert isinstance(hashes, dict)
        where = f"{file['url']}#sha256={hashes['sha256']}"
        return f'<a href="{where}"{yanked}{known}>{file["filename"]}</a><br>'


@pytest.fixture(params=[False, True], ids=["json", "html"])
def simple(request: pytest.FixtureRequest, server: Server) -> Simple:
    index = Simple(server, html=request.param)
    index.add("alpha", "alpha-1.0-py3-none-any.whl", WHEEL)
    index.add("alpha", "alpha-1.0.tar.gz", SDIST)
    return index


def uv_lock(folder: Path, index: str, *hashes: str, name: str = "alpha") -> Path:
    wheels = ", ".join(f'{{ url = "x", hash = "sha256:{one}" }}' for one in hashes)
    text = (
        f'version = 1\n[[package]]\nname = "{name}"\nversion = "1.0"\n'
        f'source = {{ registry = "{index}/simple" }}\nwheels = [{wheels}]\n'
    )
    folder.mkdir(exist_ok=True)
    (folder / "uv.lock").write_text(text)
    return folder


def told(report: PinsReport) -> list[str]:
    return [f.id for f in report.findings]


def test_what_is_served_as_locked_is_in_order(tmp_path: Path, simple: Simple, fetcher: Fetcher):
    project = uv_lock(tmp_path / "p", simple.server.url, sha256(WHEEL), sha256(SDIST))
    report = verify_pins([project], None, fetcher)

    assert (report.verdict, report.findings) == (PinsVerdict.PINNED, ())
    assert simple.server.asked == ["/simple/alpha/"]


def test_a_tampered_lock_or_file_is_told(tmp_path: Path, simple: Simple, fetcher: Fetcher):
    project = uv_lock(tmp_path / "p", simple.server.url, sha256(WHEEL), sha256(b"forged"))
    (finding,) = verify_pins([project], None, fetcher).findings

    forged = sha256(b"forged")
    message = f"alpha 1.0: 1 of 2 hashes are of no file of the index: sha256:{forged}"
    assert (finding.id, finding.message) == ("IDX003", message)


def test_yanked_and_built_from_source_and_vanished(
    tmp_path: Path, simple: Simple, fetcher: Fetcher
):
    server = simple.server
    simple.add("beta", "beta-1.0.tar.gz", SDIST, yanked="it is broken")
    simple.add("gamma", "gamma-2.0-py3-none-any.whl", WHEEL)
    beta = uv_lock(tmp_path / "beta", server.url, sha256(SDIST), name="beta")
    gamma = uv_lock(tmp_path / "gamma", server.url, sha256(WHEEL), name="gamma")
    delta = uv_lock(tmp_path / "delta", server.url, sha256(WHEEL), name="delta")

    report = verify_pins([beta, gamma, delta], None, fetcher)
    assert [(f.id, f.message) for f in report.findings] == [
        ("IDX004", "beta 1.0 was yanked: it is broken"),
        ("IDX005", "beta 1.0 is there as a source distribution only"),
        ("IDX002", "delta is not in the index"),
        ("IDX002", "gamma 1.0 is not in the index, which has 1 other files"),
    ]
    assert report.verdict is PinsVerdict.FLOATING


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize(
    ("name", "text", "kinds"),
    [
        (
            "Dockerfile",
            "FROM scratch\nADD https://git.example/a.git#" + "a" * 40 + " /a\n",
            ["git"],
        ),
        ("Cargo.sh", "cargo install --locked --version 1.2.3 ripgrep\n", ["cargo"]),
        ("pom.sh", "curl -o a https://x.example/a && sha256sum -c sums && sh a\n", ["http"]),
    ],
)
def test_a_pin_that_nobody_was_asked_about_is_unknown(
    tmp_path: Path, fetcher: Fetcher, name: str, text: str, kinds: list[str], offline: bool
):
    (tmp_path / name).write_text(text)
    fetcher.offline = offline
    report = verify_pins([tmp_path / name], None, fetcher)

    unknown = [one.message for one in report.findings if one.id == "IDX001"]
    assert [message.split()[1] for message in unknown] == kinds
    assert report.verdict is not PinsVerdict.PINNED


def test_what_floats_before_anything_is_asked_stays_told(
    tmp_path: Path, simple: Simple, fetcher: Fetcher
):
    project = uv_lock(tmp_path / "p", simple.server.url, sha256(WHEEL), sha256(SDIST))
    (project / "requirements.txt").write_text("requests>=2.0\n")
    report = verify_pins([project], None, fetcher)

    assert report.verdict is PinsVerdict.FLOATING
    assert sorted((f.id, f.location.path) for f in report.findings) == [
        ("IDX001", "requirements.txt"),
        ("PY001", "requirements.txt"),
    ]


FAULTS = [
    Reply(status=429, headers=(("Retry-After", "0"),)),
    Reply(status=503),
    Reply(body=b"<a href='x'>x</a>" * 100, cut=5, kind="text/html"),
    Reply(body=b"{" * 1000, kind=JSON),
    Reply(body=b"[]", kind=JSON),
    Reply(body=b'{"meta": {"api-version": "2.0"}, "files": []}', kind=JSON),
    Reply(body=b"x" * 1000, slow=0.5),
]


@pytest.mark.parametrize("fault", FAULTS, ids=range(len(FAULTS)))
def test_no_answer_is_neither_ok_nor_vanished(
    tmp_path: Path, server: Server, fetcher: Fetcher, fault: Reply
):
    server.replies["/simple/alpha/"] = fault
    project = uv_lock(tmp_path / "p", server.url, sha256(WHEEL))
    report = verify_pins([project], None, fetcher)

    assert (report.verdict, told(report)) == (PinsVerdict.INCONCLUSIVE, ["IDX001"])
    assert all(finding.severity is Severity.NOTE for finding in report.findings)


def test_a_server_that_does_not_answer_is_left_alone(
    tmp_path: Path, server: Server, fetcher: Fetcher
):
    names = [f"p{n}" for n in range(20)]
    server.replies |= {f"/simple/{name}/": Reply(status=503) for name in names}
    for name in names:
        uv_lock(tmp_path / name, server.url, sha256(WHEEL), name=name)
    report = verify_pins([tmp_path / name for name in names], None, fetcher)

    assert (report.verdict, told(report)) == (PinsVerdict.INCONCLUSIVE, ["IDX001"] * 20)
    assert fetcher.asked == 3


def test_a_wheel_swapped_for_one_of_the_same_name_is_named(
    tmp_path: Path, simple: Simple, fetcher: Fetcher
):
    """Its RECORD fits what is installed; only the wheel that was locked tells."""
    project = uv_lock(tmp_path / "p", simple.server.url, sha256(WHEEL), sha256(SDIST))
    sound = layout(tmp_path / "sound", installed_wheel("alpha", "1.0"))
    swapped = layout(tmp_path / "swapped", installed_wheel("alpha", "1.0", b"x = 'evil'\n"))

    assert verify_pins([project], sound, fetcher).findings == ()
    report = verify_pins([project], swapped, fetcher)
    (finding,) = report.findings
    assert (finding.id, report.verdict) == ("INS004", PinsVerdict.FLOATING)
    assert (
        "1 files are not those of alpha-1.0-py3-none-any.whl: alpha/__init__.py" in finding.message
    )


def test_metadata_is_tied_to_the_index_without_a_download(
    tmp_path: Path, simple: Simple, fetcher: Fetcher
):
    tree = wheel_tree("alpha", "1.0")
    metadata = tree["alpha-1.0.dist-info/METADATA"]
    simple.projects["alpha"][0]["core-metadata"] = {"sha256": sha256(metadata + b"other")}
    project = uv_lock(tmp_path / "p", simple.server.url, sha256(WHEEL))
    report = verify_pins(
        [project], layout(tmp_path / "i", installed_wheel("alpha", "1.0")), fetcher
    )

    assert told(report) == ["INS004"]
    assert simple.server.asked == ["/simple/alpha/"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(status=503), "IDX001"),
        (Reply(status=404), "IDX001"),
        (Reply(body=WHEEL[:-1]), "IDX003"),
        (Reply(body=WHEEL, cut=3), "IDX001"),
    ],
)
def test_a_wheel_that_cannot_be_had_proves_nothing(
    tmp_path: Path, simple: Simple, fetcher: Fetcher, reply: Reply, expected: str
):
    simple.server.replies["/files/alpha-1.0-py3-none-any.whl"] = reply
    project = uv_lock(tmp_path / "p", simple.server.url, sha256(WHEEL))
    report = verify_pins(
        [project], layout(tmp_path / "i", installed_wheel("alpha", "1.0")), fetcher
    )

    assert told(report) == [expected]


def test_a_locked_wheel_without_a_record_is_said_to_prove_nothing(
    tmp_path: Path, server: Server, fetcher: Fetcher
):
    bare = zipped({"alpha/__init__.py": b""})
    Simple(server).add("alpha", "alpha-1.0-py3-none-any.whl", bare)
    project = uv_lock(tmp_path / "p", server.url, sha256(bare))
    tree: Tree = installed_wheel("alpha", "1.0")
    report = verify_pins([project], layout(tmp_path / "i", tree), fetcher)

    assert told(report) == ["INS006"]
    assert SITE in report.findings[0].message


# --- npm -----------------------------------------------------------------------------------------

CODE = {"package.json": b'{"name": "left-pad", "version": "1.3.0"}', "index.js": b"ours"}


def tarball(files: Tree) -> bytes:
    packed = tar(*(member(f"package/{n}".encode(), d) for n, d in files.items()))
    return gzip.compress(packed, mtime=0)


@pytest.fixture
def registry(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(npm, "npm_registry", lambda scope: f"{server.url}/npm/")
    data = tarball(CODE)
    dist = {"tarball": f"{server.url}/left-pad.tgz", "integrity": integrity(data)}
    document = {"name": "left-pad", "versions": {"1.3.0": {"dist": dist}}}
    server.replies |= {
        "/left-pad.tgz": Reply(body=data),
        "/npm/left-pad": Reply(body=json.dumps(document).encode()),
    }
    return server


def npm_lock(folder: Path, data: bytes, version: str = "1.3.0") -> Path:
    folder.mkdir()
    package = {"version": version, "integrity": integrity(data)}
    lock = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/left-pad": package}}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"index.js": b"EVIL"}, ["INS004"]),
        ({"index.js": None}, ["INS007"]),
        ({"more.js": b"EVIL"}, ["INS006"]),
        ({"node_modules/other/x.js": b""}, []),
    ],
)
def test_the_files_of_a_node_package_are_those_of_the_locked_archive(
    tmp_path: Path,
    registry: Server,
    fetcher: Fetcher,
    change: dict[str, bytes | None],
    expected: list[str],
):
    project = npm_lock(tmp_path / "p", tarball(CODE))
    tree = {
        f"app/node_modules/left-pad/{n}": d for n, d in (CODE | change).items() if d is not None
    }
    tree |= hidden_lock({"left-pad": ("1.3.0", tarball(CODE))})

    assert told(verify_pins([project], layout(tmp_path / "i", tree), fetcher)) == expected


def test_a_node_package_is_held_against_its_registry(
    tmp_path: Path, registry: Server, fetcher: Fetcher
):
    assert told(verify_pins([npm_lock(tmp_path / "a", tarball(CODE))], None, fetcher)) == []
    assert told(verify_pins([npm_lock(tmp_path / "b", b"other")], None, fetcher)) == ["IDX003"]
    gone = npm_lock(tmp_path / "c", tarball(CODE), "1.3.1")
    assert told(verify_pins([gone], None, fetcher)) == ["IDX002"]
    for fault in (Reply(status=503), Reply(body=b"[]"), Reply(body=b'{"versions": {"1.3.0": 1}}')):
        registry.replies["/npm/left-pad"] = fault
        report = verify_pins([tmp_path / "a"], None, Fetcher(waiting=QUICK))
        assert (report.verdict, told(report)) == (PinsVerdict.INCONCLUSIVE, ["IDX001"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/npm/left-pad/-/left-pad-1.3.0.tgz", []),  # the registry's own: it is asked itself
        ("/left-pad.tgz", []),
        ("/gone.tgz", ["IDX002"]),
        ("/busy.tgz", ["IDX001"]),
        ("/npm/left-pad", ["IDX003"]),
    ],
)
def test_a_lock_that_names_another_address_is_held_against_that(
    tmp_path: Path, registry: Server, fetcher: Fetcher, path: str, expected: list[str]
):
    registry.replies["/busy.tgz"] = Reply(status=503)
    lock = npm_lock(tmp_path / "p", tarball(CODE)) / "package-lock.json"
    text = json.loads(lock.read_text())
    host = (
        registry.url if path.endswith("0.tgz") else registry.url.replace("127.0.0.1", "localhost")
    )
    text["packages"]["node_modules/left-pad"]["resolved"] = f"{host}{path}"
    lock.write_text(json.dumps(text))
    assert told(verify_pins([lock], None, fetcher)) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(status=503), "IDX001"),
        (Reply(status=404), "IDX001"),
        (Reply(body=b"another"), "IDX003"),
    ],
)
def test_an_archive_of_npm_that_cannot_be_had_proves_nothing(
    tmp_path: Path, registry: Server, fetcher: Fetcher, reply: Reply, expected: str
):
    registry.replies["/left-pad.tgz"] = reply
    tree = {f"app/node_modules/left-pad/{n}": d for n, d in CODE.items()}
    project = npm_lock(tmp_path / "p", tarball(CODE))
    assert told(verify_pins([project], layout(tmp_path / "i", tree), fetcher)) == [expected]


def test_the_registry_is_the_one_that_npm_is_configured_to_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    (tmp_path / ".npmrc").write_text(
        "registry=http://r.example/\n@own:registry=http://o.example/\n"
    )
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / ".npmrc"))
    monkeypatch.delenv("npm_config_registry", raising=False)
    assert [npm_registry(scope) for scope in ("", "@own", "@other")] == [
        "http://r.example/",
        "http://o.example/",
        "http://r.example/",
    ]


# --- Maven ---------------------------------------------------------------------------------------

JAR = jar("org.example", "beta", "2.0")
PLACE = "/m2/org/example/beta/2.0/beta-2.0.jar"


def maven_lock(folder: Path, url: str, digest: str) -> Path:
    folder.mkdir()
    lock = signed({"org.example:beta": {"shasums": {"jar": digest}, "version": "2.0"}})
    lock["repositories"] = {f"{url}/m2/": ["org.example:beta"]}
    from repaudit.ecosystems._starlark import hashed

    body = {key: lock[key] for key in ("artifacts", "dependencies", "repositories")}
    lock["__RESOLVED_ARTIFACTS_HASH"] = hashed(body)
    (folder / "maven_install.json").write_text(json.dumps(lock))
    return folder


@pytest.mark.parametrize("checksum", [True, False], ids=["sha256", "the file itself"])
def test_a_jar_is_held_against_the_repository(
    tmp_path: Path, server: Server, fetcher: Fetcher, checksum: bool
):
    server.replies[PLACE] = Reply(body=JAR)
    if checksum:
        server.replies[f"{PLACE}.sha256"] = Reply(body=f"{sha256(JAR)}  beta-2.0.jar\n".encode())
    sound = maven_lock(tmp_path / "a", server.url, sha256(JAR))
    other = maven_lock(tmp_path / "b", server.url, sha256(b"other"))

    assert verify_pins([sound], None, fetcher).findings == ()
    (finding,) = verify_pins([other], None, fetcher).findings
    assert (finding.id, finding.message) == (
        "IDX003",
        f"org.example:beta:2.0 is locked as sha256:{sha256(b'other')}, and served as "
        f"sha256:{sha256(JAR)}",
    )
    assert (PLACE in server.asked) is not checksum


def test_a_jar_that_is_gone_and_one_that_nobody_answers_for(
    tmp_path: Path, server: Server, fetcher: Fetcher
):
    project = maven_lock(tmp_path / "a", server.url, sha256(JAR))

    assert told(verify_pins([project], None, fetcher)) == ["IDX002"]
    server.replies[PLACE] = Reply(body=JAR, cut=1)
    assert told(verify_pins([project], None, fetcher)) == ["IDX001"]
    server.replies[PLACE] = Reply(status=429)
    assert told(verify_pins([project], None, Fetcher(waiting=QUICK))) == ["IDX001"]


@pytest.mark.parametrize(
    ("algorithm", "same", "expected"),
    [
        ("md5", True, "IDX001"),
        ("sha1", True, "IDX001"),
        ("sha1", False, "IDX003"),
        ("sha384", True, "IDX001"),
        ("sha256", True, None),
        ("sha512", True, None),
        ("sha512", False, "IDX003"),
    ],
)
def test_a_jar_is_compared_by_a_strong_hash_or_it_is_unknown(
    server: Server, fetcher: Fetcher, algorithm: str, same: bool, expected: str | None
):
    server.replies[PLACE] = Reply(body=JAR)
    digest = hashlib.new(algorithm, JAR if same else b"other").hexdigest()
    pin = Pin(
        purl=f"pkg:maven/org.example/beta@2.0?repository_url={server.url}/m2",
        kind="maven",
        strength=Strength.VERSIONED,
        digests=(f"{algorithm}:{digest}",),
        location=Location(path="lock", line=1, end_line=1),
    )
    assert [one.rule for one in maven.INDEX.verify([pin], fetcher)] == (
        [expected] if expected else []
    )


def test_a_forgeable_hash_of_an_index_proves_nothing(
    tmp_path: Path, server: Server, fetcher: Fetcher
):
    weak = hashlib.md5(WHEEL).hexdigest()
    Simple(server).add("alpha", "alpha-1.0-py3-none-any.whl", WHEEL, hashes={"md5": weak})
    (tmp_path / "uv.lock").write_text(
        uv_lock(tmp_path, server.url, "0" * 64)
        .joinpath("uv.lock")
        .read_text()
        .replace("sha256:" + "0" * 64, f"md5:{weak}")
    )
    report = verify_pins([tmp_path], None, fetcher)
    assert "alpha 1.0 is locked by a hash alone that can be forged" in {
        f.message for f in report.findings if f.id == "IDX001"
    }


@pytest.mark.parametrize(
    ("pattern", "identity", "url", "expected"),
    [
        ("*", None, "https://r.example/m2", True),
        ("central", "central", "https://r.example/m2", True),
        ("central", None, "https://r.example/m2", False),
        ("*,!central", "central", "https://r.example/m2", False),
        ("external:*", None, "http://localhost:1/m2", False),
        ("external:*", None, "https://r.example/m2", True),
        ("external:http:*", None, "https://r.example/m2", False),
        ("external:http:*", None, "http://r.example/m2", True),
        ("a, central ,b", "central", "https://r.example/m2", True),
    ],
)
def test_a_mirror_stands_for_what_it_says(
    pattern: str, identity: str | None, url: str, expected: bool
):
    assert maven._mirrors(pattern, identity, url) is expected


# --- the clients' own configuration, and the clients ---------------------------------------------


def test_the_index_is_the_one_that_pip_is_configured_to_ask(
    tmp_path: Path, simple: Simple, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "requirements.txt").write_text(f"alpha==1.0 --hash=sha256:{sha256(WHEEL)}\n")
    env = {"XDG_CACHE_HOME": str(tmp_path / "c"), "PIP_INDEX_URL": f"{simple.server.url}/simple"}
    done = repaudit("pins", "verify", str(tmp_path / "requirements.txt"), **env)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert simple.server.asked == ["/simple/alpha/"]


def test_maven_asks_the_mirror_of_the_settings(tmp_path: Path, server: Server):
    (tmp_path / ".m2").mkdir()
    mirror = f"<mirror><id>m</id><mirrorOf>*</mirrorOf><url>{server.url}/m2</url></mirror>"
    (tmp_path / ".m2" / "settings.xml").write_text(
        f'<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>{mirror}</mirrors></settings>'
    )
    server.replies[f"{PLACE}.sha1"] = Reply(body=hashlib.sha1(JAR).hexdigest().encode())
    lock = {
        "artifactID": "a",
        "lockFileVersion": 1,
        "dependencies": [
            {
                "groupId": "org.example",
                "artifactId": "beta",
                "version": "2.0",
                "checksumAlgorithm": "SHA-256",
                "checksum": sha256(JAR),
            }
        ],
    }
    server.replies[PLACE] = Reply(body=JAR)
    (tmp_path / "lockfile.json").write_text(json.dumps(lock))
    done = repaudit("pins", "verify", str(tmp_path / "lockfile.json"), HOME=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr
    assert server.asked == [f"{PLACE}.sha256", PLACE]


def test_pip_takes_the_stand_in_for_an_index(tmp_path: Path, simple: Simple):
    """And believes of the same bytes what we believe of them."""
    for text, status in ((sha256(WHEEL), 0), (sha256(b"other"), 1)):
        (tmp_path / "r.txt").write_text(f"alpha==1.0 --hash=sha256:{text}\n")
        argv = [sys.executable, "-m", "pip", "download", "-q", "--require-hashes", "--no-cache-dir"]
        argv += ["-r", "r.txt", "-d", "d", "--isolated", "--only-binary=:all:"]
        argv += ["--index-url", f"{simple.server.url}/simple"]
        assert subprocess.run(argv, cwd=tmp_path, capture_output=True).returncode == status
