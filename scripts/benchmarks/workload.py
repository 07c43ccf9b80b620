"""The shared work of the ledger group: one symbol's closes and signals, and the rules of trading.

Rules: at each close the position is the signal's sign times `weight` of equity where the signal is
beyond the threshold, else none; it changes when the sign does, at that close, for a fee on what is
traded. About 5 % of the bars trade, and the signal earns about what the fees cost, so that equity
neither vanishes nor explodes. Each bar opens at the close before, so that a fill at the next open
is a fill at the close of the decision. What each contestant is handed is made once and kept, so
that making it is in nobody's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bot.app.loop.forecasters import TableForecaster
from bot.blocks import F64, BarBlock
from bot.config import load_config
from bot.portfolio.rules import Rules, rules_from
from bot.timegrid import HOUR_MS

CHANGES = 0.075
"""Chance a bar that a new signal is drawn; two in three draws change the position."""

PLAIN_ACCOUNT = (
    "portfolio.margin_mode=none", "execution.max_participation=0", "costs.impact=0", "risk.cap_tolerance=0",
    "risk.cool_down_bars=0", "risk.max_stale_bars=0", "risk.leaving_hours=0",
)  # fmt: skip
"""Credit without limit, fills of any size at no impact, and no limit that only the full account keeps."""
FULL_ACCOUNT = (
    "portfolio.margin_mode=cross", "portfolio.leverage=20", "execution.max_participation=0.05",
    "costs.impact=1", "risk.stop_loss=0.02", "risk.take_profit=0.04", "risk.trailing_stop=0.03",
)  # fmt: skip

SIGMA = 0.002
CAPITAL = 100_000.0


@dataclass(frozen=True)
class Workload:
    """Closes and signals float64[n], and what trading obeys."""

    close: F64
    signal: F64
    weight: float
    threshold: float = 0.5
    fee: float = 0.001
    capital: float = CAPITAL

    @classmethod
    def draw(cls, n: int, weight: float) -> Workload:
        """Draw n bars; the closes depend on the weight, which decides what trading costs."""
        rng = np.random.default_rng(1)
        drawn_at = np.where(rng.random(n) < CHANGES, np.arange(n), 0)
        signal = rng.normal(size=n)[np.maximum.accumulate(drawn_at)]
        work = cls(np.ones(n), signal, weight)
        held = np.concatenate([[0.0], work.position[:-1]])
        cost = work.fee * np.abs(np.diff(work.position, prepend=0.0)).mean()
        edge = cost / np.abs(held).mean() + 0.5 * weight * SIGMA**2
        steps = edge * held + SIGMA * rng.normal(size=n) - 0.5 * SIGMA**2
        return cls(100.0 * np.exp(np.cumsum(steps)), signal, weight)

    def __len__(self) -> int:
        return len(self.close)

    @cached_property
    def position(self) -> F64:
        """Return float64[n], -1, 0 or 1, as decided at each close."""
        return np.where(np.abs(self.signal) > self.threshold, np.sign(self.signal), 0.0)

    @cached_property
    def changed(self) -> F64:
        """Return float64[n], the new weight where the position changes, else NaN."""
        changes = np.diff(self.position, prepend=0.0) != 0.0
        return np.where(changes, self.weight * self.position, np.nan)

    def head(self, n: int) -> Workload:
        """Return the first n bars."""
        return Workload(self.close[:n], self.signal[:n], self.weight)

    @cached_property
    def bars(self) -> BarBlock:
        """Return the bars as the engine takes them, S = 1."""
        close = self.close[:, None].copy()
        opened = np.concatenate([close[:1], close[:-1]])
        high, low = np.maximum(opened, close), np.minimum(opened, close)
        times = np.arange(len(close), dtype=np.int64) * HOUR_MS
        return BarBlock.of_candles(times, opened, high, low, close, np.ones_like(close))

    @cached_property
    def signals(self) -> F64:
        """Return the signal as float64[n, 1]."""
        return self.signal[:, None].copy()

    @cached_property
    def table(self) -> TableForecaster:
        """Return the signal as a table of forecasts: a return that its direction is sure of."""
        value = np.full((len(self), 1, 4), np.nan)
        value[:, 0, 0] = self.signal
        value[:, 0, 1] = self.signal > 0.0
        return TableForecaster(self.bars.open_time, value)

    @cached_property
    def rules(self) -> Rules:
        """Return the same rules as our broker takes them: the fee, and no other cost or limit."""
        sets = [
            "policy.kind=threshold",
            f"signal.threshold={self.threshold}",
            f"sizing.fraction={self.weight}",
            f"costs.taker_fee={self.fee}",
            "costs.half_spread_bps=0",
            "costs.slippage_bps=0",
            "execution.min_notional=0",
            "risk.max_symbol_weight=0",
            "risk.max_gross=0",
            *PLAIN_ACCOUNT,
        ]
        return rules_from(load_config(None, sets, environ={}), ("WORK",))
