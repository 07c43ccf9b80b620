from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.exchange import BadFrame, Candle, Connected, Disconnected, Event, Klines, Quote
from bot.adapters.files.candles import Candles
from bot.app.live.bar_assembly import Awaited, BarAssembler, CandleSpan
from bot.app.live.closed_bar import ClosedBar, candles_of
from bot.app.live.feed_counters import Counters

STEP = 60_000
DEADLINE, TRADABLE = 5_000, 30_000
NAN = float("nan")


def candle(
    symbol: str, bar: int, *, confirm: bool = True, close: float = 10.0, at: int | None = None
) -> Candle:
    end = (bar + 1) * STEP
    received = (end + 100 if confirm else end - 100) if at is None else at
    return Candle(symbol, bar * STEP, 10.0, 12.0, 8.0, close, 3.0, 30.0, confirm, received)


def fetched(bars: Sequence[int], over_ms: int = 10**12) -> Klines:
    values = np.tile([10.0, 12.0, 8.0, 10.0, 3.0, 30.0], (len(bars), 1))
    candles = Candles(np.array(bars, np.int64) * STEP, values.reshape(len(bars), 6))
    return Klines(candles, over_ms, Candles.empty())


def make(symbols: Sequence[str] = ("A", "B"), first: int = 0) -> BarAssembler:
    return BarAssembler(symbols, STEP, DEADLINE, TRADABLE, first * STEP)


def test_a_bar_is_complete_when_every_symbol_is_confirmed() -> None:
    bars = make()
    bars.feed(candle("A", 0))
    waiting = bars.awaited(STEP + 200)
    assert waiting == Awaited(0, complete=False, missing=(), wake_ms=STEP + DEADLINE)
    with pytest.raises(ValueError, match="not complete"):
        bars.close(STEP + 200)
    bars.feed(candle("B", 0, at=STEP + 300))
    assert bars.awaited(STEP + 300) == Awaited(0, complete=True, missing=(), wake_ms=None)
    closed = bars.close(STEP + 310)
    assert closed == ClosedBar(
        0, (candle("A", 0), candle("B", 0, at=STEP + 300)), True, STEP + 300, STEP + 310
    )
    assert bars.next_open == STEP


def test_a_forming_candle_does_not_complete_a_bar_but_tells_its_open() -> None:
    bars = make(("A",))
    bars.feed(candle("A", 0, confirm=False, at=10))
    bars.feed(replace(candle("A", 0, confirm=False, at=20), open=99.0))
    seen = bars.first_open_seen("A", 0)
    assert seen is not None
    assert (seen.open, seen.received_ms) == (10.0, 10)
    assert bars.first_open_seen("A", STEP) is None
    assert not bars.awaited(STEP).complete
    assert bars.counters.forming == 2


def test_at_the_deadline_the_missing_are_listed_and_what_is_absent_is_invalid() -> None:
    bars = make(("A", "B", "C"))
    bars.feed(candle("B", 0))
    now = STEP + DEADLINE
    awaited = bars.awaited(now)
    assert awaited.missing == (CandleSpan("A", 0, 0), CandleSpan("C", 0, 0))
    bars.accept(awaited.missing[0], fetched([0], now), now + 50)
    assert bars.awaited(now + 50).missing == (CandleSpan("C", 0, 0),)
    bars.accept(awaited.missing[1], fetched([], now), now + 60)
    assert bars.awaited(now + 60).complete
    bar = bars.close(now + 70)
    block = candles_of(bar)
    assert block.valid.tolist() == [[True, True, False]]
    assert bar.tradable
    assert np.isnan(block.close[0, 2])
    assert block.volume.tolist()[0][:2] == [3.0, 3.0]
    assert (bars.counters.fetched, bars.counters.absent) == (1, 1)


@pytest.mark.parametrize(
    ("closed_at", "tradable"),
    [(STEP, True), (STEP + TRADABLE - 1, True), (STEP + TRADABLE, False), (9 * STEP, False)],
)
def test_a_bar_closed_too_late_is_not_tradable(closed_at: int, tradable: bool) -> None:
    bars = make(("A",))
    bars.feed(candle("A", 0))
    assert bars.close(closed_at).tradable is tradable
    assert bars.counters.late_bars == (not tradable)


def test_no_bar_is_tradable_once_the_next_has_ended() -> None:
    bars = BarAssembler(("A",), STEP, DEADLINE, 10 * STEP, 0)
    bars.feed(candle("A", 0))
    bars.feed(candle("A", 1))
    assert not bars.close(2 * STEP).tradable
    assert bars.close(2 * STEP + 1).tradable


def test_holes_after_an_outage_are_asked_in_spans_and_closed_in_order() -> None:
    bars = make(("A", "B"))
    bars.feed(candle("B", 2))
    bars.feed(candle("A", 4))
    bars.feed(candle("B", 4))
    now = 5 * STEP + 1
    awaited = bars.awaited(now)
    assert awaited.missing == (
        CandleSpan("A", 0, 3 * STEP),
        CandleSpan("B", 0, STEP),
        CandleSpan("B", 3 * STEP, 3 * STEP),
    )
    for span in awaited.missing:
        asked = range(span.first // STEP, span.last // STEP + 1)
        bars.accept(span, fetched([b for b in asked if b != 1]), now + 10)
    closed = []
    while bars.awaited(now + 20).complete:
        closed.append(bars.close(now + 20))
    assert [c.open_time // STEP for c in closed] == [0, 1, 2, 3, 4]
    assert [c.tradable for c in closed] == [False, False, False, False, True]
    assert closed[1].candles == (None, None)
    assert closed[1].confirmed_ms is None
    assert bars.next_open == 5 * STEP


def test_a_very_long_outage_is_asked_in_parts() -> None:
    bars = make(("A",))
    assert bars.awaited(5000 * STEP).missing == (CandleSpan("A", 0, 999 * STEP),)
    now = 1000 * STEP + DEADLINE
    assert bars.awaited(now - 1).missing == (CandleSpan("A", 0, 998 * STEP),)
    assert (
        bars.awaited(now).missing
        == bars.awaited(now + STEP).missing
        == (CandleSpan("A", 0, 999 * STEP),)
    )


def test_the_last_bar_of_an_outage_still_waits_for_its_confirm() -> None:
    bars = make(("A",))
    assert bars.awaited(3 * STEP + DEADLINE - 1).missing == (CandleSpan("A", 0, STEP),)
    assert bars.awaited(3 * STEP + DEADLINE).missing == (CandleSpan("A", 0, 2 * STEP),)


COUNTED: dict[str, tuple[list[Event], dict[str, int]]] = {
    "the same again": ([candle("A", 0), candle("A", 0)], {"duplicates": 1}),
    "changed after the confirm": (
        [candle("A", 0), candle("A", 0, close=11.0)],
        {"revisions": 1},
    ),
    "forming after the confirm": (
        [candle("A", 0), candle("A", 0, confirm=False)],
        {"reordered": 1, "forming": 1},
    ),
    "another symbol": ([candle("Z", 0)], {"foreign": 1}),
    "off the grid": ([replace(candle("A", 0), open_time=1)], {"foreign": 1}),
    "of the far future": ([candle("A", 50, at=100)], {"foreign": 1}),
    "no candles": (
        [
            BadFrame(1, "x"),
            Connected(1, ("A",)),
            Disconnected("x", ("A",)),
            Quote("A", 1.0, 2.0, NAN, NAN, None, 5),
        ],
        {"bad_frames": 1, "connects": 1, "disconnects": 1, "quotes": 1},
    ),
}


@pytest.mark.parametrize("name", COUNTED)
def test_every_oddity_is_counted_and_the_first_confirm_counts(name: str) -> None:
    events, expected = COUNTED[name]
    bars = make(("A",))
    for event in events:
        bars.feed(event)
    counts = asdict(bars.counters)
    assert {k: v for k, v in counts.items() if v and k != "candles"} == expected
    bars.feed(candle("A", 0))
    closed = bars.close(STEP).candles[0]
    assert closed is not None
    assert closed.close == 10.0


SLACK = 2_000


@pytest.mark.parametrize(
    ("bar", "confirm", "at", "taken"),
    [
        (0, True, STEP - SLACK, True),
        (0, True, STEP - SLACK - 1, False),
        (1, False, STEP - SLACK, True),
        (1, False, STEP - SLACK - 1, False),
        (3, False, STEP, False),
        (1, True, STEP + SLACK, False),
    ],
)
def test_no_candle_is_taken_from_the_future(bar: int, confirm: bool, at: int, taken: bool) -> None:
    bars = make(("A",))
    bars.feed(candle("A", bar, confirm=confirm, at=at))
    assert bars.counters.foreign == (not taken)
    assert (bars.first_open_seen("A", bar * STEP) is not None) == taken
    assert bars.awaited(at).complete == (taken and confirm and bar == 0)


def test_the_slack_is_never_more_than_half_a_bar() -> None:
    bars = BarAssembler(("A",), STEP, DEADLINE, TRADABLE, 0, slack_ms=10 * STEP)
    bars.feed(candle("A", 0, at=STEP // 2 - 1))
    assert bars.counters.foreign == 1


def test_an_unheard_symbol_is_asked_for_soon_and_the_others_at_the_deadline() -> None:
    bars = make(("A", "B"))
    bars.feed(Disconnected("silent", ("B", "Z")))
    assert bars.awaited(STEP).wake_ms == STEP + SLACK
    assert bars.awaited(STEP + SLACK - 1).missing == ()
    assert bars.awaited(STEP + SLACK).missing == (CandleSpan("B", 0, 0),)
    bars.accept(CandleSpan("B", 0, 0), fetched([0], STEP + SLACK), STEP + SLACK)
    waiting = bars.awaited(STEP + SLACK)
    assert (waiting.missing, waiting.wake_ms) == ((), STEP + DEADLINE)
    bars.feed(Connected(1, ("B",)))
    bars.feed(candle("A", 0))
    bars.close(STEP + SLACK)
    assert bars.awaited(2 * STEP + SLACK).missing == ()
    assert bars.awaited(2 * STEP + SLACK).wake_ms == 2 * STEP + DEADLINE


@pytest.mark.parametrize(
    ("shown", "tradable"), [(STEP + TRADABLE - 1, True), (STEP + TRADABLE, False)]
)
def test_what_an_answer_shows_of_the_time_makes_a_bar_late(shown: int, tradable: bool) -> None:
    bars = make(("A",))
    bars.accept(CandleSpan("A", 0, 0), fetched([0], shown), STEP + 1)
    assert bars.close(STEP + 1).tradable is tradable
    assert bars.counters.late_bars == (not tradable)


def test_what_comes_after_the_close_changes_nothing() -> None:
    bars = make(("A", "B"))
    bars.feed(candle("A", 0))
    bars.accept(CandleSpan("B", 0, 0), fetched([]), STEP)
    bars.close(STEP)
    bars.feed(candle("A", 0))
    bars.feed(candle("A", 0, close=11.0))
    bars.feed(candle("A", 0, confirm=False))
    bars.feed(candle("B", 0))
    counters = bars.counters
    assert (counters.duplicates, counters.revisions, counters.reordered) == (1, 1, 1)
    assert counters.late == 1
    assert bars.next_open == STEP
    bars.accept(CandleSpan("B", 0, STEP), fetched([0, 1]), 2 * STEP)
    assert bars.counters.fetched == 1, "the closed bar is not filled again"


def test_a_bar_that_has_not_ended_is_not_given_up() -> None:
    bars = make(("A",))
    assert not bars.accept(CandleSpan("A", 0, STEP), fetched([], over_ms=STEP - 1), 9 * STEP)
    assert bars.counters.absent == 0, "our clock does not say that it is over"
    assert bars.accept(CandleSpan("A", 0, STEP), fetched([], over_ms=STEP), STEP)
    assert bars.counters.absent == 1
    bars.close(STEP)
    assert bars.awaited(2 * STEP + DEADLINE).missing == (CandleSpan("A", STEP, STEP),)


def test_a_confirm_after_an_empty_answer_still_counts() -> None:
    bars = make(("A", "B"))
    bars.accept(CandleSpan("A", 0, 0), fetched([]), STEP)
    bars.feed(candle("A", 0))
    assert not bars.awaited(STEP).complete
    bars.feed(candle("B", 0))
    assert None not in bars.close(STEP).candles


def test_the_newest_quote_is_kept() -> None:
    bars = make(("A",))
    for bid in (1.0, 2.0):
        bars.feed(Quote("A", bid, 3.0, NAN, NAN, None, 5))
    bars.feed(Quote("Z", 1.0, 3.0, NAN, NAN, None, 5))
    assert {s: q.bid for s, q in bars.quotes.items()} == {"A": 2.0}


@pytest.mark.parametrize(("deadline", "soon"), [(5_000, 2_000), (1_000, 1_000)])
def test_a_symbol_the_stream_does_not_hear_is_fetched_as_soon_as_its_bar_is_over(
    deadline: int, soon: int
) -> None:
    """Two seconds after the end, which the clocks may differ by, and never later than others."""
    bars = BarAssembler(("A", "B", "C"), STEP, deadline, TRADABLE, 0)
    bars.feed(Disconnected("cut", ("B", "C", "Z")))
    bars.feed(Connected(1, ("C",)))
    asleep = Awaited(0, complete=False, missing=(), wake_ms=STEP + soon)
    assert bars.awaited(STEP + soon - 1) == asleep
    lone = (CandleSpan("B", 0, 0),)
    if soon < deadline:
        assert bars.awaited(STEP + soon) == Awaited(0, complete=False, missing=lone, wake_ms=None)
        assert bars.awaited(STEP + deadline - 1).missing == lone
    everything = tuple(CandleSpan(s, 0, 0) for s in "ABC")
    assert bars.awaited(STEP + deadline).missing == everything
    bars.accept(lone[0], fetched([0]), STEP + soon)
    assert bars.awaited(STEP + soon - 1).wake_ms == STEP + deadline, "what is left is heard"
    bars.feed(Connected(2, ("B",)))
    bars.feed(candle("A", 0))
    bars.feed(candle("C", 0))
    bars.close(STEP + soon)
    assert bars.awaited(2 * STEP + deadline - 1).missing == (), "heard again"


@pytest.mark.parametrize(("interval", "slack"), [(STEP, 2_000), (1_000, 500)])
@pytest.mark.parametrize("confirm", [True, False])
def test_a_candle_may_be_ahead_by_the_slack_and_no_more(
    interval: int, slack: int, confirm: bool
) -> None:
    """A confirm speaks of the bar's end, a forming candle of its open; half a bar is the most."""
    counters = Counters()
    bars = BarAssembler(("A",), interval, 400, 400, 0, counters)
    third = replace(candle("A", 0, confirm=confirm), open_time=2 * interval)
    there = (3 if confirm else 2) * interval
    bars.feed(replace(third, received_ms=there - slack - 1))
    assert (counters.foreign, bars.first_open_seen("A", 2 * interval)) == (1, None)
    bars.feed(replace(third, received_ms=there - slack))
    seen = bars.first_open_seen("A", 2 * interval)
    assert seen is not None
    assert (counters.foreign, seen.confirm) == (1, confirm)
    assert (counters.candles, counters.forming) == (2, 0 if confirm else 2)


def test_what_was_asked_for_in_vain_parts_a_hole_in_spans() -> None:
    bars = make(("A", "B"))
    assert bars.accept(CandleSpan("A", STEP, STEP), fetched([]), 2 * STEP)
    awaited = bars.awaited(3 * STEP + DEADLINE)
    assert awaited.missing == (
        CandleSpan("A", 0, 0),
        CandleSpan("A", 2 * STEP, 2 * STEP),
        CandleSpan("B", 0, 2 * STEP),
    )


def test_an_answer_tells_whether_it_brought_anything() -> None:
    bars = make(("A",))
    bars.feed(candle("A", 1))
    whole = CandleSpan("A", 0, 2 * STEP)
    assert bars.accept(whole, fetched([0, 1, 2]), 3 * STEP)
    assert not bars.accept(whole, fetched([0, 1, 2]), 3 * STEP)
    assert (bars.counters.fetched, bars.counters.absent) == (2, 0)


@pytest.mark.parametrize(("ours", "theirs"), [(STEP + 50, STEP + 70), (STEP + 90, STEP + 70)])
def test_a_fetched_candle_came_when_the_later_clock_says(ours: int, theirs: int) -> None:
    bars = make(("A",))
    bars.accept(CandleSpan("A", 0, 0), fetched([0], theirs), ours)
    assert bars.close(ours).confirmed_ms == max(ours, theirs)


def test_a_candle_that_came_too_late_is_not_decided_on_whatever_the_time_of_the_close() -> None:
    bars = make(("A",))
    bars.feed(candle("A", 0, at=STEP + TRADABLE))
    assert not bars.close(STEP + 1).tradable


def test_a_candle_of_a_bar_long_closed_is_late_and_no_duplicate() -> None:
    bars = make(("A",))
    for bar in (0, 1):
        bars.feed(candle("A", bar))
        bars.close((bar + 1) * STEP)
    bars.feed(candle("A", 0))
    bars.feed(candle("A", 0, close=11.0))
    counters = bars.counters
    assert (counters.late, counters.duplicates, counters.revisions) == (2, 0, 0)


@pytest.mark.parametrize(
    ("first", "again", "revised"),
    [(30.0, 30.0, 0), (30.0, 31.0, 1), (NAN, 30.0, 0), (30.0, NAN, 0), (NAN, NAN, 0)],
)
def test_a_turnover_that_is_not_known_revises_nothing(
    first: float, again: float, revised: int
) -> None:
    bars = make(("A",))
    for turnover in (first, again):
        bars.feed(replace(candle("A", 0), turnover=turnover))
    assert (bars.counters.revisions, bars.counters.duplicates) == (revised, 1 - revised)
    bars.feed(replace(candle("A", 0, close=11.0), turnover=NAN))
    assert bars.counters.revisions == revised + 1


def test_nothing_is_kept_of_bars_that_are_closed() -> None:
    """A daemon closes bars for years, half of them without a candle."""

    def closed(count: int) -> BarAssembler:
        bars = BarAssembler(("A", "B"), STEP, DEADLINE, TRADABLE, 10**6 * STEP)
        for bar in range(10**6, 10**6 + count):
            bars.feed(candle("A", bar, confirm=False))
            bars.feed(candle("A", bar))
            bars.accept(CandleSpan("B", bar * STEP, bar * STEP), fetched([]), (bar + 1) * STEP)
            bars.close((bar + 1) * STEP)
            assert bars.first_open_seen("A", bar * STEP) is None
        bars.counters = Counters()
        return bars

    assert len(pickle.dumps(closed(200))) == len(pickle.dumps(closed(2)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_the_stream_does_each_bar_is_closed_once_in_order(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 8), label="bars")
    symbols = ("A", "B", "C")
    truth = {(s, b): candle(s, b, close=8.0 + b % 4) for s in symbols for b in range(n)}
    frames = data.draw(
        st.lists(st.sampled_from([*truth.values()]), max_size=4 * len(truth)), label="frames"
    )
    garbled = data.draw(st.lists(st.booleans(), min_size=len(frames), max_size=len(frames)))
    absent = data.draw(st.sets(st.sampled_from(sorted(truth))), label="absent at the exchange")
    bars = make(symbols)
    now, closed = 0, []

    def settle(now: int) -> None:
        while (awaited := bars.awaited(now)).complete:
            closed.append(bars.close(now))
        for span in awaited.missing:
            there = range(span.first // STEP, span.last // STEP + 1)
            bars.accept(
                span, fetched([b for b in there if (span.symbol, b) not in absent], now), now
            )
        if awaited.missing:
            settle(now)

    for frame, forming in zip(frames, garbled, strict=True):
        now = min(now + data.draw(st.integers(0, STEP)), n * STEP)
        if frame.open_time + STEP <= now:
            bars.feed(replace(frame, confirm=not forming, received_ms=now))
        settle(now)
    settle(n * STEP + DEADLINE)
    assert [c.open_time // STEP for c in closed] == list(range(n))
    for bar in closed:
        for symbol, got in zip(symbols, bar.candles, strict=True):
            pushed = truth[symbol, bar.open_time // STEP]
            if got is None:
                assert (symbol, bar.open_time // STEP) in absent
            else:
                assert got.confirm
                assert got.close in {pushed.close, 10.0}
    assert bars.next_open == n * STEP


def test_of_a_symbol_that_has_ended_no_candle_is_awaited() -> None:
    bars = BarAssembler(
        ("A", "B"), STEP, DEADLINE, TRADABLE, 0, ended=lambda t: {"B"} if t >= STEP else set()
    )
    bars.feed(candle("A", 0))
    assert not bars.awaited(STEP + 1).complete, "it has not ended in this bar"
    bars.feed(candle("B", 0))
    assert bars.awaited(STEP + 1).complete
    bars.close(STEP + 1)
    bars.feed(candle("A", 1))
    early = bars.awaited(2 * STEP - 1)
    assert (early.complete, early.missing, early.wake_ms) == (False, (), 2 * STEP)
    assert bars.awaited(2 * STEP).complete
    assert [c is not None for c in bars.close(2 * STEP).candles] == [True, False]


def test_where_all_have_ended_a_bar_is_closed_at_its_end() -> None:
    bars = BarAssembler(("A",), STEP, DEADLINE, TRADABLE, 0, ended=lambda _: {"A", "OTHER"})
    assert bars.awaited(STEP - 1).wake_ms == STEP
    assert bars.awaited(STEP).complete
