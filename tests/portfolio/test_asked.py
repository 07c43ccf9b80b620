"""What a user's policy and cost scheme are asked, and what is made of their answers, by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.blocks import F64, BarBlock
from bot.errors import ConfigError
from bot.parts.compile import compile_part
from bot.parts.registry import parts
from bot.portfolio.book import Book
from bot.portfolio.broker import first_book, run_bars
from bot.portfolio.calibration import Calibrated
from bot.portfolio.own import SIGNATURES
from bot.portfolio.policies.carried import PolicyKind
from bot.portfolio.reasons import Refusal
from bot.portfolio.rules import Rules, SizingMethod
from bot.portfolio.trace import Phase, Trace
from bot.timegrid import HOUR_MS
from tests.portfolio.kernel.conftest import make_full, make_orders

CAPITAL = 1000.0
NAN = float("nan")

# What a user writes. A record is `Any` to the checker; numba compiles all of it.


def as_signal(bar: Any, state: Any) -> Any:
    """Take the signal for the side, and note what is told."""
    state[0] = bar.cost
    state[1] = bar.side
    state[2] = bar.bars_held
    state[3] += 1.0
    return bar.signal


def as_taker(fill: Any, state: Any) -> None:
    pass


def a_unit_each(fill: Any, state: Any) -> None:
    """One unit of money a fill, and nothing else."""
    fill.price = fill.middle
    fill.fee = 1.0


def by_turnover(fill: Any, state: Any) -> None:
    """A thousandth of what was turned over before."""
    fill.price = fill.middle * (1.0 + 0.01 * fill.side)
    fill.fee = 0.001 * fill.turnover


def dearer_first(fill: Any, state: Any) -> None:
    """The symbol's first fill costs 1 bought and 3 sold, later ones 10."""
    fill.price = fill.middle
    first = 1.0 if fill.side > 0.0 else 3.0
    fill.fee = first if state[0] == 0.0 else 10.0
    state[0] += 1.0


def endless(fill: Any, state: Any) -> None:
    fill.fee = math.inf


@pytest.fixture(scope="module")
def asking(rules_of: Callable[..., Rules]) -> Callable[..., Rules]:
    """Return a maker of rules with both parts, for which one kernel is compiled."""

    def made(n_symbols: int, policy: Any = as_signal, scheme: Any = as_taker, **more: Any) -> Rules:
        return rules_of(n_symbols, **more)._replace(
            policy=compile_part(policy, SIGNATURES["policy"], "it").call, policy_state=4,
            scheme=compile_part(scheme, SIGNATURES["cost_scheme"], "it").call, cost_state=4,
            policy_kind=int(PolicyKind.OWN),
        )  # fmt: skip

    return made


def run_all(
    rules: Rules, bars: BarBlock, signal: F64, worth: Calibrated | None = None
) -> tuple[Book, Trace]:
    volatility = np.full(bars.close.shape, 0.01)
    return run_bars(
        first_book(rules, CAPITAL), rules, bars, signal, volatility, Phase.BOTH, calibrated=worth
    )


def told_at_last(rules: Rules, bars: BarBlock, signal: Any) -> list[float]:
    """Return cost, side, bars held and times asked, of the one symbol at the last of the bars."""
    book, _ = run_all(rules, bars, np.array(signal, dtype=float)[:, None])
    told: list[float] = book.policy_state[0].tolist()
    return told


def test_a_side_of_a_half_is_half_the_size(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars = bars_of([[100.0, 100.0]], [[100.0, 100.0]])
    sides = np.array([[-0.5, 0.5]])
    _, trace = run_all(asking(2), bars, sides)
    assert trace.weight.tolist() == [[-0.25, 0.25]]
    assert trace.order.tolist() == [[-2.5, 2.5]]
    _, trace = run_all(asking(2, allow_short=False), bars, sides)
    assert trace.weight.tolist() == [[0.0, 0.25]]
    assert trace.refusal.tolist() == [[Refusal.SHORT_NOT_ALLOWED, Refusal.NONE]]


def test_a_part_of_a_side_is_that_part_of_what_is_proportional(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """0.1 · 0.02 / 0.01 is 0.2; of that as much as the side, which is the signal here."""
    bars = bars_of([[100.0, 100.0]], [[100.0, 100.0]])
    rules = asking(2, method=SizingMethod.PROPORTIONAL)
    _, trace = run_all(rules, bars, np.array([[-0.02, 0.02]]))
    np.testing.assert_allclose(trace.weight[0], [-0.004, 0.004], rtol=1e-12)


def test_a_part_of_a_side_is_that_part_of_kelly(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """The edge of 0.02 over the variance of 0.01² is 200; a thousandth; of that 0.02."""
    bars = bars_of([[100.0, 100.0]], [[100.0, 100.0]])
    rules = asking(
        2, method=SizingMethod.KELLY, kelly_fraction=0.001, max_weight=1e6, horizon=1,
        is_calibrated=True, confidence=0.0,
    )  # fmt: skip
    worth = Calibrated(np.ones(1), np.zeros(1), np.full(1, 100, dtype=np.int64), np.ones((1, 2)))
    _, trace = run_all(rules, bars, np.array([[-0.02, 0.02]]), worth)
    np.testing.assert_allclose(trace.weight[0], [-0.004, 0.004], rtol=1e-12)


def test_a_part_of_a_side_is_sized_where_none_may_be_short(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """Half as much as of the other; a side of less than 1 is not short."""
    bars = bars_of([[100.0, 100.0]], [[100.0, 100.0]])
    rules = asking(
        2, method=SizingMethod.VOLATILITY_TARGET, sizes_account=True, max_weight=1e6,
        target_deviation=0.01, correlation_decay=0.9, allow_short=False,
    )  # fmt: skip
    _, trace = run_all(rules, bars, np.array([[0.5, 1.0]]))
    np.testing.assert_allclose(trace.weight[0], np.array([0.5, 1.0]) / math.sqrt(1.25), rtol=1e-12)


@pytest.mark.parametrize("side", [1.5, -1.5, math.inf])
def test_a_side_beyond_one_cannot_be(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock], side: float
) -> None:
    bars = bars_of([[100.0, 100.0]], [[100.0, 100.0]])
    with pytest.raises(ConfigError, match=r"for symbol 2 at the bar 0 is no side"):
        run_all(asking(2), bars, np.array([[1.0, side]]))


def test_the_first_answer_that_cannot_be_is_told(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars = bars_of([[100.0, 100.0]] * 3, [[100.0, 100.0]] * 3)
    with pytest.raises(ConfigError, match=r"for symbol 1 at the bar 0 is no side"):
        run_all(asking(2), bars, np.array([[2.0, 2.0], [1.0, 2.0], [1.0, 1.0]]))
    with pytest.raises(ConfigError, match=rf"for symbol 2 at the bar {HOUR_MS} is no side"):
        run_all(asking(2), bars, np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 2.0]]))


def test_a_fee_without_end_cannot_be(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars = bars_of([[100.0]] * 2, [[100.0]] * 2)
    with pytest.raises(ConfigError, match="the cost scheme's answer for symbol 1 at the bar 0"):
        run_all(asking(1, scheme=endless), bars, np.array([[1.0], [1.0]]))


def test_a_price_below_one_is_a_price(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars = bars_of([[0.25]] * 2, [[0.25]] * 2)
    _, trace = run_all(asking(1), bars, np.array([[1.0], [1.0]]))
    assert trace.fills["price"].tolist() == [0.25]


def test_a_symbol_without_a_bar_keeps_no_other_from_being_asked(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars = bars_of([[100.0, 100.0]] * 2, [[100.0, 100.0]] * 2)
    bars = replace(bars, valid=np.array([[True, True], [False, True]]))
    book, trace = run_all(asking(2), bars, np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert book.policy_state[:, 3].tolist() == [1.0, 2.0]
    assert np.isnan(trace.weight[1, 0])
    assert trace.weight[1, 1] == 0.5


def test_an_order_that_waits_is_on_the_side_that_is_told(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """A flip that cannot be filled: one side is held, the other on order."""
    bars = bars_of([[100.0]] * 4, [[100.0]] * 4)
    bars = replace(bars, fillable=np.array([[True], [False], [True], [False]]))
    _, side, held, _ = told_at_last(asking(1), bars.rows(0, 2), [1.0, NAN])
    assert (side, held) == (1.0, 0.0)
    _, side, held, _ = told_at_last(asking(1), bars, [1.0, NAN, -1.0, NAN])
    assert (side, held) == (-1.0, 2.0)


def test_a_position_that_was_closed_is_held_no_more(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars = bars_of([[100.0]] * 6, [[100.0]] * 6)
    signal = [-1.0, -1.0, 0.0, 0.0, -1.0, -1.0]
    held = [told_at_last(asking(1), bars.rows(0, n), signal[:n])[2] for n in range(1, 7)]
    assert held == [0.0, 1.0, 2.0, 0.0, 0.0, 1.0]


# --- the cost of a round trip, at 1000 of equity, half of it a position


@pytest.mark.parametrize("close", [400.0, 1000.0, 5.0])
def test_the_cost_told_is_of_the_size_that_would_be_traded(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock], close: float
) -> None:
    """Two units of money for a position of 500, of whatever quantity."""
    bars = bars_of([[100.0]], [[close]])
    for side in (1.0, -1.0):
        cost = told_at_last(asking(1, scheme=a_unit_each), bars, [side])[0]
        assert cost == pytest.approx(2.0 / 500.0, rel=1e-12)


def test_the_cost_told_knows_the_equity_of_the_close(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """Five bought at 100 for a unit, and marked at 140: 1199 of equity."""
    bars = bars_of([[100.0], [100.0]], [[100.0], [140.0]])
    cost = told_at_last(asking(1, scheme=a_unit_each), bars, [1.0, 1.0])[0]
    assert cost == pytest.approx(2.0 / (0.5 * 1199.0), rel=1e-12)


@pytest.mark.parametrize(("side", "first"), [(1.0, 1.0), (-1.0, 3.0), (0.01, 1.0), (0.0, 1.0)])
def test_the_cost_told_opens_on_the_side_of_the_signal(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock], side: float, first: float
) -> None:
    bars = bars_of([[100.0]], [[100.0]])
    cost = told_at_last(asking(1, scheme=dearer_first), bars, [side])[0]
    assert cost == pytest.approx((first + 10.0) / 500.0, rel=1e-12)


def test_asking_for_costs_begins_at_what_the_scheme_carries_and_changes_nothing(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """One fill is made, three round trips are asked for."""
    bars = bars_of([[100.0]] * 3, [[100.0]] * 3)
    rules = asking(1, scheme=dearer_first)
    book, trace = run_all(rules, bars, np.array([[1.0], [1.0], [1.0]]))
    assert trace.fills["fee"].tolist() == [1.0]
    assert book.cost_state[0, 0] == 1.0
    assert book.policy_state[0, 0] == pytest.approx(20.0 / (0.5 * 999.0), rel=1e-12)


def test_an_order_cut_to_the_cash_is_asked_about_and_then_made(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    """The scheme takes 1 for its first fill: 999 are left, and it counts one fill."""
    bars = bars_of([[100.0]] * 2, [[100.0]] * 2)
    full = make_full(make_orders(), contract=np.zeros(1, dtype=np.bool_))
    rules = asking(1, scheme=dearer_first, fraction=1.0)._replace(full=full)
    book, trace = run_all(rules, bars, np.array([[1.0], [math.nan]]))
    assert trace.fills["fee"].tolist() == [1.0]
    assert trace.fills["quantity"].tolist() == pytest.approx([10.0 * 1000.0 / 1001.0])
    assert book.cost_state[0, 0] == 1.0


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_cost_told_counts_its_own_first_half_as_turned_over(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock], side: float
) -> None:
    """500 at a price 1 % off; after a fill, that of the account comes before."""
    bars = bars_of([[100.0]] * 2, [[100.0]] * 2)
    rules = asking(1, scheme=by_turnover)
    opened = 500.0 * (1.0 + 0.01 * side)
    cost = told_at_last(rules, bars.rows(0, 1), [side])[0]
    assert cost == pytest.approx((2.0 * 5.0 + 0.001 * opened) / 500.0, rel=1e-12)
    notional = 0.5 * (CAPITAL - 5.0)  # equity at the second close: the first fill cost 1 %
    again = 0.001 * (opened + opened + notional * (1.0 + 0.01 * side))
    cost = told_at_last(rules, bars, [side, side])[0]
    assert cost == pytest.approx((2.0 * 0.01 * notional + again) / notional, rel=1e-12)


def test_no_size_has_no_cost(
    asking: Callable[..., Rules], bars_of: Callable[..., BarBlock]
) -> None:
    bars = bars_of([[100.0]], [[100.0]])
    rules = asking(1, scheme=a_unit_each, method=SizingMethod.PROPORTIONAL)
    assert math.isnan(told_at_last(rules, bars, [0.0])[0])
    assert math.isnan(told_at_last(rules, bars, [NAN])[0])
    assert told_at_last(rules, bars, [0.01])[0] == pytest.approx(2.0 / 100.0, rel=1e-12)


def test_what_is_shipped_is_listed_with_the_settings_it_reads() -> None:
    """The parts that `bot parts list` shows, one a method of sizing."""
    listed = {kind: parts(kind) for kind in ("policy", "sizing", "cost_scheme")}
    assert {name.upper() for name in listed["sizing"]} == set(SizingMethod.__members__)
    assert listed["sizing"]["fixed"].keys == ("sizing.fraction",)
    assert {name.upper() for name in listed["policy"]} == set(PolicyKind.__members__) - {"OWN"}
    assert "taker" in listed["cost_scheme"]
