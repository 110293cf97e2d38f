"""Servers on loopback that stand in for indexes, and fail in the ways in which those fail."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answers: `cut` bytes short of what it promises, `slow` seconds a byte."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/octet-stream"
    headers: tuple[tuple[str, str], ...] = ()
    cut: int = 0
    slow: float = 0.0


@dataclass
class Server:
    """Answers paths; `asked` is what it was asked, in order."""

    replies: dict[str, Reply | Callable[[str], Reply]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    url: str = ""

    def reply(self, path: str, accept: str) -> Reply:
        found = self.replies.get(path, Reply(status=404))
        return found if isinstance(found, Reply) else found(accept)


def send(file: BinaryIO, reply: Reply) -> None:
    try:
        if not reply.slow:
            file.write(reply.body[: len(reply.body) - reply.cut])
            return
        for at in range(len(reply.body)):
            file.write(reply.body[at : at + 1])
            time.sleep(reply.slow)
    except OSError:
        pass  # who asked has gone


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            server.asked.append(path)
            server.agents.add(self.headers.get("User-Agent", ""))
            reply = server.reply(path, self.headers.get("Accept", ""))
            tag = '"' + hashlib.sha256(reply.body).hexdigest()[:16] + '"'
            unchanged = reply.status == 200 and self.headers.get("If-None-Match") == tag
            self.send_response(304 if unchanged else reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("ETag", tag)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", "0" if unchanged else str(len(reply.body)))
            self.end_headers()
            if body and not unchanged:
                self.close_connection = bool(reply.cut or reply.slow)
                send(self.wfile, reply)

        def log_message(self, *words: object) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(server)) as httpd:
        httpd.daemon_threads = True
        server.url = f"http://127.0.0.1:{httpd.server_port}"
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            httpd.shutdown()
            thread.join()
