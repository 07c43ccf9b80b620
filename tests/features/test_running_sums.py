"""Running sums against exact ones."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.features.running_sums import add, clear, deviation, sum_of

values = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=60)


@given(values)
def test_a_sum_is_as_good_as_an_exact_one(xs: list[float]) -> None:
    sums = np.zeros((1, 1, 2))
    for x in xs:
        add(sums, 0, 0, x)
    assert math.isclose(sum_of(sums, 0, 0), math.fsum(xs), rel_tol=1e-15, abs_tol=1e-20)


def test_a_large_value_leaves_nothing_behind() -> None:
    sums = np.zeros((2, 3, 2))
    for x in (1e-9, 1e9, 1e-10, -1e9):
        add(sums, 1, 2, x)
    assert math.isclose(sum_of(sums, 1, 2), 1.1e-9, rel_tol=1e-15)
    assert not sums[0].any()


def test_clearing_reaches_only_its_sums() -> None:
    sums = np.ones((2, 4, 2))
    clear(sums, 1, 1, 3)
    assert sums.sum(axis=2).tolist() == [[2, 2, 2, 2], [2, 0, 0, 2]]


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=60))
def test_the_deviation_is_that_of_two_passes(xs: list[float]) -> None:
    got = deviation(math.fsum(xs), math.fsum(x * x for x in xs), len(xs))
    assert abs(got - float(np.std(xs, ddof=1))) < 1e-8
