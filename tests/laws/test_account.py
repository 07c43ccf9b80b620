"""Law: the compiled account is the plain one, bar by bar, whatever the market does and is asked for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.blocks import BarBlock
from bot.portfolio.book import FLATTENED, Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.ledger import check_books
from bot.portfolio.order_rules import Excess
from bot.portfolio.reasons import FILL_REASON
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace
from bot.timegrid import HOUR_MS
from tests.oracle.account import Account
from tests.oracle.histories import (
    CAPITAL,
    Wanted,
    account_of,
    candles_of,
    cuts_of,
    random_bars,
    random_signal,
    rules_of,
)
from tests.oracle.terms import STOPS

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

SHARE = 1e-9
"""Of the capital and all that is held, by which sums of floats may differ."""
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "cap_tolerance": st.just(0.05),
        "max_net": st.just(0.8),
        "max_leverage": st.just(2.0),
        "halve_drawdown": st.just(0.05),
        "flatten_drawdown": st.just(0.2),
        "cool_down_bars": st.just(3),
        "max_losses": st.just(2),
        "max_stale_bars": st.just(2),
        "flatten_leaving": st.just(True),
    },
)
COMMON: dict[str, Any] = {
    "seed": st.integers(0, 10**9),
    "n_symbols": st.integers(1, 3),
    "fraction": st.sampled_from([0.3, 0.9, 2.0, 6.0]),
    "late": st.sampled_from(["hold", "cancel", "flatten"]),
    "at_close": st.booleans(),
    "steps": st.booleans(),
    "halts": st.booleans(),
}
INVERSE = st.sampled_from(["none", "some", "all"])
PLAIN = st.builds(Wanted, full=st.just(False), **COMMON)
FULL = st.builds(
    Wanted, margin=st.sampled_from(["none", "cross", "isolated"]),
    spot=st.sampled_from(["none", "some", "all"]), leverage=st.sampled_from([2.0, 10.0, 50.0]),
    borrow=st.booleans(), inverse=INVERSE, limits=LIMITS.map(lambda limits: tuple(limits.items())), **COMMON,
)  # fmt: skip
ORDERS = st.fixed_dictionaries(
    {
        "max_participation": st.sampled_from([0.0, 0.02, 0.3]),
        "impact": st.sampled_from([0.0, 1.0]),
        "stop_loss": st.sampled_from([0.0, 0.01, 0.04]),
        "take_profit": st.sampled_from([0.0, 0.02]),
        "trailing_stop": st.sampled_from([0.0, 0.016]),
    }
).map(lambda orders: {**orders, "has_stops": any(orders[name] for name in STOPS)})
WAITING = st.sampled_from([Excess.WAIT, Excess.DROP]).map(lambda excess: {"excess": int(excess)})
SPLIT = st.just({"excess": int(Excess.SPLIT), "split_bars": 3})
RESTING = st.fixed_dictionaries(
    {
        "is_limit": st.just(True),
        "limit_offset": st.sampled_from([-0.002, 0.0, 0.003]),
        "post_only": st.booleans(),
        "limit_bars": st.sampled_from([1, 3]),
        "crosses": st.booleans(),
    }
)
MARKET = {
    "margin": st.sampled_from(["none", "cross", "isolated"]),
    "spot": st.sampled_from(["none", "some", "all"]),
    "inverse": INVERSE,
    "leverage": st.sampled_from([2.0, 10.0, 50.0]),
    "ticks": st.sampled_from([0.0, 0.001]),
    "largest": st.sampled_from([0.0, 0.2]),
    **COMMON,
}
AT_MARKET = st.builds(
    Wanted,
    orders=st.builds(lambda orders, excess: tuple({**orders, **excess}.items()), ORDERS, WAITING),
    limits=LIMITS.map(lambda limits: tuple(limits.items())),
    **MARKET,
)
WITH_TERMS = st.builds(
    Wanted,
    orders=st.builds(
        lambda orders, terms: tuple({**orders, **terms}.items()), ORDERS, SPLIT | RESTING
    ),
    leaving=st.just(0.0),
    **{**MARKET, "at_close": st.just(False)},
)
"""Limits of risk would change an order, and leave it its terms."""
often = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def same(mine: float, theirs: float, scale: float) -> bool:
    return math.isclose(mine, theirs, rel_tol=SHARE, abs_tol=SHARE * scale)


def let_decide(account: Account, book: Book, trace: Trace) -> None:
    """Hand what was decided at a close to the plain account; what stood must be what it has.

    An order that closes the kernel's position closes the plain account's: the two may differ by `SHARE`, and
    the kernel's quantity would leave that as a position.
    """
    stopped = book.account["halted"][0] != 0 or book.account["paused"][0] == FLATTENED
    for s, position in enumerate(account.positions):
        pending, order = float(book.pending[s]), float(trace.order[0, s])
        reason = FILL_REASON[int(book.pending_reason[s])] if pending else ""
        stands = math.isclose(pending, position.order, rel_tol=SHARE)
        anew = reason == "signal" and pending == order  # at another limit, it may be
        if stands and not anew and (not pending or reason == position.reason):
            continue
        if pending:
            assert pending == order, "an order that nobody decided"
            assert reason in ("signal", "halt", "risk")
        else:
            assert stopped or not np.isnan(trace.weight[0, s]), "an order is lost"
        closes = pending != 0.0 and pending == -book.quantity[s]
        account.decide(s, -position.quantity if closes else pending, reason)


def hold_together(account: Account, book: Book, trace: Trace) -> None:
    worth = [p.notional(p.quantity, p.price) for p in account.positions if p.quantity]
    worth += [abs(p.coin) * p.price for p in account.positions if p.coin]
    scale = CAPITAL + sum(worth)
    assert same(account.cash, trace.cash[0], scale)
    assert same(account.equity, trace.equity[0], scale)
    assert same(account.fees, trace.fees[0], scale)
    assert same(account.funding, trace.funding[0], scale)
    for s, position in enumerate(account.positions):
        assert math.isclose(position.quantity, book.quantity[s], rel_tol=SHARE), s
        if account.settings.full:
            assert math.isclose(position.entry, book.holding["entry"][s], rel_tol=SHARE), s
        if position.terms.inverse:
            scale_in_coin = scale / position.price if position.coin else 1.0
            assert same(position.coin, book.holding["coin"][s], scale_in_coin), s
    mine = sorted(account.fills, key=lambda fill: fill.symbol)
    theirs = sorted(trace.fills, key=lambda fill: int(fill["symbol"]))
    assert len(mine) == len(theirs)
    for fill, told in zip(mine, theirs, strict=True):
        assert fill.symbol == told["symbol"]
        assert fill.reason == FILL_REASON[int(told["reason"])]
        assert math.isclose(fill.quantity, told["quantity"], rel_tol=SHARE)
        assert math.isclose(fill.price, told["price"], rel_tol=SHARE)
        assert same(fill.fee, told["fee"], scale)


def walk(rules: Rules, bars: BarBlock, signal: Any) -> tuple[Book, list[Trace]]:
    """Take both accounts through the bars, one by one."""
    account, book = account_of(rules), new_book(bars.n_symbols, CAPITAL)
    traces = []
    for i in range(len(bars)):
        given = signal[i : i + 1]
        before, part = book, bars.rows(i, i + 1)
        book, trace = run_bars(before, rules, part, given, np.full_like(given, 0.01), Phase.BOTH)
        check_books(before, part, trace, None if rules.full is None else rules.full.inverse)
        candles = candles_of(bars, i)
        account.begin(candles)
        account.end(candles)
        let_decide(account, book, trace)
        hold_together(account, book, trace)
        traces.append(trace)
    return book, traces


def test_the_histories_have_everything() -> None:
    """Of what the laws are about, or they would hold of nothing."""
    seen: set[str] = set()
    for seed in range(12):
        for margin in ("cross", "isolated"):
            want = Wanted(
                seed, n_symbols=2, margin=margin, leverage=50.0, fraction=6.0, late="flatten", halts=True,
                limits=(("cap_tolerance", 0.05), ("max_net", 0.8), ("flatten_leaving", True)),
            )  # fmt: skip
            bars = random_bars(want)
            _, traces = walk(rules_of(want, bars), bars, random_signal(want))
            for trace in traces:
                seen |= {FILL_REASON[int(reason)] for reason in trace.fills["reason"]}
    assert seen == {"signal", "halt", "late_flatten", "liquidation", "settlement", "risk"}


def agree(want: Wanted) -> None:
    """Hold kernel and oracle to each other over a random history."""
    bars = random_bars(want)
    walk(rules_of(want, bars), bars, random_signal(want))


@often
@given(PLAIN)
def test_the_plain_account(want: Wanted) -> None:
    agree(want)


@often
@given(FULL)
def test_the_full_account(want: Wanted) -> None:
    agree(want)


CLOSED = [
    Wanted(
        423887551, n_symbols=3, margin="isolated", leverage=2.0, fraction=6.0, at_close=True, steps=False,
        borrow=True, limits=(("flatten_leaving", True),),
    ),
    Wanted(
        639371733, n_symbols=2, margin="cross", spot="all", leverage=10.0, fraction=2.0, steps=False,
        inverse="some", limits=(
            ("halve_drawdown", 0.05), ("flatten_drawdown", 0.2), ("cool_down_bars", 3),
            ("flatten_leaving", True),
        ),
    ),
]  # fmt: skip
"""Histories in which the accounts' positions had drifted by more than 1e-12 when they were closed."""


@pytest.mark.parametrize("want", CLOSED)
def test_what_closes_the_one_closes_the_other(want: Wanted) -> None:
    agree(want)


def of_contracts(want: Wanted) -> Wanted:
    return replace(want, spot="none")


ON_MARGIN = FULL.filter(lambda want: want.margin != "none").map(of_contracts)
OWED = [
    Wanted(
        1003, n_symbols=2, margin="isolated", spot="none", inverse="all", leverage=2.0, fraction=2.0,
        steps=False,
    ),
]  # fmt: skip
"""Of histories in which coins owed had grown beyond all that there was."""


@often
@given(ON_MARGIN)
def test_what_is_held_on_margin_never_owes_anything(want: Wanted) -> None:
    """But for funding beyond the wallet, which of linear contracts no margin of an open position has paid yet."""
    owes_nothing(want)


@pytest.mark.parametrize("want", OWED)
def test_nor_where_it_did(want: Wanted) -> None:
    owes_nothing(want)


def owes_nothing(want: Wanted) -> None:
    bars = random_bars(want)
    bars.funding_rate[:] = 0.0
    bars.funding_inside[:] = 0.0
    volatility = np.full_like(bars.close, 0.01)
    rules = rules_of(want, bars)
    _, trace = run_bars(
        new_book(bars.n_symbols, CAPITAL), rules, bars, random_signal(want), volatility, Phase.BOTH
    )
    assert trace.equity.min() >= -SHARE * CAPITAL
    if rules.full is not None and rules.full.has_inverse:
        has_price = np.logical_or.accumulate(bars.valid, axis=0)
        assert (trace.coin[(trace.quantity == 0.0) & has_price] >= 0.0).all()


@often
@given(AT_MARKET)
def test_sizes_impact_and_stops(want: Wanted) -> None:
    agree(want)


@often
@given(WITH_TERMS)
def test_orders_that_are_split_or_rest(want: Wanted) -> None:
    agree(want)


@settings(max_examples=20, deadline=None)
@given(FULL | AT_MARKET | WITH_TERMS)
def test_any_partition_gives_the_same_bits(want: Wanted) -> None:
    bars, signal = random_bars(want), random_signal(want)
    rules, volatility = rules_of(want, bars), np.full_like(signal, 0.01)
    whole, trace = run_bars(
        new_book(bars.n_symbols, CAPITAL), rules, bars, signal, volatility, Phase.BOTH
    )
    book, fills = new_book(bars.n_symbols, CAPITAL), []
    for start, stop in cuts_of(want):
        at = slice(start, stop)
        for phase in (Phase.OPEN, Phase.CLOSE) if stop == start + 1 else (Phase.BOTH,):
            book, told = run_bars(
                book, rules, bars.rows(start, stop), signal[at], volatility[at], phase
            )
            fills.append(told.fills)
    assert np.concatenate(fills).tobytes() == trace.fills.tobytes()
    for name in Book._fields:
        assert getattr(book, name).tobytes() == getattr(whole, name).tobytes(), name


@often
@given(AT_MARKET | WITH_TERMS)
def test_no_fill_is_off_the_bar_the_step_the_tick_or_the_volume(want: Wanted) -> None:
    bars, signal = random_bars(want), random_signal(want)
    rules = rules_of(want, bars)
    assert rules.full is not None
    orders = rules.full.orders
    _, trace = run_bars(
        new_book(bars.n_symbols, CAPITAL),
        rules,
        bars,
        signal,
        np.full_like(signal, 0.01),
        Phase.BOTH,
    )
    traded = np.zeros(bars.close.shape)
    for fill in trace.fills:
        i, s = int(fill["open_time"]) // HOUR_MS, int(fill["symbol"])
        quantity, price = float(fill["quantity"]), float(fill["price"])
        step, tick = float(rules.quantity_step[s]), float(orders.tick[s])
        assert not step or math.isclose(quantity / step, round(quantity / step), abs_tol=1e-6)
        if FILL_REASON[int(fill["reason"])] in ("liquidation", "settlement"):
            continue
        assert not tick or math.isclose(price / tick, round(price / tick), abs_tol=1e-5)
        beyond = (float(fill["spread"]) + float(fill["slippage"])) / quantity
        middle = price / (1.0 + beyond) if rules.full.inverse[s] else price - beyond
        seen = [bars.low[i, s], bars.high[i, s], bars.fill_bid[i, s], bars.fill_ask[i, s]]
        low, high = np.nanmin(seen) * (1 - SHARE), np.nanmax(seen) * (1 + SHARE)
        if orders.is_limit and fill["spread"] == fill["slippage"] == 0.0:
            # an open beyond a limit that rests makes its price no better (decision 249)
            assert middle >= low if quantity > 0.0 else middle <= high
        else:
            assert low <= middle <= high
        assert not orders.max_market[s] or abs(quantity) <= orders.max_market[s] * (1 + SHARE)
        traded[i, s] += abs(quantity)
    if orders.max_participation:
        last = np.zeros(bars.n_symbols)
        for i in range(len(bars)):
            closed = np.where(bars.valid[i], bars.volume[i], last)
            most = orders.max_participation * np.maximum(last, closed)
            assert (traded[i] <= most * (1 + SHARE)).all()
            last = closed
