"""A server that the steps of a build ask, and that may act while they wait: busy, or meddling."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.live import GOLDEN


@contextmanager
def mirror(busy: Callable[[list[str]], bool]) -> Iterator[int]:
    """Serve one line for one line at a port of this machine: "ok", or "429" where it is busy."""
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().decode().strip())
            self.wfile.write(b"429\n" if busy(asked) else b"ok\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def asking(port: int) -> str:
    step = f"exec 3<>/dev/tcp/127.0.0.1/{port}; umask >&3; read a <&3; echo $a; test $a = ok"
    return f"FROM {GOLDEN}\nRUN bash -c '{step}'\n"
