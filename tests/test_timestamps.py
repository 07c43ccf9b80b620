from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import ConfigError
from bot.timegrid import DAY_MS
from bot.timestamps import (
    TimeReader,
    UnreadableTimeError,
    format_utc,
    parse_utc,
    times_to_ms,
)


def test_an_empty_setting_is_no_time() -> None:
    assert parse_utc("  ", "data.start") is None


def test_a_day_ends_with_its_last_millisecond() -> None:
    first, last = parse_utc("2025-12-31", "k"), parse_utc("2025-12-31", "k", inclusive_end=True)
    assert first is not None
    assert last == first + DAY_MS - 1
    assert parse_utc("2025-12-31T12:00", "k", inclusive_end=True) == first + DAY_MS // 2


def test_an_offset_is_respected() -> None:
    assert parse_utc("2024-01-01T02:00+02:00", "k") == parse_utc("2024-01-01", "k")


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"data\.end = '31\.12\.2025'"):
        parse_utc("31.12.2025", "data.end")


@settings(max_examples=30)
@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)), min_size=1, max_size=20))
def test_every_spelling_of_a_time_is_the_same_time(moments: list[datetime]) -> None:
    seconds = [int(m.replace(microsecond=0, tzinfo=UTC).timestamp()) for m in moments]
    ms = [s * 1000 for s in seconds]
    iso = [datetime.fromtimestamp(s, UTC).isoformat() for s in seconds]
    for spelling in (
        np.array(seconds),
        np.array(ms),
        np.array([str(s) for s in ms], dtype=object),
        np.array([str(s) for s in seconds], dtype=object),
        np.array(iso, dtype=object),
        np.array([t.replace("+00:00", "Z") for t in iso], dtype=object),
        np.array([t.replace("+00:00", "").replace("T", " ") for t in iso], dtype=object),
        np.array(ms).astype("datetime64[ms]").astype("datetime64[ns]"),
    ):
        assert times_to_ms(spelling, daily=False).tolist() == ms


def test_a_session_keeps_its_local_date_in_summer_and_winter() -> None:
    texts = np.array(["2024-01-02 00:00:00-05:00", "2024-07-02 00:00:00-04:00"], dtype=object)
    got = [format_utc(int(t)) for t in times_to_ms(texts, daily=True)]
    assert got == ["2024-01-02 00:00", "2024-07-02 00:00"]


@pytest.mark.parametrize("bad", ["", "yesterday", "2024", "NaN"])
def test_an_unreadable_time_is_placed(bad: str) -> None:
    with pytest.raises(UnreadableTimeError) as caught:
        times_to_ms(np.array(["2024-01-01", bad], dtype=object), daily=False)
    assert caught.value.index == 1


def test_settings_are_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_utc("1970-01-02", "k") == 86_400_000
        assert parse_utc("1970-01-02T00:00:00.250", "k") == 86_400_250
    finally:
        monkeypatch.undo()
        time.tzset()


FIRST_MS, LAST_MS = 100_000_000_000, 4_102_444_799_999  # 1973-03-03 09:46:40 and the end of 2099


def read(*column: Any, daily: bool = False) -> list[int]:
    times: list[int] = times_to_ms(list(column), daily=daily).tolist()
    return times


@pytest.mark.parametrize(
    ("unit", "first", "last"),
    [
        ("seconds", 100_000_000, 4_102_444_799),
        ("milliseconds", FIRST_MS, LAST_MS),
        ("microseconds", FIRST_MS * 1000, LAST_MS * 1000 + 999),
        ("nanoseconds", FIRST_MS * 1_000_000, LAST_MS * 1_000_000 + 999_000),
    ],
)
@pytest.mark.parametrize("form", [int, str])
def test_the_range_of_each_unit(unit: str, first: int, last: int, form: type) -> None:
    for column in (first, last):
        reader = TimeReader(daily=False)
        (ms,) = reader.read([form(column)]).tolist()
        assert ms // 1000 == (FIRST_MS if column == first else LAST_MS) // 1000
        assert reader.kinds == [unit]
    step = 1000 if unit == "nanoseconds" else 1  # what a float can tell apart so far out
    for column in (first - step, last + step):
        with pytest.raises(UnreadableTimeError, match=f"^'{column}' is no time between"):
            read(form(column))


@pytest.mark.parametrize("form", [str, np.datetime64])
def test_the_range_of_texts_and_datetimes(form: Any) -> None:
    assert read(form("1973-03-03T09:46:40"), form("2099-12-31T23:59:59.999")) == [FIRST_MS, LAST_MS]
    for beyond in ("1973-03-03T09:46:39.999", "2100-01-01T00:00:00"):
        with pytest.raises(UnreadableTimeError, match="is no time between 1973 and 2100") as caught:
            read(form("2024-01-01"), form(beyond))
        assert caught.value.index == 1


def test_dates_of_eight_digits_and_none_of_seven() -> None:
    reader = TimeReader(daily=True)
    days = reader.read([19730304, 20240229, 20991231])
    assert [format_utc(int(t))[:10] for t in days] == ["1973-03-04", "2024-02-29", "2099-12-31"]
    assert reader.kinds == ["days such as 20240131"]
    for wrong in (19730303, 21000101, 20240230, 2024011):
        with pytest.raises(UnreadableTimeError, match="is no time between"):
            read(wrong, daily=True)


def test_fractions_of_a_second_are_whole_milliseconds() -> None:
    ms = 1_735_689_600_000 + np.arange(1000)
    assert times_to_ms(ms / 1000.0, daily=False).tolist() == ms.tolist()
    assert times_to_ms([f"{t / 1000:.3f}" for t in ms], daily=False).tolist() == ms.tolist()
    assert read("1735689600", "1735689600.5") == [1_735_689_600_000, 1_735_689_600_500]


def test_nanoseconds_are_read_to_the_last_digit() -> None:
    """A float of these knows 256 ns, and would put some of them into the millisecond before."""
    ms = 1_735_689_600_000 + np.arange(1, 200)
    for column in (ms * 1_000_000, (ms * 1_000_000).astype(str)):
        assert times_to_ms(column, daily=False).tolist() == ms.tolist()


def test_a_zone_is_converted_but_for_the_dates_of_sessions() -> None:
    text = "2024-01-02T00:00:00+02:00"
    aware = pd.Series(pd.to_datetime([text])).dt.tz_convert("Asia/Jerusalem")
    for column in (aware, [text]):
        assert format_utc(int(times_to_ms(column, daily=False)[0])) == "2024-01-01 22:00"
        assert format_utc(int(times_to_ms(column, daily=True)[0])) == "2024-01-02 00:00"


def test_units_do_not_mix_but_where_that_is_asked_for() -> None:
    column = [1_735_689_600_000, 1_735_689_601, "2025-01-01T00:00:02", "1735689603000000"]
    told = (
        "^'1735689601' is in seconds and the rows before it in milliseconds; 'bot import' reads "
        "such a file, each row by its own unit$"
    )
    with pytest.raises(UnreadableTimeError, match=told) as caught:
        times_to_ms(column, daily=False)
    assert caught.value.index == 1
    reader = TimeReader(daily=False, mixed=True)
    expected = [1_735_689_600_000 + 1000 * k for k in range(4)]
    assert reader.read(column).tolist() == expected
    assert reader.kinds == ["seconds", "milliseconds", "microseconds", "ISO texts"]


def test_a_part_is_of_the_unit_of_the_parts_before() -> None:
    reader = TimeReader(daily=False)
    assert reader.read([]).tolist() == []
    assert reader.read([1_735_689_600]).tolist() == [1_735_689_600_000]
    with pytest.raises(UnreadableTimeError, match="is in milliseconds and the rows before it in s"):
        reader.read([1_735_689_600_000, 1_735_689_600_000])
    assert reader.kinds == ["seconds"]


@pytest.mark.parametrize("nothing", [None, "", " ", np.nan, pd.NaT, pd.NA])
def test_a_missing_time_is_placed(nothing: Any) -> None:
    good = pd.Timestamp("2024-01-01") if nothing is pd.NaT else 1_704_067_200_000
    with pytest.raises(UnreadableTimeError, match=r"^no timestamp; fill the cell") as caught:
        read(good, good, nothing)
    assert caught.value.index == 2


def test_a_missing_whole_number_is_placed() -> None:
    column = pd.Series([1_704_067_200_000, None], dtype="Int64")
    with pytest.raises(UnreadableTimeError, match=r"^no timestamp") as caught:
        times_to_ms(column, daily=False)
    assert caught.value.index == 1


@pytest.mark.parametrize("wrong", ["yesterday", "2024-01", "1960-01-01", True, 3, -5, 1e30, np.inf])
def test_what_is_no_time_is_said(wrong: Any) -> None:
    with pytest.raises(UnreadableTimeError, match="is no time") as caught:
        read(wrong)
    assert caught.value.index == 0
