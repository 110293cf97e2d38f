"""Asking servers: what they tell, and what they do not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from repaudit.host.fetch import Fetcher, Known, Waiting, shown
from repaudit.model.errors import MalformedError, UnreachableError
from tests.standin import Reply, Server, serving

QUICK = Waiting(retries=2, backoff=0.01, longest=1, read=0.3, whole=1.0)
BODY = b"x" * 1000


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(cache=tmp_path, waiting=QUICK)


def test_what_is_there_and_what_is_not(server: Server, fetcher: Fetcher):
    server.replies["/a"] = Reply(body=BODY, kind="text/plain")
    found, gone = fetcher.get(server.url + "/a"), fetcher.get(server.url + "/b")

    assert (found.known, found.data, found.kind) == (Known.FOUND, BODY, "text/plain")
    assert (gone.known, gone.data) == (Known.ABSENT, b"")
    assert all(agent.startswith("repaudit/") for agent in server.agents)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=429, headers=(("Retry-After", "0"),)), "answers 429"),
        (Reply(status=503), "answers 503"),
        (Reply(status=403), "answers 403"),
        (Reply(body=BODY, cut=10), "the answer was cut off"),
        (Reply(body=BODY, slow=0.01), "no end after 1 seconds"),
        (Reply(body=BODY, slow=0.5), "no answer in time"),
        (Reply(status=302, headers=(("Location", "/a"),)), "TooManyRedirects"),
        (Reply(status=302, headers=(("Location", "file:///etc/passwd"),)), "InvalidSchema"),
        (Reply(body=BODY * 3), "has more than 2000 bytes"),
    ],
)
def test_what_cannot_be_told_is_unknown(
    server: Server, fetcher: Fetcher, reply: Reply, reason: str
):
    server.replies["/a"] = reply
    for _ in range(2):  # and is not taken for an answer later
        answer = fetcher.get(server.url + "/a", most=2000)
        assert (answer.known, answer.data) == (Known.UNKNOWN, b"")
        assert reason in answer.reason


def test_a_busy_server_is_asked_again(server: Server, fetcher: Fetcher):
    busy = [Reply(status=429, headers=(("Retry-After", "0"),)), Reply(status=503)]
    server.replies["/a"] = lambda accept: busy.pop() if busy else Reply(body=BODY)

    assert fetcher.get(server.url + "/a").data == BODY
    assert server.asked == ["/a"] * 3


def test_an_answer_is_kept_and_asked_for_anew_unless_it_never_changes(
    server: Server, fetcher: Fetcher, tmp_path: Path
):
    server.replies |= {"/a": Reply(body=BODY), "/f": Reply(body=BODY)}
    for run in (fetcher, Fetcher(cache=tmp_path)):
        for _ in range(2):
            assert run.get(server.url + "/a").data == BODY
            assert run.get(server.url + "/f", forever=True).data == BODY
    assert server.asked == ["/a", "/f", "/a"]

    server.replies["/a"] = Reply(body=b"new")
    assert Fetcher(cache=tmp_path).get(server.url + "/a").data == b"new"
    offline = Fetcher(cache=tmp_path, offline=True)
    assert offline.get(server.url + "/f", forever=True).data == BODY
    assert offline.get(server.url + "/a").known is Known.UNKNOWN
    assert offline.asked == 0


def test_a_damaged_cache_is_no_answer(server: Server, fetcher: Fetcher, tmp_path: Path):
    server.replies["/f"] = Reply(body=BODY)
    fetcher.get(server.url + "/f", forever=True)
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    kept.write_bytes(kept.read_bytes()[:-1] + b"y")

    assert fetcher.get(server.url + "/f", forever=True).data == BODY
    assert server.asked == ["/f", "/f"]


def whole(data: bytes) -> int:
    """Return the length of a body, if it is the one that was signed."""
    if data != BODY:
        raise MalformedError("not what was signed")
    return len(data)


def test_what_never_changes_is_kept_once_it_is_verified_and_no_sooner(
    server: Server, fetcher: Fetcher, tmp_path: Path
):
    server.replies["/f"] = Reply(body=b"tampered")
    for _ in range(2):  # what did not pass is not kept
        with pytest.raises(MalformedError):
            fetcher.verified(server.url + "/f", whole, most=2000)
    server.replies["/f"] = Reply(body=BODY)
    for run in (fetcher, Fetcher(cache=tmp_path, offline=True)):
        assert run.verified(server.url + "/f", whole, most=2000) == len(BODY)
    assert server.asked == ["/f"] * 3

    with pytest.raises(MalformedError):  # kept, and not what is wanted now: asked for again
        fetcher.verified(server.url + "/f", lambda data: whole(data + b"!"), most=2000)
    assert server.asked == ["/f"] * 4


def test_what_has_a_name_is_known_from_any_address(server: Server, fetcher: Fetcher):
    server.replies["/f"] = Reply(body=BODY)
    for path in ("/f", "/g"):
        assert fetcher.verified(server.url + path, whole, most=2000, name="sha256:ab")
    assert server.asked == ["/f"]


def test_needed_bytes_are_there_or_not_or_it_is_an_error(
    server: Server, fetcher: Fetcher, tmp_path: Path
):
    server.replies |= {"/a": Reply(body=BODY), "/cut": Reply(body=BODY, cut=1)}
    assert fetcher.need(server.url + "/a") == BODY
    assert fetcher.need(server.url + "/gone") is None
    assert fetcher.verified(server.url + "/gone", whole, most=2000) is None
    with pytest.raises(UnreachableError, match="cut off") as caught:
        fetcher.need(server.url + "/cut")
    assert "later" in caught.value.hint
    with pytest.raises(UnreachableError, match="more than 10 bytes"):
        fetcher.verified(server.url + "/a", whole, most=10)
    with pytest.raises(UnreachableError, match="offline") as caught:
        Fetcher(cache=tmp_path, offline=True).need(server.url + "/a")
    assert "--offline" in caught.value.hint


def lines_of(fetcher: Fetcher, server: Server) -> list[str]:
    return fetcher.digests(server.url + "/f").data.decode().splitlines()


def test_a_file_is_hashed_and_not_kept(server: Server, fetcher: Fetcher):
    server.replies["/f"] = Reply(body=BODY)
    for _ in range(2):
        lines = fetcher.digests(server.url + "/f").data.decode().splitlines()
        assert f"sha256:{hashlib.sha256(BODY).hexdigest()}" in lines
    assert server.asked == ["/f", "/f"]
    server.replies["/f"] = Reply(body=b"another")
    assert f"sha256:{hashlib.sha256(b'another').hexdigest()}" in lines_of(fetcher, server)
    server.replies["/g"] = Reply(body=BODY, cut=1)
    assert fetcher.digests(server.url + "/g").known is Known.UNKNOWN


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "", "http://[", "http://"])
def test_no_other_address_is_asked(fetcher: Fetcher, url: str):
    assert fetcher.get(url).known is Known.UNKNOWN


def test_no_server_is_no_answer(fetcher: Fetcher):
    answer = fetcher.get("http://127.0.0.1:9/a")
    assert (answer.known, answer.reason) == (
        Known.UNKNOWN,
        "http://127.0.0.1:9/a: no connection, or it broke",
    )


def test_a_password_is_not_shown():
    assert shown("https://me:secret@h.example:1/p?token=1") == "https://h.example:1/p"
