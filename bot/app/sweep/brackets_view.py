"""The brackets of a run as a table for a terminal. Owns looks only."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from bot.app.sweep.brackets import LARGEST_MULTIPLE, Bracket, Brackets


def brackets_table(found: Brackets) -> Table:
    """Return each measure as a span, from the pessimistic reading to the optimistic one."""
    table = Table(title=Text("what is unknowable inside a bar", style="bold"), title_justify="left")
    for name in ("", "read badly", "read well"):
        table.add_column(name, justify="right" if name else "left")
    bad, well = _cells(found.pessimistic), _cells(found.optimistic)
    for name in bad:
        table.add_row(name, bad[name], well[name])
    table.caption = _multiple(found)
    return table


def _cells(reading: Bracket) -> dict[str, str]:
    none = "bankrupt"
    return {
        "net return": none if reading.net_return is None else f"{reading.net_return:+.2%}",
        "Sharpe ratio": "–" if reading.sharpe is None else f"{reading.sharpe:+.2f}",
        "largest drawdown": none if reading.drawdown is None else f"{reading.drawdown:.2%}",
        "turnover": f"{reading.turnover:,.1f} × equity",
        "fills": f"{reading.fills:,}",
    }


def _multiple(found: Brackets) -> str:
    multiple = found.cost_multiple
    if not found.pessimistic.fills:
        return "nothing was traded"
    if multiple is None:
        return f"it earns at {LARGEST_MULTIPLE:g} times its costs still"
    if multiple == 0.0:
        return "it earns nothing without costs either"
    return f"profit ends at {multiple:.2f} times its costs, read badly"
