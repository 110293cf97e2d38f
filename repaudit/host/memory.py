"""How the C library keeps memory that was freed."""

from __future__ import annotations

import ctypes

#: mallopt(3), and what of it is asked: pieces up to 4 MiB from the heap, 16 MiB of it kept.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_PIECE, _KEPT = 4 << 20, 16 << 20


def reuse() -> None:
    """Let memory that is freed be used again, rather than go back to the kernel each time.

    Layers go by in pieces of some 100 KiB, which glibc maps and unmaps one by one; that takes a
    tenth of the time in which two layers are compared. Other C libraries have no such call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _PIECE)
        mallopt(_TRIM_THRESHOLD, _KEPT)
