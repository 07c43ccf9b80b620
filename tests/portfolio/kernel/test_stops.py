"""Stops on the bar's path, worked out by hand: which is met, at what price, and what follows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bot.portfolio.full_account import MarginMode
from bot.portfolio.policies.carried import PolicyKind
from bot.portfolio.reasons import FillReason, Halt, Refusal
from bot.portfolio.rules import LatePolicy, Rules

NAN = math.nan
Made = Callable[..., Any]


@pytest.fixture
def hold(bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, fills_of: Made) -> Made:
    """Decide at the close of bar 0, fill at 100 at the open of bar 1; then the bars that are given."""

    def held(
        side: float, later: list[tuple[float, float, float, float]], rules: Rules | None = None,
        bars: dict[str, Any] | None = None, signals: list[float] | None = None, full: Any = None,
        **orders: Any,
    ) -> Any:  # fmt: skip
        path = [(100.0,) * 4, (100.0,) * 4, *later]
        columns = [list(column) for column in zip(*path, strict=True)]
        changed = {"volume": [1e6] * len(path), **(bars or {})}
        made = bars_of(columns[0], columns[3], high=columns[1], low=columns[2], **changed)
        signal = [side, NAN, *([NAN] * len(later) if signals is None else signals)]
        rules = rules_of() if rules is None else rules
        book, trace = trade(made, signal, rules, orders_of(**orders), **(full or {}))
        return fills_of(trace, made)[1:], book, trace

    return held


LONG = [
    # open, high, low, close of the third bar; what it does to 5 bought at 100
    ("stop", (100.0, 101.0, 94.0, 99.0), {"stop_loss": 0.05}, (95.0, "stop_loss")),
    ("touched", (100.0, 101.0, 95.0, 99.0), {"stop_loss": 0.05}, (95.0, "stop_loss")),
    ("not reached", (100.0, 101.0, 95.1, 99.0), {"stop_loss": 0.05}, None),
    ("a bar that is nothing but its stop", (95.0, 95.0, 95.0, 95.0), {"stop_loss": 0.05}, (95.0, "stop_loss")),
    ("a gap fills at the open", (90.0, 101.0, 89.0, 99.0), {"stop_loss": 0.05}, (90.0, "stop_loss")),
    ("profit", (100.0, 111.0, 99.0, 100.0), {"take_profit": 0.1}, (110.0, "take_profit")),
    ("profit at the open", (112.0, 113.0, 99.0, 100.0), {"take_profit": 0.1}, (112.0, "take_profit")),
    ("the stop first", (100.0, 120.0, 94.0, 100.0), {"stop_loss": 0.05, "take_profit": 0.1},
     (95.0, "stop_loss")),
    ("profit at the open before the stop", (112.0, 120.0, 94.0, 100.0),
     {"stop_loss": 0.05, "take_profit": 0.1}, (112.0, "take_profit")),
    ("trails from the entry", (100.0, 100.0, 94.0, 99.0), {"trailing_stop": 0.05},
     (95.0, "trailing_stop")),
    ("falls back from its best", (100.0, 120.0, 99.0, 107.0), {"trailing_stop": 0.1},
     (108.0, "trailing_stop")),
    ("holds at its best", (100.0, 120.0, 99.0, 109.0), {"trailing_stop": 0.1}, None),
    ("profit at the very open before the stop", (112.5, 112.5, 94.0, 100.0),
     {"stop_loss": 0.05, "take_profit": 0.125}, (112.5, "take_profit")),
    ("profit at its very price", (100.0, 112.5, 99.0, 100.0), {"take_profit": 0.125},
     (112.5, "take_profit")),
    ("falls to the very trail of its best", (100.0, 112.0, 98.0, 98.0), {"trailing_stop": 0.125},
     (98.0, "trailing_stop")),
    ("both stops at one price", (100.0, 101.0, 94.0, 99.0), {"stop_loss": 0.05, "trailing_stop": 0.05},
     (95.0, "stop_loss")),
    ("the nearer stop", (100.0, 101.0, 90.0, 99.0), {"stop_loss": 0.08, "trailing_stop": 0.05},
     (95.0, "trailing_stop")),
    ("the other nearer stop", (100.0, 101.0, 90.0, 99.0), {"stop_loss": 0.04, "trailing_stop": 0.05},
     (96.0, "stop_loss")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "bar", "orders", "expected"), LONG, ids=[c[0] for c in LONG])
def test_of_a_long(hold: Made, name: str, bar: Any, orders: Any, expected: Any) -> None:
    fills, book, _ = hold(1.0, [bar], **orders)
    if expected is None:
        assert not fills
        assert book.quantity[0] == 5.0
    else:
        assert [(f[0], f[1], f[3]) for f in fills] == [(2, -5.0, expected[1])]
        assert fills[0][2] == pytest.approx(expected[0], rel=1e-12)


SHORT = [case for case in LONG if "its best" not in case[0]]


@pytest.mark.parametrize(("name", "bar", "orders", "expected"), SHORT, ids=[c[0] for c in SHORT])
def test_of_a_short(hold: Made, name: str, bar: Any, orders: Any, expected: Any) -> None:
    """The mirror image at the entry of 100."""
    opened, high, low, close = [200.0 - price for price in bar]
    fills, book, _ = hold(-1.0, [(opened, low, high, close)], **orders)
    if expected is None:
        assert not fills
        assert book.quantity[0] == -5.0
    else:
        assert [(f[0], f[1], f[3]) for f in fills] == [(2, 5.0, expected[1])]
        assert fills[0][2] == pytest.approx(200.0 - expected[0], rel=1e-12)


@pytest.mark.parametrize(("close", "stopped"), [(88.0, True), (87.9, False)])
def test_a_short_that_rises_from_its_best(hold: Made, close: float, stopped: bool) -> None:
    fills, book, _ = hold(-1.0, [(100.0, 101.0, 80.0, close)], trailing_stop=0.1)
    assert fills == ([(2, 5.0, pytest.approx(88.0), "trailing_stop")] if stopped else [])
    assert book.holding["best"][0] == (0.0 if stopped else 80.0)


def test_the_best_of_earlier_bars_is_trailed(hold: Made) -> None:
    later = [
        (100.0, 120.0, 99.0, 119.0),
        (119.0, 119.0, 108.0, 119.0),
        (119.0, 119.0, 107.9, 119.0),
    ]
    fills, _, _ = hold(1.0, later, trailing_stop=0.1)
    assert fills == [(3, -5.0, pytest.approx(108.0), "trailing_stop")]


def test_read_well_the_profit_is_taken_first(hold: Made) -> None:
    both, full = {"stop_loss": 0.05, "take_profit": 0.1}, {"optimistic": True}
    fills, _, _ = hold(1.0, [(100.0, 111.0, 94.0, 100.0)], full=full, **both)
    assert fills == [(2, -5.0, pytest.approx(110.0), "take_profit")]
    fills, _, _ = hold(
        1.0, [(100.0, 112.5, 94.0, 100.0)], full=full, stop_loss=0.05, take_profit=0.125
    )
    assert fills == [(2, -5.0, 112.5, "take_profit")]
    fills, _, _ = hold(-1.0, [(100.0, 106.0, 89.0, 100.0)], full=full, **both)
    assert fills == [(2, 5.0, pytest.approx(90.0), "take_profit")]
    fills, _, _ = hold(-1.0, [(100.0, 106.0, 91.0, 100.0)], full=full, **both)
    assert fills == [(2, 5.0, pytest.approx(105.0), "stop_loss")]
    fills, _, _ = hold(1.0, [(100.0, 109.0, 94.0, 100.0)], full=full, **both)
    assert fills == [(2, -5.0, pytest.approx(95.0), "stop_loss")]


def test_costs_and_tick_are_against_us(hold: Made, rules_of: Made) -> None:
    """Entry, level and price are each rounded to the tick, the last after spread and slippage."""
    rules = rules_of(half_spread=0.0005, slippage=0.0005, taker_fee=0.001)
    later = [(100.0, 100.0, 90.0, 95.0)]
    fills, _, trace = hold(1.0, later, rules, stop_loss=0.025, tick=0.1)
    entry = 100.2  # 100 x 1.0005 x 1.0005, up
    level = math.floor(entry * 0.975 * 10) / 10
    price = math.floor(level * 0.9995 * 0.9995 * 10) / 10
    assert fills[0][2] == price
    assert trace.fills["fee"][1] == pytest.approx(price * 5.0 * 0.001)
    assert trace.fills["spread"][1] == pytest.approx(level * 0.0005 * 5.0)


def test_what_the_bar_does_not_fill_goes_on_at_the_next_opens(hold: Made, rules_of: Made) -> None:
    """Two in a hundred of 100; the rest is neither dropped where a bar cannot be filled, nor by a decision."""
    later = [(100.0, 100.0, 94.0, 96.0)] + [(96.0,) * 4] * 4
    for late in LatePolicy:
        fills, book, trace = hold(
            1.0, later, rules_of(late_policy=int(late)), stop_loss=0.05, max_participation=0.02,
            signals=[1.0] * 5,
            bars={"volume": [1e6, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0],
                  "fillable": [True, True, True, False, True, True, True]},
        )  # fmt: skip
        assert [f[:2] for f in fills] == [(2, -2.0), (4, -2.0), (5, -1.0)]
        assert {f[3] for f in fills} == {"stop_loss"}
        assert book.quantity[0] == 0.0
        assert trace.order[2, 0] == -3.0


def test_one_bar_gives_open_and_stop_together_no_more_than_its_share(
    hold: Made, rules_of: Made
) -> None:
    """4 of the 5 were sold to open at the open before; only what is left of the share is closed."""
    later = [(100.0, 100.0, 94.0, 96.0), (96.0,) * 4]
    fills, _, _ = hold(
        1.0,
        later,
        stop_loss=0.05,
        max_participation=0.02,
        bars={"volume": [200.0, 100.0, 250.0, 1e6]},
    )
    # bought: 4 in bar 1, 1 in bar 2; of the 5 of bar 2's share 4 are left, 1 waits
    assert [(f[0], f[1]) for f in fills] == [(2, 1.0), (2, -4.0), (3, -1.0)]


def test_a_missing_bar_stops_nothing_and_the_next_open_does(hold: Made) -> None:
    later = [(90.0, 90.0, 90.0, 90.0), (93.0, 99.0, 93.0, 99.0)]
    fills, _, _ = hold(1.0, later, stop_loss=0.05, bars={"valid": [True, True, False, True]})
    assert fills == [(3, -5.0, 93.0, "stop_loss")]


def test_a_bar_that_came_late_stops(hold: Made) -> None:
    """The stop lies at the exchange, which is there when the daemon is not."""
    later = [(100.0, 100.0, 90.0, 99.0), (99.0,) * 4]
    late = {"tradable": [True, True, False, True], "fillable": [True, True, False, True]}
    fills, _, _ = hold(1.0, later, stop_loss=0.05, bars=late)
    assert fills == [(2, -5.0, 95.0, "stop_loss")]


def test_without_trade_nothing_is_closed_until_there_is_one(hold: Made) -> None:
    later = [(90.0,) * 4, (91.0,) * 4]
    fills, _, _ = hold(1.0, later, stop_loss=0.05, bars={"volume": [1e6, 1e6, 0.0, 1e6]})
    assert fills == [(3, -5.0, 91.0, "stop_loss")]


def test_a_halt_leaves_the_rest_of_a_stop_standing(hold: Made, rules_of: Made) -> None:
    """Raised on a bar that came late, where it could order nothing itself."""
    later = [(100.0, 100.0, 50.0, 50.0), (50.0,) * 4, (50.0,) * 4]
    fills, book, _ = hold(
        1.0, later, rules_of(max_drawdown=0.1), stop_loss=0.05, max_participation=0.02,
        bars={"volume": [1e6, 1e6, 100.0, 100.0, 100.0], "tradable": [True, True, False, True, True]},
    )  # fmt: skip
    assert [f[:2] for f in fills] == [(2, -2.0), (3, -2.0), (4, -1.0)]
    assert book.account["halted"][0] == Halt.DRAWDOWN


def test_the_side_is_opened_again_only_after_the_policy_has_let_go(hold: Made) -> None:
    later = [(100.0, 100.0, 94.0, 100.0)] + [(100.0,) * 4] * 5
    fills, _, trace = hold(1.0, later, stop_loss=0.05, signals=[1.0, 1.0, 0.0, 1.0, NAN, NAN])
    assert [(f[0], f[3]) for f in fills] == [(2, "stop_loss"), (6, "signal")]
    assert trace.refusal[2:6, 0].tolist() == [Refusal.STOPPED, Refusal.STOPPED, 0, 0]


def test_what_a_stop_has_closed_is_held_to_a_policy_that_remembers(
    hold: Made, rules_of: Made
) -> None:
    """Entered from 0.5 on and kept down to 0.2: at 0.3 it goes on wanting what the stop has closed."""
    rules = rules_of(policy_kind=int(PolicyKind.HYSTERESIS), threshold=0.5, exit_threshold=0.2)
    flat = (100.0,) * 4
    fills, book, _ = hold(1.0, [flat] * 3, rules, signals=[0.3, 0.3, 0.3], stop_loss=0.05)
    assert not fills
    assert book.quantity[0] == 5.0
    later = [(100.0, 100.0, 94.0, 100.0)] + [flat] * 5
    signals = [0.3, 1.0, 0.0, 1.0, NAN, NAN]
    fills, _, trace = hold(1.0, later, rules, signals=signals, stop_loss=0.05)
    assert [(f[0], f[3]) for f in fills] == [(2, "stop_loss"), (6, "signal")]
    assert trace.refusal[3, 0] == Refusal.STOPPED


def test_the_other_side_is_opened_at_once(hold: Made) -> None:
    later = [(100.0, 100.0, 94.0, 100.0), (100.0,) * 4]
    fills, _, _ = hold(1.0, later, stop_loss=0.05, signals=[-1.0, NAN])
    assert [(f[0], f[3]) for f in fills] == [(2, "stop_loss"), (3, "signal")]
    assert fills[1][1] < 0.0


@pytest.mark.parametrize("mode", [MarginMode.CROSS, MarginMode.ISOLATED])
@pytest.mark.parametrize(("stop", "reason"), [(0.05, "stop_loss"), (0.15, "liquidation")])
def test_whichever_comes_first_of_stop_and_liquidation(
    hold: Made, rules_of: Made, mode: MarginMode, stop: float, reason: str
) -> None:
    """Ten times the equity: it is gone a little below 90."""
    fills, book, _ = hold(
        1.0, [(100.0, 100.0, 80.0, 95.0)], rules_of(fraction=9.9), stop_loss=stop,
        full={"margin_mode": int(mode), "leverage": np.full(1, 10.0)},
    )  # fmt: skip
    assert [f[3] for f in fills] == [reason]
    assert book.account["equity"][0] >= 0.0


@pytest.mark.parametrize("mode", [MarginMode.CROSS, MarginMode.ISOLATED])
@pytest.mark.parametrize(
    ("opens", "orders", "reason"),
    [(94.0, {"stop_loss": 0.05}, "stop_loss"), (112.0, {"take_profit": 0.1}, "take_profit")],
)
def test_what_is_met_at_the_open_is_met_before_the_margin_is_gone(
    hold: Made, rules_of: Made, mode: MarginMode, opens: float, orders: Any, reason: str
) -> None:
    """The low of 80 would take all of ten times the equity."""
    fills, _, _ = hold(
        1.0, [(opens, opens, 80.0, 90.0)], rules_of(fraction=9.9),
        full={"margin_mode": int(mode), "leverage": np.full(1, 10.0)}, **orders,
    )  # fmt: skip
    assert [(f[2], f[3]) for f in fills] == [(opens, reason)]


@pytest.mark.parametrize("mode", [MarginMode.CROSS, MarginMode.ISOLATED])
def test_a_gap_over_both_is_a_liquidation(hold: Made, rules_of: Made, mode: MarginMode) -> None:
    fills, book, _ = hold(
        1.0, [(70.0, 70.0, 60.0, 65.0)], rules_of(fraction=9.9), stop_loss=0.05,
        full={"margin_mode": int(mode), "leverage": np.full(1, 10.0)},
    )  # fmt: skip
    assert [f[3] for f in fills] == ["liquidation"]
    assert book.account["equity"][0] >= 0.0


def test_stops_on_the_way_save_an_account_on_margin(
    bars_of: Made, rules_of: Made, orders_of: Made, trade: Made, fills_of: Made
) -> None:
    """Both fall by a fifth at eight times the equity, and are stopped at a tenth of the way."""
    flat = [[100.0, 10.0]] * 3
    bars = bars_of(flat, flat, volume=[[1e6, 1e6]] * 3)
    bars.low[2] = [80.0, 8.0]
    _, trace = trade(
        bars, [[1.0, 1.0], [NAN] * 2, [NAN] * 2], rules_of(2, fraction=4.0), orders_of(2, stop_loss=0.02),
        margin_mode=int(MarginMode.CROSS),
    )  # fmt: skip
    assert [f[3] for f in fills_of(trace, bars)[2:]] == ["stop_loss", "stop_loss"]
    assert int(trace.fills["reason"][2]) == FillReason.STOP_LOSS
