"""What a reader is told of an account's margin, held against where the kernel liquidates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.margin import is_called, margin_of, used_margin
from bot.portfolio.order_rules import plain_orders
from bot.portfolio.reasons import FillReason
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace

CAPITAL = 10_000.0
TIERS = ((20_000.0, 0.005, 0.0, 100.0), (np.inf, 0.01, 100.0, 50.0))


def account(mode: MarginMode) -> FullAccount:
    table = np.array([TIERS] * 2)
    return FullAccount(
        margin_mode=int(mode), contract=np.ones(2, dtype=np.bool_), leverage=np.full(2, 20.0),
        tier_limit=table[:, :, 0].copy(), tier_rate=table[:, :, 1].copy(),
        tier_deduction=table[:, :, 2].copy(), tier_leverage=table[:, :, 3].copy(),
        borrow=False, interest=0.0, optimistic=False, orders=plain_orders(2),
    )  # fmt: skip


def hold(
    bars_of: Callable[..., BarBlock], rules: Rules, sides: tuple[float, float], far: float | None
) -> tuple[Book, Trace]:
    """Hold both symbols from the second open on; the first one's third bar reaches `far`."""
    bars = bars_of([[100.0, 10.0]] * 3, [[100.0, 10.0]] * 3)
    if far is not None:
        (bars.low if sides[0] > 0.0 else bars.high)[2, 0] = far
    last = 2 if far is None else 3
    signal = np.full((last, 2), np.nan)
    signal[0] = sides
    return run_bars(
        new_book(2, CAPITAL),
        rules,
        bars.rows(0, last),
        signal,
        np.full((last, 2), 0.01),
        Phase.BOTH,
    )


@given(
    mode=st.sampled_from([MarginMode.CROSS, MarginMode.ISOLATED]),
    sides=st.tuples(st.sampled_from([-1.0, 1.0]), st.sampled_from([-1.0, 1.0])),
    weight=st.floats(0.5, 4.0),
    fee=st.sampled_from([0.0, 0.001]),
)
@settings(max_examples=40, deadline=None)
def test_the_kernel_liquidates_at_the_price_that_is_told(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules],
    mode: MarginMode, sides: tuple[float, float], weight: float, fee: float,
) -> None:  # fmt: skip
    """A hair before it nothing happens, a hair beyond it the position is gone."""
    rules = rules_of(2, fraction=weight, taker_fee=fee)._replace(full=account(mode))
    book, _ = hold(bars_of, rules, sides, None)
    margin = margin_of(book, rules)
    assert margin is not None
    assert margin.mode == mode.name.lower()
    told = margin.positions[0].liquidation_price
    if told is None:  # a long that the whole account carries down to nothing
        _, trace = hold(bars_of, rules, sides, 1e-9)
        assert FillReason.LIQUIDATION not in trace.fills["reason"]
        return
    assert margin.positions[0].distance == pytest.approx(abs(told / 100.0 - 1.0))
    for hair, gone in ((1e-9, False), (-1e-9, True)):
        _, trace = hold(bars_of, rules, sides, told * (1.0 + sides[0] * hair))
        assert (FillReason.LIQUIDATION in trace.fills["reason"]) is gone


def test_used_margin_calls_before_the_end(
    bars_of: Callable[..., BarBlock], rules_of: Callable[..., Rules]
) -> None:
    """20 times the equity of 10,000 in two symbols: 1,800 must be left, so 18 % is used, and no call."""
    rules = rules_of(2, fraction=10.0)._replace(full=account(MarginMode.CROSS))
    book, _ = hold(bars_of, rules, (1.0, 1.0), None)
    margin = margin_of(book, rules)
    assert margin is not None
    assert (margin.initial, margin.maintenance) == pytest.approx((10_000.0, 1_800.0))
    assert margin.used == pytest.approx(0.18)
    assert not margin.is_called
    book.account["equity"] = 2_000.0
    called = margin_of(book, rules)
    assert called is not None
    assert called.is_called


def test_without_contracts_there_is_no_margin(rules_of: Callable[..., Rules]) -> None:
    rules = rules_of(2)._replace(full=account(MarginMode.CROSS))
    assert margin_of(new_book(2, CAPITAL), rules) is None
    assert margin_of(new_book(2, CAPITAL), rules_of(2)) is None


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_inverse_position_ends_where_cash_and_coins_leave_its_margin(
    rules_of: Callable[..., Rules], sign: float
) -> None:
    """40,000 contracts at 100 are 400 coins, in the first tier, which goes to 20,000 coins."""
    full = account(MarginMode.CROSS)._replace(inverse=np.ones(2, dtype=np.bool_), has_inverse=True)
    rules = rules_of(2, taker_fee=0.0)._replace(full=full)
    book = new_book(2, 2_000.0)
    book.quantity[0], book.mark[0] = sign * 40_000.0, 100.0
    book.holding[0]["entry"], book.holding[0]["coin"] = 100.0, sign * 400.0
    book.account["equity"] = 2_000.0
    margin = margin_of(book, rules)
    assert margin is not None
    (told,) = margin.positions
    assert (told.initial, told.maintenance) == (2_000.0, 200.0)
    # 2,000 + 400 (p - 100) = 0.005 x 40,000 for a long, and with the other sign for a short
    assert told.liquidation_price == pytest.approx(100.0 - sign * 1_800.0 / 400.0)


def test_coins_that_cash_covers_end_at_no_price(rules_of: Callable[..., Rules]) -> None:
    full = account(MarginMode.CROSS)._replace(inverse=np.ones(2, dtype=np.bool_), has_inverse=True)
    rules = rules_of(2)._replace(full=full)
    book = new_book(2, CAPITAL)
    book.quantity[0], book.mark[0] = 1_000.0, 100.0
    book.holding[0]["entry"], book.holding[0]["coin"] = 100.0, 10.0
    book.account["equity"] = CAPITAL
    margin = margin_of(book, rules)
    assert margin is not None
    assert margin.positions[0].liquidation_price is None


def held_since(
    quantity: tuple[float, float], entry: tuple[float, float], mark: tuple[float, float],
    equity: float,
) -> Book:  # fmt: skip
    book = new_book(2, equity)
    book.quantity[:], book.mark[:] = quantity, mark
    book.holding["entry"] = np.where(book.quantity != 0.0, entry, 0.0)
    book.account["equity"] = equity
    return book


@pytest.mark.parametrize(
    ("mark", "used"), [(98.0, 50.0 / 300.0), (104.0, 50.0 / 500.0), (95.0, np.inf), (94.0, np.inf)]
)
def test_of_isolated_positions_the_one_that_has_used_most_counts(
    rules_of: Callable[..., Rules], mark: float, used: float
) -> None:
    """10,000 each at 20 times: of 500, and what was made, 50 must be left; the second stays at its entry."""
    rules = rules_of(2)._replace(full=account(MarginMode.ISOLATED))
    book = held_since((100.0, 1_000.0), (100.0, 10.0), (mark, 10.0), CAPITAL)
    assert used_margin(book, rules) == pytest.approx(used)
    told = margin_of(book, rules)
    assert told is not None
    assert told.used == pytest.approx(used)
    assert told.is_called is (used == np.inf)
    assert told.positions[0].made == pytest.approx(100.0 * (mark - 100.0))


@pytest.mark.parametrize(
    ("equity", "used"), [(100.0, 0.5), (0.5, 100.0), (50.0, 1.0), (0.0, np.inf), (-1.0, np.inf)]
)
def test_of_a_cross_account_what_it_needs_over_its_equity(
    rules_of: Callable[..., Rules], equity: float, used: float
) -> None:
    """10,000 of one symbol: 50 must be left."""
    rules = rules_of(2)._replace(full=account(MarginMode.CROSS))
    book = held_since((100.0, 0.0), (100.0, 0.0), (100.0, 10.0), equity)
    assert used_margin(book, rules) == pytest.approx(used)


@pytest.mark.parametrize("mode", [MarginMode.ISOLATED, MarginMode.CROSS])
@pytest.mark.parametrize("equity", [0.0, CAPITAL])
def test_with_nothing_held_no_margin_is_used(
    rules_of: Callable[..., Rules], mode: MarginMode, equity: float
) -> None:
    book = held_since((0.0, 0.0), (0.0, 0.0), (100.0, 10.0), equity)
    assert used_margin(book, rules_of(2)._replace(full=account(mode))) == 0.0
    assert used_margin(book, rules_of(2)) == 0.0


def test_a_person_is_told_from_four_fifths_on() -> None:
    assert is_called(0.8)
    assert not is_called(0.8 - 1e-12)


@pytest.mark.parametrize(
    ("quantity", "mark", "equity", "price"),
    [
        (-1.0, 100.0, 101.5, 201.5 / 1.005),  # at 200 half of one is left beyond it
        (-1.0, 1e5, 1e8, (1e8 + 1e5 + 100.0) / 1.01),  # a thousand marks away, in the tier of 1 %
        (0.5, 20_000.0, 1_000.0, 9_000.0 / 0.4975),  # less than a unit
        (0.01, 100.0, 0.5, 0.5 / 0.00995),  # less than one of equity
        (1e9, 1e-7, 50.0, 50.0 / 0.995e9),  # next to nothing as a number, and not as a price
        (1.0, 100.0, 100.5, None),  # half of one is left at a price of nothing
        (1.0, 100.0, 0.5, 100.0),  # as much as must be left: at the mark
    ],
)
def test_where_a_cross_account_ends(
    rules_of: Callable[..., Rules], quantity: float, mark: float, equity: float, price: float | None
) -> None:
    """Where equity + q (p - mark) is 0.5 % of |q| p, or 1 % less 100 above 20,000."""
    rules = rules_of(2)._replace(full=account(MarginMode.CROSS))
    told = margin_of(held_since((quantity, 0.0), (mark, 0.0), (mark, 10.0), equity), rules)
    assert told is not None
    (position,) = told.positions
    if price is None:
        assert position.liquidation_price is None
        assert position.distance is None
    else:
        assert position.liquidation_price == pytest.approx(price, rel=1e-12)
        assert position.distance == pytest.approx(abs(price / mark - 1.0), rel=1e-9)


def test_a_small_isolated_position_has_used_as_much_as_a_large_one(
    rules_of: Callable[..., Rules],
) -> None:
    """One of value sets 0.05 aside, of which 0.005 must be left."""
    rules = rules_of(2)._replace(full=account(MarginMode.ISOLATED))
    book = held_since((0.01, 0.0), (100.0, 0.0), (100.0, 10.0), CAPITAL)
    assert used_margin(book, rules) == pytest.approx(0.1)


@pytest.mark.parametrize("mode", [MarginMode.ISOLATED, MarginMode.CROSS])
def test_an_inverse_position_is_told_in_the_quote_currency(
    rules_of: Callable[..., Rules], mode: MarginMode
) -> None:
    """10,000 contracts at 100 are 100 coins: 5 at 20 times, 0.5 to be left, 20 made at 125; cross, of 80 coins."""
    full = account(mode)._replace(inverse=np.ones(2, dtype=np.bool_), has_inverse=True)
    book = held_since((10_000.0, 0.0), (100.0, 0.0), (125.0, 10.0), CAPITAL)
    book.holding["coin"][0] = 100.0
    told = margin_of(book, rules_of(2)._replace(full=full))
    assert told is not None
    (position,) = told.positions
    coins = 100.0 if mode is MarginMode.ISOLATED else 80.0
    assert position.initial == pytest.approx(coins / 20.0 * 125.0)
    assert position.maintenance == pytest.approx(coins * 0.005 * 125.0)
    assert position.made == pytest.approx(20.0 * 125.0)
    assert told.used == pytest.approx(0.5 / 25.0 if coins == 100.0 else 0.4 * 125.0 / CAPITAL)
