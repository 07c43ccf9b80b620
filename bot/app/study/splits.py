"""Combinatorial purged cross-validation: which bars are trained on, which are tested, and the paths that these make.

The splits and paths are those of López de Prado, Advances in Financial Machine Learning (2018), ch. 12: of N
groups of bars each k are tested by one model that was trained on the others, C(N, k) splits in all; each group is
so tested C(N−1, k−1) times, and as many paths lie over the whole span, each bar of it tested once. Rules:
indices only; what is returned is data. Must not know of features, labels or models.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.blocks import I64, Bool
from bot.errors import ConfigError

BarSpan = tuple[int, int]
"""Bars first..stop-1."""

MOST_SPLITS = 1000


@dataclass(frozen=True)
class Split:
    """One training and what it is tested on.

    Attributes:
        number: its place among the splits.
        tested: the groups it is tested on, ascending.
    """

    number: int
    tested: tuple[int, ...]


@dataclass(frozen=True)
class Cut:
    """A span of bars cut into groups, and all that is tested of it.

    Attributes:
        groups: contiguous, in the order of time.
        splits: every choice of groups to test.
        paths: for each path and group, the split that tests the group on that path.
    """

    groups: tuple[BarSpan, ...]
    splits: tuple[Split, ...]
    paths: tuple[tuple[int, ...], ...]

    def tested_bars(self, split: Split) -> I64:
        """Return the bars that a split is tested on, ascending."""
        spans = [np.arange(*self.groups[g], dtype=np.int64) for g in split.tested]
        return np.concatenate(spans)


def check_counts(groups: int, tested: int) -> None:
    """Refuse numbers that make no cross-validation.

    Raises:
        ConfigError: with what would.
    """
    if not 1 <= tested < groups:
        raise ConfigError(
            f"--groups {groups} --test-groups {tested}: at least one group is tested and one trained on; "
            "give fewer --test-groups or more --groups"
        )
    if (splits := math.comb(groups, tested)) > MOST_SPLITS:
        raise ConfigError(
            f"--groups {groups} --test-groups {tested}: that is {splits:,} trainings for each network and seed; at "
            f"most {MOST_SPLITS:,} are made. The usual choice is 6 and 2, for 15"
        )


def cut(span: BarSpan, groups: int, tested: int) -> Cut:
    """Cut a span into groups of equal length, but for a bar, and return all splits and paths.

    Raises:
        ConfigError: the numbers make no cross-validation, or there are more groups than bars.

    >>> made = cut((0, 60), 6, 2)
    >>> len(made.splits), len(made.paths), made.paths[0]
    (15, 5, (0, 0, 1, 2, 3, 4))
    """
    check_counts(groups, tested)
    first, stop = span
    if stop - first < groups:
        raise ConfigError(f"--groups {groups}: there are {stop - first} bars only; give fewer")
    edges = [first + (stop - first) * g // groups for g in range(groups + 1)]
    splits = tuple(
        Split(number, chosen)
        for number, chosen in enumerate(itertools.combinations(range(groups), tested))
    )
    tests_of = [[s.number for s in splits if g in s.tested] for g in range(groups)]
    return Cut(tuple(itertools.pairwise(edges)), splits, tuple(zip(*tests_of, strict=True)))


def trainable(
    bar: I64, known_at: I64, tested: Sequence[BarSpan], *, reach: Sequence[int], embargo: int
) -> Bool:
    """Return bool[N]: rows whose label lies apart from every tested group by more than the embargo.

    A label of bar b takes in the bars from b to the one at which it is known. Purging takes out rows whose label
    shares a bar with a label of the group; the embargo does so for so many bars more, before and after.

    Args:
        bar: int64[N], the rows' bars.
        known_at: int64[N], the bar at which the last of a row's labels is known.
        tested: the groups.
        reach: of each group the last bar that a label of it takes in.
        embargo: in bars.
    """
    kept: Bool = np.ones(len(bar), dtype=np.bool_)
    for (first, _), last in zip(tested, reach, strict=True):
        kept &= (known_at + embargo < first) | (bar > last + embargo)
    return kept
