"""Each symbol's funding: exactly what the kernel charged, also on bars that a symbol misses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bot.blocks import F64, BarBlock
from bot.portfolio.book import new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.funding import funding_paid, funding_unknown
from bot.portfolio.rules import FillAt, Rules
from bot.portfolio.trace import Phase
from bot.timegrid import DAY_MS

N, S = 400, 3


def wild_market(seed: int) -> tuple[BarBlock, F64]:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(0.02 * rng.standard_normal((N, S)), axis=0))
    valid = rng.random((N, S)) < 0.8
    opened = np.where(valid, close * np.exp(0.01 * rng.standard_normal((N, S))), np.nan)
    close = np.where(valid, close, np.nan)
    rate = rng.choice([0.0, 0.001, -0.002, np.nan], (N, S), p=[0.4, 0.3, 0.2, 0.1])
    bars = BarBlock.of_candles(
        np.arange(N) * DAY_MS, opened, opened, close, close, close, valid=valid, funding_rate=rate,
        mark=np.where(rng.random((N, S)) < 0.5, 1.001 * opened, np.nan),
        funding_inside=rng.choice([0.0, 0.1, -0.2], (N, S)),
        funding_inside_unknown=rng.choice([0.0, 1.0, 2.0], (N, S)),
    )  # fmt: skip
    return bars, rng.choice([-0.01, 0.0, 0.01], (N, S))


@pytest.mark.parametrize("fill_at", FillAt)
def test_symbols_add_up_to_the_account(fill_at: FillAt, rules_of: Callable[..., Rules]) -> None:
    bars, signal = wild_market(int(fill_at))
    rules = rules_of(S, fill_at=fill_at, fraction=0.3)
    nothing = np.full((N, S), np.nan)
    _, trace = run_bars(new_book(S, 1e5), rules, bars, signal, nothing, Phase.BOTH)
    before = np.vstack([np.zeros((1, S)), trace.quantity[:-1]])
    inside = trace.quantity if fill_at == FillAt.NEXT_OPEN else before
    paid = funding_paid(bars, before, inside, np.full(S, np.nan))
    scale = np.abs(paid).sum(axis=1) + 1e-9
    assert (np.abs(paid.sum(axis=1) - trace.funding) <= 1e-12 * scale).all()
    missing = (~bars.valid & (before != 0.0) & np.isnan(bars.mark)).any()
    assert missing
    assert trace.funding.any()
    unknown = funding_unknown(bars, before, inside).sum(axis=1)
    assert unknown.tolist() == trace.funding_unknown.tolist()


def test_inside_a_bar_what_was_bought_at_its_open_pays(rules_of: Callable[..., Rules]) -> None:
    """Bought at the open of bar 1, sold at the open of bar 2: it pays inside bar 1 only."""
    price = np.full((3, 1), 100.0)
    bars = BarBlock.of_candles(
        np.arange(3) * DAY_MS, price, price, price, price, price,
        funding_rate=np.full((3, 1), 0.001), funding_inside=np.array([[7.0], [0.5], [11.0]]),
    )  # fmt: skip
    signal, nothing = np.array([[0.01], [0.0], [np.nan]]), np.full((3, 1), np.nan)
    rules = rules_of(1, fraction=0.5)
    at_open, inside_1, inside_2 = 5.0 * 0.1, 5.0 * 0.5, 5.0 * 11.0
    for fill_at, expected in (
        (FillAt.NEXT_OPEN, [0.0, inside_1, at_open]),
        (FillAt.NEXT_CLOSE, [0.0, 0.0, at_open + inside_2]),  # filled after what is inside bar 1
    ):
        now = rules._replace(fill_at=int(fill_at))  # another type is another kernel
        _, trace = run_bars(new_book(1, 1000.0), now, bars, signal, nothing, Phase.BOTH)
        assert trace.funding.tolist() == pytest.approx(expected)
    free = replace(bars, funding_inside_unknown=np.full((3, 1), 3.0))
    off = rules._replace(funding=np.array([False]))
    _, trace = run_bars(new_book(1, 1000.0), off, free, signal, nothing, Phase.BOTH)
    assert not trace.funding.any()
    assert not trace.funding_unknown.any()


def test_contracts_pay_in_coin_and_it_is_told_in_the_quote_currency() -> None:
    """1,000 contracts pay 0.1 % of themselves, and 0.2 % of their 4 coins at 250, which are 200 each at the open.

    The second is linear; of the third, an inverse one, no price is known yet, and nothing is held.
    """
    price = np.array([[200.0, 100.0, np.nan]])
    inside = np.array([[200.0**2 * 0.002 / 250.0, 0.5, 0.0]])
    bars = BarBlock.of_candles(
        np.zeros(1, dtype=np.int64), price, price, price, price, price,
        valid=np.array([[True, True, False]]), funding_rate=np.full((1, 3), 0.001),
        funding_inside=inside,
    )  # fmt: skip
    held = np.array([[1_000.0, 3.0, 0.0]])
    unknown = np.full(3, np.nan)
    inverse = np.array([True, False, True])
    paid = funding_paid(bars, held, held, unknown, inverse)
    assert paid[0].tolist() == pytest.approx([1.0 + 4.0 * 0.002 * 200.0, 0.3 + 1.5, 0.0])
    linear = funding_paid(bars, held, held, unknown, np.zeros(3, dtype=np.bool_))
    assert linear[0].tolist() == pytest.approx([200.0 + 320.0, 1.8, 0.0])


def test_a_rate_of_one_is_all_that_is_held() -> None:
    """And without a rate nothing is paid, also where no price is known."""
    price = np.array([[200.0, np.nan]])
    bars = BarBlock.of_candles(
        np.zeros(1, dtype=np.int64), price, price, price, price, price,
        valid=np.array([[True, False]]), funding_rate=np.array([[1.0, 0.0]]),
    )  # fmt: skip
    held = np.array([[3.0, 3.0]])
    assert funding_paid(bars, held, held, np.full(2, np.nan)).tolist() == [[600.0, 0.0]]
