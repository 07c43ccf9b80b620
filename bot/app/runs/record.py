"""A run's record, begun, continued, read: the one place that knows what a run is stored in.

Rule: reading commands, the daemon's start, backtests and trainings all come through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.adapters.journal.columns_writer import ColumnJournal
from bot.adapters.journal.forms import open_journal
from bot.adapters.journal.writer import Journal
from bot.adapters.record.reading import Record
from bot.adapters.record.writing import DescribedWriter, RunWriter
from bot.app.runs.folder import RunFolder
from bot.blocks import Task


def open_record(folder: RunFolder, *, follow: bool = False, apart: bool = False) -> Record:
    """Open a run's record to read it, as a context manager.

    Args:
        follow: see what is committed after it was opened; else all is of one instant.
        apart: read a copy, so that no daemon's log grows for as long as it is read.

    Raises:
        JournalError: there is none, or it is damaged or of another version.
    """
    return open_journal(folder.journal, follow=follow, apart=apart)


def begin_record(
    folder: RunFolder, symbols: Sequence[str], tasks: Sequence[Task], meta: Mapping[str, str],
    *, durable: bool,
) -> RunWriter:  # fmt: skip
    """Make the record of a run that may be gone on with: row by row.

    Args:
        meta: facts of the run.
        durable: wait for the disk at every commit (live); a backtest need not.

    Raises:
        JournalError: there is one already, or the folder cannot be written.
    """
    return Journal.create(folder.journal, symbols, tasks, meta, durable=durable)


def begin_backtest(
    folder: RunFolder, symbols: Sequence[str], tasks: Sequence[Task], meta: Mapping[str, str]
) -> DescribedWriter:
    """Make the record of a backtest: in columns.

    Args:
        meta: facts of the run.

    Raises:
        JournalError: there is one already, or the folder cannot be written.
    """
    return ColumnJournal.create(folder.journal, symbols, tasks, meta)


def go_on_with_record(
    folder: RunFolder, symbols: Sequence[str], tasks: Sequence[Task]
) -> RunWriter:
    """Open a run's record to write on; one of an earlier version is brought to this one first.

    Raises:
        JournalError: it is damaged, of an unknown version, or of other symbols or tasks.
    """
    return Journal.open(folder.journal, symbols, tasks)
