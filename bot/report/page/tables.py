"""The sheets of a summary as tables for the terminal. Owns looks only."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bot.report.page.sheet import Sheet, SheetRow
from bot.report.page.sheets import sheets
from bot.report.page.verdict_view import STYLES
from bot.report.summary import Summary

_MOST_ROWS = {"coverage": 12, "models": 12, "cosines": 16}


def render(summary: Summary) -> Group:
    """Return all tables of a run, in reading order.

    A bankruptcy, what the run does not cover, and an edge below its cost stand in words before and after
    them.
    """
    warning = [Text(summary["bankruptcy"], style="bold red")] if summary["bankruptcy"] else []
    warning += [Text(line, style="bold red") for line in summary["jumps_held"]]
    warning += [Text(line, style="bold yellow") for line in summary["coverage"]["warnings"]]
    if summary["edge"]["warning"]:
        warning.append(Text(summary["edge"]["warning"], style="bold red"))
    return Group(*warning, *(table(sheet) for sheet in sheets(summary)), *warning)


def table(sheet: Sheet) -> Table:
    """Return a sheet as a table; of a long list the middle is left out."""
    made = Table(
        title=Text(sheet.title, style="bold"),
        caption=Text(sheet.note) if sheet.note else None,
        title_justify="left",
        caption_justify="left",
        show_header=any(sheet.columns),
    )
    for i, name in enumerate(sheet.columns):
        made.add_column(name, justify="right" if i in sheet.numbers else "left", overflow="fold")
    for row in _shortened(sheet):
        *cells, last = (Text(cell) for cell in row.cells)
        last.stylize(STYLES[row.tone])
        made.add_row(*cells, last, style="bold" if row.strong else None, end_section=row.ends)
    return made


def _shortened(sheet: Sheet) -> tuple[SheetRow, ...]:
    most = _MOST_ROWS.get(sheet.key, len(sheet.rows))
    if len(sheet.rows) <= most:
        return sheet.rows
    head, tail = sheet.rows[: most // 2], sheet.rows[-(most // 2) :]
    left_out = len(sheet.rows) - len(head) - len(tail)
    gap = SheetRow((f"… {left_out} more", *[""] * (len(sheet.columns) - 1)))
    return (*head, gap, *tail)
