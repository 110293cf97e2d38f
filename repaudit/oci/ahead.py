"""Reading ahead: a stream is read, verified and decompressed in a thread of its own.

Decompressors and hashes let go of the interpreter's lock, so two such streams use two processors.
"""

from __future__ import annotations

from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Self

from repaudit.oci.cursor import CHUNK, Readable

#: How many chunks are held in store, some 4 MiB: enough to bridge a wait, and no more memory.
_STORE = 4


class Ahead:
    """A stream that is being read ahead, as long as the context lasts.

    What the stream raises, `read` raises in the same place. The stream's own end, where blobs
    are verified, is always reached before `read` returns nothing.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._chunks: SimpleQueue[bytes | Exception] = SimpleQueue()
        #: One item for each chunk that may be read; a bounded queue takes a tenth of the time.
        self._room: SimpleQueue[None] = SimpleQueue()
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
        self._room.put(None)
        if isinstance(chunk, Exception):
            self._ended = True
            raise chunk
        self._ended = not chunk
        self.given += len(chunk)
        return chunk

    def __enter__(self) -> Self:
        for _ in range(_STORE):
            self._room.put(None)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._unwanted.set()
        self._room.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            chunk = b"\0"
            while chunk:
                self._room.get()
                if self._unwanted.is_set():
                    return
                chunk = self._stream.read(CHUNK)
                self._chunks.put(chunk)
        except Exception as error:  # it is raised again, by `read`
            self._chunks.put(error)
