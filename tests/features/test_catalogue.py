"""Which features a run has, and how many bars each needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bot.blocks import BarBlock
from bot.config.schema import Features
from bot.errors import ConfigError
from bot.features import Feature, FeaturePipeline
from bot.features.catalogue import bars_needed, choose_features
from bot.parts.registry import part, parts
from bot.parts.sets import CORE
from bot.timegrid import DAY_MS, HOUR_MS

ALL = CORE


def test_the_core_set_names_every_feature_in_order() -> None:
    assert tuple(feature.name.lower() for feature in Feature) == ALL
    assert choose_features(ALL, 2, HOUR_MS) == tuple(part("feature", name) for name in ALL)
    assert set(ALL) == {
        name for name, part in parts("feature").items() if part.facts["computed"] == "core"
    }


def test_an_unknown_name_is_refused_with_the_key_and_close_names() -> None:
    with pytest.raises(ConfigError, match=r"features\.names.*'volatilty'.*volatility"):
        choose_features(["volatilty"], 1, HOUR_MS)
    with pytest.raises(ConfigError, match=r"'zzz'; 'bot parts list --kind feature' lists the \d+ "):
        choose_features(["zzz"], 1, HOUR_MS)
    with pytest.raises(ConfigError, match=r"'widen'; did you mean wide\?"):
        choose_features(["widen"], 1, HOUR_MS)


def test_what_says_nothing_is_left_out() -> None:
    alone = FeaturePipeline(Features(names=ALL), ["A"], HOUR_MS)
    assert set(ALL) - set(alone.names) == {"cross_correlation", "cross_return"}
    daily = FeaturePipeline(Features(names=ALL), ["A", "B"], DAY_MS)
    assert set(ALL) - set(daily.names) == {"hour_sin", "hour_cos"}
    with pytest.raises(ConfigError, match=r"none of cross_return says anything"):
        choose_features(["cross_return"], 1, HOUR_MS)


@pytest.mark.parametrize("name", ALL)
def test_a_feature_is_first_ready_when_its_window_is_full(
    name: str, random_market: Callable[..., BarBlock]
) -> None:
    config = Features(
        names=(name,), window=12, medium_window=15, long_window=22, correlation_window=30
    )
    pipeline = FeaturePipeline(config, ["A", "B"], HOUR_MS)
    block = random_market(40, 2, seed=3)
    block.volume[:] = 1.0 + np.arange(40)[:, None] % 3
    ready = pipeline.advance(pipeline.initial(), block)[1].ready
    needed = bars_needed(part("feature", name), config)
    assert pipeline.warmup_bars == needed
    assert not ready[: needed - 1].any()
    assert ready[needed - 1 :].all()
