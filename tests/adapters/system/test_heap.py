"""Memory given back: what was freed in the middle of the heap leaves the process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from bot.adapters.system.heap import give_back, give_back_all
from bot.adapters.system.memory import resident_mb

SCATTERED = """
import numpy as np
from bot.adapters.system.heap import keep_little
from bot.adapters.system.memory import resident_mb
if {asked}:
    keep_little()
for size in (2**24, 2**23):
    large = np.ones(size // 8)
    above = np.ones(8_000)  # lies behind it in the heap, where it is in the heap
    full = resident_mb()
    del large
print(full - resident_mb())
"""


def test_what_lies_free_between_what_is_in_use_is_given_back() -> None:
    arrays = [np.ones(1_000) for _ in range(20_000)]
    held = arrays[::100]
    del arrays
    full = resident_mb()
    give_back()
    assert full - resident_mb() > 100.0
    assert all(float(each.sum()) == 1_000.0 for each in held)


def test_what_only_refers_to_itself_is_given_back() -> None:
    ring: list[object] = [np.ones(2**23)]
    ring.append(ring)
    full = resident_mb()
    del ring
    give_back_all()
    assert full - resident_mb() > 50.0


@pytest.mark.parametrize("asked", [True, False])
def test_a_large_array_goes_back_as_soon_as_it_is_freed_where_that_was_asked(asked: bool) -> None:
    code = SCATTERED.format(asked=asked)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    given = float(done.stdout)
    assert given > 7.0 if asked else given < 1.0
