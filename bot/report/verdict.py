"""What came of a run, in ten lines that a person reads before any table.

Rules: every figure stands with what it is held against and its interval, and is the one that the tables
have; what follows from them is said in `what_follows.py`. Must not compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.report import formats as w
from bot.report.page.sheet import Tone
from bot.report.skill.verdicts import NONE_SHOWN, SHOWN, UNKNOWN, WORSE
from bot.report.summary import Summary
from bot.report.tear.sheet import TearSheet
from bot.report.what_follows import SURE, what_follows
from bot.wording import counted


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """A line: what it is about, what it says, and whether that is good."""

    about: str
    says: str
    tone: Tone = ""


def verdict(
    summary: Summary, sheet: TearSheet, where: str | Path | None = None
) -> list[VerdictLine]:
    """Return the lines, the most important first: what puts all others in doubt, if there is any.

    Args:
        where: how a command names the run; by default its name, as for one in `runs/`.
    """
    covered = _covered(summary)
    lines = [
        _earned(summary, sheet),
        _against(summary),
        _edge(summary),
        _drawdown(summary, sheet),
        _sharpe(summary),
        _traded(summary),
        _paid(summary),
        _heads(summary),
    ]
    lines.insert(len(lines) if covered.about == "Covered" else 0, covered)
    return [*lines, VerdictLine("So", what_follows(summary, sheet, where or summary["name"]))]


def headline(summary: Summary) -> str:
    """Return which run it is, in a line."""
    facts = summary["facts"]
    symbols = facts["symbols"]
    named = ", ".join(symbols) if len(symbols) <= 3 else f"{len(symbols)} symbols"
    return f"{summary['name']}: {named}, {facts['interval']}, {facts['from'][:10]} to {facts['to'][:10]}"


def _signed(value: float) -> str:
    """Return a fraction as percent with its sign.

    >>> _signed(-0.0123), _signed(12.5)
    ('−1.2 %', '+1,250 %')
    """
    text = f"{abs(100 * value):,.0f} %" if abs(value) >= 1.0 else f"{abs(100 * value):.1f} %"
    return text if text.strip("0. %") == "" else ("−" if value < 0.0 else "+") + text


def _chance(probability: float) -> str:
    """Return a probability as percent; none is a certainty.

    >>> _chance(0.9985), _chance(0.39), _chance(0.001)
    ('over 99 %', '39 %', 'under 1 %')
    """
    percent = round(100 * probability)
    return "over 99 %" if percent >= 100 else "under 1 %" if percent <= 0 else f"{percent} %"


def _earned(summary: Summary, sheet: TearSheet) -> VerdictLine:
    facts, total = summary["facts"], summary["metrics"]["total_return"]
    net = summary["costs"]["net"]
    days = len(sheet.daily)
    said = (
        f"{w.written(total, _signed)} net of all costs in {counted(days, 'day')} "
        f"({net:+,.0f} on {facts['initial_capital']:,.0f})"
    )
    tone: Tone = "good" if net > 0.0 else "bad"
    found = sheet.return_interval
    if found is None or found.low is None or found.high is None:
        return VerdictLine("Earned", f"{said}; too few days for an interval", tone)
    said += f"; 95 % interval {_signed(found.low)} to {_signed(found.high)}"
    if found.low <= 0.0 <= found.high:
        return VerdictLine("Earned", f"{said}: not told from nothing", "doubt")
    return VerdictLine("Earned", said, tone)


def _against(summary: Summary) -> VerdictLine:
    controls, mine = summary["edge"]["controls"], summary["metrics"]["total_return"]
    held = summary["buy_and_hold"]["total_return"]
    parts = [f"buy and hold {w.written(held, _signed)}"]
    momentum = controls["momentum"]["total_return"]
    if momentum is not None:
        parts.append(f"30-day momentum {_signed(momentum)}")
    random = controls["random"]
    if random.get("percentile") is not None:
        parts.append(
            f"its own trips at random times {_signed(random['total_return'])} "
            f"(better than {100 * random['percentile']:.0f} % of {random['draws']:,})"
        )
    others = [x for x in (0.0, held, momentum) if x is not None]
    best = mine is not None and all(mine > float(x) for x in others)
    return VerdictLine("Against", ", ".join(parts), "good" if best else "bad")


def _edge(summary: Summary) -> VerdictLine:
    edge = summary["edge"]
    value, low, high, cost = (
        edge[k] for k in ("edge_bps", "edge_low_bps", "edge_high_bps", "cost_bps")
    )
    if value is None or cost is None:
        return VerdictLine("Edge", "nothing was traded that could be measured")
    said = f"a side traded earned {value:.1f} bp before costs"
    if low is not None and high is not None:
        said += f" (95 %: {low:.1f} to {high:.1f})"
    said += f" and cost {cost:.1f} bp"
    if edge["warning"]:
        return VerdictLine("Edge", f"{said}: surely below its cost", "bad")
    if low is not None and low > cost:
        return VerdictLine("Edge", f"{said}: surely above its cost", "good")
    return VerdictLine(
        "Edge", f"{said}: {'above' if value > cost else 'below'}, not surely", "doubt"
    )


def _drawdown(summary: Summary, sheet: TearSheet) -> VerdictLine:
    worst, held = summary["metrics"]["max_drawdown"], summary["buy_and_hold"]["max_drawdown"]
    said = f"{w.written(worst, w.percent)} at worst"
    if sheet.falls:
        fall = sheet.falls[0]
        peak, valley = (w.iso_time(each)[:10] for each in (fall.peak_ms, fall.valley_ms))
        said += f", from {peak} to {valley}, "
        said += (
            "not made good"
            if fall.made_good_ms is None
            else f"made good in {counted(round(fall.days), 'day')}"
        )
    said += f"; buy and hold {w.written(held, w.percent)}"
    return VerdictLine("Drawdown", said)


def _sharpe(summary: Summary) -> VerdictLine:
    metrics, tried = summary["metrics"], summary["trials"]
    ratio, error = metrics["sharpe_ratio"], metrics["sharpe_error"]
    if ratio is None:
        return VerdictLine("Sharpe", "none: the returns do not vary, or the account was lost")
    said = f"{ratio:.2f}" + ("" if error is None else f" ± {error:.2f} a year")
    sure = metrics["probabilistic_sharpe"]
    if sure is not None:
        said += f"; above 0 with {_chance(sure)}"
    deflated = metrics["deflated_sharpe"]
    if tried is not None:
        count = tried["count"]
        if deflated is not None:
            said += f", above the luckiest of {counted(count, 'trial')} with {_chance(deflated)}"
            sure = deflated
        elif count < 2:
            said += "; the only trial on its data"
    tone: Tone = "" if sure is None else "good" if sure >= SURE else "doubt"
    return VerdictLine("Sharpe", said, tone)


def _traded(summary: Summary) -> VerdictLine:
    metrics, edge = summary["metrics"], summary["edge"]
    if not metrics["trades"] and not metrics["fills"]:
        return VerdictLine("Traded", "never: " + _why_not(summary), "doubt")
    parts = [
        counted(int(metrics["trades"] or 0), "round trip"),
        f"{w.written(metrics['win_rate_by_trade'], lambda v: f'{100 * v:.0f} %')} won",
        f"held {w.written(metrics['mean_bars_held'], lambda v: f'{v:.1f}')} bars on the mean "
        f"(forecast {edge['horizon_bars']})",
        f"turnover {w.written(metrics['turnover_annual'], lambda v: f'{v:,.0f}')} times equity a year",
    ]
    return VerdictLine("Traded", ", ".join(parts))


def _why_not(summary: Summary) -> str:
    refusals: dict[str, int] = summary["facts"]["refusals"]
    if not refusals:
        return "no signal asked for a position"
    name, count = max(refusals.items(), key=lambda item: item[1])
    return f"most often refused for {name.replace('_', ' ')} ({counted(count, 'time')})"


def _paid(summary: Summary) -> VerdictLine:
    costs = summary["costs"]
    paid = costs["gross"] - costs["net"]
    parts = ", ".join(
        f"{name} {costs[name]:,.0f}" for name in ("fees", "spread", "slippage", "funding")
    )
    tone: Tone = "bad" if costs["gross"] > 0.0 > costs["net"] else ""
    return VerdictLine("Paid", f"{paid:,.0f} of a gross {costs['gross']:+,.0f}: {parts}", tone)


def _heads(summary: Summary) -> VerdictLine:
    """Say which heads beat the strongest baseline."""
    by: dict[str, list[str]] = {SHOWN: [], NONE_SHOWN: [], WORSE: [], UNKNOWN: []}
    for task, head in summary["skill"].items():
        by[head["against"]["strongest"]["verdict"]].append(task)
    if not summary["skill"]:
        return VerdictLine("Forecasts", "none to judge")
    parts = [f"{said}: {', '.join(tasks)}" for said, tasks in by.items() if tasks]
    tone: Tone = "good" if not by[NONE_SHOWN] and not by[WORSE] and by[SHOWN] else "doubt"
    return VerdictLine("Forecasts", "; ".join(parts), tone)


def _covered(summary: Summary) -> VerdictLine:
    """Say what the run covers, or what is wrong with it."""
    warnings = [summary["bankruptcy"], *summary["jumps_held"], *summary["coverage"]["warnings"]]
    warnings = [line for line in warnings if line]
    if warnings:
        more = f" (and {len(warnings) - 1} more: --full)" if len(warnings) > 1 else ""
        return VerdictLine(
            "Beware", warnings[0] + more, "bad" if summary["bankruptcy"] else "doubt"
        )
    whole = summary["coverage"]["all"]
    parts = [f"{w.written(whole['bars'], w.percent)} of the bars were there"]
    if whole["forecasts"] is not None:
        parts.append(f"{w.percent(whole['forecasts'])} had a forecast")
    models = summary["facts"]["models"]
    if models:
        parts.append(counted(models, "model"))
    return VerdictLine("Covered", ", ".join(parts))
