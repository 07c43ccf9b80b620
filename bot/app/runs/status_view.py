"""A run's status as tables for a terminal. Owns looks only."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bot.adapters.files.commands import STOP_FILE
from bot.app.runs.durations import duration
from bot.app.runs.in_force import told
from bot.app.runs.last_decision import Calibration
from bot.app.runs.status import Holding, Status
from bot.portfolio.coins import CoinBalance
from bot.report.formats import price, quantity
from bot.report.why import Decided
from bot.timestamps import format_utc
from bot.wording import counted


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
        *_clock(status),
        *_rehearsal(status),
        ("last bar", Text(_last_bar(status))),
        ("bars, fills", Text(f"{status.bars:,}, {status.fills:,}")),
        ("equity", Text(f"{status.equity:,.2f}  ({status.total_return:+.2%})")),
        ("cash", Text(f"{status.cash:,.2f}")),
        *_coins(status),
        ("drawdown", Text(f"{status.drawdown:.2%}")),
        *_margin(status),
        ("fees, funding paid", Text(f"{status.fees:,.2f}, {status.funding:,.2f}")),
        ("model", Text(_model(status))),
        ("refusals", Text(", ".join(f"{s}: {r}" for s, r in status.refusals.items()) or "none")),
    ]
    rows += [(f"why {symbol}", Text(_why(decided))) for symbol, decided in status.decided.items()]
    if status.calibration is not None:
        rows.append(("calibration", Text(_calibration(status.calibration))))
    if status.coverage:
        shares = ", ".join(f"{task} {share:.1%}" for task, share in status.coverage.items())
        rows.append(("90 % intervals held", Text(shares)))
    rows += _by_hand(status)
    if status.paused != "no":
        rows.insert(
            1, ("paused", Text(f"{status.paused} by hand; 'bot resume' lifts it", style="red"))
        )
    rows[1:1] = [(name, Text(said, style="red")) for name, said in _risk(status)]
    beat = status.heartbeat
    if beat is not None and status.pid is not None:
        due = "never" if beat.next_training_ms is None else format_utc(beat.next_training_ms)
        rows += [
            ("connection", Text(beat.connection)),
            ("decision's lag", Text("–" if beat.lag_ms is None else duration(beat.lag_ms))),
            ("training", Text(f"{beat.training_for_people}; next {due}")),
        ]
        if beat.waiting and status.pid is not None:
            rows.append(("waits", Text(beat.waiting, style="yellow")))
        if beat.members is not None:
            rows.append(("universe", Text(f"{len(beat.members)}: {', '.join(beat.members)}")))
        for symbol, why in (beat.leaving or {}).items():
            rows.append(("leaving", Text(f"{symbol}: {why}", style="yellow")))
        if beat.implausible:
            rows.append(("refused as untrue", Text(f"{beat.implausible:,}", style="yellow")))
    return rows


def _coins(status: Status) -> list[tuple[str, Text]]:
    """Return what is held in coin, where there are inverse contracts."""
    return [(f"coins {each.symbol}", Text(coins_told(each))) for each in status.coins]


def coins_told(each: CoinBalance) -> str:
    """Return a balance in coin, what the open position has made of it, and the value of both."""
    made = f", {quantity(each.made)} open" if each.made else ""
    return f"{each.coin} {quantity(each.balance)}{made}: {each.value:+,.2f}"


def _margin(status: Status) -> list[tuple[str, Text]]:
    """Return how much of the margin is used, where contracts are held on it."""
    margin = status.margin
    if margin is None:
        return []
    said = (
        f"{margin.used:.1%} used ({margin.mode}): {margin.maintenance:,.2f} must be left, "
        f"{margin.initial:,.2f} is set aside"
    )
    return [("margin", Text(said, style="red" if margin.is_called else ""))]


def _risk(status: Status) -> list[tuple[str, str]]:
    """Return what keeps the account from trading as it would."""
    risk = status.risk
    cooling = {"all": risk.cooling_bars} if risk.cooling_bars else risk.cooling
    said = ", ".join(f"{name}: {counted(n, 'more bar')}" for name, n in cooling.items())
    rows = (("halted", status.halted), ("drawdown stage", risk.stage), ("cools down", said))
    return [(name, told) for name, told in rows if told not in ("none", "")]


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


def _clock(status: Status) -> list[tuple[str, Text]]:
    """Return whose time bars are in, where it is not everybody's."""
    if status.clock != "practice":
        return []
    said = f"practice time, {status.clock_speed:,g} s of it a second of ours"
    if (beat := status.heartbeat) is not None:
        said += f"; it was {format_utc(beat.exchange_ms)} at the last heartbeat"
    return [("clock", Text(said))]


def _by_hand(status: Status) -> list[tuple[str, Text]]:
    """Return what a person has asked, and what waits to be taken."""
    rows = []
    for row in status.commands:
        said = f"{told(row)}, asked by {row.asked_by}"
        if row.refused is not None:
            said = f"the last, {row.kind}, was refused: {row.refused}"
        rows.append(("by hand", Text(said)))
    if status.asked:
        rows.append(("asked, not taken", Text(f"{status.asked}", style="yellow")))
    if status.stop_file:
        rows.append(("kill switch", Text(f"{STOP_FILE} is there", style="red")))
    return rows


def _rehearsal(status: Status) -> list[tuple[str, Text]]:
    beat = status.heartbeat
    if beat is None or beat.rehearsal is None:
        return []
    at = beat.rehearsal
    of = f"{at.models} of {at.models_planned} models made"
    doing = "training the model due" if at.stage == "training" else "scoring signals at"
    said = f"{doing} {format_utc(at.bar)} UTC, bar {at.number:,} of {at.of:,}; {of}"
    if status.pid is None:
        said = f"broken off ({said}); the next start rehearses again, with these models"
    return [("rehearsal", Text(said, style="yellow"))]


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
    late = ", later than planned" if model.late else ""
    since = format_utc(model.effective_from)
    return f"{model.model_id} since {since} UTC, for {duration(model.age_ms)}{late}"


def _calibration(known: Calibration) -> str:
    if not known.is_over:
        return f"calibrating: {known.days} of {known.days_needed} days"
    return f"{known.slope:.2f} ± {known.slope_error:.2f} over {counted(known.days, 'day')}"


def _why(decided: Decided) -> str:
    """Return the reason; behind it the signal that the bar had, which the edge is made of."""
    signal = "no signal" if decided.signal is None else f"signal {decided.signal * 1e4:+.1f} bp"
    return f"{decided.why} ({signal})" if decided.why else signal


def _positions(status: Status) -> list[Table]:
    columns = ("symbol", "quantity", "mark", "value", "weight", "entry", "liquidated at")
    table = _listing("positions", columns)
    for held in status.positions:
        table.add_row(
            held.symbol, quantity(held.quantity), price(held.mark), f"{held.value:,.2f}",
            f"{held.weight:.1%}", *_margin_of(held),
        )  # fmt: skip
    return [table] if status.positions else []


def _margin_of(held: Holding) -> tuple[str, str]:
    margin = held.margin
    if margin is None:
        return "–", "–"
    if margin.liquidation_price is None or margin.distance is None:
        return price(margin.entry), "no price"
    return price(margin.entry), f"{price(margin.liquidation_price)} ({margin.distance:.1%} away)"


def _pending(status: Status) -> list[Table]:
    columns = ("symbol", "quantity", "provisional price", "provisional value", "reason")
    table = _listing("orders that wait for the next open", columns)
    for order in status.pending:
        sign = "+" if order.quantity > 0.0 else ""
        table.add_row(
            order.symbol, sign + quantity(order.quantity), price(order.provisional_price),
            f"{order.provisional_value:+,.2f}", order.reason,
        )  # fmt: skip
    return [table] if status.pending else []


def _listing(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in {"symbol", "reason"} else "right")
    return table
