"""Ridge regression on regressors and a dummy a season, by the normal equations.

y ≈ a + u[season] + x b, with λ(|u|² + |b|²) added to the squared errors where x is in standard
deviations of the training rows and a is free (Hoerl & Kennard 1970). λ of zero is least squares; the
dummies and the level are then told apart by the smallest |u|, which no forecast depends on, and a
season without rows has none of its own. Rows with something missing do not take part. Must not know
what it regresses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.blocks import F64, I64, Bool
from bot.report.skill.baselines.rows import Era, Fit, Fitted
from bot.report.skill.chosen_rows import Empty, kept_of, those_of
from bot.timegrid import spans


@dataclass(frozen=True, slots=True)
class Regression:
    """A fitted one: level, float64[seasons] dummies, float64[m] coefficients of regressors as given."""

    level: float
    seasons: F64
    coefficients: F64

    def __call__(self, season: I64, x: F64) -> F64:
        """Return float64[bars, S] from int64[bars] and float64[bars, S, m]."""
        forecast: F64 = x @ self.coefficients + (self.level + self.seasons[season])[:, None]
        return forecast


def regression(
    y: F64, x: F64, penalty: float, season: I64 | None = None, n_seasons: int = 1
) -> Fit:
    """Return the fit of labels y float64[n, S] on regressors x float64[n, S, m] of the training rows.

    Args:
        penalty: λ.
        season: int64[n], the season of each bar; by default there is one.
    """
    of_bar = np.zeros(len(x), dtype=np.int64) if season is None else season
    of_row = np.broadcast_to(of_bar[:, None], x.shape[:2])

    def fit(era: Era) -> Fitted | None:
        labels, seasons, regressors = (era.training(each) for each in (y, of_row, x))
        fitted = regress(labels, seasons, n_seasons, regressors, penalty, empty=era.empty)
        return None if fitted is None else lambda bars: fitted(of_bar[bars], x[bars])

    return fit


def regress(
    y: F64, season: I64, n_seasons: int, x: F64, penalty: float, empty: Empty = np.empty
) -> Regression | None:
    """Return the fit to rows y float64[r], season int64[r], x float64[r, m]; None with too few.

    Args:
        penalty: λ.
        empty: makes arrays of so many rows.
    """
    m = x.shape[1]
    known = known_whole(x, y, empty)
    if not known.all():
        y, season, x = (kept_of(each, known, empty) for each in (y, season, x))
    if len(y) <= m + 1:
        return None
    level, centre = float(y.mean()), ones(len(x), empty) @ x / len(x)
    gram, target = _normal_equations(
        np.subtract(y, level, out=empty(y.shape)), season, n_seasons,
        np.subtract(x, centre, out=empty(x.shape)),
    )  # fmt: skip
    own = slice(1 + n_seasons, len(gram))
    width = np.sqrt(np.diag(gram)[own] / len(y))
    width = np.where(width > 0.0, width, 1.0)
    gram[own] /= width[:, None]
    gram[:, own] /= width
    target[own] /= width
    gram[np.arange(1, len(gram)), np.arange(1, len(gram))] += penalty
    # where nothing is penalised the dummies sum to the level: of all solutions the smallest
    solved: F64 = np.asarray(
        np.linalg.solve(gram, target)
        if penalty > 0.0
        else np.linalg.lstsq(gram, target, rcond=1e-12)[0],
        dtype=np.float64,
    )
    b: F64 = solved[own] / width
    a = level + float(solved[0]) - float(centre @ b)
    return Regression(a, solved[1 : 1 + n_seasons], b)


def known_whole(x: F64, y: F64, empty: Empty) -> Bool:
    """Return bool[r], the rows x float64[r, m] and y float64[r] that lack nothing."""
    sums = np.ones(x.shape[1])
    return those_of((len(y), 1), lambda at: np.isfinite(x[at] @ sums + y[at])[:, None], empty)[:, 0]


def ones(n: int, empty: Empty) -> F64:
    """Return float64[n] of ones."""
    found: F64 = empty((n,))
    found[...] = 1.0
    return found


def _normal_equations(y: F64, season: I64, n_seasons: int, x: F64) -> tuple[F64, F64]:
    """Return ZᵀZ and Zᵀy of Z = [1, a dummy a season, x], without Z."""
    m = x.shape[1]
    size = 1 + n_seasons + m
    gram, target = np.zeros((size, size)), np.zeros(size)
    dummies, own = slice(1, 1 + n_seasons), slice(1 + n_seasons, size)
    count = np.bincount(season, minlength=n_seasons).astype(np.float64)
    of_season = np.zeros((n_seasons, m + 1))
    for at in spans(len(y), 1):
        for j, column in enumerate((*x[at].T, y[at])):
            np.add.at(of_season[:, j], season[at], column)  # one after the other, as bincount does
    gram[0, 0] = len(y)
    gram[0, dummies] = count
    gram[0, own] = of_season[:, :m].sum(axis=0)
    gram[dummies, dummies] = np.diag(count)
    gram[dummies, own] = of_season[:, :m]
    gram[own, own] = x.T @ x
    upper = np.triu(gram, 1)
    gram = np.triu(gram) + upper.T
    target[0], target[dummies], target[own] = y.sum(), of_season[:, m], x.T @ y
    return gram, target
