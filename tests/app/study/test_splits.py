"""Combinatorial purged cross-validation: its laws, each by counting, for any numbers."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.study.splits import MOST_SPLITS, Cut, cut, trainable
from bot.errors import ConfigError


@st.composite
def cuts(draw: st.DrawFn) -> tuple[int, int, tuple[int, int], Cut]:
    n = draw(st.integers(2, 8))
    k = draw(st.integers(1, n - 1))
    first = draw(st.integers(0, 50))
    stop = first + draw(st.integers(n, 120))
    return n, k, (first, stop), cut((first, stop), n, k)


@given(made=cuts())
def test_groups_fill_the_span_and_are_of_one_length(
    made: tuple[int, int, tuple[int, int], Cut],
) -> None:
    n, _, (first, stop), c = made
    bars = [bar for span in c.groups for bar in range(*span)]
    assert bars == list(range(first, stop))
    sizes = {b - a for a, b in c.groups}
    assert len(c.groups) == n
    assert max(sizes) - min(sizes) <= 1


@given(made=cuts())
def test_splits_and_paths_are_as_many_as_the_formulas_say(
    made: tuple[int, int, tuple[int, int], Cut],
) -> None:
    n, k, _, c = made
    assert len(c.splits) == math.comb(n, k)
    assert {s.tested for s in c.splits} == set(combinations(range(n), k))
    assert len(c.paths) == math.comb(n, k) * k // n == math.comb(n - 1, k - 1)


@given(made=cuts())
def test_a_path_tests_every_bar_once_and_no_test_is_on_two_paths(
    made: tuple[int, int, tuple[int, int], Cut],
) -> None:
    _, k, (first, stop), c = made
    used: dict[tuple[int, int], int] = {}
    for path in c.paths:
        seen: list[int] = []
        for group, number in enumerate(path):
            split = c.splits[number]
            assert group in split.tested
            tested = set(c.tested_bars(split).tolist())
            own = set(range(*c.groups[group]))
            assert own <= tested
            seen += sorted(own)
            used[number, group] = used.get((number, group), 0) + 1
        assert seen == list(range(first, stop))
    assert set(used.values()) == {1}
    assert len(used) == k * len(c.splits), "every tested group of every split is on a path"


@st.composite
def labelled(
    draw: st.DrawFn,
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]], list[int], int]:
    """Draw bars with the bar at which each label is known, groups to test, and an embargo."""
    n = draw(st.integers(8, 60))
    ahead = draw(st.lists(st.integers(0, 7), min_size=n, max_size=n))
    known = np.arange(n) + ahead
    groups = draw(st.integers(2, min(5, n)))
    c = cut((0, n), groups, draw(st.integers(1, groups - 1)))
    split = draw(st.sampled_from(c.splits))
    tested = [c.groups[g] for g in split.tested]
    reach = [int(known[a:b].max()) for a, b in tested]
    return np.arange(n), known, tested, reach, draw(st.integers(0, 9))


@given(drawn=labelled())
def test_what_is_trained_on_shares_no_bar_with_a_tested_label(
    drawn: tuple[np.ndarray, np.ndarray, list[tuple[int, int]], list[int], int],
) -> None:
    bar, known, tested, reach, embargo = drawn
    kept = trainable(bar, known, tested, reach=reach, embargo=embargo)
    test_bars = [t for span in tested for t in range(*span)]
    for b in bar[kept]:
        assert b not in test_bars
        ours = set(range(b - embargo, known[b] + embargo + 1))
        for t in test_bars:
            assert not ours & set(range(t, known[t] + 1)), (b, t)


@given(drawn=labelled())
def test_no_more_is_left_out_than_comes_near_a_group(
    drawn: tuple[np.ndarray, np.ndarray, list[tuple[int, int]], list[int], int],
) -> None:
    bar, known, tested, reach, embargo = drawn
    kept = trainable(bar, known, tested, reach=reach, embargo=embargo)
    taken = [set(range(first, last + 1)) for (first, _), last in zip(tested, reach, strict=True)]
    for b in bar:
        near = set(range(b - embargo, known[b] + embargo + 1))
        assert kept[b] == all(not near & group for group in taken)


@pytest.mark.parametrize(
    ("groups", "tested", "words"),
    [
        (4, 4, "fewer --test-groups or more --groups"),
        (3, 0, "fewer --test-groups or more --groups"),
        (20, 10, "184,756 trainings for each network and seed"),
        (90, 1, "60 bars only"),
    ],
)
def test_numbers_that_make_none_are_refused(groups: int, tested: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        cut((0, 60), groups, tested)


def test_the_most_splits_are_made() -> None:
    assert len(cut((0, 2000), MOST_SPLITS, 1).splits) == MOST_SPLITS
