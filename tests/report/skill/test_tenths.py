"""Tenths of edges, counted and averaged by pandas."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bot.report.inputs import RunData
from bot.report.skill.tenths import tenths


@pytest.fixture(scope="module")
def calibrated(run: RunData) -> RunData:
    rng = np.random.default_rng(3)
    edge = 0.01 * rng.standard_normal(run.signal.shape)
    edge[rng.random(edge.shape) < 0.1] = np.nan
    edge[rng.random(edge.shape) < 0.2] = 0.0
    hurdle = rng.uniform(0.001, 0.002, edge.shape)
    return dataclasses.replace(run, edge=edge, hurdle=hurdle)


def test_pandas_finds_the_same(calibrated: RunData) -> None:
    run = calibrated
    assert run.edge is not None
    assert run.hurdle is not None
    assert run.labels is not None
    after = slice(run.start_index, None)
    frame = pd.DataFrame({
        "edge": run.edge[after].ravel(),
        "label": run.labels[after, :, 0].ravel(),
        "cost": run.hurdle[after].ravel(),
    }).dropna()  # fmt: skip
    frame = frame[frame["edge"] != 0.0]
    frame["size"] = frame["edge"].abs()
    frame["earned"] = np.sign(frame["edge"]) * frame["label"]
    ordered = frame.sort_values("size").reset_index(drop=True)
    got = tenths(run, 200)
    assert got["by"] == "edge"
    assert sum(row["count"] for row in got["rows"]) == len(frame)
    assert np.ptp([row["count"] for row in got["rows"]]) <= 1
    first = 0
    for tenth, row in enumerate(got["rows"], start=1):
        part = ordered.iloc[first : first + row["count"]]
        first += row["count"]
        assert row["tenth"] == tenth
        assert row["expected_bps"] == pytest.approx(1e4 * part["size"].mean())
        assert row["realised_bps"] == pytest.approx(1e4 * part["earned"].mean())
        assert row["cost_bps"] == pytest.approx(1e4 * part["cost"].mean())
        assert row["low_bps"] < row["realised_bps"] < row["high_bps"]
        error = (row["high_bps"] - row["low_bps"]) / (2.0 * 1.959964)
        plain = 1e4 * part["earned"].std() / np.sqrt(row["count"])
        assert error == pytest.approx(plain, rel=0.6)


def test_without_an_edge_the_signal_stands_in_and_says_so(run: RunData) -> None:
    signal = 0.01 * np.random.default_rng(5).standard_normal(run.signal.shape)
    bare = dataclasses.replace(run, signal=signal)
    never = dataclasses.replace(bare, edge=np.full_like(signal, np.nan))
    zero = dataclasses.replace(
        bare, edge=np.zeros_like(signal), hurdle=np.full_like(signal, np.nan)
    )
    got = tenths(bare, 200)
    assert got["by"] == "signal"
    assert got == tenths(never, 200) == tenths(zero, 200)
    assert [row["cost_bps"] for row in got["rows"]] == pytest.approx([26.0] * 10, rel=1e-3)
    sizes = [row["expected_bps"] for row in got["rows"]]
    assert sizes == sorted(sizes)


def test_a_perfect_edge_earns_what_it_expected(calibrated: RunData) -> None:
    assert calibrated.labels is not None
    perfect = dataclasses.replace(calibrated, edge=calibrated.labels[:, :, 0])
    for row in tenths(perfect, 200)["rows"]:
        assert row["realised_bps"] == pytest.approx(row["expected_bps"])
    opposite = dataclasses.replace(calibrated, edge=-calibrated.labels[:, :, 0])
    for row in tenths(opposite, 200)["rows"]:
        assert row["realised_bps"] == pytest.approx(-row["expected_bps"])


def test_no_label_of_the_horizon_or_too_few_rows_give_no_table(calibrated: RunData) -> None:
    for change in (
        {"horizon": 4},
        {"forecast": None, "labels": None},
        {"start_index": 395},
        {"edge": None, "signal": np.full_like(calibrated.signal, np.nan)},
    ):
        other = dataclasses.replace(calibrated, **change)
        assert tenths(other, 200)["rows"] == []


def test_ten_rows_are_a_tenth_each_and_nine_are_none(calibrated: RunData) -> None:
    assert calibrated.edge is not None
    assert calibrated.labels is not None
    known = np.argwhere(np.isfinite(calibrated.labels[:, :, 0]))
    known = known[known[:, 0] >= calibrated.start_index]
    for count in (9, 10):
        edge = np.zeros_like(calibrated.edge)
        for k, (t, s) in enumerate(known[:count].tolist()):
            edge[t, s] = 0.001 * (k + 1)
        rows = tenths(dataclasses.replace(calibrated, edge=edge), 200)["rows"]
        assert [row["count"] for row in rows] == ([] if count == 9 else [1] * 10)
