"""Coins and profits of inverse symbols, against the kernel and against a walk through its fills."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.blocks import F64, FILL, BarBlock
from bot.config import load_config
from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.funding import funding_paid
from bot.portfolio.reasons import FillReason
from bot.portfolio.rules import rules_from
from bot.portfolio.trace import Phase, Trace
from bot.report.booked import Booked, CoinsHeld
from bot.report.money.coins import coin_profit, coins_of, unexplained
from bot.report.money.days import notional_by_bar
from bot.report.money.round_trips import profits, round_trips
from bot.report.money.trades import TradeWalk, trades_of
from bot.timegrid import DAY_MS
from tests.report.money.test_trades import piece_of

N, CAPITAL = 400, 100_000.0
SYMBOLS = ("BTCUSD", "ETHUSD", "bybit_linear:SOLUSDT")
INVERSE = np.array([True, True, False])


def wild_market(seed: int, swing: float = 0.03) -> BarBlock:
    """Return daily bars with holes, marks, and funding at their opens and inside them."""
    rng = np.random.default_rng(seed)
    shape = (N, 3)
    close = np.array([40_000.0, 2_500.0, 100.0]) * np.exp(
        np.cumsum(swing * rng.standard_normal(shape), axis=0)
    )
    valid = rng.random(shape) < 0.9
    opened = close * np.exp(0.01 * rng.standard_normal(shape))
    high, low = np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.99

    def known(values: F64) -> F64:
        return np.where(valid, values, np.nan)

    inside = rng.choice([0.0, 1e-3, -2e-3], shape) * opened
    inside[0] = 0.0
    return BarBlock.of_candles(
        np.arange(N) * DAY_MS, known(opened), known(high), known(low), known(close),
        known(np.full(shape, 1e12)), valid=valid,
        funding_rate=rng.choice([0.0, 1e-3, -2e-3, np.nan], shape),
        mark=np.where(rng.random(shape) < 0.5, 1.001 * opened, np.nan), funding_inside=inside,
    )  # fmt: skip


def booked(bars: BarBlock, seed: int, **changes: Any) -> tuple[Booked, Trace]:
    """Trade random sides with costs, and return the account as a report sees it."""
    given = {"market.symbols": ",".join(SYMBOLS), "policy.kind": "threshold", **changes}
    config = load_config(
        None,
        ["market.venue=bybit_inverse", "market.interval=1d", "sizing.fraction=0.3"]
        + [f"{key}={value}" for key, value in given.items()],
    )
    rules = rules_from(config, SYMBOLS)
    signal = np.random.default_rng(seed).choice([-0.01, 0.0, 0.01, np.nan], (N, 3))
    _, trace = run_bars(
        new_book(3, CAPITAL), rules, bars, signal, np.full((N, 3), np.nan), Phase.BOTH
    )
    account = Booked(
        symbols=SYMBOLS, bars=bars, start_index=0, initial_capital=CAPITAL,
        fill=config.execution.fill, equity=trace.equity, funding=trace.funding,
        quantity=trace.quantity, fills=trace.fills, inverse=rules.inverse,
    )  # fmt: skip
    return account, trace


FILLS = pytest.mark.parametrize("fill", ["next_open", "next_close"])


@FILLS
def test_coins_are_the_kernels_and_profits_sum_to_the_change_of_equity(fill: str) -> None:
    run, trace = booked(wild_market(1), 2, **{"execution.fill": fill})
    assert len(run.fills) > 300
    coins = coins_of(run)
    np.testing.assert_allclose(coins.held[:, :2], trace.coin[:, :2], rtol=1e-9, atol=1e-9)
    assert (coins.held[:, 2] == 0.0).all()
    change = np.diff(np.concatenate(([CAPITAL], run.equity)))
    for start in (0, 137):
        profit = profits(run, start)
        np.testing.assert_allclose(profit.total.sum(axis=1), change[start:], atol=1e-6)
        np.testing.assert_allclose(profit.funding.sum(axis=1), trace.funding[start:], atol=1e-8)
        np.testing.assert_allclose(profit.fees.sum(axis=1), trace.fees[start:], atol=1e-8)


def test_a_trip_is_its_coins_at_the_price_of_its_exit() -> None:
    """Without funding: N contracts from p to q, and both fees, are N/p - N/q - fees/prices coins, times q."""
    bars = wild_market(3)
    bars.funding_rate[:] = 0.0
    bars.funding_inside[:] = 0.0
    bars.valid[:] = True
    columns = {name: np.nan_to_num(getattr(bars, name), nan=0.0) for name in ("open", "close")}
    closes = np.where(columns["close"] > 0.0, columns["close"], np.nan)
    last = np.maximum.accumulate(np.where(np.isfinite(closes), np.arange(N)[:, None], 0), axis=0)
    closes = np.take_along_axis(np.where(np.isfinite(closes), closes, 100.0), last, axis=0)
    bars = BarBlock.of_candles(
        bars.open_time, closes, closes * 1.01, closes * 0.99, closes, np.full((N, 3), 1e12)
    )
    run, trace = booked(bars, 4)
    trips = round_trips(run, 0, profits(run, 0))
    expected = []
    for s in (0, 1):
        held = coins = 0.0
        for fill in trace.fills[trace.fills["symbol"] == s]:
            size, price, fee = (float(fill[name]) for name in ("quantity", "price", "fee"))
            after = held + size
            if held * after > 0.0:
                coins += (size - fee) / price
            else:
                closing = abs(held) / (abs(held) + abs(after))
                if held:
                    expected.append((s, (coins + (-held - fee * closing) / price) * price))
                coins = (after - fee * (1.0 - closing)) / price
            held = after
    ours = trips.symbol < 2
    assert len(expected) > 100
    assert trips.symbol[ours].tolist() == [s for s, _ in expected]
    np.testing.assert_allclose(trips.profit[ours], [made for _, made in expected], atol=1e-7)


@FILLS
def test_trips_in_pieces_are_those_of_the_whole(fill: str) -> None:
    run, _ = booked(wild_market(5), 6, **{"execution.fill": fill})
    whole = trades_of(run, 0)
    walk, found, coins = TradeWalk(), [], None
    for first in range(0, N, 57):
        piece = piece_of(run, max(first - 1, 0), min(first + 57, N))
        ours = piece.fills["open_time"] >= run.open_time[first]
        piece = replace(piece, fills=piece.fills[ours], coins_at_first=coins)
        found.append(walk.add(piece, 1 if first else 0))
        held = coins_of(piece)
        coins = CoinsHeld(held.held[-1], held.earlier[-1])
    for name in ("symbol", "entry_ms", "profit", "fees", "funding", "entry_price", "exit_price"):
        pieces = np.concatenate([getattr(part, name) for part in found])
        order = np.concatenate([part.exit_ms for part in found])
        assert (np.diff(order) >= 0).all()
        np.testing.assert_allclose(pieces, getattr(whole, name), rtol=1e-9, atol=1e-6)


def test_a_liquidated_cross_account_has_no_coins_and_lost_all_that_it_had() -> None:
    run, trace = booked(
        wild_market(7, swing=0.15), 8,
        **{"portfolio.margin_mode": "cross", "portfolio.leverage": 25.0, "sizing.fraction": 3.0},
    )  # fmt: skip
    assert (trace.fills["reason"] == FillReason.LIQUIDATION).any()
    assert run.equity[-1] == 0.0
    assert (coins_of(run).held[-1] == 0.0).all()
    assert profits(run, 0).total.sum() == pytest.approx(-CAPITAL, rel=1e-9)


@FILLS
@pytest.mark.parametrize("mode", ["isolated", "cross", "none"])
def test_coins_owed_are_bought_and_profits_still_sum_to_the_change_of_equity(
    fill: str, mode: str
) -> None:
    ended = repaid = 0
    for seed in range(6):
        given = {
            "execution.fill": fill, "portfolio.margin_mode": mode, "portfolio.leverage": 3.0,
            "sizing.fraction": 1.2,
        }  # fmt: skip
        run, trace = booked(wild_market(seed, swing=0.1), seed + 20, **given)
        coins = coins_of(run)
        np.testing.assert_allclose(coins.held[:, :2], trace.coin[:, :2], rtol=1e-9, atol=1e-8)
        assert (coins.repaid >= 0.0).all()
        repaid += int((coins.repaid > 0.0).sum())
        change = np.diff(np.concatenate(([CAPITAL], run.equity)))
        total = profits(run, 0).total.sum(axis=1)
        np.testing.assert_allclose(total, change, atol=1e-6, rtol=1e-9)
        ended += bool((run.equity == 0.0).any())
    assert repaid > 50
    assert ended > 1 or mode == "none"


def test_a_trip_that_leaves_a_debt_is_still_its_coins_at_its_exit() -> None:
    """10,000 contracts from 40,000 to 32,000 owe 0.0625 coins: 2,000 at the exit, 2,062.5 at the close's 33,000."""
    bars = wild_market(1)
    opens, closes = np.full((N, 3), 40_000.0), np.full((N, 3), 40_000.0)
    opens[2], closes[2] = 32_000.0, 33_000.0
    bars = BarBlock.of_candles(
        bars.open_time, opens, np.maximum(opens, closes), np.minimum(opens, closes), closes,
        np.full((N, 3), 1e12),
    )  # fmt: skip
    fills = np.zeros(2, FILL)
    fills["open_time"], fills["quantity"] = bars.open_time[[1, 2]], [10_000.0, -10_000.0]
    fills["price"], fills["reason"] = [40_000.0, 32_000.0], FillReason.SIGNAL
    quantity, equity = np.zeros((N, 3)), np.full(N, CAPITAL)
    quantity[1, 0], equity[2:] = 10_000.0, CAPITAL - 0.0625 * 33_000.0
    run = Booked(
        symbols=SYMBOLS, bars=bars, start_index=0, initial_capital=CAPITAL, fill="next_open",
        equity=equity, funding=np.zeros(N), quantity=quantity, fills=fills, inverse=INVERSE,
    )  # fmt: skip
    assert trades_of(run, 0).profit.tolist() == pytest.approx([-2_000.0])
    profit = profits(run, 0)
    assert profit.coins is not None
    assert profit.coins[2, 0] == pytest.approx(-62.5)
    assert profit.total.sum() == pytest.approx(-2_062.5)
    assert coins_of(run).repaid[2, 0] == pytest.approx(0.0625)


@pytest.mark.parametrize("carried", [False, True])
def test_coins_in_hand_while_nothing_is_held_are_not_taken_for_paid_back(carried: bool) -> None:
    """0.05 coins are made in the first bar (10,000 contracts from 40,000 to 50,000), or brought from before.

    20,000 from 50,000 to 40,000 then lose 0.1: the half of it that is not there is bought at that close.
    """
    times, close = np.arange(3) * DAY_MS, np.array([[50_000.0], [50_000.0], [40_000.0]])
    fills = np.zeros(4, FILL)
    fills["open_time"], fills["reason"] = times[[0, 0, 2, 2]], FillReason.SIGNAL
    fills["quantity"] = [10_000.0, -10_000.0, 20_000.0, -20_000.0]
    fills["price"] = [40_000.0, 50_000.0, 50_000.0, 40_000.0]
    there = CoinsHeld(np.array([0.05]), np.array([0.05]))
    run = Booked(
        symbols=("BTCUSD",),
        bars=BarBlock.of_candles(times, close, close, close, close, np.ones((3, 1))),
        start_index=0, initial_capital=CAPITAL, fill="next_open", funding=np.zeros(3),
        equity=np.array([CAPITAL + 2_500.0, CAPITAL + 2_500.0, CAPITAL - 2_000.0]),
        quantity=np.zeros((3, 1)), fills=fills[2:] if carried else fills,
        inverse=np.array([True]), coins_at_first=there if carried else None,
    )  # fmt: skip
    found = coins_of(run)
    np.testing.assert_allclose(found.held[:, 0], [0.05, 0.05, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.repaid[:, 0], [0.0, 0.0, 0.05], atol=1e-15)
    np.testing.assert_allclose(found.exchanged[:, 0], [0.0, 0.0, -2_000.0], atol=1e-9)
    assert found.entering.tolist() == [[0.0]] * 3, "nothing was opened that was kept"


def test_a_position_that_is_only_held_has_entered_nothing() -> None:
    """10,000 contracts bought at 40,000 are 0.25 coins: 500 are made to 42,000, and no coins beside them."""
    times, close = np.arange(3) * DAY_MS, np.array([[40_000.0], [40_000.0], [42_000.0]])
    fills = np.zeros(1, FILL)
    fills["open_time"], fills["quantity"], fills["price"] = times[1], 10_000.0, 40_000.0
    fills["reason"] = FillReason.SIGNAL
    run = Booked(
        symbols=("BTCUSD",),
        bars=BarBlock.of_candles(times, close, close, close, close, np.ones((3, 1))),
        start_index=0, initial_capital=CAPITAL, fill="next_open", funding=np.zeros(3),
        equity=np.array([CAPITAL, CAPITAL, CAPITAL + 500.0]), fills=fills,
        quantity=np.array([[0.0], [10_000.0], [10_000.0]]), inverse=np.array([True]),
    )  # fmt: skip
    found = coin_profit(run, 0)
    np.testing.assert_allclose(found.leaving[:, 0], [0.0, 0.0, 500.0])
    assert found.entering.tolist() == found.coins.tolist() == [[0.0]] * 3


def test_contracts_are_their_own_value() -> None:
    run, trace = booked(wild_market(9), 10)
    own = funding_paid(
        run.bars, run.quantity_before(0), run.quantity_inside(0), np.full(3, np.nan), INVERSE
    )
    np.testing.assert_allclose(own.sum(axis=1), trace.funding, atol=1e-8)
    traded = notional_by_bar(run.fills, run.open_time, 3, INVERSE)
    contracts = np.abs(run.fills["quantity"][run.fills["symbol"] == 0]).sum()
    assert traded[:, 0].sum() == pytest.approx(contracts)
    held = run.quantity[:, :2]
    np.testing.assert_array_equal(run.value(0)[:, :2], held)
    assert (np.round(held) == held).all()  # whole contracts, where no instrument is known


def test_the_end_of_a_cross_account_is_told_symbol_by_symbol() -> None:
    """The second leaves 0.2 of its coins, the first is liquidated at 8,120 where those are at 230.

    First: 5 coins for 50,000 from 10,000 on, marked at 9,000. At 8,120 they have lost 9,400, and the fee is what
    is left: 10,000 - 9,400 + 46. It has 10,046 lost, of which 5,000 in the bar before; the coins made 21.
    """
    close = np.array([[10_000.0, 110.0, 50.0], [9_000.0, 125.0, 50.0], [8_200.0, 200.0, 50.0]])
    times = np.arange(3) * DAY_MS
    fills = np.zeros(4, FILL)
    fills["open_time"], fills["symbol"] = times[[0, 1, 1, 2]], [1, 0, 1, 0]
    fills["quantity"] = [100.0, 50_000.0, -100.0, -50_000.0]
    fills["price"], fills["fee"] = [100.0, 10_000.0, 125.0, 8_120.0], [0.0, 0.0, 0.0, 646.0]
    fills["reason"][3] = FillReason.LIQUIDATION
    run = Booked(
        symbols=("A", "B", "C"),
        bars=BarBlock.of_candles(times, close, close, close, close, np.ones((3, 3))),
        start_index=0, initial_capital=10_000.0, fill="next_open",
        equity=np.array([10_010.0, 10_000.0 - 5_000.0 + 25.0, 0.0]), funding=np.zeros(3),
        quantity=np.array([[0.0, 100.0, 0.0], [50_000.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), fills=fills,
        inverse=np.ones(3, dtype=np.bool_),
    )  # fmt: skip
    for start in (0, 1, 2):
        found = profits(run, start)
        by_symbol = [[0.0, 10.0, 0.0], [-5_000.0, 15.0, 0.0], [-5_046.0, 21.0, 0.0]]
        np.testing.assert_allclose(found.total, by_symbol[start:], atol=1e-9)
    got = trades_of(run, 0)
    assert got.symbol.tolist() == [1, 0]
    np.testing.assert_allclose(got.profit, [0.2 * 125.0, -10_046.0])
    np.testing.assert_allclose(got.fees, [0.0, 646.0])
    held = coins_of(run)
    np.testing.assert_allclose(held.held, [[0.0, 1.0, 0.0], [5.0, 0.2, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(held.exchanged[2], [-10_046.0, 0.2 * 200.0, 0.0])


@pytest.mark.parametrize(
    ("coins", "expected"),
    [([0.0, 0.0, 0.0], [-30.0, 0.0, 0.0]), ([0.0, 0.0, 5.0], [0.0, 0.0, -30.0])],
)
def test_what_an_end_leaves_unexplained_is_that_of_coins(
    coins: list[float], expected: list[float]
) -> None:
    """Of 100 that were lost 70 are told: the rest is of coins that stood alone, else of what was held in them."""
    close = np.full((2, 3), 100.0)
    fills = np.zeros(1, FILL)
    fills["open_time"], fills["reason"] = DAY_MS, FillReason.LIQUIDATION
    run = Booked(
        symbols=("A", "L", "C"),
        bars=BarBlock.of_candles(np.arange(2) * DAY_MS, close, close, close, close, np.ones((2, 3))),
        start_index=0, initial_capital=100.0, fill="next_open", equity=np.array([100.0, 0.0]),
        funding=np.zeros(2), quantity=np.zeros((2, 3)), fills=fills,
        inverse=np.array([True, False, True]),
    )  # fmt: skip
    profit = np.array([[0.0, 0.0, 0.0], [-100.0, 30.0, 0.0]])
    told = unexplained(run, 0, profit, np.array([[0.0] * 3, coins]))
    assert told.tolist() == [[0.0, 0.0, 0.0], expected]
