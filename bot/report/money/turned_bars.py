"""Bars in which a symbol was both bought and sold: whose position each of its fills was.

A stop that closes what the bar's open has opened, a limit beside a flip: what fills earn on one another a mean
of their prices does not tell, nor is a position that is opened and closed inside a bar seen at any close.

Rules: fills are taken in the order of booking, a fill that crosses zero belongs in parts to both positions. Bars
whose fills are all on one side are not here: there one price tells all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bot.blocks import F64, Bool
from bot.report.booked import Booked

SAME = 1e-9
"""Share of what was traded by which a position may miss zero: sums of floats."""


class Leg(NamedTuple):
    """The fills of one position in a bar.

    Attributes:
        side: 1 long, -1 short.
        quantity, price, fee: float64[k], of each fill; a quantity has the sign of its order.
        reason: code of its last fill.
        largest: the most that was held of it in the bar.
    """

    side: int
    quantity: F64
    price: F64
    fee: F64
    reason: int
    largest: float

    @property
    def cash(self) -> float:
        """Return what its fills brought in the quote currency, fees paid; of a linear symbol."""
        return -float((self.quantity * self.price).sum() + self.fee.sum())

    @property
    def coins(self) -> float:
        """Return what its fills brought in coin, fees paid; of an inverse symbol."""
        return float(((self.quantity - self.fee) / self.price).sum())

    @property
    def fees(self) -> float:
        """Return its fees."""
        return float(self.fee.sum())

    def mean_price(self, sign: int, *, inverse: bool) -> float:
        """Return the mean price of its fills of one sign, the harmonic one of an inverse symbol."""
        of = np.sign(self.quantity) == sign
        size, price = np.abs(self.quantity[of]), self.price[of]
        if inverse:
            return float(size.sum() / (size / price).sum())
        return float((size * price).sum() / size.sum())


class TurnedBar(NamedTuple):
    """A bar of a symbol with fills of both signs.

    Attributes:
        bar: from the start that was asked for.
        left: of the position held at the close before; None where none was.
        inside: of positions that the bar both opened and closed.
        entered: of a position that the bar opened and its close still has.
    """

    bar: int
    symbol: int
    left: Leg | None
    inside: tuple[Leg, ...]
    entered: Leg | None

    @property
    def is_reopened(self) -> bool:
        """Tell whether what was held was closed, and what is held was opened, on whatever side."""
        return self.left is not None and self.entered is not None


def inside_profit(leg: Leg, *, inverse: bool) -> float:
    """Return what a position made that one bar opened and closed, in the quote currency: coins at its exit."""
    return leg.coins * leg.mean_price(-leg.side, inverse=True) if inverse else leg.cash


def turned_bars(run: Booked, start: int) -> list[TurnedBar]:
    """Return the bars from `start` on that have fills of both signs, symbol by symbol, in order of time."""
    size, net = run.summed(np.abs(run.fills["quantity"])), run.summed(run.fills["quantity"])
    both = size - np.abs(net) > SAME * size
    both[:start] = False
    if not both.any():
        return []
    held, found = run.quantity_before(0), []
    bars = np.searchsorted(run.open_time, run.fills["open_time"])
    cell = bars * run.n_symbols + run.fills["symbol"]
    order = np.argsort(cell, kind="stable")
    sorted_cells = cell[order]
    for s, i in np.argwhere(both.T).tolist():
        first, end = np.searchsorted(
            sorted_cells, [i * run.n_symbols + s, i * run.n_symbols + s + 1]
        )
        fills = run.fills[order[first:end]]
        found.append(_turned(i - start, s, float(held[i, s]), fills))
    return found


def changed_sides(run: Booked, start: int, turned: list[TurnedBar]) -> Bool:
    """Return bool[m, S], whether one position ended or another began in a bar: sides at closes tell, or fills."""
    changed: Bool = np.sign(run.quantity_before(start)) != np.sign(run.quantity[start:])
    for each in turned:
        changed[each.bar, each.symbol] |= each.is_reopened
    return changed


def _turned(bar: int, symbol: int, held: float, fills: np.ndarray) -> TurnedBar:
    legs = list(_legs(held, fills))
    left = legs.pop(0)[0] if held else None
    entered = legs.pop()[0] if legs and not legs[-1][1] else None
    inside = tuple(leg for leg, _ in legs)
    return TurnedBar(bar, symbol, left, inside=inside, entered=entered)


def _legs(held: float, fills: np.ndarray) -> Iterator[tuple[Leg, bool]]:
    """Yield the fills of each position in turn, and whether they closed it."""
    near = SAME * float(np.abs(fills["quantity"]).max())
    mine: list[tuple[float, float, float, int]] = []
    most, side = abs(held), float(np.sign(held))
    for fill in fills:
        quantity, price, fee = (float(fill[name]) for name in ("quantity", "price", "fee"))
        reason = int(fill["reason"])
        after = held + quantity
        if held * after < 0.0 and abs(after) > near:  # it crosses zero
            share = abs(held) / abs(quantity)
            yield _leg(side, [*mine, (-held, price, fee * share, reason)], most), True
            quantity, fee, mine, most = after, fee * (1.0 - share), [], 0.0
        held = 0.0 if abs(after) <= near else after
        mine.append((quantity, price, fee, reason))
        side = float(np.sign(held)) or side
        most = max(most, abs(held))
        if held == 0.0:
            yield _leg(side, mine, most), True
            mine, most = [], 0.0
    if mine:
        yield _leg(side, mine, most), False


def _leg(side: float, fills: list[tuple[float, float, float, int]], most: float) -> Leg:
    quantity, price, fee = (np.array([fill[k] for fill in fills]) for k in range(3))
    return Leg(int(side), quantity, price, fee=fee, reason=fills[-1][3], largest=most)
