"""Memory that is free inside the process, given back to the machine.

The C library keeps what was freed for what may be asked next, and so does Arrow; between the phases of a long
command that is more than what is in use. Rule: nothing that anybody computes changes. Must not be called where
milliseconds count.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from functools import cache

import pyarrow as pa

OWN_PAGES_BYTES = 2**20
"""Arrays of this size and more get pages of their own, which go back as soon as they are freed."""

LARGE_SYMBOL_BARS = 2**16
"""Of a block that leaves so much free behind it that it is worth giving back."""

_M_MMAP_THRESHOLD = -3


def keep_little() -> None:
    """Let large arrays, and what Arrow reads, take pages of their own, from here to the process's end.

    By itself glibc stops doing so for sizes that were freed once, up to 32 MiB. Elsewhere nothing happens.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    set_option = _of_libc("mallopt")
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, OWN_PAGES_BYTES)


def give_back() -> None:
    """Give back what is free, wherever it lies between what is in use; takes some milliseconds."""
    trim = _of_libc("malloc_trim")
    if trim is not None:
        trim(0)


def give_back_after(symbol_bars: int) -> None:
    """Give back what is free where so many bars of all symbols were large."""
    if symbol_bars >= LARGE_SYMBOL_BARS:
        give_back()


def give_back_all() -> None:
    """Drop what only refers to itself, then give back what is free."""
    gc.collect()
    give_back()


@cache
def _of_libc(name: str) -> Callable[..., int] | None:
    """Return a function of the C library; None where it has none of that name, as but glibc has not."""
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return function
