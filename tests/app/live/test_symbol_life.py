"""A symbol whose end is announced: left in time, settled at its end, and silent after it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.journal.forms import open_journal
from bot.app.runs.status import read_status
from bot.app.verify.proof import verify
from bot.errors import ExchangeError
from bot.portfolio.hand import Command
from bot.portfolio.limits import DELIVERY_FEE
from bot.portfolio.reasons import FillReason, Refusal
from bot.timegrid import HOUR_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.rehearsal import Rehearsal, Script

ENDING = "SYN2USDT"
QUIET = ("synthetic.missing=0",)


def begin_of(rehearsal: Rehearsal) -> int:
    """Return the open time of the first bar that is traded."""
    return rehearsal.begin_ms // HOUR_MS * HOUR_MS


def announced(rehearsal: Rehearsal, after: float, end: int, **more: Any) -> Script:
    """Announce, so many hours after the begin, that the last symbol is delisted after `end` bars."""

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        del stop
        await exchange.clock.sleep_until(begin_of(rehearsal) + int(after * HOUR_MS))
        delist_ms = begin_of(rehearsal) + end * HOUR_MS
        exchange.switch.change({"delisted": 1, "delist_ms": delist_ms, **more})

    return script


class Lived:
    """What a run's record has of a symbol."""

    def __init__(self, rehearsal: Rehearsal, symbol: str = ENDING) -> None:
        with open_journal(rehearsal.folder.journal) as record:
            self.s = record.symbols.index(symbol)
            self.times, _ = record.ledger()
            bars = record.bars(int(self.times[0]) - 1, int(self.times[-1]))
            self.bars, fills = bars, record.fills()
            self.held = record.positions(self.times)[:, self.s]
            self.refusals = record.decisions(self.times)[1][:, self.s]
            self.commands = record.commands()
        self.fills = fills[fills["symbol"] == self.s]
        self.leaving = bars.leaving[:, self.s]
        self.settled = bars.settlement_price[:, self.s]
        self.begin = int(self.times[0])

    def bar(self, fill: Any) -> int:
        return (int(fill["open_time"]) - self.begin) // HOUR_MS


def test_an_end_announced_during_the_run_is_left_in_time(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET, "risk.leaving_hours=6")
    rehearsal.run(30, script=announced(rehearsal, 5.5, 20))
    lived = Lived(rehearsal)
    assert np.flatnonzero(lived.leaving).tolist() == list(range(13, 30)), (
        "closes at 14 h, and later"
    )
    assert lived.held[:14].any()
    assert not lived.held[14:].any(), "flattened at the next open"
    assert {lived.bar(fill) for fill in lived.fills} <= set(range(15))
    assert lived.refusals[13] == Refusal.LEAVING
    others = np.delete(lived.bars.leaving, lived.s, axis=1)
    assert not others.any()
    told = rehearsal.events("symbol_leaving")
    assert [(each["symbol"], each["status"]) for each in told] == [
        (ENDING, "Trading"), (ENDING, "Closed"),
    ]  # fmt: skip
    assert {each["delivery_ms"] for each in told} == {lived.begin + 20 * HOUR_MS}
    assert [row.kind for row in lived.commands] == [Command.INSTRUMENTS] * 2, "announced; closed"
    assert verify(rehearsal.folder).identical


def test_after_its_end_it_is_silent_and_costs_the_others_nothing(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET)
    rehearsal.run(20, script=announced(rehearsal, 1.5, 10))
    lived = Lived(rehearsal)
    assert lived.bars.valid[:10].all()
    assert not lived.bars.valid[10:, lived.s].any()
    assert np.delete(lived.bars.valid, lived.s, axis=1).all()
    assert lived.bars.tradable.all()
    assert not rehearsal.events("symbol_unlisted", "exchange_unreachable")
    lags = [event["lag_ms"] for event in rehearsal.events("bar_closed")]
    assert max(lags[10:]) <= max(lags[:10]), "no deadline passes for its sake"
    assert rehearsal.events("feed") == [], "it is asked for no candle"


@pytest.mark.parametrize("told", [True, False])
def test_what_is_held_is_settled_at_the_price_that_is_told_or_the_last_mark(
    tmp_path: Path, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not told:

        async def nothing(exchange: DirectExchange, symbol: str) -> None:
            raise ExchangeError(f"{symbol}: no answer")

        monkeypatch.setattr(DirectExchange, "delivery", nothing)
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET, "risk.on_leaving=hold")
    rehearsal.run(16, script=announced(rehearsal, 1.5, 10))
    lived = Lived(rehearsal)
    (fill,) = lived.fills[lived.fills["reason"] == FillReason.SETTLEMENT]
    due = 9 if told else 10
    assert lived.bar(fill) == due, "in the bar that ends with it, or once an hour was waited"
    last = lived.bars.rows(9, 10)
    path = [float(getattr(last, name)[0, lived.s]) for name in ("open", "high", "low", "close")]
    expected = sum(path) / 4.0 if told else path[3]
    assert fill["price"] == pytest.approx(expected, rel=1e-3 if not told else 1e-12)
    assert np.flatnonzero(np.isfinite(lived.settled)).tolist() == [due]
    assert fill["fee"] == pytest.approx(abs(fill["quantity"]) * fill["price"] * DELIVERY_FEE)
    assert lived.held[due - 1] == -fill["quantity"] != 0.0
    assert not lived.held[due:].any()
    assert [event["price"] for event in rehearsal.events("symbol_settled")] == [fill["price"]]
    assert verify(rehearsal.folder).identical


def test_an_end_while_the_daemon_is_down_is_settled_where_it_was(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET, "risk.on_leaving=hold")
    script = announced(rehearsal, 1.5, 10)
    rehearsal.run(6, script=script)
    rehearsal.run(4, begin_ms=rehearsal.begin_ms + 20 * HOUR_MS, script=script)
    lived = Lived(rehearsal)
    (fill,) = lived.fills[lived.fills["reason"] == FillReason.SETTLEMENT]
    assert lived.bar(fill) == 9
    assert not lived.held[9:].any()
    assert lived.leaving[6:].all()
    assert not lived.bars.valid[10:, lived.s].any()
    assert verify(rehearsal.folder).identical


def test_hours_of_zero_trade_on_to_the_end(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET, "risk.leaving_hours=0")
    rehearsal.run(14, script=announced(rehearsal, 1.5, 10))
    lived = Lived(rehearsal)
    assert np.flatnonzero(lived.leaving).tolist() == [9, 10, 11, 12, 13]
    assert np.count_nonzero(lived.fills["reason"] == FillReason.SETTLEMENT) == 1
    assert lived.held[1:9].all()


def test_a_status_is_believed_once_it_is_said_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET)
    answers: list[str] = []
    listed = DirectExchange.listed

    async def odd(self: DirectExchange, symbols: Any, *, tiers: bool = True) -> Any:
        found = await listed(self, symbols, tiers=tiers)
        hour = (self.now_ms() - begin_of(rehearsal)) / HOUR_MS
        status = "Settling" if 3.0 < hour < 3.75 or 7.0 < hour < 9.5 else "Trading"
        answers.append(status)
        return found | {ENDING: replace(found[ENDING], status=status)}

    monkeypatch.setattr(DirectExchange, "listed", odd)
    rehearsal.run(14)
    lived = Lived(rehearsal)
    left = np.flatnonzero(lived.leaving).tolist()
    assert left
    assert min(left) >= 7, "said once at 3 h, and ten minutes later not any more"
    assert max(left) <= 10
    assert len(rehearsal.events("symbol_stays")) == 1
    assert answers.count("Settling") >= 3
    assert lived.held[11:].all(), "traded again"
    assert verify(rehearsal.folder).identical


def test_a_failed_answer_changes_nothing_and_is_told_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: DirectExchange, symbols: Any, *, tiers: bool = True) -> Any:
        if tiers:  # at the start
            return await listed(self, symbols)
        raise ExchangeError("HTTP 503")

    listed = DirectExchange.listed
    monkeypatch.setattr(DirectExchange, "listed", refuse)
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET)
    rehearsal.run(8, script=announced(rehearsal, 1.5, 10))
    lived = Lived(rehearsal)
    assert not lived.leaving.any()
    assert lived.commands == []
    told = rehearsal.events("exchange_unreachable")
    assert 1 <= len(told) <= 3
    assert "instruments: HTTP 503" in told[0]["reason"]


def test_a_symbol_whose_candles_come_is_not_believed_to_be_unlisted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(self: DirectExchange, symbols: Any, *, tiers: bool = True) -> Any:
        return await listed(self, symbols) if tiers else {}

    listed = DirectExchange.listed
    monkeypatch.setattr(DirectExchange, "listed", nothing)
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET)
    rehearsal.run(8)
    assert not Lived(rehearsal).leaving.any()


def test_the_status_says_who_leaves(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET)
    rehearsal.run(5, script=announced(rehearsal, 1.5, 10))
    beat = read_status(rehearsal.folder).heartbeat
    assert beat is not None
    assert beat.leaving is not None
    assert list(beat.leaving) == [ENDING]
    assert beat.leaving[ENDING].startswith("ends 20")


def test_halts_and_gaps_of_the_exchange_are_lived_through(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run", *QUIET)
    begin = begin_of(rehearsal)

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        del stop
        exchange.switch.change(
            {
                "halted": 1, "halt_ms": begin + 4 * HOUR_MS, "halt_until_ms": begin + 7 * HOUR_MS,
                "gapped": 1, "gap_ms": begin + 7 * HOUR_MS, "gap": 0.5,
            }
        )  # fmt: skip

    rehearsal.run(12, script=script)
    lived = Lived(rehearsal)
    assert np.flatnonzero(~lived.bars.valid[:, lived.s]).tolist() == [4, 5, 6]
    assert lived.bars.valid[:, :2].all()
    before, after = lived.bars.close[3, lived.s], lived.bars.open[7, lived.s]
    assert after / before == pytest.approx(0.5, rel=0.1)
    assert not np.isfinite(lived.settled).any(), "a halt is no end"
    assert verify(rehearsal.folder).identical
