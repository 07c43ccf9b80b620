"""Laws of the shipped policies and sizings, each tried because it is registered: partition, replay, no
look-ahead.

Forecasts are drawn, with skill, so that each policy has something to trade; the state is written to
arrays and read back at every cut, as a journal would.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.loop.forecasters import TABLE_TASKS, TableForecaster
from bot.blocks import F64, I64, BarBlock
from bot.config import load_config
from bot.engine import Engine, StepResult
from bot.engine_state import Activation, EngineState, state_from_arrays, state_to_arrays
from bot.parts.registry import parts
from bot.portfolio.rules import rules_from
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

N, S, START = 900, 3, 100
POLICIES, SIZINGS = (
    [name for name, part in parts(kind).items() if part.is_shipped] for kind in ("policy", "sizing")
)
WAYS = [
    *((policy, "fixed") for policy in POLICIES),
    *(("threshold", sizing) for sizing in SIZINGS if sizing != "fixed"),
    ("edge", "volatility_target"),  # of which some positions are kept as they are
    ("edge", "mean_variance"),
]


def engine_of(policy: str, value: F64, times: I64, sizing: str = "fixed") -> Engine:
    config = load_config(
        None,
        [f"policy.kind={policy}", f"sizing.method={sizing}", "sizing.rebalance_band=0.02",
         "sizing.correlation_bars=100", "policy.min_calibration_days=10", "policy.momentum_bars=50",
         "targets.horizons=4", "signal.threshold=0.002", "policy.confidence=0.5"],
        {},
    )  # fmt: skip
    names = symbol_names(S)
    return Engine(
        None,
        rules_from(config, names),
        config.signal,
        TABLE_TASKS,
        S,
        1e5,
        {"t": TableForecaster(times, value)},
    )


def world(seed: int = 1) -> tuple[BarBlock, F64]:
    """Return bars with gaps, funding and quotes, and forecasts that know a little of the future."""
    spec = load_config(
        None, [f"synthetic.symbols={S}", f"synthetic.bars={N}", "synthetic.missing=0.03"], {}
    ).synthetic
    bars = synthetic_bars(spec, HOUR_MS)
    rng = np.random.default_rng(seed)
    half, quoted = rng.uniform(5e-5, 3e-4, bars.open.shape), rng.random(bars.open.shape) < 0.7
    bars = replace(
        bars,
        fill_bid=np.where(quoted, bars.open * (1.0 - half), np.nan),
        fill_ask=np.where(quoted, bars.open * (1.0 + half), np.nan),
        tradable=rng.random(N) < 0.97,
    )
    filled = np.where(np.isnan(bars.close), np.nanmean(bars.close, axis=0), bars.close)
    ahead = np.zeros((N, S))
    ahead[:-4] = filled[4:] / filled[:-4] - 1.0
    expected = 0.3 * ahead + rng.normal(0.0, 0.004, (N, S))
    up = np.clip(0.5 + 20.0 * expected, 0.05, 0.95)
    return bars, np.stack([expected, up, rng.uniform(0.004, 0.008, (N, S)), up], axis=2)


def ledger(
    engine: Engine, bars: BarBlock, cuts: Sequence[int] = (), live: Sequence[int] = ()
) -> tuple[list[bytes], EngineState]:
    """Return what each bar decided and left, cut anywhere, some bars opened and closed apart."""
    state = engine.activate(engine.initial(), Activation(int(bars.open_time[60]), "t"))
    state = engine.warm(state, bars.rows(0, START))
    edges = sorted({START, len(bars), *cuts, *live, *(i + 1 for i in live)})
    rows: list[bytes] = []
    for a, b in itertools.pairwise(edges):
        block = bars.rows(a, b)
        state = state_from_arrays(state_to_arrays(state))
        if a in live:
            state, _ = engine.open(state, block)
        state, results = engine.step(state, block)
        for result in results:
            rows += [row.tobytes() for row in columns_of(result)]
    return rows, state


def columns_of(result: StepResult) -> F64:
    trace, known = result.trace, result.calibrated
    return np.column_stack(
        [trace.equity, trace.cash, trace.quantity, trace.weight, trace.order, trace.refusal,
         trace.edge, trace.hurdle, trace.age, known.slope, known.error, known.days]
    )  # fmt: skip


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def tried(request: pytest.FixtureRequest) -> tuple[Engine, BarBlock, list[bytes], EngineState]:
    bars, value = world()
    policy, sizing = request.param
    engine = engine_of(policy, value, bars.open_time, sizing)
    rows, state = ledger(engine, bars)
    return engine, bars, rows, state


Tried = tuple[Engine, BarBlock, list[bytes], EngineState]


def test_it_trades(tried: Tried) -> None:
    _, _, _, state = tried
    assert state.book.account["fills"][0] > 20


@given(
    cuts=st.lists(st.integers(START, N - 1), max_size=30),
    live=st.lists(st.integers(START, N - 1), max_size=30),
)
def test_any_partition_gives_the_same_ledger(
    tried: Tried, cuts: list[int], live: list[int]
) -> None:
    engine, bars, rows, state = tried
    again, after = ledger(engine, bars, cuts, live)
    assert again == rows
    mine, theirs = state_to_arrays(after), state_to_arrays(state)
    assert {k: a.tobytes() for k, a in mine.items()} == {k: a.tobytes() for k, a in theirs.items()}


@pytest.mark.parametrize("change", ["other", "unknown"])
def test_the_past_does_not_know_the_future(tried: Tried, change: str) -> None:
    engine, bars, rows, _ = tried
    at = 500
    future = np.arange(N)[:, None] > at
    factor = 1.7 if change == "other" else np.nan
    changed = replace(
        bars,
        **{
            name: np.where(future, factor * getattr(bars, name), getattr(bars, name))
            for name in ("open", "high", "low", "close", "mark", "fill_bid", "fill_ask")
        },
        funding_rate=np.where(future, 0.01, bars.funding_rate),
        valid=bars.valid & ~(future & (change == "unknown")),
    )
    again, _ = ledger(engine, changed)
    assert again[: at + 1 - START] == rows[: at + 1 - START]
    assert again != rows


def test_rehearsed_bars_are_scored_and_not_booked() -> None:
    """A model that decides from before the start has its signals scored over the warm-up."""
    bars, value = world()
    engine = engine_of("edge", value, bars.open_time)
    rehearsed = engine.activate(engine.initial(), Activation(int(bars.open_time[60]), "t"))
    rehearsed = engine.warm(rehearsed, bars.rows(0, 600))
    late = engine.activate(engine.initial(), Activation(int(bars.open_time[600]), "t"))
    late = engine.warm(late, bars.rows(0, 600))
    assert int(rehearsed.book.account["bars"][0]) == 0
    assert int(rehearsed.calibration.sums["days"][0]) == 595 // 24 - 60 // 24
    assert int(late.calibration.sums["days"][0]) == 0
    _, [first] = engine.step(rehearsed, bars.rows(600, N))
    _, [second] = engine.step(late, bars.rows(600, N))
    traded = [np.flatnonzero(r.trace.order.any(axis=1)) for r in (first, second)]
    assert traded[0][0] < 24 < traded[1][0]
