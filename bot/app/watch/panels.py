"""What each panel of `bot watch` shows, as rich text. Owns looks only: every number is the look's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from bot.app.runs.durations import duration
from bot.app.runs.sentences import model_aged, percent, sentence, signed
from bot.app.runs.status import Holding, PendingOrder, Status
from bot.app.runs.status_view import coins_told
from bot.app.watch.reading import FillLine, Look
from bot.report.formats import price, quantity
from bot.report.spark import area
from bot.timegrid import DAY_MS, INTERVAL_MS
from bot.timestamps import format_utc
from bot.wording import counted

SHOWN_DAYS = (1, 7, 30, 365)
"""Spans that the curve of equity may show; the whole run where it is shorter."""
ROOMY = 100
"""Columns from which on a table of positions has all that it has to say."""

BAR = "━"
UP, DOWN = "rgb(46,139,87)", "rgb(170,60,60)"
"""Of an area, which is large: quieter than green and red."""

_MARKS = {"warning": ("!", "yellow"), "error": ("✗", "bold red")}


def head(look: Look) -> Text:
    """Return the line at the top: which run, whether it lives, where its last bar is."""
    status, beat = look.status, look.status.heartbeat
    line = Text.assemble((status.name, "bold"), f"  {status.mode}, {status.interval}  ")
    age = status.heartbeat_age_ms
    if status.mode != "live":
        line.append("a backtest, which is over", "dim")
    elif status.pid is None:
        when = f", last alive {duration(age)} ago" if age is not None else ""
        line.append(f"● not running{when}", "yellow")
    elif age is not None and beat is not None and age >= beat.allowed_silence_ms:
        line.append(f"● no sign of life for {duration(age)}", "red")
    else:
        said = "" if beat is None else f", {beat.connection}"
        line.append(f"● running{said}", "green" if "dis" not in said else "yellow")
    if status.last_bar is not None:
        state = "open" if status.opened else "closed"
        line.append(f"  bar {format_utc(status.last_bar)} UTC {state}")
    if status.clock == "practice":
        line.append("  practice time", "dim")
    return line


def equity(look: Look, width: int, height: int, days: int | None) -> Text:
    """Return equity as a curve over the newest days, with what it came to."""
    status = look.status
    if not len(look.equity):
        return Text("no bar is closed yet", "dim")
    first = 0 if days is None else int(np.searchsorted(look.times, look.times[-1] - days * DAY_MS))
    shown = look.equity[first:]
    before = look.equity[first - 1] if first else look.capital
    gain = shown[-1] / before - 1.0
    style, filled = ("green", UP) if gain >= 0.0 else ("red", DOWN)
    span = "since the start" if days is None else f"in {days} d"
    line = Text.assemble(
        (f"{status.equity:,.2f}", "bold"), "  ",
        (f"{percent(gain)} {span}", style),
        ("" if days is None else f"   {percent(status.total_return)} in all", "dim"),
        (f"   drawdown {status.drawdown * 100:.2f} %", "dim"),
    )  # fmt: skip
    for row in area(shown.tolist(), width, max(height - 2, 1)):
        line.append(f"\n{row}", filled)
    low, high = f"{shown.min():,.0f}", f"{shown.max():,.0f}"
    line.append(
        f"\n{format_utc(int(look.times[first]))[:10]}   lowest {low}, highest {high}", "dim"
    )
    return line


def positions(look: Look, width: int) -> Table | Text:
    """Return what is held, with margin and where it is liquidated, and what is filled next.

    Marks, entries and margins are left out where there is no room for them.
    """
    status = look.status
    if not status.positions and not status.pending:
        return Text("nothing is held, nothing waits", "dim")
    names = ("symbol", "held", "weight", "mark", "entry", "margin", "liquidated at", "next open")
    waiting = {order.symbol: order for order in status.pending}
    rows = [
        (held.symbol, *_held(held), *_margin(held), _next(waiting.pop(held.symbol, None)))
        for held in status.positions
    ]
    for symbol, order in waiting.items():
        mark = _short(order.provisional_price)
        rows.append((symbol, Text("flat", "dim"), "", mark, "", "", "", _next(order)))
    shown = range(len(names)) if width >= ROOMY else (0, 1, 2, 6, 7)
    table = _table(*(names[k] for k in shown))
    for row in rows:
        table.add_row(*(row[k] for k in shown))
    return table


def edges(look: Look, width: int) -> Table | Text:
    """Return each symbol's edge against what it had to exceed, as a bar; or the signal and why."""
    decided = look.status.decided
    if not decided:
        return Text("nothing is decided yet", "dim")
    room = max(min(width - 52, 24), 6)
    table = _table("symbol", "", "edge", "cost", "signal", "why")
    for symbol, each in decided.items():
        signal = "–" if each.signal is None else f"{signed(each.signal * 1e4, '+.1f')}"
        if each.edge is None or not each.hurdle:
            table.add_row(symbol, "", "–", "–", signal, Text(each.why, "dim"))
            continue
        share = abs(each.edge) / each.hurdle
        drawn = Text(
            BAR * max(round(min(share, 1.0) * room), 1), "green" if share > 1.0 else "yellow"
        )
        drawn.append(BAR * (room - len(drawn.plain)), "bright_black")
        edge = signed(each.edge * 1e4, "+.1f")
        table.add_row(
            symbol, drawn, edge, f"{each.hurdle * 1e4:.1f}", signal, Text(_side(each.why), "dim")
        )
    return table


def fills(look: Look) -> Table | Text:
    """Return the newest fills."""
    if not look.fills:
        return Text("no fill yet", "dim")
    table = _table("bar", "symbol", "", "price", "costs", "reason")
    for fill in look.fills:
        table.add_row(_moment(fill.time_ms), fill.symbol, _bought(fill), _short(fill.price),
                      signed(fill.costs, ",.2f"), Text(fill.reason.replace("_", " "), "dim"))  # fmt: skip
    return table


def events(look: Look) -> Table | Text:
    """Return the newest events, in words."""
    if not look.events:
        return Text("no event yet", "dim")
    grid = Table.grid(padding=(0, 1, 0, 0))
    for event in look.events:
        mark, style = _MARKS.get(event["level"], (" ", ""))
        bar = event.get("bar")
        at = _moment(int(bar)) if bar is not None else event["timestamp"][5:16].replace("T", " ")
        grid.add_row(Text(at, "dim"), Text(mark, style), Text(sentence(event), style))
    return grid


def state(look: Look) -> Table:
    """Return feed, model, risk and hand: what a person looks at when something is odd."""
    status, beat = look.status, look.status.heartbeat
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("feed", _feed(status))
    table.add_row("model", _model(status))
    if beat is not None and status.pid is not None:
        due = "never" if beat.next_training_ms is None else format_utc(beat.next_training_ms)
        table.add_row("training", f"{beat.training_for_people}; next {due}")
    table.add_row("risk", _risk(status))
    if status.margin is not None and status.margin.positions:
        style = "red" if status.margin.is_called else ""
        table.add_row("margin", Text(f"{status.margin.mode}, {status.margin.used:.1%} used", style))
    if status.coins:  # the cash is not all there is
        table.add_row("cash", f"{status.cash:,.2f}")
        for each in status.coins:
            table.add_row("coins", coins_told(each))
    table.add_row("by hand", _hand(status))
    costs = f"fees {status.fees:,.2f}, funding {signed(status.funding, ',.2f')}"
    table.add_row(
        "so far", f"{counted(status.bars, 'bar')}, {counted(status.fills, 'fill')}, {costs}"
    )
    return table


def _feed(status: Status) -> Text:
    beat = status.heartbeat
    if status.pid is None or beat is None:
        return Text("–", "dim")
    lag = "" if beat.lag_ms is None else f", decided {duration(beat.lag_ms)} after the candle"
    behind = ""
    if status.behind_ms is not None and status.behind_ms > 2 * INTERVAL_MS[status.interval]:
        behind = f", {duration(status.behind_ms)} behind"
    style = "" if beat.connection == "connected" and not behind else "yellow"
    return Text(f"{beat.connection}{lag}{behind}", style)


def _model(status: Status) -> Text:
    model = status.model
    if model is None:
        return Text("none yet: nothing is decided", "yellow")
    late = ", later than planned" if model.late else ""
    return Text(f"{model_aged(model.model_id, model.age_ms)}{late}")


def _risk(status: Status) -> Text:
    told = [f"halted: {status.halted}"] if status.halted != "none" else []
    if status.risk.stage != "none":
        told.append(f"drawdown stage: {status.risk.stage}")
    told += [
        f"{symbol} {why}"
        for symbol, why in status.refusals.items()
        if why not in ("", "edge_below_cost")
    ]
    style = "red" if status.halted != "none" else "yellow"
    return (
        Text(", ".join(told).replace("_", " "), style) if told else Text("nothing says no", "dim")
    )


def _hand(status: Status) -> Text:
    told = [status.paused] if status.paused != "no" else []
    told += [f"{status.asked} asked and not taken"] if status.asked else []
    told += ["STOP_TRADING is there"] if status.stop_file else []
    return Text(", ".join(told), "red") if told else Text("nothing", "dim")


def _table(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    left = {"symbol", "why", "reason", "bar", "held", "next open", ""}
    for name in names:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    return table


def _held(held: Holding) -> Sequence[Text | str]:
    side, style = ("long", "green") if held.quantity > 0.0 else ("short", "magenta")
    return (
        Text(f"{side} {quantity(abs(held.quantity))}", style),
        f"{signed(held.weight * 100, '+.1f')} %",
        _short(held.mark),
    )


def _margin(held: Holding) -> Sequence[Text | str]:
    margin = held.margin
    if margin is None:
        return "–", "–", "–"
    if margin.liquidation_price is None or margin.distance is None:
        return _short(margin.entry), f"{margin.initial:,.0f}", Text("no price", "dim")
    style = "red" if abs(margin.distance) < 0.1 else ""
    away = f"{price(float(f'{margin.liquidation_price:.6g}'))} ({abs(margin.distance):.1%} away)"
    return _short(margin.entry), f"{margin.initial:,.0f}", Text(away, style)


def _next(order: PendingOrder | None) -> Text:
    if order is None:
        return Text("")
    side, style = ("buy", "green") if order.quantity > 0.0 else ("sell", "magenta")
    said = Text(f"{side} {quantity(abs(order.quantity))}", style)
    return said.append(f" {order.reason.replace('_', ' ')}", "dim")


def _bought(fill: FillLine) -> Text:
    if fill.quantity > 0.0:
        return Text(f"▲ {quantity(fill.quantity)}", "green")
    return Text(f"▼ {quantity(-fill.quantity)}", "magenta")


def _side(why: str) -> str:
    """Return of a reason what the numbers beside it do not say."""
    return why.partition(", ")[2]


def _short(value: float) -> str:
    """Return a price in as many digits as a ticket has."""
    return price(float(f"{value:.7g}"))


def _moment(time_ms: int) -> str:
    return format_utc(time_ms)[5:]
