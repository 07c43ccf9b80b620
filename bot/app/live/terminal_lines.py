"""What `bot run` shows to a person at a terminal: a line a bar, fills and events as lines of their own.

Rules: times are UTC; a line fits the terminal's width, and what matters least is left out first;
colours are rich's choice (none where NO_COLOR is set). The log's file has every event whole. Must
not change anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bot.app.runs.durations import duration
from bot.app.runs.sentences import NO_NEWS, LogEvent, sentence, short_id, signed, told_plainly
from bot.timegrid import DAY_MS
from bot.timestamps import format_utc

TOLD_ELSEWHERE = {"liquidation", "settlement"}
"""Reasons of fills that have an event of their own."""

QUOTES = ("USDT", "USDC", "USD", "PERP", "EUR", "BTC")
LATE_MS = 5_000.0
"""A decision that came so long after its candle is told to be late, in wall milliseconds."""

CHANGES = range(2, 1_000)
"""Ranks of the pieces that tell what changes, the largest first."""

_MODEL, _NEAREST, _WHY = 1_003, 1_002, 1_001
_STYLES = {"debug": "dim", "info": "", "warning": "yellow", "error": "bold red"}
_DOT = Text(" · ", "dim")


@dataclass(frozen=True)
class _Piece:
    """A part of a bar's line; those of the highest `rank` are left out first."""

    text: Text
    rank: int


class TerminalLines:
    """Make lines of events.

    Args:
        width: columns, asked for each line; None: those of the console.
        started_ms: when a model began to decide, None where nothing is known of it.
        own_time: whether the exchange keeps a time of its own, so that this machine's says nothing.
    """

    def __init__(
        self, console: Console, symbols: Sequence[str], interval_ms: int, capital: float,
        started_ms: Callable[[str], int | None] = lambda _: None, *, own_time: bool = False,
    ) -> None:  # fmt: skip
        self._console, self._interval_ms, self._capital = console, interval_ms, capital
        self._names = short_names(symbols)
        self._started, self._own_time = started_ms, own_time
        self._since: dict[str, int | None] = {}
        self._decisions: list[LogEvent] = []
        self._held: dict[str, float] = {}
        self._day: str | None = None

    def __call__(self, event: LogEvent) -> str:
        """Return the lines of an event, coloured as the terminal can; empty for none."""
        try:
            lines = self._lines(event)
        except Exception:  # noqa: BLE001 (what is shown to a person never ends a run; the file has it)
            lines = [Text(f"{' ' * self._time_width()}   {told_plainly(event)}", "dim")]
        with self._console.capture() as shown:
            for line in lines:
                self._console.print(line, soft_wrap=True, highlight=False)
        return shown.get()

    def _lines(self, event: LogEvent) -> list[Text]:
        name = event["event"]
        if name == "decision":
            self._decisions.append(event)
        if name == "bar_closed":
            line = self._bar(event, self._decisions)
            self._decisions = []
            return [*self._new_day(event["bar"]), line]
        if name == "fill" and event["reason"] in TOLD_ELSEWHERE:
            self._held.pop(str(event["symbol"]), None)
        if name == "model_activated":
            self._since[str(event["model_id"])] = int(event["effective_from"])
        if name in NO_NEWS or (name == "fill" and event["reason"] in TOLD_ELSEWHERE):
            return []
        return [*self._new_day(event.get("bar")), self._event(event)]

    def _event(self, event: LogEvent) -> Text:
        """Return an event's line: folded under itself where the terminal is narrow."""
        style = _STYLES.get(str(event.get("level")), "")
        mark = {"warning": "! ", "error": "✗ "}.get(str(event.get("level")), "  ")
        if event["event"] == "fill":
            bought = event["quantity"] > 0.0
            style, mark = ("green", "▲ ") if bought else ("magenta", "▼ ")
            event = {**event, "symbol": self._name(event)}
        time = Text(f"{self._time(event):<{self._time_width()}} ", "dim")
        said = Text(sentence(event), style)
        lead = cell_len(time.plain) + len(mark)
        folded = said.wrap(self._console, max(self._console.width - lead, 20))
        return Text.assemble(time, (mark, style), Text(f"\n{' ' * lead}").join(folded))

    def _name(self, event: LogEvent) -> str:
        """Return a symbol's short name, also of one that joined after the start."""
        return self._names.get(event["symbol"], str(event["symbol"]))

    def _time(self, event: LogEvent) -> str:
        bar = event.get("bar")
        if bar is not None:
            return self._bar_time(int(bar))
        return "" if self._own_time else str(event.get("timestamp", ""))[11:16]

    def _bar_time(self, bar: int) -> str:
        return format_utc(bar)[:10] if self._interval_ms >= DAY_MS else format_utc(bar)[11:16]

    def _time_width(self) -> int:
        return 10 if self._interval_ms >= DAY_MS else 5

    def _new_day(self, bar: int | None) -> list[Text]:
        """Return the line of a new day, whose bars have only the time before them."""
        if bar is None or self._interval_ms >= DAY_MS or format_utc(bar)[:10] == self._day:
            return []
        self._day = format_utc(bar)[:10]
        weekday = str(np.datetime64(self._day).astype(object).strftime("%a"))
        rule = "─" * max(0, min(self._console.width, 60) - len(self._day) - 13)
        return [Text(f"── {weekday} {self._day} UTC {rule}", "dim")]

    def _bar(self, closed: LogEvent, decisions: Sequence[LogEvent]) -> Text:
        equity = float(closed["equity"])
        gain = equity / self._capital - 1.0
        pieces = [
            *self._account(decisions, equity),
            _Piece(
                Text.assemble(
                    "equity ", (f"{equity:,.0f}", "bold"),
                    (f" ({signed(gain * 100, '+.2f')} %)", "green" if gain >= 0.0 else "red"),
                ), 1,
            ),
            *self._odd(closed),
            *self._model(closed),
        ]  # fmt: skip
        time = Text(f"{self._bar_time(int(closed['bar'])):<{self._time_width()}} ", "bold")
        return fitted(time, pieces, self._console.width)

    def _account(self, decisions: Sequence[LogEvent], equity: float) -> list[_Piece]:
        """Return what is held and what changes; of one symbol its state, of many the totals."""
        self._held |= {str(e["symbol"]): _weight(e, equity) for e in decisions}
        if len(self._held) == 1:
            return [piece for e in decisions for piece in self._one(e, equity)]
        ordered = [e for e in decisions if e["order"]]
        ordered.sort(key=lambda e: -abs(e["order"] * e["close"]))
        pieces = [_Piece(self._change(e, equity), 2 + k) for k, e in enumerate(ordered)]
        pieces.append(_Piece(totals(list(self._held.values())), 1))
        whys = {str(e["why"]) for e in decisions}
        if not ordered and len(whys) == 1 and (why := whys.pop()):
            return [*pieces, _Piece(Text(why, "dim"), _NEAREST)]
        nearest = max(decisions, key=_nearness, default=None)
        if not ordered and nearest is not None and _nearness(nearest) > 0.0:
            near = Text(f"nearest {self._name(nearest)} {edge_of(nearest)}", "dim")
            pieces.append(_Piece(near, _NEAREST))
        return pieces

    def _one(self, e: LogEvent, equity: float) -> list[_Piece]:
        state = Text.assemble((self._name(e), "bold"), " ", held(_weight(e, equity)))
        if e["order"]:
            state.append_text(Text.assemble(" → ", held(e["target"])))
        why = edge_of(e) or str(e["why"])
        return [_Piece(state, 0), *([_Piece(Text(why), _WHY)] if why else [])]

    def _change(self, e: LogEvent, equity: float) -> Text:
        change = Text(" → ").join([held(_weight(e, equity)), held(e["target"])])
        why = edge_of(e) or str(e["why"])
        name = (self._name(e), "bold")
        return Text.assemble(name, " ", change, (f" ({why})" if why else "", "dim"))

    def _odd(self, closed: LogEvent) -> list[_Piece]:
        told = []
        if not closed["tradable"]:
            told.append("late, nothing decided")
        if closed["missing"]:
            told.append(f"{closed['missing']} without a candle")
        if (closed["lag_ms"] or 0.0) >= LATE_MS:
            told.append(f"decided after {duration(closed['lag_ms'])}")
        return [_Piece(Text(each, "yellow"), 0) for each in told]

    def _model(self, closed: LogEvent) -> list[_Piece]:
        model = closed["model_id"]
        if not model:
            return [_Piece(Text("no model", "dim"), _MODEL)]
        if model not in self._since:
            self._since[model] = self._started(model)
        since = self._since[model]
        age = "" if since is None else f" {_age(int(closed['bar']) - since)}"
        return [_Piece(Text(f"model {short_id(model)}{age}", "dim"), _MODEL)]


def fitted(lead: Text, pieces: Sequence[_Piece], width: int) -> Text:
    """Return the pieces as one line of at most `width`, the least important left out.

    Of the changes, which stand first, it is told how many were left out.
    """
    kept, hidden = list(pieces), 0
    while True:
        shown = list(kept)
        if hidden:
            after = sum(piece.rank in CHANGES for piece in kept)
            shown.insert(after, _Piece(Text(f"+{hidden} more", "dim"), 0))
        line = Text.assemble(lead, _DOT.join(piece.text for piece in shown))
        droppable = [piece for piece in kept if piece.rank > 0]
        if cell_len(line.plain) <= width or len(kept) == 1 or not droppable:
            break
        least = max(droppable, key=lambda piece: piece.rank)
        hidden += least.rank in CHANGES
        kept.remove(least)
    line.truncate(width, overflow="ellipsis")
    return line


def short_names(symbols: Sequence[str]) -> Mapping[str, str]:
    """Return the symbols without the quote currency that all of them end in.

    >>> dict(short_names(["SYN0USDT", "SYN1USDT"])), dict(short_names(["AAPL", "BTCUSD"]))
    ({'SYN0USDT': 'SYN0', 'SYN1USDT': 'SYN1'}, {'AAPL': 'AAPL', 'BTCUSD': 'BTCUSD'})
    """
    for quote in QUOTES:
        if all(symbol.endswith(quote) and symbol != quote for symbol in symbols):
            return {symbol: symbol.removesuffix(quote) for symbol in symbols}
    return {symbol: symbol for symbol in symbols}


def held(weight: float | None) -> Text:
    """Return a weight as a side: 'long 0.20', 'short −0.20', 'flat'."""
    if weight is None:
        return Text("–")
    if abs(weight) < 0.005:
        return Text("flat", "dim")
    side, style = ("long", "green") if weight > 0.0 else ("short", "magenta")
    return Text(f"{side} {signed(weight)}", style)


def totals(weights: Sequence[float]) -> Text:
    """Return what is held in all: how many on each side, and how much of equity.

    >>> totals([0.2, 0.1, -0.2, 0.0]).plain
    '2 long 0.30, 1 short −0.20'
    """
    sides = [
        (f"{len(side)} {name} {signed(sum(side))}", style)
        for name, style, side in (
            ("long", "green", [w for w in weights if w >= 0.005]),
            ("short", "magenta", [w for w in weights if w <= -0.005]),
        )
        if side
    ]
    return Text(", ").join(Text(*side) for side in sides) if sides else Text("flat", "dim")


def edge_of(e: LogEvent) -> str:
    """Return an edge beside what it had to exceed; the signal where no edge was asked for.

    >>> edge_of({"edge": -0.0018, "hurdle": 0.0015, "signal": -0.003})
    'edge 18 bp > 15'
    >>> edge_of({"edge": None, "hurdle": None, "signal": 0.00023})
    'signal +2.3 bp'
    """
    edge, hurdle = e["edge"], e["hurdle"]
    if edge is not None and hurdle is not None:
        sign = ">" if abs(edge) > hurdle else "<"
        return f"edge {_bp(abs(edge))} bp {sign} {_bp(hurdle)}"
    return "" if e["signal"] is None else f"signal {signed(e['signal'] * 1e4, '+.1f')} bp"


def _bp(value: float) -> str:
    return f"{value * 1e4:.0f}" if value >= 0.001 else f"{value * 1e4:.1f}"


def _nearness(e: LogEvent) -> float:
    """Return how near a decision came to a trade: its edge as a share of the hurdle."""
    if e["edge"] is None or not e["hurdle"]:
        return 0.0
    return float(abs(e["edge"]) / e["hurdle"])


def _weight(e: LogEvent, equity: float) -> float:
    return float(e["position"] * e["close"] / equity) if equity > 0.0 else 0.0


def _age(ms: int) -> str:
    """Return an age in its largest unit, as in '2 d'."""
    return " ".join(duration(ms).split()[:2]) if ms > 0 else "new"
