"""The sizings beside independent calculations: numpy, arithmetic by hand, and a convex solver."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import F64, BarBlock
from bot.portfolio.broker import first_book, observe_bars, run_bars
from bot.portfolio.calibration import Calibrated
from bot.portfolio.correlation import correlation_between, decay_of, measured, measured_deviation
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import OF_ACCOUNT, FillAt, Rules, SizingMethod
from bot.portfolio.sizings.account import is_known
from bot.portfolio.sizings.mean_variance import SETTLED, best_weights
from bot.portfolio.sizings.sizes import is_worth_a_trade
from bot.portfolio.sizings.volatility_target import largest_multiple
from bot.portfolio.trace import Phase, Trace

cp: Any = cvxpy  # its types do not say what its functions are
NAN = math.nan
DECAY = decay_of(60)
HORIZON = 4


@pytest.fixture
def rules_by(rules_of: Callable[..., Rules]) -> Callable[..., Rules]:
    def made(method: SizingMethod, n_symbols: int = 1, **changed: Any) -> Rules:
        plain = {
            "method": int(method), "sizes_account": method in OF_ACCOUNT, "correlation_decay": DECAY,
            "is_calibrated": method in (SizingMethod.KELLY, SizingMethod.MEAN_VARIANCE),
            "horizon": HORIZON, "min_calibration_days": 2, "confidence": 0.0, "max_weight": 1e6,
            "band": 0.0, "usual_deviation": 0.94, "target_deviation": 0.01,
        }  # fmt: skip
        return rules_of(n_symbols, **(plain | changed))

    return made


def known_of(n: int, n_symbols: int, slope: float, days: int = 100) -> Calibrated:
    return Calibrated(
        np.full(n, slope), np.zeros(n), np.full(n, days, dtype=np.int64),
        np.full((n, n_symbols), 1.0),
    )  # fmt: skip


def traded(rules: Rules, bars: BarBlock, signal: F64, volatility: F64, known: Calibrated) -> Trace:
    _, trace = run_bars(
        first_book(rules, 1e6), rules, bars, signal, volatility, Phase.BOTH, calibrated=known
    )
    return trace


Drawn = tuple[BarBlock, F64, F64]


def drawn(seed: int, bars_of: Callable[..., BarBlock], n: int = 200, n_symbols: int = 3) -> Drawn:
    """Return bars that move together, signals and volatilities, some of each not there."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0.0, 0.01, (n, n_symbols)) + rng.normal(0.0, 0.01, (n, 1))
    close = 100.0 * np.exp(np.cumsum(moves, axis=0))
    valid = rng.random((n, n_symbols)) < 0.95
    open_ = np.vstack([close[:1], close[:-1]])
    bars = bars_of(open_, close, valid=valid, fill_bid=open_, fill_ask=open_)
    signal = rng.choice([-0.02, -0.01, 0.0, 0.01, 0.02], (n, n_symbols))
    signal[rng.random(signal.shape) < 0.2] = NAN
    volatility = rng.uniform(0.005, 0.02, signal.shape)
    volatility[np.isnan(signal) | (rng.random(signal.shape) < 0.05)] = NAN
    return bars, signal, volatility


def covariance_at(rules: Rules, bars: BarBlock, volatility: F64, at: int) -> F64:
    """Return the covariance of a bar's returns as it is to be at a close, by numpy."""
    S = bars.n_symbols
    carried = measured(first_book(rules, 1.0).correlation, bars.rows(0, at + 1), DECAY)
    rho = np.array([[correlation_between(carried, s, t) for t in range(S)] for s in range(S)])
    own = np.array([measured_deviation(carried, s) for s in range(S)])
    deviation = np.where(np.isnan(volatility[at]), own, volatility[at] / 0.94)
    covariance: F64 = rho * np.outer(deviation, deviation)
    return covariance


def standing_at(trace: Trace, bars: BarBlock, at: int) -> F64:
    """Return the weights held at a close; all that was ordered before is filled by then, at a quote."""
    last = np.array([np.flatnonzero(bars.valid[: at + 1, s])[-1] for s in range(bars.n_symbols)])
    marks = bars.close[last, np.arange(bars.n_symbols)]
    weights: F64 = trace.quantity[at] * marks / trace.equity[at]
    return weights


@pytest.mark.parametrize("seed", range(3))
def test_the_account_has_the_volatility_aimed_at(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock], seed: int
) -> None:
    """Whatever is sized and whatever stands: w'Cw is the target's square."""
    rules = rules_by(SizingMethod.VOLATILITY_TARGET, 3)
    bars, signal, volatility = drawn(seed, bars_of)
    trace = traded(rules, bars, signal, volatility, known_of(len(bars), 3, 1.0))
    reached = 0
    for at in range(10, len(bars)):
        weight, stands = trace.weight[at], np.isnan(trace.weight[at])
        after = np.where(stands, standing_at(trace, bars, at), weight)
        covariance = covariance_at(rules, bars, volatility, at)
        found = math.sqrt(after @ covariance @ after)
        if (np.nan_to_num(weight) != 0.0).any():
            np.testing.assert_allclose(found, rules.target_deviation, rtol=1e-9)
            risk = np.abs(weight * volatility[at])[~stands & (weight != 0.0)]
            np.testing.assert_allclose(risk, risk[0], rtol=1e-9)  # equal alone
            reached += 1
    assert reached > 100
    assert (trace.refusal == Refusal.NO_VOLATILITY).any()


def test_what_stands_above_the_target_leaves_no_room(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """The first becomes three times as volatile and is not decided on; the second is to wait."""
    rules = rules_by(SizingMethod.VOLATILITY_TARGET, 2)
    prices = np.full((3, 2), 100.0)
    signal = np.array([[0.01, NAN], [NAN, 0.01], [0.01, -0.01]])
    volatility = np.array([[0.01, 0.01], [0.03, 0.01], [0.03, 0.01]])
    trace = traded(rules, bars_of(prices, prices), signal, volatility, known_of(3, 2, 1.0))
    np.testing.assert_allclose(trace.weight[0], [0.94, NAN], rtol=1e-12)
    np.testing.assert_array_equal(trace.weight[1], [NAN, 0.0])
    np.testing.assert_allclose(
        np.abs(trace.weight[2]) * [0.03, 0.01], 0.01 * 0.94 / math.sqrt(2.0), rtol=1e-12
    )


def test_a_close_that_waits_makes_room(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """The first is to be closed, but cannot be yet: what stands is what is left once it is."""
    rules = rules_by(SizingMethod.VOLATILITY_TARGET, 2)
    prices = np.full((3, 2), 100.0)
    bars = bars_of(prices, prices, fillable=[[True] * 2, [True] * 2, [False, True]])
    signal = np.array([[0.01, NAN], [0.0, NAN], [NAN, 0.01]])
    trace = traded(rules, bars, signal, np.full((3, 2), 0.01), known_of(3, 2, 1.0))
    np.testing.assert_allclose(trace.weight, [[0.94, NAN], [0.0, NAN], [NAN, 0.94]], rtol=1e-12)


def test_a_symbol_that_has_had_no_bar_stands_for_nothing(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    rules = rules_by(SizingMethod.VOLATILITY_TARGET, 2)
    prices = np.full((1, 2), 100.0)
    bars = bars_of(prices, prices, valid=[[True, False]])
    signal, volatility = np.array([[0.01, NAN]]), np.array([[0.01, NAN]])
    trace = traded(rules, bars, signal, volatility, known_of(1, 2, 1.0))
    np.testing.assert_allclose(trace.weight[0], [0.94, NAN], rtol=1e-12)


def test_a_single_unit_that_stands_counts(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """One coin of 900,000 is 0.9 of the account, and has become three times as volatile."""
    rules = rules_by(SizingMethod.VOLATILITY_TARGET, 2, quantity_step=1.0)
    prices = np.full((2, 2), 9e5)
    signal, volatility = np.array([[0.01, NAN], [NAN, 0.01]]), np.array([[0.01] * 2, [0.03, 0.01]])
    trace = traded(rules, bars_of(prices, prices), signal, volatility, known_of(2, 2, 1.0))
    assert trace.quantity[1].tolist() == [1.0, 0.0]
    assert trace.weight[1, 1] == 0.0


@pytest.mark.parametrize("volatility", [0.01, 2.0])
def test_a_side_that_is_not_allowed_takes_no_room(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock], volatility: float
) -> None:
    rules = rules_by(SizingMethod.VOLATILITY_TARGET, 2, allow_short=False)
    prices = np.full((1, 2), 100.0)
    signal = np.array([[-0.01, 0.01]])
    trace = traded(
        rules, bars_of(prices, prices), signal, np.full((1, 2), volatility), known_of(1, 2, 1.0)
    )
    np.testing.assert_allclose(trace.weight[0], [0.0, 0.0094 / volatility], rtol=1e-12)
    assert trace.refusal[0].tolist() == [Refusal.SHORT_NOT_ALLOWED, Refusal.NONE]


@pytest.mark.parametrize(
    ("a", "b", "c", "k"),
    [
        (0.0, 0.0, -1.0, math.inf), (0.0, 0.0, 0.0, math.inf), (0.0, 0.0, 0.5, 0.0),
        (1.0, 0.0, -4.0, 2.0), (1.0, 0.0, -0.25, 0.5), (1.0, 0.0, 0.0, 0.0), (4.0, -1.0, 0.0, 0.5),
        (1.0, 1.0, -3.0, 1.0), (1.0, -1.0, -3.0, 3.0), (2.0, 3.0, -8.0, 1.0),
        (1.0, -1.0, 1.0, 1.0), (1.0, -2.0, 5.0, 0.0), (1.0, 3.0, 2.0, 0.0),
        (1.0, 1.0, -1e-20, 5e-21),  # root less b would be nothing
    ],
)  # fmt: skip
def test_thelargest_multiple_within_the_target(a: float, b: float, c: float, k: float) -> None:
    """The largest k of 0 or more with a k² + 2 b k + c at most 0."""
    assert largest_multiple(a, b, c) == pytest.approx(k, rel=1e-12, abs=0.0)


def test_a_volatility_is_known_beyond_rounding() -> None:
    assert [is_known(v) for v in (0.0, 1e-12, 1.5e-12, 3.0)] == [False, False, True, True]
    assert not is_known(math.inf)
    assert not is_known(NAN)


@pytest.mark.parametrize("method", [SizingMethod.FIXED, SizingMethod.PROPORTIONAL])
def test_a_short_is_capped_as_a_long_is(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock], method: SizingMethod
) -> None:
    rules = rules_by(method, 2, max_symbol_weight=0.3, fraction=0.5)
    prices = np.full((1, 2), 100.0)
    trace = traded(
        rules, bars_of(prices, prices), np.array([[-0.2, 0.2]]), np.full((1, 2), 0.01),
        known_of(1, 2, 1.0),
    )  # fmt: skip
    assert trace.weight[0].tolist() == [-0.3, 0.3]


def test_a_symbol_without_variance_stays_and_the_others_move() -> None:
    covariance = np.diag([0.0, 1e-4])
    weight = np.array([0.2, 0.0])
    best_weights(
        weight, np.array([0.01, 0.001]), covariance, 20.0, np.zeros(2), np.zeros(2),
        np.full(2, -1.0), np.full(2, 1.0),
    )  # fmt: skip
    np.testing.assert_allclose(weight, [0.2, 0.5], rtol=1e-12)


def test_a_weight_at_its_largest_holds_all_back(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """Else a hedge that is cut on one side only would be more than the target."""
    rules = rules_by(SizingMethod.VOLATILITY_TARGET, 2, max_weight=0.1)
    prices = np.full((1, 2), 100.0)
    volatility = np.array([[0.01, 0.04]])
    trace = traded(
        rules, bars_of(prices, prices), np.array([[0.01, -0.01]]), volatility, known_of(1, 2, 1.0)
    )
    np.testing.assert_allclose(trace.weight[0], [0.1, -0.025], rtol=1e-12)


@pytest.mark.parametrize(
    ("signal", "slope", "volatility", "days", "weight", "refusal"),
    [
        # E = 0.5 · 0.004 = 0.002; variance 4 · 0.02² = 0.0016; a quarter of 1.25
        (0.004, 0.5, 0.0188, 100, 0.3125, Refusal.NONE),
        (-0.004, 0.5, 0.0188, 100, -0.3125, Refusal.NONE),
        (0.004, 0.5, 0.00188, 100, 0.4, Refusal.NONE),  # the largest weight
        (0.004, -0.5, 0.0188, 100, 0.0, Refusal.EDGE_BELOW_COST),
        (0.004, 0.5, NAN, 100, NAN, Refusal.NO_VOLATILITY),
        (0.004, 0.5, 0.0, 100, NAN, Refusal.NO_VOLATILITY),
        (0.004, 0.5, 1e-300, 100, NAN, Refusal.NO_VOLATILITY),
        (0.004, 0.5, math.inf, 100, NAN, Refusal.NO_VOLATILITY),
        (0.004, 0.5, 0.0188, 1, NAN, Refusal.CALIBRATING),
        (0.0, 0.5, 0.0188, 1, 0.0, Refusal.NONE),  # flat needs no edge
    ],
)
def test_kelly_by_hand(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock], signal: float, slope: float,
    volatility: float, days: int, weight: float, refusal: Refusal,
) -> None:  # fmt: skip
    rules = rules_by(SizingMethod.KELLY, max_weight=0.4, kelly_fraction=0.25)
    trace = traded(
        rules, bars_of([100.0], [100.0]), np.array([[signal]]), np.array([[volatility]]),
        known_of(1, 1, slope, days),
    )  # fmt: skip
    np.testing.assert_allclose(trace.weight[0, 0], weight, rtol=1e-12)
    assert trace.refusal[0, 0] == refusal
    assert np.sign(trace.order[0, 0]) == np.nan_to_num(np.sign(weight))


@pytest.mark.parametrize("method", [SizingMethod.KELLY, SizingMethod.MEAN_VARIANCE])
def test_nothing_is_ordered_while_calibrating(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock], method: SizingMethod
) -> None:
    bars, signal, volatility = drawn(1, bars_of)
    trace = traded(
        rules_by(method, 3), bars, signal, volatility, known_of(len(bars), 3, 0.5, days=1)
    )
    asked = bars.valid & (np.abs(signal) > 0.001) & ~np.isnan(volatility)
    assert (trace.refusal[asked] == Refusal.CALIBRATING).all()
    assert not trace.order.any()
    assert len(trace.fills) == 0


def solved(
    edge: F64, covariance: F64, aversion: float, cost: F64, before: F64, lowest: F64, highest: F64
) -> F64:
    """Return the best weights by a general convex solver."""
    w = cp.Variable(len(edge))
    roots = np.linalg.cholesky(covariance + 1e-18 * np.eye(len(edge)))
    risk = cp.sum_squares(np.sqrt(aversion) * roots.T @ w)
    worth = edge @ w - 0.5 * risk - cost @ cp.abs(w - before)
    problem = cp.Problem(cp.Maximize(1e3 * worth), [w >= lowest, w <= highest])
    problem.solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13,
    )  # fmt: skip
    return np.clip(np.asarray(w.value, dtype=np.float64), lowest, highest)


@settings(max_examples=150)
@given(seed=st.integers(0, 100_000), n=st.integers(1, 6), common=st.sampled_from([0.0, 1.0, 3.0]))
def test_the_weights_are_those_of_a_convex_solver(seed: int, n: int, common: float) -> None:
    rng = np.random.default_rng(seed)
    factors = rng.normal(0.0, 0.01, (n, n + 3))
    factors[:, 0] += 0.01 * common
    covariance = factors @ factors.T
    edge, cost = rng.normal(0.0, 0.004, n), rng.choice([0.0, 0.0007, 0.003], n)
    before = rng.uniform(-0.6, 0.6, n)
    side = rng.choice([-1.0, 1.0], n)
    lowest, highest = np.minimum(side, 0.0) * 0.5, np.maximum(side, 0.0) * 0.5
    stands = rng.random(n) < 0.2
    lowest[stands] = highest[stands] = before[stands]
    given_ = (edge, covariance, 4.0 * HORIZON, cost, before, lowest, highest)
    weight = np.clip(before, lowest, highest)
    best_weights(weight, *given_)
    np.testing.assert_allclose(weight, solved(*given_), atol=1e-6)


def test_a_sweep_that_moves_nothing_beyond_rounding_is_the_last() -> None:
    """Two that are nearly one, 1e-10 off: a sweep brings them 1e-14 closer, and no other follows."""
    covariance = 1e-4 * np.array([[1.0, 0.9999], [0.9999, 1.0]])
    best = np.array([0.3, 0.2])
    start = best + 1e-10 * np.array([1.0, -1.0])
    weight = start.copy()
    best_weights(
        weight, 20.0 * covariance @ best, covariance, 20.0, np.zeros(2), np.zeros(2),
        np.full(2, -1.0), np.full(2, 1.0),
    )  # fmt: skip
    assert 0.0 < np.abs(weight - start).max() <= SETTLED


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_a_hedge_on_the_side_that_is_not_wanted_is_left_out(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock], way: float
) -> None:
    """Of two that move together the second's edge is small: its best weight is on the other side."""
    moves = np.random.default_rng(4).normal(0.0, 0.01, (200, 1)) @ np.ones((1, 2))
    close = 100.0 * np.exp(np.cumsum(moves, axis=0))
    bars = bars_of(np.vstack([close[:1], close[:-1]]), close)
    rules = rules_by(SizingMethod.MEAN_VARIANCE, 2, max_weight=0.6, usual_deviation=1.0)
    signal = np.full((200, 2), NAN)
    signal[-1] = way * np.array([0.004, 0.0011])
    trace = traded(rules, bars, signal, np.full((200, 2), 0.02), known_of(200, 2, 1.0))
    # 0.004 / (4 · 4 · 0.02²) is beyond what a weight may be
    np.testing.assert_allclose(trace.weight[-1], [way * 0.6, 0.0], atol=1e-12)


def test_leaving_is_worth_a_trade_of_any_size(rules_by: Callable[..., Rules]) -> None:
    """Beside it only a change beyond the band, here a tenth of an equity of 1,000."""
    rules = rules_by(SizingMethod.PROPORTIONAL, band=0.1)
    for held in (0.5, -0.5):
        assert is_worth_a_trade(0.0, held, 100.0 * held, 1000.0, rules)
    assert not is_worth_a_trade(0.0, 0.0, 0.0, 1000.0, rules)
    for held, worth in ((8.5, True), (9.5, False), (10.0, False), (10.5, False), (11.5, True)):
        assert is_worth_a_trade(1.0, held, 100.0 * held, 1000.0, rules) == worth


def test_the_account_is_the_best_there_is(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """Edge, covariance, costs, what is held and what stands, as the kernel puts them together."""
    rules = rules_by(
        SizingMethod.MEAN_VARIANCE, 3, max_weight=0.6, risk_aversion=6.0, taker_fee=0.0005,
        half_spread=1e-4, slippage=1e-4, fill_at=FillAt.NEXT_OPEN,
    )  # fmt: skip
    bars, signal, volatility = drawn(5, bars_of)
    trace = traded(rules, bars, signal, volatility, known_of(len(bars), 3, 0.2))
    at_all = 0
    for at in range(10, len(bars), 3):
        held, weight = standing_at(trace, bars, at), trace.weight[at]
        lowest = np.where(signal[at] > 0.0, 0.0, -0.6)
        highest = np.where(signal[at] > 0.0, 0.6, 0.0)
        lowest[signal[at] == 0.0] = highest[signal[at] == 0.0] = 0.0
        stands = np.isnan(weight)
        lowest[stands] = highest[stands] = held[stands]
        covariance = covariance_at(rules, bars, volatility, at)
        best = solved(
            np.nan_to_num(0.2 * signal[at]), covariance, 6.0 * HORIZON, np.full(3, 0.0007), held,
            lowest, highest,
        )  # fmt: skip
        np.testing.assert_allclose(weight[~stands], best[~stands], atol=2e-6)
        at_all += int((np.abs(best[~stands]) > 0.01).any())
    assert at_all > 30
    assert (trace.order == 0.0).mean() > 0.3  # a change that does not pay its cost is not made


@pytest.mark.parametrize("method", [m for m in SizingMethod if m is not SizingMethod.FIXED])
def test_the_band_and_the_caps_hold_for_each(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock], method: SizingMethod
) -> None:
    bars, signal, volatility = drawn(2, bars_of)
    more = {"max_weight": 0.5, "max_symbol_weight": 0.3, "max_gross": 0.6, "scale": 0.4}
    rules = rules_by(method, 3, **more)
    known = known_of(len(bars), 3, 0.2)
    free, banded = (
        traded(r, bars, signal, volatility, known) for r in (rules, rules._replace(band=0.1))
    )
    assert np.nanmax(np.abs(free.weight)) <= 0.3
    assert (free.refusal == Refusal.CAP_SYMBOL).any()
    assert 20 < len(banded.fills) < len(free.fills)
    for at in np.flatnonzero(banded.order.any(axis=1)).tolist():
        held = standing_at(banded, bars, at)
        moved = np.abs(banded.weight[at] - held)[banded.order[at] != 0.0]
        left = banded.weight[at][banded.order[at] != 0.0] == 0.0
        cut = banded.refusal[at][banded.order[at] != 0.0] == Refusal.CAP_GROSS
        assert ((moved > 0.1) | left | cut).all()


@pytest.mark.parametrize("method", OF_ACCOUNT)
def test_what_is_measured_before_the_start_counts(
    rules_by: Callable[..., Rules], bars_of: Callable[..., BarBlock], method: SizingMethod
) -> None:
    """A book warmed by bars that are not traded has what the bars themselves would have left."""
    rules = rules_by(method, 3)
    bars, signal, volatility = drawn(3, bars_of)
    cold = first_book(rules, 1e6)
    warmed = observe_bars(cold, rules, bars)
    ran, _ = run_bars(
        cold, rules, bars, signal, volatility, Phase.BOTH, calibrated=known_of(len(bars), 3, 0.2)
    )
    assert warmed.correlation.tobytes() == ran.correlation.tobytes() != cold.correlation.tobytes()
    assert warmed.account.tobytes() == cold.account.tobytes()


def test_other_sizings_carry_no_correlation(rules_by: Callable[..., Rules]) -> None:
    for method in set(SizingMethod) - set(OF_ACCOUNT):
        assert first_book(rules_by(method, 3), 1.0).correlation.shape == (3, 0)
