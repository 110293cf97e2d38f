"""Private keys and password hashes are in no report, and that they differ is told all the same."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import sqlite3
import zipfile
from base64 import b64encode, encodebytes
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repaudit.comparison import DiffRequest, compare_images
from repaudit.model.finding import UNEXPLAINED
from repaudit.model.report import Report
from repaudit.model.withheld import apart, covered, withheld
from repaudit.reporters import REPORTERS, Surface
from tests import strategies
from tests.images import Store, member, tar, write_files
from tests.test_formats import tarred

#: A piece of a secret that is as long is known for one.
PIECE = 10


def drawn(seed: str, size: int) -> str:
    """Letters and digits such as a key has, the same each time."""
    data = b"".join(hashlib.sha256(f"{seed}{n}".encode()).digest() for n in range(size // 32 + 1))
    return b64encode(data).decode().replace("+", "x").replace("/", "y")[:size]


def block(label: str, seed: str, *headers: str) -> str:
    body = drawn(seed, 640)
    lines = [body[at : at + 64] for at in range(0, 620, 64)]
    return "\n".join([f"-----BEGIN {label}-----", *headers, *lines, f"-----END {label}-----"])


def pem(seed: str) -> str:
    return block("PRIVATE KEY", seed)


def sha512(seed: str) -> str:
    return f"$6$saltsalt${drawn(seed, 86)}"


def shadow(hashed: str) -> str:
    return f"root:{hashed}:20779:0:99999:7:::\ndaemon:*:20779:0:99999:7:::\n"


KEYS: dict[str, Callable[[str], str]] = {
    "PKCS #8": pem,
    "PKCS #8, encrypted": lambda seed: block("ENCRYPTED PRIVATE KEY", seed),
    "of old": lambda seed: block(
        "RSA PRIVATE KEY", seed, "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00FF", ""
    ),
    "OpenSSH": lambda seed: block("OPENSSH PRIVATE KEY", seed),
    "PGP": lambda seed: block("PGP PRIVATE KEY BLOCK", seed, "Version: GnuPG v2", ""),
    "age": lambda seed: f"AGE-SECRET-KEY-1{drawn(seed, 58).upper()}",
    "MD5": lambda seed: f"$1$saltsalt${drawn(seed, 22)}",
    "Apache": lambda seed: f"$apr1$saltsalt${drawn(seed, 22)}",
    "SHA-256": lambda seed: f"$5$rounds=5000$saltsalt${drawn(seed, 43)}",
    "SHA-512": sha512,
    "bcrypt": lambda seed: f"$2b$12${drawn(seed, 53)}",
    "yescrypt": lambda seed: f"$y$j9T$saltsalt${drawn(seed, 43)}",
    "argon2": lambda seed: f"$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ${drawn(seed, 43)}",
}
#: How a text may stand in a file.
AROUND: dict[str, Callable[[str], str]] = {
    "alone": lambda text: text,
    "between lines": lambda text: f"one\n{text}\ntwo\n",
    "with CR": lambda text: text.replace("\n", "\r\n") + "\r\n",
    "in YAML": lambda text: "key: |\n" + "".join(f"  {line}\n" for line in text.split("\n")),
    "in JSON": lambda text: json.dumps({"key": text, "other": 1}),
    "in JSON in JSON": lambda text: json.dumps({"key": json.dumps({"key": text})}),
    "in C": lambda text: "".join(f'  "{line}\\n"\n' for line in text.split("\n")) + ";",
    "in a comment": lambda text: "".join(f"# {line}\n" for line in text.split("\n")),
}


def secret(text: str) -> str:
    """What must not be seen of a text of `KEYS`: its lines without its labels."""
    return "".join(re.sub(r"(?m)^(-----.*|[A-Z][A-Za-z-]+: .*)$", "", text).split()).split("$")[-1]


def leaks(shown: str, hidden: str) -> bool:
    """Whether a piece of what is hidden is shown, as it is or as hexadecimal digits."""
    pieces = {hidden[at : at + PIECE] for at in range(len(hidden) - PIECE + 1)}
    digits = {piece.encode().hex() for piece in pieces}
    bare = re.sub(r"\s", "", shown)
    return any(piece in shown for piece in pieces) or any(piece in bare for piece in digits)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", KEYS)
def test_no_key_and_no_password_is_shown_wherever_it_stands(name: str, around: str):
    text = KEYS[name]("a")
    whole, other = AROUND[around](text), AROUND[around](KEYS[name]("b"))
    shown = withheld(whole)

    assert leaks(whole, secret(text))  # or the test would see nothing
    assert not leaks(shown, secret(text))
    assert withheld(whole.encode()) == shown.encode()
    assert shown != withheld(other)  # the digest tells them apart
    assert shown == withheld(shown)
    data = b"\0" + whole.encode()
    assert len(covered(data)) == len(data)
    assert not leaks(covered(data).decode(), secret(text))


def key64(seed: str) -> bytes:
    return b64encode(pem(seed).encode())


def hidden_in(seed: str) -> str:
    """The lines of a key."""
    return "".join(pem(seed).split("\n")[1:-1])


#: Forms with a place for what is drawn, and how much that is; made from a whole key below.
PLACES = {
    "WireGuard": ("[Interface]\nPrivateKey = {}=", 43),
    "PuTTY": ("Public-Lines: 1\nAAAA\nPrivate-Lines: 1\n{}\nPrivate-MAC: 00", 64),
    "JWK": ('<"kty":"OKP","d":"{}","x":"y">', 43),
    "SCRAM": ("SCRAM-SHA-256$4096:c2FsdA==${0}=:{0}=", 43),
    "RFC 2307": ("userPassword: <SHA>{}=", 27),
    "RFC 2307, salted": ("userPassword: <SSHA512>{}=", 90),
    "LDIF": ("userPassword:: {}", 40),
    "Django": ("pbkdf2_sha256$260000$salt${}=", 43),
    "Werkzeug": ("scrypt:32768:8:1$salt${}", 128),
    "passlib": ("$pbkdf2-sha256$29000$c2FsdHNhbHQ${}", 43),
    "scrypt": ("$scrypt$ln=16,r=8,p=1$c2FsdHNhbHQ${}", 43),
    "passwd": ("root:x:0:0:root:/root:/bin/sh\nbob:{}:1:1:Bob:/home/bob:/bin/sh", 13),
    "gshadow": ("root:*::\nstaff:!{}:ann:bob,cat", 13),
    "shadow": ("bin:*:1:0:99999:7:::\nbob:{}:1:0:99999:7:::", 13),
}
WHOLE: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "MySQL": (
        lambda seed: f"bob *{hashlib.sha1(seed.encode()).hexdigest().upper()}",
        lambda seed: hashlib.sha1(seed.encode()).hexdigest().upper(),
    ),
    "in base64": (lambda seed: key64(seed).decode(), lambda seed: key64(seed).decode()[100:]),
    "in base64, in lines": (
        lambda seed: encodebytes(b"text: " + pem(seed).encode()).decode().strip(),
        lambda seed: b64encode(b"text: " + pem(seed).encode()).decode()[-200:-4],
    ),
    "between blanks": (lambda seed: pem(seed).replace("\n", " "), hidden_in),
    "in a list": (lambda seed: '["' + pem(seed).replace("\n", '", "') + '"]', hidden_in),
    "in HTML": (lambda seed: pem(seed).replace("\n", "&#10;"), hidden_in),
    "without a beginning": (lambda seed: pem(seed).partition("\n")[2], hidden_in),
    "without an end": (lambda seed: pem(seed).rpartition("\n")[0].replace("\n", "%0A"), hidden_in),
}
for _name, (_form, _size) in PLACES.items():

    def _text(seed: str, form: str = _form, size: int = _size) -> str:
        return form.format(drawn(seed, size)).replace("<", "{").replace(">", "}")

    WHOLE[_name] = _text, lambda seed, size=_size: drawn(seed, size)  # type: ignore[misc]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", WHOLE)
def test_no_other_form_of_a_secret_is_shown_either(name: str, around: str):
    make, told = WHOLE[name]
    text, other = AROUND[around](make("a")), AROUND[around](make("b"))
    lines = {told("a")[at : at + PIECE] for at in range(0, len(told("a")) - PIECE + 1)}

    assert any(line in text for line in lines)
    assert not any(line in withheld(text) for line in lines)
    assert withheld(text.encode()) == withheld(text).encode()
    assert withheld(text) != withheld(other)
    assert withheld(text) == withheld(withheld(text))
    assert (apart(text)[1] or withheld(text)) != (apart(other)[1] or withheld(other))
    for encoding in ("utf-16-le", "utf-16-be") if "KEY" in text else ():
        wide = text.encode(encoding)
        assert len(covered(wide)) == len(wide)
        assert not any(line.encode(encoding) in covered(wide) for line in lines)


def test_what_is_withheld_is_named_with_its_length_and_its_digest():
    text = pem("a")
    digest = hashlib.sha256(text.encode()).hexdigest()

    said = f"(not shown: a private key, {len(text)} bytes, sha256:{digest})"
    assert withheld(f"a\n{text}\nb") == f"a\n{said}\nb"


@pytest.mark.parametrize(
    "text",
    [
        block("PUBLIC KEY", "a"),
        block("CERTIFICATE", "a"),
        block("PGP PUBLIC KEY BLOCK", "a", "Version: GnuPG v2", ""),
        f"ssh-ed25519 {drawn('a', 68)} root@host",
        f"age1{drawn('a', 58).lower()}",
        "-----BEGIN PRIVATE KEY----- begins a key\nand these words do not",
        "root:*:20779:0:99999:7:::\nbin:!!:20779::::::\napp:!*:1:0:99999:7:::\nx:x:0:0:root:/:/sh",
        f"sed s,a,$1$2{drawn('a', 40)},",
        f"$Id$ $HOME$PATH {drawn('a', 64)}",
        hashlib.sha512(b"a").hexdigest(),
        b64encode(block("CERTIFICATE", "a").encode()).decode(),
        b64encode(block("PUBLIC KEY", "a").encode()).decode(),
        f"sha512-{drawn('a', 86)}==",
        f'<script integrity="sha384-{drawn("a", 64)}">',
        f"url(data:font/woff2;base64,{drawn('a', 400)})",
        f"[Peer]\nPublicKey = {drawn('a', 43)}=",
        f'{{"kty":"OKP","x":"{drawn("a", 43)}"}}',
        f'{{"d":"{drawn("a", 43)}"}}',
        f"Public-Lines: 1\n{drawn('a', 64)}\n",
        "if '-----BEGIN PRIVATE KEY-----' in it and '-----END PRIVATE KEY-----' in it: pass",
        f"{drawn('a', 64)}\nand then\nthe text says\n-----END PRIVATE KEY-----",
        "root:x:0:0:root:/root:/bin/sh\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n",
        "image: registry.example:5000/Application:latest\nfrom: https://HOST.example/a:b:c\n",
        f"* {hashlib.sha1(b'a').hexdigest()}",
        f"{{name}}{drawn('a', 40)}",
        f"${{HOME}}${drawn('a', 40)}$PATH",
    ],
)
def test_what_everybody_may_see_is_shown(text: str):
    assert withheld(text) == text
    assert covered(text.encode()) == text.encode()
    assert apart(text) == (text, ())


def test_a_password_of_old_is_one_by_its_place_alone():
    text = shadow("rl.3StKT.4T8M")

    assert "rl.3StKT" not in withheld(text)
    assert "root:(not shown: a password hash, 13 bytes, sha256:" in withheld(text)
    assert withheld("version: rl.3StKT.4T8M\n") == "version: rl.3StKT.4T8M\n"


@given(text=st.text() | strategies.hostile_texts)
def test_any_other_text_stays_as_it_is(text: str):
    assert withheld(text) == text
    assert withheld(text.encode("utf-8", "surrogatepass")) == text.encode("utf-8", "surrogatepass")


def test_a_text_of_beginnings_takes_no_time():
    key = "-----BEGIN PRIVATE KEY-----"
    signs = f"{key}PresharedKey Private-Lines: kty ::: {b64encode(key.encode()).decode()} scrypt"
    pieces = (key + "\n", key.replace("BEGIN", "END"), "$6$", "$y$a", "a:b:::\n", "\\", "A" * 39)
    for piece in (
        *pieces,
        "A" * 40 + "\n",
        "a:A:",
        "$a$a=1,",
        "Private-Lines: 1\nA\n",
        '"d":"',
        "{SHA}",
    ):
        withheld(signs + piece * ((1 << 21) // len(piece)))


# Whatever file they are in.


def database(text: str, folder: Path) -> bytes:
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.sqlite"
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("create table keys (name text, value text)")
        opened.execute("insert into keys values ('host', ?)", (text,))
        opened.commit()
    return path.read_bytes()


def zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("etc/key.pem"), text)
    return out.getvalue()


def one_line(text: str, seed: str) -> str:
    """A key of which one line differs in the middle, far from its beginning."""
    lines = text.split("\n")
    return "\n".join([*lines[:5], drawn(seed, 64), *lines[6:]])


def files(seed: str, folder: Path, key: str) -> dict[str, bytes]:
    text = f"one\n{key}\ntwo\n"
    return {
        "etc/key.pem": text.encode(),
        "etc/latin1": b"\xe9\n" + text.encode(),
        "etc/long": b"a line\n" * 200_000 + text.encode(),
        "etc/conf.json": json.dumps({"key": key, "a": 1}).encode(),
        "etc/packed.gz": gzip.compress(text.encode(), mtime=0),
        "etc/a.tar.gz": gzip.compress(tarred({"key.pem": text.encode()}), mtime=0),
        "etc/a.zip": zipped(text),
        "etc/a.sqlite": database(key, folder),
        "etc/image.bin": bytes(4096) + key.encode() + bytes(range(256)),
        "etc/utf16.txt": text.encode("utf-16"),
        f"etc/only-{seed}": text.encode(),
    }


def report_of(folder: Path, *sides: tuple[dict[str, bytes], str]) -> Report:
    for name, (held, step) in zip(("left", "right"), sides, strict=True):
        store = Store()
        layer = tar(*(member(path.encode(), data) for path, data in held.items()))
        root = store.image(layer, history=[{"created_by": step}])
        write_files(folder / name, store.layout(root))
    request = DiffRequest(left=str(folder / "left"), right=str(folder / "right"))
    return compare_images(request, lambda _: None, 2)


def everything(report: Report) -> Iterator[tuple[str, str]]:
    for name in REPORTERS.names():
        yield name, REPORTERS.load(name).render(report, Surface(columns=500)).decode()


@pytest.mark.parametrize("name", ["PKCS #8", "of old", "age", "SHA-512"])
def test_no_report_of_two_images_holds_a_key(name: str, tmp_path: Path):
    keys = [KEYS[name](seed) for seed in "ab"]
    sides = [
        (files(seed, tmp_path, key), f"RUN echo '{key}' > /etc/key")
        for seed, key in zip("ab", keys, strict=True)
    ]
    report = report_of(tmp_path, *sides)
    told = {d.path for f in report.findings for d in f.differences}

    assert told >= sides[0][0].keys() | sides[1][0].keys() | {"/history/0/created_by"}
    for reporter, shown in everything(report):
        assert not any(leaks(shown, secret(key)) for key in keys), reporter
    for finding in report.findings:
        for difference in finding.differences:
            if difference.path in sides[0][0] and difference.path in sides[1][0]:
                assert finding.cause.slug == UNEXPLAINED
                assert difference.left != difference.right  # nothing is folded


def test_no_report_holds_what_a_reader_finds_in_a_text_of_another_file(tmp_path: Path):
    """A value that a reader takes out of its line is not known for one by its place."""

    def held(seed: str) -> dict[str, bytes]:
        texts = {name: WHOLE[word][0](seed) for name, word in inside.items()}
        return {"a.tar": tarred({name: text.encode() + b"\n" for name, text in texts.items()})}

    inside = {
        "etc/passwd": "passwd",
        "etc/shadow": "shadow",
        "k.json": "JWK",
        "wg.conf": "WireGuard",
    }
    report = report_of(tmp_path, *((held(seed), "RUN true") for seed in "ab"))
    for reporter, shown in everything(report):
        for word in inside.values():
            assert not any(WHOLE[word][1](seed)[:PIECE] in shown for seed in "ab"), reporter
    (difference,) = [d for f in report.findings for d in f.differences]
    assert all(name in (difference.detail or "") for name in inside)


def test_a_line_in_the_middle_of_a_key_is_not_shown_either(tmp_path: Path):
    keys = [one_line(pem("a"), seed) for seed in "bc"]
    sides = [(files("x", tmp_path, key), "RUN true") for key in keys]
    report = report_of(tmp_path, *sides)

    assert report.findings
    for reporter, shown in everything(report):
        assert not any(leaks(shown, secret(key)) for key in keys), reporter


def test_no_report_holds_a_password(tmp_path: Path):
    hashes = [sha512(seed) for seed in "ab"], ["rl.3StKT.4T8M", "zz.8WvAB.4T8M"]
    for number, pair in enumerate(hashes):
        folder = tmp_path / str(number)
        sides = [({"etc/shadow": shadow(one).encode()}, "RUN true") for one in pair]
        report = report_of(folder, *sides)
        shown = dict(everything(report))

        assert "root:(not shown: a password hash" in shown["text"]
        for text in shown.values():
            assert not any(one.split("$")[-1][:8] in text for one in pair)


def test_a_public_key_is_shown(tmp_path: Path):
    keys = [block("PUBLIC KEY", seed) for seed in "ab"]
    sides = [({"etc/key.pub": key.encode()}, "RUN true") for key in keys]
    shown = dict(everything(report_of(tmp_path, *sides)))

    assert all(leaks(shown["json"], secret(key)) for key in keys)
