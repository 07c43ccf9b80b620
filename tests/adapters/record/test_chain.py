"""What a bar's row hash is made of: old rows keep theirs, and whatever came later changes it."""

from __future__ import annotations

import hashlib
import math
import struct

import numpy as np
import pytest

from bot.adapters.record.chain import row_hashes
from bot.adapters.record.tables import (
    BAR_COLUMNS,
    BAR_FLAGS,
    BAR_VALUES,
    LATER_BAR_VALUES,
    bar_block,
    bar_matrix,
)
from bot.blocks import BarBlock
from bot.timegrid import HOUR_MS

TIMES = np.array([HOUR_MS, 2 * HOUR_MS], dtype=np.int64)
FIRST = len(BAR_COLUMNS) - len(LATER_BAR_VALUES)


def candles() -> BarBlock:
    close = np.array([[1.5, 2.5], [np.nan, 3.5]])
    return BarBlock.of_candles(TIMES, *[close] * 5)


def by_hand(time: int, row: list[float], later: bytes = b"") -> int:
    """Return the hash as docs/architecture.md tells it."""
    data = struct.pack("<q", time) + struct.pack(f"<{FIRST}d", *row[:FIRST]) + later
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "little", signed=True)


def test_a_row_without_later_values_is_hashed_as_version_1_did() -> None:
    matrix = bar_matrix(candles())
    hashes = row_hashes(TIMES, matrix)
    for i, time in enumerate(TIMES.tolist()):
        for s in range(2):
            assert hashes[i, s] == by_hand(time, matrix[i, s].tolist())


@pytest.mark.parametrize("name", LATER_BAR_VALUES)
def test_a_later_value_is_hashed_with_its_place_where_it_says_something(name: str) -> None:
    matrix = bar_matrix(candles())
    before = row_hashes(TIMES, matrix)
    value = 1.0 if name in BAR_FLAGS else 7.25
    matrix[1, 0, BAR_COLUMNS.index(name)] = value
    later = struct.pack("<qd", list(LATER_BAR_VALUES).index(name), value)
    after = row_hashes(TIMES, matrix)
    assert after[1, 0] == by_hand(int(TIMES[1]), matrix[1, 0].tolist(), later)
    assert (after != before).tolist() == [[False, False], [True, False]]


def test_the_places_of_later_values_are_those_of_the_runs_that_were_made_with_them() -> None:
    """Another order would break the chain of every run that has one of them."""
    assert list(LATER_BAR_VALUES) == [
        "funding_inside", "funding_inside_unknown", "refused",
        "mark_high", "mark_low", "bid_size", "ask_size", "leaving", "settlement_price",
        "realised_variance",
    ]  # fmt: skip
    none = {name for name, usual in LATER_BAR_VALUES.items() if usual == 0.0}
    assert none == {"funding_inside", "funding_inside_unknown", "leaving"}
    assert all(math.isnan(u) for name, u in LATER_BAR_VALUES.items() if name not in none)


def test_every_column_of_a_block_goes_through_its_matrix_and_back() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.uniform(0.5, 2.0, (2, 3, len(BAR_COLUMNS)))
    for name in BAR_FLAGS:
        flags = rng.integers(0, 2, (2, 1 if name == "tradable" else 3))
        matrix[:, :, BAR_COLUMNS.index(name)] = flags
    assert set(BAR_COLUMNS) | {"open_time"} == set(BarBlock.__dataclass_fields__)
    block = bar_block(TIMES, matrix)
    assert {n for n in BAR_FLAGS if getattr(block, n).dtype == np.bool_} == set(BAR_FLAGS)
    np.testing.assert_array_equal(bar_matrix(block), matrix)
    assert len(BAR_VALUES) == 10
