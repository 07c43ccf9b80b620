"""What a person is told when `bot run` has ended: where the run stands, and what to do next.

Owns looks only: money is the status's, the curve the ledger's.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bot.app.runs.folder import RunFolder
from bot.app.runs.record import open_record
from bot.app.runs.sentences import holds, model_aged, percent
from bot.app.runs.status import Status, read_status
from bot.report.spark import spark
from bot.timestamps import format_utc
from bot.wording import command, counted

CURVE = 40
"""Letters of the curve of equity."""


def farewell(folder: RunFolder, again: Sequence[str]) -> Group:
    """Return where a run stands that has ended, and the commands that come next.

    Args:
        again: the words of the command that ran it.

    Raises:
        JournalError: its record is damaged.
    """
    status = read_status(folder, coverage=False)
    title = Text.assemble((status.name, "bold"), f" · {status.mode}, {status.interval}")
    commands = [(name, Text(line, "bold")) for name, line in _next(folder, again)]
    return Group(Text(), title, _grid(_facts(folder, status)), Text(), _grid(commands))


def _grid(rows: Sequence[tuple[str, Text]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim", min_width=9)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, value)
    return grid


def _facts(folder: RunFolder, status: Status) -> list[tuple[str, Text]]:
    if status.last_bar is None:
        return [("bars", Text("none yet: it has not reached its first bar"))]
    style = "green" if status.total_return >= 0.0 else "red"
    model = status.model
    rows = [
        ("bars", Text(f"{status.bars:,}, the last {format_utc(status.last_bar)} UTC")),
        (
            "equity",
            Text.assemble(
                (f"{status.equity:,.2f}", "bold"), " ", (percent(status.total_return), style)
            ),
        ),
        ("", Text(_curve(folder), style)),
        ("drawdown", Text(f"{status.drawdown * 100:.2f} %")),
        (
            "fills",
            Text(f"{status.fills:,}; fees {status.fees:,.2f}, funding {status.funding:,.2f}"),
        ),
        ("holds", Text(holds((p.symbol, p.weight) for p in status.positions))),
    ]
    if status.pending:
        waits = counted(len(status.pending), "waits", "wait")
        rows.append(("orders", Text(f"{waits} for the next open")))
    if model is not None:
        rows.append(("model", Text(model_aged(model.model_id, model.age_ms))))
    if status.halted != "none":
        rows.append(("halted", Text(f"{status.halted}; 'bot status' says more", "red")))
    return rows


def _curve(folder: RunFolder) -> str:
    with open_record(folder) as record:
        return spark(record.ledger()[1]["equity"].tolist(), CURVE)


def _next(folder: RunFolder, again: Sequence[str]) -> list[tuple[str, str]]:
    return [
        ("report", command("report", folder.path)),
        ("verify", command("verify", folder.path)),
        ("go on", _again(again, folder)),
        ("page", command("serve", folder.path.parent)),
    ]


def _again(words: Sequence[str], folder: RunFolder) -> str:
    """Return the command that goes on with the run: the one that made it, in its folder."""
    named = any(word.partition("=")[0] == "--run-dir" for word in words)
    return command(*words) if named else command(*words, "--run-dir", folder.path)
