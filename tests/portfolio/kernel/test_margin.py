"""Margin and liquidation: the exchange's worked examples, gaps, tiers, and what a cross account keeps."""

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
from bot.portfolio.limits import RiskLimits
from bot.portfolio.order_rules import plain_orders
from bot.portfolio.reasons import FillReason, Halt, Refusal
from bot.portfolio.rules import FillAt, Rules
from bot.portfolio.trace import Phase, Trace

CAPITAL = 10_000.0
HALF_PERCENT = ((np.inf, 0.005, 0.0, 100.0),)
TIERED = ((2_000_000.0, 0.005, 0.0, 100.0), (np.inf, 0.0056, 1_200.0, 90.0))

BarsOf = Callable[..., BarBlock]
RulesOf = Callable[..., Rules]


def full_account(n_symbols: int = 1, tiers: Any = HALF_PERCENT, **changed: Any) -> FullAccount:
    table = np.array([tiers] * n_symbols)
    return FullAccount(
        margin_mode=int(MarginMode.ISOLATED),
        contract=np.ones(n_symbols, dtype=np.bool_),
        leverage=np.full(n_symbols, 50.0),
        tier_limit=table[:, :, 0].copy(),
        tier_rate=table[:, :, 1].copy(),
        tier_deduction=table[:, :, 2].copy(),
        tier_leverage=table[:, :, 3].copy(),
        borrow=False,
        interest=0.0,
        optimistic=False,
        orders=plain_orders(n_symbols),
        risk=RiskLimits(settlement_fee=np.zeros(n_symbols)),
    )._replace(**changed)


def run(book: Book, rules: Rules, bars: BarBlock, signal: Any) -> tuple[Book, Trace]:
    signal = np.array(signal, dtype=float).reshape(bars.close.shape)
    after, trace = run_bars(book, rules, bars, signal, np.full_like(signal, 0.01), Phase.BOTH)
    check_books(book, bars, trace)
    return after, trace


@pytest.fixture
def held(bars_of: BarsOf, rules_of: RulesOf) -> Callable[..., tuple[Book, Trace]]:
    """Decide at the first close, fill at the second open; the third bar opens and goes where it is told."""

    def hold(
        quantity: float, entry: float, *, far: float, opens: float | None = None,
        capital: float = CAPITAL, full: FullAccount | None = None, **changed: Any,
    ) -> tuple[Book, Trace]:  # fmt: skip
        third = entry if opens is None else opens
        bars = bars_of([entry, entry, third], [entry, entry, third])
        (bars.low if quantity > 0.0 else bars.high)[2] = far
        rules = rules_of(fraction=abs(quantity) * entry / capital, **changed)
        rules = rules._replace(full=full_account() if full is None else full)
        return run(new_book(1, capital), rules, bars, [quantity, np.nan, np.nan])

    return hold


def last(trace: Trace) -> Any:
    return trace.fills[-1]


@pytest.mark.parametrize(
    ("quantity", "liquidation"),
    [(1.0, 19_700.0), (-1.0, 20_300.0)],
)
def test_the_exchanges_example_of_isolated_margin(
    held: Callable[..., tuple[Book, Trace]], quantity: float, liquidation: float
) -> None:
    """One coin at 20,000 with 50 times and half a percent of maintenance: 300 away; the margin of 400 is lost.

    Bybit's help centre, "Liquidation Price (USDT Contract)", example 1, and its mirror image.
    """
    side = np.sign(quantity)
    book, trace = held(quantity, 20_000.0, far=liquidation + side * 0.01)
    assert len(trace.fills) == 1
    assert book.quantity[0] == quantity
    book, trace = held(quantity, 20_000.0, far=liquidation)
    fill = last(trace)
    assert int(fill["reason"]) == FillReason.LIQUIDATION
    assert fill["price"] == pytest.approx(liquidation, abs=1e-9)
    assert book.quantity[0] == 0.0
    assert book.account["equity"][0] == pytest.approx(CAPITAL - 400.0, abs=1e-9)


def test_a_gap_beyond_the_bankruptcy_price_costs_the_margin_and_no_more(
    held: Callable[..., tuple[Book, Trace]],
) -> None:
    """It opens at 15,000: the market's loss is 5,000, the insurance fund pays 4,600 of it."""
    book, trace = held(1.0, 20_000.0, opens=15_000.0, far=14_000.0)
    assert last(trace)["price"] == 15_000.0
    assert last(trace)["fee"] == pytest.approx(-4_600.0)
    assert book.account["equity"][0] == pytest.approx(CAPITAL - 400.0)


def test_the_closing_fee_of_the_bankruptcy_price_is_lost_too(
    held: Callable[..., tuple[Book, Trace]],
) -> None:
    book, _ = held(1.0, 20_000.0, far=19_000.0, taker_fee=0.001)
    opened = 20_000.0 * 0.001
    assert book.account["equity"][0] == pytest.approx(CAPITAL - 400.0 - opened - 19_600.0 * 0.001)


def test_a_larger_position_is_in_a_higher_tier(held: Callable[..., tuple[Book, Trace]]) -> None:
    """2,600,000 of value: maintenance is 2,000,000 x 0.5 % + 600,000 x 0.56 % = 13,360, margin 52,000."""
    full = full_account(tiers=TIERED)
    liquidation = 26_000.0 - (52_000.0 - 13_360.0) / 100.0
    capital = 1_000_000.0
    _, trace = held(100.0, 26_000.0, far=liquidation + 0.01, capital=capital, full=full)
    assert len(trace.fills) == 1
    book, trace = held(100.0, 26_000.0, far=liquidation - 5.0, capital=capital, full=full)
    assert last(trace)["price"] == pytest.approx(liquidation, abs=1e-9)
    assert book.account["equity"][0] == pytest.approx(capital - 52_000.0)


def test_marks_decide_and_not_the_bars_prices(bars_of: BarsOf, rules_of: RulesOf) -> None:
    """At 50 times half a percent of maintenance leaves 1.5 %: a wick of the last price is not the mark's."""
    rules = rules_of(fraction=1.0)._replace(full=full_account())
    for low, mark_low, held in ((50.0, 99.0, 100.0), (100.0, 50.0, 0.0)):
        bars = bars_of(
            [100.0] * 3, [100.0] * 3, low=[100.0, 100.0, low], mark_low=[np.nan, np.nan, mark_low]
        )
        book, _ = run(new_book(1, CAPITAL), rules, bars, [1.0, np.nan, np.nan])
        assert book.quantity[0] == held


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_cross_account_stands_for_its_positions_together(
    bars_of: BarsOf, rules_of: RulesOf, side: float
) -> None:
    """Equity of 10,000 holds 5 x 10,000 each of two; where both lose 10 % together nothing is left.

    The mark at which it goes: 10,000 = loss + 0.5 % of the value there.
    """
    full = full_account(2, margin_mode=int(MarginMode.CROSS))
    bars = bars_of([[100.0, 10.0]] * 3, [[100.0, 10.0]] * 3)
    far = bars.low if side > 0 else bars.high
    far[2] = [100.0 * (1 - 0.15 * side), 10.0 * (1 - 0.15 * side)]
    rules = rules_of(2, fraction=5.0)._replace(full=full)
    book, trace = run(new_book(2, CAPITAL), rules, bars, [[side] * 2, [np.nan] * 2, [np.nan] * 2])
    taken = [f for f in trace.fills if f["reason"] == FillReason.LIQUIDATION]
    loss = (CAPITAL - 500.0) / (
        100_000.0 - side * 500.0
    )  # loss - side x 0.5 % of it = 10,000 - 500
    assert [f["price"] for f in taken] == pytest.approx(
        [100.0 * (1 - side * loss), 10.0 * (1 - side * loss)], rel=1e-12
    )
    assert book.account["equity"][0] == 0.0
    assert not book.quantity.any()
    assert int(book.account["halted"][0]) == Halt.BANKRUPT
    assert int(book.account["liquidations"][0]) == 1


def test_one_position_of_a_cross_account_is_carried_by_the_other(
    bars_of: BarsOf, rules_of: RulesOf
) -> None:
    full = full_account(2, margin_mode=int(MarginMode.CROSS))
    bars = bars_of([[100.0, 10.0]] * 3, [[100.0, 10.0]] * 3)
    bars.low[2] = [85.0, 10.0]
    rules = rules_of(2, fraction=5.0)._replace(full=full)
    book, _ = run(new_book(2, CAPITAL), rules, bars, [[1.0, 1.0], [np.nan] * 2, [np.nan] * 2])
    assert book.quantity.tolist() == [500.0, 5_000.0]


def test_increases_shrink_to_the_margin_there_is(bars_of: BarsOf, rules_of: RulesOf) -> None:
    """At 10 times, 10,000 hold 100,000 of the 400,000 that are asked for, and the refusal says so."""
    full = full_account(2, leverage=np.array([10.0, 10.0]), margin_mode=int(MarginMode.CROSS))
    bars = bars_of([[100.0, 10.0]] * 2, [[100.0, 10.0]] * 2)
    rules = rules_of(2, fraction=20.0)._replace(full=full)
    book, trace = run(new_book(2, CAPITAL), rules, bars, [[1.0, 1.0], [np.nan] * 2])
    assert (book.quantity * [100.0, 10.0]).tolist() == pytest.approx([50_000.0, 50_000.0])
    assert trace.refusal[0].tolist() == [Refusal.MARGIN] * 2


def test_margin_that_is_used_to_the_last_is_enough(bars_of: BarsOf, rules_of: RulesOf) -> None:
    """At 10 times, 10,000 hold 100,000."""
    full = full_account(leverage=np.array([10.0]), margin_mode=int(MarginMode.CROSS))
    rules = rules_of(fraction=10.0)._replace(full=full)
    bars = bars_of([100.0] * 2, [100.0] * 2)
    book, trace = run(new_book(1, CAPITAL), rules, bars, [1.0, np.nan])
    assert book.quantity[0] == 1_000.0
    assert not trace.refusal.any()


def test_an_increase_ends_where_the_next_tier_would_ask_for_more_than_there_is(
    held: Callable[..., tuple[Book, Trace]],
) -> None:
    """21,000 hold 2,000,000 at 100 times; a unit more is in the tier of 90, which asks for 22,222."""
    full = full_account(tiers=TIERED, leverage=np.array([100.0]), margin_mode=int(MarginMode.CROSS))
    book, trace = held(100.0, 26_000.0, far=26_000.0, capital=21_000.0, full=full)
    assert book.quantity[0] * 26_000.0 == pytest.approx(2_000_000.0)
    assert trace.refusal[0, 0] == Refusal.MARGIN


@pytest.mark.parametrize(
    ("mode", "most"), [(MarginMode.ISOLATED, 89_000.0), (MarginMode.CROSS, 99_000.0)]
)
def test_what_an_isolated_position_has_gained_holds_no_other(
    bars_of: BarsOf, rules_of: RulesOf, mode: MarginMode, most: float
) -> None:
    """100 long from 100 have made 1,000 at 110, where their margin is 1,100 of 10,000 or of 11,000."""
    full = full_account(2, leverage=np.array([10.0, 10.0]), margin_mode=int(mode))
    rules = rules_of(2, fraction=20.0)._replace(full=full)
    bars = bars_of([[110.0, 10.0]], [[110.0, 10.0]])
    book = new_book(2, CAPITAL)
    book.account["cash"] = CAPITAL - 10_000.0
    book.quantity[0], book.mark[:] = 100.0, [100.0, 10.0]
    book.holding["entry"][0] = 100.0
    after, trace = run(book, rules, bars, [[np.nan, 1.0]])
    assert after.account["equity"][0] == CAPITAL + 1_000.0
    assert trace.order[0, 1] * 10.0 == pytest.approx(most)


def test_what_is_paid_in_full_is_cut_to_the_cash(bars_of: BarsOf, rules_of: RulesOf) -> None:
    """Prices rise by a tenth between decision and fill; fees come on top, steps are whole."""
    full = full_account(contract=np.zeros(1, dtype=np.bool_))
    bars = bars_of([100.0, 110.0], [100.0, 110.0])
    rules = rules_of(fraction=1.0, taker_fee=0.001, quantity_step=0.01)._replace(full=full)
    book, trace = run(new_book(1, CAPITAL), rules, bars, [1.0, np.nan])
    assert book.quantity[0] == pytest.approx(np.floor(CAPITAL / (110.0 * 1.001) * 100) / 100)
    assert 0.0 <= book.account["cash"][0] < 1.2
    assert trace.refusal[1, 0] == Refusal.NO_CASH


@pytest.mark.parametrize(
    ("close", "settles", "held"),
    [(98.6, np.nan, 100.0), (98.4, np.nan, 0.0), (98.6, 98.4, 0.0), (98.4, 98.6, 0.0)],
)
def test_margin_is_looked_at_again_at_the_end_of_the_bar(
    bars_of: BarsOf, rules_of: RulesOf, close: float, settles: float, held: float
) -> None:
    """98.5 is where it ends. The marks' lowest was above, the close or the settlement is below."""
    bars = bars_of(
        [100.0] * 3, [100.0, 100.0, close], mark_low=[np.nan, np.nan, 99.0],
        settlement_price=[np.nan, np.nan, settles],
    )  # fmt: skip
    rules = rules_of(fraction=1.0)._replace(full=full_account())
    book, trace = run(new_book(1, CAPITAL), rules, bars, [1.0, np.nan, np.nan])
    assert book.quantity[0] == held
    if held == 0.0:
        taken = settles != 98.6
        reason = FillReason.LIQUIDATION if taken else FillReason.SETTLEMENT
        assert int(last(trace)["reason"]) == reason
        assert last(trace)["price"] == pytest.approx(98.5 if taken else 98.6)
        assert book.account["equity"][0] == pytest.approx(CAPITAL - (200.0 if taken else 140.0))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_an_isolated_position_finds_its_margin_and_both_fees(
    bars_of: BarsOf, rules_of: RulesOf, side: float
) -> None:
    """At 10 times: a tenth of the value, its fee, and the fee at 0.9 (long) or 1.1 (short) of it.

    Bybit's help centre, "Order Cost (USDT Contract)". Where the open is dearer, the fill is less.
    """
    fee, gap = 0.001, 1.02
    bars = bars_of([100.0, 100.0 * gap], [100.0, 100.0 * gap])
    full = full_account(leverage=np.array([10.0]))
    rules = rules_of(fraction=20.0, taker_fee=fee)._replace(full=full)
    _, trace = run(new_book(1, CAPITAL), rules, bars, [side, np.nan])
    of_value = 0.1 + fee + fee * (1.0 - side * 0.1)
    assert abs(trace.order[0, 0]) == pytest.approx(CAPITAL / of_value / 100.0)
    assert abs(trace.fills["quantity"][0]) == pytest.approx(CAPITAL / of_value / 100.0 / gap)
    assert trace.refusal[:, 0].tolist() == [Refusal.MARGIN] * 2


def test_a_reversal_closes_and_opens_what_there_is_margin_for(
    bars_of: BarsOf, rules_of: RulesOf
) -> None:
    """1,000 long are worth 500 at the open at which they turn: 5,000 short is all that there is."""
    bars = bars_of([100.0, 100.0, 90.5], [100.0, 100.0, 90.5])
    full = full_account(leverage=np.array([10.0]))._replace(
        tier_rate=np.full((1, 1), 1e-6)
    )  # it is not taken over before
    rules = rules_of(fraction=10.0)._replace(full=full)
    book, trace = run(new_book(1, CAPITAL), rules, bars, [1.0, -1.0, np.nan])
    assert trace.fills["quantity"].tolist() == pytest.approx([1_000.0, -1_000.0 - 500.0 / 9.05])
    assert book.quantity[0] == pytest.approx(-500.0 / 9.05)
    assert trace.refusal[2, 0] == Refusal.MARGIN


@pytest.mark.parametrize("fill_at", [FillAt.NEXT_OPEN, FillAt.NEXT_CLOSE])
def test_what_is_sold_pays_for_what_is_bought(
    bars_of: BarsOf, rules_of: RulesOf, fill_at: FillAt
) -> None:
    """The second symbol is sold at the open or close at which the first is bought with the money."""
    full = full_account(2, contract=np.zeros(2, dtype=np.bool_))
    bars = bars_of([[100.0, 10.0]] * 3, [[100.0, 10.0]] * 3)
    rules = rules_of(2, fraction=1.0, allow_short=False, fill_at=fill_at)._replace(full=full)
    book, trace = run(new_book(2, CAPITAL), rules, bars, [[0.0, 1.0], [1.0, 0.0], [np.nan] * 2])
    assert book.quantity.tolist() == [100.0, 0.0]
    assert book.account["cash"][0] == 0.0
    assert not trace.refusal.any()


@pytest.mark.parametrize("times", [1.0, 1e-4])
def test_borrowed_cash_costs_interest(bars_of: BarsOf, rules_of: RulesOf, times: float) -> None:
    full = full_account(
        contract=np.zeros(1, dtype=np.bool_), borrow=True, interest=0.001,
        margin_mode=int(MarginMode.CROSS),
    )  # fmt: skip
    bars = bars_of([100.0] * 4, [100.0] * 4)
    rules = rules_of(fraction=3.0)._replace(full=full)
    book, trace = run(new_book(1, CAPITAL * times), rules, bars, [1.0, *[np.nan] * 3])
    assert book.quantity[0] == pytest.approx(300.0 * times)
    first, second, third = 20_000 * 0.001, 20_020 * 0.001, 20_040.02 * 0.001
    assert book.account["interest"][0] == pytest.approx(times * (first + second + third))
    assert trace.fees.tolist() == pytest.approx([0.0, times * first, times * second, times * third])


def test_bar_by_bar_is_all_at_once(bars_of: BarsOf, rules_of: RulesOf) -> None:
    """With liquidations and caps: any partition, and open then close, give the same bits."""
    rng = np.random.default_rng(3)
    steps = np.exp(np.cumsum(rng.normal(0.0, 0.03, (300, 3)), axis=0))
    open_, close = 100.0 * steps[:-1], 100.0 * steps[1:]
    bars = bars_of(open_.tolist(), close.tolist())
    bars.low[:] *= 0.98
    bars.high[:] *= 1.02
    signal = rng.normal(0.0, 1.0, close.shape)
    volatility = np.full_like(signal, 0.01)
    full = full_account(3, leverage=np.full(3, 20.0))
    for mode in (MarginMode.CROSS, MarginMode.ISOLATED):
        rules = rules_of(3, fraction=4.0, taker_fee=0.001)
        rules = rules._replace(full=full._replace(margin_mode=int(mode)))
        whole, trace = run_bars(new_book(3, CAPITAL), rules, bars, signal, volatility, Phase.BOTH)
        assert (trace.fills["reason"] == FillReason.LIQUIDATION).any()
        book = new_book(3, CAPITAL)
        for i in range(len(bars)):
            for phase in (Phase.OPEN, Phase.CLOSE):
                at = slice(i, i + 1)
                book, _ = run_bars(
                    book, rules, bars.rows(i, i + 1), signal[at], volatility[at], phase
                )
        for name in Book._fields:
            assert getattr(book, name).tobytes() == getattr(whole, name).tobytes(), name
