"""Bars of fills of both signs: by hand, and against a walk through every fill of wild runs with stops."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from bot.blocks import FILL, BarBlock
from bot.portfolio.reasons import FillReason
from bot.report.booked import Booked, CoinsHeld
from bot.report.money.coins import coins_of
from bot.report.money.round_trips import profits, round_trips
from bot.report.money.trades import TradeWalk, trades_of
from bot.report.money.turned_bars import turned_bars
from bot.report.tear.groups import grouped
from bot.timegrid import HOUR_MS
from tests.report.money.test_coins import CAPITAL, booked, wild_market
from tests.report.money.test_trades import piece_of

SIGNAL, STOP = int(FillReason.SIGNAL), int(FillReason.STOP_LOSS)
FILLS = pytest.mark.parametrize("fill", ["next_open", "next_close"])
STOPS = {"risk.stop_loss": 0.012, "risk.take_profit": 0.02}


def by_hand(inverse: bool) -> Booked:
    """Four bars; every fill costs 1.

    0: bought 10 at 100, stopped at 95. 1: sold 5 at 96, kept; the close is 94.
    2: 15 are bought at 90, which closes the short and is long 10, stopped at 88. 3: nothing.
    """
    close = np.array([[97.0], [94.0], [92.0], [93.0]])
    times = np.arange(4) * HOUR_MS
    fills = np.zeros(5, FILL)
    fills["open_time"] = times[[0, 0, 1, 2, 2]]
    fills["quantity"] = [10.0, -10.0, -5.0, 15.0, -10.0]
    fills["price"] = [100.0, 95.0, 96.0, 90.0, 88.0]
    fills["fee"], fills["reason"] = 1.0, [SIGNAL, STOP, SIGNAL, SIGNAL, STOP]
    bars = BarBlock.of_candles(times, close, close + 9.0, close - 9.0, close, np.ones((4, 1)))
    quantity = np.array([[0.0], [-5.0], [0.0], [0.0]])
    paid = np.cumsum([sum(-q * p - f for q, p, f in _of(fills, t)) for t in times.tolist()])
    equity = 1_000.0 + paid + (quantity * close)[:, 0]
    if inverse:
        equity = np.array(
            _in_coin(fills, times.tolist(), close[:, 0].tolist(), quantity[:, 0].tolist())
        )
    return Booked(
        symbols=("X",), bars=bars, start_index=0, initial_capital=1_000.0, fill="next_open",
        equity=equity, funding=np.zeros(4), quantity=quantity, fills=fills,
        inverse=np.array([True]) if inverse else None,
    )  # fmt: skip


def _in_coin(
    fills: np.ndarray[Any, np.dtype[np.void]],
    times: list[int],
    close: list[float],
    held: list[float],
) -> list[float]:
    """Return the equities of 1,000 where losses are owed in coin, and bought at a close without a position."""
    cash, coins, equity = 1_000.0, 0.0, []
    for time, price, contracts in zip(times, close, held, strict=True):
        coins += sum((q - f) / p for q, p, f in _of(fills, time))
        if not contracts and coins < 0.0:
            cash, coins = cash + coins * price, 0.0
        equity.append(cash + coins * price - contracts)
    return equity


def _of(fills: np.ndarray[Any, np.dtype[np.void]], time: int) -> list[tuple[float, float, float]]:
    mine = fills[fills["open_time"] == time]
    return [(float(f["quantity"]), float(f["price"]), float(f["fee"])) for f in mine]


def test_a_stop_in_the_bar_of_its_entry_by_hand() -> None:
    run = by_hand(inverse=False)
    profit = profits(run, 0)
    # -52 in the bar alone; 5 short from 96 to 94, less 1; then 94 to 90 less a third of 1, and -20 less 2/3 and 1
    np.testing.assert_allclose(profit.total[:, 0], [-52.0, 9.0, 20.0 - 1 / 3 - 21.0 - 2 / 3, 0.0])
    np.testing.assert_allclose(profit.inside[:, 0], [-52.0, 0.0, -21.0 - 2 / 3, 0.0])
    change = np.diff(np.concatenate(([1_000.0], run.equity)))
    np.testing.assert_allclose(profit.total[:, 0], change)
    got = trades_of(run, 0)
    assert got.side.tolist() == [1, -1, 1]
    assert got.bars_held.tolist() == [0, 1, 0]
    assert got.quantity.tolist() == [10.0, 5.0, 10.0]
    np.testing.assert_allclose(got.entry_price, [100.0, 96.0, 90.0])
    np.testing.assert_allclose(got.exit_price, [95.0, 90.0, 88.0])
    np.testing.assert_allclose(got.profit, [-52.0, 30.0 - 4 / 3, -21.0 - 2 / 3])
    np.testing.assert_allclose(got.fees, [2.0, 4 / 3, 5 / 3])
    assert got.exit_reason.tolist() == [STOP, SIGNAL, STOP]
    assert got.funding.tolist() == [0.0, 0.0, 0.0]
    before = [1_000.0, run.equity[0], run.equity[1]]  # of the bars in which they began
    np.testing.assert_allclose(got.fraction, got.profit / before)
    trips = round_trips(run, 0, profit)
    assert sorted(trips.profit.tolist()) == pytest.approx(sorted(got.profit.tolist()))


def test_what_rounding_leaves_of_a_large_position_is_nothing_held() -> None:
    """300,000.3 are sold after 100,000.1 and 200,000.2 were bought; as floats 6e-11 remain."""
    run = by_hand(inverse=False)
    fills = run.fills[[0, 0, 1]].copy()
    fills["quantity"] = [100_000.1, 200_000.2, -300_000.3]
    assert 0.0 != fills["quantity"].sum() < 1e-9
    [bar] = turned_bars(replace(run, fills=fills, quantity=np.zeros((4, 1))), 0)
    assert bar.entered is None
    [leg] = bar.inside
    assert leg.side == 1
    assert leg.largest == pytest.approx(300_000.3)


def test_trips_inside_a_bar_are_a_class_of_their_own() -> None:
    rows = grouped(trades_of(by_hand(inverse=False), 0), ("X",), {})["held"]
    assert [(row["name"], row["count"]) for row in rows] == [("within a bar", 2), ("1 bar", 1)]


def test_the_same_in_coin() -> None:
    run = by_hand(inverse=True)
    profit = profits(run, 0)
    change = np.diff(np.concatenate(([1_000.0], run.equity)))
    np.testing.assert_allclose(profit.total[:, 0], change)
    got = trades_of(run, 0)
    first = ((10.0 - 1.0) / 100.0 + (-10.0 - 1.0) / 95.0) * 95.0
    second = ((-5.0 - 1.0) / 96.0 + (5.0 - 1 / 3) / 90.0) * 90.0
    third = ((10.0 - 2 / 3) / 90.0 + (-10.0 - 1.0) / 88.0) * 88.0
    np.testing.assert_allclose(got.profit, [first, second, third])
    np.testing.assert_allclose(got.exit_price, [95.0, 90.0, 88.0])
    np.testing.assert_allclose(profit.inside[:, 0], [first, 0.0, third, 0.0])


def in_parts(inverse: bool, size: float) -> Booked:
    """Bought at 100; in the next bar closed at 95 and bought again in two parts; in the fourth closed in two
    parts and bought anew, half of it. Every fill costs a tenth of `size`."""
    close = np.array([[97.0], [94.0], [92.0], [93.0]])
    times = np.arange(4) * HOUR_MS
    fills = np.zeros(7, FILL)
    fills["open_time"] = times[[0, 1, 1, 1, 3, 3, 3]]
    fills["quantity"] = size * np.array([1.0, -1.0, 0.4, 0.6, -0.4, -0.6, 0.5])
    fills["price"], fills["fee"] = [100.0, 95.0, 93.0, 90.0, 91.0, 96.0, 95.0], 0.1 * size
    bars = BarBlock.of_candles(times, close, close + 9.0, close - 9.0, close, np.ones((4, 1)))
    quantity = size * np.array([[1.0], [1.0], [1.0], [0.5]])
    each = [_of(fills, t) for t in times.tolist()]
    if inverse:
        coins = np.cumsum([sum((q - f) / p for q, p, f in fills_of) for fills_of in each])
        equity = 1_000.0 + coins * close[:, 0] - quantity[:, 0]
    else:
        paid = np.cumsum([sum(-q * p - f for q, p, f in fills_of) for fills_of in each])
        equity = 1_000.0 + paid + (quantity * close)[:, 0]
    return Booked(
        symbols=("X",), bars=bars, start_index=0, initial_capital=1_000.0, fill="next_open",
        equity=equity, funding=np.zeros(4), quantity=quantity, fills=fills,
        inverse=np.array([True]) if inverse else None,
    )  # fmt: skip


@pytest.mark.parametrize("size", [10.0, 1.0, 0.1])
def test_parts_are_of_the_mean_of_their_prices(size: float) -> None:
    run = in_parts(inverse=False, size=size)
    got, profit = trades_of(run, 0), profits(run, 0)
    np.testing.assert_allclose(got.entry_price, [100.0, 0.4 * 93.0 + 0.6 * 90.0])
    np.testing.assert_allclose(got.exit_price, [95.0, 0.4 * 91.0 + 0.6 * 96.0])
    np.testing.assert_allclose(got.profit, size * np.array([-5.0 - 0.2, 94.0 - 91.2 - 0.4]))
    np.testing.assert_allclose(got.quantity, [size, size])
    np.testing.assert_allclose(profit.total[:, 0], np.diff([1_000.0, *run.equity]))


@pytest.mark.parametrize("size", [10.0, 1.0])
def test_parts_of_contracts_are_of_the_mean_of_their_coins(size: float) -> None:
    run = in_parts(inverse=True, size=size)
    got, profit = trades_of(run, 0), profits(run, 0)
    entry, exit_ = 1.0 / (0.4 / 93.0 + 0.6 / 90.0), 1.0 / (0.4 / 91.0 + 0.6 / 96.0)
    first = (0.9 / 100.0 - 1.1 / 95.0) * 95.0
    second = (0.3 / 93.0 + 0.5 / 90.0 - 0.5 / 91.0 - 0.7 / 96.0) * exit_
    np.testing.assert_allclose(got.entry_price, [100.0, entry])
    np.testing.assert_allclose(got.exit_price, [95.0, exit_])
    np.testing.assert_allclose(got.profit, size * np.array([first, second]))
    np.testing.assert_allclose(profit.total[:, 0], np.diff([1_000.0, *run.equity]))
    opened = (0.3 / 93.0 + 0.5 / 90.0) * 94.0 - 1.0
    of_trips = [0.9 / 100.0 * 97.0 - 1.0, first - (0.9 / 100.0 * 97.0 - 1.0) + opened]
    assert profit.coins is not None
    np.testing.assert_allclose((profit.total - profit.coins)[:2, 0], size * np.array(of_trips))


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("size", [10.0, 0.1])
def test_of_what_begins_in_a_bar_each_part_is_told(inverse: bool, size: float) -> None:
    """From flat, in one bar: bought at 100 and closed in two parts, half of it sold at 88 and bought back at 86,
    a quarter sold at 85 and kept to 94; then bought back at 80. Every fill costs a thousandth of `size`."""
    run = by_hand(inverse)
    fills = np.zeros(7, FILL)
    fills["open_time"] = np.array([1, 1, 1, 1, 1, 1, 2]) * HOUR_MS
    fills["quantity"] = size * np.array([1.0, -0.4, -0.6, -0.5, 0.5, -0.25, 0.25])
    fills["price"], fills["fee"] = [100.0, 105.0, 110.0, 88.0, 86.0, 85.0, 80.0], 0.001 * size
    quantity = size * np.array([[0.0], [-0.25], [0.0], [0.0]])
    close = run.bars.close[:, 0]
    first, at = [_of(fills, HOUR_MS)[k] for k in range(6)], _of(fills, 2 * HOUR_MS)[0]

    def flow(parts: list[tuple[float, float, float]]) -> float:
        return sum((q - f) / p if inverse else -q * p - f for q, p, f in parts)

    held = np.array([0.0, flow(first), flow([*first, at]), flow([*first, at])])
    equity = 1_000.0 + (held * close - quantity[:, 0] if inverse else held + quantity[:, 0] * close)
    run = replace(run, fills=fills, quantity=quantity, equity=equity)
    got, profit = trades_of(run, 0), profits(run, 0)
    exit_ = 1.0 / (0.4 / 105.0 + 0.6 / 110.0) if inverse else 0.4 * 105.0 + 0.6 * 110.0
    made = [flow(first[:3]), flow(first[3:5]), flow([first[5], at])]
    if inverse:
        made = [coins * price for coins, price in zip(made, (exit_, 86.0, 80.0), strict=True)]
    np.testing.assert_allclose(got.profit, made)
    np.testing.assert_allclose(got.quantity, size * np.array([1.0, 0.5, 0.25]))
    np.testing.assert_allclose(got.entry_price, [100.0, 88.0, 85.0])
    np.testing.assert_allclose(got.exit_price, [exit_, 86.0, 80.0])
    assert got.side.tolist() == [1, -1, -1]
    np.testing.assert_allclose(profit.inside[1], made[0] + made[1])
    np.testing.assert_allclose(profit.total[:, 0], np.diff([1_000.0, *equity]), atol=1e-9)


def test_what_is_cut_and_increased_in_a_bar_goes_on() -> None:
    """10 bought at 100; in the next bar 4 sold at 98 and 2 bought at 96, and all sold at 90 at last."""
    run = by_hand(inverse=False)
    fills = run.fills[:4].copy()
    fills["open_time"] = np.array([0, 1, 1, 3]) * HOUR_MS
    fills["quantity"], fills["price"] = [10.0, -4.0, 2.0, -8.0], [100.0, 98.0, 96.0, 90.0]
    run = replace(run, fills=fills, quantity=np.array([[10.0], [8.0], [8.0], [0.0]]))
    (turned,) = turned_bars(run, 0)
    assert not turned.is_reopened
    got = trades_of(run, 0)
    assert got.bars_held.tolist() == [3]
    np.testing.assert_allclose(got.profit, [-1000.0 + 392.0 - 192.0 + 720.0 - 4.0])
    assert got.quantity.tolist() == [10.0]


def test_closed_and_opened_again_on_the_same_side_is_two_trips() -> None:
    run = by_hand(inverse=False)
    fills = np.concatenate([run.fills[2:3], run.fills[:2]])
    fills["open_time"] = [0, HOUR_MS, HOUR_MS]
    fills["quantity"], fills["price"] = [10.0, -10.0, 10.0], [100.0, 95.0, 93.0]
    quantity = np.array([[10.0], [10.0], [10.0], [10.0]])
    run = replace(run, fills=fills, quantity=quantity)
    (turned,) = turned_bars(run, 0)
    assert turned.is_reopened
    got = trades_of(run, 0)
    np.testing.assert_allclose(got.profit, [-50.0 - 2.0])
    profit = profits(run, 0)
    # 10 at 100 to 97; on to 95 and from 93 to 94, two fees; then as the market goes
    np.testing.assert_allclose(profit.total[:, 0], [-31.0, -20.0 + 10.0 - 2.0, -20.0, 10.0])


class Walked(NamedTuple):
    """A closed trip, as fills tell it."""

    symbol: int
    entry_ms: int
    exit_ms: int
    profit: float
    fees: float
    side: int
    quantity: float
    entry_price: float
    exit_price: float
    exit_reason: int


def mean_price(legs: list[tuple[float, float, float, int]], sign: float, inverse: bool) -> float:
    """Return the mean price of the fills of a sign: of contracts the harmonic one."""
    of = [(abs(q), p) for q, p, *_ in legs if q * sign > 0.0]
    size = sum(q for q, _ in of)
    return size / sum(q / p for q, p in of) if inverse else sum(q * p for q, p in of) / size


def walked(run: Booked) -> list[Walked]:
    """Return each closed trip, fill by fill, without funding."""
    found = []
    for s in range(run.n_symbols):
        inverse, held, most = bool(run.is_inverse[s]), 0.0, 0.0
        legs: list[tuple[float, float, float, int]] = []
        since = 0
        for fill in run.fills[run.fills["symbol"] == s]:
            time = int(fill["open_time"])
            q, p, fee = (float(fill[name]) for name in ("quantity", "price", "fee"))
            if held == 0.0:
                since = time
            after = held + q
            if abs(after) < 1e-9 * abs(q):
                after = 0.0
            share = 1.0 if held * after >= 0.0 else abs(held) / abs(q)
            legs.append((q if share == 1.0 else -held, p, fee * share, time))
            most = max(most, abs(after) if share == 1.0 else 0.0)
            if held != 0.0 and held * after <= 0.0:
                side = math.copysign(1.0, held)
                coins = sum((a - f) / b for a, b, f, _ in legs)
                made = (
                    coins * mean_price(legs, -side, True)
                    if inverse
                    else -sum(a * b + f for a, b, f, _ in legs)
                )
                begin, end = ([leg for leg in legs if leg[3] == at] for at in (since, time))
                found.append(
                    Walked(
                        s, since, time, made, sum(f for _, _, f, _ in legs), int(side), most,
                        mean_price(begin, side, inverse), mean_price(end, -side, inverse),
                        int(fill["reason"]),
                    )
                )  # fmt: skip
                legs = [] if after == 0.0 else [(after, p, fee * (1.0 - share), time)]
                since, most = time, abs(after)
            held = after
    return sorted(found, key=lambda trip: (trip.exit_ms, trip.symbol))


def without_funding(seed: int) -> BarBlock:
    bars = wild_market(seed)
    nothing = np.zeros_like(bars.close)
    return replace(bars, funding_rate=nothing, funding_inside=nothing)


@FILLS
@pytest.mark.parametrize(("seed", "times"), [(1, 1.0), (2, 1.0), (1, 1e-5), (2, 1e5)])
def test_trips_are_those_of_a_walk_through_every_fill(fill: str, seed: int, times: float) -> None:
    """Of prices as they are, of coins below a dollar, and of parts of a coin."""
    bars = without_funding(seed)
    prices = {
        name: times * getattr(bars, name) for name in ("open", "high", "low", "close", "mark")
    }
    run, _ = booked(replace(bars, **prices), seed, **{"execution.fill": fill, **STOPS})
    turned = turned_bars(run, 0)
    if fill == "next_open":  # at a close, what a stop has closed is not opened again
        assert len(turned) > 30
        assert {bool(run.is_inverse[each.symbol]) for each in turned} == {True, False}
    got, expected = trades_of(run, 0), walked(run)
    for name in ("symbol", "entry_ms", "exit_ms", "side", "exit_reason"):
        assert getattr(got, name).tolist() == [getattr(trip, name) for trip in expected], name
    for name in ("profit", "fees", "quantity", "entry_price", "exit_price"):
        found = [getattr(trip, name) for trip in expected]
        np.testing.assert_allclose(
            getattr(got, name), found, rtol=1e-9, atol=1e-6 if name == "profit" else 1e-9
        )
    before = np.concatenate(([CAPITAL], run.equity[:-1]))
    entered = np.searchsorted(run.open_time, got.entry_ms)
    np.testing.assert_allclose(got.fraction, got.profit / before[entered])
    np.testing.assert_array_equal(
        got.bars_held, np.searchsorted(run.open_time, got.exit_ms) - entered
    )
    assert not got.funding.any()
    trips = round_trips(run, 0, profits(run, 0))
    order = np.lexsort((trips.symbol, trips.last))
    np.testing.assert_allclose(trips.profit[order], got.profit, atol=1e-6)


@FILLS
def test_profits_of_a_run_with_stops_sum_to_the_change_of_equity(fill: str) -> None:
    """Funding inside a bar is paid on what its stops have left, before a contract is settled or the rest of an
    earlier stop is filled at its end: where little is traded, stops are filled in parts."""
    bars = wild_market(3)
    settled = np.random.default_rng(8).random(bars.close.shape) < 0.2
    bars = replace(
        bars, settlement_price=np.where(settled, bars.close, np.nan),
        volume=np.where(np.random.default_rng(9).random(bars.close.shape) < 0.7, 1e12, [5e4, 5e4, 4e2]),
    )  # fmt: skip
    given = {"execution.fill": fill, "execution.max_participation": 0.1, **STOPS}
    run, trace = booked(bars, 4, **given)
    assert np.isin([FillReason.SETTLEMENT, FillReason.STOP_LOSS], run.fills["reason"]).all()
    change = np.diff(np.concatenate(([CAPITAL], run.equity)))
    for start in (0, 137):
        profit = profits(run, start)
        np.testing.assert_allclose(profit.total.sum(axis=1), change[start:], atol=1e-6)
        np.testing.assert_allclose(profit.fees.sum(axis=1), trace.fees[start:], atol=1e-8)
        np.testing.assert_allclose(profit.funding.sum(axis=1), trace.funding[start:], atol=1e-8)


@FILLS
def test_pieces_of_a_run_with_stops_have_the_trips_of_the_whole(fill: str) -> None:
    run, _ = booked(wild_market(5), 6, **{"execution.fill": fill, **STOPS})
    whole, walk, found, coins = trades_of(run, 0), TradeWalk(), [], None
    n = len(run.equity)
    for first in range(0, n, 57):
        piece = piece_of(run, max(first - 1, 0), min(first + 57, n))
        ours = piece.fills["open_time"] >= run.open_time[first]
        piece = replace(piece, fills=piece.fills[ours], coins_at_first=coins)
        found.append(walk.add(piece, 1 if first else 0))
        held = coins_of(piece)
        coins = CoinsHeld(held.held[-1], held.earlier[-1])
    for name in ("symbol", "entry_ms", "exit_ms", "profit", "fees", "entry_price", "exit_price"):
        pieces = np.concatenate([getattr(part, name) for part in found])
        np.testing.assert_allclose(pieces, getattr(whole, name), rtol=1e-9, atol=1e-6)


def test_fills_on_one_side_turn_nothing() -> None:
    run = by_hand(inverse=False)
    assert turned_bars(replace(run, fills=run.fills[2:4]), 0) == []
    assert [each.bar for each in turned_bars(run, 1)] == [1]
    assert math.isclose(turned_bars(run, 1)[0].inside[0].fees, 5 / 3)
