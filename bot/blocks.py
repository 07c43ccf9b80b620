"""The types that flow: blocks of bars, features, forecasts, fills and ledger rows, and what a task is.

Owns the shapes. n is the number of bars of a block, S of symbols, F of features, K of tasks.
Rules: time is int64 milliseconds UTC, the open time of the bar; money and features are float64;
NaN means "not known", never zero. Must not compute anything about markets, and does no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bot.one_for_all import chosen_of, joined, one_for_all

F64 = npt.NDArray[np.float64]
F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
I16 = npt.NDArray[np.int16]
I8 = npt.NDArray[np.int8]
Bool = npt.NDArray[np.bool_]
Arrays = dict[str, npt.NDArray[Any]]
"""Named arrays, as they are stored together."""

SCHEMA_VERSION = 1
"""The version of the ledger's binary layout; it is hashed into every ledger_sha256."""


@dataclass(frozen=True, slots=True)
class BarBlock:
    """n bars of the grid for S symbols, oldest first.

    Attributes:
        open_time: int64[n], ms UTC, strictly increasing.
        open, high, low, close: float64[n, S], NaN where not valid.
        volume: float64[n, S], base currency (contracts of one unit of the quote currency where inverse).
        turnover: float64[n, S], quote currency (base currency where inverse); NaN where the source has none.
        valid: bool[n, S], the symbol has this bar.
        in_session: bool[n, S], the venue trades in this bar; if not, horizons do not count it; a bar in
            session that is not valid is missing.
        tradable: bool[n], the close arrived in time to decide on.
        fillable: bool[n, S], the open was seen in time to fill at.
        fill_bid, fill_ask: float64[n, S], what a sell and a buy meet; NaN: made of open and half spread.
        funding_rate: float64[n, S], fraction of its value that a long pays at the open; 0: none is due,
            NaN: due and not known.
        mark: float64[n, S], mark price at the bar's open; NaN: unknown.
        funding_inside: float64[n, S], quote currency paid by each unit held long for settlements inside the
            bar: the sum of rate x price of those known. Of an inverse contract, paid in coin: the square of
            `price_at_open` x the sum of rate / price.
        funding_inside_unknown: float64[n, S], how many settlements inside the bar are not known.
        refused: float64[n, S], the close of a candle refused as implausible (not valid); NaN: none.
        mark_high, mark_low: float64[n, S], of the mark price inside the bar; NaN where not known.
        bid_size, ask_size: float64[n, S], what the quote had at the open, as `volume`; NaN: not known.
        leaving: bool[n, S], no position may be opened or increased from the close on.
        settlement_price: float64[n, S], at which what is held is settled in this bar; NaN: nothing is.
        realised_variance: float64[n, S], squared log returns inside the bar, summed; NaN: not known.
    """

    open_time: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    turnover: F64
    valid: Bool
    in_session: Bool
    tradable: Bool
    fillable: Bool
    fill_bid: F64
    fill_ask: F64
    funding_rate: F64
    mark: F64
    funding_inside: F64
    funding_inside_unknown: F64
    refused: F64
    mark_high: F64
    mark_low: F64
    bid_size: F64
    ask_size: F64
    leaving: Bool
    settlement_price: F64
    realised_variance: F64

    def __len__(self) -> int:
        return len(self.open_time)

    @property
    def n_symbols(self) -> int:
        """Return S."""
        return int(self.close.shape[1])

    def rows(self, start: int, stop: int) -> Self:
        """Return the bars start..stop-1 as views of the same arrays."""
        return type(self)(*[getattr(self, name)[start:stop] for name in _COLUMNS])

    def symbols(self, places: Sequence[int]) -> Self:
        """Return the bars of the symbols at these places, in this order."""
        chosen = list(places)
        if chosen == list(range(self.n_symbols)):
            return self
        columns = {name: getattr(self, name) for name in _COLUMNS}
        narrow = {k: chosen_of(v, chosen) for k, v in columns.items() if v.ndim > 1}
        return type(self)(**columns | narrow)

    @classmethod
    def concat(cls, blocks: Sequence[Self]) -> Self:
        """Join blocks that follow one another in time."""
        if len(blocks) == 1:
            return blocks[0]
        return cls(**{f.name: joined([getattr(b, f.name) for b in blocks]) for f in fields(cls)})

    @classmethod
    def of_candles(
        cls,
        open_time: I64,
        open: F64,  # noqa: A002 - the field's own name
        high: F64,
        low: F64,
        close: F64,
        volume: F64,
        *,
        valid: Bool | None = None,
        in_session: Bool | None = None,
        turnover: F64 | None = None,
        funding_rate: F64 | None = None,
        mark: F64 | None = None,
        funding_inside: F64 | None = None,
        funding_inside_unknown: F64 | None = None,
        mark_high: F64 | None = None,
        mark_low: F64 | None = None,
        leaving: Bool | None = None,
        settlement_price: F64 | None = None,
        realised_variance: F64 | None = None,
    ) -> Self:
        """Build a block of history: all tradable, fillable where something was traded, no quotes.

        Args:
            open_time: int64[n]; the other arrays are float64[n, S].
            valid, in_session: bool[n, S]; by default where the close is not NaN, and every bar.
            turnover, funding_rate, mark, funding_inside, funding_inside_unknown, mark_high, mark_low,
            settlement_price, realised_variance: float64[n, S]; by default NaN where a price or volume
                is not known, no funding, and nothing settles; mostly columns of one number.
            leaving: bool[n, S]; by default no symbol is.
        """
        shape = close.shape
        if valid is None:
            valid = ~np.isnan(close)
        nan, zero = one_for_all(np.float64(np.nan), shape), one_for_all(np.float64(0.0), shape)
        return cls(
            open_time=open_time,
            open=open,
            high=high,
            low=low,
            close=close,
            volume=volume,
            turnover=nan if turnover is None else turnover,
            valid=valid,
            in_session=np.ones(shape, dtype=np.bool_) if in_session is None else in_session,
            tradable=np.ones(shape[0], dtype=np.bool_),
            fillable=valid & (volume != 0.0),
            fill_bid=nan,
            fill_ask=nan,
            funding_rate=np.zeros(shape) if funding_rate is None else funding_rate,
            mark=nan if mark is None else mark,
            funding_inside=zero if funding_inside is None else funding_inside,
            funding_inside_unknown=zero
            if funding_inside_unknown is None
            else funding_inside_unknown,
            refused=nan,
            mark_high=nan if mark_high is None else mark_high,
            mark_low=nan if mark_low is None else mark_low,
            bid_size=nan,
            ask_size=nan,
            leaving=one_for_all(np.False_, shape) if leaving is None else leaving,
            settlement_price=nan if settlement_price is None else settlement_price,
            realised_variance=nan if realised_variance is None else realised_variance,
        )


_COLUMNS = tuple(field.name for field in fields(BarBlock))


@dataclass(frozen=True, slots=True)
class Windows:
    """For bars and symbols the features of the symbol's last L ready bars, none of them copied.

    Attributes:
        rows: float64[R, F], a symbol's ready bars oldest first, then the next symbol's.
        last: int64[n, S], the row of the bar itself, with which its window ends; -1 where the bar
            is not ready or has fewer than L - 1 ready ones before it.
        lookback: L, at least 1.
    """

    rows: F64
    last: I64
    lookback: int

    def bars(self, start: int, stop: int) -> Self:
        """Return the windows of the bars start..stop-1."""
        return type(self)(self.rows, self.last[start:stop], self.lookback)


@dataclass(frozen=True, slots=True)
class FeatureBlock:
    """Features of a block.

    Attributes:
        x: float64[n, S, F].
        ready: bool[n, S], where every rolling window of the features is full.
        windows: where more than the bar itself is read; else None.
    """

    x: F64
    ready: Bool
    windows: Windows | None = None


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """What a head predicts: a kind and a horizon in bars.

    >>> Task("return", 5).name
    'return_5'
    """

    kind: str
    horizon: int

    @property
    def name(self) -> str:
        """Return the name used in files, logs and tables."""
        return f"{self.kind}_{self.horizon}"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Per task float64[n, S] in the target's own units, NaN where there is no forecast.

    `value` is float64[n, S, K] in the order of `tasks` (a direction is the probability of a rise);
    `model` is int64[n], the index of the model in the run's schedule, -1 before the first. `disagreement`
    is like `value`, the members' standard deviation about it, where it was asked for.
    """

    tasks: tuple[Task, ...]
    value: F64
    model: I64
    disagreement: F64 | None = None

    def of(self, kind: str) -> F64:
        """Return float64[n, S] of the first task of this kind.

        Raises:
            KeyError: there is no task of this kind.
        """
        return self.value[:, :, self._column(kind)]

    def disagreement_of(self, kind: str) -> F64:
        """Return the disagreement of the first task of this kind, float64[n, S], NaN if not asked for.

        Raises:
            KeyError: there is no task of this kind.
        """
        column = self._column(kind)
        if self.disagreement is None:
            return np.full(self.value.shape[:2], np.nan)
        return self.disagreement[:, :, column]

    def _column(self, kind: str) -> int:
        for k, task in enumerate(self.tasks):
            if task.kind == kind:
                return k
        raise KeyError(kind)

    def at(self, kind: str, horizon: int) -> F64:
        """Return float64[n, S] of the task of this kind and horizon.

        Raises:
            ValueError: there is no such task.
        """
        return self.value[:, :, self.tasks.index(Task(kind, horizon))]


FILL = np.dtype(
    [
        ("open_time", "<i8"),
        ("symbol", "<i8"),
        ("quantity", "<f8"),
        ("price", "<f8"),
        ("fee", "<f8"),
        ("spread", "<f8"),
        ("slippage", "<f8"),
        ("reason", "<i8"),
    ]
)
"""A fill: bar, index of the symbol, signed quantity (base), price paid, and what it cost in the
quote currency: fee, half spread, slippage (the last two are inside the price)."""
