"""Units of work: what runs them changes nothing of what they give, and what fails spares the rest."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.backtest.preparing import read_market
from bot.app.executors.choice import LOCAL, chosen, opened
from bot.app.executors.running import run_units
from bot.app.executors.units import Held, SharedData, Stored
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.study.folds import FoldData
from bot.app.study.unit import Unit
from bot.config import Config, load_config
from bot.errors import BotError, ConfigError, DataError

CONFIG = load_config(None, [], {})


@dataclass(frozen=True, eq=False)
class Doubling:
    """Doubles what it is given; refuses an odd number."""

    number: int
    config: Config = CONFIG

    @property
    def label(self) -> str:
        return f"number {self.number}"

    def run(self, data: int) -> int:
        if self.number % 2:
            raise DataError("odd")
        return self.number * data


@dataclass
class InOrder:
    """Runs what is submitted when the caller waits for nothing else, and knows how much was under way."""

    slots: int = 2
    under_way: int = 0
    most: int = 0
    submitted: list[str] = field(default_factory=list)

    def submit(self, unit: Any, data: SharedData[Any]) -> Future[Any]:
        self.submitted.append(unit.label)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        future: Future[Any] = Future()
        try:
            future.set_result(unit.run(data.load()))
        except BotError as error:
            future.set_exception(error)
        return future

    def landed(self) -> None:
        self.under_way -= 1

    def shutdown(self) -> None:
        pass


@given(numbers=st.lists(st.integers(0, 99), unique=True, max_size=30), slots=st.integers(1, 5))
def test_every_unit_is_landed_or_told_once_and_few_are_under_way(
    numbers: list[int], slots: int
) -> None:
    executor, landed = InOrder(slots), dict[int, int]()

    def land(unit: Doubling, result: int) -> None:
        assert unit.number not in landed
        landed[unit.number] = result

    failed = run_units(
        executor, [Doubling(n) for n in numbers],
        data_of=lambda unit: Held("ten", 10), land=land, finished=executor.landed,
    )  # fmt: skip
    assert landed == {n: 10 * n for n in numbers if n % 2 == 0}
    told = [f"{unit.label}: {error}" for unit, error in failed]
    assert sorted(told) == sorted(f"number {n}: odd" for n in numbers if n % 2)
    assert executor.submitted == [f"number {n}" for n in numbers]
    assert executor.most <= 2 * slots
    assert executor.under_way == 0


def test_an_error_that_nobody_foresaw_ends_it() -> None:
    class Broken(InOrder):
        def submit(self, unit: Any, data: SharedData[Any]) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(ZeroDivisionError("a fault of ours"))
            return future

    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        run_units(
            Broken(), [Doubling(2)], data_of=lambda unit: Held("", 1),
            land=lambda unit, result: None, finished=lambda: None,
        )  # fmt: skip


@pytest.fixture
def unit(study_sets: list[str], tmp_path: Path) -> Unit:
    contender = Contender("network", "network", load_config(None, study_sets))
    study = Study([contender], read_market(contender.config), 2, 1, tmp_path / "study")
    made = study.units(1)[0]
    study.write_data(made)
    return made


def test_what_is_sent_to_another_machine_is_read_as_it_was(unit: Unit) -> None:
    here, packed = unit.fold_data.load(), unit.fold_data.packed()
    packed.content.flags.writeable = False  # as it lies in memory that processes share
    there = packed.read(packed.content)
    assert there.dataset.digest() == here.dataset.digest()
    for name in ("x", "ready", "labels"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
        assert getattr(there, name).flags.writeable


def test_an_object_arrives_as_its_readers_own() -> None:
    packed = Held("numbers", {"x": np.arange(3.0)}).packed()
    there = packed.read(packed.content)
    there["x"][0] = 9.0
    assert packed.read(packed.content)["x"].tolist() == [0.0, 1.0, 2.0]


def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.npz: is no file"):
        Stored(tmp_path / "gone.npz", FoldData.parse).load()


def test_a_process_gives_the_file_that_this_one_gives(unit: Unit, tmp_path: Path) -> None:
    with opened(LOCAL) as executor:
        there = executor.submit(unit, unit.fold_data).result(timeout=120)
    here = unit.run(unit.fold_data.load())
    assert there.content == here.content
    unit.land(there)
    assert unit.result.read_bytes() == here.content
    assert unit.seconds() == there.cost["seconds"] > 0.0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"seconds": null}', "\udcff"])
def test_a_cost_that_cannot_be_read_is_not_known(unit: Unit, content: str) -> None:
    assert np.isnan(unit.seconds())
    unit.result.parent.mkdir(parents=True)
    unit.result.with_suffix(".json").write_bytes(content.encode(errors="surrogateescape"))
    assert np.isnan(unit.seconds())


def test_an_engine_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="--engine spark: there is none; choose from local"):
        chosen("spark", None)


def test_a_choice_without_a_number_takes_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    assert chosen("local", None).cores == 7
    assert chosen("local", 3).cores == 3
