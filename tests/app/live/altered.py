"""A market of which some bars are told otherwise, for rehearsals of what cannot be true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.blocks import BarBlock
from bot.practice.synthetic import SyntheticMarket


class Altered:
    """Tell the bars of a synthetic market as `alter` makes them."""

    n_bars = None
    inverse = False

    def __init__(self, source: SyntheticMarket, alter: Callable[[BarBlock], BarBlock]) -> None:
        self._source, self._alter = source, alter
        self.symbols, self.interval_ms, self.start_ms = (
            source.symbols, source.interval_ms, source.start_ms
        )  # fmt: skip

    def block(self, first_bar: int, n: int, symbol: int | None = None) -> BarBlock:
        block = self._alter(self._source.block(first_bar, n))
        if symbol is None:
            return block
        columns = {
            name: getattr(block, name)[:, symbol : symbol + 1]
            for name in BarBlock.__dataclass_fields__
            if getattr(block, name).ndim == 2
        }
        return replace(block, **columns)
