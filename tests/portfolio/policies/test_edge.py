"""The edge policy against a plain one in Python, and by examples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import F64, BarBlock
from bot.parts.compile import compile_part
from bot.portfolio.book import new_book
from bot.portfolio.broker import observe_bars, run_bars
from bot.portfolio.calibration import Calibrated
from bot.portfolio.own import SIGNATURES
from bot.portfolio.policies.carried import EDGE_WIDTH, PolicyKind
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import LatePolicy, Rules
from bot.portfolio.trace import Phase, Trace
from bot.timegrid import HOUR_MS

FEE, HALF, SLIP = 0.00055, 1e-4, 1e-4
ROUND_TRIP = 0.0015


@pytest.fixture
def edge_rules(rules_of: Callable[..., Rules]) -> Callable[..., Rules]:
    def made(n_symbols: int = 1, **changed: Any) -> Rules:
        plain = {
            "policy_kind": int(PolicyKind.EDGE), "policy_state": EDGE_WIDTH, "is_calibrated": True,
            "taker_fee": FEE, "half_spread": HALF, "slippage": SLIP, "horizon": 3, "hold_bars": 3,
            "min_calibration_days": 2,
        }  # fmt: skip
        return rules_of(n_symbols, **(plain | changed))

    return made


def traded(
    rules: Rules, bars: BarBlock, signal: F64, known: Calibrated, capital: float = 1e5
) -> Trace:
    book = new_book(signal.shape[1], capital, EDGE_WIDTH)
    _, trace = run_bars(
        book, rules, bars, signal, np.full_like(signal, 0.01), Phase.BOTH, calibrated=known
    )
    return trace


def known_of(n: int, slope: float, bound: F64, error: float = 0.0, days: int = 100) -> Calibrated:
    return Calibrated(np.full(n, slope), np.full(n, error), np.full(n, days, dtype=np.int64), bound)


def flat_bars(bars_of: Callable[..., BarBlock], n: int, n_symbols: int = 1, **changed: Any) -> Any:
    prices = np.full((n, n_symbols), 100.0)
    return bars_of(prices, prices, **changed)


def test_it_trades_what_exceeds_its_cost_and_holds_for_the_horizon(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    signal = np.array([[0.004], [0.002], [0.0], [0.0], [0.0], [0.0]])
    trace = traded(
        edge_rules(), flat_bars(bars_of, 6), signal, known_of(6, 0.5, np.full((6, 1), 1.0))
    )
    assert trace.edge[:2, 0].tolist() == [0.002, 0.001]
    np.testing.assert_allclose(trace.hurdle[:2, 0], ROUND_TRIP, rtol=1e-6)
    # decided at bar 0, filled in bar 1, closed by the order of bar 3: three bars held
    assert np.sign(trace.order[:, 0]).tolist() == [1, 0, 0, -1, 0, 0]
    assert (trace.quantity[:, 0] > 0).tolist() == [False, True, True, True, False, False]
    assert trace.age[:, 0].tolist() == [0, 1, 2, 3, 0, 0]
    assert trace.refusal[1, 0] == Refusal.EDGE_BELOW_COST


def test_an_edge_that_lasts_makes_a_position_young_again(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    signal = np.array([[0.004], [0.0], [0.005], [0.0], [0.0], [0.0], [-0.004]])
    trace = traded(
        edge_rules(), flat_bars(bars_of, 7), signal, known_of(7, 0.5, np.full((7, 1), 1.0))
    )
    assert np.sign(trace.order[:, 0]).tolist() == [1, 0, 0, 0, 0, -1, -1]
    assert trace.age[:, 0].tolist() == [0, 1, 0, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("slope", "error", "bound", "days", "edge", "refusal"),
    [
        (0.5, 0.1, 1.0, 100, 0.0016, Refusal.NONE),  # b less one error
        (0.5, 0.6, 1.0, 100, 0.0, Refusal.EDGE_BELOW_COST),
        (-0.5, 0.0, 1.0, 100, 0.0, Refusal.EDGE_BELOW_COST),  # never against the signal
        (9.0, 0.0, 0.003, 100, 0.003, Refusal.NONE),  # never more than the forecast
        (0.5, 0.1, 1.0, 1, math.nan, Refusal.CALIBRATING),
        (0.5, 0.1, 1.0, 2, 0.0016, Refusal.NONE),  # the days it is asked for
        (math.nan, math.nan, 1.0, 100, math.nan, Refusal.CALIBRATING),
    ],
)
def test_what_a_signal_is_worth(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock], slope: float,
    error: float, bound: float, days: int, edge: float, refusal: Refusal,
) -> None:  # fmt: skip
    for sign in (1.0, -1.0):
        known = known_of(1, slope, np.full((1, 1), bound), error, days)
        trace = traded(edge_rules(), flat_bars(bars_of, 1), np.full((1, 1), sign * 0.004), known)
        np.testing.assert_allclose(trace.edge[0, 0], sign * edge, rtol=1e-12)
        assert trace.refusal[0, 0] == refusal
        assert np.sign(trace.order[0, 0]) == (sign if refusal == Refusal.NONE else 0)


def test_funding_counts_by_side_and_the_quote_by_its_own_spread(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """0.08 % every 8 hours is 3 bp over three hours: dearer long, cheaper short."""
    n = 10
    rate = np.zeros((n, 1))
    rate[[1, 9]] = 0.0008
    quotes: dict[str, Any] = {
        "fill_bid": np.full((n, 1), 99.95),
        "fill_ask": np.full((n, 1), 100.05),
    }
    known = known_of(n, 0.1, np.full((n, 1), 1.0))
    for side, funding in ((1.0, 0.0003), (-1.0, -0.0003)):
        bars = flat_bars(bars_of, n, funding_rate=rate, **quotes)
        trace = traded(edge_rules(), bars, np.full((n, 1), side * 0.004), known)
        dear = 2.0 * (FEE + 5e-4 + SLIP) + funding
        np.testing.assert_allclose(trace.hurdle[9, 0], dear, rtol=2e-3)
    spot = traded(
        edge_rules(funding=False), flat_bars(bars_of, n, funding_rate=rate),
        np.full((n, 1), 0.004), known,
    )  # fmt: skip
    np.testing.assert_allclose(spot.hurdle[9, 0], ROUND_TRIP, rtol=1e-3)


def test_an_edge_of_exactly_its_cost_is_below_it(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    def decided(bound: float) -> Trace:
        known = known_of(1, 1.0, np.full((1, 1), bound))
        return traded(edge_rules(), flat_bars(bars_of, 1), np.full((1, 1), 0.5), known)

    hurdle = decided(1.0).hurdle[0, 0]
    at, beyond = decided(hurdle), decided(np.nextafter(hurdle, 1.0))
    assert (at.edge[0, 0], at.hurdle[0, 0]) == (hurdle, hurdle)
    assert (at.refusal[0, 0], at.order[0, 0]) == (Refusal.EDGE_BELOW_COST, 0.0)
    assert beyond.order[0, 0] > 0.0


def a_unit_each(fill: Any, state: Any) -> None:
    """One unit of money a fill, and nothing else."""
    fill.price = fill.middle
    fill.fee = 1.0


def test_a_cost_scheme_is_asked_of_the_quantity_that_would_be_traded(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """Two fills of a unit each, on a fifth of 1,000."""
    scheme = compile_part(a_unit_each, SIGNATURES["cost_scheme"], "it").call
    rules = edge_rules(fraction=0.2)._replace(scheme=scheme, cost_state=1)
    known = known_of(1, 0.1, np.full((1, 1), 1.0))
    trace = traded(rules, flat_bars(bars_of, 1), np.full((1, 1), 0.004), known, capital=1000.0)
    np.testing.assert_allclose(trace.hurdle[0, 0], 2.0 / 200.0, rtol=1e-12)


def test_a_quote_of_one_side_says_nothing_of_the_spread(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bid = np.array([[99.95], [99.0], [np.nan]])
    ask = np.array([[100.05], [np.nan], [101.0]])
    known = known_of(3, 0.1, np.full((3, 1), 1.0))
    bars = flat_bars(bars_of, 3, fill_bid=bid, fill_ask=ask)
    trace = traded(edge_rules(), bars, np.full((3, 1), 0.004), known)
    np.testing.assert_allclose(trace.hurdle[:, 0], 2.0 * (FEE + 5e-4 + SLIP), rtol=1e-3)
    assert trace.hurdle[0, 0] == trace.hurdle[1, 0] == trace.hurdle[2, 0]


@pytest.mark.parametrize("gap", [False, True])
def test_funding_inside_a_bar_is_a_share_of_the_price_at_that_time(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock], gap: bool
) -> None:
    """0.08 a coin, at an open of 200 or, without a bar, at the last close of 100: 4 or 8 bp a day."""
    opens, closes = [[100.0], [200.0], [200.0]], [[100.0], [200.0], [200.0]]
    bars = bars_of(
        opens, closes, funding_inside=[[0.0], [0.08], [0.0]], valid=[[True], [not gap], [True]],
        open_time=HOUR_MS * np.arange(1, 4),
    )  # fmt: skip
    known = known_of(3, 0.1, np.full((3, 1), 1.0))
    trace = traded(edge_rules(), bars, np.full((3, 1), 0.004), known)
    paid = 0.08 / (100.0 if gap else 200.0) * 3.0 / 8.0  # as if it came every 8 hours
    np.testing.assert_allclose(trace.hurdle[2, 0] - trace.hurdle[0, 0], paid, rtol=1e-9)


def test_bars_before_the_first_trade_tell_it_of_funding_and_spread(
    edge_rules: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """A book that has seen the bars decides as one that has run through them without a position."""
    rate = np.zeros((4, 1))
    rate[1] = 0.0008
    bars = flat_bars(
        bars_of, 4, funding_rate=rate, open_time=HOUR_MS * np.arange(1, 5),
        fill_bid=np.full((4, 1), 99.95), fill_ask=np.full((4, 1), 100.05),
    )  # fmt: skip
    rules = edge_rules()
    empty = new_book(1, 1e5, EDGE_WIDTH)
    seen = observe_bars(empty, rules, bars)
    nothing = np.full((4, 1), np.nan)
    ran, _ = run_bars(
        empty, rules, bars, nothing, nothing, Phase.BOTH,
        calibrated=known_of(4, 0.5, np.full((4, 1), 1.0)),
    )  # fmt: skip
    assert seen.policy_state.tobytes() == ran.policy_state.tobytes()
    np.testing.assert_allclose(
        seen.policy_state[0], [0.0, 2.0 * HOUR_MS, 0.0008 / (8.0 * HOUR_MS), 5e-4], rtol=1e-12
    )


def plain_policy(
    rules: Rules, bars: BarBlock, signal: F64, known: Calibrated, trace: Trace
) -> tuple[F64, F64]:
    """Return weights and hurdles as plain Python decides them, given what came to be held."""
    n, n_symbols = signal.shape
    weight, hurdles = np.full((n, n_symbols), np.nan), np.full((n, n_symbols), np.nan)
    age = [0] * n_symbols
    settled: list[tuple[int, float] | None] = [None] * n_symbols
    spread = [rules.half_spread] * n_symbols
    for i in range(n):
        for s in range(n_symbols):
            bid, ask = bars.fill_bid[i, s], bars.fill_ask[i, s]
            if not math.isnan(bid) and not math.isnan(ask):
                spread[s] = (ask - bid) / (ask + bid)
            rate = bars.funding_rate[i, s]
            if not math.isnan(rate) and rate != 0.0:
                before = settled[s]
                gap = 8 * HOUR_MS if before is None else bars.open_time[i] - before[0]
                settled[s] = (int(bars.open_time[i]), rate / min(gap, 8 * HOUR_MS))
            held = np.sign(trace.quantity[i, s])  # what was ordered is filled, or dropped
            age[s] = age[s] + 1 if held else 0
            if not bars.valid[i, s]:
                continue
            b = max(0.0, known.slope[i] - rules.confidence * known.error[i])
            edge = np.sign(signal[i, s]) * min(b * abs(signal[i, s]), known.bound[i, s])
            side = math.nan if math.isnan(signal[i, s]) and not held else 0.0
            kept = bool(held) and age[s] < rules.hold_bars
            if not math.isnan(edge) and edge != 0.0:
                way = np.sign(edge)
                each = [1.0 + way * spread[s], 1.0 - way * spread[s]]
                prices = [each[0] * (1.0 + way * SLIP), each[1] * (1.0 - way * SLIP)]
                cost = sum(FEE * p + abs(p - 1.0) for p in prices)
                last = settled[s]
                if last is not None:
                    cost += way * last[1] * rules.hold_bars * HOUR_MS
                hurdles[i, s] = rules.cost_multiple * cost
                if abs(edge) > hurdles[i, s]:
                    side, kept = way, False
                    age[s] = 0 if bars.tradable[i] else age[s]
            if bars.tradable[i] and not kept and not math.isnan(side):
                weight[i, s] = side * rules.fraction
    return weight, hurdles


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000), hold=st.integers(1, 6), multiple=st.sampled_from([0.0, 0.7, 2.0])
)
def test_it_decides_as_a_plain_one(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules], seed: int, hold: int,
    multiple: float,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    n, S = 60, 2
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.004, (n, S)), axis=0))
    mid = np.vstack([close[:1], close[:-1]])
    half = rng.choice([1e-4, 4e-4], (n, S))
    quoted = rng.random((n, S)) < 0.5
    bars = bars_of(
        mid, close,
        fill_bid=np.where(quoted, mid * (1 - half), np.nan),
        fill_ask=np.where(quoted, mid * (1 + half), np.nan),
        funding_rate=np.where(rng.random((n, S)) < 0.15, rng.normal(0.0, 3e-4, (n, S)), 0.0),
        valid=rng.random((n, S)) < 0.95,
        tradable=rng.random(n) < 0.95,
        open_time=HOUR_MS * np.arange(1, n + 1),
    )  # fmt: skip
    signal = rng.normal(0.0, 0.003, (n, S))
    signal[rng.random((n, S)) < 0.15] = np.nan
    known = Calibrated(
        rng.uniform(-0.2, 1.0, n), rng.uniform(0.0, 0.2, n), np.full(n, 99, dtype=np.int64),
        rng.uniform(0.0, 0.006, (n, S)),
    )  # fmt: skip
    rules = rules_of(
        S, policy_kind=int(PolicyKind.EDGE), policy_state=EDGE_WIDTH, is_calibrated=True,
        taker_fee=FEE, half_spread=2e-4, slippage=SLIP, hold_bars=hold, cost_multiple=multiple,
        min_calibration_days=2, late_policy=int(LatePolicy.CANCEL),
    )  # fmt: skip
    trace = traded(rules, bars, signal, known)
    weight, hurdle = plain_policy(rules, bars, signal, known, trace)
    np.testing.assert_allclose(trace.hurdle, hurdle, rtol=1e-9)
    np.testing.assert_array_equal(trace.weight, weight)
    assert multiple > 0.0 or (np.abs(trace.order) > 0.0).any()
