"""`bot runs`: the runs in a folder, a line each.

Rule: a run that cannot be read is listed with its fault, and does not hide the others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bot.adapters.record.reading import Record
from bot.adapters.system.run_lock import holder
from bot.app.runs.folder import RunFolder, config_of, runs_in
from bot.app.runs.ledger_hash import stored_ledger
from bot.app.runs.record import open_record
from bot.errors import BotError
from bot.timestamps import format_utc

HASH_LETTERS = 12


@dataclass(frozen=True)
class RunLine:
    """A run.

    Attributes:
        first, last: open times of the first and last bar that is booked, ms UTC.
        total_return: of the initial capital, as a fraction.
        models: activations so far.
        pid: the daemon's, None where none runs.
        ledger_sha256: of the bars booked so far; None before the first.
        fault: why it cannot be read, empty where it can.
    """

    name: str
    mode: str = ""
    first: int | None = None
    last: int | None = None
    bars: int = 0
    equity: float | None = None
    total_return: float | None = None
    models: int = 0
    pid: int | None = None
    ledger_sha256: str | None = None
    fault: str = ""


def list_runs(runs_dir: Path) -> list[RunLine]:
    """Return the runs in a folder by name."""
    return [_line(folder) for folder in runs_in(runs_dir)]


def runs_json(lines: list[RunLine]) -> dict[str, Any]:
    """Return the runs as the object that --json prints."""
    return {"runs": [asdict(line) | {"alive": line.pid is not None} for line in lines]}


def runs_table(lines: list[RunLine]) -> Group:
    """Return the runs as a table, and below it those that cannot be read."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    numbers = ("bars", "equity", "return", "models")
    table.add_column("run", overflow="fold")
    for name in ("mode", "first day", "last bar", *numbers, "alive", "ledger"):
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=True)
    sound = [line for line in lines if not line.fault]
    for line in sound:
        table.add_row(
            escape(line.name),
            line.mode,
            _time(line.first)[:10],
            _time(line.last),
            f"{line.bars:,}",
            "–" if line.equity is None else f"{line.equity:,.2f}",
            "–" if line.total_return is None else f"{line.total_return:+.2%}",
            str(line.models),
            "–" if line.pid is None else f"[green]pid {line.pid}[/]",
            (line.ledger_sha256 or "–")[:HASH_LETTERS],
        )
    faults = [Text(f"{line.name}: {line.fault}", "red") for line in lines if line.fault]
    return Group(*([table] if sound else []), *faults)


def _line(folder: RunFolder) -> RunLine:
    name = folder.path.name
    try:
        capital = config_of(folder).portfolio.initial_capital
        with open_record(folder) as record:
            extent = record.extent()
            head = RunLine(
                name=name,
                mode=record.meta.get("mode", ""),
                models=len(record.models()),
                pid=holder(folder.path),
            )
            if extent is None:
                return head
            return RunLine(
                **asdict(head)
                | {
                    "first": extent.first,
                    "last": extent.last,
                    "bars": extent.bars,
                    "equity": extent.equity,
                    "total_return": extent.equity / capital - 1.0,
                    "ledger_sha256": _hash(record),
                }
            )
    except BotError as error:
        return RunLine(name=name, fault=str(error))


def _hash(record: Record) -> str:
    """Return the ledger's hash: the one a backtest wrote at its end, else of the rows so far."""
    if record.meta.get("mode") == "backtest" and "ledger_sha256" in record.meta:
        return record.meta["ledger_sha256"]
    return stored_ledger(record).hexdigest()


def _time(ms: int | None) -> str:
    return "–" if ms is None else format_utc(ms)
