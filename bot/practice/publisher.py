"""What the stream tells of each topic, at each tick of a bar.

Rules: at a bar's boundary the closed candles are confirmed first, then the new bar's first quotes
are sent. Who subscribes to a ticker or a book gets all of it, then what changed since. What a
client misses by an outage or a fault is not sent again: REST has it.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from bot.blocks import BarBlock
from bot.practice.clock import Clock
from bot.practice.connection import Connection, Topic
from bot.practice.faults import FaultSwitch
from bot.practice.market import Moment, PracticeMarket
from bot.practice.wire import (
    WireCandle,
    book_size,
    closed_candle,
    forming_candle,
    period_of,
    plain,
    stream_ticker,
)


class Publisher:
    """Build the frames of a market and hand them to connections."""

    def __init__(self, market: PracticeMarket, clock: Clock, switch: FaultSwitch) -> None:
        self._market = market
        self._clock = clock
        self._switch = switch
        self._period = period_of(market.interval_ms)
        self._sequence = itertools.count(1)
        self._owed: list[tuple[int, int, int]] = []  # (time in ms, bar, symbol) of late confirms

    def push(self, connections: Collection[Connection], tick_ms: int) -> bool:
        """Tell everything of a tick; return whether the source has ended and all is sent."""
        market = self._market
        bar, into = divmod(tick_ms - market.source.start_ms, market.interval_ms)
        left_ms = math.inf if market.end_ms is None else market.end_ms - tick_ms
        if into == 0 and bar > 0 and left_ms >= 0:
            self._close_bar(connections, bar - 1, tick_ms)
        self._pay_owed(connections, tick_ms)
        if left_ms <= 0:
            return not self._owed
        moment = market.at(tick_ms)
        for connection in connections:
            for topic in connection.topics.values():
                self.update(connection, topic, moment)
        return False

    def update(self, connection: Connection, topic: Topic, moment: Moment) -> None:
        """Tell one connection what is new of a topic."""
        if self._muted(topic.symbol):
            return
        if topic.kind == "kline":
            candle = forming_candle(moment, topic.symbol, connection.category)
            if candle is not None:
                connection.push(self._kline(topic.text, candle, confirm=False))
        elif topic.kind == "orderbook":
            self._update_book(connection, topic, moment)
        else:
            self._update_ticker(connection, topic, moment)

    def _close_bar(self, connections: Collection[Connection], bar: int, tick_ms: int) -> None:
        """Confirm a bar of every symbol, as far as no fault comes between."""
        block = self._market.block(bar, 1)
        for s in block.valid[0].nonzero()[0].tolist():
            if self._switch.strikes_now("lost_confirm", bar, s):
                continue
            if self._switch.strikes_now("late_confirm", bar, s):
                self._owed.append((tick_ms + self._switch.faults.late_ms, bar, s))
            elif self._switch.strikes_now("revision", bar, s):
                self._confirm(connections, block, s, revised=False)
                self._owed.append((tick_ms + 1, bar, s))
            else:
                self._confirm(connections, block, s)

    def _pay_owed(self, connections: Collection[Connection], tick_ms: int) -> None:
        ripe = [owed for owed in self._owed if owed[0] <= tick_ms]
        self._owed = [owed for owed in self._owed if owed[0] > tick_ms]
        for _, bar, s in ripe:
            self._confirm(connections, self._market.block(bar, 1), s)

    def _confirm(
        self, connections: Collection[Connection], block: BarBlock, s: int, *, revised: bool = True
    ) -> None:
        """Send a closed candle, or before its revision one with the wrong close and volume."""
        text = f"kline.{self._period}.{self._market.symbols[s]}"
        for connection in connections:
            candle = closed_candle(block, 0, s, connection.category)
            if candle is None or text not in connection.topics or self._muted(s):
                continue
            if not revised:
                candle = replace(candle, close=candle.open, volume=plain(block.volume[0, s] / 2.0))
            connection.push(self._kline(text, candle, confirm=True))

    def _update_ticker(self, connection: Connection, topic: Topic, moment: Moment) -> None:
        fields = stream_ticker(self._market, moment, topic.symbol, connection.category)
        if fields is None:
            return
        sent = connection.sent.get(topic.text)
        connection.sent[topic.text] = fields
        frame: dict[str, Any] = {"topic": topic.text, "cs": next(self._sequence)}
        if sent is None or connection.category == "spot":  # spot sends snapshots only
            connection.push(self._frame({**frame, "type": "snapshot", "data": fields}))
            return
        changed = {name: text for name, text in fields.items() if sent[name] != text}
        if changed:
            data = {"symbol": fields["symbol"], **changed}
            connection.push(self._frame({**frame, "type": "delta", "data": data}))

    def _update_book(self, connection: Connection, topic: Topic, moment: Moment) -> None:
        bid, ask = moment.bid[topic.symbol], moment.ask[topic.symbol]
        if math.isnan(bid):  # no price of late
            return
        now = {"b": plain(bid), "a": plain(ask)}
        size = book_size(self._market, moment, topic.symbol)
        sent = connection.sent.get(topic.text)
        connection.sent[topic.text] = now
        data: dict[str, Any] = {"s": self._market.symbols[topic.symbol]}
        fresh = sent is None or sent == now
        for side, price in now.items():
            new = [[price, size]]
            if sent is not None and not fresh:
                new = [[sent[side], "0"], *new] if sent[side] != price else []
            data[side] = new
        data |= {"u": 1 if sent is None else next(self._sequence), "seq": next(self._sequence)}
        kind = "snapshot" if fresh else "delta"
        now_ms = self._reported_ms()
        connection.push(
            self._frame({"topic": topic.text, "type": kind, "data": data, "cts": now_ms})
        )

    def _muted(self, symbol: int) -> bool:
        faults, last = self._switch.faults, len(self._market.symbols) - symbol
        for name, struck in (("mute", faults.mute), ("silent", last <= faults.silent)):
            if struck:
                self._switch.strikes[name] += 1
                return True
        return last <= faults.unlisted

    def _kline(self, text: str, candle: WireCandle, *, confirm: bool) -> str:
        fields = {
            "start": candle.start,
            "end": candle.start + self._market.interval_ms - 1,
            "interval": self._period,
            "open": candle.open,
            "close": candle.close,
            "high": candle.high,
            "low": candle.low,
            "volume": candle.volume,
            "turnover": candle.turnover,
            "confirm": confirm,
            "timestamp": self._reported_ms(),
        }
        return self._frame({"topic": text, "type": "snapshot", "data": [fields]})

    def _frame(self, frame: dict[str, Any]) -> str:
        return json.dumps({**frame, "ts": self._reported_ms()})

    def _reported_ms(self) -> int:
        return self._clock.now_ms() + self._switch.faults.clock_skew_ms
