"""The laws of a builder (builders/interface.py), each with real builds."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from repaudit import audit
from repaudit.audit import RebuildRequest
from repaudit.builders import BUILDERS, BuildRequest, Frozen, Prepared
from repaudit.builders.buildah import timestamp_flags
from repaudit.cli.progress import Silent
from repaudit.host.scratch import scratch
from repaudit.model.errors import SourceError
from repaudit.model.experiment import BuildRun, Outcome
from repaudit.model.image import Layer
from repaudit.stages.build import open_run
from repaudit.stages.plan import Plan, edits, effect, make_plan
from tests import images, live
from tests.live import GOLDEN

pytestmark = pytest.mark.live

CLEAN_SCRATCH = live.ROOT / "golden" / "clean-scratch"
#: Times are clamped to it, so that runs may be compared.
EPOCH = 1_700_000_000


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a test builds: the builder, the plan and a scratch folder."""

    folder: Path
    plan: Plan

    def prepare(
        self, context: Path, *images: str, folder: str = "shared", **words: object
    ) -> Prepared:
        request = {
            "context": context,
            "containerfile": context / "Containerfile",
            "target": None,
            "build_args": (),
            "secrets": (),
            "timestamp": EPOCH,
            **words,
        }
        own = self.folder / folder
        own.mkdir()
        asked = BuildRequest(**request)  # type: ignore[arg-type]
        return BUILDERS.load("buildah").prepare(asked, images, own, 2)

    def build(
        self,
        prepared: Prepared,
        name: str = "control",
        *,
        into: str = "",
        start: Frozen | None = None,
        hear: Callable[[str], None] = lambda line: None,
    ) -> BuildRun:
        run = next(run for run in self.plan.runs if run.name == name)
        changes = edits(run, self.plan.machine)
        folder = self.folder / (into or name)
        return BUILDERS.load("buildah").build(
            prepared, run, changes, folder, hear, lambda: None, start
        )

    def build_all(self, prepared: Prepared) -> list[BuildRun]:
        """Build control, replicate and variant."""
        with ThreadPoolExecutor(2) as pool:
            names = [run.name for run in self.plan.runs]
            return list(pool.map(lambda name: self.build(prepared, name), names))


@pytest.fixture
def tmpdir_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def site(tmpdir_of_ours: Path) -> Iterator[Site]:
    plan = make_plan(audit.this_machine("laws", EPOCH), vary=(), hold=(), builds=3)
    with scratch() as folder:
        yield Site(folder=folder, plan=plan)


@pytest.fixture
def golden(golden_storage: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in golden_storage.items():
        monkeypatch.setenv(name, value)
    return GOLDEN


class Storage:
    """A storage of its own, as the host's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.conf = folder / "storage.conf"
        (folder / "base").mkdir(parents=True)
        graph, run = json.dumps(str(folder / "graph")), json.dumps(str(folder / "run"))
        text = f'[storage]\ndriver = "overlay"\ngraphroot = {graph}\nrunroot = {run}\n'
        self.conf.write_text(text, "utf-8")

    def make(self, name: str, **files: bytes) -> None:
        """Make an image FROM scratch that holds `files`, executable, in /bin."""
        context = self._folder / "base"
        for file, data in files.items():
            (context / file).write_bytes(data)
            (context / file).chmod(0o755)
        text = f"FROM scratch\nCOPY {' '.join(files)} /bin/\n"
        (context / "Containerfile").write_text(text, "utf-8")
        argv = ["buildah", "bud", "--quiet", "--timestamp=0", f"--tag={name}", str(context)]
        subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    made = Storage(tmp_path / "storage")
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(made.conf))
    yield made
    subprocess.run(["umount", tmp_path / "storage/graph/overlay"], capture_output=True, check=False)


def context(tmp_path: Path, containerfile: str) -> Path:
    folder = tmp_path / "context"
    folder.mkdir(exist_ok=True)
    (folder / "Containerfile").write_text(containerfile, "utf-8")
    return folder


def layers(run: BuildRun) -> tuple[Layer, ...]:
    return open_run(run).images.images[0].layers


def kept(run: BuildRun) -> set[str]:
    assert run.blobs is not None
    return {f"sha256:{path.name}" for path in live.blobs(Path(run.blobs))}


def written(run: BuildRun, path: str) -> list[str]:
    assert run.blobs is not None
    return live.files(Path(run.blobs))[path].decode().splitlines()


# Two control runs give equal images.


def test_two_control_runs_of_a_clean_image_give_equal_images(site: Site, golden: str) -> None:
    prepared = site.prepare(CLEAN_SCRATCH)
    runs = [site.build(prepared, name) for name in ("control", "replicate")]

    assert [run.outcome for run in runs] == [Outcome.BUILT] * 2
    assert runs[0].image == runs[1].image is not None
    assert runs[0].steps == ()  # no step runs


RECORDS = """
RUN umask >/srv/seen; hostname >>/srv/seen; uname -r >>/srv/seen; nproc >>/srv/seen
RUN env | sort >/srv/env; ls -U /srv /etc >/srv/order; mkdir /srv/folder; touch /srv/folder/a
"""


def test_two_control_runs_of_an_image_with_steps_give_equal_images(
    site: Site, golden: str, tmp_path: Path
) -> None:
    prepared = site.prepare(context(tmp_path, f"FROM {golden}{RECORDS}"), golden)
    names = ("control", "replicate", "variant")
    with ThreadPoolExecutor(2) as pool:  # it may be called from several threads at once
        control, replicate, variant = pool.map(lambda name: site.build(prepared, name), names)

    assert control.image == replicate.image is not None
    readings = [[dict(seen) for seen in run.readings] for run in (control, replicate)]
    for clock in ("epoch", "static-epoch"):  # they go on
        assert all(seen.pop(clock, "") for seen in readings[0][1:] + readings[1][1:])
    assert readings[0] == readings[1] != []
    assert control.image != variant.image
    # The builder's own environment is not that of a step.
    assert not [word for word in written(control, "srv/env") if word.startswith(("GO", "TMPDIR"))]
    assert len(control.steps) == 2
    assert control.steps[0].args[-1].startswith("umask")


# A build that fails gives an outcome.


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("RUN echo the-reason; exit 7", "the-reason"),
        ("COPY no-such-file /", "no-such-file"),
        ('RUN ["/no/such/program"]', "/no/such/program"),
    ],
)
def test_a_build_that_fails_gives_an_outcome(
    site: Site, golden: str, tmp_path: Path, line: str, words: str
) -> None:
    run = site.build(site.prepare(context(tmp_path, f"FROM {golden}\n{line}\n"), golden))

    assert run.outcome is Outcome.FAILED
    assert run.image is run.blobs is None
    assert run.failure is not None
    assert run.failure.status != 0
    assert line in str(run.failure.instruction)
    assert words in "\n".join(run.failure.log)


def test_a_build_that_passes_has_no_failure(site: Site, golden: str, tmp_path: Path) -> None:
    run = site.build(site.prepare(context(tmp_path, f"FROM {golden}\nRUN true\n"), golden))

    assert run.outcome is Outcome.BUILT
    assert run.failure is None


# Nothing is left.


@pytest.mark.parametrize("step", ["true", "exit 1", "sleep 300 & true"])
def test_nothing_is_left_when_build_returns(
    golden: str, tmp_path: Path, tmpdir_of_ours: Path, step: str
) -> None:
    plan = make_plan(audit.this_machine("laws", EPOCH), vary=(), hold=(), builds=2)
    with scratch() as folder:
        site = Site(folder=folder, plan=plan)
        site.build(site.prepare(context(tmp_path, f"FROM {golden}\nRUN {step}\n"), golden))

        marks = [str(folder).encode(), f"/repaudit-{folder.name}/".encode()]
        assert live.until(0.5, lambda: live.living(marks)) == []
        assert str(folder) not in Path("/proc/mounts").read_text("utf-8")
        assert not list((folder / "control" / "store").iterdir())  # nothing is mounted there
    assert live.cgroups([folder.name]) == []
    assert not folder.exists()


# Only new layers are read.


def test_only_layers_that_the_build_made_are_exported(
    site: Site, golden: str, tmp_path: Path
) -> None:
    text = f"FROM {golden}\nRUN echo one >/srv/one\nRUN echo two >/srv/two\n"
    run = site.build(site.prepare(context(tmp_path, text), golden))
    base, *new = (layer.descriptor.digest for layer in layers(run))

    assert base not in kept(run)
    assert len(new) == 2
    assert set(new) < kept(run)
    assert len(kept(run)) == 4  # and the manifest and the config
    with pytest.raises(SourceError, match="base image"):
        open_run(run).blobs.open(layers(run)[0].descriptor)


def test_layers_of_other_stages_are_not_exported(site: Site, golden: str, tmp_path: Path) -> None:
    text = f"FROM {golden} AS one\nRUN echo 1 >/srv/1\nFROM scratch\nCOPY --from=one /srv/1 /1\n"
    run = site.build(site.prepare(context(tmp_path, text), golden))

    assert len(layers(run)) == 1
    assert kept(run) > {layers(run)[0].descriptor.digest}
    assert len(kept(run)) == 3


# What later runs start from.

SAME = "RUN echo same >/srv/same && chmod 644 /srv/same\n"
NAME = "RUN hostname >/srv/name\nLABEL last=true\n"


def freeze(runs: Sequence[BuildRun]) -> tuple[Frozen, ...]:
    return BUILDERS.load("buildah").freeze(runs)


def test_a_run_starts_from_what_was_the_same_in_others(
    site: Site, golden: str, tmp_path: Path
) -> None:
    prepared = site.prepare(context(tmp_path, f"FROM {golden}\n{SAME}{NAME}"), golden)
    runs = site.build_all(prepared)
    starts = freeze(runs)

    assert [len(start.images) for start in starts] == [1, 1, 1]
    for run, start in zip(runs, starts, strict=True):
        name = run.planned.name
        again = site.build(prepared, name, into=f"{name}-again", start=start)
        assert again.image == run.image  # one step was left out, and all is there
        assert [len(one.steps) for one in (run, again)] == [2, 1]
        assert (run.whole, again.whole) == (True, False)


def test_a_run_that_is_forgotten_gives_its_room_back_and_keeps_its_image(
    site: Site, golden: str, tmp_path: Path
) -> None:
    prepared = site.prepare(context(tmp_path, f"FROM {golden}\n{SAME}{NAME}"), golden)
    run = site.build(prepared)
    folder = Path(run.blobs or "")
    builder = BUILDERS.load("buildah")
    assert (folder / "disk").exists()
    builder.forget(folder)
    builder.forget(folder)  # there is none any more

    assert not (folder / "disk").exists()
    assert len(layers(run)) == 3
    assert freeze([run]) == ()


@pytest.mark.parametrize(
    "text",
    [
        NAME,  # after an instruction that differs, none is the same
        "COPY Containerfile /srv/\nRUN touch /srv/file\nCOPY Containerfile /srv/again\n",
    ],
)
def test_what_differs_or_ends_the_build_is_built_in_each_run(
    site: Site, golden: str, tmp_path: Path, text: str
) -> None:
    prepared = site.prepare(context(tmp_path, f"FROM {golden}\n{text}"), golden)
    runs = site.build_all(prepared)

    assert all(len(start.images) == text.startswith("COPY") for start in freeze(runs))
    alike = freeze([runs[0], runs[1]])  # nothing was moved: all is the same but for the end
    assert all(len(start.images) == len(text.splitlines()) - 1 for start in alike)


def test_a_run_does_not_start_from_what_the_host_has(
    site: Site, storage: Storage, tmp_path: Path
) -> None:
    """As a user has, who built the image before, with another host name."""
    name = "localhost/small:1"
    storage.make(name, busybox=Path(live.busybox()).read_bytes())
    steps = ("busybox echo 1 >/one; busybox chmod 644 /one", "busybox hostname >/name")
    lines = [f'RUN ["/bin/busybox", "sh", "-c", "{step}"]' for step in steps]
    folder = context(tmp_path, "\n".join([f"FROM {name}", *lines, "LABEL last=true", ""]))
    own = ["buildah", "bud", "--layers", f"--timestamp={EPOCH}", "--isolation=oci", str(folder)]
    subprocess.run(own, check=True, capture_output=True)
    prepared = site.prepare(folder, name)
    runs = site.build_all(prepared)

    def tag(line: str) -> None:  # which replaces the host's list of images
        subprocess.run(["buildah", "tag", name, "localhost/other:1"], check=True)

    again = site.build(prepared, into="again", start=freeze(runs)[0], hear=tag)

    assert again.image == runs[0].image
    assert len(again.steps) == 1


def test_a_run_starts_from_others_where_the_host_never_had_an_image(
    site: Site, storage: Storage, tmp_path: Path
) -> None:
    steps = ("busybox echo 1 >/one; busybox chmod 644 /one", "busybox hostname >/name")
    lines = [f'RUN ["/bin/busybox", "sh", "-c", "{step}"]' for step in steps]
    folder = context(tmp_path, "\n".join(["FROM scratch", "COPY busybox /bin/", *lines, ""]))
    shutil.copy(live.busybox(), folder)
    prepared = site.prepare(folder)
    run = site.build(prepared)
    again = site.build(prepared, into="again", start=freeze([run])[0])

    assert again.image == run.image
    assert (len(run.steps), len(again.steps)) == (2, 1)


@pytest.mark.slow
def test_an_image_may_have_as_many_layers_as_docker_allows(
    site: Site, storage: Storage, tmp_path: Path
) -> None:
    """A mount's options are one page, in which a path of each layer must find room."""
    name, most = "localhost/tall:1", 127
    busybox = images.member(b"bin/busybox", Path(live.busybox()).read_bytes(), mode=0o755)
    some = [images.tar(images.member(f"file{n}".encode())) for n in range(most - 3)]
    store = images.Store()
    told = [{"created_by": f"step {number}"} for number in range(most - 2)]
    image = images.tagged(store.image(images.tar(busybox), *some, history=told), name)
    layout = images.write_files(tmp_path / "layout", store.layout(image))
    copy = ["skopeo", "copy", "--quiet", f"oci:{layout}:{name}", f"containers-storage:{name}"]
    subprocess.run(copy, check=True, capture_output=True)
    steps = ("chmod 600 /file1", "hostname >/name")
    lines = [f'RUN ["/bin/busybox", "sh", "-c", "busybox {step}"]' for step in steps]
    folder = context(tmp_path, "\n".join([f"FROM {name}", *lines, ""]))
    prepared = site.prepare(folder, name)
    run = site.build(prepared)
    assert run.outcome is Outcome.BUILT, run.failure
    again = site.build(prepared, into="again", start=freeze([run])[0])

    assert len(layers(run)) == most
    assert (len(run.steps), len(again.steps)) == (2, 1)
    assert again.image == run.image


# The agreed timestamp.

OLD_HELP = "--timestamp int   Set created timestamp to the specified epoch seconds"
NEW_HELP = f"{OLD_HELP}\n--rewrite-timestamp   Set timestamps\n--source-date-epoch string"


@pytest.mark.parametrize(
    ("usage", "epoch", "flags"),
    [
        (OLD_HELP, 7, ["--timestamp=7"]),
        (NEW_HELP, 7, ["--source-date-epoch=7", "--rewrite-timestamp"]),
        (OLD_HELP, 0, ["--timestamp=0"]),
        (NEW_HELP, 0, ["--source-date-epoch=0", "--rewrite-timestamp"]),
        (OLD_HELP + "\n--source-date-epoch string", 7, ["--timestamp=7"]),
        (OLD_HELP, None, []),
        (NEW_HELP, None, []),
    ],
)
def test_times_are_clamped_by_the_flags_that_the_help_knows(
    usage: str, epoch: int | None, flags: list[str]
) -> None:
    assert timestamp_flags(epoch, usage) == flags


def test_the_timestamp_reaches_config_and_layers_and_none_leaves_them(
    site: Site, golden: str, tmp_path: Path
) -> None:
    folder = context(tmp_path, f"FROM {golden}\nRUN echo >/srv/file\n")
    clamped = site.build(site.prepare(folder, golden, timestamp=EPOCH))
    bare = site.build(site.prepare(folder, golden, folder="bare", timestamp=None), into="b")
    made = [json.loads(open_run(run).images.images[0].config)["created"] for run in (clamped, bare)]

    assert made[0].startswith("2023-11-14T22:13:20")
    assert not made[1].startswith("2023-11-14")


# Base images.


def test_a_base_image_is_resolved_once_and_a_moved_tag_is_refused(
    site: Site, storage: Storage, tmp_path: Path
) -> None:
    name = "localhost/moving:1"
    storage.make(name, file=b"one")
    builder = BUILDERS.load("buildah")
    prepared = site.prepare(context(tmp_path, f"FROM {name}\n"), name)
    assert [base.name for base in prepared.bases] == [name]
    assert prepared.bases[0].digest.startswith("sha256:")
    assert prepared.bases[0].history >= 1
    builder.check_bases(prepared)  # it is where it was

    storage.make(name, file=b"two")
    with pytest.raises(SourceError, match=rf"{name} changed while the builds ran") as error:
        builder.check_bases(prepared)
    assert "digest" in error.value.hint

    again = site.prepare(context(tmp_path, f"FROM {name}\n"), name, folder="again")
    assert again.bases[0].digest != prepared.bases[0].digest
    builder.check_bases(again)


def test_a_base_may_have_a_short_name(storage: Storage, tmp_path: Path) -> None:
    """As `FROM debian:12` has; the builder keeps what it made of such names, on the host."""
    storage.make("docker.io/library/tiny:1", file=b"one")
    folder = context(tmp_path, "FROM tiny:1\nCOPY Containerfile /x\n")

    report = audit.rebuild(RebuildRequest(context=folder, timestamp="0"), Silent())
    assert report.verdict == "reproducible", report.problems


def test_a_layer_that_the_host_has_already_is_read_all_the_same(
    storage: Storage, tmp_path: Path
) -> None:
    storage.make("localhost/tiny:1", file=b"one")
    folder = context(tmp_path, "FROM localhost/tiny:1\nCOPY Containerfile /x\n")
    bare = ["buildah", "bud", "--layers", "--timestamp=0", str(folder)]
    subprocess.run(bare, check=True, capture_output=True)

    report = audit.rebuild(RebuildRequest(context=folder, timestamp="0"), Silent())
    assert report.verdict == "reproducible", report.problems


def test_a_tag_may_move_back(site: Site, storage: Storage, tmp_path: Path) -> None:
    name = "localhost/moving:1"
    storage.make(name, file=b"one")
    prepared = site.prepare(context(tmp_path, f"FROM {name}\n"), name)
    storage.make(name, file=b"two")
    storage.make(name, file=b"one")

    BUILDERS.load("buildah").check_bases(prepared)


# Levels reach steps of an image that holds nothing but a static program.

SEEN = """\
(umask; hostname; uname -r; nproc; date +%z; date +%Y; date -d @0 +%B;
echo $BUILD_ENVIRONMENT_CANARY; echo $USER) >/seen
"""
REACH = ("umask", "hostname", "timezone", "environment", "cpus", "kernel", "user")


def bare_image(tmp_path: Path, storage: Storage) -> tuple[Path, str]:
    busybox = shutil.which("busybox")
    assert busybox is not None
    storage.make("localhost/bare", busybox=Path(busybox).read_bytes())
    step = json.dumps(["/bin/busybox", "sh", "-c", SEEN.replace("\n", " ")])
    return context(tmp_path, f"FROM localhost/bare\nRUN {step}\n"), "localhost/bare"


def able(plan: Plan, names: Sequence[str]) -> set[str]:
    """Those factors that this machine can vary."""
    return set(names) & set(plan.moved)


def test_levels_reach_the_steps_of_an_image_with_no_more_than_a_static_program(
    site: Site, storage: Storage, tmp_path: Path
) -> None:
    folder, name = bare_image(tmp_path, storage)
    prepared = site.prepare(folder, name)
    control, variant = (site.build(prepared, run) for run in ("control", "variant"))
    assert [control.outcome, variant.outcome] == [Outcome.BUILT] * 2, control.failure
    rows = zip(written(control, "seen"), written(variant, "seen"), strict=True)
    umask, host, kernel, cpus, zone, year, month, canary, user = rows

    level = {run: {x.factor: x.value for x in run.planned.levels} for run in (control, variant)}
    for factor, (left, right) in {"umask": umask, "hostname": host, "environment": canary}.items():
        assert (left, right) == (level[control][factor], level[variant][factor])
        assert left != right
    assert zone == ("+0000", "+1400")
    assert user[0] == "root" != user[1]
    if "kernel" in able(site.plan, REACH):
        assert kernel[0] != kernel[1]
        assert kernel[1].startswith("2.6.")
    if "cpus" in able(site.plan, REACH):
        assert int(cpus[0]) > int(cpus[1]) == 1
    assert year[0] != year[1]  # the tracer moves the clock of a static program
    assert month == ("January", "January")


def test_where_there_is_no_glibc_locale_is_held_and_the_tracer_alone_moves_the_time(
    site: Site, storage: Storage, tmp_path: Path
) -> None:
    folder, name = bare_image(tmp_path, storage)
    prepared = site.prepare(folder, name)
    control, variant = (site.build(prepared, run) for run in ("control", "variant"))
    seen = effect(site.plan, control, variant)
    held = {one.factor: one.reason for one in seen.held}

    assert able(site.plan, (*REACH, "time")) <= set(seen.varied)
    assert "locale" not in seen.varied
    assert "glibc" in held["locale"]
    assert list(dict(variant.steps[0].refused)) == ["home", "locale"]
    assert "statically" not in {one.factor: one.reason for one in seen.limits}["time"]
    assert not [limit for limit in seen.limits if "told the same" in limit.reason]  # of CPUs
    assert not set(REACH) & set(dict(variant.steps[0].refused))
    assert "home" in held["home"]  # there is no passwd, and no /root


def test_nothing_of_ours_is_left_in_such_an_image(
    site: Site, storage: Storage, tmp_path: Path
) -> None:
    folder, name = bare_image(tmp_path, storage)
    run = site.build(site.prepare(folder, name))
    assert run.blobs is not None
    names = set(live.files(Path(run.blobs)))

    assert "seen" in names
    assert not [name for name in names if "repaudit" in name or "busybox" in name]
