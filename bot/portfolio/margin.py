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
from bot.portfolio.kernel.contracts import (
    is_inverse,
    made_of,
    own_price,
    own_value_of,
    price_of_loss,
)
from bot.portfolio.kernel.margin import initial_margin, maintenance_margin
from bot.portfolio.rules import Rules

NEXT_TO_NOTHING = 1e-12
"""Share of a mark: a price below it is taken for 0."""

CALLED = 0.8
"""Share of the margin that is used, from which on a person is to be told."""


@dataclass(frozen=True, slots=True)
class PositionMargin:
    """A contract's margin, in the quote currency; of an inverse one what its coins are worth at the mark.

    Attributes:
        symbol: its place, from 0.
        entry: average price.
        made: what it has made since then, at the mark.
        initial, maintenance: what it sets aside, and what must be left.
        liquidation_price: of the mark, the others staying where they are; None where no price would do it.
        distance: from the mark to there, as a share of the mark; None likewise.
    """

    symbol: int
    entry: float
    made: float
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
        return is_called(self.used)


def is_called(used: float) -> bool:
    """Tell whether so much of the margin is used that a person is to be told."""
    return used >= CALLED


def used_margin(book: Book, rules: Rules) -> float:
    """Return the share of the margin that is used, as `AccountMargin.used`; 0 without any.

    It is what a daemon asks at every close: without the prices at which positions would end.
    """
    full = rules.full
    held = _on_margin(book, full)
    if full is None or not held:
        return 0.0
    if full.margin_mode == MarginMode.ISOLATED:
        return max(_used(s, book, full, *_margins(s, book, full)) for s in held)
    equity = float(book.account[0]["equity"])
    needed = math.fsum(_needed(s, float(book.mark[s]), book, rules, full) for s in held)
    return needed / equity if equity > 0.0 else math.inf


def margin_of(book: Book, rules: Rules) -> AccountMargin | None:
    """Return the margin of an account, None where nothing of it is held on margin.

    Args:
        book: after a close.
        rules: those it trades under.
    """
    full = rules.full
    held = _on_margin(book, full)
    if full is None or not held:
        return None
    isolated = full.margin_mode == MarginMode.ISOLATED
    positions = tuple(
        _isolated(s, book, full) if isolated else _cross(s, held, book, rules, full) for s in held
    )
    return AccountMargin(
        mode=MarginMode(full.margin_mode).name.lower(),
        initial=math.fsum(p.initial for p in positions),
        maintenance=math.fsum(p.maintenance for p in positions),
        used=used_margin(book, rules),
        positions=positions,
    )


def _on_margin(book: Book, full: FullAccount | None) -> list[int]:
    """Return the contracts that are held, where they are held on margin."""
    if full is None or full.margin_mode == MarginMode.NONE:
        return []
    return [s for s in range(book.n_symbols) if book.quantity[s] != 0.0 and full.contract[s]]


def _margins(s: int, book: Book, full: FullAccount) -> tuple[float, float]:
    """Return an isolated position's initial and maintenance margin, in its own money."""
    value = float(own_value_of(s, float(book.quantity[s]), float(book.holding[s]["entry"]), full))
    return float(initial_margin(s, value, full)), float(maintenance_margin(s, value, full))


def _needed(s: int, price: float, book: Book, rules: Rules, full: FullAccount) -> float:
    """Return what a position needs of a cross account at a mark."""
    value = float(own_value_of(s, float(book.quantity[s]), price, full))
    need = float(maintenance_margin(s, value, full) + value * rules.taker_fee[s])
    return need * float(own_price(s, price, full))


def _isolated(s: int, book: Book, full: FullAccount) -> PositionMargin:
    initial, maintenance = _margins(s, book, full)
    entry, quantity = float(book.holding[s]["entry"]), float(book.quantity[s])
    at = float(price_of_loss(s, quantity, entry, initial - maintenance, full))
    unit = float(own_price(s, float(book.mark[s]), full))
    return _position(s, book, full, initial * unit, maintenance=maintenance * unit, price=at)


def _cross(s: int, held: list[int], book: Book, rules: Rules, full: FullAccount) -> PositionMargin:
    def needed(symbol: int, price: float) -> float:
        return _needed(symbol, price, book, rules, full)

    mark = float(book.mark[s])
    others = math.fsum(needed(o, float(book.mark[o])) for o in held if o != s)
    spare = float(book.account[0]["equity"]) - others
    quantity = float(book.quantity[s])
    exposed = float(book.holding[s]["coin"]) if is_inverse(s, full) else quantity
    at = _cross_price(exposed, mark, spare, lambda price: needed(s, price))
    value = float(own_value_of(s, quantity, mark, full))
    initial = float(initial_margin(s, value, full)) * float(own_price(s, mark, full))
    return _position(s, book, full, initial, maintenance=needed(s, mark), price=at)


def _cross_price(
    quantity: float, mark: float, spare: float, needed: Callable[[float], float]
) -> float:
    """Return the mark at which `spare + q (price - mark)` is what is needed; 0 or infinity if none.

    At a price of 0 an inverse contract is worth endless coins, so that is not tried.

    Args:
        quantity: in the base currency; of an inverse contract its coins.
    """

    def left(price: float) -> float:
        return spare + quantity * (price - mark) - needed(price)

    if left(mark) <= 0.0:
        return mark
    safe, lost = mark, NEXT_TO_NOTHING * mark
    if quantity < 0.0:
        lost = 2.0 * mark
        while left(lost) > 0.0:
            lost *= 2.0
            if lost > 1e12 * mark:  # hardly exposed
                return math.inf
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
    s: int, book: Book, full: FullAccount, initial: float, maintenance: float, price: float
) -> PositionMargin:
    mark, entry = float(book.mark[s]), float(book.holding[s]["entry"])
    made = float(made_of(s, float(book.quantity[s]), entry, mark, full))
    known = 0.0 < price < math.inf
    return PositionMargin(
        symbol=s,
        entry=entry,
        made=made * float(own_price(s, mark, full)),
        initial=initial,
        maintenance=maintenance,
        liquidation_price=price if known else None,
        distance=abs(price - mark) / mark if known else None,
    )


def _used(s: int, book: Book, full: FullAccount, initial: float, maintenance: float) -> float:
    entry, mark = float(book.holding[s]["entry"]), float(book.mark[s])
    gained = float(made_of(s, float(book.quantity[s]), entry, mark, full))
    stands = initial + gained
    return maintenance / stands if stands > 0.0 else math.inf
