"""A run as Python has it: its tables as pandas, and its results.

Rules: nothing is read before it is asked for, and then once; the tables are those of `bot export`,
column by column (`bot/app/tables/columns.py`). Must not write but where it says so.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bot.app.runs.folder import RunFolder, config_of, find_run
from bot.app.runs.record import open_record
from bot.app.tables.columns import NAMES, TableName, shape_of
from bot.app.tables.slices import RunTables
from bot.config import Config
from bot.errors import DataError
from bot.timestamps import format_utc
from bot.wording import counted, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from bot.report.inputs import RunData
    from bot.report.summary import Summary
    from bot.report.tear.sheet import TearSheet


class LoadedRun:
    """A run, live or finished.

    Each table is a pandas DataFrame, made when it is first asked for, and the same as `bot export`
    writes; `columns` says what each column is. A live run is as it was at that moment: load it again
    to see more.

    Attributes:
        path: its folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.path = folder.path

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return self.path.name

    @cached_property
    def config(self) -> Config:
        """Return the settings that it was made with, by section: `run.config.costs.taker_fee`."""
        return config_of(self._folder)

    @cached_property
    def meta(self) -> dict[str, str]:
        """Return the facts that are recorded of it: mode, interval, hashes, ..."""
        with open_record(self._folder, follow=True) as record:
            return dict(record.meta)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Return its symbols."""
        with open_record(self._folder, follow=True) as record:
            return record.symbols

    @cached_property
    def bars(self) -> pd.DataFrame:
        """Return a row for each bar and symbol, as the bot saw it, warm-up included."""
        return self.table("bars")

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """Return a row for each bar and symbol that has a forecast, a column a head."""
        return self.table("forecasts")

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """Return a row for each close and symbol: signal, target, order, why not, what was held."""
        return self.table("decisions")

    @cached_property
    def fills(self) -> pd.DataFrame:
        """Return a row for each fill, with its price and costs."""
        return self.table("fills")

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Return a row for each closed round trip, with its net profit."""
        return self.table("trades")

    @cached_property
    def positions(self) -> pd.DataFrame:
        """Return a row for each close and symbol that is held there."""
        return self.table("positions")

    @cached_property
    def equity(self) -> pd.DataFrame:
        """Return a row for each close: equity, cash, what was paid, return and drawdown."""
        return self.table("equity")

    @cached_property
    def models(self) -> pd.DataFrame:
        """Return a row for each model of the schedule."""
        return self.table("models")

    @cached_property
    def summary(self) -> Summary:
        """Return the results as `bot report --json` prints them; takes seconds (intervals)."""
        from bot.app.runs.trials import runs_dir_of, trial_of_run, tried
        from bot.report.summary import build

        trial = trial_of_run(self._folder, self._data)
        known = None if trial is None else tried(runs_dir_of(self.path), trial)
        return build(self._data, self.config.report, known)

    @cached_property
    def tear_sheet(self) -> TearSheet:
        """Return returns by period, drawdowns, tails and the like (`bot/report/tear`)."""
        from bot.report.tear.sheet import tear_sheet

        return tear_sheet(self._data, self.config.report.bootstrap_samples)

    @cached_property
    def verdict(self) -> str:
        """Return what came of it, in the ten lines of `bot report`."""
        from bot.report.verdict import headline, verdict

        lines = verdict(self.summary, self.tear_sheet, self.path)
        return "\n".join([headline(self.summary), *(f"{x.about:<10} {x.says}" for x in lines)])

    @cached_property
    def _data(self) -> RunData:
        from bot.app.runs.results import read_run

        return read_run(self._folder, follow=True)

    def table(self, name: TableName, symbols: tuple[str, ...] | None = None) -> pd.DataFrame:
        """Return a table, of some symbols only.

        Raises:
            DataError: there is no such table, or the run has not one of the symbols.
            JournalError: the run has closed no bar yet.
        """
        _check_table(name)
        with open_record(self._folder, follow=True) as record:
            frame: pd.DataFrame = (
                RunTables(record, self.config, symbols, rows=1 << 16).whole(name).to_pandas()
            )
        return frame

    def columns(self, name: TableName) -> pd.DataFrame:
        """Return what the columns of a table are: name, unit, meaning.

        Raises:
            DataError: there is no such table.
        """
        import pandas as pd

        _check_table(name)

        with open_record(self._folder, follow=True) as record:
            shape = shape_of(name, record.tasks)
        rows = [(c.name, c.unit, c.says) for c in shape.columns]
        return pd.DataFrame(rows, columns=["column", "unit", "says"])

    def report(self) -> Path:
        """Write report.html into the run's folder, as `bot report` does; return its path."""
        from bot.app.backtest.command import write_report

        write_report(self._folder)
        return self._folder.report

    def __repr__(self) -> str:
        with open_record(self._folder, follow=True) as record:
            extent, count = record.extent(), len(record.symbols)
            meta = record.meta
        facts = f"{meta.get('mode', '')}, {meta.get('interval', '')}, {counted(count, 'symbol')}"
        if extent is None:
            return f"<LoadedRun {self.name}: {facts}, no bar closed yet>"
        first, last = (format_utc(each)[:16] for each in (extent.first, extent.last))
        return f"<LoadedRun {self.name}: {facts}, {counted(extent.bars, 'bar')} from {first} to {last}>"


def _check_table(name: str) -> None:
    if name not in NAMES:
        raise DataError(
            f"'{name}': no such table{did_you_mean(str(name), NAMES)}; there are {', '.join(NAMES)}"
        )


def load_run(path: str | os.PathLike[str]) -> LoadedRun:
    """Return a run by its folder, or by its name in `runs/`.

    Raises:
        JournalError: there is none.
    """
    return LoadedRun(find_run(os.fspath(path)))
