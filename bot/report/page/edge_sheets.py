"""What trading was worth, as sheets. Must not compute."""

from __future__ import annotations

from typing import Any

from bot.report import formats as w
from bot.report.page.sheet import Sheet, SheetRow, Tone, from_column
from bot.report.skill.verdicts import UNKNOWN
from bot.report.summary import Summary
from bot.wording import counted

_PARTS = (
    ("fees", "  fees"),
    ("spread", "  half spread"),
    ("slippage", "  slippage"),
    ("funding", "  funding"),
)


def edge_sheet(summary: Summary) -> Sheet:
    """Return the edge of a side traded beside its cost, and how much was traded for it."""
    edge = summary["edge"]
    rows = [
        SheetRow(("Edge a side, before costs", *_measured(edge)), _tone(edge), strong=True),
        SheetRow(("Cost a side", w.written(edge["cost_bps"], w.bps), ""), strong=True),
        *(
            SheetRow((label, w.written(edge["cost_parts_bps"][name], w.bps), ""))
            for name, label in _PARTS
        ),
        SheetRow(("Edge over cost", w.written(edge["edge_to_cost"], w.two_digits), "")),
        SheetRow(
            ("Break-even cost a side", w.written(edge["break_even_cost_bps"], w.bps), ""),
            ends=True,
        ),
        SheetRow(
            ("Turnover a year, times equity", w.written(edge["turnover_annual"], w.two_digits), "")
        ),
        SheetRow(("Turnover a bar", w.written(edge["turnover_bar"], w.small), "")),
        SheetRow(("Mean bars held", w.written(edge["bars_held"], w.two_digits), "")),
        SheetRow(("  the forecast's horizon, bars", w.count(edge["horizon_bars"]), "")),
    ]
    note = (
        "A side is one fill; amounts are on the equity that each day opened with. The break-even cost "
        "is the fee, half spread and slippage of a side at which nothing would be left."
    )
    return Sheet(
        "edge", "What it was worth", ("", "value", "95 % interval"),
        numbers=frozenset({1, 2}), rows=tuple(rows), note=note,
    )  # fmt: skip


CONTROLS = (
    ("flat", "flat"),
    ("buy_and_hold", "buy and hold"),
    ("momentum", "momentum, 30 days"),
)


def controls_sheet(summary: Summary) -> Sheet:
    """Return the run beside its controls."""
    controls = summary["edge"]["controls"]
    columns = ("", "net return", "95 % of them", "Sharpe ratio", "max. drawdown", "round trips")
    sources = [("run", summary["metrics"]), *((label, controls[key]) for key, label in CONTROLS)]
    rows = [SheetRow(_control(label, found), strong=label == "run") for label, found in sources]
    random = controls["random"]
    rows.append(SheetRow(_control(f"{random['draws']:,} random twins", random)))
    return Sheet(
        "controls", "Beside its controls", columns,
        numbers=from_column(1, columns), rows=tuple(rows), note=_controls_note(summary),
    )  # fmt: skip


def slopes_sheet(summary: Summary) -> Sheet:
    """Return how large forecasts are beside what came."""
    rows = tuple(
        SheetRow(
            (
                task,
                w.written(found["value"], w.two_digits),
                w.written(found["error"], lambda error: f"± {error:.2f}"),
                _span(found["low"], found["high"], w.two_digits),
                _loudness(found["low"], found["high"]),
            )
        )
        for task, found in summary["edge"]["slopes"].items()
    )
    columns = ("head", "slope", "error", "95 % interval", "reads")
    note = (
        "The slope of what happened on what was forecast, of a direction on the logit of its "
        "probability: 1 is right, below it forecasts are too loud, at 0 they say nothing."
    )
    return Sheet(
        "slopes", "How loud the forecasts are", columns,
        numbers=frozenset({1, 2, 3}), rows=rows, note=note,
    )  # fmt: skip


def _loudness(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return UNKNOWN
    said = [] if low > 0.0 else ["no information shown"]
    if high < 1.0:
        said.append("too loud")
    return ", ".join(said) or ("too quiet" if low > 1.0 else "not shown to be off")


def tenths_sheet(summary: Summary) -> Sheet:
    """Return what came of each size of expected return."""
    found = summary["edge"]["tenths"]
    rows = tuple(
        SheetRow(
            (
                str(row["tenth"]),
                w.count(row["count"]),
                w.bps(row["expected_bps"]),
                w.bps(row["realised_bps"]),
                _span(row["low_bps"], row["high_bps"], w.bps),
                w.bps(row["cost_bps"]),
                _against(row["low_bps"], row["high_bps"], row["cost_bps"]),
            ),
            _TONES[_against(row["low_bps"], row["high_bps"], row["cost_bps"])],
        )
        for row in found["rows"]
    )
    columns = ("tenth", "bars", "expected", "realised", "95 % interval", "cost", "reads")
    what = "calibrated edge" if found["by"] == "edge" else "signal (no edge was recorded)"
    note = (
        f"Bars and symbols by the size of their {what}, smallest first, traded or not; realised is the "
        f"return over the {counted(summary['edge']['horizon_bars'], 'bar')} ahead on the side expected, cost what "
        "a round trip had to exceed."
    )
    return Sheet(
        "tenths", f"Realised return by tenth of the {found['by']}", columns,
        numbers=frozenset(range(6)), rows=rows, note=note,
    )  # fmt: skip


def decided_sheet(summary: Summary) -> Sheet:
    """Return the numbers that decided at the last bar, and why, by symbol."""
    rows = tuple(
        SheetRow(
            (
                found["symbol"],
                w.written(found["signal"], _bps),
                _with_error(found["slope"], found["slope_error"]),
                w.written(found["edge"], _bps),
                w.written(found["hurdle"], _bps),
                w.written(found["age"], w.count),
                found["why"] or w.DASH,
            )
        )
        for found in summary["decided"]
    )
    columns = ("symbol", "signal", "slope", "edge", "cost", "age", "why")
    note = (
        "The edge is the signal times what past signals were worth (the slope, with its standard error) "
        "less a margin for error, and never more than the forecast; it had to exceed the cost. Age is in "
        "closes since the side was decided. The log has every bar."
    )
    return Sheet(
        "decided", "Why the last bar was traded or not", columns,
        numbers=frozenset(range(1, 6)), rows=rows, note=note,
    )  # fmt: skip


def _bps(fraction: float) -> str:
    return w.bps(fraction * 1e4)


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return w.DASH
    return w.two_digits(value) if error is None else f"{value:.2f} ± {error:.2f}"


def _against(low: float | None, high: float | None, cost: float) -> str:
    """Return what an interval says of what was earned beside a cost."""
    if low is None or high is None:
        return UNKNOWN
    return _ABOVE if low > cost else _BELOW if high < cost else _EITHER


_ABOVE, _BELOW, _EITHER = "above its cost", "below its cost", "either"
_TONES: dict[str, Tone] = {_ABOVE: "good", _BELOW: "bad", _EITHER: "doubt", UNKNOWN: ""}


def _span(low: float | None, high: float | None, form: w.Format) -> str:
    return w.DASH if low is None or high is None else f"[{form(low)}, {form(high)}]"


def _control(label: str, found: dict[str, Any]) -> tuple[str, ...]:
    return (
        label,
        w.written(found["total_return"], w.percent),
        _span(found.get("low"), found.get("high"), w.percent),
        w.written(found.get("sharpe_ratio"), w.two_digits),
        w.written(found.get("max_drawdown"), w.percent),
        w.written(found.get("trades", found.get("trips")), w.count),
    )


def _controls_note(summary: Summary) -> str:
    """Return where the run stands among its twins, and what funding nobody was charged."""
    random, funding = (summary["edge"]["controls"][key] for key in ("random", "funding"))
    missing = summary["edge"]["controls"]["missing"]
    sentences = [missing or "All pay the run's costs and funding."]
    if random["percentile"] is not None:
        sentences.append(
            "The twins are the run's own round trips, those still open among them, at random times; "
            "the row is the median of them. "
            f"The run beats {w.percent(random['percentile'])} of them."
        )
    if funding["unknown"]:
        sentences.append(
            f"The rates of {w.count(funding['unknown'])} settlements up to "
            f"{w.short_time(funding['until'])} are not known and charged nothing, to any row."
        )
    return " ".join(sentences)


def _measured(edge: dict[str, Any]) -> tuple[str, str]:
    span = _span(edge["edge_low_bps"], edge["edge_high_bps"], w.bps)
    return w.written(edge["edge_bps"], w.bps), span


def _tone(edge: dict[str, Any]) -> Tone:
    """Return whether the edge is surely above its cost, surely below, or neither."""
    low, cost = edge["edge_low_bps"], edge["cost_bps"]
    if low is None or cost is None:
        return ""
    if edge["warning"]:
        return "bad"
    return "good" if low > cost else "doubt"
