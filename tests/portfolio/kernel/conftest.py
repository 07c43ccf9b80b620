"""Builders of accounts with rules of orders, for the tests of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.ledger import check_books
from bot.portfolio.order_rules import OrderRules, plain_orders
from bot.portfolio.reasons import FILL_REASON
from bot.portfolio.rules import Rules
from bot.portfolio.trace import Phase, Trace

CAPITAL = 1000.0


def make_orders(n_symbols: int = 1, **changed: Any) -> OrderRules:
    """Return rules of orders in which only what is named is on."""
    plain = plain_orders(n_symbols)
    arrays: dict[str, Any] = {
        name: np.full(n_symbols, value) if isinstance(getattr(plain, name), np.ndarray) else value
        for name, value in changed.items()
    }
    stops = any(changed.get(name) for name in ("stop_loss", "take_profit", "trailing_stop"))
    return plain._replace(**arrays, has_stops=stops)


def make_full(orders: OrderRules, **changed: Any) -> FullAccount:
    """Return an account of contracts that asks for no margin, but for what is named."""
    n_symbols = len(orders.tick)
    tier = np.ones((n_symbols, 1))
    return FullAccount(
        margin_mode=int(MarginMode.NONE),
        contract=np.ones(n_symbols, dtype=np.bool_),
        leverage=np.full(n_symbols, 100.0),
        tier_limit=tier * np.inf,
        tier_rate=tier * 0.005,
        tier_deduction=tier * 0.0,
        tier_leverage=tier * 100.0,
        borrow=False,
        interest=0.0,
        optimistic=False,
        orders=orders,
    )._replace(**changed)


def make_trade(
    bars: BarBlock, signals: Sequence[Any], rules: Rules, orders: OrderRules, **full: Any
) -> tuple[Book, Trace]:
    """Take CAPITAL through the bars, at once; the books are checked."""
    signal = np.array(signals, dtype=float).reshape(bars.close.shape)
    book = new_book(bars.n_symbols, CAPITAL, rules.policy_state)
    rules = rules._replace(full=make_full(orders, **full))
    after, trace = run_bars(book, rules, bars, signal, np.full_like(signal, 0.01), Phase.BOTH)
    check_books(book, bars, trace)
    return after, trace


def told(trace: Trace, bars: BarBlock) -> list[tuple[int, float, float, str]]:
    """Return bar, quantity, price and reason of each fill."""
    at = {int(time): i for i, time in enumerate(bars.open_time)}
    return [
        (
            at[int(f["open_time"])],
            float(f["quantity"]),
            float(f["price"]),
            FILL_REASON[int(f["reason"])],
        )
        for f in trace.fills
    ]


@pytest.fixture(scope="session")
def orders_of() -> Callable[..., OrderRules]:
    return make_orders


@pytest.fixture(scope="session")
def full_of() -> Callable[..., FullAccount]:
    return make_full


@pytest.fixture(scope="session")
def trade() -> Callable[..., tuple[Book, Trace]]:
    return make_trade


@pytest.fixture(scope="session")
def fills_of() -> Callable[..., list[tuple[int, float, float, str]]]:
    return told
