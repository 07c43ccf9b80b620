"""Inverse contracts: Bybit's worked examples, what coins do afterwards, and what a cross account keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.ledger import check_books
from bot.portfolio.margin import margin_of
from bot.portfolio.reasons import FillReason, Halt, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace
from tests.portfolio.kernel.conftest import make_full, make_orders

CAPITAL = 10_000.0
NAN = np.nan
BarsOf = Callable[..., BarBlock]
RulesOf = Callable[..., Rules]


def inverse(**changed: Any) -> FullAccount:
    return make_full(make_orders(), inverse=np.ones(1, dtype=np.bool_), has_inverse=True)._replace(
        **changed
    )


def run(rules: Rules, bars: BarBlock, signal: Any) -> tuple[Book, Trace]:
    given = np.array(signal, dtype=float).reshape(bars.close.shape)
    before = new_book(1, CAPITAL)
    after, trace = run_bars(before, rules, bars, given, np.full_like(given, 0.01), Phase.BOTH)
    check_books(before, bars, trace, rules.inverse)
    return after, trace


@pytest.mark.parametrize(
    ("side", "exit_price", "profit"),
    [
        (1.0, 12_000.0, 10_000.0 / 10_000.0 - 10_000.0 / 12_000.0),
        (-1.0, 8_000.0, 10_000.0 / 8_000.0 - 10_000.0 / 10_000.0),
    ],
)
def test_profit_is_in_coin(
    bars_of: BarsOf, rules_of: RulesOf, side: float, exit_price: float, profit: float
) -> None:
    """10,000 contracts at 10,000, closed elsewhere: N (1/entry - 1/exit); it then moves with the coin.

    Bybit's help centre, "P&L calculations (Inverse Contract)".
    """
    prices = [10_000.0, 10_000.0, exit_price, 20_000.0]
    bars = bars_of(prices, [10_000.0, 10_000.0, exit_price, 20_000.0])
    rules = rules_of(fraction=1.0)._replace(full=inverse())
    book, trace = run(rules, bars, [side, 0.0, NAN, NAN])
    assert trace.fills["quantity"].tolist() == [side * 10_000.0, -side * 10_000.0]
    assert book.quantity[0] == 0.0
    assert book.holding["coin"][0] == pytest.approx(profit, rel=1e-12)
    assert book.account["cash"][0] == CAPITAL
    assert trace.equity[2] == pytest.approx(CAPITAL + profit * exit_price, rel=1e-12)
    assert trace.equity[3] == pytest.approx(CAPITAL + profit * 20_000.0, rel=1e-12)


@pytest.mark.parametrize(
    ("side", "exit_price", "loss"),
    [
        (1.0, 8_000.0, 10_000.0 / 8_000.0 - 10_000.0 / 10_000.0),
        (-1.0, 12_000.0, 10_000.0 / 10_000.0 - 10_000.0 / 12_000.0),
    ],
)
def test_a_loss_is_owed_in_coin_until_the_close_and_bought_there(
    bars_of: BarsOf, rules_of: RulesOf, side: float, exit_price: float, loss: float
) -> None:
    """The bar that closes it ends at 11,000, where the coins are bought; to 20,000 nothing is owed any more."""
    opens = [10_000.0, 10_000.0, exit_price, 20_000.0]
    bars = bars_of(opens, [10_000.0, 10_000.0, 11_000.0, 20_000.0])
    book, trace = run(rules_of(fraction=1.0)._replace(full=inverse()), bars, [side, 0.0, NAN, NAN])
    assert book.holding["coin"][0] == 0.0
    assert trace.cash[2:] == pytest.approx([CAPITAL - loss * 11_000.0] * 2, rel=1e-12)
    assert trace.equity[2:].tolist() == trace.cash[2:].tolist()
    assert trace.in_coin[2] == pytest.approx(-loss * 11_000.0, rel=1e-12)


def test_coins_owed_beside_a_position_move_with_it(bars_of: BarsOf, rules_of: RulesOf) -> None:
    """Flipped at 8,000 with a loss of 0.25 coins: they are owed on, and fall with the price to 5,000."""
    prices = [10_000.0, 10_000.0, 8_000.0, 5_000.0]
    book, trace = run(
        rules_of(fraction=1.0)._replace(full=inverse()),
        bars_of(prices, prices),
        [1.0, -1.0, NAN, NAN],
    )
    held = book.quantity[0]
    assert held < 0.0
    assert book.account["cash"][0] == CAPITAL
    assert book.holding["coin"][0] == pytest.approx(-0.25 + held / 8_000.0, rel=1e-12)
    worth = (-0.25 + held / 8_000.0) * 5_000.0 - held
    assert trace.equity[3] == pytest.approx(CAPITAL + worth, rel=1e-12)


@pytest.mark.parametrize("mode", [MarginMode.ISOLATED, MarginMode.NONE])
def test_what_cash_does_not_cover_is_the_insurance_funds(
    bars_of: BarsOf, rules_of: RulesOf, mode: MarginMode
) -> None:
    """10,000 contracts short at 10,000, half of it margin: at 40,000 the half coin lost costs 20,000."""
    full = inverse(margin_mode=int(mode), leverage=np.full(1, 2.0))
    bars = bars_of([10_000.0, 10_000.0, 40_000.0], [10_000.0, 10_000.0, 40_000.0])
    book, trace = run(rules_of(fraction=1.0)._replace(full=full), bars, [-1.0, NAN, NAN])
    if mode is MarginMode.NONE:  # as if the exchange gave credit
        assert trace.equity[-1] == pytest.approx(CAPITAL - (1.0 - 0.25) * 40_000.0)
        return
    (fill,) = trace.fills[1:]
    assert int(fill["reason"]) == FillReason.LIQUIDATION
    lost = float(fill["fee"]) + 10_000.0 * (40_000.0 / 10_000.0 - 1.0)
    assert lost == pytest.approx(20_000.0)
    assert trace.fees[-1] == pytest.approx(
        float(fill["fee"]) - 10_000.0
    )  # and 10,000 is paid for it
    assert (book.account["cash"][0], book.holding["coin"][0]) == (0.0, 0.0)
    assert trace.equity[-1] == 0.0
    assert int(book.account["halted"][0]) == Halt.BANKRUPT


@pytest.mark.parametrize(("side", "worst"), [(1.0, 6_000.0), (-1.0, 30_000.0)])
@pytest.mark.parametrize("marked", [10_000.0, 12_000.0])
def test_what_funding_took_of_a_margin_in_coin_is_that_many_coins(
    bars_of: BarsOf, rules_of: RulesOf, side: float, worst: float, marked: float
) -> None:
    """A coin's worth at 10,000, half of it set aside, of which funding beyond the wallet has taken a tenth of a coin.

    0.4 are left to lose, wherever it is taken over and whatever the last mark was: none remains, and none is owed.
    """
    full = inverse(margin_mode=int(MarginMode.ISOLATED), leverage=np.full(1, 2.0))
    before = new_book(1, 0.0)
    before.mark[:] = marked
    before.quantity[:] = side * 10_000.0
    before.holding["entry"], before.holding["coin"] = 10_000.0, side * 1.0 + 0.5 - 0.1
    bars = bars_of([marked, marked], [worst, worst])
    given = np.full((2, 1), NAN)
    rules = rules_of(fraction=1.0)._replace(full=full)
    book, trace = run_bars(before, rules, bars, given, given, Phase.BOTH)
    assert [int(code) for code in trace.fills["reason"]] == [FillReason.LIQUIDATION]
    assert book.holding["coin"][0] == pytest.approx(0.0, abs=1e-12)
    assert book.account["cash"][0] == pytest.approx(0.0, abs=1e-8)
    lost = 1.0 / 10_000.0 - 1.0 / float(trace.fills["price"][0])
    assert trace.fees[0] / float(trace.fills["price"][0]) == pytest.approx(
        0.4 + side * 10_000.0 * lost
    )


def test_what_earlier_trips_owe_ends_the_position_with_the_account(
    bars_of: BarsOf, rules_of: RulesOf
) -> None:
    """0.6 coins are owed beside 1,000 contracts long: at 30,000 they cost more than all that there is."""
    full = inverse(margin_mode=int(MarginMode.ISOLATED), leverage=np.full(1, 2.0))
    before = new_book(1, CAPITAL)
    before.mark[:] = 10_000.0
    before.quantity[:] = 1_000.0
    before.holding["entry"], before.holding["coin"] = 10_000.0, 0.1 - 0.6
    prices = [10_000.0, 30_000.0]
    rules = rules_of(fraction=1.0)._replace(full=full)
    bars = bars_of(prices, prices)
    given = np.full((2, 1), NAN)
    book, trace = run_bars(before, rules, bars, given, given, Phase.BOTH)
    check_books(before, bars, trace, rules.inverse)
    (fill,) = trace.fills
    assert (int(fill["reason"]), float(fill["price"])) == (FillReason.LIQUIDATION, 30_000.0)
    # 10,000 and half a coin owed, less 1,000 for the contracts: 6,000 are missing
    assert float(fill["fee"]) == pytest.approx(CAPITAL - 0.5 * 30_000.0 - 1_000.0)
    assert trace.equity.tolist() == [pytest.approx(CAPITAL - 6_000.0), 0.0]
    assert (int(book.account["liquidations"][0]), book.quantity[0]) == (1, 0.0)


def test_the_entry_of_two_purchases_is_the_harmonic_mean(
    bars_of: BarsOf, rules_of: RulesOf
) -> None:
    """5,000 contracts each at 10,000 and 12,500 are 0.5 + 0.4 coins: 11,111.11."""
    rules = rules_of(method=1, scale=0.5, max_weight=10.0, band=0.0)._replace(full=inverse())
    bars = bars_of([10_000.0, 10_000.0, 12_500.0], [10_000.0, 10_000.0, 12_500.0])
    book, trace = run(rules, bars, [0.01, 0.02, NAN])
    first, second = trace.fills["quantity"].tolist()
    coins = first / 10_000.0 + second / 12_500.0
    assert book.holding["entry"][0] == pytest.approx((first + second) / coins, rel=1e-12)


def test_fees_and_funding_are_paid_in_coin(bars_of: BarsOf, rules_of: RulesOf) -> None:
    """10,000 at 10,000: 0.06 % of one coin; funding of 0.01 % at a mark of 8,000 of 1.25 coins."""
    bars = bars_of(
        [10_000.0, 10_000.0, 8_000.0],
        [10_000.0, 10_000.0, 8_000.0],
        funding_rate=[0.0, 0.0, 0.0001],
    )
    rules = rules_of(fraction=1.0, taker_fee=0.0006)._replace(full=inverse())
    book, trace = run(rules, bars, [1.0, NAN, NAN])
    coins = 1.0 - 0.0006 - 10_000.0 / 8_000.0 * 0.0001
    assert book.holding["coin"][0] == pytest.approx(coins, rel=1e-12)
    assert (trace.fees[1], trace.funding[2]) == pytest.approx((6.0, 1.0))
    assert book.account["cash"][0] == CAPITAL


@pytest.mark.parametrize(
    ("side", "liquidation"),
    [(1.0, 10_000.0 / (1.0 + 0.02 - 0.005)), (-1.0, 10_000.0 / (1.0 - 0.02 + 0.005))],
)
def test_isolated_liquidation(
    bars_of: BarsOf, rules_of: RulesOf, side: float, liquidation: float
) -> None:
    """10,000 contracts at 10,000 with 50 times, half a percent of maintenance: N / (N/entry ± (IM - MM)).

    Bybit's help centre, "Liquidation Price Calculation under Isolated Mode (Inverse Contract)". Lost are
    the margin of 0.02 coins and the fee for closing N at the bankruptcy price, in coin.
    """
    full = inverse(margin_mode=int(MarginMode.ISOLATED), leverage=np.full(1, 50.0))
    rules = rules_of(fraction=1.0, taker_fee=0.0006)._replace(full=full)
    for beyond, held in ((1e-9, side * 10_000.0), (-1e-9, 0.0)):
        bars = bars_of([10_000.0] * 3, [10_000.0] * 3)
        far = bars.low if side > 0.0 else bars.high
        far[2] = liquidation * (1.0 + side * beyond)
        book, trace = run(rules, bars, [side, NAN, NAN])
        assert book.quantity[0] == held
        if held:
            told = margin_of(book, rules)
            assert told is not None
            assert told.positions[0].liquidation_price == pytest.approx(liquidation, rel=1e-12)
            continue
        fill = trace.fills[-1]
        assert int(fill["reason"]) == FillReason.LIQUIDATION
        assert fill["price"] == pytest.approx(liquidation, rel=1e-12)
        closing = 0.0006 * (1.0 + side * 0.02)
        assert book.holding["coin"][0] == 0.0
        owed = 0.0006 + 0.02 + closing
        assert book.account["cash"][0] == pytest.approx(CAPITAL - owed * 10_000.0, rel=1e-9)


def test_what_funding_has_taken_of_a_margin_is_not_lost_twice(
    bars_of: BarsOf, rules_of: RulesOf
) -> None:
    """10,000 contracts at 100 set 10 of 100 coins aside at ten times, and the wallet has but 8 left of them.

    Marked and taken over at 91, beyond the bankruptcy price: 8 coins are lost, and nothing is owed.
    """
    full = inverse(margin_mode=int(MarginMode.ISOLATED), leverage=np.full(1, 10.0))
    before = new_book(1, 0.0)
    before.quantity[:], before.mark[:] = 10_000.0, 91.0
    before.holding["entry"], before.holding["coin"] = 100.0, 108.0
    nothing = np.full((1, 1), NAN)
    after, trace = run_bars(
        before,
        rules_of()._replace(full=full),
        bars_of([91.0], [91.0]),
        nothing,
        nothing,
        Phase.BOTH,
    )
    assert trace.fills["price"].tolist() == [91.0]
    assert after.quantity[0] == 0.0
    assert after.holding["coin"][0] == pytest.approx(0.0, abs=1e-9)


def test_a_cross_account_keeps_nothing_of_cash_and_coins(
    bars_of: BarsOf, rules_of: RulesOf
) -> None:
    """Long 5 times its equity: 10,000 + 50,000 (m/p - 1) = half a percent of 50,000."""
    full = inverse(margin_mode=int(MarginMode.CROSS), leverage=np.full(1, 50.0))
    bars = bars_of([10_000.0] * 3, [10_000.0] * 3)
    bars.low[2] = 7_000.0
    rules = rules_of(fraction=5.0)._replace(full=full)
    book, trace = run(rules, bars, [1.0, NAN, NAN])
    assert trace.fills["price"][-1] == pytest.approx(
        10_000.0 * (1.0 - (CAPITAL - 250.0) / 50_000.0)
    )
    assert book.account["equity"][0] == 0.0
    assert book.holding["coin"][0] == 0.0
    assert int(book.account["halted"][0]) == Halt.BANKRUPT


def test_a_short_of_the_coins_that_are_held_has_no_price_to_fear(
    bars_of: BarsOf, rules_of: RulesOf
) -> None:
    """One coin of profit is held, and one coin's worth is short: its worth is the same at any price."""
    full = inverse(margin_mode=int(MarginMode.CROSS), leverage=np.full(1, 2.0))
    rules = rules_of(fraction=1.0)._replace(full=full)
    bars = bars_of([10_000.0] * 2 + [40_000.0], [10_000.0] * 2 + [40_000.0])
    before = new_book(1, 0.0)
    before.holding["coin"] = 1.0
    before.mark[:] = 10_000.0
    before.account["equity"] = CAPITAL
    signal = np.array([[-1.0], [NAN], [NAN]])
    _, trace = run_bars(before, rules, bars, signal, np.full((3, 1), 0.01), Phase.BOTH)
    assert trace.quantity[-1, 0] == -10_000.0
    assert trace.equity.tolist() == pytest.approx([CAPITAL] * 3)


@pytest.mark.parametrize(("contracts", "filled"), [(4.0, []), (6.0, [6.0])])
def test_the_least_notional_of_an_order_is_of_contracts(
    bars_of: BarsOf, rules_of: RulesOf, contracts: float, filled: list[float]
) -> None:
    """4 contracts are 4 dollars, whatever the price: less than 5."""
    rules = rules_of(fraction=contracts / CAPITAL, quantity_step=1.0, min_notional=5.0)
    bars = bars_of([100.0] * 3, [100.0] * 3)
    _, trace = run(rules._replace(full=inverse()), bars, [1.0, NAN, NAN])
    assert trace.fills["quantity"].tolist() == filled
    assert (Refusal.MIN_NOTIONAL in trace.refusal[:, 0]) is (not filled)
