"""The synthetic market: candles of several symbols by `law`, any bars in any order.

Rules: bar i depends on the spec, the interval and the start only, however bars are asked for.
Random numbers are drawn a chunk of bars at a time, keyed by seed and chunk (Philox, Salmon et al.
2011), and the state at every chunk's start is kept, so any bar is reached from the chunk before it.
A missing bar does not disturb the path: it is drawn and hidden.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from bot.blocks import F64, I64, BarBlock, Bool
from bot.config.schema import Synthetic
from bot.practice import synthetic_kernel as law
from bot.timegrid import DAY_MS, HOUR_MS

START_MS = 1_672_531_200_000
"""2023-01-01 00:00 UTC, where the market begins by default."""

FUNDING_MS = 8 * HOUR_MS
"""Time between fundings: 00, 08 and 16 UTC."""


def symbol_names(n: int, *, inverse: bool = False) -> tuple[str, ...]:
    """Return the names of the first n symbols.

    >>> symbol_names(2), symbol_names(1, inverse=True)
    (('SYN0USDT', 'SYN1USDT'), ('SYN0USD',))
    """
    return tuple(f"SYN{i}{'USD' if inverse else 'USDT'}" for i in range(n))


def column(bars: BarBlock, symbol: int | None) -> BarBlock:
    """Return the bars of one symbol as views, S = 1; of all symbols for None."""
    if symbol is None:
        return bars
    arrays = {f.name: getattr(bars, f.name) for f in fields(BarBlock)}
    return BarBlock(
        **{k: a[:, symbol : symbol + 1] if a.ndim == 2 else a for k, a in arrays.items()}
    )


def synthetic_bars(
    spec: Synthetic, interval_ms: int, start_ms: int = START_MS, *, inverse: bool = False
) -> BarBlock:
    """Return all bars of the spec in one block; for a long market take `SyntheticMarket.blocks`."""
    return SyntheticMarket(spec, interval_ms, start_ms, inverse=inverse).block(0, spec.bars)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Bars of a chunk with what only their maker knows: momentum and σ, float64[n, S]."""

    bars: BarBlock
    momentum: F64
    sigma: F64


class SyntheticMarket:
    """The market of a spec: endless, deterministic, any bars in any order.

    Args:
        spec: the [synthetic] section; its `bars` bounds `blocks` only.
        interval_ms: length of a bar.
        start_ms: open time of bar 0.
        inverse: its symbols are inverse contracts: the same prices, volume in USD and turnover in coin.
        cache_bars: how far back, at least, bars stay in memory (90 bytes a symbol each); older ones
            are made again when asked for, which is slow where requests go back and forth.
    """

    def __init__(
        self,
        spec: Synthetic,
        interval_ms: int,
        start_ms: int = START_MS,
        *,
        inverse: bool = False,
        cache_bars: int = 4096,
    ) -> None:
        self.spec = spec
        self.interval_ms = interval_ms
        self.start_ms = start_ms
        self.inverse = inverse
        self.symbols = symbol_names(spec.symbols, inverse=inverse)
        self.chunk_bars = max(256, 32_768 // spec.symbols)
        self._traits, self.price_decimals = _traits(spec)
        self._states = [np.zeros((spec.symbols, law.N_STATE))]
        self._kept = max(4, 1 + cache_bars // self.chunk_bars)
        self._chunks: OrderedDict[int, _Chunk] = OrderedDict()

    @property
    def n_bars(self) -> int | None:
        """Return None: the market never ends."""
        return None

    def block(self, first_bar: int, n: int, symbol: int | None = None) -> BarBlock:
        """Return the bars first_bar .. first_bar+n-1 of all symbols, or of the one at an index.

        Raises:
            ValueError: the bars begin before bar 0, or there are none.
        """
        pieces = self._pieces(first_bar, n)
        return BarBlock.concat([column(c.bars.rows(a, b), symbol) for c, a, b in pieces])

    def blocks(self) -> Iterator[BarBlock]:
        """Yield the spec's bars in blocks that fit in memory, oldest first."""
        for first in range(0, self.spec.bars, self.chunk_bars):
            yield self.block(first, min(self.chunk_bars, self.spec.bars - first))

    def expected_return(self, first_bar: int, n: int, horizon: int) -> F64:
        """Return float64[n, S], what the planted signal adds to close[t+horizon]/close[t] - 1.

        s·σ[t]·z[t]·(1 - φ^h)/(1 - φ): the best forecast there is, but for σ moving meanwhile.
        """
        strength = self.spec.signal_strength
        _, phi = law.momentum_step(strength)
        steps = (1.0 - phi**horizon) / (1.0 - phi)
        pieces = self._pieces(first_bar, n)
        return np.concatenate(
            [strength * steps * (c.momentum * c.sigma)[a:b] for c, a, b in pieces]
        )

    def _pieces(self, first_bar: int, n: int) -> list[tuple[_Chunk, int, int]]:
        """Return (chunk, start, stop) of the chunks that hold these bars."""
        if first_bar < 0 or n < 1:
            raise ValueError(f"{n} bars from bar {first_bar}: ask for one or more, from bar 0 on")
        size, end = self.chunk_bars, first_bar + n
        return [
            (self._chunk(i), max(first_bar - i * size, 0), min(end - i * size, size))
            for i in range(first_bar // size, (end - 1) // size + 1)
        ]

    def _chunk(self, index: int) -> _Chunk:
        while len(self._states) <= index:  # the state at a chunk's start needs all chunks before
            self._make(len(self._states) - 1)
        if index not in self._chunks:
            self._chunks[index] = self._make(index)
            if len(self._chunks) > self._kept:
                self._chunks.popitem(last=False)
        self._chunks.move_to_end(index)
        return self._chunks[index]

    def _make(self, index: int) -> _Chunk:
        """Draw a chunk from the state at its start, and keep the state at its end."""
        spec, n, S = self.spec, self.chunk_bars, self.spec.symbols
        rng = np.random.Generator(np.random.Philox(key=[spec.seed, index]))
        common = rng.standard_normal((n, 2))
        normal = rng.standard_normal((n, S, law.N_NORMAL))
        uniform = rng.random((n, S, law.N_UNIFORM))
        hidden = rng.random((n, S)) < spec.missing
        open_time = self.start_ms + self.interval_ms * (index * n + np.arange(n, dtype=np.int64))
        wave = _day_wave(open_time, self.interval_ms)
        step, _ = law.momentum_step(spec.signal_strength)
        coefficients = (spec.volatility, spec.signal_strength, step)
        state = self._states[index].copy()
        out = np.empty((law.N_OUT, n, S))
        law.advance(state, coefficients, wave, common, normal, uniform, self._traits, out)
        if index + 1 == len(self._states):
            self._states.append(state)
        momentum, sigma = out[law.OUT_MOMENTUM].copy(), out[law.OUT_SIGMA].copy()
        before = np.vstack([self._states[index][:, law.MOMENTUM], momentum[:-1]])
        rate = _funding_rate(before)
        at_open = (open_time % FUNDING_MS == 0)[:, None]
        inside = (_settlements(open_time, self.interval_ms)[:, None] - at_open) * rate
        bars = _bars(open_time, out, hidden, rate * at_open, inside * out[law.OPEN])
        return _Chunk(_as_inverse(bars) if self.inverse else bars, momentum, sigma)


def _traits(spec: Synthetic) -> tuple[F64, I64]:
    """Return float64[S, 3] as `law.advance` wants it, and int64[S] decimals of the prices.

    First prices lie between 10 and 10,000, and a tick is about 1e-7 of them.
    """
    draws = np.random.Generator(np.random.Philox(key=[spec.seed, 2**63])).random((spec.symbols, 2))
    first_price = np.round(10.0 ** (1.0 + 3.0 * draws[:, 1]), 1)
    decimals: I64 = 7 - np.floor(np.log10(first_price)).astype(np.int64)
    scale = 10.0 ** decimals.astype(np.float64)
    return np.column_stack([0.3 + 0.3 * draws[:, 0], first_price, scale]), decimals


def _day_wave(open_time: I64, interval_ms: int) -> F64:
    """Return float64[n] in [-1.5, 1]: lowest at 02:00 UTC, highest at 14:00, lower at weekends."""
    if interval_ms >= DAY_MS:
        return np.zeros(len(open_time))
    hour = open_time % DAY_MS / HOUR_MS
    weekend = (open_time // DAY_MS + 3) % 7 >= 5  # the epoch was a Thursday; Monday is 0
    wave: F64 = np.sin((hour - 8.0) * (math.pi / 12.0)) - 0.5 * weekend
    return wave


def _settlements(open_time: I64, interval_ms: int) -> I64:
    """Return int64[n], the funding times in [open, open + interval)."""
    # ceilings by floor division of negatives
    return -(-(open_time + interval_ms) // FUNDING_MS) + (-open_time // FUNDING_MS)


def _funding_rate(momentum_before: F64) -> F64:
    """Return float64[n, S], the rate of each settlement: about 1 bp, more after rises."""
    rate: F64 = np.round(1e-4 * (1.0 + 0.5 * np.tanh(momentum_before)), 8)
    return rate


def _bars(
    open_time: I64, out: F64, hidden: Bool, funding_rate: F64, funding_inside: F64
) -> BarBlock:
    """Return the observable part of the kernel's output, with the hidden candles NaN."""
    candle = out[: law.OUT_MOMENTUM].copy()
    candle[:, hidden] = np.nan
    return BarBlock.of_candles(
        open_time,
        open=candle[law.OPEN],
        high=candle[law.HIGH],
        low=candle[law.LOW],
        close=candle[law.CLOSE],
        volume=candle[law.VOLUME],
        valid=~hidden,
        turnover=np.round(candle[law.VOLUME] * candle[: law.VOLUME].mean(axis=0), 4),
        funding_rate=funding_rate,
        mark=candle[law.OPEN],
        funding_inside=funding_inside if funding_inside.any() else None,
    )


def _as_inverse(bars: BarBlock) -> BarBlock:
    """Return the same trades in contracts of one USD: their number, and the coins that they stand for."""
    return replace(bars, volume=np.rint(bars.turnover), turnover=bars.volume)
