"""When a message goes out: groups, limits, quiet hours, tries again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.app.messages.message import Message
from bot.app.messages.outbox import (
    LONGEST_TEXT,
    LONGEST_WAIT_MS,
    Standing,
    after_failure,
    after_success,
    delivery_id,
    due,
    is_quiet,
    text_of,
    title_of,
)
from bot.config.notify import Notify

NOON = 1_795_780_800_000
HOUR_MS = 3_600_000


def message(number: int, kind: str = "fill", run: str = "a", **more: bool) -> Message:
    return Message(f"{run}/{kind}/{number}", run, kind, NOON, f"message {number}", **more)


def now_due(waiting: list[Message], at: int = NOON, standing: Standing | None = None,
            found: int = NOON, **given_: Any) -> list[Message]:  # fmt: skip
    settings = Notify(**given_)
    return due(waiting, standing or Standing(), settings, [found] * len(waiting), at)


def test_messages_wait_for_one_another_and_urgent_ones_do_not() -> None:
    fills = [message(k) for k in range(3)]
    assert now_due(fills, group_s=20.0, at=NOON + 19_999) == []
    assert now_due(fills, group_s=20.0, at=NOON + 20_000) == fills
    halt = message(9, "halt")
    assert now_due([*fills, halt], group_s=20.0) == [halt]
    assert now_due([*fills, message(9, "halt", calm=True)], group_s=20.0) == []


def test_quiet_hours_hold_back_what_is_not_urgent() -> None:
    given_: dict[str, Any] = {"quiet": "11:00-13:00", "group_s": 0.0}
    crash = message(1, "crash")
    assert now_due([message(0)], **given_) == []
    assert now_due([message(0), crash], **given_) == [crash]
    assert now_due([message(0)], at=NOON + HOUR_MS, **given_) == [message(0)]


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 10**8),
)
def test_quiet_hours_by_minutes_of_the_day(h1: int, m1: int, h2: int, m2: int, minute: int) -> None:
    settings = Notify(quiet=f"{h1:02}:{m1:02}-{h2:02}:{m2:02}", timezone="Europe/Berlin")
    at = datetime.fromtimestamp(minute * 60, UTC).astimezone(ZoneInfo("Europe/Berlin"))
    start, end, now = h1 * 60 + m1, h2 * 60 + m2, at.hour * 60 + at.minute
    inside = (now - start) % 1440 < (end - start) % 1440
    assert is_quiet(settings, minute * 60_000) is inside


def test_beyond_the_limit_messages_wait_and_go_as_one() -> None:
    standing, at, sent = Standing(), NOON, 0
    waiting: list[Message] = []
    for k in range(120):  # one a half minute for an hour
        waiting.append(message(k))
        out = now_due(waiting, at=at, standing=standing, group_s=0.0, max_per_hour=5)
        if out:
            standing, sent = after_success(standing, out, at), sent + 1
            waiting = [m for m in waiting if m not in out]
        at += 30_000
    assert sent == 5
    out = now_due(waiting, at=NOON + HOUR_MS, standing=standing, group_s=0.0, max_per_hour=5)
    assert out == waiting[: len(out)]
    assert len(out) > 80
    assert now_due([message(1, "halt")], at=at - 1, standing=standing, max_per_hour=5)


@given(st.lists(st.text("x", min_size=1, max_size=2_000), min_size=1, max_size=30))
def test_a_delivery_is_short_enough_and_nothing_is_left_out(texts: list[str]) -> None:
    waiting = [Message(f"a/fill/{k}", "a", "fill", NOON, text) for k, text in enumerate(texts)]
    sent: list[Message] = []
    while waiting:
        out = now_due(waiting, group_s=0.0)
        assert out
        assert len(text_of(out)) <= LONGEST_TEXT + 100 or len(out) == 1
        sent += out
        waiting = waiting[len(out) :]
    assert [m.text for m in sent] == texts


def test_a_picture_goes_alone() -> None:
    waiting = [message(0), message(1, "summary", picture=True), message(2)]
    assert now_due(waiting, group_s=0.0) == [waiting[0]]
    assert now_due(waiting[1:], group_s=0.0) == [waiting[1]]


def test_an_address_that_fails_is_asked_ever_more_rarely_and_never_given_up() -> None:
    standing, waits = Standing(), []
    for _ in range(12):
        failed = after_failure(standing, NOON)
        waits.append(failed.next_ms - NOON)
        assert now_due([message(1, "halt")], at=failed.next_ms - 1, standing=failed) == []
        assert now_due([message(1, "halt")], at=failed.next_ms, standing=failed)
        standing = failed
    assert waits[:4] == [15_000, 30_000, 60_000, 120_000]
    assert waits[-1] == LONGEST_WAIT_MS
    assert after_success(standing, [message(1)], NOON).failures == 0


def test_what_is_sent_again_has_the_same_id_and_says_which_run() -> None:
    several = [message(0), message(1), message(0, "halt", run="b")]
    assert delivery_id(several) == delivery_id(list(several)) != delivery_id(several[:2])
    assert title_of(several) == "a, b: 2 × fill, halt"
    assert text_of(several).splitlines()[2] == "11-27 12:00 b: message 0"
    assert text_of(several[:1]) == f"12:00 message 0\n(UTC; id {delivery_id(several[:1])})"


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    fills = [message(0)]
    ahead = NOON + 365 * 24 * HOUR_MS
    failed = after_failure(Standing(sent_ms=(ahead,) * 60), ahead)
    assert now_due(fills, standing=failed, found=ahead, group_s=20.0, max_per_hour=1) == fills
    assert after_success(failed, fills, NOON).sent_ms == (NOON,)
