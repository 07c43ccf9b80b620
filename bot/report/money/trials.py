"""How many settings were tried on the same data, and what a Sharpe ratio is worth after that.

The deflated Sharpe ratio of Bailey & López de Prado (2014) with the count and the variance over the
trials. Trials may differ in length and interval, so their ratios a bar are laid on one scale first:
a ratio times √(n − 1) has unit variance where nothing but luck is in it, however long and fine. Where
all are of one length and interval, that is the plain variance of their ratios. Must not read files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.report.formats import iso_time, percent, two_digits
from bot.report.money import sharpe


@dataclass(frozen=True, slots=True)
class Tried:
    """The trials on the same data as a run's, the run among them.

    Attributes:
        count: settings tried.
        entries: backtests, comparisons and sweeps that they were tried in.
        ratios: each known Sharpe ratio a bar times √(n − 1), n its number of returns.
        symbols, start_ms, end_ms: what they were tried on, all together.
        register: the file they are listed in.
        notes: what may be missing in the count.
    """

    count: int
    entries: int
    ratios: tuple[float, ...]
    symbols: tuple[str, ...]
    start_ms: int
    end_ms: int
    register: str
    notes: tuple[str, ...] = ()

    def variance(self, n: int) -> float | None:
        """Return the variance of the trials' ratios a bar, at the length of n returns.

        None with under two known: a worthless ratio's own variance is to be taken then.
        """
        if len(self.ratios) < 2 or n < 2:
            return None
        return float(np.var(self.ratios, ddof=1)) / (n - 1)

    def expected_best(self, n: int) -> float | None:
        """Return the best ratio a bar to expect of so many worthless trials of n returns."""
        if n < 2:
            return None
        variance = self.variance(n)
        return sharpe.expected_best_sharpe(
            self.count, 1.0 / (n - 1) if variance is None else variance
        )

    def deflated(self, sr: float, n: int, *, skew: float, kurtosis: float) -> float | None:
        """Return the deflated Sharpe ratio; None where nothing else was tried.

        Args:
            sr: the ratio a bar, of n returns with these moments.
        """
        if self.count < 2:
            return None
        return sharpe.deflated_sharpe(
            sr, n, self.count, skew=skew, kurtosis=kurtosis, trial_variance=self.variance(n)
        )

    def as_json(self, n: int, periods_per_year: float, deflated: float | None) -> dict[str, Any]:
        """Return the count and what it rests on as JSON values, ratios annualised.

        Args:
            n: returns of the figure that is deflated.
            deflated: that figure's deflated ratio.
        """
        scale = math.sqrt(periods_per_year)
        variance, best = self.variance(n), self.expected_best(n)
        found = {
            "count": self.count,
            "entries": self.entries,
            "ratios": len(self.ratios),
            "sharpe_deviation": None if variance is None else math.sqrt(variance) * scale,
            "expected_best_sharpe": None if best is None else best * scale,
            "deflated_sharpe": deflated,
            "symbols": list(self.symbols),
            "from": iso_time(self.start_ms),
            "to": iso_time(self.end_ms),
            "register": self.register,
            "notes": list(self.notes),
        }
        return found | {"text": in_words(found)}


def in_words(found: dict[str, Any]) -> str:
    """Return what the deflated Sharpe ratio rests on, in a sentence or three."""
    span = f"{', '.join(found['symbols'])}, {found['from'][:10]} to {found['to'][:10]}"
    if found["count"] < 2:
        text = (
            f"Trials: this is the only one on its data ({span}) in {found['register']}, so no ratio is "
            "deflated."
        )
    else:
        entries = "entry" if found["entries"] == 1 else "entries"
        text = (
            f"Trials: {found['count']:,} settings in {found['entries']:,} {entries} of {found['register']} "
            f"were tried on this data ({span}), this one among them."
        )
        if found["expected_best_sharpe"] is not None:
            text += (
                " The best of so many worthless ones is expected at a Sharpe ratio of "
                f"{two_digits(found['expected_best_sharpe'])}"
            )
            if found["deflated_sharpe"] is not None:
                text += (
                    "; that the true one is above that has a probability of "
                    f"{percent(found['deflated_sharpe'])} (deflated Sharpe ratio)"
                )
            text += "."
    return " ".join([text, *found["notes"]])
