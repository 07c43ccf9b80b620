from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.adapters.files.funding import (
    Funding,
    read_funding,
    settlement_times,
    settlements_between,
    write_funding,
)
from bot.errors import DataError
from bot.timegrid import HOUR_MS

START = 1_704_067_200_000


def funding_at(hours: list[int]) -> Funding:
    return Funding(np.array(hours, np.int64) * HOUR_MS, 1e-4 * np.arange(1.0, len(hours) + 1))


def unknown_hours(known: Funding | None, first: int, stop: int) -> list[int]:
    due = settlements_between(known, first * HOUR_MS, stop * HOUR_MS)
    assert np.all(np.diff(due.time) > 0)
    return [int(t) // HOUR_MS for t in due.time[np.isnan(due.rate)]]


@pytest.mark.parametrize(
    ("hours", "missing"),
    [
        ([0, 8, 16, 24], []),
        ([0, 8, 24, 32], [16]),
        ([0, 8, 16, 32, 56, 64, 72], [24, 40, 48]),
        ([0, 8, 16, 17, 18, 19, 20], []),
        ([0, 1, 2, 3, 11, 19, 27], []),
        ([0, 1, 2, 3, 6, 7, 8, 9], [4, 5]),
        ([0, 4, 8, 16, 20, 24], [12]),
        ([0, 24], [8, 16]),
        # three steps a side tell, not two, nor four; and the side with the longer ones
        ([0, 1, 2, 3, 15, 23, 31, 35, 37], [7, 11]),
        ([0, 2, 6, 14, 22, 34, 35, 36, 37], [26, 30]),
        ([0, 1, 2, 3, 15, 19, 27, 35], [7, 11]),  # the one beside the hole is one of them
    ],
)
def test_holes_follow_the_schedule_around_them(hours: list[int], missing: list[int]) -> None:
    assert unknown_hours(funding_at(hours), hours[0], hours[-1] + 1) == missing


def test_outside_the_file_funding_is_due_every_eight_hours() -> None:
    assert unknown_hours(funding_at([16, 24]), 3, 43) == [8, 32, 40]
    assert unknown_hours(None, 3, 24) == [8, 16]
    assert unknown_hours(None, 0, 0) == []


def test_a_settlement_early_or_late_stands_for_the_one_that_was_due() -> None:
    """Up to a quarter of an hour: first, last, or between others. Later than that, what was due is unknown."""
    minute = HOUR_MS // 60
    for off, unknown in ((2, []), (-2, []), (14, []), (-14, []), (16, [8])):
        due = np.array([0, 8 * HOUR_MS + off * minute, 16 * HOUR_MS, 24 * HOUR_MS])
        for times in (due, due[:2], due[1:]):
            known = Funding(times, np.full(len(times), 1e-4))
            first = 0 if len(times) > 3 or times[0] == 0 else HOUR_MS
            found = settlements_between(known, first, int(times[-1]) + HOUR_MS)
            late = [int(t) // HOUR_MS for t in found.time[np.isnan(found.rate)]]
            assert late == unknown, (off, times)
    edge = Funding(np.array([8 * HOUR_MS - 15 * minute]), np.array([1e-4]))
    found = settlements_between(edge, HOUR_MS, 16 * HOUR_MS)
    assert found.time[np.isnan(found.rate)].tolist() == [8 * HOUR_MS]


def test_known_rates_stay_where_the_contract_was_not_traded() -> None:
    due = settlements_between(funding_at([0, 8, 16]), 100 * HOUR_MS, 100 * HOUR_MS)
    assert due.time.tolist() == [0, 8 * HOUR_MS, 16 * HOUR_MS]


def test_a_hole_where_the_contract_was_not_traded_is_none() -> None:
    assert unknown_hours(funding_at([0, 32]), 9, 24) == [16]
    assert unknown_hours(funding_at([0, 32]), 8, 25) == [8, 16, 24]


def test_a_hole_right_after_the_first_step_is_found() -> None:
    """The hole is the second step of the file: it has but one neighbour before it."""
    assert unknown_hours(funding_at([0, 8, 24, 32, 40]), 0, 48) == [16]
    assert unknown_hours(funding_at([0, 4, 12, 16, 20]), 0, 24) == [8]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_is_read_back(tmp_path: Path, suffix: str) -> None:
    funding = funding_at([0, 8, 16])
    path = tmp_path / f"x_linear_A_funding{suffix}"
    write_funding(path, Funding(funding.time + 1_700_006_400_000, funding.rate))
    again = read_funding(path)
    assert (again.time - 1_700_006_400_000).tolist() == funding.time.tolist()
    assert again.rate.tolist() == funding.rate.tolist()


def test_times_need_only_move_forward(tmp_path: Path) -> None:
    path = tmp_path / "x_linear_A_funding.parquet"
    write_funding(path, Funding(START + np.array([90_000, 90_001]), np.array([1e-4, 2e-4])))
    assert read_funding(path).time.tolist() == [START + 90_000, START + 90_001]


@pytest.mark.parametrize(
    ("times", "rates", "message"),
    [
        ([1, 1], [0.0, 0.1], "row 2: a second row at 2024-01-01 01:00, .* than row 1"),
        ([1, 2], [0.0, np.nan], "row 2: the rate is nan"),
        ([1, 2], [5.0, 0.0], "row 1: the rate is 5.0"),
    ],
)
def test_faults_are_named(
    tmp_path: Path, times: list[int], rates: list[float], message: str
) -> None:
    path = tmp_path / "x_linear_A_funding.parquet"
    hours = START + np.array(times) * HOUR_MS
    pd.DataFrame({"timestamp": hours, "funding_rate": rates}).to_parquet(path)
    with pytest.raises(DataError, match=message):
        read_funding(path)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x_linear_A_funding.parquet"
    path.write_text("nothing")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_funding(path)
    pd.DataFrame({"timestamp": [1]}).to_parquet(path)
    with pytest.raises(DataError, match="no column funding_rate"):
        read_funding(path)


@pytest.mark.parametrize(
    ("hours", "rates", "message"),
    [
        ([0, 8, 8], [0.0, 0.0, 0.0], "1 faulty row; row 3: 1970-01-01 08:00 does not come after"),
        ([8, 0], [0.0, 0.0], "1 faulty row; row 2: 1970-01-01 00:00 does not come after"),
        ([0, 8], [np.nan, -0.11], "2 faulty rows; row 1: the rate is nan, expected a fraction"),
    ],
)
def test_what_would_not_be_read_is_not_written(
    tmp_path: Path, hours: list[int], rates: list[float], message: str
) -> None:
    path = tmp_path / "x_linear_A_funding.parquet"
    with pytest.raises(DataError, match=message):
        write_funding(path, Funding(np.array(hours) * HOUR_MS, np.array(rates)))
    assert not path.exists()


def test_the_highest_rate_and_the_zone_of_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x_linear_A_funding.csv"
    path.write_text(
        "timestamp,funding_rate\n2024-01-01T02:00:00+02:00,0.1\n2024-01-01T10:00:00+02:00,-0.1\n"
    )
    funding = read_funding(path)
    assert funding.time.tolist() == [START, START + 8 * HOUR_MS]
    assert funding.rate.tolist() == [0.1, -0.1]


def test_a_settlement_within_a_minute_of_an_hour_is_of_that_hour() -> None:
    minute = 60_000
    told = START + np.array([0, 7, -3, minute - 1, 1 - minute, minute, -minute, 30 * minute])
    of = settlement_times(told) - START
    assert of.tolist() == [0, 0, 0, 0, 0, minute, -minute, 30 * minute]


def test_the_rates_of_two_symbols_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x_linear_A_funding.csv"
    hours = START + np.array([0, 8]) * HOUR_MS
    frame = pd.DataFrame({"timestamp": hours, "symbol": ["A", "B"], "funding_rate": [1e-4, 2e-4]})
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match="symbol"):
        read_funding(path)
    frame.assign(symbol="A").to_csv(path, index=False)
    assert read_funding(path).rate.tolist() == [1e-4, 2e-4]
