"""The backtest's own part: when models are trained, from when they decide, and what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.app.runs.folder import config_hash
from bot.errors import ConfigError, DataError
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Ran, RunIt


def test_before_the_first_model_nothing_is_decided_or_held(short: Ran) -> None:
    reader = short.reader()
    times, ledger = reader.ledger()
    first = int(np.searchsorted(times, short.models()[0][1]))
    decisions, _ = reader.decisions(times)
    value, model = reader.forecasts(times)
    quantity = reader.positions(times)
    reader.close()
    assert first > 100
    assert (quantity[: first + 1] == 0.0).all()
    assert (decisions["order_quantity"][:first] == 0.0).all()
    assert np.isnan(value[:first]).all()
    assert (model[:first] == -1).all()
    assert (ledger["equity"][:first] == 100_000.0).all()
    assert np.isfinite(value[first]).any()
    assert (quantity[first + 1 :] != 0.0).any()


def test_the_first_training_is_the_first_due_one_with_enough_rows(
    short: Ran, run_it: RunIt
) -> None:
    due = short.models()[0][2]
    patient = run_it("training.min_rows=1200")
    skipped = patient.events("training_skipped")
    assert skipped[0]["due"] == due
    assert all("training.min_rows = 1200 are needed" in e["reason"] for e in skipped)
    later = patient.models()[0]
    assert later[2] == skipped[-1]["due"] + 250 * HOUR_MS
    assert patient.manifests()[0]["rows"] >= 1200


@pytest.mark.parametrize("latency", [1, 7])
def test_a_model_decides_its_latency_after_it_was_due(
    short: Ran, run_it: RunIt, latency: int
) -> None:
    ran = short if latency == 1 else run_it(f"retrain.latency_bars={latency}")
    for _, effective, due in ran.models():
        assert due is not None
        assert effective == due + latency * HOUR_MS
        assert (due + HOUR_MS - 1_577_836_800_000) % (250 * HOUR_MS) == 0


def test_trainings_before_the_start_only_leave_the_last_in_force(run_it: RunIt, short: Ran) -> None:
    start = short.models()[2][1] - 24 * HOUR_MS
    text = np.datetime64(start, "ms").astype("datetime64[m]").item().isoformat()
    ran = run_it(f"data.start={text}")
    assert [m[:2] for m in ran.models()] == [m[:2] for m in short.models()[1:]]
    times, _ = ran.equity()
    assert times[0] == start
    assert len(times) == ran.done.bars
    bars = (reader := ran.reader()).bars()
    reader.close()
    assert len(bars) == 1200


def test_rolling_windows_roll_and_expanding_ones_grow(short: Ran, run_it: RunIt) -> None:
    rolling = short.manifests()
    expanding = run_it("training.window=expanding").manifests()
    for manifest in rolling:
        span = (manifest["due_ms"] - manifest["first_ms"]) // HOUR_MS + 1
        assert span <= 500
        assert manifest["last_ms"] <= manifest["due_ms"] - 5 * HOUR_MS
    assert rolling[-1]["first_ms"] == rolling[-1]["due_ms"] - 499 * HOUR_MS
    assert len({m["first_ms"] for m in expanding}) == 1
    assert expanding[-1]["rows"] > expanding[-2]["rows"] > rolling[-1]["rows"]


def test_a_models_manifest_says_what_it_was_trained_on(short: Ran) -> None:
    parent = None
    for (model_id, _, due), manifest in zip(short.models(), short.manifests(), strict=True):
        assert (short.folder.models / f"{model_id}.safetensors").is_file()
        assert manifest["due_ms"] == due
        assert manifest["symbols"] == ["SYN0USDT", "SYN1USDT", "SYN2USDT"]
        assert manifest["features"] == list(short.config.features.names)
        assert manifest["interval"] == "1h"
        assert manifest["rows"] >= 300
        assert manifest["config_hash"] == config_hash(short.config)
        assert len(manifest["data_sha256"]) == 64
        assert manifest["parent_due_ms"] == parent
        assert manifest["metrics"]["epochs"] == 1
        assert manifest["variance_scales"]["volatility_5"] > 0.0
        parent = due


def test_the_same_settings_give_the_same_ledger_and_another_seed_another(
    short: Ran, run_it: RunIt
) -> None:
    assert run_it().done.ledger_sha256 == short.done.ledger_sha256
    other = run_it("run.seed=8")
    assert other.done.ledger_sha256 != short.done.ledger_sha256
    assert config_hash(other.config) != config_hash(short.config)


def test_settings_that_cannot_change_a_number_keep_the_hash(short: Ran, run_it: RunIt) -> None:
    same = run_it("run.block_bars=100", "run.record=ledger", "report.bootstrap_samples=200")
    assert config_hash(same.config) == config_hash(short.config)
    assert same.done.ledger_sha256 == short.done.ledger_sha256


def test_of_each_training_the_log_tells_every_epoch(run_it: RunIt) -> None:
    ran = run_it("log.level=debug", "training.weighting=uncertainty", "model.members=2")
    epochs = ran.events("epoch")
    (model_id, *_), *_ = ran.models()
    course = [(e["member"], e["number"]) for e in epochs if e["model_id"] == model_id]
    members = [[number for m, number in course if m == member] for member in (1, 2)]
    assert all(numbers == list(range(1, len(numbers) + 1)) and numbers for numbers in members)
    tasks = {"return_5", "direction_5", "volatility_5", "volume_5"}
    for epoch in epochs:
        assert set(epoch["train"]) == set(epoch["validation"]) == set(epoch["weights"]) == tasks
    assert len({tuple(e["weights"].values()) for e in epochs}) > len(ran.models()), (
        "they are learned"
    )


def test_the_log_tells_what_happened(short: Ran) -> None:
    assert [len(short.events(name)) for name in ("run_started", "history_loaded")] == [1, 1]
    trained = short.events("model_trained")
    activated = short.events("model_activated")
    assert len(short.events("training_submitted")) == len(trained) == len(short.models())
    assert [e["model_id"] for e in activated] == [m[0] for m in short.models()]
    (finished,) = short.events("run_finished")
    assert finished["ledger_sha256"] == short.done.ledger_sha256
    assert finished["bars"] == 1200
    assert {e["schema"] for e in trained} == {1}


def test_the_journal_knows_the_run(short: Ran) -> None:
    reader = short.reader()
    assert reader.meta["ledger_sha256"] == short.done.ledger_sha256
    assert reader.meta["interrupted"] == "0"
    assert reader.meta["mode"] == "backtest"
    assert reader.meta["start"] == str(int(short.market.bars.open_time[0]))
    assert len(reader.ledger_times()) == 1200
    reader.close()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("retrain.trigger=never", "retrain.trigger = 'never'"),
        ("retrain.every_bars=5000", "no training is due in the 1200 bars"),
    ],
)
def test_a_run_that_would_never_trade_is_refused(run_it: RunIt, item: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        run_it(item)


def test_a_start_behind_the_last_bar_is_refused(run_it: RunIt) -> None:
    with pytest.raises(DataError, match=r"data\.start = '2030-01-01'.*2023-02-19 23:00"):
        run_it("data.start=2030-01-01")


def test_the_synthetic_market_is_cut_as_files_are(run_it: RunIt) -> None:
    ran = run_it(
        "data.history_start=2023-01-03", "data.start=2023-02-01", "data.end=2023-02-10",
        "training.window_bars=400",
    )  # fmt: skip
    times, _ = ran.equity()
    stamps = times.astype("datetime64[ms]")
    assert str(stamps[0])[:13] == "2023-02-01T00"
    assert str(stamps[-1])[:13] == "2023-02-10T23"
    assert str(ran.market.bars.open_time.astype("datetime64[ms]")[0])[:13] == "2023-01-03T00"
    with pytest.raises(DataError, match="no bar between"):
        run_it("data.end=2022-01-01")
