"""How much history a daemon begins with: no more than what tells, no less than what is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.app.start.history_need import MOST_BARS, history_need, useless_settings
from bot.app.start.practice import practice_config
from bot.app.training.archive import Archive
from bot.config import Config, load_config
from bot.errors import ConfigError
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.practice.faults import Faults
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS
from scripts.soaking.rehearsal import Rehearsal

SETTINGS = {
    "default": [],
    "two horizons": ["targets.horizons=[7,3]"],
    "a lookback": ["model.encoder=gru", "model.lookback=30"],
    "short windows": ["features.long_window=30", "features.medium_window=25",
                      "features.correlation_window=24", "features.window=20"],
    "one feature": ['features.names=["return_1"]'],
    "odd rows": ["training.min_rows=301"],
}  # fmt: skip


def config_of(*sets: str) -> Config:
    small = ["training.min_rows=300", "training.window_bars=400", "data.source=synthetic",
             "synthetic.symbols=2", "synthetic.bars=2400", "market.symbols=A,B",
             "policy.kind=threshold"]  # fmt: skip
    return load_config(None, [*small, *sets], {})


def rows_of(config: Config, n_bars: int) -> int:
    """Count the labelled rows of a training at the last of so many whole bars."""
    bars = synthetic_bars(config.synthetic, HOUR_MS).rows(0, n_bars)
    lookback = config.model.bars_read
    pipeline = FeaturePipeline(config.features, symbol_names(2), HOUR_MS, lookback)
    _, features = pipeline.advance(pipeline.initial(), bars)
    archive = Archive(config, target_tasks(config.targets))
    archive.extend(bars, features)
    return len(archive.dataset(n_bars - 1))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_least_is_what_a_first_training_needs(name: str) -> None:
    config = config_of(*SETTINGS[name])
    least = history_need(config).least
    assert rows_of(config, least - 1) < config.training.min_rows <= rows_of(config, least)


@pytest.mark.parametrize("name", SETTINGS)
def test_more_history_than_that_brings_a_training_nothing(name: str) -> None:
    config = config_of(*SETTINGS[name])
    bars = history_need(config).bars
    assert rows_of(config, bars) == rows_of(config, bars + 100)
    assert rows_of(config, bars) > rows_of(config, bars - 50)


def test_a_calibrated_policy_rehearses_behind_that() -> None:
    rest = history_need(config_of()).bars
    need = history_need(config_of("policy.kind=edge", "policy.min_calibration_days=12"))
    assert need.bars == rest + (12 + 30) * 24 + 5
    assert "1013 to rehearse (policy.min_calibration_days = 12)" in need.reason
    assert history_need(config_of("policy.kind=edge", "policy.rehearse=false")).bars == rest


@pytest.mark.parametrize("trigger", [[], ["retrain.trigger=every_bars"]], ids=["none", "named"])
@pytest.mark.parametrize(("looks_back", "bars"), [(720, 721), (5000, 5001), (24, 168)])
def test_momentum_fetches_what_it_looks_back_on_whether_or_not_models_are_trained(
    looks_back: int, bars: int, trigger: list[str]
) -> None:
    core = "features.names=core"
    settings = [core, "policy.kind=momentum", f"policy.momentum_bars={looks_back}", *trigger]
    need = history_need(practice_config(load_config(None, settings, {})))
    assert (need.bars, f"policy.momentum_bars = {looks_back}" in need.reason) == (bars, True)
    assert "training" not in need.reason


def test_it_is_bounded_and_says_so() -> None:
    need = history_need(config_of("training.window_bars=9000000"))
    assert need.bars == MOST_BARS
    assert "data.history_bars can ask for more" in need.reason


def test_a_number_that_is_given_is_taken() -> None:
    need = history_need(config_of("data.history_bars=777"))
    assert (need.bars, need.reason) == (777, "data.history_bars = 777")
    with pytest.raises(ConfigError, match="expected 50 or more, or 0"):
        config_of("data.history_bars=49")


def test_what_is_legal_and_useless_is_told() -> None:
    assert useless_settings(load_config(None, [], {})) == []
    [little] = useless_settings(config_of("data.history_bars=50"))
    least = history_need(config_of()).least
    assert f"a first model needs {least} bars" in little
    assert f"for {least - 50} bars of 1h" in little
    [late] = useless_settings(config_of("retrain.at_start=false"))
    assert "nothing is decided before the first scheduled training" in late
    [fast] = useless_settings(config_of("market.interval=1m", "practice.speed=7200"))
    assert "a bar of 1m lasts 8 ms" in fast


def test_a_new_run_says_how_much_it_fetches_and_a_later_start_does_not(tmp_path: Path) -> None:
    rehearsal = Rehearsal.make(tmp_path / "run")
    rehearsal.run(2)
    rehearsal.run(2, begin_ms=rehearsal.begin_ms + 5 * HOUR_MS)
    [told] = rehearsal.events("history_wanted")
    assert (told["bars"], told["reason"]) == (120, "data.history_bars = 120")
    fetched = sum(event["bars"] for event in rehearsal.events("backfilled"))
    assert fetched == 120


@pytest.mark.parametrize("seconds_an_answer", [30, 90, 400])
def test_a_back_fill_ends_however_slow_the_answers_are(
    tmp_path: Path, seconds_an_answer: int
) -> None:
    """At one-minute bars the end moves on while it is fetched; each start comes to live bars."""
    rehearsal = Rehearsal.make(
        tmp_path / "run", "market.interval=1m", "data.history_bars=2500", "synthetic.symbols=1",
        "exchange.quote_timeout_s=20", "retrain.every_bars=100000",
    )  # fmt: skip
    faults = Faults(slow=1.0, slow_ms=seconds_an_answer * 1000)
    rehearsal.run(2, faults=faults)
    parts = [event["bars"] for event in rehearsal.events("backfilled")]
    assert parts[:2] == [1000, 1000]
    assert len(parts) < 20
    bars = rehearsal.events("bar_closed")
    assert len(bars) == 2
    steps = np.diff([event["bar"] for event in bars])
    assert (steps == 60_000).all()


def test_momentum_looks_back_over_its_own_bars_and_needs_none_to_train() -> None:
    need = history_need(
        load_config(
            None, ["features.names=core", "policy.kind=momentum", "policy.momentum_bars=500"], {}
        )
    )
    assert (need.bars, need.reason) == (501, "policy.momentum_bars = 500")
