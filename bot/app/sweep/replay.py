"""One setting over given forecasts: the engine's own signal, calibration and account.

Rules: what a setting comes to is what `bot backtest` gives with it on the same forecasts, to the bit;
signals and calibrations are made once for all settings that share them. Must not read files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bot.adapters.files.trials import Outcome
from bot.app.runs.trials import outcome_of
from bot.app.sweep.source import SweepSource
from bot.blocks import F64, BarBlock, Bool, Forecast
from bot.config import Config
from bot.config.needed_heads import read_beyond_forecasts
from bot.errors import ConfigError
from bot.portfolio.broker import first_book, observe_bars, run_bars
from bot.portfolio.calibration import Calibrated, calibrate, new_calibration, uncalibrated
from bot.portfolio.conviction import bound_of, signal_of, volatility_of
from bot.portfolio.ledger import check_books
from bot.portfolio.reasons import FillReason
from bot.portfolio.rules import Rules, rules_from
from bot.portfolio.trace import Phase, Trace
from bot.report.money.days import notional_by_bar
from bot.report.money.metrics import bar_returns, lived_returns, lived_shares, max_drawdown
from bot.timegrid import DAY_MS


@dataclass(frozen=True, slots=True)
class Tally:
    """What a setting came to.

    Attributes:
        outcome: as the register keeps it.
        equity: at the last close.
        days: float64[d], net returns a day; 0 from a bankruptcy on.
        traded: float64[d], value traded each day, in times of its opening equity.
        drawdown: the largest; None after a bankruptcy.
        fills: orders filled.
        liquidations: fills that the exchange took.
    """

    outcome: Outcome
    equity: float
    days: F64
    traded: F64
    drawdown: float | None
    fills: int
    liquidations: int

    @property
    def turnover(self) -> float:
        """Return the value traded on all days together, each in times of its opening equity."""
        return float(self.traded.sum())


@dataclass
class SweepReplay:
    """The account over the bars of a source, asked about one setting after the other."""

    symbols: tuple[str, ...]
    instruments: Any
    bars: BarBlock
    start: int
    forecast: Forecast
    _signals: dict[Any, tuple[F64, F64]] = field(default_factory=dict)
    _calibrated: dict[Any, Calibrated] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Cut the bars that are traded, once for all settings."""
        self._booked = self.bars.rows(self.start, len(self.bars))
        self._volatility = volatility_of(self.forecast)
        day = self._booked.open_time // DAY_MS
        self._first = np.flatnonzero(np.concatenate(([True], day[1:] != day[:-1])))

    def tally(
        self, config: Config, name: str, own: dict[str, Any],
        change: Callable[[Rules], Rules] | None = None,
    ) -> Tally:  # fmt: skip
        """Take the account through the bars with these settings.

        Args:
            own: what differs from the settings of the sweep.
            change: of the rules, for what no setting says.
        """
        rules = rules_from(config, self.symbols, self.instruments)
        if change is not None:
            rules = change(rules)
        for key in read_beyond_forecasts(config):
            raise ConfigError(
                f"{key}: it asks the models for more than their forecasts, which is not recorded, so a "
                "replay has none of it; set it to 0"
            )
        signal, calibrated = self._signal_and_calibration(config, rules)
        capital = config.portfolio.initial_capital
        before = first_book(rules, capital)
        if self.start:
            before = observe_bars(before, rules, self.bars.rows(0, self.start))
        _, trace = run_bars(
            before, rules, self._booked, signal[self.start :], self._volatility[self.start :],
            phase=Phase.BOTH, calibrated=calibrated,
        )  # fmt: skip
        check_books(before, self._booked, trace, rules.inverse)
        return self._reduced(trace, capital, name=name, own=own, inverse=rules.inverse)

    def know(self, config: Config, slope: float) -> None:
        """Let the signals of these settings be worth this slope, without error, at every bar.

        It is what a study asks of one who knows what nobody can.
        """
        rules = rules_from(config, self.symbols, self.instruments)
        n = len(self._booked)
        _, known = self._signal_and_calibration(config, rules)
        self._calibrated[self._asked(config, rules)] = known._replace(
            slope=np.full(n, slope), error=np.zeros(n),
            days=np.full(n, rules.min_calibration_days, dtype=np.int64),
        )  # fmt: skip

    def _asked(self, config: Config, rules: Rules) -> Any:
        """Return what a calibration depends on."""
        s = config.signal
        return s.source, s.factor, s.horizons, rules.horizon, rules.block_days

    def _signal_and_calibration(self, config: Config, rules: Rules) -> tuple[F64, Calibrated]:
        """Return signals of all bars, and what is known of them at the bars that are traded.

        Both are the engine's, made for all bars at once and kept for settings that share them.
        """
        conviction = config.signal
        key = (conviction.source, conviction.factor, conviction.horizons)
        if key not in self._signals:
            signal = signal_of(self.forecast, conviction)
            self._signals[key] = signal, bound_of(self.forecast, conviction)
        signal, bound = self._signals[key]
        n = len(self._booked)
        if not rules.is_calibrated:
            return signal, uncalibrated(n)
        asked = self._asked(config, rules)
        if asked not in self._calibrated:
            state = new_calibration(len(self.symbols), rules.horizon)
            _, known = calibrate(
                state, self.bars, signal=signal, volatility=self._volatility, bound=bound,
                days=rules.block_days,
            )  # fmt: skip
            self._calibrated[asked] = Calibrated._make([a[self.start :] for a in known])
        return signal, self._calibrated[asked]

    def _reduced(
        self, trace: Trace, capital: float, *, name: str, own: dict[str, Any], inverse: Bool | None
    ) -> Tally:  # fmt: skip
        curve = np.concatenate(([capital], trace.equity))
        alive = bool(np.all(curve > 0.0))
        returns = bar_returns(curve) if alive else np.empty(0)
        opening = curve[self._first]
        closing = curve[np.append(self._first[1:], len(curve) - 1)]
        return Tally(
            outcome_of(returns, float(curve[-1] / capital - 1.0), name, own),
            float(curve[-1]),
            lived_returns(opening, closing),
            traded=lived_shares(self._traded(trace, inverse), opening),
            drawdown=max_drawdown(curve) if alive else None,
            fills=len(trace.fills),
            liquidations=int(np.sum(trace.fills["reason"] == int(FillReason.LIQUIDATION))),
        )

    def _traded(self, trace: Trace, inverse: Bool | None) -> F64:
        """Return float64[d], the value traded on each day."""
        by_bar = notional_by_bar(trace.fills, self._booked.open_time, len(self.symbols), inverse)
        traded: F64 = np.add.reduceat(by_bar.sum(axis=1), self._first)
        return traded


def replay_of(source: SweepSource) -> SweepReplay:
    """Return the replay of a source."""
    return SweepReplay(
        source.symbols, source.instruments, source.bars, source.start, source.forecast
    )


@dataclass(frozen=True)
class Share:
    """Some of a sweep's settings, as a unit of work over its replay."""

    settings: Sequence[tuple[Config, str, dict[str, Any]]]

    @property
    def config(self) -> Config:
        """The settings whose memory limit bounds the process."""
        return self.settings[0][0]

    @property
    def label(self) -> str:
        """What it is called in errors."""
        return f"the sweep's share of {len(self.settings)} settings"

    def run(self, data: SweepReplay) -> list[Tally]:
        """Replay each."""
        return [data.tally(config, name, own) for config, name, own in self.settings]
