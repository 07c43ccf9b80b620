"""The page of a run: one self-contained HTML text that opens without a network.

Everything is inline: style, script, data, pictures, tables. A policy in its head lets the browser run this
one script, use this one style and ask nobody for anything. The same run gives the same text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from bot.report import formats as w
from bot.report.inputs import RunData
from bot.report.page.chart_data import charts
from bot.report.page.head_pictures import calibration_picture, judged, scatter_picture
from bot.report.page.insight_pictures import insight_pictures
from bot.report.page.market_data import market, trade_columns
from bot.report.page.sheet import Tone
from bot.report.page.sheets import sheets
from bot.report.page.svg import Picture, look
from bot.report.page.tear_sheets import MONTHS, heat, tear_sheets
from bot.report.page.worth_pictures import controls_picture, tenths_picture
from bot.report.summary import Summary
from bot.report.tear.sheet import TearSheet
from bot.report.verdict import verdict

_MODULES = ("chart/element.js", "chart/scale.js", "chart/series.js", "chart/view.js", "report.js")


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure at the top of the page, with a line under it."""

    label: str
    value: str
    note: str
    tone: Tone = ""


def render(
    run: RunData, summary: Summary, sheet: TearSheet, where: str | Path | None = None
) -> str:
    """Return the page of a run.

    Args:
        where: how a command names the run; by default its name.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bot.report.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = charts(run, sheet)
    content = {"charts": drawn, "market": market(run, sheet), "trades": trade_columns(run, sheet)}
    return environment.get_template("report.html").render(
        name=summary["name"],
        facts=summary["facts"],
        style=style(),
        script=script(),
        policy=policy(),
        data=as_data(content),
        drawn={name: chart["says"] for name, chart in drawn.items()},
        has_market=bool(content["market"]),
        has_trades=len(sheet.trades) > 0,
        months=MONTHS,
        heat=heat(sheet),
        verdict=verdict(summary, sheet, where),
        bankruptcy=summary["bankruptcy"],
        below_cost=summary["edge"]["warning"],
        jumped=summary["jumps_held"],
        uncovered=summary["coverage"]["warnings"],
        tiles=tiles(summary),
        pictures=pictures(run),
        insights=insights(run),
        beside=beside(summary),
        sheets={each.key: each for each in [*sheets(summary), *tear_sheets(sheet)]},
    )


@cache
def style() -> str:
    """Return the page's style."""
    return _file("report.css")


@cache
def script() -> str:
    """Return the page's script: its modules, one after the other, in one scope."""
    joined = "\n".join(_file(name) for name in _MODULES)
    joined = re.sub(r"^import .*?;\n", "", joined, flags=re.MULTILINE)
    return re.sub(r"^export (?=const|function|class)", "", joined, flags=re.MULTILINE)


@cache
def policy() -> str:
    """Return what the browser may do: this style, this script, pictures inside, and nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src {_sha256(style())}; "
        f"script-src {_sha256(script())}; base-uri 'none'; form-action 'none'"
    )


def as_data(content: Any) -> str:
    """Return JSON that may stand in a page: nothing in it can end the element that holds it.

    >>> as_data("</script>")
    '"\\\\u003c/script>"'
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _file(name: str) -> str:
    return (resources.files("bot.report.page") / name).read_text("utf-8")


def _sha256(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def pictures(run: RunData) -> list[Picture]:
    """Return the pictures of the heads; none where there are no forecasts to judge."""
    drawn = []
    with look():
        groups = judged(run)
        if groups:
            drawn.append(calibration_picture(groups))
        if any(group.kind != "direction" for group in groups):
            drawn.append(scatter_picture(groups))
    return drawn


def beside(summary: Summary) -> dict[str, Picture]:
    """Return the pictures that stand under tables, by the key of the table."""
    with look():
        drawn = {"controls": controls_picture(summary), "tenths": tenths_picture(summary)}
    return {key: picture for key, picture in drawn.items() if picture is not None}


def insights(run: RunData) -> list[Picture]:
    """Return the pictures of what the models look at."""
    with look():
        return insight_pictures(run)


def _deflated(summary: Summary) -> str:
    """Return what is left of the ratio after the trials on the same data, "" where nothing is deflated."""
    tried = summary["trials"]
    if tried is None or tried["deflated_sharpe"] is None:
        return ""
    return f"; after {tried['count']:,} tried {w.percent(tried['deflated_sharpe'])} sure"


def tiles(summary: Summary) -> list[Tile]:
    """Return the figures that a reader looks for first."""
    metrics, held = summary["metrics"], summary["buy_and_hold"]
    costs = summary["costs"]
    paid = costs["gross"] - costs["net"]
    error = metrics["sharpe_error"]
    no_ratio = "bankrupt" if summary["bankruptcy"] else "no variance"
    return [
        Tile(
            "Total return",
            w.written(metrics["total_return"], w.percent),
            f"buy and hold {w.written(held['total_return'], w.percent)}",
            "good" if costs["net"] > 0.0 else "bad",
        ),
        Tile(
            "Sharpe ratio",
            w.written(metrics["sharpe_ratio"], w.two_digits),
            f"± {w.two_digits(error)} standard error{_deflated(summary)}"
            if error is not None
            else no_ratio,
        ),
        Tile(
            "Maximum drawdown",
            w.written(metrics["max_drawdown"], w.percent),
            f"buy and hold {w.written(held['max_drawdown'], w.percent)}",
        ),
        Tile("Costs paid", w.amount(paid), f"of a gross profit of {w.amount(costs['gross'])}"),
        Tile(
            "Round trips",
            w.written(metrics["trades"], w.count),
            f"{w.written(metrics['win_rate_by_trade'], w.percent)} won",
        ),
    ]
