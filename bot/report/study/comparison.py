"""Contenders against one another: figures with intervals, and paired differences with a verdict.

Dates are resampled with all symbols and all contenders together, so a difference is that of two
figures on the same resampled dates; blocks as in `bootstrap`. Seeds are resampled too, the same ones
for all: other seeds would have made another average. Verdicts are given on the primary
endpoints only, after Holm's correction (1979) for all pairs and primary endpoints together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from bot.blocks import F64
from bot.report.skill.bootstrap import block_length, influence, resampled_sums, widening
from bot.report.study.endpoints import Endpoint
from bot.report.study.overfitting import OverfittingDifference

SIGNIFICANT = 0.05
BETTER, WORSE, NONE_SHOWN = "better", "worse", "no difference shown"
_SEED = 20_240_301
SECONDARY = ""
"""A secondary endpoint gets no verdict."""


@dataclass(frozen=True, slots=True)
class EndpointFigure:
    """A contender's figure on an endpoint, with the 95 % interval; `seed_error` is the seeds' part.

    It is the standard error of the figure from the choice of seeds, by the jackknife. None is a
    figure that is not defined, such as the Sharpe ratio of an account that never trades; bounds are
    None where it is not defined in some of the resamples.
    """

    endpoint: str
    contender: str
    value: float | None
    low: float | None
    high: float | None
    seed_error: float | None


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The first contender's figure less the second's, with the interval of the pair.

    `p` is of the bootstrap, two-sided, None where there are no bounds; `p_holm` is corrected, None on a
    secondary endpoint; the verdict is on the first one.
    """

    endpoint: str
    first: str
    second: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures and differences, and what else is known of each contender.

    `trials` is what was tried on the same data, as in a run's summary, with the name of the best here;
    `as_traded` has by contender and endpoint the figure of as few networks as the bot has members.
    """

    names: tuple[str, ...]
    endpoints: tuple[str, ...]
    primary: tuple[str, ...]
    figures: tuple[EndpointFigure, ...]
    differences: tuple[PairedDifference, ...]
    facts: Mapping[str, Mapping[str, Any]]
    overfitting: tuple[OverfittingDifference, ...] = ()
    samples: int = 0
    trials: Mapping[str, Any] | None = None
    as_traded: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def p_floor(self) -> float:
        """Return the least p that so many resamples can give: none of them beyond, 1/(samples + 1)."""
        return 1.0 / (self.samples + 1)

    def figure(self, endpoint: str, contender: str) -> EndpointFigure:
        """Return one figure."""
        return next(f for f in self.figures if (f.endpoint, f.contender) == (endpoint, contender))

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "p_floor": self.p_floor}


Pairs = Literal["every", "first less others", "others less first"]
"""Which contenders are held together: every two, or the first and each of the others."""


def _places(pairs: Pairs, n: int) -> list[tuple[int, int]]:
    """Return the places of the contenders of each pair, the one that the other is taken from first.

    >>> _places("others less first", 3)
    [(1, 0), (2, 0)]
    """
    if pairs == "every":
        return list(combinations(range(n), 2))
    first = [(0, k) for k in range(1, n)]
    return first if pairs == "first less others" else [(b, a) for a, b in first]


def compare(
    measured: Mapping[str, Sequence[Endpoint]],
    without_seed: Mapping[str, Mapping[str, Sequence[float]]],
    facts: Mapping[str, Mapping[str, Any]],
    samples: int,
    *,
    pairs: Pairs = "every",
) -> Comparison:
    """Compare contenders on all their endpoints.

    Args:
        measured: each contender's endpoints, the same ones in the same order.
        without_seed: by contender and endpoint, its figure with each of its seeds left out in turn;
            nothing where there are no seeds.
        facts: by contender, what is printed beside.
        samples: resamples.
        pairs: which are held together, and corrected for.
    """
    names = tuple(measured)
    figures: list[EndpointFigure] = []
    differences: list[PairedDifference] = []
    for row in zip(*measured.values(), strict=True):
        values, moved = _resample(row, samples)
        for k, name in enumerate(names):
            influences = _seed_influences(without_seed.get(name, {}).get(row[0].name, ()))
            moved[k] = moved[k] + seed_moves(influences, samples)
            error = _jackknife_error(influences)
            figures.append(
                EndpointFigure(
                    row[0].name, name, _known(values[k]), *_bounds(values[k], moved[k]), error
                )
            )
        for a, b in _places(pairs, len(names)):
            differences.append(
                _difference(
                    row[0], (names[a], names[b]), values[a] - values[b], moved[a] - moved[b]
                )
            )
    primary = tuple(e.name for e in next(iter(measured.values())) if e.primary)
    signs = {e.name: 1 if e.higher_is_better else -1 for e in next(iter(measured.values()))}
    return Comparison(
        names,
        tuple(signs),
        primary,
        figures=tuple(figures),
        differences=tuple(_judged(differences, primary, signs)),
        facts=facts,
        samples=samples,
    )


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values (1979): the i-th smallest of m times m − i + 1, never falling.

    >>> [round(x, 3) for x in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for place, k in enumerate(np.argsort(p, kind="stable").tolist()):
        highest = max(highest, min(1.0, (len(p) - place) * p[k]))
        adjusted[k] = highest
    return adjusted


def _resample(row: Sequence[Endpoint], samples: int) -> tuple[list[float], list[F64]]:
    """Return each contender's value, and by how much it moves on other dates, the same for all."""
    widths = [e.sums.shape[1] for e in row]
    ends = np.cumsum(widths)
    n = len(row[0].sums)
    least = max(*(e.min_block for e in row), int(np.ceil(n ** (1 / 3))))
    block = max(least, *(block_length(influence(e.sums, e.statistic)) for e in row))
    block = min(block, max(1, n // 4))
    together = np.column_stack([e.sums for e in row])
    resampled = resampled_sums(together, block, samples)
    wider = widening(n / block)
    values, moved = [], []
    for e, end, width in zip(row, ends, widths, strict=True):
        values.append(e.value)
        moved.append(wider * (e.statistic(resampled[:, end - width : end]) - values[-1]))
    return values, moved


def _seed_influences(figures: Sequence[float]) -> F64:
    """Return float64[R], to first order what each seed adds to the figure of their average.

    (R − 1) (mean − figure without it), the jackknife's (Efron & Stein 1981).
    """
    without = np.asarray(figures, dtype=np.float64)
    influences: F64 = (len(without) - 1) * (without.mean() - without) if len(without) else without
    return influences


def _jackknife_error(influences: F64) -> float | None:
    """Return √(Σ u² / (R (R − 1))), the jackknife's standard error; None with under two seeds."""
    n = len(influences)
    return _known(float(np.sqrt(np.sum(influences**2) / (n * (n - 1))))) if n > 1 else None


def seed_moves(influences: F64, samples: int) -> F64:
    """Return float64[samples], by how much a figure moves with other seeds drawn from these.

    The draws are the same for every contender with as many seeds, so that pairs stay pairs. They
    are widened as resamples of so few blocks are.
    """
    n = len(influences)
    if n < 2:
        return np.zeros(samples)
    counts = np.random.default_rng([_SEED, n]).multinomial(n, np.full(n, 1.0 / n), size=samples)
    moves: F64 = widening(n) * ((counts / n - 1.0 / n) @ influences)
    return moves


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bounds(value: float, moved: F64) -> tuple[float | None, float | None]:
    """Return the bounds, None where the figure is not defined in every resample."""
    if not np.all(np.isfinite(moved)):
        return None, None
    low, high = np.quantile(moved, [0.025, 0.975])
    return value + float(low), value + float(high)


def _difference(
    endpoint: Endpoint, names: tuple[str, str], value: float, moved: F64
) -> PairedDifference:
    low, high = _bounds(value, moved)
    p = None
    if low is not None:
        # as far from the observed difference as that is from nothing
        beyond = np.abs(moved) >= abs(value)
        p = (1.0 + float(beyond.sum())) / (1.0 + len(moved))
    return PairedDifference(
        endpoint.name, *names,
        value=_known(value), low=low, high=high, p=p, p_holm=None, verdict=SECONDARY,
    )  # fmt: skip


def _judged(
    differences: Sequence[PairedDifference], primary: Sequence[str], signs: Mapping[str, int]
) -> list[PairedDifference]:
    """Give the primary differences their corrected p and verdict; without a p nothing is shown."""
    tested = [k for k, d in enumerate(differences) if d.endpoint in primary]
    p = [1.0 if (one := differences[k].p) is None else one for k in tested]
    out = list(differences)
    for k, adjusted in zip(tested, holm(p), strict=True):
        d = differences[k]
        good = d.value is not None and d.value * signs[d.endpoint] > 0.0
        verdict = NONE_SHOWN if adjusted >= SIGNIFICANT else BETTER if good else WORSE
        out[k] = replace(d, p_holm=adjusted, verdict=verdict)
    return out
