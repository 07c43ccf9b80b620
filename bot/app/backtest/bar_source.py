"""Where the bars of a backtest come from: held in memory, or read and made anew block by block.

Rules: the bars are the same to the bit whatever the blocks, and each call begins at the first; many bars
are never held at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from bot.adapters.files.history import OpenHistory
from bot.blocks import BarBlock
from bot.practice.synthetic import SyntheticMarket
from bot.universe import Universe


class BarSource(Protocol):
    """Gives all bars of a run, oldest first, as often as asked."""

    def blocks(self, rows: int) -> Iterator[BarBlock]:
        """Yield the bars, at most `rows` at a time."""
        ...


@dataclass(frozen=True)
class HeldBars:
    """Bars in memory."""

    bars: BarBlock

    def blocks(self, rows: int) -> Iterator[BarBlock]:
        """Yield the bars as views, at most `rows` at a time."""
        for start in range(0, len(self.bars), rows):
            yield self.bars.rows(start, start + rows)


@dataclass(frozen=True)
class BarsOfFiles:
    """Bars of the files of a run."""

    history: OpenHistory

    def blocks(self, rows: int) -> Iterator[BarBlock]:
        """Yield the bars, at most `rows` at a time.

        Raises:
            DataError: a file was changed since it was opened.
        """
        return self.history.blocks(rows)


@dataclass(frozen=True)
class MadeBars:
    """Bars first..stop-1 of the synthetic market, of some of its symbols."""

    market: SyntheticMarket
    places: tuple[int, ...]
    first: int
    stop: int

    def blocks(self, rows: int) -> Iterator[BarBlock]:
        """Yield the bars, at most `rows` at a time."""
        for start in range(self.first, self.stop, rows):
            block = self.market.block(start, min(rows, self.stop - start))
            yield block.symbols(self.places)


@dataclass(frozen=True)
class UniverseBars:
    """Bars of another source, of which those outside a universe are leaving."""

    source: BarSource
    universe: Callable[[], Universe]

    def blocks(self, rows: int) -> Iterator[BarBlock]:
        """Yield the bars, at most `rows` at a time."""
        universe = self.universe()
        for block in self.source.blocks(rows):
            yield replace(block, leaving=block.leaving | ~universe.advance(block))


def begun_anew(blocks: Iterator[BarBlock], rows: int, at: int) -> Iterator[BarBlock]:
    """Yield the same bars in blocks of `rows`, counted from the first bar and anew from bar `at`.

    So what a transaction of the record holds does not depend on where the bars come from.
    """
    taken: list[BarBlock] = []
    count = index = 0
    for block in blocks:
        rest = block
        while len(rest):
            wanted = rows - count if index >= at else min(rows - count, at - index)
            part, rest = rest.rows(0, wanted), rest.rows(wanted, len(rest))
            taken.append(part)
            count, index = count + len(part), index + len(part)
            if count == rows or index == at:
                yield BarBlock.concat(taken)
                taken, count = [], 0
    if taken:
        yield BarBlock.concat(taken)
