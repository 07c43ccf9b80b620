"""The log of `bot run`: its file, and stderr; lines for people where stderr is a terminal.

Must not know what an event says.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from rich.console import Console
from structlog.typing import FilteringBoundLogger

from bot.app.live.terminal_lines import TerminalLines
from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.config import Config
from bot.log import open_log
from bot.timegrid import INTERVAL_MS


def run_log(config: Config, folder: RunFolder) -> AbstractContextManager[FilteringBoundLogger]:
    """Open the log of a run: to its file, and to stderr, in lines for people where one reads it."""
    log = config.log
    lines = _lines_for(config, folder) if sys.stderr.isatty() else None
    return open_log(folder.log, log.level, sys.stderr, log.max_mb, log.keep, lines=lines)


def _lines_for(config: Config, folder: RunFolder) -> TerminalLines:
    def started_ms(model_id: str) -> int | None:
        with open_record(folder) as record:
            since = {row.model_id: row.effective_from for row in record.models()}
        return since.get(model_id)

    return TerminalLines(
        Console(file=sys.stderr), config.market.symbols, INTERVAL_MS[config.market.interval],
        config.portfolio.initial_capital, started_ms, own_time=config.exchange.source == "practice",
    )  # fmt: skip
