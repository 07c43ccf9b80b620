"""The engine's own rules: purity, order of calls, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from bot.blocks import F64, I64, FeatureBlock, Task
from bot.config import load_config
from bot.config.sections import Conviction
from bot.engine import (
    Activation,
    Engine,
    EngineState,
    Forecaster,
    state_from_arrays,
    state_to_arrays,
)
from bot.errors import InvariantError, ModelError
from bot.features.pipeline import FeaturePipeline
from bot.portfolio.rules import rules_from
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS

CONFIG = load_config(
    None,
    ["synthetic.symbols=2", "synthetic.bars=120", "synthetic.missing=0.05",
     "features.names=return_1,rsi"],
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

    def forecast_with_spread(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        value = self.forecast(open_time, features)
        return value, np.where(features.ready[:, :, None], SPREAD, np.nan) * np.ones(2)


SPREAD = 0.002
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


def test_weights_shrink_by_the_spread_under_a_penalty() -> None:
    plain = engine()
    careful = replace(plain, rules=plain.rules._replace(spread_penalty=2.0))
    bold, doubting = (
        made.step(made.activate(made.initial(), Activation(TIMES[30], "up")), BARS)[1]
        for made in (plain, careful)
    )
    assert np.isnan(bold[1].forecast.spread_of("return")).all()
    r = np.abs(bold[1].forecast.of("return"))
    decided = np.isfinite(bold[1].trace.weight) & (r > 0.0)
    expected = bold[1].trace.weight * r / (r + 2.0 * SPREAD)
    np.testing.assert_allclose(doubting[1].trace.weight[decided], expected[decided], rtol=1e-12)
    assert (np.abs(expected[decided]) > 0.0).any()


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
