"""Whatever comes from an exchange ends as a refusal that is an error of ours, and harms nothing after it.

Quick by default; the long run is `scripts/test --all`, or `pytest -m long tests/hostile`.
"""

from __future__ import annotations

import json
import random
import resource
from collections import Counter
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.response import HTTPResponse

from bot.adapters.bybit.asking import open_session
from bot.adapters.bybit.frames import Answer, FrameReader, Reading, quote_of
from bot.adapters.bybit.links import plan_links
from bot.adapters.bybit.retry import Backoff, Limiter
from bot.adapters.bybit.subscriptions import Subscriptions
from bot.adapters.bybit.tickers import LiveRest
from bot.adapters.exchange import Candle, Klines, Quote
from bot.adapters.files.candles import Candles
from bot.app.live.bar_assembly import BarAssembler, CandleSpan
from bot.errors import BotError, DataError, ExchangeError
from tests.hostile.answers import (
    HOUR_MS,
    NOW_MS,
    SYMBOL,
    Response,
    bomb,
    envelope,
    hostile_frame,
    hostile_response,
    sound,
    sound_frame,
    text_of,
)

HOST = "http://exchange.example"
QUICK, LONG = 1_500, 60_000
"""Answers, and as many frames."""


class Transport(HTTPAdapter):
    """Answers every request itself, and takes none to another host."""

    def __init__(self) -> None:
        super().__init__()
        self.dice: random.Random | None = None
        self.response: Response | None = None
        self.answers = 0

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = urlsplit(str(request.url))
        assert f"{url.scheme}://{url.netloc}" == HOST, "a redirect was followed"
        query = dict(parse_qsl(url.query))
        self.answers += 1
        answer = self.response
        if answer is None and self.dice is not None:
            answer = hostile_response(url.path, query, self.dice)
        if answer is None:
            answer = Response(text_of(sound(url.path, query), {}).encode())
        raw = HTTPResponse(
            BytesIO(answer.body),
            headers=answer.headers,
            status=answer.status,
            preload_content=False,
        )
        return self.build_response(request, raw)


class Desk:
    """A client of the exchange whose waits cost nothing."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.transport = Transport()
        session: Any = open_session(HOST)
        session.client.mount("http://", self.transport)
        self.rest = LiveRest(
            session, limiter=Limiter(1e9), backoff=Backoff(tries=2), clock=lambda: self.now_s,
            sleep=self._sleep, dice=lambda: 1.0,
        )  # fmt: skip

    def _sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def ask(self, what: str) -> Any:
        """Ask for something, and hold what is accepted to what was asked."""
        start, end = NOW_MS - 30 * HOUR_MS, NOW_MS
        if what == "time":
            told = self.rest.server_time_ms()
            assert 0 <= told < 10**14
            return told
        if what in ("klines", "marks"):
            if what == "klines":
                pages = list(self.rest.klines("bybit_linear", SYMBOL, "1h", start, end))
                candles = [page.candles for page in pages]
                for page in pages:
                    assert (page.candles.time + HOUR_MS <= page.over_ms).all()
            else:
                candles = list(self.rest.mark_pages("bybit_linear", SYMBOL, "1h", start, end))
            times = np.concatenate([c.time for c in candles]) if candles else np.empty(0)
            assert ((times >= start) & (times <= end)).all()
            assert (np.diff(times) > 0).all()
            assert all(np.isfinite(c.values[:, :4]).all() for c in candles)
            return times
        if what == "funding":
            found = self.rest.funding_history("bybit_linear", SYMBOL, start, end)
            assert ((found.time >= start) & (found.time <= end)).all()
            assert np.isfinite(found.rate).all()
            return found
        if what == "instruments":
            return self.rest.instruments("bybit_linear", [SYMBOL])
        if what == "lists":
            return self.rest.lists("bybit_linear", SYMBOL)
        rows = self.rest.tickers("bybit_linear", SYMBOL)
        assert set(rows) <= {SYMBOL}
        return {name: quote_of(name, row, NOW_MS) for name, row in rows.items()}


ASKED = ("time", "klines", "marks", "funding", "instruments", "lists", "tickers")


def assail(desk: Desk, dice: random.Random, answers: int) -> Counter[str]:
    """Ask until so many hostile answers were given; count how the questions ended."""
    ended: Counter[str] = Counter()
    longest = 0
    while desk.transport.answers < answers:
        what = dice.choice(ASKED)
        desk.transport.dice = dice
        try:
            desk.ask(what)
            ended["accepted"] += 1
        except BotError as error:
            ended[type(error).__name__] += 1
            longest = max(longest, len(str(error)))
        if dice.random() < 0.02:  # it harms nothing that comes after it
            desk.transport.dice = None
            desk.now_s += 1_000.0
            desk.ask(what)
            ended["sound"] += 1
    assert longest < 1_000, "a refusal repeats what came"
    return ended


@pytest.mark.parametrize("answers", [QUICK, pytest.param(LONG, marks=pytest.mark.long)])
def test_every_answer_is_a_refusal_or_what_was_asked_for(answers: int) -> None:
    desk = Desk()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bomb("gzip")
    bomb("deflate")
    packed_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # packing them takes the most
    ended = assail(desk, random.Random(f"hostile {answers}"), answers)
    assert ended["ExchangeError"] > 0.3 * sum(ended.values())
    assert ended["sound"] > 0
    after_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after_kb - max(before_kb, packed_kb) < 200_000, "an answer filled the memory"
    print(f"{desk.transport.answers} answers: {dict(ended)}")


@pytest.mark.parametrize("frames", [QUICK, pytest.param(LONG, marks=pytest.mark.long)])
def test_every_frame_is_a_refusal_or_an_event(frames: int) -> None:
    dice = random.Random(f"frames {frames}")
    code, names = "60", {SYMBOL: SYMBOL}
    link = plan_links([SYMBOL], "bybit_linear", code)[0]
    bars = BarAssembler((SYMBOL,), HOUR_MS, 5_000, 30_000, NOW_MS // HOUR_MS * HOUR_MS)
    ended: Counter[str] = Counter()
    reader = FrameReader(names, code, HOUR_MS)
    subscriptions = Subscriptions(link, 1, 120.0)
    now_ms = NOW_MS
    for i in range(frames):
        now_ms += dice.choice((1, 500, 20_000))
        now_s = now_ms / 1000.0
        try:
            read = reader.read(hostile_frame(now_ms, dice), now_ms)
            ended[type(read).__name__] += 1
            subscriptions.next_request(now_s)
            if isinstance(read, Answer):
                subscriptions.answered(read.accepted, read.message, now_s)
            else:
                subscriptions.heard(read.topic, now_s)
                for event in read.events:
                    bars.feed(event)
            subscriptions.check(now_s)
        except DataError:
            ended["DataError"] += 1
        except ExchangeError:  # the connection is made anew
            ended["ExchangeError"] += 1
            reader, subscriptions = (
                FrameReader(names, code, HOUR_MS), Subscriptions(link, 1, 120.0)
            )  # fmt: skip
        _close_what_is_complete(bars, now_ms)
        if i % 50 == 0:
            now_ms += 10_000  # longer than two clocks may differ
            quote = reader.read(text_of(sound_frame("tickers", now_ms, dice), {}), now_ms)
            assert isinstance(quote, Reading)
            assert [q.bid for q in quote.events if isinstance(q, Quote)] == [10.0]
    assert ended["DataError"] > 0.3 * frames
    print(f"{frames} frames: {dict(ended)}")


def _close_what_is_complete(bars: BarAssembler, now_ms: int) -> None:
    """Close what is complete, and hold that it is over; give up what was not pushed."""
    while (awaited := bars.awaited(now_ms)).complete or awaited.missing:
        if awaited.complete:
            closed = bars.close(now_ms)
            assert closed.open_time + HOUR_MS <= now_ms + 2_000, "a bar of the future was closed"
            assert all(isinstance(c, Candle | None) for c in closed.candles)
        for span in awaited.missing:
            _give_up(bars, span.first, now_ms)


def _give_up(bars: BarAssembler, first: int, now_ms: int) -> None:
    over_ms = now_ms // HOUR_MS * HOUR_MS
    none = Klines(Candles.empty(), over_ms, Candles.empty())
    bars.accept(CandleSpan(SYMBOL, first, over_ms - HOUR_MS), none, now_ms)


@pytest.mark.parametrize("code", ['"10006"', '"abc"', "null", "true", "1.0", '"0"', "[]", "[1]"])
@pytest.mark.parametrize("what", ["time", "klines", "instruments"])
def test_a_code_that_is_no_whole_number_is_a_refusal_that_shows_it(what: str, code: str) -> None:
    desk = Desk()
    body = text_of(envelope({"list": []}), {}).replace('"retCode": 0', f'"retCode": {code}')
    assert f'"retCode": {code}' in body
    desk.transport.response = Response(body.encode())
    with pytest.raises(ExchangeError, match=r"retCode ") as caught:
        desk.ask(what)
    assert f"retCode {json.loads(code)!r}" in str(caught.value)
    assert "code 0" not in str(caught.value)
    assert desk.transport.answers == 2, "it is asked again, as after other nonsense"


def test_a_bomb_of_300_mb_is_given_up_after_16() -> None:
    desk = Desk()
    desk.transport.response = Response(bomb("gzip"), 200, {"Content-Encoding": "gzip"})
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ExchangeError, match="longer than 16,000,000 bytes"):
        desk.ask("time")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(status: int) -> None:
    desk = Desk()
    desk.transport.response = Response(b"", status, {"Location": "http://elsewhere.example/"})
    with pytest.raises(ExchangeError, match=f"HTTP {status}"):
        desk.ask("klines")
    assert desk.transport.answers == 1
