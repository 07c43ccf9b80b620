"""Builders of small markets and rules for the tests of the portfolio, given as fixtures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.blocks import F64, BarBlock
from bot.portfolio.book import Book, new_book
from bot.portfolio.broker import run_bars
from bot.portfolio.rules import FillAt, LatePolicy, Rules, SizingMethod
from bot.portfolio.trace import Phase, Trace
from bot.timegrid import HOUR_MS

CAPITAL = 1000.0


def make_bars(opens: Sequence[Any], closes: Sequence[Any], **changed: Any) -> BarBlock:
    """Return hourly bars; prices are a number a bar, or a list of one a symbol."""
    open_ = np.array(opens, dtype=float).reshape(len(opens), -1)
    close = np.array(closes, dtype=float).reshape(len(closes), -1)
    block = BarBlock.of_candles(
        np.arange(len(open_), dtype=np.int64) * HOUR_MS,
        open_,
        np.maximum(open_, close),
        np.minimum(open_, close),
        close,
        np.ones_like(close),
    )
    arrays: dict[str, Any] = {}
    for name, value in changed.items():
        like = getattr(block, name)
        arrays[name] = np.array(value, dtype=like.dtype).reshape(like.shape)
    return replace(block, **arrays)


def make_rules(n_symbols: int = 1, **changed: Any) -> Rules:
    """Return rules without any cost or limit, but for what is named."""
    plain = Rules(
        threshold=0.001,
        method=int(SizingMethod.FIXED),
        fraction=0.5,
        scale=0.1,
        max_weight=0.5,
        band=0.05,
        disagreement_penalty=0.0,
        max_symbol_weight=0.0,
        max_gross=0.0,
        max_daily_loss=0.0,
        max_drawdown=0.0,
        half_spread=0.0,
        slippage=0.0,
        reference=False,
        fill_at=int(FillAt.NEXT_OPEN),
        late_policy=int(LatePolicy.HOLD),
        allow_short=np.ones(n_symbols, dtype=np.bool_),
        funding=np.ones(n_symbols, dtype=np.bool_),
        taker_fee=np.zeros(n_symbols),
        quantity_step=np.zeros(n_symbols),
        min_quantity=np.zeros(n_symbols),
        min_notional=np.zeros(n_symbols),
        bar_ms=HOUR_MS,
    )
    arrays: dict[str, Any] = {
        name: np.broadcast_to(np.array(value, dtype=getattr(plain, name).dtype), n_symbols).copy()
        if isinstance(getattr(plain, name), np.ndarray)
        else type(getattr(plain, name))(value)
        for name, value in changed.items()
    }
    return plain._replace(**arrays)


def make_signals(values: Sequence[Any], like: BarBlock) -> F64:
    """Return float64[n, S]."""
    return np.array(values, dtype=float).reshape(like.close.shape)


def make_run(
    rules: Rules, bars: BarBlock, signal: F64, volatility: F64 | None = None
) -> tuple[Book, Trace]:
    """Run all bars in one call from a new book of CAPITAL."""
    book = new_book(bars.n_symbols, CAPITAL)
    given = np.full(bars.close.shape, 0.01) if volatility is None else volatility
    return run_bars(book, rules, bars, signal, given, Phase.BOTH)


@pytest.fixture(scope="session")
def bars_of() -> Callable[..., BarBlock]:
    return make_bars


@pytest.fixture(scope="session")
def rules_of() -> Callable[..., Rules]:
    return make_rules


@pytest.fixture(scope="session")
def signals_of() -> Callable[..., F64]:
    return make_signals


@pytest.fixture(scope="session")
def run_all() -> Callable[..., tuple[Book, Trace]]:
    return make_run
