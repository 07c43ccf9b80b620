"""What a report is made from: one run as arrays, filled by whoever can read a journal.

Rules: n bars in the order of `bars`, S symbols, K tasks; amounts are in the quote currency, per bar
(not cumulative), and positive where the run paid. Must not read files or compute results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bot.blocks import F64, I64, Bool, Forecast
from bot.report.booked import Booked, Observed
from bot.report.why import Decided


@dataclass(frozen=True, slots=True)
class GateWeights:
    """How much a gate gives to each expert, on the mean over rows: layer, whose gate, by expert."""

    layer: int
    reader: str
    weights: dict[str, float]


@dataclass(frozen=True, slots=True)
class Insight:
    """What a training found out about its model; NaN where there is no number.

    Attributes:
        tasks, features: names, of length K and F.
        importance: float64[F, K], what a head's validation loss rises by when the feature is
            permuted, as a share of the naive loss.
        cosines: float64[E, K, K] of the tasks' gradients after each epoch; E is 0 where no
            parameters are shared.
        best_epoch: from 1, the one whose weights were kept.
        gates: layer by layer; none but for architectures of experts.
    """

    tasks: tuple[str, ...]
    features: tuple[str, ...]
    importance: F64
    cosines: F64
    best_epoch: int
    gates: tuple[GateWeights, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model of the run's schedule.

    Attributes:
        model_id: its name in the registry.
        due_ms: open time of the bar at whose close its training was due; later bars were unknown.
        effective_from_ms: open time of the first bar it decided on.
        rows: labelled rows it was trained on.
        train_from_ms, train_to_ms: open times of its first and last training row, inclusive.
        variance_scales: mean of (target / forecast)² of each volatility head over its training rows,
            which turns a forecast deviation into a forecast variance; NaN where not recorded.
        metrics: what training reported, by name.
        insight: what training found out about it, where it was asked.
    """

    model_id: str
    due_ms: int
    effective_from_ms: int
    rows: int
    train_from_ms: int
    train_to_ms: int
    variance_scales: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    insight: Insight | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CalibrationProgress:
    """How far it is known what signals are worth.

    Attributes:
        days: scored at the run's last bar.
        needed: before signals are traded.
        until_ms: open time of the last bar that was not traded for want of days; None where none was.
    """

    days: int
    needed: int
    until_ms: int | None


@dataclass(frozen=True, kw_only=True)
class Judged(Observed):
    """Forecasts beside what happened: all that skill is judged from.

    Attributes:
        interval_ms: the bar's length.
        periods_per_year: bars a year by the calendar.
        volume_window: bars of the mean volume that a label of volume is relative to.
        forecast: out-of-sample forecasts as the heads gave them, or None.
        shrunk: float64[n, S, K], the same, shrunk by what their models' validation rows knew of
            them; None: as they were given.
        labels: float64[n, S, K] in the order of `forecast.tasks`, NaN where not known.
        models: the schedule, in the order that `forecast.model` counts.
    """

    interval_ms: int
    periods_per_year: float
    volume_window: int
    forecast: Forecast | None
    labels: F64 | None
    models: tuple[ModelInfo, ...] = ()
    shrunk: F64 | None = None


@dataclass(frozen=True, kw_only=True)
class RunData(Judged, Booked):
    """Everything that a report needs of one run.

    Attributes:
        name: the run's name.
        venues: of length S.
        interval: the bar's length, as named.
        taker_fee: float64[S], fraction of the notional.
        pays_funding: bool[S], whether positions in the symbol are charged funding.
        allow_short: bool[S], whether the symbol may be held short.
        fraction: of equity, what a fixed size gives a symbol.
        horizon: bars over which the signal tells a return.
        seed: the run's.
        half_spread_bps, slippage_bps: what a fill costs beside the fee.
        cash: float64[n], at the bar's close.
        fees, spread, slippage: float64[n], paid in the bar.
        edge, hurdle: float64[n, S], the return that the signal was expected to bring over the
            horizon, and what it had to exceed; NaN where none was known or asked, None where the
            record has no such columns.
        weights, signal: float64[n, S]; the targeted fraction of equity, and the conviction.
        fill_reasons: names of the codes in `fills["reason"]`.
        refusals: decisions refused, by reason.
        funding_unknown: settlements of positions held whose rate was not known, by symbol.
        asked_ms: first and last open time that the settings asked for, None where all there is.
        trainings_due: int64[m], due bars of the trainings that were to be in force in the run; None
            where it does not train by a schedule of its own.
        rehearsed: whether models were to decide on bars before the start, to have scored signals.
        decided: what the last bar decided, by symbol; empty where no decisions were recorded.
        calibration: None where nothing asks what signals are worth, or no decision was recorded.
        reference: whether it is the reference backtest (`costs.reference`), which rescales for nothing.
        max_jump: the largest ratio of neighbouring prices that is plausible.
        facts: what else is printed as it is (seconds, hashes, paths).
    """

    name: str
    venues: tuple[str, ...]
    interval: str
    taker_fee: F64
    pays_funding: Bool
    allow_short: Bool
    fraction: float
    horizon: int
    seed: int
    half_spread_bps: float
    slippage_bps: float
    cash: F64
    fees: F64
    spread: F64
    slippage: F64
    weights: F64
    signal: F64
    fill_reasons: Mapping[int, str]
    edge: F64 | None = None
    hurdle: F64 | None = None
    refusals: Mapping[str, int] = field(default_factory=dict)
    funding_unknown: Mapping[str, int] = field(default_factory=dict)
    asked_ms: tuple[int | None, int | None] = (None, None)
    trainings_due: I64 | None = None
    rehearsed: bool = False
    decided: Mapping[str, Decided] = field(default_factory=dict)
    calibration: CalibrationProgress | None = None
    reference: bool = False
    max_jump: float = math.inf
    facts: Mapping[str, Any] = field(default_factory=dict)

    def first_model_index(self) -> int | None:
        """Return the first bar from the start on with a model in force, or None."""
        if not self.models:
            return None
        at = int(np.searchsorted(self.open_time, self.models[0].effective_from_ms))
        at = max(at, self.start_index)
        return at if at < len(self.open_time) else None
