"""The memory that this process holds."""

from __future__ import annotations

import os
import resource
from pathlib import Path


def resident_mb() -> float:
    """Return the memory that this process holds now, in MiB; where that is not known, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
