"""Stages of the drawdown, cool-downs, losses in a row: when they begin, what they do, when they end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.ledger import check_books
from bot.portfolio.reasons import DrawdownStage, FillReason, Refusal
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace
from tests.portfolio.conftest import make_bars, make_rules
from tests.portfolio.kernel.conftest import make_orders
from tests.portfolio.kernel.limited import limited

CAPITAL = 1000.0
NOTHING = np.nan


def closes(*rows: Any) -> BarBlock:
    """Return bars that open where the one before closed."""
    table = [list(np.atleast_1d(row)) for row in rows]
    return make_bars([table[0], *table[:-1]], table)


def run(rules: Rules, bars: BarBlock, signal: Any, book: Book | None = None) -> tuple[Book, Trace]:
    signal = np.array(signal, dtype=float).reshape(bars.close.shape)
    book = new_book(bars.n_symbols, CAPITAL) if book is None else book
    after, trace = run_bars(book, rules, bars, signal, np.full_like(signal, 0.01), Phase.BOTH)
    check_books(book, bars, trace)
    return after, trace


def stage(book: Book) -> int:
    return int(book.account["stage"][0])


def test_a_halved_account_halves_what_it_holds_and_what_it_decides() -> None:
    """10 held at 100; at 89 the drawdown is 11 %: 5 stay, and the next short is half of its size."""
    rules = limited(make_rules(fraction=1.0), halve_drawdown=0.1)
    bars = closes(100.0, 100.0, 91.0, 89.0, 89.0, 89.0)
    book, trace = run(rules, bars, [1.0, NOTHING, NOTHING, NOTHING, -1.0, NOTHING])
    assert trace.quantity[:, 0].tolist() == pytest.approx(
        [0.0, 10.0, 10.0, 10.0, 5.0, -445.0 / 89.0]
    )
    assert trace.fills["reason"].tolist() == [FillReason.SIGNAL, FillReason.RISK, FillReason.SIGNAL]
    assert trace.refusal[3, 0] == trace.refusal[4, 0] == Refusal.DRAWDOWN_STAGE
    assert stage(book) == DrawdownStage.HALVED


def test_what_a_stage_has_cut_is_forgotten_once_it_is_closed() -> None:
    """Halved at 89 to 5 of 10, and closed; at 80 half of 890 is 5.5625, which is more than those 5."""
    rules = limited(make_rules(fraction=1.0), halve_drawdown=0.1)
    bars = make_bars([100.0, 100.0, 100.0, 89.0, 80.0], [100.0, 100.0, 89.0, 80.0, 80.0])
    book, trace = run(rules, bars, [1.0, NOTHING, 0.0, 1.0, NOTHING])
    assert trace.order[3, 0] == pytest.approx(445.0 / 80.0)
    assert stage(book) == DrawdownStage.HALVED


def test_halving_is_lifted_at_the_peak_and_not_before() -> None:
    """10 at 100, 5 from 89 on: equity 890 is back at 1,000 at 111; then sizes are whole again."""
    rules = limited(make_rules(fraction=1.0), halve_drawdown=0.1)
    path = [100.0, 100.0, 89.0, 89.0, 110.9, 111.0, 111.0]
    before, _ = run(rules, closes(*path[:5]), [1.0, *[NOTHING] * 4])
    assert stage(before) == DrawdownStage.HALVED
    book, trace = run(rules, closes(*path), [1.0, *[NOTHING] * 4, -1.0, NOTHING])
    assert stage(book) == DrawdownStage.NONE
    assert book.quantity[0] == pytest.approx(-1000.0 / 111.0)
    assert not trace.refusal[5:].any()


def test_a_halving_whose_order_was_lost_is_ordered_again() -> None:
    rules = limited(make_rules(fraction=1.0, late_policy=1), halve_drawdown=0.1)
    bars = closes(100.0, 100.0, 89.0, 89.0, 89.0, 89.0)
    bars.fillable[3] = False
    _, trace = run(rules, bars, [1.0, *[NOTHING] * 5])
    assert trace.quantity[:, 0].tolist() == [0.0, 10.0, 10.0, 10.0, 5.0, 5.0]


def test_a_flattened_account_closes_all_and_begins_anew_after_its_cool_down() -> None:
    """At 79 the drawdown is 21 %. The closes 2, 3 and 4 open nothing; at the fifth the peak is 790."""
    rules = limited(make_rules(fraction=1.0), flatten_drawdown=0.2, cool_down_bars=3)
    bars = closes(100.0, 100.0, *[79.0] * 5)
    book, trace = run(rules, bars, [1.0, NOTHING, *[1.0] * 4, NOTHING])
    assert trace.quantity[:, 0].tolist() == pytest.approx([0.0, 10.0, 10.0, 0.0, 0.0, 0.0, 10.0])
    assert trace.fills["reason"].tolist() == [FillReason.SIGNAL, FillReason.RISK, FillReason.SIGNAL]
    assert trace.refusal[2:, 0].tolist() == [Refusal.DRAWDOWN_STAGE] * 3 + [0, 0]
    assert book.account["stage_peak"][0] == pytest.approx(790.0)
    assert book.account["peak_equity"][0] == 1000.0


@pytest.mark.parametrize(
    ("limit", "close", "raised"),
    [("halve_drawdown", 90.0, DrawdownStage.HALVED), ("flatten_drawdown", 90.0, DrawdownStage.FLATTENED)],
)  # fmt: skip
def test_a_stage_is_raised_at_its_very_drawdown(
    limit: str, close: float, raised: DrawdownStage
) -> None:
    """10 held at 100 are worth 100 less at 90, which is a tenth of 1,000; at 90.01 it is not."""
    asked: dict[str, Any] = {limit: 0.1}
    rules = limited(make_rules(fraction=1.0), **asked)
    for path, expected in ((close, raised), (close + 0.01, DrawdownStage.NONE)):
        book, _ = run(rules, closes(100.0, 100.0, path), [1.0, NOTHING, NOTHING])
        assert stage(book) == expected


def test_a_halt_counts_from_its_own_peak() -> None:
    """Flattened at 79 and begun anew there, the account is halted at 69 of the first 100."""
    rules = limited(
        make_rules(fraction=1.0, max_drawdown=0.3), flatten_drawdown=0.2, cool_down_bars=1
    )
    book, _ = run(
        rules, closes(100.0, 100.0, 79.0, 79.0, 79.0, 69.0), [1.0, NOTHING, 1.0, 1.0, 1.0, 1.0]
    )
    assert int(book.account["halted"][0]) == 2


def test_a_symbol_cools_down_after_its_liquidation_and_the_other_goes_on() -> None:
    """Isolated at 50 times; the low of the third bar takes the long. Closes 2 to 4 refuse it."""
    rules = limited(make_rules(2, fraction=0.5), mode=MarginMode.ISOLATED, cool_down_bars=3)
    bars = closes(*[[100.0, 10.0]] * 7)
    bars.low[2, 0] = 97.0
    signal = np.full((7, 2), 1.0)
    _, trace = run(rules, bars, signal)
    assert trace.refusal[:, 0].tolist() == [0, 0, *[Refusal.COOL_DOWN] * 3, 0, 0]
    assert (trace.quantity[2:6, 0] == 0.0).all()
    assert trace.quantity[6, 0] > 0.0
    assert trace.quantity[1:, 1].tolist() == [50.0] * 6


@pytest.mark.parametrize(
    ("orders", "cools"),
    [({"stop_loss": 0.05}, True), ({"trailing_stop": 0.05}, True), ({"take_profit": 0.05}, False)],
)
def test_a_symbol_cools_down_after_its_stop_and_after_nothing_else(
    orders: dict[str, float], cools: bool
) -> None:
    """The first goes to 90 and 110 in the third bar, the second is closed on a signal there."""
    rules = limited(make_rules(2, fraction=0.3), cool_down_bars=3)
    assert isinstance(rules.full, FullAccount)
    rules = rules._replace(full=rules.full._replace(orders=make_orders(2, **orders)))
    flat = [[100.0, 10.0]] * 6
    bars = make_bars(flat, flat, volume=np.full((6, 2), 1e6))
    (bars.low if cools else bars.high)[2, 0] = 90.0 if cools else 110.0
    signal = [[1.0, 1.0], [NOTHING, 0.0], *[[-1.0, -1.0]] * 4]
    book, trace = run(rules, bars, signal)
    assert trace.refusal[:, 0].tolist() == (
        [0, 0, *[Refusal.COOL_DOWN] * 3, 0] if cools else [0] * 6
    )
    assert not trace.refusal[:, 1].any()
    assert book.quantity[1] < 0.0


def lost_in_a_row(trace: Trace, inverse: bool, held: float, brought: float, losses: int) -> Any:
    """Return what is held, what its trip has brought and the trips lost in a row after some fills, by a
    plain walk over them."""
    for fill in trace.fills:
        quantity, price, fee = (float(fill[k]) for k in ("quantity", "price", "fee"))
        fee /= price if inverse else 1.0
        closes = -held if held * quantity < 0.0 and abs(quantity) >= abs(held) else 0.0
        parts = [(closes, True), (quantity - closes, False)]
        for part, ends in parts:
            if part:
                brought += part / price if inverse else -part * price
                brought -= fee * part / quantity
                held += part
            if part and ends:
                losses = losses + 1 if brought < 0.0 else 0
                brought = 0.0
    return held, brought, losses


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("price", "step"), [(100.0, 0.0), (1e5, 0.0), (100.0, 1.0), (2.0, 0.5)])
def test_losses_are_counted_as_a_plain_walk_over_the_fills_does(
    price: float, step: float, inverse: bool
) -> None:
    """After each of 60 bars: fees are of the size of what is won and lost; sizes grow, shrink and turn."""
    most = 0.003 if inverse and step else 0.3  # a few contracts, or units, of 1,000
    rules = limited(
        make_rules(
            method=1, scale=0.01, max_weight=most, band=0.0, taker_fee=0.002, quantity_step=step
        ),
        max_net=9.0,
    )
    assert isinstance(rules.full, FullAccount)
    full = rules.full._replace(inverse=np.array([inverse]), has_inverse=inverse)
    seen = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        bars = closes(*(price * np.exp(np.cumsum(rng.normal(0.0, 0.003, 60)))))
        signal = most * rng.choice([-1.0, -0.4, 0.0, 0.4, 1.0, NOTHING], (60, 1))
        book, plain = new_book(1, CAPITAL), (0.0, 0.0, 0)
        for i in range(60):
            at = slice(i, i + 1)
            book, trace = run_bars(
                book, rules._replace(full=full), bars.rows(i, i + 1), signal[at],
                np.full((1, 1), 0.01), Phase.BOTH,
            )  # fmt: skip
            plain = lost_in_a_row(trace, inverse, *plain)
            assert int(book.account["losses"][0]) == plain[2]
            assert book.quantity[0] == pytest.approx(plain[0], rel=1e-9, abs=1e-12)
            seen.add(plain[2])
    assert seen >= {0, 1, 2, 3}


def test_after_so_many_losses_nothing_is_opened_for_the_cool_down() -> None:
    """A long bought at 100 and sold at 99, twice; the close of the second loss and the next refuse."""
    rules = limited(make_rules(fraction=0.5), max_losses=2, cool_down_bars=2)
    path = [100.0, 100.0, 99.0, 99.0, 98.0, 98.0, 98.0, 98.0, 98.0]
    signal = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    bars = make_bars([100.0, 100.0, 99.0, 99.0, 98.0, *[98.0] * 4], path)
    book, trace = run(rules, bars, signal)
    assert trace.fills["price"].tolist() == [100.0, 99.0, 99.0, 98.0, 98.0]
    assert trace.refusal[:, 0].tolist() == [0, 0, 0, 0, 0, Refusal.COOL_DOWN, 0, 0, 0]
    assert int(book.account["losses"][0]) == 0


@pytest.mark.parametrize(("sold", "lost"), [(100.0, 0), (99.99, 1)])
def test_what_brings_back_what_it_cost_is_not_lost(sold: float, lost: int) -> None:
    rules = limited(make_rules(fraction=0.5), max_net=9.0)
    bars = make_bars([100.0, 100.0, sold], [100.0, 100.0, sold])
    book, trace = run(rules, bars, [1.0, 0.0, NOTHING])
    assert trace.fills["price"].tolist() == [100.0, sold]
    assert int(book.account["losses"][0]) == lost


@pytest.mark.parametrize(
    ("at_open", "inside", "lost"), [(1e-3, 0.0, 1), (0.0, 0.1, 1), (-1e-3, 0.0, 0)]
)
@pytest.mark.parametrize("inverse", [False, True])
def test_funding_is_part_of_what_a_trip_has_brought(
    at_open: float, inside: float, lost: int, inverse: bool
) -> None:
    """Bought and sold at 100, and held over a settlement."""
    rules = limited(make_rules(fraction=0.5), max_net=9.0)
    assert isinstance(rules.full, FullAccount)
    full = rules.full._replace(inverse=np.array([inverse]), has_inverse=inverse)
    bars = make_bars(
        [100.0] * 4, [100.0] * 4, funding_rate=[0.0, 0.0, at_open, 0.0],
        funding_inside=[0.0, 0.0, inside, 0.0],
    )  # fmt: skip
    signal = np.array([[1.0], [NOTHING], [0.0], [NOTHING]])
    book, trace = run_bars(
        new_book(1, CAPITAL), rules._replace(full=full), bars, signal, signal, Phase.BOTH
    )
    assert len(trace.fills) == 2
    assert int(book.account["losses"][0]) == lost


def test_a_cool_down_of_one_close_is_that_of_the_stop() -> None:
    rules = limited(make_rules(fraction=0.3), cool_down_bars=1)
    assert isinstance(rules.full, FullAccount)
    rules = rules._replace(full=rules.full._replace(orders=make_orders(stop_loss=0.05)))
    bars = make_bars(
        [100.0] * 5, [100.0] * 5, low=[100.0, 100.0, 90.0, 100.0, 100.0], volume=[1e6] * 5
    )
    book, trace = run(rules, bars, [1.0, NOTHING, -1.0, -1.0, NOTHING])
    assert trace.refusal[:, 0].tolist() == [0, 0, Refusal.COOL_DOWN, 0, 0]
    assert book.quantity[0] < 0.0


def test_a_cool_down_lets_what_is_held_be_closed() -> None:
    rules = limited(make_rules(2, fraction=0.5), max_losses=1, cool_down_bars=5)
    bars = closes([100.0, 10.0], [100.0, 10.0], [99.0, 10.0], [99.0, 10.0], [99.0, 10.0])
    signal = [[1.0, 1.0], [NOTHING, 1.0], [0.0, 1.0], [1.0, -1.0], [1.0, 0.0]]
    _, trace = run(rules, bars, signal)
    assert trace.quantity[:, 1].tolist() == [0.0, 50.0, 50.0, 50.0, 0.0]
    assert trace.refusal[3].tolist() == [Refusal.COOL_DOWN] * 2
