"""A run's round trips, found slice by slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

import numpy as np

from bot.adapters.record.reading import Record
from bot.app.symbols import inverse_of
from bot.blocks import F64, BarBlock
from bot.config import Config
from bot.report.booked import Booked, CoinsHeld, carried
from bot.report.money.coins import coins_of
from bot.report.money.trades import Trades, TradeWalk

Spans = Iterable[tuple[int, int]]


def trade_slices(record: Record, config: Config, before: Spans, after: Spans) -> Iterator[Trades]:
    """Yield the closed round trips of each span from the start on.

    Args:
        before: the spans of the bars before the start, of which the last known prices are wanted.
        after: the spans from the start on.
    """
    last: Booked | None = None
    walk = TradeWalk()
    for span in before:
        bars = record.bars(*span)
        if len(bars):
            last = _last_row(_piece(record, config, bars, last))
    for span in after:
        bars = record.bars(*span)
        if len(bars):
            piece = _piece(record, config, bars, last, span)
            yield walk.add(piece, 0 if last is None else 1)
            last = _last_row(piece)


def _piece(
    record: Record, config: Config, bars: BarBlock, last: Booked | None,
    booked: tuple[int, int] | None = None,
) -> Booked:  # fmt: skip
    """Return a span behind the last bar of the one before; without `booked` nothing was held in it."""
    n, capital = len(bars), config.portfolio.initial_capital
    fills = record.fills(*(booked or (0, -1)))
    equity, funding = np.full(n, capital), np.zeros(n)
    quantity: F64 = np.zeros(bars.close.shape)
    if booked:
        ledger = record.ledger(*booked)[1]
        equity, funding = ledger["equity"], ledger["funding"]
        quantity = record.positions(bars.open_time)
    if last is not None:
        bars = BarBlock.concat([last.bars, bars])
        equity = np.concatenate((last.equity, equity))
        funding = np.concatenate((last.funding, funding))
        quantity = np.concatenate((last.quantity, quantity))
    return Booked(
        symbols=record.symbols, bars=bars, start_index=0, initial_capital=capital,
        fill=config.execution.fill, equity=equity, funding=funding, quantity=quantity, fills=fills,
        inverse=inverse_of(config, record.symbols),
        coins_at_first=None if last is None else last.coins_at_first,
    )  # fmt: skip


def _last_row(piece: Booked) -> Booked:
    """Return the last bar alone, with the last known price of each symbol as its close."""
    bars = piece.bars.rows(len(piece.bars) - 1, len(piece.bars))
    known = carried(np.where(piece.bars.valid, piece.bars.close, np.nan))[-1:]
    columns = {f.name: getattr(bars, f.name) for f in fields(bars)}
    bars = BarBlock(**columns | {"close": known, "valid": np.isfinite(known)})
    return Booked(
        symbols=piece.symbols, bars=bars, start_index=0, initial_capital=piece.initial_capital,
        fill=piece.fill, equity=piece.equity[-1:], funding=np.zeros(1),
        quantity=piece.quantity[-1:], fills=piece.fills[:0], inverse=piece.inverse,
        coins_at_first=_last_coins(piece),
    )  # fmt: skip


def _last_coins(piece: Booked) -> CoinsHeld | None:
    if not piece.has_inverse:
        return None
    coins = coins_of(piece)
    return CoinsHeld(coins.held[-1], coins.earlier[-1])
