"""An event of the log as a sentence: for the terminal, the dashboard and messages.

Rules: it says what the event says, in words, and nothing else; an event that lacks a field, as one
of an older log may, is told by its name and what it has. Must not decide who is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.app.runs.durations import SECOND_MS, duration
from bot.report.formats import amount, price, quantity
from bot.timestamps import format_utc
from bot.wording import counted

LogEvent = Mapping[str, Any]

MINUS = "\N{MINUS SIGN}"
ID_LETTERS = 4
"""Of a model's id, in a line: enough to tell two from each other."""

NO_NEWS = frozenset(
    {"decision", "bar_closed", "bar_opened", "heartbeat", "feed", "epoch", "loop_state"}
)
"""Events of every bar or minute, which nobody is told of one by one."""

_OWN = {"timestamp", "level", "event", "schema", "time_ms"}


def sentence(event: LogEvent) -> str:
    """Return what an event says, in words.

    >>> sentence({"event": "training_failed", "due": 0, "failures": 2, "reason": "out of memory"})
    'training of 1970-01-01 00:00 failed (2 in a row): out of memory; it is tried again'
    """
    name = str(event.get("event"))
    told = SENTENCES.get(name)
    try:
        if told is not None:
            return told(event)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        pass
    return told_plainly(event)


def told_plainly(event: LogEvent) -> str:
    """Return an event's name and what it has."""
    fields = " ".join(f"{key}={value}" for key, value in event.items() if key not in _OWN)
    return f"{str(event.get('event')).replace('_', ' ')} {fields}".rstrip()


def signed(value: float, form: str = ".2f") -> str:
    """Return a number with a minus that is as wide as a digit.

    >>> signed(-0.2), signed(1234.5, ",.0f")
    ('−0.20', '1,234')
    """
    return f"{value:{form}}".replace("-", MINUS)


def percent(share: float) -> str:
    """Return a share of 1 with its sign, in percent.

    >>> percent(-0.0025)
    '−0.25 %'
    """
    return f"{signed(share * 100, '+.2f')} %"


def short_id(model_id: Any) -> str:
    """Return the beginning of a model's id; a dash where there is none."""
    return str(model_id)[:ID_LETTERS] if model_id else "–"


def holds(weights: Iterable[tuple[str, float]]) -> str:
    """Return what is held, by symbol, as shares of equity.

    >>> holds([("SYN0", 0.2), ("SYN1", -0.1)]), holds([])
    ('SYN0 +20.0 %, SYN1 −10.0 %', 'nothing')
    """
    told = [f"{symbol} {signed(weight * 100, '+.1f')} %" for symbol, weight in weights]
    return ", ".join(told) or "nothing"


def model_aged(model_id: Any, age_ms: int | None) -> str:
    """Return a model and how long it has decided.

    >>> model_aged("5c5c1d2e", 7_200_000), model_aged("5c5c1d2e", 0)
    ('5c5c, 2 h', '5c5c, new')
    """
    return f"{short_id(model_id)}, {duration(age_ms) if age_ms else 'new'}"


def _at(ms: Any) -> str:
    return "never" if ms is None else format_utc(int(ms))


def _bars(number: Any) -> str:
    return counted(number, "bar")


def _span(e: LogEvent) -> str:
    """Return bars with their times.

    >>> _span({"bars": 1, "first": 0, "last": 0}), _span({"bars": 2, "first": 0, "last": 3_600_000})
    ('1 bar, 1970-01-01 00:00', '2 bars from 1970-01-01 00:00 to 1970-01-01 01:00')
    """
    first, last = _at(e["first"]), _at(e["last"])
    return f"{_bars(e['bars'])}{f', {first}' if first == last else f' from {first} to {last}'}"


def _symbols(number: Any) -> str:
    return counted(number, "symbol")


def _after(seconds: Any) -> str:
    return f"; again in {duration(float(seconds) * SECOND_MS)}" if seconds else ""


def _fill(e: LogEvent) -> str:
    side = "bought" if e["quantity"] > 0.0 else "sold"
    size, costs = abs(e["quantity"]), e["fee"] + e["spread"] + e["slippage"]
    what = f"{side} {quantity(size)} {e['symbol']} at {price(e['price'])}"
    return f"{what} · {str(e['reason']).replace('_', ' ')} · {amount(size * e['price'])}, costs {signed(costs)}"


def _command(e: LogEvent) -> str:
    settings = ", ".join(f"{key} = {value}" for key, value in e["settings"].items())
    if e["kind"] == "instruments":
        return f"the exchange says otherwise of {', '.join(e['settings'])}; it holds from here on"
    return f"{e['kind']}{' ' if settings else ''}{settings}, asked by {e['asked_by']}"


def _risk(e: LogEvent) -> str:
    halts = {
        "day": "the day's loss is reached: nothing is held until the next UTC day",
        "drawdown": "the drawdown limit is reached: nothing is held until 'bot resume'",
        "bankrupt": "the account is bankrupt",
    }
    stages = {"halved": "drawdown: sizes are halved", "flattened": "drawdown: all is closed"}
    halt, stage = str(e["halt"] or "none"), str(e["stage"] or "none")
    told = [halts[halt]] if halt in halts else []
    told += [stages[stage]] if stage in stages else []
    told += [f"cooling down for {_bars(e['cooling_bars'])}"] if e["cooling_bars"] else []
    return f"{'; '.join(told) or 'trading as usual again'} · equity {amount(e['equity'])}"


def _leaving(e: LogEvent) -> str:
    ends = f", it ends {_at(e['delivery_ms'])}" if e["delivery_ms"] else ""
    return f"{e['symbol']} is leaving ({e['status']}{ends}): nothing is opened in it"


def _liquidation(e: LogEvent) -> str:
    side = "long" if e["quantity"] < 0.0 else "short"
    what = f"the {side} of {quantity(abs(e['quantity']))} {e['symbol']}"
    return f"LIQUIDATED: {what} at {price(e['price'])}"


def _margin_call(e: LogEvent) -> str:
    where = "" if e["liquidation_price"] is None else f" at {price(e['liquidation_price'])}"
    return (
        f"margin is nearly used up ({e['used']:.0%}); nearest to liquidation: {e['symbol']}{where}"
    )


def _rehearsed(e: LogEvent) -> str:
    return f"rehearsal done: {counted(e['models'], 'model')}, {e['days']} of {e['days_needed']} days scored"


def _trained(e: LogEvent) -> str:
    took = duration(float(e["seconds"]) * SECOND_MS)
    return f"model {short_id(e['model_id'])} trained on {counted(e['rows'], 'row')} in {took}"


def _implausible(e: LogEvent) -> str:
    return f"refused a {e['what']} of {e['symbol']}: {e['value']} after {e['last']} cannot be true"


def _universe(e: LogEvent) -> str:
    parts = [f"{len(e[way])} {way} ({', '.join(e[way])})" for way in ("joined", "left") if e[way]]
    return f"universe of {e['members']}: {', '.join(parts)}"


def _variances(e: LogEvent) -> str:
    told = ", ".join(f"{symbol} {counted(n, 'bar')}" for symbol, n in e["unknown"].items())
    return f"no shorter candles that fit, of {_span(e)}: {told}; their ranges stand in"


def _clock(e: LogEvent) -> str:
    by = duration(abs(e["by_ms"]))
    way = "ahead" if e["by_ms"] >= 0 else "back"
    return f"the exchange's time jumped {way} by {by}: {'believed' if e['believed'] else 'not believed'}"


SENTENCES: Mapping[str, Callable[[LogEvent], str]] = {
    "run_started": lambda e: f"run begun: {_symbols(e['symbols'])}, {e['interval']}, in {e['run_dir']}",
    "run_resumed": lambda e: f"run continued behind the bar {_at(e['last_bar'])}, in {e['run_dir']}",
    "run_stopped": lambda e: f"run stopped after {_bars(e['bars'])}: {e['reason']}",
    "run_finished": lambda e: f"done: {_bars(e['bars'])}, equity {amount(e['equity'])}",
    "run_interrupted": lambda e: f"interrupted after {_bars(e['bars'])}",
    "build_changed": lambda e: f"another build made the run so far; this one goes on ({e['build']})",
    "part_compiled": lambda e: f"compiled {e['part']} in {e['seconds']:.1f} s",
    "file_put_in_order": lambda e: f"{e['path']}: {e['what']}",
    "variance_unknown": _variances,
    "history_loaded": lambda e: f"history read: {_span(e)}",
    "universe_changed": _universe,
    "universe": lambda e: f"universe: {e['rule']}; of {_symbols(e['candidates'])} {len(e['members'])} were members",
    "history_wanted": lambda e: f"asks for {_bars(e['bars'])} of history: {e['reason']}",
    "backfilled": lambda e: f"history fetched: {_span(e)}",
    "gap_filled": lambda e: f"missed and fetched: {_span(e)}; nothing was decided on {'it' if e['bars'] == 1 else 'them'}",
    "rehearsal_started": lambda e: f"rehearsing on {_span(e)}",
    "rehearsal_model": lambda e: f"rehearsal: model {short_id(e['model_id'])}, {e['number']} of {e['of']}",
    "rehearsal_done": _rehearsed,
    "no_model": lambda e: f"no model yet; a training is due {_at(e['next_due'])}",
    "training_started": lambda e: f"training of {_at(e['due'])} begun",
    "training_submitted": lambda e: f"training of {_at(e['due'])} waits for a worker ({counted(e['rows'], 'row')})",
    "training_skipped": lambda e: f"training of {_at(e['due'])} skipped: {e['reason']}",
    "training_failed": lambda e: f"training of {_at(e['due'])} failed ({e['failures']} in a row): {e['reason']}; it is tried again",
    "heads_untrained": lambda e: f"model {short_id(e['model_id'])} does without {', '.join(e['heads'])}: no labels",
    "model_trained": _trained,
    "model_activated": lambda e: f"model {short_id(e['model_id'])} decides from {_at(e['effective_from'])} on",
    "connected": lambda e: f"connected: {_symbols(e['symbols'])} (connection {e['session']})",
    "disconnected": lambda e: f"disconnected ({_symbols(e['symbols'])}): {e['reason']}",
    "bad_frame": lambda e: f"the exchange sent what cannot be read, {e['count']} so far: {str(e['sample'])[:60]}",
    "exchange_unreachable": lambda e: f"exchange out of reach: {e['reason']}{_after(e['retry_s'])}",
    "implausible": _implausible,
    "clock_jump": _clock,
    "symbol_unlisted": lambda e: f"{e['symbol']} is not listed: {e['reason']}",
    "symbol_leaving": _leaving,
    "symbol_stays": lambda e: f"{e['symbol']} stays: it is traded again",
    "symbol_settled": lambda e: f"{e['symbol']} has ended: {quantity(e['quantity'])} settled at {price(e['price'])}",
    "fill": _fill,
    "funding": lambda e: f"funding {'paid' if e['paid'] > 0.0 else 'received'}: {amount(abs(e['paid']))}",
    "liquidation": _liquidation,
    "margin_call": _margin_call,
    "risk": _risk,
    "cooling": lambda e: f"{e['symbol']} cools down for {_bars(e['bars'])}" if e["bars"] else f"{e['symbol']} may be opened again",
    "command_taken": lambda e: f"taken: {_command(e)}",
    "command_refused": lambda e: f"refused: {_command(e)}: {e['reason']}",
    "error": lambda e: f"{e['kind']}: {e['message']}",
}  # fmt: skip
"""By event. Those that are no news (heartbeats, epochs, decisions) have none."""
