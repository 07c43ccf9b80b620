"""What a backtest's record costs, in columns and by row, and how long its proof takes.

Rules: the same run in both forms in one process; by row is how a daemon records, and backtests did
before columns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from bot.adapters.journal.columns_writer import ColumnJournal
from bot.adapters.journal.writer import Journal
from bot.adapters.record.writing import DescribedWriter
from bot.app.backtest import job as backtest
from bot.app.backtest.preparing import prepare, read_market
from bot.app.loop.recorders import GroupRecorder
from bot.app.runs.folder import RunFolder, new_run
from bot.app.runs.record import begin_record
from bot.app.symbols import traded_symbols
from bot.app.verify.proof import verify
from bot.config import load_config
from bot.log import open_log
from bot.model.threads import single_thread
from scripts.benchmarks.measuring import Row, median_seconds
from scripts.benchmarks.trained import SETTINGS, Trained

UNIT = "symbol-bars/s"
FASTER, SMALLER = 5.0, 3.0
"""What the record in columns is to be beside that by row: quicker, and less of the disk."""
PROVED_FASTER = 4.0
COMPUTING = 3.0
"""The time with a record is to be within so many times that without any."""


def written(quick: bool) -> list[Row]:
    """Measure features, model and ledger without a record, and with one in either form."""
    single_thread()
    run = Trained(5, 4_000 if quick else 200_000)
    cells = run.n_bars * run.n_symbols
    run.run()
    alone = median_seconds(run.run, 1 if quick else 3)
    rows = [Row("all, and no record", cells / alone, UNIT)]
    own, size = {}, {}
    for name, full in (("bars, fills and ledger", False), ("everything", True)):
        for form in ("by row", "in columns"):
            with TemporaryDirectory() as folder:
                started = time.perf_counter()
                _recorded(run, Path(folder) / "journal.db", full=full, columns=form != "by row")
                seconds = time.perf_counter() - started
                files = (path for path in Path(folder).rglob("*") if path.is_file())
                size[form] = sum(path.stat().st_size for path in files) / cells
            own[form] = max(seconds - alone, 1e-9)
            note = f"{seconds / alone:.2f} × the time without a record"
            goal = cells / alone / COMPUTING if form == "in columns" else None
            rows.append(Row(f"all, and {name} {form}", cells / seconds, UNIT, goal, note=note))
    rates = {form: cells / seconds for form, seconds in own.items()}
    note = f"{rates['in columns'] / rates['by row']:.1f} × by row; the time that it adds"
    rows.append(Row("record of everything by row, alone", rates["by row"], UNIT))
    goal = FASTER * rates["by row"]
    rows.append(
        Row("record of everything in columns, alone", rates["in columns"], UNIT, goal, note=note)
    )
    least = size["by row"] / SMALLER
    note = f"by row {size['by row']:.0f}"
    disk = Row("disk", size["in columns"], "bytes/symbol-bar", least, at_least=False, note=note)
    return [*rows, disk]


def proved(quick: bool) -> list[Row]:
    """Measure the proof of one run in both forms."""
    bars = 4_000 if quick else 200_000
    seconds, rows = {}, []
    for form in ("by row", "in columns"):
        with TemporaryDirectory() as folder:
            run = _backtest(Path(folder) / "run", bars, columns=form != "by row")
            started = time.perf_counter()
            if not verify(run).identical:
                raise RuntimeError("the run is not proved")
            seconds[form] = time.perf_counter() - started
        rate = 5 * bars / seconds[form]
        goal = None if form == "by row" else PROVED_FASTER * 5 * bars / seconds["by row"]
        note = "" if goal is None else f"{seconds['by row'] / seconds[form]:.1f} × by row; "
        rows.append(
            Row(f"proof {form}, 5 symbols", rate, UNIT, goal, note=f"{note}{seconds[form]:.1f} s")
        )
    return rows


def _recorded(run: Trained, path: Path, *, full: bool, columns: bool) -> None:
    symbols, tasks = traded_symbols(run.config), run.engine.tasks
    journal: DescribedWriter = (
        ColumnJournal.create(path, symbols, tasks, {})
        if columns
        else Journal.create(path, symbols, tasks, {}, durable=False)
    )
    recorder = GroupRecorder(journal, full=full)
    run.run(recorder)
    recorder.flush()
    journal.close()


def _backtest(path: Path, bars: int, *, columns: bool) -> RunFolder:
    """Run a backtest with one training on its first bars."""
    sets = [
        *SETTINGS, "synthetic.symbols=5", f"synthetic.bars={bars}", "retrain.trigger=never",
        "training.window_bars=3000", "training.min_rows=100", "model.members=1",
    ]  # fmt: skip
    config = load_config(None, sets, environ={})
    folder = new_run(config, str(path), "backtest")
    begin: Callable[..., DescribedWriter] = partial(begin_record, durable=False)
    with open_log(folder.log, config.log.level) as log:
        job = prepare(config, read_market(config), folder, log, lambda _done, _total: None)
        if columns:
            backtest.run_backtest(job)
        else:
            with patch.object(backtest, "begin_backtest", begin):
                backtest.run_backtest(job)
    return folder
