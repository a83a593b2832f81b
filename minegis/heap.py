"""Memory that was freed goes back to the machine between two stages of a long work."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Give freed memory back; only where the C library is glibc, elsewhere nothing happens.

    Workers run with thresholds that make glibc keep what was freed, since a network asks for the same blocks again and
    again. What one stage no longer needs would otherwise add to what the next one does.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
