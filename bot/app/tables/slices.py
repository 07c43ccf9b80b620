"""The tables of a run, a slice at a time, so that a long run needs no more memory than a short one.

Rules: read through the run's record; what is read ends with the last bar that was closed when it
began. Rows up to there never change, so no transaction is held open beside a daemon, and slices of
different moments fit together. Fills end with the last that was booked, in a bar that is still open
too, as `bot status` counts them; those few are read when it begins. Must not know a file format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bot.adapters.record.reading import Record
from bot.adapters.record.tables import BAR_COLUMNS, DECISION_VALUES, LATER_DECISION_VALUES
from bot.app.symbols import inverse_of
from bot.app.tables.arrow import flags, numbers, texts, wholes
from bot.app.tables.columns import ColumnKind, Shape, TableName, shape_of
from bot.app.tables.trips import trade_slices
from bot.blocks import I64, Bool
from bot.config import Config
from bot.errors import DataError, JournalError
from bot.portfolio.reasons import FILL_REASON, REFUSAL
from bot.portfolio.worth import values_of_fills
from bot.timegrid import INTERVAL_MS

ROWS = 4_096
"""Rows of a slice, bars times symbols."""

_REASONS = np.array([FILL_REASON.get(code, "") for code in range(max(FILL_REASON) + 1)], object)
_REFUSALS = np.array([REFUSAL.get(code) for code in range(max(REFUSAL) + 1)], object)


class RunTables:
    """The tables of a run.

    Args:
        record: opened to follow, and open as long as slices are asked for.
        config: the run's settings.
        symbols: those whose rows are wanted; None: all.

    Raises:
        JournalError: no bar has been closed yet.
        DataError: the run has not one of the symbols.
    """

    def __init__(
        self, record: Record, config: Config, symbols: tuple[str, ...] | None = None,
        rows: int = ROWS,
    ) -> None:  # fmt: skip
        extent, bars = record.extent(), record.span("bars")
        if extent is None or bars.first is None:
            raise JournalError(
                f"{record.path}: no bar has been closed since the run's start, so there is nothing to "
                "export yet; 'bot status' says where it stands"
            )
        for name in symbols or ():
            if name not in record.symbols:
                raise DataError(f"{name}: the run has {', '.join(record.symbols)}")
        self._record, self._config = record, config
        wanted = record.symbols if symbols is None else symbols
        self._wanted: Bool = np.isin(np.array(record.symbols), np.array(wanted))
        self._names = np.array(record.symbols, object)
        self._inverse = inverse_of(config, record.symbols)
        self._width = INTERVAL_MS[config.market.interval] * max(1, rows // len(record.symbols))
        self._earliest, self._first, self._last = bars.first, extent.first, extent.last
        self._fills_since: npt.NDArray[np.void] = record.fills(after=extent.last)

    def shape(self, name: TableName) -> Shape:
        """Return what the table's columns are."""
        return shape_of(name, self._record.tasks)

    def slices(self, name: TableName) -> Iterator[pa.Table]:
        """Yield a table's rows in order; no slice is empty."""
        make: dict[TableName, Callable[[], Iterator[Mapping[str, Any]]]] = {
            "bars": self._bars,
            "forecasts": self._forecasts,
            "decisions": self._decisions,
            "fills": self._fills,
            "trades": self._trades,
            "positions": self._positions,
            "equity": self._equity,
            "models": self._models,
        }
        shape = self.shape(name)
        for columns in make[name]():
            made = _table(shape, columns)
            if made.num_rows:
                yield made

    def whole(self, name: TableName) -> pa.Table:
        """Return all rows of a table."""
        schema = self.shape(name).schema
        return pa.concat_tables([schema.empty_table(), *self.slices(name)])

    def _spans(self, first: int) -> Iterator[tuple[int, int]]:
        """Yield spans (after, to] that follow one another up to the last booked bar."""
        for after in range(first - 1, self._last, self._width):
            yield after, min(after + self._width, self._last)

    def _cells(self, times: I64, chosen: Bool | None = None) -> tuple[I64, I64]:
        """Return the rows and symbols of the cells that are wanted, bar by bar."""
        here = np.broadcast_to(self._wanted, (len(times), len(self._wanted)))
        rows, which = np.nonzero(here if chosen is None else here & chosen)
        return rows, which

    def _keys(self, times: I64, rows: I64, which: I64) -> dict[str, Any]:
        return {"time": times[rows], "symbol": self._names[which]}

    def _bars(self) -> Iterator[Mapping[str, Any]]:
        for after, to in self._spans(self._earliest):
            bars = self._record.bars(after, to)
            rows, which = self._cells(bars.open_time)
            columns = {name: getattr(bars, name) for name in BAR_COLUMNS}
            yield self._keys(bars.open_time, rows, which) | {
                name: x[rows] if x.ndim == 1 else x[rows, which] for name, x in columns.items()
            }

    def _forecasts(self) -> Iterator[Mapping[str, Any]]:
        ids = np.array([row.model_id for row in self._record.models()] + [None], object)
        for after, to in self._spans(self._earliest):
            times = self._record.bars(after, to).open_time
            value, model = self._record.forecasts(times)
            rows, which = self._cells(times, np.asarray(np.isfinite(value).any(axis=2)))
            heads = {t.name: value[rows, which, k] for k, t in enumerate(self._record.tasks)}
            keys = self._keys(times, rows, which)
            yield keys | {"model_id": ids[model[rows]]} | heads

    def _decisions(self) -> Iterator[Mapping[str, Any]]:
        if self._config.run.record != "full":
            return
        for after, to in self._spans(self._first):
            times = self._record.ledger(after, to)[0]
            columns, refusals = self._record.decisions(times)
            held = self._record.positions(times)
            rows, which = self._cells(times)
            values = {
                name: columns[name][rows, which]
                for name in (*DECISION_VALUES, *LATER_DECISION_VALUES)
            }
            yield (
                self._keys(times, rows, which)
                | values
                | {
                    "refusal": _REFUSALS[refusals[rows, which]],
                    "position": held[rows, which],
                }
            )

    def _fills(self) -> Iterator[Mapping[str, Any]]:
        closed = (self._record.fills(after, to) for after, to in self._spans(self._first))
        for booked in chain(closed, [self._fills_since]):
            fills = booked[self._wanted[booked["symbol"]]]
            quantity, price = fills["quantity"], fills["price"]
            yield {
                "time": fills["open_time"],
                "symbol": self._names[fills["symbol"]],
                "side": np.where(quantity < 0.0, "sell", "buy").astype(object),
                "quantity": quantity,
                "price": price,
                "notional": np.abs(values_of_fills(fills, self._inverse)),
                "fee": fills["fee"],
                "spread": fills["spread"],
                "slippage": fills["slippage"],
                "reason": _REASONS[fills["reason"]],
            }

    def _trades(self) -> Iterator[Mapping[str, Any]]:
        spans = {"before": self._spans_before(), "after": self._spans(self._first)}
        for found in trade_slices(self._record, self._config, **spans):
            kept = found.rows(np.flatnonzero(self._wanted[found.symbol]))
            yield {
                "symbol": self._names[kept.symbol],
                "side": np.where(kept.side < 0, "short", "long").astype(object),
                "entry_time": kept.entry_ms,
                "exit_time": kept.exit_ms,
                "bars_held": kept.bars_held,
                "quantity": kept.quantity,
                "entry_price": kept.entry_price,
                "exit_price": kept.exit_price,
                "profit": kept.profit,
                "fees": kept.fees,
                "funding": kept.funding,
                "profit_fraction": kept.fraction,
                "exit_reason": _REASONS[kept.exit_reason],
            }

    def _spans_before(self) -> Iterator[tuple[int, int]]:
        """Yield the spans of the bars before the start."""
        for after in range(self._earliest - 1, self._first - 1, self._width):
            yield after, min(after + self._width, self._first - 1)

    def _positions(self) -> Iterator[Mapping[str, Any]]:
        for after, to in self._spans(self._first):
            times = self._record.ledger(after, to)[0]
            held = self._record.positions(times)
            rows, which = self._cells(times, held != 0.0)
            yield self._keys(times, rows, which) | {"quantity": held[rows, which]}

    def _equity(self) -> Iterator[Mapping[str, Any]]:
        before = peak = self._config.portfolio.initial_capital
        for after, to in self._spans(self._first):
            times, columns = self._record.ledger(after, to)
            if not len(times):
                continue
            equity = columns["equity"]
            opening = np.concatenate(([before], equity[:-1]))
            peaks = np.maximum.accumulate(np.maximum(equity, peak))
            lived = opening > 0.0
            yield columns | {
                "time": times,
                "return": np.where(lived, equity / np.where(lived, opening, 1.0) - 1.0, np.nan),
                "drawdown": np.minimum(1.0 - equity / peaks, 1.0),
            }
            before, peak = float(equity[-1]), float(peaks[-1])

    def _models(self) -> Iterator[Mapping[str, Any]]:
        rows = [row for row in self._record.models() if row.effective_from <= self._last]
        yield {
            "model_id": [row.model_id for row in rows],
            "effective_from": [row.effective_from for row in rows],
            "due": [row.due for row in rows],
            "late": [row.late for row in rows],
        }


def _table(shape: Shape, columns: Mapping[str, Any]) -> pa.Table:
    """Return columns as Arrow; NaN is null, and a time is given in both its forms."""
    make: dict[ColumnKind, Callable[[Any], pa.Array]] = {
        "number": numbers,
        "whole": wholes,
        "text": texts,
        "flag": flags,
        "time": wholes,
    }
    arrays = []
    for column, field in zip(shape.columns, shape.schema, strict=True):
        in_ms = column.name.endswith("_ms")
        values = columns[column.name.removesuffix("_ms") if in_ms else column.name]
        array = make[column.kind](values)
        arrays.append(array.cast(field.type) if column.kind == "time" else array)
    return pa.Table.from_arrays(arrays, schema=shape.schema)
