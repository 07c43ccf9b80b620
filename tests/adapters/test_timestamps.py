from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.timestamps import UnreadableTimeError, format_utc, parse_utc, times_to_ms
from bot.errors import ConfigError
from bot.timegrid import DAY_MS


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
