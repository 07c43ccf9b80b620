"""Named sets of features: written out at load, and made of features that there are."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

from bot.app.parts.listing import listed
from bot.config import Config, load_config
from bot.config.schema import Features
from bot.errors import ConfigError
from bot.features.catalogue import choose_features
from bot.parts import feature
from bot.parts.registry import parts
from bot.parts.sets import CORE, SETS, WIDE
from bot.timegrid import HOUR_MS


def names_of(*sets: str) -> tuple[str, ...]:
    return load_config(None, sets, {}).features.names


def test_a_set_is_written_out_where_it_stands() -> None:
    assert names_of() == names_of("features.names=wide") == WIDE
    assert names_of("features.names=core") == CORE
    assert names_of("features.names=wide") == WIDE
    assert names_of("features.names=core,log_range_5") == (*CORE, "log_range_5")
    assert names_of("features.names=log_range_5,core") == ("log_range_5", *CORE)
    assert names_of("features.names=core,wide") == WIDE
    with pytest.raises(ConfigError, match="a feature stands there twice"):
        names_of("features.names=wide,rsi")


def test_a_file_may_name_a_set_and_what_is_dumped_has_the_names(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(tomli_w.dumps({"features": {"names": ["wide"]}}))
    config = load_config(file, [], {})
    assert config.model_dump(mode="json")["features"]["names"] == list(WIDE)
    assert isinstance(config, Config)


def test_sets_are_of_features_that_there_are_each_once() -> None:
    for name, members in SETS["feature"].items():
        assert len(set(members)) == len(members)
        assert len(choose_features(members, 2, HOUR_MS)) == len(members)
        assert name not in parts("feature")
    assert Features().names == WIDE


def test_they_are_listed_and_their_names_are_taken() -> None:
    [wide] = [line for line in listed("feature") if line.name == "wide"]
    assert wide.origin == "set"
    assert "volume_seasonal_week" in wide.doc
    with pytest.raises(ConfigError, match="'wide' is a set of features; give yours another name"):
        feature("wide", bars=1)


def test_seasonal_features_look_to_the_first_horizon_if_nothing_else_is_said() -> None:
    def bars(*sets: str) -> int:
        return load_config(None, sets, {}).features.seasonal_bars

    assert bars() == 5
    assert bars("targets.horizons=[7,3]") == 7
    assert bars("targets.horizons=7") == 7
    assert bars("targets.horizons=[7]", "features.seasonal_bars=4") == 4
