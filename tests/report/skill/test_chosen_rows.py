"""Rows chosen of arrays: gathered and parted span by span as all at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import timegrid
from bot.report.skill.chosen_rows import EqualParts, gathered, kept_of, put_in_turn, those_of


@given(
    values=st.lists(st.integers(-3, 3), max_size=80),
    n_parts=st.integers(1, 12),
    cuts=st.lists(st.integers(0, 80), max_size=5),
)
def test_parts_are_those_of_a_stable_sort(values: list[int], n_parts: int, cuts: list[int]) -> None:
    column = np.array(values, dtype=np.float64)
    expected = np.full(len(column), -1)
    places = np.array_split(np.argsort(column, kind="stable"), n_parts)
    for k, mine in enumerate(places):
        expected[mine] = k
    parts = EqualParts(np.sort(column), n_parts)
    edges = [0, *sorted(min(cut, len(column)) for cut in cuts), len(column)]
    found = [parts.of_next(column[a:b]) for a, b in itertools.pairwise(edges)]
    assert np.concatenate(found).tolist() == expected.tolist()
    ends = np.cumsum([len(mine) for mine in places]).tolist()
    assert parts.bounds == list(zip([0, *ends[:-1]], ends, strict=True))


@pytest.mark.parametrize("span", [1, 7, 1000])
def test_rows_are_gathered_as_by_one_index(span: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timegrid, "SPAN_SYMBOL_BARS", span)
    random = np.random.default_rng(3)
    values, rows = random.standard_normal((40, 3, 2)), random.random((40, 3)) < 0.4
    np.testing.assert_array_equal(gathered(values, rows), values[rows])
    whole = random.integers(0, 9, (40, 3))
    found = gathered(whole, rows)
    assert found.dtype == whole.dtype
    np.testing.assert_array_equal(found, whole[rows])
    np.testing.assert_array_equal(kept_of(found, found > 4), found[found > 4])
    high = those_of(rows.shape, lambda at: rows[at] & (values[at, :, 0] > 0.0))
    np.testing.assert_array_equal(high, rows & (values[:, :, 0] > 0.0))
    assert high.dtype == np.bool_
    cut = put_in_turn(np.empty(120), rows.shape, lambda at: values[at, :, 1][high[at]])
    np.testing.assert_array_equal(cut, values[:, :, 1][high])
