"""Several runs side by side, as a sheet: a column each, the figures of the verdict as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.report import formats as w
from bot.report.page.sheet import Sheet, SheetRow, from_column
from bot.report.summary import Summary
from bot.report.tear.sheet import TearSheet

_Row = tuple[str, Callable[[Summary, TearSheet], str]]


def _metric(name: str, form: w.Format) -> Callable[[Summary, TearSheet], str]:
    return lambda s, _: w.written(s["metrics"][name], form)


def _edge(name: str, form: w.Format) -> Callable[[Summary, TearSheet], str]:
    return lambda s, _: w.written(s["edge"][name], form)


def _interval(_: Summary, sheet: TearSheet) -> str:
    found = sheet.return_interval
    if found is None or found.low is None or found.high is None:
        return w.DASH
    return f"[{w.percent(found.low)}, {w.percent(found.high)}]"


def _sharpe(summary: Summary, _: TearSheet) -> str:
    ratio, error = (summary["metrics"][k] for k in ("sharpe_ratio", "sharpe_error"))
    if ratio is None:
        return w.DASH
    return f"{ratio:.2f}" if error is None else f"{ratio:.2f} ± {error:.2f}"


def _skilled(summary: Summary, _: TearSheet) -> str:
    heads = summary["skill"]
    shown = [t for t, h in heads.items() if h["against"]["strongest"]["verdict"] == "skill shown"]
    return w.DASH if not heads else ", ".join(shown) or "none"


_ROWS: tuple[_Row, ...] = (
    ("Symbols", lambda s, _: w.count(len(s["facts"]["symbols"]))),
    ("Bars", lambda s, _: f"{s['facts']['bars']:,} of {s['facts']['interval']}"),
    ("From", lambda s, _: s["facts"]["from"][:10]),
    ("To", lambda s, _: s["facts"]["to"][:10]),
    ("Net return", _metric("total_return", w.percent)),
    ("  95 % interval", _interval),
    ("  buy and hold", lambda s, _: w.written(s["buy_and_hold"]["total_return"], w.percent)),
    ("  better than so many random twins",
     lambda s, _: w.written(s["edge"]["controls"]["random"].get("percentile"), w.percent)),
    ("CAGR", _metric("cagr", w.percent)),
    ("Volatility a year", _metric("annualized_volatility", w.percent)),
    ("Sharpe ratio", _sharpe),
    ("  above 0 with", _metric("probabilistic_sharpe", w.percent)),
    ("  deflated for the trials", _metric("deflated_sharpe", w.percent)),
    ("Sortino ratio", _metric("sortino_ratio", w.two_digits)),
    ("Maximum drawdown", _metric("max_drawdown", w.percent)),
    ("Beta to buy and hold", lambda _, t: w.written(t.beside["beta"], w.two_digits)),
    ("CVaR of a day, 95 %", lambda _, t: w.written(t.tails["cvar_95"], w.percent)),
    ("Edge a side, before costs", _edge("edge_bps", w.bps)),
    ("Cost a side", _edge("cost_bps", w.bps)),
    ("Round trips", _metric("trades", w.count)),
    ("  won", _metric("win_rate_by_trade", w.percent)),
    ("  mean bars held", _metric("mean_bars_held", w.two_digits)),
    ("Turnover a year", _metric("turnover_annual", w.two_digits)),
    ("Costs paid", lambda s, _: w.amount(s["costs"]["gross"] - s["costs"]["net"])),
    ("Exposure, share of bars", _metric("exposure", w.percent)),
    ("Models", lambda s, _: w.count(s["facts"]["models"])),
    ("Heads with skill shown", _skilled),
)  # fmt: skip


def side_by_side(runs: Sequence[tuple[Summary, TearSheet]]) -> Sheet:
    """Return the runs as columns.

    What the runs do not share (symbols, span) stands above their figures; whether a difference is one
    is what `bot compare --runs` says.
    """
    rows = tuple(
        SheetRow(
            (label, *(cell(summary, sheet) for summary, sheet in runs)),
            strong=label in ("Net return", "Sharpe ratio"),
            ends=label == "To",
        )
        for label, cell in _ROWS
    )
    columns = ("", *(summary["name"] for summary, _ in runs))
    spans = {(s["facts"]["from"], s["facts"]["to"], tuple(s["facts"]["symbols"])) for s, _ in runs}
    note = "Whether a difference is more than luck: 'bot compare --runs' with these runs."
    if len(spans) > 1:
        note = "They do not cover the same bars, so differences may be those of the market. " + note
    return Sheet(
        "side_by_side", "Side by side", columns,
        numbers=from_column(1, columns), rows=rows, note=note,
    )  # fmt: skip
