"""Cutting blocks and finding gaps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks import BarBlock
from bot.errors import DataError
from bot.timegrid import HOUR_MS, cut, gaps


def block(times: list[int]) -> BarBlock:
    values = np.arange(len(times), dtype=np.float64)[:, None] + 1.0
    return BarBlock.of_candles(np.array(times, np.int64), *[values] * 5)


@given(
    n=st.integers(1, 60),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6),
    most=st.integers(1, 70),
    ends=st.sets(st.integers(-3, 63), max_size=8),
)
def test_a_cut_keeps_every_bar_and_ends_where_it_must(
    n: int, sizes: list[int], most: int, ends: set[int]
) -> None:
    whole = block(list(range(n)))
    edges = np.minimum(np.cumsum([0, *sizes, n]), n).tolist()
    given_blocks = [whole.rows(a, b) for a, b in pairwise(edges)]
    parts = list(cut(given_blocks, most, ends))
    assert [t for part in parts for t in part.open_time.tolist()] == list(range(n))
    assert all(1 <= len(part) <= most for part in parts)
    last = {int(part.open_time[-1]) for part in parts}
    assert {e for e in ends if 0 <= e < n} <= last


@pytest.mark.parametrize("times", [[1, 1], [2, 1], [1, 2, 2, 3]])
def test_bars_that_do_not_move_forward_are_refused(times: list[int]) -> None:
    with pytest.raises(DataError, match="must move forward"):
        list(cut([block(times)], 10))
    with pytest.raises(DataError, match="must move forward"):
        list(cut([block([t]) for t in times], 10))


@given(st.sets(st.integers(0, 200), min_size=1))
def test_gaps_are_what_is_missing(present: set[int]) -> None:
    times = np.array(sorted(present), np.int64) * HOUR_MS
    missing = [start // HOUR_MS + k for start, count in gaps(times, HOUR_MS) for k in range(count)]
    assert missing == [i for i in range(min(present), max(present)) if i not in present]
