"""The engine: closed bars in, fills and ledger rows out, the same way whoever delivers the bars.

Owns the order of the stages: features, forecast, signal, then broker and ledger bar by bar.
Rules:
1. `step` is pure: it returns a new state and never changes the one it was given.
2. Any way of cutting the same bars into blocks gives the same ledger, bit for bit.
3. `open` then `close` on one bar equals `step` on it; a step whose first bar is already open only
   closes it.
4. A model decides from the bar of its activation on; before the first one nothing is ordered.
Must not do I/O, log, read a clock, or train.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from bot.blocks import F64, I8, BarBlock, FeatureBlock, Forecast, Task
from bot.config.schema import Conviction
from bot.engine_state import Activation, EngineState
from bot.errors import InvariantError, ModelError
from bot.features.pipeline import FeaturePipeline, FeatureState
from bot.model.forecaster import Forecaster
from bot.portfolio.agreement import agreement_of
from bot.portfolio.broker import first_book, observe_bars, run_bars
from bot.portfolio.calibration import (
    Calibrated,
    CalibrationState,
    calibrate,
    new_calibration,
    uncalibrated,
)
from bot.portfolio.conviction import bound_of, signal_of, volatility_of
from bot.portfolio.doubts import refused_by_model
from bot.portfolio.hand import Command, commanded
from bot.portfolio.ledger import check_books
from bot.portfolio.limits import NO_LIMITS, RiskLimits, doubts_model
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace


@dataclass(frozen=True, slots=True)
class StepResult:
    """What happened in a block: its bars, features, forecasts, signals, what those are known to be
    worth, and the books' trace."""

    bars: BarBlock
    features: FeatureBlock
    forecast: Forecast
    signal: F64
    calibrated: Calibrated
    trace: Trace


class _Judged(NamedTuple):
    """Forecasts of bars, their signals, and the calibration behind them."""

    forecast: Forecast
    signal: F64
    volatility: F64
    calibration: CalibrationState
    calibrated: Calibrated


def _untold(stage: str) -> None:
    """Tell nobody that a stage has ended."""


@dataclass(frozen=True)
class Engine:
    """The stages with their fixed parts.

    Attributes:
        pipeline: the features, or None where forecasts come from a table.
        rules: signal, sizing, risk, costs and execution as numbers.
        conviction: how a forecast becomes a signal.
        tasks: what a forecaster predicts, in its order; those that the signal needs are among them.
        forecasters: by model id; must have every model of the schedule before its first bar.
        initial_capital: starting cash.
        stage_ended: told the name of each stage at its end, in order: features, forecast, portfolio;
            the caller, who has a clock, may measure it.
    """

    pipeline: FeaturePipeline | None
    rules: Rules
    conviction: Conviction
    tasks: tuple[Task, ...]
    n_symbols: int
    initial_capital: float
    forecasters: Mapping[str, Forecaster]
    stage_ended: Callable[[str], None] = _untold

    def initial(self) -> EngineState:
        """Return the state before the first bar."""
        features = FeatureState({}) if self.pipeline is None else self.pipeline.initial()
        return EngineState(
            features,
            first_book(self.rules, self.initial_capital),
            new_calibration(self.n_symbols, self.rules.horizon),
        )

    def activate(self, state: EngineState, activation: Activation) -> EngineState:
        """Return the state with one more model in its schedule.

        Raises:
            InvariantError: the model would decide on bars that are already closed, or out of order.
        """
        newest = max([state.last_open, *(a.effective_from for a in state.schedule[-1:])])
        reached = activation.effective_from <= newest
        if reached and not (state.opened and activation.effective_from == state.last_open):
            raise InvariantError(
                f"model {activation.model_id} is to decide from {activation.effective_from}, but "
                f"the schedule or the bars have reached {newest}"
            )
        return replace(state, schedule=(*state.schedule, activation))

    def obey(self, state: EngineState, command: Command) -> EngineState:
        """Return the state in which a person's command holds; what `set` changes is in `rules`."""
        return replace(state, book=commanded(state.book, command, self.rules.inverse))

    def warm(self, state: EngineState, block: BarBlock) -> EngineState:
        """Take in bars that are not traded and not booked; signals of models there are are scored."""
        for part in state.split(block):
            self._check_forward(state, part)
            feature_state, features = self._features(state, part)
            state = replace(
                state, features=feature_state,
                calibration=self._judged(state, part, features).calibration
                if self.rules.is_calibrated
                else state.calibration,
                book=observe_bars(state.book, self.rules, part),
                last_open=int(part.open_time[-1]),
            )  # fmt: skip
        return state

    def open(self, state: EngineState, block: BarBlock) -> tuple[EngineState, Trace]:
        """Book the open of one bar: funding, then the fills of pending orders.

        Args:
            block: one bar; only its open, mark, funding, quotes and flags are read.
        """
        if len(block) != 1:
            raise InvariantError(f"open takes one bar, not {len(block)}")
        if state.opened:
            raise InvariantError(f"bar {state.last_open} is open; close it before the next")
        self._check_forward(state, block)
        nothing = np.full((1, self.n_symbols), np.nan)
        book, trace = run_bars(
            state.book, self.rules, block, signal=nothing, volatility=nothing, phase=Phase.OPEN
        )
        check_books(state.book, block, trace, self.rules.inverse)
        opened = replace(
            state, book=book, last_open=int(block.open_time[0]), opened=True,
            open_refusal=trace.refusal[0],
        )  # fmt: skip
        return opened, trace

    def close(self, state: EngineState, block: BarBlock) -> tuple[EngineState, StepResult]:
        """Close the one bar that `open` has opened: features, forecast, decision, ledger row."""
        if not state.opened or len(block) != 1 or int(block.open_time[0]) != state.last_open:
            raise InvariantError("close takes the one bar that is open")
        return self._segment(state, block, Phase.CLOSE)

    def step(self, state: EngineState, block: BarBlock) -> tuple[EngineState, list[StepResult]]:
        """Take a block through open and close of each of its bars.

        Returns:
            the new state, and a result for each part of the block with one model in force.

        Raises:
            InvariantError: bars do not move forward in time, or the books do not balance.
        """
        results: list[StepResult] = []
        if state.opened:
            state, result = self.close(state, block.rows(0, 1))
            results.append(result)
            block = block.rows(1, len(block))
        for part in state.split(block):
            self._check_forward(state, part)
            state, result = self._segment(state, part, Phase.BOTH)
            results.append(result)
        return state, results

    def _segment(
        self, state: EngineState, block: BarBlock, phase: Phase
    ) -> tuple[EngineState, StepResult]:
        feature_state, features = self._features(state, block)
        self.stage_ended("features")
        judged = self._judged(state, block, features)
        self.stage_ended("forecast")
        book, trace = run_bars(
            state.book,
            self.rules,
            block,
            signal=judged.signal,
            volatility=judged.volatility,
            phase=phase,
            agreement=self._agreement(judged.forecast),
            calibrated=judged.calibrated,
            refused_by_model=self._doubted(state, block, features, judged.forecast),
        )
        check_books(state.book, block, trace, self.rules.inverse)
        if phase == Phase.CLOSE:
            refusal = np.where(trace.refusal != 0, trace.refusal, state.open_refusal)
            trace = trace._replace(refusal=refusal)
        self.stage_ended("portfolio")
        new_state = EngineState(
            feature_state, book, judged.calibration,
            schedule=state.schedule, last_open=int(block.open_time[-1]), opened=False,
        )  # fmt: skip
        return new_state, StepResult(
            block, features, judged.forecast,
            signal=judged.signal, calibrated=judged.calibrated, trace=trace,
        )  # fmt: skip

    def _judged(self, state: EngineState, block: BarBlock, features: FeatureBlock) -> _Judged:
        """Return what the model in force says of the bars, and what that is known to be worth."""
        forecast = self._forecast(state, block, features)
        signal = signal_of(forecast, self.conviction)
        volatility = volatility_of(forecast)
        calibration, calibrated = state.calibration, uncalibrated(len(block))
        if self.rules.is_calibrated:
            calibration, calibrated = calibrate(
                calibration, block, signal=signal, volatility=volatility,
                bound=bound_of(forecast, self.conviction), days=self.rules.block_days,
            )  # fmt: skip
        return _Judged(forecast, signal, volatility, calibration, calibrated)

    def _features(self, state: EngineState, block: BarBlock) -> tuple[FeatureState, FeatureBlock]:
        if self.pipeline is None:
            shape = block.valid.shape
            return state.features, FeatureBlock(np.empty((*shape, 0)), block.valid)
        return self.pipeline.advance(state.features, block)

    def _forecast(self, state: EngineState, block: BarBlock, features: FeatureBlock) -> Forecast:
        index = state.model_index(int(block.open_time[0]))
        model = np.full(len(block), index, dtype=np.int64)
        if index < 0:
            unknown = np.full((len(block), self.n_symbols, len(self.tasks)), np.nan)
            return Forecast(self.tasks, unknown, model, unknown)
        model_id = state.schedule[index].model_id
        if model_id not in self.forecasters:
            raise ModelError(f"model {model_id} is in the schedule but was not loaded")
        forecaster = self.forecasters[model_id]
        if self.rules.disagreement_penalty > 0.0 or self._limits.max_disagreement > 0.0:
            value, disagreement = forecaster.forecast_with_disagreement(block.open_time, features)
            return Forecast(self.tasks, value, model, disagreement)
        return Forecast(self.tasks, forecaster.forecast(block.open_time, features), model)

    def _agreement(self, forecast: Forecast) -> F64 | None:
        """Return the factor on the weights under a disagreement penalty, by the head of the signal."""
        penalty = self.rules.disagreement_penalty
        if forecast.disagreement is None or penalty == 0.0:
            return None
        disagreement = forecast.disagreement_of(self._head)
        return agreement_of(forecast.of(self._head), disagreement, penalty)

    def _doubted(
        self, state: EngineState, block: BarBlock, features: FeatureBlock, forecast: Forecast
    ) -> I8 | None:
        """Return what the model's own doubts refuse, None where none are asked for or no model decides."""
        index = int(forecast.model[0])
        if not doubts_model(self._limits) or index < 0:
            return None
        active = state.schedule[index]
        age_bars = (block.open_time - active.effective_from) // self.rules.bar_ms
        distance = partial(self.forecasters[active.model_id].distance, features)
        return refused_by_model(self._limits, age_bars, forecast, self._head, distance)

    @property
    def _head(self) -> str:
        """Return the kind of task that the signal is made of."""
        return "decision" if self.conviction.source == "decision" else "return"

    @property
    def _limits(self) -> RiskLimits:
        return NO_LIMITS if self.rules.full is None else self.rules.full.risk

    def _check_forward(self, state: EngineState, block: BarBlock) -> None:
        if block.n_symbols != self.n_symbols:
            raise InvariantError(
                f"the block has {block.n_symbols} symbols, the engine {self.n_symbols}"
            )
        if state.opened or int(block.open_time[0]) <= state.last_open:
            raise InvariantError(
                f"bar {int(block.open_time[0])} does not follow bar {state.last_open}"
            )
