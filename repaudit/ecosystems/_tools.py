"""Package managers other than apt's and pip's, and programs that pull images, on a command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from repaudit.ecosystems._catalogue import finding
from repaudit.ecosystems._command import Word
from repaudit.ecosystems._images import audit_image
from repaudit.ecosystems._invocation import Arguments, Invocation, Scene, arguments
from repaudit.ecosystems._purl import pin, purl
from repaudit.model.pins import Edit, Pin, PinFinding, Severity, Strength

_Found = Iterator[Pin | PinFinding]
_EXACT = re.compile(r"v?\d+\.\d+(?:\.\d+)*(?:[-+.][\w.+-]*)?")
_RPM_VERSION = re.compile(r".+-\d[^-]*(?:-[^-]+)?")
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")


def _append(found: Invocation, text: str, after: Word) -> Edit | None:
    return Edit(start=after.end, end=after.end, text=text) if after.plain else None


def _npm(scene: Scene, found: Invocation) -> _Found:
    given = arguments(found.arguments, "--prefix -C --registry --cache --loglevel --omit -w")
    verb, names = (given.rest[0], given.rest[1:]) if given.rest else (None, ())
    if verb is None or verb.text not in ("install", "i", "add", "in", "isntall"):
        return
    yield from _javascript(scene, names, "npm")
    if names or given.has("-g", "--global"):
        return
    # `npm ci` refuses to work without a lock.
    locked = any(scene.held(name) is not None for name in _LOCKS)
    edit = Edit(start=verb.start, end=verb.end, text="ci") if verb.plain and locked else None
    yield finding("NPM001", scene.of(found.command), f"npm {verb.text}", fix="npm ci", edit=edit)


def _javascript(scene: Scene, names: tuple[Word, ...], manager: str) -> _Found:
    for word in names:
        if word.text.startswith((".", "/", "file:")):
            continue
        name, _, version = word.text.rpartition("@")
        if not name:  # a scope's own @, or none at all
            name, version = word.text, ""
        exact = bool(_EXACT.fullmatch(version))
        strength = Strength.VERSIONED if exact else Strength.FLOATING
        scope, slash, plain = name.rpartition("/")
        package = purl("npm", plain, version if exact else None, namespace=scope if slash else None)
        yield pin("npm", scene.of(word), package, strength)
        if exact:
            message = f"{manager} takes {word.text[:100]}, and what that depends on is not locked"
            yield finding("NPM001", scene.of(word), message, severity=Severity.NOTE)
        else:
            yield finding("NPM001", scene.of(word), f"{manager} takes {word.text[:100]}")


def _yarn(scene: Scene, found: Invocation) -> _Found:
    given = arguments(found.arguments, "--cwd --registry --cache-folder --modules-folder -C --dir")
    verbs = [word.text for word in given.rest]
    if verbs[:1] == ["global"]:
        verbs, given = verbs[1:], Arguments(options=given.options, rest=given.rest[1:])
    if verbs[:1] in (["add"], ["dlx"]):
        yield from _javascript(scene, given.rest[1:], found.name)
    elif not verbs[1:] and (verbs in (["install"], ["i"]) or (not verbs and found.name == "yarn")):
        if given.has("--frozen-lockfile", "--immutable", "--version", "-v", "--help"):
            return
        flag = "--frozen-lockfile"
        last = found.arguments[-1] if found.arguments else found.command.words[-1]
        shown = " ".join([found.name, *verbs])
        edit = _append(found, f" {flag}", last)
        fix = f"{found.name} install {flag}"
        yield finding("NPM001", scene.of(found.command), shown, fix=fix, edit=edit)


def _npx(scene: Scene, found: Invocation) -> _Found:
    given = arguments(found.arguments[:6], "-p --package -c --call")
    yield from _javascript(scene, given.values("-p", "--package") or given.rest[:1], "npx")


def _go(scene: Scene, found: Invocation) -> _Found:
    texts = found.texts()
    if texts[:1] not in (("install",), ("get",), ("run",)):
        return
    given = arguments(found.arguments[1:], "-ldflags -tags -gcflags -o -C -mod -asmflags")
    for word in given.rest:
        name, at, version = word.text.partition("@")
        if not at and (texts[0] != "get" or name.startswith((".", "/")) or "." not in name):
            continue  # a package of this module, whose go.sum has its hashes
        exact = version.startswith("v") and bool(_EXACT.fullmatch(version))
        exact |= bool(re.fullmatch(r"[0-9a-f]{12,40}", version))
        space, _, last = name.rpartition("/")
        package = purl("golang", last, version if exact else None, namespace=space)
        yield pin("golang", scene.of(word), package, _strength(exact=exact))
        if not exact:
            message = f"go {texts[0]} {word.text[:100]}"
            yield finding("LNG001", scene.of(word), message, fix=f"go {texts[0]} {name}@VERSION")


def _strength(*, exact: bool) -> Strength:
    return Strength.VERSIONED if exact else Strength.FLOATING


def _cargo(scene: Scene, found: Invocation) -> _Found:
    plain = tuple(word for word in found.arguments if not word.text.startswith("+"))
    if not plain or plain[0].text != "install":
        return
    takes = "--version --vers --git --rev --tag --branch --path --root -F --features --target -j"
    given = arguments(plain[1:], f"{takes} --profile --index --registry --config --bin --example")
    locked = given.has("--locked", "--frozen")
    edit = None if locked else _append(found, " --locked", plain[0])
    if given.has("--git"):
        if not given.has("--rev"):
            yield finding("GIT001", scene.of(found.command), "cargo install --git without --rev")
    elif not given.has("--path"):
        versions = [word.text for word in given.values("--version", "--vers")]
        for word in given.rest:
            name, _, version = word.text.partition("@")
            version = version or "".join(versions[:1])
            exact = bool(_EXACT.fullmatch(version.removeprefix("=")))
            package = purl("cargo", name, version if exact else None)
            yield pin("cargo", scene.of(word), package, _strength(exact=exact))
            if not exact:
                fix = f"cargo install --locked --version VERSION {name}"
                yield finding("LNG001", scene.of(word), f"cargo install {word.text}", fix=fix)
    if not locked:
        message = "cargo install without --locked looks dependencies up anew"
        yield finding("LNG001", scene.of(found.command), message, fix="add --locked", edit=edit)


def _gem(scene: Scene, found: Invocation) -> _Found:
    given = arguments(found.arguments, "-v --version -i --install-dir -n --bindir -s --source -P")
    if not given.rest or given.rest[0].text not in ("install", "i"):
        return
    versions = [word.text for word in given.values("-v", "--version")]
    for word in given.rest[1:]:
        name, _, version = word.text.partition(":")
        version = version or "".join(versions[:1])
        exact = bool(_EXACT.fullmatch(version))
        if not word.text.endswith(".gem"):
            package = purl("gem", name, version if exact else None)
            yield pin("gem", scene.of(word), package, _strength(exact=exact))
            if not exact:
                fix = f"gem install {name} -v VERSION"
                yield finding("LNG001", scene.of(word), f"gem install {word.text}", fix=fix)


def _apk(scene: Scene, found: Invocation) -> _Found:
    takes = "-t --virtual -X --repository -p --root --arch --keys-dir --cache-dir --wait -C"
    given = arguments(found.arguments, takes)
    verb = given.rest[0].text if given.rest else ""
    if verb == "upgrade" or (given.has("-U", "--upgrade") and verb != "add"):
        yield finding("APK001", scene.of(found.command), "apk upgrade")
    if verb != "add":
        return
    loose = []
    for word in given.rest[1:]:
        exact = re.fullmatch(r"([^=<>~@]+)=([^~*<>]+)", word.text)
        package = purl("apk", exact[1], exact[2]) if exact else purl("apk", word.text)
        yield pin("apk", scene.of(word), package, _strength(exact=bool(exact)))
        loose += [] if exact else [word.text]
    if loose or found.through_xargs:
        message = f"apk adds {' '.join(loose[:5]) or 'what xargs reads'}"
        yield finding("APK001", scene.of(found.command), message)
    if given.has("--allow-untrusted"):
        message = "apk add --allow-untrusted asks for no signature"
        yield finding("APK001", scene.of(found.command), message)


def _rpm(scene: Scene, found: Invocation) -> _Found:
    takes = (
        "-c --config --enablerepo --disablerepo --repo --repoid --setopt -x --exclude --installroot"
    )
    given = arguments(found.arguments, f"{takes} --releasever --forcearch -r --root")
    verb = given.rest[0].text if given.rest else ""
    if verb in ("update", "upgrade", "dist-upgrade", "dup", "distro-sync"):
        yield finding("RPM001", scene.of(found.command), f"{found.name} {verb}")
        return
    if verb not in ("install", "in", "groupinstall", "localinstall", "reinstall"):
        return
    loose = []
    for word in given.rest[1:]:
        if word.text.startswith((".", "/")) or "://" in word.text:
            continue
        exact = bool(_RPM_VERSION.fullmatch(word.text)) or bool(re.search(r"[^<>]=[\d]", word.text))
        yield pin("rpm", scene.of(word), purl("rpm", word.text), _strength(exact=exact))
        loose += [] if exact else [word.text]
    if loose or found.through_xargs:
        message = f"{found.name} installs {' '.join(loose[:5]) or 'what xargs reads'}"
        yield finding("RPM001", scene.of(found.command), message)


def _conda(scene: Scene, found: Invocation) -> _Found:
    takes = "-n --name -p --prefix -c --channel -f --file"
    given = arguments(found.arguments, takes)
    if not given.rest or given.rest[0].text not in ("install", "create", "update"):
        return
    for word in given.rest[1:]:
        exact = re.fullmatch(r"(?:\S+::)?([^=<>!~]+)==?([^=*<>,|]+)(=[^=]+)?", word.text)
        package = purl("conda", exact[1], exact[2]) if exact else purl("conda", word.text)
        yield pin("conda", scene.of(word), package, _strength(exact=bool(exact)))
        if not exact:
            message = f"{found.name} installs {word.text[:100]}"
            yield finding("LNG001", scene.of(word), message, fix="name the version, or use a lock")


_DOCKER = """-e --env --env-file -v --volume -p --publish --name --network --net -w --workdir -u
--user
--entrypoint --platform --mount --add-host -h --hostname --gpus -m --memory --cpus --cpuset-cpus
--shm-size --device --label -l --log-driver --log-opt --restart --runtime --ulimit --cap-add --pull
--cap-drop --security-opt --dns --expose --link --ip --ipc --pid --privileged-for --tmpfs --userns
--volumes-from --cgroupns --cgroup-parent --authfile --creds --volume-driver --stop-timeout --arch
--os --variant --cpu-shares -c --health-cmd --sysctl --annotation --cidfile --attach -a"""
_SPARK_IMAGE = re.compile(r"spark\.kubernetes\.(?:(?:driver|executor)\.)?container\.image")


def _docker(scene: Scene, found: Invocation) -> _Found:
    given = arguments(found.arguments, _DOCKER)
    verbs = [word.text for word in given.rest]
    at = 1 if verbs[:1] in (["container"], ["image"]) else 0
    if verbs[at : at + 1] not in (["run"], ["pull"], ["create"]) or len(verbs) <= at + 1:
        return
    # Options of the program in the image stand behind its name.
    yield from _image(scene, given.rest[at + 1], f"{found.name} {verbs[at]}")


def _image(scene: Scene, word: Word, said: str) -> _Found:
    if not word.known and "$" in word.text:
        message = f"{said} {word.text[:100]}: the image hangs on a variable"
        fix = "write the image, with its digest, in the place of the variable"
        yield finding("IMG006", scene.of(word), message, fix=fix)
    else:
        yield from audit_image(word.text, scene.of(word), said=said, configured=True)


def _spark(scene: Scene, found: Invocation) -> _Found:
    given = arguments(found.arguments, "--conf -c")
    for word in given.values("--conf", "-c"):
        key, _, value = word.text.partition("=")
        if _SPARK_IMAGE.fullmatch(key.strip()):
            at = word.start + len(key) + 1 if word.plain else word.start
            inner = Word(text=value, known=word.known, start=at, end=word.end, plain=word.plain)
            yield from _image(scene, inner, key.strip())


def _kubectl(scene: Scene, found: Invocation) -> _Found:
    given = arguments(found.arguments, "--image -n --namespace --context")
    if given.rest and given.rest[0].text in ("run", "create", "debug"):
        for word in given.values("--image"):
            yield from _image(scene, word, "kubectl --image")


TOOLS: dict[str, Callable[[Scene, Invocation], _Found]] = {
    "apk": _apk,
    "bun": _yarn,
    "cargo": _cargo,
    "conda": _conda,
    "dnf": _rpm,
    "docker": _docker,
    "gem": _gem,
    "go": _go,
    "kubectl": _kubectl,
    "mamba": _conda,
    "microdnf": _rpm,
    "micromamba": _conda,
    "nerdctl": _docker,
    "npm": _npm,
    "npx": _npx,
    "pnpm": _yarn,
    "podman": _docker,
    "spark-shell": _spark,
    "spark-submit": _spark,
    "tdnf": _rpm,
    "yarn": _yarn,
    "yum": _rpm,
    "zypper": _rpm,
}
