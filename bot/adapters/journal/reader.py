"""Reading a run's journal.db: of a finished run, or of a running one from another process.

Rules: opened read-only; what is read is given as arrays and blocks, never as a connection. Must not
write and must not repair: a damaged file is refused by name.
"""

from __future__ import annotations

import io as memory
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.journal import schema
from bot.adapters.journal.builds import BuildRow, build_rows, packed
from bot.adapters.journal.migrations import lay_views, version_of
from bot.adapters.journal.opening import connect_to_read
from bot.blocks import F64, FILL, I64, BarBlock, Task
from bot.errors import JournalError
from bot.plausibility import Prices
from bot.portfolio.reasons import FillReason, Refusal

_NO_ARRAYS = (ValueError, OSError, KeyError, EOFError, MemoryError, NotImplementedError)
"""What numpy raises over a file of arrays with a changed byte."""


@dataclass(frozen=True)
class ModelRow:
    """A model of the run's schedule."""

    model_id: str
    effective_from: int
    due: int | None
    late: bool
    manifest_sha256: str | None = None
    position: int = 0


@dataclass(frozen=True)
class Carried:
    """A committed state: its arrays, and the layout they have (`engine_state.STATE_LAYOUT`).

    Attributes:
        blob: as the journal holds them, where that is known.
    """

    arrays: dict[str, npt.NDArray[Any]]
    layout: int
    blob: bytes | None = None

    @property
    def as_packed(self) -> bool:
        """Return whether the blob has the arrays, as this build packs them, and nothing else."""
        return self.blob is None or packed(self.arrays) == self.blob


class JournalReader:
    """Read a run's journal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reading():
            self._db = connect_to_read(path)
        try:
            self._begin()
        except BaseException:
            self._db.close()
            raise
        self._index = {name: s for s, name in enumerate(self.symbols)}

    def _begin(self) -> None:
        """Read what kind of journal it is."""
        with self._reading():
            self.meta: dict[str, str] = dict(self._db.execute("SELECT key, value FROM meta"))
            odd = [pair for pair in self.meta.items() if not all(isinstance(x, str) for x in pair)]
            if odd:
                raise JournalError(f"{self.path}: table meta has {odd[0]!r}; restore a copy")
            self.version = version_of(self.meta, self.path)
            lay_views(self._db, self.version)
        try:
            self.symbols = tuple(self.meta["symbols"].split("\n"))
            self.tasks = tuple(_task(name) for name in self.meta["tasks"].split("\n"))
        except (KeyError, ValueError, TypeError) as error:
            raise JournalError(
                f"{self.path}: table meta has no sound symbols and tasks ({error}); restore a copy"
            ) from None

    def bars(self, until: int | None = None, since: int | None = None) -> tuple[BarBlock, I64]:
        """Return bars as seen, oldest first, and the stored hash of each row int64[n, S].

        Args:
            since, until: open times of the first and last bar wanted; all by default.
        """
        names = schema.BAR_COLUMNS
        low = -(2**62) if since is None else int(since)
        high = 2**62 if until is None else int(until)
        where = f"WHERE open_time BETWEEN {low} AND {high}"
        rows = self._rows(
            f"SELECT open_time, symbol, {', '.join(names)}, row_hash FROM bars {where} "
            "ORDER BY open_time"
        )
        times, cells = self._grid(rows)
        shape = (len(times), len(self.symbols))
        if len(rows) != shape[0] * shape[1]:
            raise JournalError(
                f"{self.path}: table bars has {len(rows)} rows for {shape[0]} bars of "
                f"{shape[1]} symbols; the file is damaged"
            )
        columns: dict[str, Any] = {}
        for k, name in enumerate(names):
            kind = np.bool_ if name in schema.BAR_FLAGS else np.float64
            column: npt.NDArray[Any] = np.empty(shape, dtype=kind)
            column[cells] = np.array([row[2 + k] for row in rows], dtype=kind)
            columns[name] = column
        columns["tradable"] = columns["tradable"].all(axis=1)
        hashes = np.empty(shape, dtype=np.int64)
        hashes[cells] = np.array([row[-1] for row in rows], dtype=np.int64)
        return BarBlock(open_time=times, **columns), hashes

    def first_bar(self) -> int | None:
        """Return the open time of the oldest bar, None where there is none."""
        first: int | None = self._rows("SELECT min(open_time) FROM bars")[0][0]
        return first

    def last_bar(self) -> int | None:
        """Return the open time of the newest bar, None where there is none."""
        last: int | None = self._rows("SELECT max(open_time) FROM bars")[0][0]
        return last

    def last_prices(self) -> Prices:
        """Return what the next candles are held against."""
        prices = Prices.unknown(len(self.symbols))
        for s, symbol in enumerate(self.symbols):
            close = self._newest("close", "valid = 1", symbol)
            since = -(2**62) if close is None else close[0]
            refused = self._newest("refused", f"open_time > {since} AND refused NOTNULL", symbol)
            prices.last[s] = np.nan if close is None else close[1]
            prices.refused[s] = np.nan if refused is None else refused[1]
        return prices

    def _newest(self, column: str, where: str, symbol: str) -> tuple[int, float] | None:
        rows = self._rows(
            f"SELECT open_time, {column} FROM bars WHERE symbol = ? AND {where} "
            "ORDER BY open_time DESC LIMIT 1",
            symbol,
        )
        return rows[0] if rows else None

    def ledger(self) -> tuple[I64, dict[str, F64]]:
        """Return the open times of the ledger and its columns, each float64[n]."""
        names = ", ".join(schema.LEDGER_VALUES)
        rows = self._rows(f"SELECT open_time, {names} FROM ledger ORDER BY open_time")
        times = np.array([row[0] for row in rows], dtype=np.int64)
        return times, {
            name: np.array([row[1 + k] for row in rows], dtype=np.float64)
            for k, name in enumerate(schema.LEDGER_VALUES)
        }

    def positions(self, times: I64) -> F64:
        """Return the quantity held after each close, float64[n, S]."""
        out = np.zeros((len(times), len(self.symbols)))
        rows = self._rows("SELECT open_time, symbol, quantity FROM positions")
        if rows:
            at = np.searchsorted(times, np.array([r[0] for r in rows], dtype=np.int64))
            out[at, self._which(rows)] = [r[2] for r in rows]
        return out

    def decisions(self, times: I64) -> tuple[dict[str, F64], I64]:
        """Return signal, weight and order_quantity float64[n, S], and refusal codes int64[n, S]."""
        shape = (len(times), len(self.symbols))
        columns = {name: np.full(shape, np.nan) for name in ("signal", "weight", "order_quantity")}
        refusals = np.zeros(shape, dtype=np.int64)
        rows = self._rows(
            "SELECT open_time, symbol, signal, weight, order_quantity, refusal FROM decisions"
        )
        if rows:
            cells = self._cells(times, rows)
            for k, name in enumerate(columns):
                columns[name][cells] = np.array([r[2 + k] for r in rows], dtype=np.float64)
            code = {reason.name.lower(): int(reason) for reason in Refusal}
            try:
                refusals[cells] = [0 if r[5] is None else code[r[5]] for r in rows]
            except KeyError as error:
                raise JournalError(
                    f"{self.path}: table decisions has an unknown refusal {error}"
                ) from None
        return columns, refusals

    def forecasts(self, times: I64) -> tuple[F64, I64]:
        """Return forecasts float64[n, S, K], and the index of the model in the schedule int64[n]."""
        value = np.full((len(times), len(self.symbols), len(self.tasks)), np.nan)
        model = np.full(len(times), -1, dtype=np.int64)
        columns = ", ".join(f'"{task.name}"' for task in self.tasks)
        rows = self._rows(f"SELECT open_time, symbol, {columns} FROM forecasts")
        if rows:
            cells = self._cells(times, rows)
            value[cells] = np.array([r[2:] for r in rows], dtype=np.float64)
        for position, row in enumerate(self.models()):
            model[times >= row.effective_from] = position
        return value, model

    def fills(self) -> npt.NDArray[np.void]:
        """Return the fills as FILL records, in the order of booking."""
        code = {reason.name.lower(): int(reason) for reason in FillReason}
        rows = self._rows(
            "SELECT open_time, symbol, quantity, price, fee, spread, slippage, reason "
            "FROM fills ORDER BY id"
        )
        try:
            return np.array([(r[0], self._index[r[1]], *r[2:7], code[r[7]]) for r in rows], FILL)
        except KeyError as error:
            raise JournalError(f"{self.path}: table fills has an unknown name {error}") from None

    def models(self) -> list[ModelRow]:
        """Return the run's schedule, oldest first."""
        rows = self._rows(
            "SELECT model_id, effective_from, due, late, manifest_sha256, position FROM models "
            "ORDER BY position"
        )
        return [ModelRow(r[0], r[1], r[2], bool(r[3]), r[4], position=r[5]) for r in rows]

    def links(self) -> tuple[I64, list[bytes]]:
        """Return the open times and links of the hash chain."""
        rows = self._rows("SELECT open_time, link FROM chain ORDER BY open_time")
        return np.array([r[0] for r in rows], dtype=np.int64), [r[1] for r in rows]

    def state(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the engine's last committed state as arrays, or None before the first commit."""
        carried = self.carried()
        return None if carried is None else carried.arrays

    def carried(self) -> Carried | None:
        """Return the engine's last committed state with its layout."""
        rows = self._rows("SELECT blob, layout FROM state")
        if not rows:
            return None
        blob, layout = rows[0]
        return Carried(self.unpacked(blob), layout, blob)

    def builds(self) -> list[BuildRow]:
        """Return the stretches of the run; none of a journal of version 1."""
        with self._reading():
            return build_rows(self._db)

    def unpacked(self, blob: bytes) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of a state.

        Raises:
            JournalError: it is damaged.
        """
        try:
            with np.load(memory.BytesIO(blob), allow_pickle=False) as arrays:
                return dict(arrays)
        except (*_NO_ARRAYS, TypeError, zipfile.BadZipFile) as error:
            raise JournalError(f"{self.path}: the engine's state is damaged: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _grid(self, rows: list[Any]) -> tuple[I64, tuple[I64, I64]]:
        times = np.unique(np.array([row[0] for row in rows], dtype=np.int64))
        return times, self._cells(times, rows)

    def _cells(self, times: I64, rows: list[Any]) -> tuple[I64, I64]:
        at = np.searchsorted(times, np.array([row[0] for row in rows], dtype=np.int64))
        return at.astype(np.int64), self._which(rows)

    def _which(self, rows: list[Any]) -> I64:
        try:
            return np.array([self._index[row[1]] for row in rows], dtype=np.int64)
        except KeyError as error:
            raise JournalError(
                f"{self.path}: unknown symbol {error}; the file is damaged"
            ) from None

    def _rows(self, query: str, *given: Any) -> list[Any]:
        with self._reading():
            return self._db.execute(query, given).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise JournalError(
                f"{self.path}: cannot be read ({error}); the file is no journal or is damaged"
            ) from error


def _task(name: str) -> Task:
    kind, _, horizon = name.rpartition("_")
    return Task(kind, int(horizon))
