"""Orders, costs, late policies, caps and halts on small markets worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from bot.blocks import F64, BarBlock
from bot.errors import InvariantError
from bot.portfolio.book import Book, new_book, to_arrays
from bot.portfolio.broker import run_bars
from bot.portfolio.calibration import Calibrated
from bot.portfolio.reasons import FillReason, Halt, Refusal
from bot.portfolio.rules import FillAt, LatePolicy, Rules, SizingMethod
from bot.portfolio.trace import Phase, Trace, joined
from bot.timegrid import HOUR_MS
from tests.portfolio.policies.test_edge import known_of

NAN = float("nan")
UP, DOWN, FLAT = 0.01, -0.01, 0.0
S, H, L = FillReason.SIGNAL, FillReason.HALT, FillReason.LATE_FLATTEN


@dataclass
class Case:
    """From 1000 in cash, half of equity a symbol, without costs or limits but those named."""

    name: str
    opens: Sequence[Any]
    signals: Sequence[Any]
    fills: list[tuple[Any, ...]]  # (bar, symbol, quantity, price, reason)
    equity: float
    closes: Sequence[Any] | None = None  # the opens, where not given
    rules: dict[str, Any] = field(default_factory=dict)
    bars: dict[str, Any] = field(default_factory=dict)
    volatility: float = 0.01
    refusals: dict[tuple[int, int], Refusal] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)


P = [100.0, 100.0, 100.0, 100.0]
LATE = [True, False, True, True]
DAYS = [h * HOUR_MS for h in (21, 22, 23, 24, 25)]
REFERENCE = {"reference": True, "fill_at": FillAt.NEXT_CLOSE, "fraction": 1.0}

CASES = [
    Case(
        "spread, slippage and fee", P[:2], [UP, NAN], [(1, 0, 5.0, 103.02, S)], 984.3849,
        rules={"half_spread": 0.01, "slippage": 0.02, "taker_fee": 0.001},
        sums={"fees": 0.5151, "spread": 5.0, "slippage": 10.1},
    ),
    Case(
        "a sale meets the other side", P[:2], [DOWN, NAN], [(1, 0, -5.0, 97.02, S)], 984.6149,
        rules={"half_spread": 0.01, "slippage": 0.02, "taker_fee": 0.001},
        sums={"fees": 0.4851, "spread": 5.0, "slippage": 9.9},
    ),
    Case(
        "both quotes known", P[:2], [UP, NAN], [(1, 0, 5.0, 101.5, S)], 992.5,
        rules={"half_spread": 0.01},
        bars={"fill_bid": [NAN, 99.0], "fill_ask": [NAN, 101.5]},
        sums={"spread": 6.25},
    ),
    Case(
        "one quote known: the open is the middle", P[:2], [UP, NAN], [(1, 0, 5.0, 101.5, S)], 992.5,
        bars={"fill_ask": [NAN, 101.5]},
        sums={"spread": 7.5},
    ),
    Case(
        "quotes fill where the candle never came", P[:2], [UP, NAN], [(1, 0, 5.0, 101.0, S)], 995.0,
        bars={"valid": [True, False], "fill_bid": [NAN, 99.0], "fill_ask": [NAN, 101.0]},
    ),
    Case(
        "funding on the old position, before the flip, on the mark",
        P[:3], [UP, DOWN, NAN], [(1, 0, 5.0, 100.0, S), (2, 0, -10.0, 100.0, S)], 994.5,
        bars={"funding_rate": [0.0, 0.01, 0.01], "mark": [NAN, NAN, 110.0]},
        sums={"funding": 5.5},
    ),
    Case(
        "funding on the open where the mark is not known, received by shorts",
        [100.0, 100.0, 120.0], [DOWN, NAN, NAN], [(1, 0, -5.0, 100.0, S)], 906.0,
        bars={"funding_rate": [0.0, 0.0, 0.01]},
        sums={"funding": -6.0},
    ),
    Case(
        "funding on the last close where there is no bar",
        [100.0, 100.0, 120.0], [UP, NAN, NAN], [(1, 0, 5.0, 100.0, S)], 995.0,
        bars={"funding_rate": [0.0, 0.0, 0.01], "valid": [True, True, False]},
        sums={"funding": 5.0},
    ),
    Case(
        "a rate that is not known is counted", P[:3], [UP, NAN, NAN],
        [(1, 0, 5.0, 100.0, S)], 1000.0,
        bars={"funding_rate": [NAN, NAN, NAN]},
        sums={"funding": 0.0, "funding_unknown": 1},
    ),
    Case(
        "no funding off contracts", P[:3], [UP, NAN, NAN], [(1, 0, 5.0, 100.0, S)], 1000.0,
        rules={"funding": False}, bars={"funding_rate": [NAN, NAN, 0.01]},
        sums={"funding": 0.0, "funding_unknown": 0},
    ),
    Case(
        "the quantity is that of the decision's close", [100.0, 125.0], [UP, NAN],
        [(1, 0, 5.0, 125.0, S)], 1000.0,
    ),
    Case(
        "fill at the next close, before its decision", [100.0, 90.0, 90.0], [UP, FLAT, NAN],
        [(1, 0, 5.0, 101.0, S), (2, 0, -5.0, 99.0, S)], 990.0,
        closes=[100.0, 100.0, 100.0],
        rules={"fill_at": FillAt.NEXT_CLOSE, "half_spread": 0.01},
        sums={"spread": 10.0},
    ),
    Case(
        "no fill at a close that came late", P[:3], [UP, NAN, NAN], [(2, 0, 5.0, 100.0, S)], 1000.0,
        rules={"fill_at": FillAt.NEXT_CLOSE}, bars={"tradable": [True, False, True]},
    ),
    Case(
        "late: hold", P, [UP, NAN, NAN, NAN], [(2, 0, 5.0, 100.0, S)], 1000.0,
        bars={"fillable": LATE},
    ),
    Case(
        "late: cancel", P, [UP, NAN, NAN, NAN], [], 1000.0,
        rules={"late_policy": LatePolicy.CANCEL}, bars={"fillable": LATE},
        refusals={(1, 0): Refusal.LATE_CANCELLED},
    ),
    Case(
        "late: flatten without a position drops the order", P, [UP, NAN, NAN, NAN], [], 1000.0,
        rules={"late_policy": LatePolicy.FLATTEN}, bars={"fillable": LATE},
        refusals={(1, 0): Refusal.LATE_CANCELLED},
    ),
    Case(
        "late: flatten closes the position instead", P, [UP, DOWN, NAN, NAN],
        [(1, 0, 5.0, 100.0, S), (3, 0, -5.0, 100.0, L)], 1000.0,
        rules={"late_policy": LatePolicy.FLATTEN}, bars={"fillable": [True, True, False, True]},
    ),
    Case(
        "a bar out of session makes nothing late", P, [UP, NAN, NAN, NAN],
        [(3, 0, 5.0, 100.0, S)], 1000.0,
        rules={"late_policy": LatePolicy.CANCEL},
        bars={"valid": [True, False, False, True], "in_session": [True, False, False, True]},
    ),
    Case(
        "a new decision replaces a held order", P, [UP, DOWN, NAN, NAN],
        [(2, 0, -5.0, 100.0, S)], 1000.0,
        bars={"fillable": LATE},
    ),
    Case(
        "a flat decision withdraws a held order", P, [UP, FLAT, NAN, NAN], [], 1000.0,
        bars={"fillable": LATE},
    ),
    Case(
        "nothing is decided on a late bar", P, [UP, UP, NAN, NAN], [(2, 0, 5.0, 100.0, S)], 1000.0,
        bars={"tradable": [False, True, True, True]},
    ),
    Case("a signal at the threshold is flat", P[:2], [0.001, NAN], [], 1000.0),
    Case(
        "a flip closes and opens in one order", P[:3], [UP, DOWN, NAN],
        [(1, 0, 5.0, 100.0, S), (2, 0, -10.0, 100.0, S)], 1000.0,
    ),
    Case(
        "fixed: the same sign trades nothing", [100.0, 120.0, 90.0, 80.0], [UP, UP, UP, UP],
        [(1, 0, 5.0, 120.0, S)], 800.0,
    ),
    Case(
        "long only: flat instead of short", P[:3], [UP, DOWN, DOWN],
        [(1, 0, 5.0, 100.0, S), (2, 0, -5.0, 100.0, S)], 1000.0,
        rules={"allow_short": False},
        refusals={(1, 0): Refusal.SHORT_NOT_ALLOWED, (2, 0): Refusal.SHORT_NOT_ALLOWED},
    ),
    Case(
        "proportional: the band, then the cap on the weight", P, [0.02, 0.024, 0.2, NAN],
        [(1, 0, 2.0, 100.0, S), (3, 0, 3.0, 100.0, S)], 1000.0,
        rules={"method": SizingMethod.PROPORTIONAL},
    ),
    Case(
        "proportional: to zero whatever the band", P[:3], [0.006, FLAT, NAN],
        [(1, 0, 0.6, 100.0, S), (2, 0, -0.6, 100.0, S)], 1000.0,
        rules={"method": SizingMethod.PROPORTIONAL, "band": 0.059},
    ),
    Case(
        "proportional: no volatility, no decision", P[:2], [UP, NAN], [], 1000.0,
        rules={"method": SizingMethod.PROPORTIONAL}, volatility=0.0,
        refusals={(0, 0): Refusal.NO_VOLATILITY},
    ),
    Case(
        "cap on a symbol", P[:2], [UP, NAN], [(1, 0, 4.0, 100.0, S)], 1000.0,
        rules={"max_symbol_weight": 0.4}, refusals={(0, 0): Refusal.CAP_SYMBOL},
    ),
    Case(
        "cap on the gross scales all new orders alike",
        [[100.0, 50.0]] * 2, [[UP, DOWN], [NAN, NAN]],
        [(1, 0, 3.75, 100.0, S), (1, 1, -7.5, 50.0, S)], 1000.0,
        rules={"max_gross": 0.75},
        refusals={(0, 0): Refusal.CAP_GROSS, (0, 1): Refusal.CAP_GROSS},
    ),
    Case(
        "cap on the gross: what is held stays, the new gets the room left",
        [[100.0, 50.0]] * 3, [[UP, NAN], [UP, UP], [NAN, NAN]],
        [(1, 0, 5.0, 100.0, S), (2, 1, 5.0, 50.0, S)], 1000.0,
        rules={"max_gross": 0.75}, refusals={(1, 1): Refusal.CAP_GROSS},
    ),
    Case(
        "steps round towards zero", P[:2], [DOWN, NAN], [(1, 0, -4.8, 100.0, S)], 1000.0,
        rules={"quantity_step": 0.3},
    ),
    Case(
        "less than a step", P[:2], [UP, NAN], [], 1000.0,
        rules={"quantity_step": 6.0}, refusals={(0, 0): Refusal.STEP_ROUNDS_TO_ZERO},
    ),
    Case(
        "below the least quantity", P[:2], [UP, NAN], [], 1000.0,
        rules={"min_quantity": 5.5}, refusals={(0, 0): Refusal.MIN_QUANTITY},
    ),
    Case(
        "below the least notional", P[:2], [UP, NAN], [], 1000.0,
        rules={"min_notional": 501.0}, refusals={(0, 0): Refusal.MIN_NOTIONAL},
    ),
    Case(
        "a full close is never too small", [100.0, 100.0, 1.0], [UP, FLAT, NAN],
        [(1, 0, 5.0, 100.0, S), (2, 0, -5.0, 1.0, S)], 505.0,
        closes=[100.0, 1.0, 1.0], rules={"min_notional": 100.0},
    ),
    Case(
        "daily loss: closed until the next UTC day", [100.0, 100.0, 80.0, 80.0, 80.0], [UP] * 5,
        [(1, 0, 5.0, 100.0, S), (2, 0, -5.0, 80.0, H), (4, 0, 5.625, 80.0, S)], 900.0,
        closes=[100.0, 80.0, 80.0, 80.0, 80.0],
        rules={"max_daily_loss": 0.1}, bars={"open_time": DAYS},
        refusals={(1, 0): Refusal.HALTED_DAY, (2, 0): Refusal.HALTED_DAY},
    ),
    Case(
        "drawdown: closed for good", [100.0, 100.0, 80.0, 80.0, 80.0], [UP] * 5,
        [(1, 0, 5.0, 100.0, S), (2, 0, -5.0, 80.0, H)], 900.0,
        closes=[100.0, 80.0, 80.0, 80.0, 80.0],
        rules={"max_drawdown": 0.1}, bars={"open_time": DAYS},
        refusals={(i, 0): Refusal.HALTED_DRAWDOWN for i in range(1, 5)},
    ),
    Case(
        "a halt on a late bar closes at the next tradable one", [100.0, 100.0, 80.0, 80.0],
        [UP, NAN, NAN, NAN], [(1, 0, 5.0, 100.0, S), (3, 0, -5.0, 80.0, H)], 900.0,
        closes=[100.0, 80.0, 80.0, 80.0],
        rules={"max_drawdown": 0.1}, bars={"tradable": [True, False, True, True]},
    ),
    Case(
        "bankrupt: closed for good", [100.0, 100.0, 40.0, 100.0], [UP, UP, UP, UP],
        [(1, 0, 20.0, 100.0, S), (2, 0, -20.0, 40.0, H)], -200.0,
        closes=[100.0, 40.0, 40.0, 100.0], rules={"fraction": 2.0},
        refusals={(i, 0): Refusal.HALTED_BANKRUPT for i in (1, 2, 3)},
    ),
    Case(
        "an equity of exactly nothing is bankrupt", [100.0, 100.0, 50.0, 100.0], [UP, UP, UP, UP],
        [(1, 0, 20.0, 100.0, S), (2, 0, -20.0, 50.0, H)], 0.0,
        closes=[100.0, 50.0, 50.0, 100.0], rules={"fraction": 2.0},
        refusals={(i, 0): Refusal.HALTED_BANKRUPT for i in (1, 2, 3)},
    ),
    Case(
        "bankrupt and not fillable: it is closed as soon as that can be, and pays until then",
        [100.0, 100.0, 40.0, 40.0, 45.0], [UP, UP, UP, UP, UP],
        [(1, 0, 20.0, 100.0, S), (4, 0, -20.0, 45.0, H)], -104.0,
        closes=[100.0, 40.0, 40.0, 40.0, 45.0], rules={"fraction": 2.0},
        bars={
            "fillable": [True, True, False, False, True],
            "funding_rate": [0.0, 0.0, 0.0, 0.005, 0.0],
        },
        refusals={(i, 0): Refusal.HALTED_BANKRUPT for i in (1, 2, 3, 4)},
        sums={"funding": 4.0},
    ),
    Case(
        "next to nothing is not bankrupt", [100.0, 100.0, 50.025, 50.025], [UP, NAN, NAN, NAN],
        [(1, 0, 20.0, 100.0, S)], 0.5,
        closes=[100.0, 50.025, 50.025, 50.025], rules={"fraction": 2.0},
    ),
    Case(
        "a single unit is bought, held, charged and sold", [500.0, 500.0, 400.0, 400.0],
        [UP, UP, FLAT, NAN], [(1, 0, 1.0, 500.0, S), (3, 0, -1.0, 400.0, S)], 487.0,
        bars={"funding_rate": [0.0, 0.0, 1.0, 0.0], "funding_inside": [0.0, 1.0, 12.0, 5.0]},
        sums={"funding": 413.0},
    ),
    Case(
        "half a unit is bought at the ask and sold at the bid, once each",
        [1000.0] * 5, [UP, UP, DOWN, DOWN, NAN],
        [(1, 0, 0.5, 1010.0, S), (3, 0, -0.9975, 990.0, S)], 990.0,
        closes=[1000.0, 1000.0, 1000.0, 990.0, 990.0],
        rules={"half_spread": 0.01},
        sums={"spread": 14.975},
    ),
    Case(
        "funding inside a bar is charged on what is held in it", P, [NAN, DOWN, NAN, NAN],
        [(2, 0, -5.0, 100.0, S)], 1010.0,
        bars={
            "funding_inside": [7.0, 7.0, -1.0, 3.0], "funding_inside_unknown": [1.0, 1.0, 2.0, 1.0],
        },
        sums={"funding": -10.0, "funding_unknown": 3},
    ),
    Case(
        "proportional: a change of exactly the band is none", P[:2], [0.2, NAN], [], 1000.0,
        rules={"method": SizingMethod.PROPORTIONAL, "max_weight": 0.25, "band": 0.25},
    ),
    Case(
        "a gross of exactly the cap is not capped", [[100.0, 50.0]] * 2, [[UP, DOWN], [NAN, NAN]],
        [(1, 0, 5.0, 100.0, S), (1, 1, -10.0, 50.0, S)], 1000.0,
        rules={"max_gross": 1.0},
    ),
    Case(
        "no room left under the gross", [[100.0, 50.0]] * 3, [[UP, NAN], [NAN, UP], [NAN, NAN]],
        [(1, 0, 5.0, 100.0, S)], 1000.0,
        rules={"max_gross": 0.5}, refusals={(1, 1): Refusal.CAP_GROSS},
    ),
    Case(
        "a lone unit counts for the gross", [[500.0, 50.0]] * 3, [[UP, NAN], [NAN, DOWN], [NAN] * 2],
        [(1, 0, 1.0, 500.0, S), (2, 1, -4.0, 50.0, S)], 1000.0,
        rules={"max_gross": 0.7}, refusals={(1, 1): Refusal.CAP_GROSS},
    ),
    Case(
        "an order that waits counts for the gross", [[100.0, 50.0]] * 4,
        [[DOWN, NAN], [NAN, UP], [NAN] * 2, [NAN] * 2],
        [(2, 0, -5.0, 100.0, S), (2, 1, 5.0, 50.0, S)], 1000.0,
        rules={"max_gross": 0.75}, refusals={(1, 1): Refusal.CAP_GROSS},
        bars={"fillable": [[True] * 2, [False, True], [True] * 2, [True] * 2]},
    ),
    Case(
        "only what is added to a position is scaled under the gross",
        [[1000.0, 1000.0]] * 3, [[-0.02, 0.02], [-0.05, 0.05], [NAN] * 2],
        [
            (1, 0, -0.2, 1000.0, S), (1, 1, 0.2, 1000.0, S),
            (2, 0, -0.15, 1000.0, S), (2, 1, 0.15, 1000.0, S),
        ],
        1000.0, rules={"method": SizingMethod.PROPORTIONAL, "max_gross": 0.7},
        refusals={(1, 0): Refusal.CAP_GROSS, (1, 1): Refusal.CAP_GROSS},
    ),
    Case(
        "a small position stays outside the scaling under the gross",
        [[1000.0, 1000.0]] * 3, [[-0.02, NAN], [-0.05, 0.05], [NAN] * 2],
        [
            (1, 0, -0.2, 1000.0, S),  # 500 of room for 300 + 500
            (2, 0, -0.1875, 1000.0, S), (2, 1, 0.3125, 1000.0, S),
        ],
        1000.0, rules={"method": SizingMethod.PROPORTIONAL, "max_gross": 0.7},
        refusals={(1, 0): Refusal.CAP_GROSS, (1, 1): Refusal.CAP_GROSS},
    ),
    Case(
        "a smaller position is never scaled, and its room is another's",
        [[100.0, 100.0]] * 3, [[-0.05, NAN], [-0.02, 0.05], [NAN] * 2],
        [(1, 0, -5.0, 100.0, S), (2, 0, 3.0, 100.0, S), (2, 1, 4.0, 100.0, S)],
        1000.0, rules={"method": SizingMethod.PROPORTIONAL, "max_gross": 0.6},
        refusals={(1, 1): Refusal.CAP_GROSS},
    ),
    Case(
        "a whole number of steps is kept whole", P[:2], [UP, NAN], [(1, 0, 5.0, 100.0, S)], 1000.0,
        rules={"quantity_step": 0.5},
    ),
    Case(
        "half a billionth below a step is rounding", P[:2], [DOWN, NAN],
        [(1, 0, -5.0, 100.0, S)], 1000.0,
        rules={"quantity_step": 1.0, "fraction": 0.5 - 0.5e-10},
    ),
    Case(
        "one and a half billionths below a step are below it", P[:2], [UP, NAN],
        [(1, 0, 4.0, 100.0, S)], 1000.0,
        rules={"quantity_step": 1.0, "fraction": 0.5 - 1.5e-10},
    ),
    Case(
        "a flip goes from step to step", [100.0, 100.0, 80.0, 80.0], [UP, DOWN, NAN, NAN],
        [(1, 0, 4.8, 100.0, S), (2, 0, -10.2, 80.0, S)], 904.0,
        closes=[100.0, 80.0, 80.0, 80.0],
        rules={"quantity_step": 0.6},
    ),
    Case(
        "a target that rounds to what is held changes nothing", P[:3], [0.03, 0.035, NAN],
        [(1, 0, 3.0, 100.0, S)], 1000.0,
        rules={
            "method": SizingMethod.PROPORTIONAL, "band": 0.01, "quantity_step": 1.0,
            "min_quantity": 0.5,
        },
        refusals={(1, 0): Refusal.STEP_ROUNDS_TO_ZERO},
    ),
    Case(
        "the least quantity and the least notional are enough", P[:2], [DOWN, NAN],
        [(1, 0, -5.0, 100.0, S)], 1000.0,
        rules={"min_quantity": 5.0, "min_notional": 500.0},
    ),
    Case(
        "a billionth below the least quantity is rounding", P[:2], [UP, NAN],
        [(1, 0, 5.0, 100.0, S)], 1000.0,
        rules={"min_quantity": 5.0 / (1.0 - 1e-9)},
    ),
    Case(
        "a halt makes a waiting close its own", P, [UP, FLAT, NAN, NAN],
        [(1, 0, 5.0, 100.0, S), (3, 0, -5.0, 100.0, H)], 1000.0,
        closes=[100.0, 100.0, 80.0, 100.0], rules={"max_drawdown": 0.1},
        bars={"fillable": [True, True, False, True]},
    ),
    *(
        Case(
            f"a halt withdraws a waiting entry, {name}", [[100.0, 500.0]] * 4,
            [[UP, UP], [NAN] * 2, [NAN] * 2, [NAN] * 2],
            [(1, 0, 5.0, 100.0, S), (2 + late, 0, -5.0, 100.0, H)], 1000.0,
            closes=[[100.0, 500.0], [80.0, 500.0], [80.0, 500.0], [80.0, 500.0]],
            rules={"max_drawdown": 0.1},
            bars={
                "fillable": [[True] * 2, [True, False], [True] * 2, [True] * 2],
                "tradable": [True, not late, True, True],
            },
        )
        for name, late in (("in time", False), ("on a late bar", True))
    ),
    Case(
        "reference: what is lost whole is held no more", P, [DOWN, NAN, NAN, NAN],
        [(1, 0, -10.0, 100.0, S), (2, 0, 10.0, 250.0, FillReason.RESCALE)], -500.0,
        closes=[100.0, 100.0, 250.0, 100.0], rules=REFERENCE,
    ),
    Case(
        "reference: a short that keeps its weight is not traded", P, [DOWN, NAN, NAN, NAN],
        [(1, 0, -10.0, 100.0, S)], 1000.0, rules=REFERENCE,
    ),
    Case(
        "reference: less than a trillionth is rounding", P[:3], [UP, NAN, NAN],
        [(1, 0, 5.0, 100.0, S)], 1000.0,
        closes=[100.0, 100.0, 100.0 * (1.0 - 1.5e-12)], rules=REFERENCE | {"fraction": 0.5},
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_worked_case(
    case: Case,
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
    signals_of: Callable[..., F64],
    run_all: Callable[..., tuple[Book, Trace]],
) -> None:
    bars = bars_of(case.opens, case.closes or case.opens, **case.bars)
    if "fillable" not in case.bars:
        bars = replace(bars, fillable=bars.valid | np.isfinite(bars.fill_ask))
    rules = rules_of(bars.n_symbols, **case.rules)
    volatility = np.full(bars.close.shape, case.volatility)
    book, trace = run_all(rules, bars, signals_of(case.signals, bars), volatility)
    times = bars.open_time.tolist()
    fills = [
        (times.index(f["open_time"]), f["symbol"], f["quantity"], f["price"], f["reason"])
        for f in trace.fills
    ]
    assert len(fills) == len(case.fills), fills
    for found, expected in zip(fills, case.fills, strict=True):
        assert found == pytest.approx(expected, rel=1e-12)
    assert trace.equity[-1] == pytest.approx(case.equity, rel=1e-12)
    refused = {
        (int(i), int(s)): Refusal(int(trace.refusal[i, s])) for i, s in np.argwhere(trace.refusal)
    }
    assert refused == case.refusals
    account = book.account[0]
    for name, value in case.sums.items():
        assert account[name] == pytest.approx(value, rel=1e-12), name
        assert getattr(trace, name).sum() == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("drift", [3e-12, -3e-12])
def test_more_than_a_trillionth_is_rescaled_in_the_reference(
    drift: float,
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
    signals_of: Callable[..., F64],
    run_all: Callable[..., tuple[Book, Trace]],
) -> None:
    """Half the equity is held: a price 3e-12 higher asks for 1.5e-12 less of the quantity."""
    bars = bars_of([100.0] * 3, [100.0, 100.0, 100.0 * (1.0 + drift)])
    rules = rules_of(**REFERENCE | {"fraction": 0.5})
    _, trace = run_all(rules, bars, signals_of([UP, NAN, NAN], bars))
    assert trace.fills["reason"].tolist() == [S, FillReason.RESCALE]
    assert trace.fills["quantity"][1] == pytest.approx(-5.0 * drift / 2.0, rel=1e-2)
    assert (trace.spread == 0.0).all()
    assert (trace.slippage == 0.0).all()


def test_a_halt_that_cannot_be_filled_orders_once(
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
    signals_of: Callable[..., F64],
    run_all: Callable[..., tuple[Book, Trace]],
) -> None:
    """One unit, and a close that waits for two bars as the order that it was."""
    bars = bars_of([500.0] * 5, [500.0, 300.0, 300.0, 300.0, 300.0])
    bars = replace(bars, fillable=np.array([[True], [True], [False], [False], [True]]))
    rules = rules_of(max_drawdown=0.1)
    signal = signals_of([UP, UP, UP, UP, UP], bars)
    waiting, _ = run_all(rules, bars.rows(0, 4), signal[:4])
    assert waiting.pending.tolist() == [-1.0]
    assert waiting.pending_since.tolist() == [HOUR_MS]
    book, trace = run_all(rules, bars, signal)
    assert trace.order[:, 0].tolist() == [1.0, -1.0, 0.0, 0.0, 0.0]
    assert trace.weight[:, 0].tolist()[:4] == [0.5, 0.0, 0.0, 0.0]
    assert trace.fills["reason"].tolist() == [S, H]
    assert book.weight.tolist() == [0.0]


def test_a_close_that_replaces_a_late_order_aims_at_nothing(
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
    signals_of: Callable[..., F64],
    run_all: Callable[..., tuple[Book, Trace]],
) -> None:
    bars = bars_of(P, P)
    bars = replace(bars, fillable=np.array([[True], [True], [False], [True]]))
    rules = rules_of(late_policy=LatePolicy.FLATTEN)
    signal = signals_of([UP, DOWN, NAN, NAN], bars)
    late, _ = run_all(rules, bars.rows(0, 3), signal[:3])
    assert (late.weight.tolist(), late.pending_weight.tolist()) == ([0.5], [0.0])
    book, _ = run_all(rules, bars, signal)
    assert (book.quantity.tolist(), book.weight.tolist()) == ([0.0], [0.0])


def test_the_account_sums_the_run(
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
    signals_of: Callable[..., F64],
    run_all: Callable[..., tuple[Book, Trace]],
) -> None:
    bars = bars_of([100.0] * 3, [100.0] * 3)
    book, _ = run_all(rules_of(), bars, signals_of([UP, DOWN, NAN], bars))
    account = book.account[0]
    assert (account["fills"], account["bars"], account["turnover"]) == (2, 3, 1500.0)
    assert (account["halted"], account["opened"]) == (Halt.NONE, 0)
    assert book.weight.tolist() == [-0.5]


def test_a_call_does_not_change_the_book_it_is_given(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules], signals_of: Callable[..., F64]
) -> None:
    bars = bars_of([100.0] * 3, [100.0] * 3)
    book = new_book(1, 1000.0)
    before = {name: array.tobytes() for name, array in to_arrays(book).items()}
    signal = signals_of([UP, DOWN, NAN], bars)
    run_bars(book, rules_of(), bars, signal, signal, Phase.BOTH)
    assert {name: array.tobytes() for name, array in to_arrays(book).items()} == before


def test_after_the_open_a_row_shows_the_bar_so_far(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules], signals_of: Callable[..., F64]
) -> None:
    bars = bars_of([100.0, 110.0], [100.0, 120.0])
    signal = signals_of([UP, NAN], bars)
    rules = rules_of(taker_fee=0.01)
    then, now = bars.rows(0, 1), bars.rows(1, 2)
    book, _ = run_bars(new_book(1, 1000.0), rules, then, signal[:1], signal[:1], Phase.BOTH)
    half, opened = run_bars(book, rules, now, signal[1:], signal[1:], Phase.OPEN)
    assert half.account[0]["opened"] == 1
    assert opened.fees.tolist() == [5.5]
    assert opened.equity.tolist() == [1000.0 - 550.0 - 5.5 + 500.0]
    _, closed = run_bars(half, rules, now, signal[1:], signal[1:], Phase.CLOSE)
    assert len(closed.fills) == 0
    assert closed.fees.tolist() == [5.5]
    assert len(joined(opened, closed).fills) == 1


@pytest.mark.parametrize(
    ("phases", "bars_taken"),
    [
        ([Phase.BOTH, Phase.BOTH], [0, 0]),
        ([Phase.BOTH, Phase.BOTH], [1, 0]),
        ([Phase.OPEN, Phase.OPEN], [0, 1]),
        ([Phase.OPEN, Phase.CLOSE], [0, 1]),
        ([Phase.OPEN, Phase.BOTH], [0, 1]),
        ([Phase.BOTH, Phase.CLOSE], [0, 0]),
    ],
)
def test_a_bar_is_booked_once_and_in_order(
    phases: list[Phase],
    bars_taken: list[int],
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
) -> None:
    bars = bars_of([100.0] * 2, [100.0] * 2)
    signal = np.full((1, 1), UP)
    first, second = bars_taken
    book, _ = run_bars(
        new_book(1, 1000.0), rules_of(), bars.rows(first, first + 1), signal, signal, phases[0]
    )
    with pytest.raises(InvariantError, match="bar"):
        run_bars(book, rules_of(), bars.rows(second, second + 1), signal, signal, phases[1])


def test_shapes_that_do_not_fit_are_refused(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules]
) -> None:
    bars = bars_of([100.0] * 2, [100.0] * 2)
    signal = np.zeros((1, 1))
    with pytest.raises(InvariantError, match="symbols"):
        run_bars(new_book(1, 1000.0), rules_of(), bars, signal, signal, Phase.BOTH)


@pytest.mark.parametrize(
    "given",
    [
        known_of(2, 0.5, np.empty((0, 0))),
        known_of(2, 0.5, np.ones((1, 1))),
        known_of(2, 0.5, np.ones((2, 3))),
        known_of(1, 0.5, np.ones((2, 1))),
    ],
)
def test_what_is_known_of_signals_is_of_these_bars_and_symbols(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules], given: Calibrated
) -> None:
    """A bound of no rows had been read beyond its end."""
    bars = bars_of([100.0] * 2, [100.0] * 2)
    signal = np.full((2, 1), UP)
    rules = rules_of(is_calibrated=True)
    book = new_book(1, 1000.0)
    with pytest.raises(InvariantError, match="known of the signals"):
        run_bars(book, rules, bars, signal, signal, Phase.BOTH, calibrated=given)
    fits = known_of(2, 0.5, np.ones((2, 1)))
    run_bars(book, rules, bars, signal, signal, Phase.BOTH, calibrated=fits)


def test_traces_of_other_bars_are_not_joined(
    bars_of: Callable[..., BarBlock],
    rules_of: Callable[..., Rules],
    signals_of: Callable[..., F64],
    run_all: Callable[..., tuple[Book, Trace]],
) -> None:
    bars = bars_of([100.0] * 2, [100.0] * 2)
    _, trace = run_all(rules_of(), bars, signals_of([UP, UP], bars))
    with pytest.raises(InvariantError, match="open and a close"):
        joined(trace, trace)


def test_arrays_in_another_layout_give_the_same(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules], signals_of: Callable[..., F64]
) -> None:
    prices = [[100.0, 50.0], [101.0, 49.0], [99.0, 51.0]]
    bars = bars_of(prices, prices)
    signal = signals_of([[UP, DOWN], [DOWN, UP], [NAN, NAN]], bars)
    frozen = np.asfortranarray(signal)
    frozen.flags.writeable = False
    book = new_book(2, 1000.0)
    plain = run_bars(book, rules_of(2), bars, signal, signal, Phase.BOTH)[1]
    other = run_bars(book, rules_of(2), bars, frozen, frozen, Phase.BOTH)[1]
    assert plain.equity.tobytes() == other.equity.tobytes()
