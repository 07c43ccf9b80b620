"""The engine's own rules: purity, order of calls, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from bot.blocks import F64, I64, BarBlock, FeatureBlock, Task
from bot.config import load_config
from bot.config.schema import Conviction
from bot.engine import Engine
from bot.engine_state import Activation, EngineState, state_from_arrays, state_to_arrays
from bot.errors import InvariantError, ModelError
from bot.features.pipeline import FeaturePipeline
from bot.model.forecaster import Forecaster
from bot.portfolio.book import Book
from bot.portfolio.broker import run_bars
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import LatePolicy, Rules, SizingMethod, rules_from
from bot.portfolio.trace import Phase, Trace, joined
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS

CONFIG = load_config(
    None,
    ["synthetic.symbols=2", "synthetic.bars=120", "synthetic.missing=0.05",
     "features.names=return_1,rsi", "policy.kind=threshold"],
    {},
)  # fmt: skip
BARS = synthetic_bars(CONFIG.synthetic, HOUR_MS)
TIMES = BARS.open_time.tolist()
TASKS = (Task("return", 5), Task("direction", 5))


class Momentum:
    """Expect the last return to go on; `sign` tells two models apart."""

    def __init__(self, sign: float) -> None:
        self._sign = sign

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        x, ready = features.x, features.ready
        expected = np.where(ready, self._sign * x[:, :, 0], np.nan)
        return np.stack([expected, np.where(ready, 0.6, np.nan)], axis=2)

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        value = self.forecast(open_time, features)
        return value, np.where(features.ready[:, :, None], SPREAD, np.nan) * np.ones(2)

    def distance(self, features: FeatureBlock) -> F64:
        return np.where(features.ready, np.abs(features.x[:, :, 0]) / REACH, np.nan)


SPREAD = 0.002
REACH = 0.01
FORECASTERS: Mapping[str, Forecaster] = {"up": Momentum(1.0), "down": Momentum(-1.0)}


def engine(forecasters: Mapping[str, Forecaster] = FORECASTERS) -> Engine:
    pipeline = FeaturePipeline(CONFIG.features, symbol_names(2), HOUR_MS)
    rules = rules_from(CONFIG, symbol_names(2))
    return Engine(pipeline, rules, Conviction(), TASKS, 2, 1e5, forecasters)


def arrays_of(state: EngineState) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state_to_arrays(state).items()}


def test_a_step_changes_neither_the_state_nor_the_bars_it_was_given() -> None:
    made = engine()
    state = made.activate(made.initial(), Activation(TIMES[30], "up"))
    middle, _ = made.step(state, BARS.rows(0, 60))
    before, close = arrays_of(middle), BARS.close.copy()
    _, first = made.step(middle, BARS.rows(60, 120))
    made.open(middle, BARS.rows(60, 61))
    _, second = made.step(middle, BARS.rows(60, 120))
    assert arrays_of(middle) == before
    np.testing.assert_array_equal(BARS.close, close)
    np.testing.assert_array_equal(first[0].trace.equity, second[0].trace.equity)


def test_a_step_is_split_where_a_model_takes_over() -> None:
    made = engine()
    state = made.initial()
    for time, name in ((TIMES[30], "up"), (TIMES[70], "down")):
        state = made.activate(state, Activation(time, name))
    _, results = made.step(state, BARS)
    assert [len(r.bars) for r in results] == [30, 40, 50]
    assert [int(r.forecast.model[0]) for r in results] == [-1, 0, 1]
    assert np.isnan(results[0].forecast.value).all()
    up, down = results[1].forecast.of("return"), results[2].forecast.of("return")
    returns = BARS.close[1:] / BARS.close[:-1] - 1.0
    seen = np.isfinite(up) & BARS.valid[29:69]
    assert (np.sign(up) == np.sign(returns[29:69]))[seen].all()
    seen = np.isfinite(down) & BARS.valid[69:119]
    assert (np.sign(down) == -np.sign(returns[69:]))[seen].all()


def test_weights_shrink_by_the_disagreement_under_a_penalty() -> None:
    plain = engine()
    careful = replace(plain, rules=plain.rules._replace(disagreement_penalty=2.0))
    bold, doubting = (
        made.step(made.activate(made.initial(), Activation(TIMES[30], "up")), BARS)[1]
        for made in (plain, careful)
    )
    assert np.isnan(bold[1].forecast.disagreement_of("return")).all()
    r = np.abs(bold[1].forecast.of("return"))
    decided = np.isfinite(bold[1].trace.weight) & (r > 0.0)
    expected = bold[1].trace.weight * r / (r + 2.0 * SPREAD)
    np.testing.assert_allclose(doubting[1].trace.weight[decided], expected[decided], rtol=1e-12)
    assert (np.abs(expected[decided]) > 0.0).any()


def doubting_engine(**limits: Any) -> Engine:
    """Return an engine whose account is full, and asks the models for more than forecasts."""
    config = load_config(
        None, ["synthetic.symbols=2", "market.symbols=A,B", "policy.kind=threshold"], {}
    )
    rules = rules_from(config, ("A", "B"))
    assert rules.full is not None
    rules = rules._replace(full=rules.full._replace(risk=rules.full.risk._replace(**limits)))
    return replace(engine(), rules=rules)


def test_what_the_model_doubts_is_refused_by_each_limit() -> None:
    made = doubting_engine(max_model_age_bars=60, max_disagreement=0.5, max_distance=0.7)
    _, results = made.step(made.activate(made.initial(), Activation(TIMES[30], "up")), BARS)
    bars, told, trace = results[1].bars, results[1].forecast, results[1].trace
    returns, ready = told.of("return"), results[1].features.ready
    wanted = ready & (np.abs(results[1].signal) > 0.001)
    expected = np.zeros(returns.shape, dtype=int)
    for i, time in enumerate(bars.open_time):
        for s in range(2):
            r = abs(returns[i, s])
            if r / REACH > 0.7:
                expected[i, s] = Refusal.OUT_OF_RANGE
            if 0.5 * r < SPREAD:
                expected[i, s] = Refusal.DIVIDED
            if (time - TIMES[30]) // HOUR_MS > 60:
                expected[i, s] = Refusal.MODEL_TOO_OLD
    flat = wanted & (trace.quantity == 0.0) & bars.valid
    assert set(expected[flat]) >= {0, Refusal.OUT_OF_RANGE, Refusal.DIVIDED}
    np.testing.assert_array_equal(trace.refusal[flat], expected[flat])
    old = (bars.open_time - TIMES[30]) // HOUR_MS > 60
    assert (trace.refusal[old][wanted[old]] == Refusal.MODEL_TOO_OLD).all()


def test_where_no_model_decides_none_is_doubted() -> None:
    made = doubting_engine(max_model_age_bars=1, max_disagreement=1e-9, max_distance=1e-9)
    _, (alone,) = made.step(made.initial(), BARS)
    _, (before, after) = made.step(made.activate(made.initial(), Activation(TIMES[60], "up")), BARS)
    for result in (alone, before):
        doubts = (Refusal.MODEL_TOO_OLD, Refusal.DIVIDED, Refusal.OUT_OF_RANGE)
        assert not np.isin(result.trace.refusal, doubts).any()
    assert (after.trace.refusal == Refusal.MODEL_TOO_OLD).any()


def test_a_plain_account_doubts_no_model() -> None:
    full = engine()
    plain = replace(full, rules=full.rules._replace(full=None))
    results = [
        made.step(made.activate(made.initial(), Activation(TIMES[30], "up")), BARS)[1][1]
        for made in (plain, full)
    ]
    assert (results[0].trace.quantity != 0.0).any()
    np.testing.assert_array_equal(results[0].forecast.value, results[1].forecast.value)
    np.testing.assert_array_equal(results[0].signal, results[1].signal)


def test_doubts_are_the_same_however_bars_are_cut() -> None:
    made = doubting_engine(max_model_age_bars=60, max_disagreement=0.5, max_distance=0.7)
    whole = parts = made.activate(made.initial(), Activation(TIMES[30], "up"))
    whole, _ = made.step(whole, BARS)
    for i in range(len(BARS)):
        parts, _ = made.open(parts, BARS.rows(i, i + 1))
        parts, _ = made.close(parts, BARS.rows(i, i + 1))
    assert arrays_of(whole) == arrays_of(parts)


def test_a_model_for_bars_already_closed_is_refused() -> None:
    made = engine()
    state, _ = made.step(made.initial(), BARS.rows(0, 50))
    for late in (TIMES[49], TIMES[10]):
        with pytest.raises(InvariantError, match="is to decide from"):
            made.activate(state, Activation(late, "up"))
    state = made.activate(state, Activation(TIMES[60], "up"))
    with pytest.raises(InvariantError, match="is to decide from"):
        made.activate(state, Activation(TIMES[60], "down"))


def test_a_model_may_decide_on_the_bar_that_is_open() -> None:
    made = engine()
    state, _ = made.step(made.initial(), BARS.rows(0, 50))
    state, _ = made.open(state, BARS.rows(50, 51))
    for closed in (TIMES[49], TIMES[10]):
        with pytest.raises(InvariantError, match="is to decide from"):
            made.activate(state, Activation(closed, "up"))
    state = made.activate(state, Activation(TIMES[50], "up"))
    _, result = made.close(state, BARS.rows(50, 51))
    assert result.forecast.model.tolist() == [0]


def test_calls_out_of_order_are_refused() -> None:
    made = engine()
    state, _ = made.step(made.initial(), BARS.rows(0, 50))
    with pytest.raises(InvariantError, match="does not follow"):
        made.step(state, BARS.rows(49, 60))
    with pytest.raises(InvariantError, match="close takes the one bar that is open"):
        made.close(state, BARS.rows(50, 51))
    with pytest.raises(InvariantError, match="open takes one bar, not 2"):
        made.open(state, BARS.rows(50, 52))
    opened, _ = made.open(state, BARS.rows(50, 51))
    with pytest.raises(InvariantError, match="is open; close it"):
        made.open(opened, BARS.rows(51, 52))
    with pytest.raises(InvariantError, match="close takes the one bar that is open"):
        made.step(opened, BARS.rows(51, 52))
    with pytest.raises(InvariantError, match="does not follow"):
        made.warm(state, BARS.rows(10, 20))


def test_a_block_of_other_symbols_is_refused() -> None:
    made = Engine(None, engine().rules, Conviction(), TASKS, 3, 1e5, FORECASTERS)
    with pytest.raises(InvariantError, match="has 2 symbols, the engine 3"):
        made.step(made.initial(), BARS)


def test_a_model_that_was_not_loaded_is_named() -> None:
    made = engine({})
    state = made.activate(made.initial(), Activation(TIMES[5], "lost"))
    with pytest.raises(ModelError, match="model lost is in the schedule but was not loaded"):
        made.step(state, BARS)


def test_a_state_survives_the_journal_bit_for_bit() -> None:
    made = engine()
    state = made.activate(made.initial(), Activation(TIMES[30], "up"))
    for stop, opened in ((40, False), (80, True)):
        half, _ = made.step(state, BARS.rows(0, stop))
        if opened:
            half, _ = made.open(half, BARS.rows(stop, stop + 1))
        again = state_from_arrays(state_to_arrays(half))
        assert arrays_of(again) == arrays_of(half)
        (one, first), (two, second) = (made.step(s, BARS.rows(stop, 120)) for s in (half, again))
        assert arrays_of(one) == arrays_of(two)
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a.trace.cash, b.trace.cash)


def test_warming_advances_features_and_books_nothing() -> None:
    made = engine()
    state = made.activate(made.initial(), Activation(TIMES[5], "up"))
    warmed = made.warm(state, BARS.rows(0, 60))
    assert int(warmed.book.account["bars"][0]) == 0
    stepped, _ = made.step(state, BARS.rows(0, 60))
    for name, array in warmed.features.arrays.items():
        np.testing.assert_array_equal(array, stepped.features.arrays[name])
    _, (result,) = made.step(warmed, BARS.rows(60, 61))
    assert result.features.ready.any()
    assert np.isfinite(result.signal).any()


def scoring_engine(forecasters: Mapping[str, Forecaster] = FORECASTERS) -> Engine:
    """Return an engine whose policy asks what signals were worth."""
    config = load_config(
        None, ["synthetic.symbols=2", "market.symbols=A,B", "policy.kind=edge"], {}
    )
    tasks = (*TASKS, Task("volatility", 5))
    return replace(engine(forecasters), rules=rules_from(config, ("A", "B")), tasks=tasks)


class Turbulent(Momentum):
    """The same, and a volatility."""

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        value = super().forecast(open_time, features)
        return np.concatenate([value, np.full((*features.ready.shape, 1), 0.02)], axis=2)


def test_signals_are_scored_while_warming_as_they_are_in_a_step() -> None:
    made = scoring_engine({"up": Turbulent(1.0)})
    state = made.activate(made.initial(), Activation(TIMES[5], "up"))
    warmed = made.warm(state, BARS.rows(0, 100))
    stepped, _ = made.step(state, BARS.rows(0, 100))
    for of_warmed, of_stepped in zip(warmed.calibration, stepped.calibration, strict=True):
        np.testing.assert_array_equal(of_warmed, of_stepped)
    assert np.isfinite(warmed.calibration.signal).any()


def test_warming_asks_no_model_where_nothing_is_scored() -> None:
    silent = engine({})  # asked, it would be missed
    state = silent.activate(silent.initial(), Activation(TIMES[5], "up"))
    assert silent.warm(state, BARS.rows(0, 60)).last_open == TIMES[59]
    scoring = scoring_engine({})
    state = scoring.activate(scoring.initial(), Activation(TIMES[5], "up"))
    with pytest.raises(ModelError, match="up"):
        scoring.warm(state, BARS.rows(0, 60))


def careful_rules(**changed: object) -> Engine:
    """An engine whose orders are refused now and then, at the open and at the close."""
    plain = engine()
    rules = plain.rules._replace(
        late_policy=int(LatePolicy.CANCEL), allow_short=np.array([True, False]), band=0.0
    )
    return replace(plain, rules=rules, **changed)  # type: ignore[arg-type]


def some_late() -> BarBlock:
    """Bars of which every third comes too late to be filled at its open."""
    late = (np.arange(120) % 3 == 0)[:, np.newaxis]
    return replace(BARS, fillable=BARS.fillable & ~late)


def test_open_then_close_is_a_step() -> None:
    made, bars = careful_rules(), some_late()
    start = made.activate(made.initial(), Activation(TIMES[1], "up"))
    stepped, results = made.step(start, bars)
    assert [len(r.bars) for r in results] == [1, 119]
    whole = [np.concatenate(c) for c in zip(*(r.trace[1:] for r in results), strict=True)]
    state, traces, signals = start, [], []
    for i in range(120):
        bar = bars.rows(i, i + 1)
        state, opened = made.open(state, bar)
        assert (state.newest, state.opened) == (TIMES[i], True)
        assert opened.phase == Phase.OPEN
        if i % 2:
            state, result = made.close(state, bar)
        else:
            state, (result,) = made.step(state, bar)
        assert not state.opened
        traces.append(joined(opened, result.trace))
        signals.append(result.signal)
    assert arrays_of(state) == arrays_of(stepped)
    for column, parts in zip(whole, zip(*(t[1:] for t in traces), strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), column)
    signal = np.concatenate([r.signal for r in results])
    np.testing.assert_array_equal(np.concatenate(signals), signal)
    refusals = set(np.concatenate([t.refusal for t in traces]).ravel().tolist())
    assert refusals >= {int(Refusal.LATE_CANCELLED), int(Refusal.SHORT_NOT_ALLOWED)}


def test_what_is_open_is_closed_first_and_the_rest_follows() -> None:
    made, bars = careful_rules(), some_late()
    start = made.activate(made.initial(), Activation(TIMES[5], "up"))
    for stop in (1, 31, 120):
        stepped, _ = made.step(start, bars.rows(0, stop))
        before, _ = made.step(start, bars.rows(0, stop - 1)) if stop > 1 else (start, [])
        opened, _ = made.open(before, bars.rows(stop - 1, stop))
        closed, results = made.step(opened, bars.rows(stop - 1, stop))
        assert [len(r.bars) for r in results] == [1]
        assert arrays_of(closed) == arrays_of(stepped)
    opened, _ = made.open(start, bars.rows(0, 1))
    on, results = made.step(opened, bars)
    assert [len(r.bars) for r in results] == [1, 4, 115]
    stepped, _ = made.step(start, bars)
    assert arrays_of(on) == arrays_of(stepped)


def test_close_takes_one_bar_and_an_open_bar_is_not_jumped_over() -> None:
    made = engine()
    state, _ = made.step(made.initial(), BARS.rows(0, 50))
    opened, _ = made.open(state, BARS.rows(50, 51))
    with pytest.raises(InvariantError, match="close takes the one bar that is open"):
        made.close(opened, BARS.rows(50, 52))
    with pytest.raises(InvariantError, match="close takes the one bar that is open"):
        made.close(opened, BARS.rows(51, 52))
    with pytest.raises(InvariantError, match="does not follow"):
        made.warm(opened, BARS.rows(51, 60))
    for again in (49, 20):
        with pytest.raises(InvariantError, match="does not follow"):
            made.open(state, BARS.rows(again, again + 1))
    with pytest.raises(InvariantError, match="has 1 symbols, the engine 2"):
        made.open(state, BarBlock.of_candles(np.array([TIMES[50]]), *[np.ones((1, 1))] * 5))


def test_the_initial_state_is_before_every_bar() -> None:
    made = engine()
    state = made.initial()
    assert state.newest is None
    assert not state.opened
    assert state.open_refusal.shape == (0,)
    assert state_from_arrays(state_to_arrays(state)).newest is None
    long_ago = replace(BARS.rows(0, 1), open_time=np.array([-(10**15)]))  # 29,719 BC
    assert made.warm(state, long_ago).newest == -(10**15)
    assert made.warm(state, BARS.rows(0, 60)).newest == TIMES[59]


def test_every_call_has_its_books_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine()
    state = made.initial()
    opened, _ = made.open(state, BARS.rows(0, 1))

    def losing(*args: Any, **named: Any) -> tuple[Book, Trace]:
        book, trace = run_bars(*args, **named)
        return book, trace._replace(equity=trace.equity - 1.0)

    monkeypatch.setattr("bot.engine.run_bars", losing)
    with pytest.raises(InvariantError, match="books do not balance"):
        made.open(state, BARS.rows(0, 1))
    with pytest.raises(InvariantError, match="books do not balance"):
        made.close(opened, BARS.rows(0, 1))
    with pytest.raises(InvariantError, match="books do not balance"):
        made.step(state, BARS)


def test_the_stages_are_told_in_order() -> None:
    told: list[str] = []
    made = replace(engine(), stage_ended=told.append)
    made.step(made.activate(made.initial(), Activation(TIMES[9], "up")), BARS)
    assert told == ["features", "forecast", "portfolio"] * 2


class Heads:
    """Forecast a rise of one per cent, its direction, volatility and a position, the same always."""

    def __init__(self, **heads: float) -> None:
        self._values = np.array([heads[task.kind] for task in HEADS])

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        assert features.x.shape == (len(open_time), 2, 0)
        return np.tile(self._values, (len(open_time), 2, 1))

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        value = self.forecast(open_time, features)
        return value, value * np.array([1.0, 1.0, 1.0, 3.0])

    def distance(self, features: FeatureBlock) -> F64:
        raise AssertionError("nothing asks for the distance")


HEADS = (
    Task("return", 5), Task("direction", 5), Task("volatility", 5), Task("decision", 5),
)  # fmt: skip


def weights(conviction: Conviction, rules: Rules, **heads: float) -> F64:
    forecasters = {"m": Heads(**heads)}
    made = Engine(None, rules, conviction, HEADS, 2, 1e5, forecasters)
    state = made.activate(made.initial(), Activation(TIMES[0], "m"))
    whole = replace(BARS, valid=np.ones_like(BARS.valid))
    whole = replace(whole, close=np.full_like(whole.close, 100.0))
    _, (result,) = made.step(state, whole.rows(0, 1))
    return result.trace.weight


FORECAST = {"return": 0.01, "direction": 1.0, "volatility": 0.2, "decision": 0.02}


def test_volatility_comes_from_its_head() -> None:
    """Proportional sizing: half the weight at twice the volatility."""
    rules = engine().rules._replace(
        method=int(SizingMethod.PROPORTIONAL), scale=2.0, max_weight=1.0, threshold=0.001
    )
    once = weights(Conviction(), rules, **FORECAST)
    twice = weights(Conviction(), rules, **(FORECAST | {"volatility": 0.4}))
    assert np.isfinite(once).all()
    assert (once > 0.0).all()
    np.testing.assert_allclose(twice, once / 2.0, rtol=1e-12)


@pytest.mark.parametrize("penalty", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("source", "differ"), [("return_x_direction", 1.0), ("decision", 3.0)])
def test_doubt_is_that_of_the_head_that_decides(
    source: Literal["return_x_direction", "decision"], differ: float, penalty: float
) -> None:
    """The members differ by as much as they expect, and by three times that on the position."""
    rules = engine().rules._replace(threshold=0.001)
    conviction = Conviction(source=source)
    sure = weights(conviction, rules, **FORECAST)
    doubting = weights(conviction, rules._replace(disagreement_penalty=penalty), **FORECAST)
    np.testing.assert_allclose(doubting, sure / (1.0 + penalty * differ), rtol=1e-12)
    assert (sure > 0.0).all()


def test_a_journal_whose_schedule_has_lost_a_name_is_not_read() -> None:
    made = engine()
    arrays = state_to_arrays(made.activate(made.initial(), Activation(TIMES[30], "up")))
    arrays["engine.model_id"] = arrays["engine.model_id"][:0]
    with pytest.raises(ValueError, match="shorter"):
        state_from_arrays(arrays)
