"""What `bot backtest` and `bot report` do between parsing and printing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Group, RenderableType

from bot.adapters.system.heap import give_back, give_back_all, keep_little
from bot.app.backtest.job import BacktestDone, run_backtest
from bot.app.backtest.preparing import open_market, prepare
from bot.app.loop.waiting import COMPILING, TAKES
from bot.app.runs.borrow import Recorded
from bot.app.runs.folder import RunFolder, config_of, new_run
from bot.app.runs.own_parts import check_parts
from bot.app.runs.results import read_run
from bot.app.runs.trials import enter_run
from bot.app.start.check import check_start
from bot.app.symbols import with_candidates
from bot.compiled import compiled_before
from bot.config import Config
from bot.errors import BotError
from bot.log import open_log
from bot.model.threads import single_thread
from bot.report.page import html, tables
from bot.report.page.side_by_side import side_by_side
from bot.report.page.tear_sheets import tear_sheets
from bot.report.page.verdict_view import render_verdict
from bot.report.summary import Summary, build
from bot.report.tear.sheet import TearSheet, tear_sheet
from bot.report.verdict import headline, verdict


@dataclass(frozen=True)
class Reported:
    """What a report says of a run: its folder, its summary, and its tear sheet."""

    path: Path
    summary: Summary
    sheet: TearSheet


@dataclass(frozen=True)
class CommandDone:
    """The run's folder, its report (None before the first bar), and whether Ctrl-C ended it."""

    folder: RunFolder
    reported: Reported | None
    interrupted: bool


def backtest_command(
    config: Config,
    run_dir: str | None,
    forecasts: str | None,
    schedule: Recorded | None,
    progress: Callable[[int, int], None],
    *,
    quiet: bool,
) -> CommandDone:
    """Run a backtest into a new folder and write its report."""
    single_thread()
    keep_little()
    terminal = None if quiet else sys.stderr
    folder, done = run_into_folder(
        config, run_dir, forecasts, schedule, progress, terminal=terminal
    )
    give_back_all()
    return CommandDone(folder, report_run(folder) if done.bars else None, done.interrupted)


def run_into_folder(
    config: Config,
    run_dir: str | None,
    forecasts: str | None,
    schedule: Recorded | None,
    progress: Callable[[int, int], None],
    *,
    terminal: TextIO | None,
) -> tuple[RunFolder, BacktestDone]:
    """Run a backtest into a new folder; its log also goes to the terminal where there is one."""
    config = with_candidates(config)
    check_start(config, "backtest", run_dir)
    market = open_market(config)
    if terminal is not None and not compiled_before():
        terminal.write(f"{COMPILING}: {TAKES}\n")
    there_before = run_dir is not None and Path(run_dir).exists()
    folder, settings = new_run(config, run_dir, "backtest"), config.log
    try:
        with open_log(folder.log, settings.level, terminal, settings.max_mb, settings.keep) as log:
            job = prepare(
                config, market, folder, log=log, progress=progress, forecasts=forecasts,
                schedule=schedule,
            )  # fmt: skip
            return folder, run_backtest(job)
    except BotError:
        if not folder.journal.exists() and not there_before:
            shutil.rmtree(folder.path)  # it never was a run
        raise


def report_run(folder: RunFolder) -> Reported:
    """Write report.html from the journal, and return what it says.

    A backtest that is not in the register of trials yet is entered there. Where the folder or the
    register cannot be written, stderr says so, and what is returned is whole.
    """
    keep_little()
    config = config_of(folder)
    check_parts(config, "", folder.path)
    run = read_run(folder, follow=True)
    give_back()
    summary = build(run, config.report, enter_run(folder, run))
    sheet = tear_sheet(run, config.report.bootstrap_samples)
    page = html.render(run, summary, sheet, folder.path)
    try:
        folder.report.write_text(page, encoding="utf-8")
    except OSError as error:
        note = f"note: {folder.report}: the page cannot be written ({error.strerror})"
        print(note, file=sys.stderr)
    return Reported(folder.path, summary, sheet)


def write_report(folder: RunFolder) -> Summary:
    """Write report.html as `report_run` does, and return the summary alone."""
    return report_run(folder).summary


def as_json(folder: RunFolder, summary: Summary) -> dict[str, Any]:
    """Return a run's summary as the object that --json prints."""
    facts = summary["facts"]
    head = {"run_dir": str(folder.path)}
    return head | {k: facts.get(k) for k in ("ledger_sha256", "seconds")} | dict(summary)


def as_verdict(reported: Reported) -> RenderableType:
    """Return a run's verdict for a terminal."""
    summary = reported.summary
    return render_verdict(headline(summary), verdict(summary, reported.sheet, reported.path))


def as_columns(runs: Sequence[Reported]) -> RenderableType:
    """Return several runs side by side for a terminal."""
    return tables.table(side_by_side([(each.summary, each.sheet) for each in runs]))


def as_tear_sheet(reported: Reported) -> RenderableType:
    """Return a run's tear sheet for a terminal."""
    return Group(*(tables.table(each) for each in tear_sheets(reported.sheet)))


def as_tables(summary: Summary) -> RenderableType:
    """Return a run's tables for a terminal."""
    return tables.render(summary)
