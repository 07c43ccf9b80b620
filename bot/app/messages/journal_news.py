"""Fills, models and commands that a run's record has and nobody was told of.

Rule: the cursor says how many of each were seen; the record only grows, so nothing is told twice by
a cursor and nothing left out, whatever is killed when. A record that ends before the cursor is another
one, in the same folder: it is told from its end on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.adapters.record.reading import Record
from bot.adapters.record.tables import EARLIEST
from bot.app.messages.message import Message, message_id
from bot.app.runs.in_force import told
from bot.app.runs.sentences import sentence, short_id
from bot.portfolio.hand import Command
from bot.portfolio.reasons import FILL_REASON
from bot.timestamps import format_utc

ENDS = {"liquidation": "liquidation", "settlement": "symbol"}
"""The kind of the message of a fill that nobody ordered, by its reason; others are of kind `fill`."""


@dataclass(frozen=True)
class JournalCursor:
    """How far a record was read.

    Attributes:
        fill_time, fills: the newest bar whose fills were told, and how many of them.
        models, commands: how many rows.
    """

    fill_time: int = EARLIEST
    fills: int = 0
    models: int = 0
    commands: int = 0


def end_of(record: Record) -> JournalCursor:
    """Return the cursor behind all that there is."""
    return JournalCursor(*_end_of_fills(record), len(record.models()), len(record.commands()))


def _end_of_fills(record: Record) -> tuple[int, int]:
    last = record.span("fills").last
    return (EARLIEST, 0) if last is None else (last, len(record.fills(last - 1, last)))


def journal_news(run: str, record: Record, cursor: JournalCursor) -> tuple[list[Message], JournalCursor]:  # fmt: skip
    """Return what is new behind the cursor, and the cursor behind it."""
    fills, time, seen = _fills(run, record, cursor)
    models, commands = record.models(), record.commands()
    news = [
        *(Message(message_id(run, "model", row.model_id, row.effective_from), run, "model",
                  row.effective_from, _model(row.model_id, row.effective_from, late=row.late))
          for row in models[cursor.models:]),
        *(Message(message_id(run, "command", row.id), run, "command", row.open_time,
                  f"refused: {row.kind}: {row.refused}" if row.refused else f"by hand: {told(row)}")
          for row in commands[cursor.commands:] if row.kind != Command.INSTRUMENTS),
        *fills,
    ]  # fmt: skip
    return news, JournalCursor(time, seen, len(models), len(commands))


def _fills(run: str, record: Record, cursor: JournalCursor) -> tuple[list[Message], int, int]:
    """Return the fills behind the cursor, and the bar and number of the last."""
    after = cursor.fill_time - 1 if cursor.fills else cursor.fill_time
    found = record.fills(max(after, EARLIEST))
    if cursor.fills and not len(found):  # of a run that was begun anew, or of a copy of before
        return [], *_end_of_fills(record)
    news, time, seen = [], cursor.fill_time, cursor.fills
    numbers = _numbered(found["open_time"].tolist())
    for fill, (open_time, number) in zip(found, numbers, strict=True):
        if open_time == cursor.fill_time and number < cursor.fills:
            continue
        time, seen = open_time, number + 1
        reason = FILL_REASON[int(fill["reason"])]
        kind = ENDS.get(reason, "fill")
        event = {
            "event": "liquidation" if kind == "liquidation" else "fill", "reason": reason,
            "symbol": record.symbols[int(fill["symbol"])],
            **{k: float(fill[k]) for k in ("quantity", "price", "fee", "spread", "slippage")},
        }  # fmt: skip
        news.append(
            Message(message_id(run, "fill", open_time, number), run, kind, open_time, sentence(event))
        )  # fmt: skip
    return news, time, seen


def _numbered(times: list[int]) -> Iterator[tuple[int, int]]:
    """Yield each bar with the number of its fill in it."""
    before, number = None, 0
    for time in times:
        number = number + 1 if time == before else 0
        before = time
        yield time, number


def _model(model_id: str, since: int, *, late: bool) -> str:
    behind = ", later than planned" if late else ""
    return f"model {short_id(model_id)} decides from {format_utc(since)} UTC on{behind}"
