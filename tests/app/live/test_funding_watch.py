from __future__ import annotations

import math

import pytest

from bot.adapters.exchange import Quote
from bot.app.live.funding import FundingWatch

HOUR = 3_600_000


def quote(due_ms: int | None, rate: float, at: int) -> Quote:
    return Quote("X", 1.0, 1.0, 1.0, rate, due_ms, at)


def test_the_last_rate_before_its_time_counts_and_the_next_does_not_change_it() -> None:
    watch = FundingWatch()
    watch.feed(quote(8 * HOUR, 1e-4, 6 * HOUR))
    watch.feed(quote(8 * HOUR, 2e-4, 8 * HOUR - 1))
    watch.feed(quote(16 * HOUR, 5e-4, 8 * HOUR + 50))
    watch.feed(quote(8 * HOUR, 9e-4, 8 * HOUR + 60))
    assert watch.rate_at("X", 8 * HOUR) == 2e-4
    assert watch.rate_at("X", 7 * HOUR) == 0.0
    assert watch.rate_at("X", 9 * HOUR) == 0.0
    assert watch.rate_at("X", 16 * HOUR) == 5e-4


def test_what_was_not_announced_is_not_known() -> None:
    watch = FundingWatch()
    watch.feed(quote(None, math.nan, 0))
    watch.feed(quote(8 * HOUR, 1e-4, 7 * HOUR))
    watch.feed(quote(24 * HOUR, 1e-4, 20 * HOUR))  # away from 8 to 20
    assert math.isnan(watch.rate_at("X", 16 * HOUR))
    assert math.isnan(watch.rate_at("X", 6 * HOUR))
    assert math.isnan(watch.rate_at("Y", 8 * HOUR))
    assert watch.rate_at("X", 8 * HOUR) == 1e-4


def test_the_one_after_may_be_announced_at_the_very_time() -> None:
    for at in (8 * HOUR, 8 * HOUR - 3):
        watch = FundingWatch()
        watch.feed(quote(8 * HOUR, 1e-4, 7 * HOUR))
        watch.feed(quote(16 * HOUR, 5e-4, at))
        assert watch.rate_at("X", 8 * HOUR) == 1e-4
        assert watch.rate_at("X", 8 * HOUR + 1) == 0.0


def test_thirty_two_times_are_remembered_however_often_each_was_announced() -> None:
    watch = FundingWatch()
    for k in range(1, 41):
        for again in range(50):
            watch.feed(quote(k * HOUR, k * 1e-5, (k - 1) * HOUR + again))
    assert sorted(watch.between("X", 0, 100 * HOUR)) == [k * HOUR for k in range(9, 41)]
    assert watch.rate_at("X", 9 * HOUR) == 9 * 1e-5
    assert math.isnan(watch.rate_at("X", 8 * HOUR - 1))


def test_an_announcement_at_its_very_time_counts_and_a_later_one_does_not() -> None:
    for at, expected in ((8 * HOUR, 1e-4), (8 * HOUR + 1, math.nan)):
        watch = FundingWatch()
        watch.feed(quote(8 * HOUR, 1e-4, at))
        assert watch.rate_at("X", 8 * HOUR) == pytest.approx(expected, nan_ok=True)
