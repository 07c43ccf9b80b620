"""Units of a study by the device that trains them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bot.app.backtest.preparing import RunMarket, read_market
from bot.app.executors.choice import EngineChoice, check_gpu
from bot.app.study.contenders import Contender, check_packages
from bot.app.study.data import Study
from bot.app.study.unit import Unit
from bot.config import load_config
from bot.errors import ConfigError


@pytest.fixture(scope="module")
def market(study_sets: list[str]) -> RunMarket:
    return read_market(load_config(None, study_sets))


def unit_of(market: RunMarket, sets: list[str], folder: Path, device: str) -> Unit:
    contender = Contender("now", "network", load_config(None, [*sets, f"training.device={device}"]))
    return Study([contender], market, 2, 1, folder).units(1)[0]


@pytest.mark.parametrize("there", [False, True])
def test_a_unit_is_named_by_the_device_that_trains_it(
    market: RunMarket, study_sets: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    *, there: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    here, auto = (unit_of(market, study_sets, tmp_path, name) for name in ("cpu", "auto"))
    assert auto.config.training.device == ("cuda" if there else "cpu")
    assert (auto.result == here.result) is not there
    assert auto.data == here.data, "what a fold is does not depend on it"
    if there:
        assert auto.result == unit_of(market, study_sets, tmp_path, "cuda").result


def test_a_study_is_refused_before_it_trains_where_there_is_no_gpu(
    study_sets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = load_config(None, [*study_sets, "training.device=cuda"])
    with pytest.raises(ConfigError, match=r"training\.device = 'cuda'"):
        check_packages([Contender("now", "network", config)])


def test_a_cluster_is_asked_for_no_gpu(study_sets: list[str]) -> None:
    configs = [load_config(None, [*study_sets, f"training.device={d}"]) for d in ("cpu", "cuda")]
    check_gpu(EngineChoice("ray"), configs[:1])
    check_gpu(EngineChoice("local"), configs)
    with pytest.raises(ConfigError, match=r"--engine local or set training\.device = 'cpu'"):
        check_gpu(EngineChoice("ray"), configs)
