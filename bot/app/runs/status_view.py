"""A run's status as tables for a terminal. Owns looks only."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bot.app.runs.durations import duration
from bot.app.runs.status import Calibration, Status
from bot.timestamps import format_utc


def status_tables(status: Status) -> Group:
    """Return all that a person asks of a run."""
    facts = Table(
        title=Text(f"{status.name} ({status.mode}, {status.interval})", style="bold"),
        title_justify="left",
        show_header=False,
    )
    for name, value in _facts(status):
        facts.add_row(name, value)
    return Group(facts, *_positions(status), *_pending(status))


def _facts(status: Status) -> list[tuple[str, Text]]:
    rows = [
        ("process", _process(status)),
        ("last bar", Text(_last_bar(status))),
        ("bars, fills", Text(f"{status.bars:,}, {status.fills:,}")),
        ("equity", Text(f"{status.equity:,.2f}  ({status.total_return:+.2%})")),
        ("cash", Text(f"{status.cash:,.2f}")),
        ("drawdown", Text(f"{status.drawdown:.2%}")),
        ("fees, funding paid", Text(f"{status.fees:,.2f}, {status.funding:,.2f}")),
        ("model", Text(_model(status))),
        ("refusals", Text(", ".join(f"{s}: {r}" for s, r in status.refusals.items()) or "none")),
    ]
    rows += [(f"why {symbol}", Text(reason)) for symbol, reason in status.why.items()]
    if status.calibration is not None:
        rows.append(("calibration", Text(_calibration(status.calibration))))
    if status.halted != "none":
        rows.insert(1, ("halted", Text(status.halted, style="red")))
    beat = status.heartbeat
    if beat is not None and status.pid is not None:
        due = "never" if beat.next_training_ms is None else format_utc(beat.next_training_ms)
        rows += [
            ("connection", Text(beat.connection)),
            ("decision's lag", Text("–" if beat.lag_ms is None else duration(beat.lag_ms))),
            ("training", Text(f"{beat.training}; next {due}")),
        ]
        if beat.waiting and status.pid is not None:
            rows.append(("waits", Text(beat.waiting, style="yellow")))
        if beat.implausible:
            rows.append(("refused as untrue", Text(f"{beat.implausible:,}", style="yellow")))
    return rows


def _process(status: Status) -> Text:
    if status.mode != "live":
        return Text("none: a backtest")
    age, beat = status.heartbeat_age_ms, status.heartbeat
    said = "no heartbeat yet" if age is None else f"last heartbeat {duration(age)} ago"
    if status.pid is None:
        if beat is not None and age is not None:
            said = f"last alive {format_utc(beat.time_ms)} UTC, {duration(age)} ago"
        return Text(f"not running, {said}", style="yellow")
    version = f", version {status.heartbeat.version}" if status.heartbeat else ""
    return Text(f"running, pid {status.pid}{version}, {said}", style="green")


def _last_bar(status: Status) -> str:
    if status.last_bar is None:
        return "none yet"
    state = "open, not closed" if status.opened else "closed"
    ended = status.behind_ms
    when = ""
    if ended is not None:
        end = f"ended {duration(ended)} before" if ended >= 0 else f"ends {duration(-ended)} after"
        when = f", {end} the heartbeat" if ended >= 0 or status.opened else ""
    return f"{format_utc(status.last_bar)} UTC, {state}{when}"


def _model(status: Status) -> str:
    model = status.model
    if model is None:
        return "none yet: nothing is decided"
    late = ", late" if model.late else ""
    return f"{model.model_id} since {format_utc(model.effective_from)}{late} ({duration(model.age_ms)})"


def _calibration(known: Calibration) -> str:
    if not known.is_over:
        return f"calibrating: {known.days} of {known.days_needed} days"
    return f"{known.slope:.2f} ± {known.slope_error:.2f} over {known.days:,} days"


def _positions(status: Status) -> list[Table]:
    table = _listing("positions", ("symbol", "quantity", "mark", "value", "weight"))
    for held in status.positions:
        table.add_row(
            held.symbol, f"{held.quantity:,g}", f"{held.mark:,g}", f"{held.value:,.2f}",
            f"{held.weight:.1%}",
        )  # fmt: skip
    return [table] if status.positions else []


def _pending(status: Status) -> list[Table]:
    columns = ("symbol", "quantity", "provisional price", "provisional value", "reason")
    table = _listing("orders that wait for the next open", columns)
    for order in status.pending:
        table.add_row(
            order.symbol, f"{order.quantity:+,g}", f"{order.provisional_price:,g}",
            f"{order.provisional_value:+,.2f}", order.reason,
        )  # fmt: skip
    return [table] if status.pending else []


def _listing(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in {"symbol", "reason"} else "right")
    return table
