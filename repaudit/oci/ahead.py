"""Reading ahead: a stream is read, verified and decompressed in a thread of its own.

Decompressors and hashes let go of the interpreter's lock, so two such streams use two processors.
"""

from __future__ import annotations

from queue import Empty, Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Self

from repaudit.oci.cursor import CHUNK, Readable

#: How many chunks are held in store, some 2 MiB: enough to bridge a wait, and no more memory.
_STORE = 8
#: Seconds after which a thread looks whether anybody still wants its chunks.
_LOOK_UP = 0.2


class Ahead:
    """A stream that is being read ahead, as long as the context lasts.

    What the stream raises, `read` raises in the same place. The stream's own end, where blobs
    are verified, is always reached before `read` returns nothing.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._chunks: Queue[bytes | Exception] = Queue(_STORE)
        self._unwanted = Event()
        self._thread = Thread(target=self._work, daemon=True)
        self._ended = False
        #: How many bytes `read` has returned.
        self.given = 0

    def read(self, size: int, /) -> bytes:
        """Return the next chunk, of `size` bytes at most if that is CHUNK; nothing at the end."""
        if self._ended:
            return b""
        chunk = self._chunks.get()
        if isinstance(chunk, Exception):
            self._ended = True
            raise chunk
        self._ended = not chunk
        self.given += len(chunk)
        return chunk

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._unwanted.set()
        while self._thread.is_alive():
            try:
                self._chunks.get(timeout=_LOOK_UP)
            except Empty:
                continue
        self._thread.join()

    def _work(self) -> None:
        try:
            while not self._unwanted.is_set():
                chunk = self._stream.read(CHUNK)
                self._give(chunk)
                if not chunk:
                    return
        except Exception as error:  # it is raised again, by `read`
            self._give(error)

    def _give(self, chunk: bytes | Exception) -> None:
        while not self._unwanted.is_set():
            try:
                self._chunks.put(chunk, timeout=_LOOK_UP)
            except Full:
                continue
            return
