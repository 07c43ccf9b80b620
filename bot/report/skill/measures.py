"""The measures of a forecast against what happened, each a statistic of sums over dates.

Owns every formula, so that a report and a study of contenders cannot differ: both ask `by_head` for
the measures of a head and only put intervals around them. A skill is 1 − loss / baseline's loss: 0
is no better than the baseline, below 0 worse.

In resamples the ranks behind rank IC, and the placements behind AUC, are those of the whole sample:
exact to first order where there is no skill, and a sort less per resample. Must not choose rows or
baselines, and knows no run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from bot.blocks import F64, Bool
from bot.report.skill.bootstrap import Statistic
from bot.report.skill.chosen_rows import Empty, gathered, put_in_turn, those_of
from bot.timegrid import spans

Summand: TypeAlias = F64 | Bool | Callable[[slice], F64 | Bool | list[F64]]
"""Of n bars and S symbols: an array, or what makes of a span of bars its part, or a list of parts."""

PROBABILITY_CLIP = 1e-6
CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of one head that can be resampled by dates.

    Attributes:
        sums: float64[dates, q], what each date with a row adds.
        statistic: from sums to the figure.
        null: its value without skill, None where it says nothing of skill.
        higher_is_better: False for errors.
        scored: the rows behind it where the first two sums are the model's and the baseline's loss,
            else None.
    """

    sums: F64
    statistic: Statistic
    null: float | None = 0.0
    higher_is_better: bool = True
    scored: int | None = None

    @property
    def scores(self) -> tuple[float, float] | None:
        """Return the model's and the baseline's mean score, None where it compares no two."""
        if not self.scored:
            return None
        model, baseline = self.sums.sum(axis=0)[:2] / self.scored
        return float(model), float(baseline)


def log_loss(p: F64, y: F64) -> F64:
    """Return −log of the probability given to what happened."""
    return -np.log(np.where(y > 0.5, p, 1.0 - p))


def clipped(p: F64) -> F64:
    """Return probabilities that no outcome can make infinitely wrong."""
    return np.clip(p, PROBABILITY_CLIP, 1.0 - PROBABILITY_CLIP)


def qlike(variance: F64, forecast: F64) -> F64:
    """Return v/f − log(v/f) − 1, zero where the forecast variance is right (Patton 2011).

    >>> float(qlike(np.array(4.0), np.array(4.0)))
    0.0
    """
    ratio = variance / forecast
    return ratio - np.log(ratio) - 1.0


def loss_skill(loss: Summand, naive: Summand, rows: Bool) -> Measure:
    """Return 1 − mean loss / mean naive loss, float64[n, S] each."""

    def statistic(s: F64) -> F64:
        return 1.0 - s[..., 0] / s[..., 1]

    return Measure(by_date(rows, loss, naive), statistic, scored=int(rows.sum()))


def hit_rate_gain(hit: Summand, naive: Summand, rows: Bool) -> Measure:
    """Return the share of right directions less that of always following the base rate."""

    def statistic(s: F64) -> F64:
        return (s[..., 0] - s[..., 1]) / s[..., 2]

    sums = by_date(rows, hit, naive, _ones(rows))
    return Measure(sums, statistic, scored=int(rows.sum()))


def rank_ic(f: F64, y: F64, rows: Bool, empty: Empty = np.empty) -> Measure:
    """Return Spearman's rank correlation over all rows, the symbols pooled."""
    order_f, order_y = Ranking.of(f, rows, empty), Ranking.of(y, rows, empty)

    def products(at: slice) -> list[F64]:
        kept = rows[at]
        a = laid_over(order_f.centred(f[at][kept]), kept)
        b = laid_over(order_y.centred(y[at][kept]), kept)
        return [np.ones(kept.shape), a, b, a * a, b * b, a * b]

    return Measure(by_date(rows, products), correlation)


def mean_rank_ic(f: F64, y: F64, rows: Bool, empty: Empty = np.empty) -> Measure:
    """Return the mean over symbols of Spearman's rank correlation, each symbol on its own."""
    product = empty(rows.shape)
    product[...] = 0.0
    counted = 0
    for s in range(rows.shape[1]):
        ours = rows[:, s]
        a, b = centred_ranks(f[ours, s]), centred_ranks(y[ours, s])
        size = float(np.sqrt((a @ a) * (b @ b)))
        if size > 0.0:
            product[ours, s] = a * b / size
            counted += 1
    dates = int(rows.any(axis=1).sum())
    sums = by_date(rows, product)
    sums = np.column_stack((sums * dates / max(counted, 1), np.ones(dates)))

    def statistic(s: F64) -> F64:
        return s[..., 0] / s[..., 1] if counted else s[..., 0] * np.nan

    return Measure(sums, statistic)


def auc(p: F64, y: F64, rows: Bool, empty: Empty = np.empty) -> Measure:
    """Return the probability that a rise was given a higher score than a fall, ties half.

    Resampled by its projection on placements (DeLong, DeLong & Clarke-Pearson 1988).
    """
    rose = those_of(rows.shape, lambda at: rows[at] & (y[at] > 0.5), empty)
    fell = those_of(rows.shape, lambda at: rows[at] & ~rose[at], empty)
    n_rises, n_falls = int(rose.sum()), int(fell.sum())
    if n_rises == 0 or n_falls == 0:
        return Measure(np.zeros((0, 1)), lambda s: s[..., 0], 0.5)
    order, of_rises, of_falls = (Ranking.of(p, which, empty) for which in (rows, rose, fell))

    def placed_rises(at: slice) -> F64:
        score = p[at][rose[at]]
        return (order.ranks(score) - of_rises.ranks(score)) / n_falls

    def products(at: slice) -> list[F64]:
        score = p[at][fell[at]]
        placement = np.zeros(rows[at].shape)
        placement[rose[at]] = placed_rises(at)
        placement[fell[at]] = 1.0 - (order.ranks(score) - of_falls.ranks(score)) / n_rises
        up = rose[at].astype(np.float64)
        return [up, up * placement, 1.0 - up, (1.0 - up) * placement]

    value = float(put_in_turn(empty((n_rises,)), rows.shape, placed_rises).mean())

    def statistic(s: F64) -> F64:
        return s[..., 1] / s[..., 0] + s[..., 3] / s[..., 2] - value

    return Measure(by_date(rows, products), statistic, 0.5)


def calibration_error(p: F64, y: F64, rows: Bool) -> Measure:
    """Return the expected calibration error: Σ over bins |Σ(p − y)| / n (Guo et al. 2017, eq. 3)."""
    bounds = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)[1:-1]
    edges = np.quantile(p[rows], bounds) if rows.any() else np.empty(0)
    inside = np.digitize(p, edges)
    parts = [np.where(inside == k, p - y, 0.0) for k in range(CALIBRATION_BINS)]

    def statistic(s: F64) -> F64:
        total: F64 = np.abs(s[..., 1:]).sum(axis=-1) / s[..., 0]
        return total

    sums = by_date(rows, _ones(rows), *parts)
    return Measure(sums, statistic, None, higher_is_better=False)


def variance_bias(variance: F64, forecast: F64, rows: Bool) -> Measure:
    """Return |mean of v/f − 1|."""

    def statistic(s: F64) -> F64:
        return np.abs(s[..., 1] / s[..., 0] - 1.0)

    sums = by_date(rows, _ones(rows), variance / forecast)
    return Measure(sums, statistic, None, higher_is_better=False)


def switches(high: F64, rows: Bool) -> Measure:
    """Return how often of 1,000 bars a state, 1, 0 or NaN, is another than one bar before."""
    before = np.vstack((np.full((1, rows.shape[1]), np.nan), high[:-1]))
    both = rows & np.isfinite(high) & np.isfinite(before)

    def statistic(s: F64) -> F64:
        return 1000.0 * s[..., 1] / s[..., 0]

    sums = by_date(both, _ones(rows), high != before)
    return Measure(sums, statistic, None, higher_is_better=False)


def by_date(rows: Bool, *values: Summand) -> F64:
    """Return float64[dates, q], the sums over symbols at each date that has a row.

    It goes over spans of dates, so that no more than a span of what is made of a span is held.
    """
    found = [_sums(rows[at], _columns(values, at)) for at in spans(*rows.shape)]
    return np.concatenate(found or [_sums(rows, _columns(values, slice(0, 0)))])


def _columns(values: Sequence[Summand], at: slice) -> list[F64 | Bool]:
    found: list[F64 | Bool] = []
    for each in values:
        made = each(at) if callable(each) else each[at]
        found += made if isinstance(made, list) else [made]
    return found


def _sums(rows: Bool, values: Sequence[F64 | Bool]) -> F64:
    dates = rows.any(axis=1)
    kept = rows[dates]
    return np.column_stack([np.where(kept, v[dates], 0.0).sum(axis=1) for v in values])


def _ones(rows: Bool) -> Summand:
    return lambda at: np.ones(rows[at].shape)


def known_rows(rows: Bool, *values: Summand, empty: Empty = np.empty) -> Bool:
    """Return bool[n, S], the rows in which all values are finite."""

    def known(at: slice) -> Bool:
        kept = rows[at].copy()
        for column in _columns(values, at):
            kept &= np.isfinite(column)
        return kept

    return those_of(rows.shape, known, empty)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The values of rows, float64[m] in rising order: what ranks are told by."""

    ordered: F64

    @classmethod
    def of(cls, values: F64, rows: Bool, empty: Empty = np.empty) -> Ranking:
        """Return the order of the values float64[n, S] at the rows."""
        ordered = gathered(values, rows, empty)
        ordered.sort()
        return cls(ordered)

    def ranks(self, values: F64) -> F64:
        """Return the rank of each of some of the values, from 1; equal ones have their mean."""
        order = np.argsort(values)  # in order they are found twelve times as fast among millions
        asked, twice = values[order], np.empty(len(values), dtype=np.int64)
        twice[order] = np.searchsorted(self.ordered, asked, "left")
        twice[order] += np.searchsorted(self.ordered, asked, "right")
        return (twice + 1) / 2.0

    def centred(self, values: F64) -> F64:
        """Return the ranks as `centred_ranks` does."""
        n = len(self.ordered)
        return (2.0 * self.ranks(values) - (n + 1.0)) / max(n, 1)


def correlation(s: F64) -> F64:
    """Return the correlation from the sums of 1, a, b, a², b² and ab, float64[..., 6]."""
    n, a, b, aa, bb, ab = (s[..., j] for j in range(6))
    return (ab - a * b / n) / np.sqrt((aa - a * a / n) * (bb - b * b / n))


def _ranks(values: F64) -> F64:
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)


def centred_ranks(values: F64) -> F64:
    """Return ranks around 0, scaled to about ±1 so that sums of squares stay exact enough."""
    return (2.0 * _ranks(values) - (len(values) + 1.0)) / max(len(values), 1)


def laid_over(flat: F64, rows: Bool) -> F64:
    """Return float64[n, S] with the flat values at their rows, 0 elsewhere."""
    out = np.zeros(rows.shape)
    out[rows] = flat
    return out
