"""Due bars: against dates worked out by hand, and against a bar-by-bar oracle."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.training.triggers import DueBars, planned_dues
from bot.blocks import I64
from bot.config.schema import Retrain
from bot.errors import ConfigError
from bot.timegrid import DAY_MS, HOUR_MS


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def hours(first: str, last: str) -> I64:
    return np.arange(ms(first), ms(last) + 1, HOUR_MS, dtype=np.int64)


def due_times(times: I64, interval_ms: int, **config: Any) -> list[str]:
    """The closes at which a training is due."""
    due = DueBars(Retrain(**config), interval_ms).due(times)
    return [str(np.datetime64(int(t) + interval_ms, "ms"))[:16] for t in times[due]]


def test_the_first_of_each_month_is_due_at_the_close_of_its_last_bar_before() -> None:
    found = due_times(hours("2024-01-15T00", "2024-04-02T00"), HOUR_MS, cron="0 0 1 * *")
    assert found == ["2024-02-01T00:00", "2024-03-01T00:00", "2024-04-01T00:00"]


def test_a_cron_time_inside_a_bar_is_due_at_its_close() -> None:
    found = due_times(hours("2024-01-01T00", "2024-01-03T00"), HOUR_MS, cron="30 6 * * *")
    assert found == ["2024-01-01T07:00", "2024-01-02T07:00"]


def test_weekdays_by_name() -> None:
    found = due_times(hours("2024-01-01T00", "2024-01-14T23"), HOUR_MS, cron="0 12 * * sun")
    assert found == ["2024-01-07T12:00", "2024-01-14T12:00"]
    found = due_times(hours("2024-01-01T00", "2024-01-07T23"), HOUR_MS, cron="0 0 * * mon-tue")
    assert found == ["2024-01-02T00:00", "2024-01-08T00:00"]


def test_a_leap_day_comes_every_four_years() -> None:
    days = np.arange(ms("2020-01-01"), ms("2025-01-01"), DAY_MS, dtype=np.int64)
    found = due_times(days, DAY_MS, cron="0 0 29 2 *")
    assert found == ["2020-02-29T00:00", "2024-02-29T00:00"]


def test_every_so_many_hours_from_a_start() -> None:
    found = due_times(
        hours("2024-01-01T00", "2024-01-05T00"), HOUR_MS,
        trigger="interval", hours=36, start="2024-01-02T06:00",
    )  # fmt: skip
    assert found == ["2024-01-02T06:00", "2024-01-03T18:00"]


def test_every_so_many_bars_from_a_start() -> None:
    found = due_times(
        hours("2024-01-01T00", "2024-01-01T23"), HOUR_MS,
        trigger="every_bars", every_bars=8, start="2024-01-01T06:00",
    )  # fmt: skip
    assert found == ["2024-01-01T06:00", "2024-01-01T14:00", "2024-01-01T22:00"]


@pytest.mark.parametrize(
    "config",
    [
        {"trigger": "every_bars", "every_bars": 7, "start": "2024-01-06"},
        {"trigger": "interval", "hours": 168, "start": "2024-01-06"},
        {"trigger": "cron", "cron": "0 0 * * sat"},
    ],
)
def test_what_falls_on_a_closed_day_is_due_on_the_next_bar(config: dict[str, Any]) -> None:
    """Saturdays at midnight is the close of Friday's bar; in a gap it is the next bar's."""
    days = np.arange(ms("2024-01-01"), ms("2024-02-01"), DAY_MS, dtype=np.int64)
    friday = ((days // DAY_MS + 3) % 7) == 4
    found = due_times(days[~friday & (((days // DAY_MS + 3) % 7) < 5)], DAY_MS, **config)
    assert found == ["2024-01-09T00:00", "2024-01-16T00:00", "2024-01-23T00:00", "2024-01-30T00:00"]


def test_never_is_never() -> None:
    assert due_times(hours("2024-01-01T00", "2025-01-01T00"), HOUR_MS, trigger="never") == []
    assert len(DueBars(Retrain(), HOUR_MS).due(np.empty(0, np.int64))) == 0


configs = st.one_of(
    st.builds(
        lambda minute, hour, day: {"cron": f"{minute} {hour} {day} * *"},
        st.sampled_from(["0", "30", "*/20"]),
        st.sampled_from(["0", "13", "*/6", "*"]),
        st.sampled_from(["1", "*", "*/5", "28"]),
    ),
    st.builds(lambda day: {"cron": f"0 3 * * {day}"}, st.sampled_from(["mon", "tue,fri", "sun"])),
    st.builds(
        lambda n, start: {"trigger": "interval", "hours": n, "start": start},
        st.integers(1, 200),
        st.sampled_from(["2024-01-01", "2023-12-31T07:30", "2024-02-10"]),
    ),
    st.builds(
        lambda n, start: {"trigger": "every_bars", "every_bars": n, "start": start},
        st.integers(1, 300),
        st.sampled_from(["2024-01-01", "2023-12-31T07:30", "2024-02-10"]),
    ),
)


def fires(config: dict[str, Any], moment: datetime) -> bool:
    """Does the trigger fire in this minute? Written from the words of the settings, not from code."""
    if config.get("trigger") in {"interval", "every_bars"}:
        start = datetime.fromisoformat(config["start"]).replace(tzinfo=UTC)
        step = config.get("hours") or config["every_bars"]
        return moment >= start and (moment - start) % timedelta(hours=step) == timedelta()
    minute, hour, day, _, weekday = config["cron"].split()
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    def fits(field: str, value: int, first: int) -> bool:
        if field.startswith("*/"):
            return (value - first) % int(field[2:]) == 0
        return field == "*" or int(field) == value

    return (
        fits(minute, moment.minute, 0)
        and fits(hour, moment.hour, 0)
        and fits(day, moment.day, 1)
        and (weekday == "*" or names[moment.weekday()] in weekday.split(","))
    )


@settings(max_examples=20, deadline=None)
@given(config=configs, holes=st.sets(st.integers(1, 1199), max_size=300))
def test_due_is_what_a_look_at_every_minute_says(config: dict[str, Any], holes: set[int]) -> None:
    every = hours("2024-01-01T00", "2024-02-19T23")
    times = np.delete(every, sorted(holes))
    due = DueBars(Retrain(**config), HOUR_MS).due(times)
    step = timedelta(minutes=10)  # all that is drawn lies on whole tens of minutes
    last = datetime.fromtimestamp(times[0] / 1000, UTC)
    for opened, found in zip(times.tolist(), due.tolist(), strict=True):
        close = datetime.fromtimestamp((opened + HOUR_MS) / 1000, UTC)
        expected = False
        while last < close:
            last += step
            expected |= fires(config, last)
        assert found == expected, close


@settings(max_examples=30, deadline=None)
@given(
    config=configs,
    holes=st.sets(st.integers(1, 1199), max_size=300),
    cuts=st.sets(st.integers(1, 800), max_size=20),
)
def test_any_partition_gives_the_same_due_bars(
    config: dict[str, Any], holes: set[int], cuts: set[int]
) -> None:
    times = np.delete(hours("2024-01-01T00", "2024-02-19T23"), sorted(holes))
    ask = DueBars(Retrain(**config), HOUR_MS)
    parts, before = [], None
    for part in np.split(times, sorted(cuts)):
        parts.append(ask.due(part, before))
        before = int(part[-1]) if len(part) else before
    np.testing.assert_array_equal(np.concatenate(parts), ask.due(times))


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 * * 1", "write the weekday by name"),
        ("0 0 * * 1-5", "write the weekday by name"),
        ("0 0 * * */2", "write the weekday by name"),
        ("0 0 13 * fri", "a day and a weekday at once"),
        ("0 25 * * *", "expected minute hour day month weekday"),
        ("0 0 1 * someday", "expected minute hour day month weekday"),
        ("0 0 1 *", "expected minute hour day month weekday"),
    ],
)
def test_a_cron_line_that_could_be_misread_is_refused(cron: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        DueBars(Retrain(cron=cron), HOUR_MS)
    assert f"retrain.cron = '{cron}'" in str(caught.value)


@pytest.mark.parametrize("cron", ["0 0 13 * *", "0 0 * 2 fri", "0 0 */2 * fri", "0 0 13 * *,fri"])
def test_a_day_or_a_weekday_that_is_a_star_is_no_contradiction(cron: str) -> None:
    """Also `*/2`: cron, too, takes both together where one of them begins with a star."""
    assert DueBars(Retrain(cron=cron), HOUR_MS).next_fire_ms(ms("2024-01-01")) is not None


def test_a_start_that_is_no_date_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"retrain\.start = 'soon': expected a UTC date"):
        DueBars(Retrain(start="soon"), HOUR_MS)


@pytest.mark.parametrize(
    ("config", "fires_at"),
    [
        ({"trigger": "every_bars", "every_bars": 7, "start": "2024-01-06T02:00"},
         [datetime(2024, 1, 6, 2, tzinfo=UTC) + timedelta(hours=7 * k) for k in range(60)]),
        ({"trigger": "interval", "hours": 36, "start": "2024-01-02T06:00"},
         [datetime(2024, 1, 2, 6, tzinfo=UTC) + timedelta(hours=36 * k) for k in range(12)]),
        ({"trigger": "cron", "cron": "30 5 * * *"},
         [datetime(2024, 1, 1, 5, 30, tzinfo=UTC) + timedelta(days=k) for k in range(20)]),
    ],
    ids=["every_bars", "interval", "cron"],
)  # fmt: skip
def test_the_next_time_is_the_first_one_after(
    config: dict[str, Any], fires_at: list[datetime]
) -> None:
    """Asked a millisecond before a time, at it, and a millisecond after it, at each of many."""
    ask = DueBars(Retrain(**config), HOUR_MS)
    fires = [int(fire.timestamp() * 1000) for fire in fires_at]
    if config["trigger"] != "cron":
        assert ask.next_fire_ms(fires[0] - 1000 * HOUR_MS) == fires[0], "none before the start"
    for fire, following in itertools.pairwise(fires):
        assert ask.next_fire_ms(fire - 1) == fire
        assert ask.next_fire_ms(fire) == following
        assert ask.next_fire_ms(fire + 1) == following


def test_a_time_that_never_comes() -> None:
    assert DueBars(Retrain(trigger="never"), HOUR_MS).next_fire_ms(0) is None


@given(
    due=st.lists(st.booleans(), min_size=1, max_size=30), start=st.integers(0, 30),
    latency=st.integers(1, 6),
)  # fmt: skip
def test_the_trainings_that_matter_are_those_in_force_from_the_start_on(
    due: list[bool], start: int, latency: int
) -> None:
    """By a look at every bar from the start on: which training's model decides there?"""
    n = len(due)
    deciding = [
        max((i for i in range(n) if due[i] and i + latency <= bar), default=None)
        for bar in range(min(start, n - 1), n)
    ]
    expected = sorted({i for i in deciding if i is not None})
    found = planned_dues(due, min(start, n - 1), latency)
    assert [d.index for d in found] == expected
    assert [d.effective_index for d in found] == [i + latency for i in expected]


@pytest.mark.parametrize(
    "config",
    [
        {"trigger": "every_bars", "every_bars": 7},
        {"trigger": "interval", "hours": 7},
        {"cron": "0 7 * * *"},
    ],
)
def test_what_falls_between_two_parts_is_due_on_the_first_bar_after(config: dict[str, Any]) -> None:
    """Seven o'clock lies in the gap between a bar that closes at six and one that opens at nine."""
    due = DueBars(Retrain(start="2024-01-01", **config), HOUR_MS)
    nine = np.array([ms("2024-01-01T09"), ms("2024-01-01T10")])
    assert due.due(nine, ms("2024-01-01T05")).tolist() == [True, False]
    assert due.due(nine, ms("2024-01-01T08")).tolist() == [False, False]
    assert due.due(nine).tolist() == [False, False]


def test_a_line_of_no_day_of_any_year_is_never_due() -> None:
    never = DueBars(Retrain(cron="0 0 31 2 *"), HOUR_MS)
    assert never.next_fire_ms(ms("2024-01-01")) is None
    assert not never.due(hours("2024-02-25T00", "2024-03-05T00")).any()


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2024-01-01", "2024-01-01T00:00"),
        ("2024-01-01T06:00+02:00", "2024-01-01T04:00"),
        ("2024-01-01T06:00Z", "2024-01-01T06:00"),
    ],
)
@pytest.mark.parametrize(
    "config", [{"trigger": "interval", "hours": 9}, {"trigger": "every_bars", "every_bars": 9}]
)
def test_a_start_is_utc_wherever_the_machine_stands(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], start: str, expected: str
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        due = DueBars(Retrain(start=start, **config), HOUR_MS)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert due.next_fire_ms(ms(expected) - HOUR_MS) == ms(expected)


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(-3, 30), second=st.integers(0, 30), cut=st.integers(0, 40),
    every=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
)  # fmt: skip
def test_a_change_decides_from_the_close_of_its_bar_on_however_bars_are_asked(
    first: int, second: int, cut: int, every: tuple[int, int, int]
) -> None:
    times = hours("2024-01-01T00", "2024-01-02T15")
    kinds = [
        Retrain(trigger="every_bars", every_bars=every[0]), Retrain(trigger="interval", hours=every[1]),
        Retrain(trigger="every_bars", every_bars=every[2]),
    ]  # fmt: skip
    at = [int(times[0]) + bar * HOUR_MS for bar in (first, first + second)]
    alone = [DueBars(kind, HOUR_MS).due(times) for kind in kinds]
    deciding = np.searchsorted(at, times, side="right")
    expected = [bool(alone[k][i]) for i, k in enumerate(deciding)]
    due = DueBars(kinds[0], HOUR_MS, list(zip(at, kinds[1:], strict=True)))
    assert due.due(times).tolist() == expected
    parts = [due.due(times[:cut]), due.due(times[cut:])]
    assert np.concatenate(parts).tolist() == expected
    assert due.next_fire_ms(int(times[-1])) == DueBars(kinds[2], HOUR_MS).next_fire_ms(
        int(times[-1])
    )
    later = DueBars(kinds[0], HOUR_MS)
    for from_ms, kind in zip(at, kinds[1:], strict=True):
        later.change(from_ms, kind)
    assert later.due(times).tolist() == expected
