"""The journal of a run: one SQLite file that holds all that happened, in transactions.

Owns writing; `journal_reader` reads. Rules: what is committed has happened, what is not has not;
rows are only ever added (the open bar's row is completed at its close); every float is written as
it is. Must not compute anything that the engine did not hand over, but hashes.
"""

from __future__ import annotations

import io as memory
import itertools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bot.adapters import journal_schema as schema
from bot.adapters.atomic_file import replacing
from bot.blocks import FILL, BarBlock, Task
from bot.engine import Activation, StepResult
from bot.errors import JournalError
from bot.portfolio.reasons import FillReason, Refusal
from bot.portfolio.trace import Trace

FILL_REASON = {int(reason): reason.name.lower() for reason in FillReason}
REFUSAL = {int(reason): reason.name.lower() for reason in Refusal} | {0: None}


class Journal:
    """Write to a run's journal.db; make it with `create`, go on with `open`."""

    def __init__(self, connection: sqlite3.Connection, symbols: Sequence[str]) -> None:
        self._db = connection
        self._path = connection.execute("PRAGMA database_list").fetchone()[2]
        self.symbols = tuple(symbols)
        row = connection.execute(
            "SELECT link FROM chain ORDER BY open_time DESC LIMIT 1"
        ).fetchone()
        self._link: bytes = row[0] if row else schema.first_link(symbols)

    @classmethod
    def create(
        cls,
        path: Path,
        symbols: Sequence[str],
        tasks: Sequence[Task],
        meta: Mapping[str, str],
        *,
        durable: bool,
    ) -> Self:
        """Make a new journal; after a crash at any instant it is whole, or not there.

        Args:
            meta: facts of the run; `symbols` and the version are added.
            durable: wait for the disk at every commit (live); a backtest need not.

        Raises:
            JournalError: there is one already, or the folder cannot be written.
        """
        if path.exists():
            raise JournalError(
                f"{path}: there is a run already; give another --run-dir, or remove this one"
            )
        facts = dict(meta) | {
            "journal_version": str(schema.JOURNAL_VERSION),
            "symbols": "\n".join(symbols),
            "tasks": "\n".join(task.name for task in tasks),
        }
        try:
            with replacing(path) as temporary, closing(sqlite3.connect(temporary)) as new:
                new.executescript(schema.TABLES)
                new.execute(schema.forecast_table(tasks))
                new.executemany("INSERT INTO meta VALUES (?, ?)", sorted(facts.items()))
                new.commit()
            return cls(_connect(path, durable=durable), symbols)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(
                f"{path}: cannot make the journal: {error}; free disk space or make the folder "
                "writable, then start again"
            ) from error

    @classmethod
    def open(cls, path: Path, symbols: Sequence[str], tasks: Sequence[Task]) -> Self:
        """Go on with a journal.

        Raises:
            JournalError: it is damaged, of another version, or of other symbols or tasks.
        """
        try:
            db = _connect(path, durable=True)
            meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
            sound = db.execute("PRAGMA quick_check").fetchone()[0]
        except sqlite3.Error as error:
            raise JournalError(f"{path}: cannot be opened ({error}); restore a copy") from error
        if sound != "ok":
            raise JournalError(f"{path}: the file is damaged ({sound}); restore a copy")
        expected = {
            "journal_version": str(schema.JOURNAL_VERSION),
            "symbols": "\n".join(symbols),
            "tasks": "\n".join(task.name for task in tasks),
        }
        for key, value in expected.items():
            if meta.get(key) != value:
                raise JournalError(
                    f"{path}: {key} is {meta.get(key)!r}, the settings say {value!r}; start a new "
                    "run, or set them as they were (config.toml in the run's folder)"
                )
        return cls(db, symbols)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is written inside together, or nothing of it.

        Raises:
            JournalError: the disk is full, the file is locked or damaged.
        """
        link = self._link
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback(link)
            raise JournalError(
                f"{self._path}: the journal could not be written ({error}); nothing of this bar was "
                "recorded, what was committed before is whole. Free disk space, end what locks the "
                "file, or restore it; then start again"
            ) from error
        except BaseException:
            self._rollback(link)
            raise

    def write_bars(self, block: BarBlock) -> npt.NDArray[np.int64]:
        """Write bars as seen, in place of an earlier sight of the same bars; return row hashes."""
        matrix = schema.bar_matrix(block)
        hashes = schema.row_hashes(block.open_time, matrix)
        _, S, width = matrix.shape
        n_values = len(schema.BAR_VALUES)
        rows = zip(
            np.repeat(block.open_time, S).tolist(),
            itertools.cycle(self.symbols),
            *(matrix[:, :, k].ravel().tolist() for k in range(n_values)),
            *(matrix[:, :, k].ravel().astype(int).tolist() for k in range(n_values, width)),
            hashes.ravel().tolist(),
            strict=False,
        )
        marks = ", ".join("?" * (width + 3))
        self._db.executemany(f"INSERT OR REPLACE INTO bars VALUES ({marks})", rows)
        return hashes

    def write_fills(self, fills: npt.NDArray[np.void]) -> None:
        """Write fills in the order of booking."""
        self._db.executemany(
            "INSERT INTO fills (open_time, symbol, quantity, price, fee, spread, slippage, reason) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (f[0], self.symbols[f[1]], f[2], f[3], f[4], f[5], f[6], FILL_REASON[f[7]])
                for f in fills.tolist()
            ),
        )

    def write_open(self, block: BarBlock, trace: Trace) -> None:
        """Write the open of one bar: its row as seen so far, and the fills."""
        self.write_bars(block)
        self.write_fills(trace.fills)

    def write_close(
        self, result: StepResult, schedule: Sequence[Activation], *, opened: bool = False
    ) -> None:
        """Write closed bars with forecasts, decisions, fills, ledger rows and their links.

        Args:
            opened: the first bar's open was written before, and with it some of its fills.
        """
        hashes = self.write_bars(result.bars)
        earlier = self._fills_of(int(result.bars.open_time[0])) if opened else _no_fills()
        self.write_fills(result.trace.fills)
        self._write_forecasts(result, schedule)
        self._write_decisions(result)
        self.write_ledger(result)
        self._write_chain(result, hashes, np.concatenate([earlier, result.trace.fills]))

    def write_ledger(self, result: StepResult) -> None:
        """Write the ledger rows and the positions that are not zero."""
        trace, times = result.trace, result.bars.open_time
        columns = [getattr(trace, name).tolist() for name in schema.LEDGER_VALUES]
        self._db.executemany(
            "INSERT INTO ledger (open_time, equity, cash, fees, funding, spread, slippage) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            zip(times.tolist(), *columns, strict=True),
        )
        held, which = np.nonzero(trace.quantity)
        self._db.executemany(
            "INSERT INTO positions VALUES (?, ?, ?)",
            zip(
                times[held].tolist(),
                (self.symbols[s] for s in which.tolist()),
                trace.quantity[held, which].tolist(),
                strict=True,
            ),
        )

    def write_activation(self, activation: Activation, due: int | None, *, late: bool) -> None:
        """Write that a model decides from a bar on."""
        self._db.execute(
            "INSERT INTO models (model_id, effective_from, due, late) VALUES (?, ?, ?, ?)",
            (activation.model_id, activation.effective_from, due, int(late)),
        )

    def write_state(self, open_time: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write the engine's state in place of the one before."""
        buffer = memory.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        self._db.execute(
            "INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (open_time, buffer.getvalue())
        )

    def meta(self, key: str) -> str:
        """Return a fact of the run.

        Raises:
            JournalError: it is not there.
        """
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise JournalError(
                f"{self._path}: meta.{key} is missing; the journal is damaged: restore a copy"
            )
        return str(row[0])

    def write_meta(self, key: str, value: str) -> None:
        """Write a fact of the run in place of the one before."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _write_forecasts(self, result: StepResult, schedule: Sequence[Activation]) -> None:
        forecast = result.forecast
        known = np.isfinite(forecast.value).any(axis=2) & (forecast.model >= 0)[:, None]
        rows, which = np.nonzero(known)
        marks = ", ".join("?" * (3 + len(forecast.tasks)))
        self._db.executemany(
            f"INSERT INTO forecasts VALUES ({marks})",
            zip(
                result.bars.open_time[rows].tolist(),
                (self.symbols[s] for s in which.tolist()),
                (schedule[m].model_id for m in forecast.model[rows].tolist()),
                *(forecast.value[rows, which, k].tolist() for k in range(len(forecast.tasks))),
                strict=True,
            ),
        )

    def _write_decisions(self, result: StepResult) -> None:
        trace = result.trace
        S = result.bars.n_symbols
        self._db.executemany(
            "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?)",
            zip(
                np.repeat(result.bars.open_time, S).tolist(),
                itertools.cycle(self.symbols),
                result.signal.ravel().tolist(),
                trace.weight.ravel().tolist(),
                trace.order.ravel().tolist(),
                (REFUSAL[r] for r in trace.refusal.ravel().tolist()),
                strict=False,
            ),
        )

    def _write_chain(
        self, result: StepResult, hashes: npt.NDArray[np.int64], fills: npt.NDArray[np.void]
    ) -> None:
        links = schema.chain_links(self._link, chain_rows(result, hashes, fills))
        self._link = links[-1]
        self._db.executemany(
            "INSERT INTO chain VALUES (?, ?)",
            zip(result.bars.open_time.tolist(), links, strict=True),
        )

    def _fills_of(self, open_time: int) -> npt.NDArray[np.void]:
        code = {name: number for number, name in FILL_REASON.items()}
        index = {name: s for s, name in enumerate(self.symbols)}
        rows = self._db.execute(
            "SELECT open_time, symbol, quantity, price, fee, spread, slippage, reason "
            "FROM fills WHERE open_time = ? ORDER BY id",
            (open_time,),
        ).fetchall()
        return np.array([(r[0], index[r[1]], *r[2:7], code[r[7]]) for r in rows], dtype=FILL)

    def _rollback(self, link: bytes) -> None:
        self._link = link
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def chain_rows(
    result: StepResult, hashes: npt.NDArray[np.int64], fills: npt.NDArray[np.void]
) -> list[bytes]:
    """Return the bytes of each bar's rows, as the chain hashes them."""
    trace, n = result.trace, len(result.bars)
    values = [result.forecast.value, result.signal, trace.weight, trace.order, trace.quantity]
    return schema.rows_as_bytes(
        result.bars.open_time,
        hashes,
        np.concatenate([v.reshape(n, -1) for v in values], axis=1),
        trace.refusal.astype(np.int64),
        np.stack([getattr(trace, name) for name in schema.LEDGER_VALUES], axis=1),
        fills,
    )


def _no_fills() -> npt.NDArray[np.void]:
    return np.empty(0, dtype=FILL)


def _connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    return db
