"""An account's margin as a reader sees it: what is set aside, how much of it is used, where it ends.

Rules: at the marks of the last close, by the very functions by which the kernel liquidates. Must not
change anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bot.portfolio.book import Book
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.kernel.margin import initial_margin, maintenance_margin
from bot.portfolio.rules import Rules

CALLED = 0.8
"""Share of the margin that is used, from which on a person is to be told."""


@dataclass(frozen=True, slots=True)
class PositionMargin:
    """A contract's margin, in the quote currency.

    Attributes:
        symbol: its place, from 0.
        entry: average price.
        initial, maintenance: what it sets aside, and what must be left.
        liquidation_price: of the mark, the others staying where they are; None where no price would do it.
        distance: from the mark to there, as a share of the mark; None likewise.
    """

    symbol: int
    entry: float
    initial: float
    maintenance: float
    liquidation_price: float | None
    distance: float | None


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """Margin of all contracts held.

    Attributes:
        mode: "cross" or "isolated".
        used: maintenance margin over what stands for it, the largest of all positions where each stands
            for itself; at 1 it is liquidated.
    """

    mode: str
    initial: float
    maintenance: float
    used: float
    positions: tuple[PositionMargin, ...]

    @property
    def is_called(self) -> bool:
        """Tell whether a person is to be told."""
        return self.used >= CALLED


def margin_of(book: Book, rules: Rules) -> AccountMargin | None:
    """Return the margin of an account, None where nothing of it is held on margin.

    Args:
        book: after a close.
        rules: those it trades under.
    """
    full = rules.full
    if full is None or full.margin_mode == MarginMode.NONE:
        return None
    held = [s for s in range(book.n_symbols) if book.quantity[s] != 0.0 and full.contract[s]]
    if not held:
        return None
    isolated = full.margin_mode == MarginMode.ISOLATED
    positions = tuple(
        _isolated(s, book, full) if isolated else _cross(s, held, book, rules, full) for s in held
    )
    maintenance = math.fsum(p.maintenance for p in positions)
    if isolated:
        used = max(_used(p, book) for p in positions)
    else:
        equity = float(book.account[0]["equity"])
        used = maintenance / equity if equity > 0.0 else math.inf
    return AccountMargin(
        mode=MarginMode(full.margin_mode).name.lower(),
        initial=math.fsum(p.initial for p in positions),
        maintenance=maintenance,
        used=used,
        positions=positions,
    )


def _isolated(s: int, book: Book, full: FullAccount) -> PositionMargin:
    quantity, entry = float(book.quantity[s]), float(book.holding[s]["entry"])
    value = abs(quantity) * entry
    initial, maintenance = initial_margin(s, value, full), maintenance_margin(s, value, full)
    at = entry - (initial - maintenance) / quantity
    return _position(s, book, initial, maintenance=maintenance, price=at)


def _cross(s: int, held: list[int], book: Book, rules: Rules, full: FullAccount) -> PositionMargin:
    def needed(symbol: int, price: float) -> float:
        value = abs(float(book.quantity[symbol])) * price
        return float(maintenance_margin(symbol, value, full) + value * rules.taker_fee[symbol])

    mark = float(book.mark[s])
    others = math.fsum(needed(o, float(book.mark[o])) for o in held if o != s)
    spare = float(book.account[0]["equity"]) - others
    at = _cross_price(float(book.quantity[s]), mark, spare, lambda price: needed(s, price))
    initial = initial_margin(s, abs(float(book.quantity[s])) * mark, full)
    return _position(s, book, initial, maintenance=needed(s, mark), price=at)


def _cross_price(
    quantity: float, mark: float, spare: float, needed: Callable[[float], float]
) -> float:
    """Return the mark at which `spare + q (price - mark)` is what is needed; 0 or infinity if none."""

    def left(price: float) -> float:
        return spare + quantity * (price - mark) - needed(price)

    if left(mark) <= 0.0:
        return mark
    safe, lost = mark, 0.0
    if quantity < 0.0:
        lost = 2.0 * mark
        while left(lost) > 0.0:
            lost *= 2.0
    elif left(lost) > 0.0:
        return 0.0
    for _ in range(200):
        middle = 0.5 * (safe + lost)
        if left(middle) > 0.0:
            safe = middle
        else:
            lost = middle
    return lost


def _position(
    s: int, book: Book, initial: float, maintenance: float, price: float
) -> PositionMargin:
    mark = float(book.mark[s])
    known = price > 0.0
    return PositionMargin(
        symbol=s,
        entry=float(book.holding[s]["entry"]),
        initial=initial,
        maintenance=maintenance,
        liquidation_price=price if known else None,
        distance=abs(price - mark) / mark if known else None,
    )


def _used(position: PositionMargin, book: Book) -> float:
    s = position.symbol
    gained = float(book.quantity[s]) * (float(book.mark[s]) - position.entry)
    stands = position.initial + gained
    return position.maintenance / stands if stands > 0.0 else math.inf
