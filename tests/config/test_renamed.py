"""Settings under an old name: a user is told the new one, an old run is read all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app.runs.borrow import Recorded, recorded_settings
from bot.app.runs.folder import RunFolder, config_hash, config_of, stored_hash
from bot.config import load_config, to_toml
from bot.config.renamed import GONE, RENAMED
from bot.config.whole import section_types
from bot.errors import ConfigError


@pytest.fixture
def old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run made when costs.taker_fee was costs.fee and lay in another section's place."""
    monkeypatch.setitem(RENAMED, "costs.fee", "costs.taker_fee")
    monkeypatch.setitem(RENAMED, "trading.fee", "costs.taker_fee")
    text = to_toml(load_config(None, ["costs.taker_fee=0.002"], environ={}))
    assert text.count("taker_fee") == 1
    (tmp_path / "config.toml").write_text(text.replace("taker_fee", "fee"), "utf-8")
    return RunFolder(tmp_path)


def test_an_old_name_is_refused_with_the_new_one(old_run: RunFolder) -> None:
    told = r"config\.toml: 'costs\.fee' is called 'costs\.taker_fee' now; write that"
    with pytest.raises(ConfigError, match=told):
        load_config(old_run.config, environ={})
    with pytest.raises(ConfigError, match=r"'trading\.fee' is called"):
        load_config(None, ["trading.fee=0.1"], environ={})


def test_it_is_translated_in_the_folder_of_a_run(old_run: RunFolder) -> None:
    assert config_of(old_run).costs.taker_fee == 0.002
    again = Recorded(old_run, (), {}, 0, 0, 0)
    assert recorded_settings(again)["costs"]["taker_fee"] == 0.002


def test_the_hash_of_an_old_run_is_of_the_names_it_had(old_run: RunFolder) -> None:
    assert stored_hash(old_run) != config_hash(config_of(old_run))


def test_new_names_exist_and_old_ones_do_not() -> None:
    names = {f"{s}.{key}" for s, t in section_types().items() for key in t.model_fields}
    assert set(RENAMED.values()) <= names
    assert not names.intersection(RENAMED)


def test_the_disagreement_penalty_was_called_spread_penalty(tmp_path: Path) -> None:
    text = to_toml(load_config(None, ["sizing.disagreement_penalty=1.5", "model.members=2"], {}))
    (tmp_path / "config.toml").write_text(text.replace("disagreement_", "spread_"), "utf-8")
    assert config_of(RunFolder(tmp_path)).sizing.disagreement_penalty == 1.5
    with pytest.raises(ConfigError, match=r"'sizing\.spread_penalty' is called 'sizing\.disagree"):
        load_config(tmp_path / "config.toml", environ={})
    with pytest.raises(ConfigError, match="disagreement_penalty' now; write that"):
        load_config(None, [], environ={"BOT_SIZING__SPREAD_PENALTY": "1"})


def test_a_setting_that_is_gone_is_refused_with_the_reason_and_left_out_of_an_old_run(
    tmp_path: Path,
) -> None:
    text = to_toml(load_config(None, ["report.bootstrap_samples=123"], {}))
    (tmp_path / "config.toml").write_text(
        text.replace("[report]\n", "[report]\ntrials = 7\n"), "utf-8"
    )
    assert config_of(RunFolder(tmp_path)).report.bootstrap_samples == 123
    again = Recorded(RunFolder(tmp_path), (), {}, 0, 0, 0)
    assert "trials" not in recorded_settings(again)["report"]
    with pytest.raises(ConfigError, match=r"config\.toml: 'report\.trials' is no setting any more"):
        load_config(tmp_path / "config.toml", environ={})
    with pytest.raises(ConfigError, match="'bot trials' lists; leave it out"):
        load_config(None, ["report.trials=3"], environ={})
    names = {f"{s}.{key}" for s, t in section_types().items() for key in t.model_fields}
    assert not names.intersection(GONE)
