"""The verdict for the terminal. Owns looks only."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot.report.page.sheet import Tone
from bot.report.verdict import VerdictLine

STYLES: dict[Tone, str] = {"good": "green", "bad": "red", "doubt": "yellow", "": ""}


def render_verdict(headline: str, lines: Sequence[VerdictLine]) -> Group:
    """Return the headline over the lines: what each is about, a mark of its tone, what it says."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for line in lines:
        about = Text(line.about, style=f"bold {STYLES[line.tone]}".strip())
        grid.add_row(about, Text(line.says))
    return Group(Text(headline, style="bold"), Padding(grid, (1, 0, 1, 2), expand=False))
