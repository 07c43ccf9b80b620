"""A study's files: there and back, and what a stranger may have put in their place."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.files.arrays import read_arrays, write_arrays
from bot.app.backtest.preparing import read_market
from bot.app.study.compare import StudyPlan, compare_command
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.study.folds import FoldData, left_from_before
from bot.app.study.unit import Unit, read_result
from bot.config import load_config
from bot.errors import BotError, DataError

SHAPE = StudyPlan(2, 1, 1)


class Bomb:
    """Writes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)


@pytest.fixture
def contenders(study_sets: list[str]) -> list[Contender]:
    base = load_config(None, study_sets)
    windows = load_config(None, [*study_sets, "model.encoder=gru", "model.lookback=3"])
    return [Contender("now", "network", base), Contender("windows", "network", windows)]


def units_of(folder: Path, chosen: list[Contender]) -> list[Unit]:
    study = Study(chosen, read_market(chosen[0].config), SHAPE.folds, SHAPE.months, folder)
    units = study.units(SHAPE.seeds)
    for unit in units:
        study.write_data(unit)
    return units


def test_a_fold_comes_back_as_it_was(tmp_path: Path, contenders: list[Contender]) -> None:
    for unit in units_of(tmp_path, contenders):
        data = FoldData.read(unit.data)
        copy = tmp_path / "copy.npz"
        data.write(copy)
        again = FoldData.read(copy)
        assert again.dataset.digest() == data.dataset.digest()
        assert again.dataset.symbols == data.dataset.symbols
        assert again.features == data.features
        for name in ("x", "ready", "labels"):
            np.testing.assert_array_equal(getattr(again, name), getattr(data, name))
        assert (data.windows is None) == (unit.name == "now")
        if data.windows is not None and again.windows is not None:
            assert again.windows.lookback == data.windows.lookback == 3
            np.testing.assert_array_equal(again.windows.rows, data.windows.rows)
            np.testing.assert_array_equal(again.windows.last, data.windows.last)


def hostile(mark: Path) -> dict[str, bytes]:
    """Return files that run code in whoever unpickles them, in the forms numpy reads."""
    objects = np.empty(1, dtype=object)
    objects[0] = Bomb(mark)
    made = {"pickle": pickle.dumps(Bomb(mark))}
    for name, save in (("npy", np.save), ("npz", np.savez)):
        path = mark.parent / f"hostile.{name}"
        save(path, objects)
        made[name] = path.read_bytes()
    return made


def test_the_bomb_goes_off_where_it_is_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    pickle.loads(hostile(mark)["pickle"])
    assert mark.exists()


@pytest.mark.parametrize("form", ["pickle", "npy", "npz"])
@pytest.mark.parametrize("place", ["data", "units"])
def test_a_pickle_in_a_studys_folder_is_not_run(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str], form: str, place: str
) -> None:
    mark = tmp_path / "ran"
    bomb = hostile(mark)[form]
    for unit in units_of(tmp_path, contenders[:1]):
        path = unit.data if place == "data" else unit.result
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bomb)
        path.with_suffix(".pickle").write_bytes(bomb)
    with pytest.raises(BotError, match=r"npz: cannot be read .*delete it, and it is made anew"):
        compare_command(contenders[:1], "test", tmp_path, SHAPE, lambda done, of: None)
    assert not mark.exists()


def test_files_of_an_earlier_version_are_told_of_and_made_anew(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str]
) -> None:
    assert left_from_before(tmp_path) is None
    mark = tmp_path / "ran"
    (tmp_path / "data").mkdir()
    old = tmp_path / "data" / "0123456789abcdef0123.pickle"
    old.write_bytes(hostile(mark)["pickle"])
    assert "1 *.pickle of an earlier version" in str(left_from_before(tmp_path))
    compare_command(contenders, "test", tmp_path, SHAPE, lambda done, of: None)
    assert old.exists()
    assert not mark.exists()
    assert len(units_ran) == 4


def test_damaged_files_are_refused_by_name(tmp_path: Path, contenders: list[Contender]) -> None:
    unit = units_of(tmp_path, contenders[:1])[0]
    whole = unit.data.read_bytes()
    for content in (b"", whole[:100], whole[:-200], b"PK\x03\x04" + whole[4:5000]):
        unit.data.write_bytes(content)
        with pytest.raises(DataError, match=unit.data.name):
            FoldData.read(unit.data)
    head, arrays = (dict(part) for part in _stored(tmp_path, whole))
    for change in ({"layout": 3}, {"tasks": 5}, {"symbols": None}):
        write_arrays(unit.data, head | change, arrays)
        with pytest.raises(DataError, match="does not hold a fold"):
            FoldData.read(unit.data)
    write_arrays(unit.data, head, {k: v for k, v in arrays.items() if k != "rows.y"})
    with pytest.raises(DataError, match="does not hold a fold"):
        FoldData.read(unit.data)
    write_arrays(unit.result, {"seconds": 1.0}, both(np.zeros((2, 2, 4))))
    with pytest.raises(DataError, match="no result of this training"):
        read_result(unit, 9, ROWS)
    write_arrays(unit.result, {}, {"value": np.array(["text"])})
    with pytest.raises(DataError, match="is not what this bot writes"):
        read_result(unit, 9, ROWS)


def _stored(folder: Path, content: bytes) -> tuple[dict[str, object], dict[str, object]]:
    path = folder / "stored.npz"
    path.write_bytes(content)
    head, arrays = read_arrays(path)
    return head, dict(arrays)


def both(value: np.ndarray) -> dict[str, np.ndarray]:
    """Return a unit's forecasts, as given and as told alike."""
    return {"value": value, "told": value}


ROWS = np.array([[True, False], [True, True]])
GOOD = {
    "parameters": 9, "variance_scales": {"volatility_5": 1.0}, "rows": 8,
    "train_loss": [1.0] * 4, "test_loss": [float("nan")] * 4, "train_bars": [0, 8],
}  # fmt: skip


@pytest.mark.parametrize(
    "facts",
    [
        {"seconds": None, "more": 1}, {"parameters": "9"}, {"rows": -1}, {"variance_scales": [1.0]},
        {"variance_scales": {"volatility_5": "1"}}, {"train_loss": "four"}, {"test_loss": [1.0]},
        {"train_bars": [0, 9]}, {"train_bars": [5, 4]}, {"train_bars": [4]}, {"train_bars": 4},
    ],
)  # fmt: skip
def test_facts_that_no_training_has_are_refused(
    tmp_path: Path, contenders: list[Contender], facts: dict[str, object]
) -> None:
    unit = units_of(tmp_path, contenders[:1])[0]
    value = np.zeros((2, 2, 4))
    write_arrays(unit.result, GOOD, both(value))
    assert read_result(unit, 9, ROWS)[2]["rows"] == 8
    write_arrays(unit.result, GOOD | facts, both(value))
    with pytest.raises(DataError, match="no result of this training"):
        read_result(unit, 9, ROWS)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((1, 2, 4)), np.zeros((2, 1, 4)), np.zeros((2, 2, 3)), np.zeros((2, 8)),
        np.zeros((2, 2, 4), np.int64), np.full((2, 2, 4), np.inf), np.full((2, 2, 4), np.nan),
    ],
)  # fmt: skip
def test_forecasts_of_another_fold_are_refused(
    tmp_path: Path, contenders: list[Contender], value: np.ndarray
) -> None:
    unit = units_of(tmp_path, contenders[:1])[0]
    sound = np.zeros((2, 2, 4))
    for given in (
        {"value": value, "told": sound},
        {"value": sound, "told": value},
        {"value": sound},
    ):
        write_arrays(unit.result, GOOD, given)
        with pytest.raises(DataError, match="no result of this training"):
            read_result(unit, 9, ROWS)


def test_a_link_in_a_studys_folder_is_replaced_and_not_followed(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str]
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("precious")
    (tmp_path / "out" / "test").mkdir(parents=True)
    names = ("compare.json", "compare.md", "compare.png")
    for name in names:
        (tmp_path / "out" / "test" / name).symlink_to(mine)
    compare_command(contenders, "test", tmp_path / "out", SHAPE, lambda done, of: None)
    assert mine.read_text() == "precious"
    for name in names:
        written = tmp_path / "out" / "test" / name
        assert not written.is_symlink()
        assert written.stat().st_size > 100


@pytest.mark.parametrize("name", ["data", "units", "test"])
def test_a_folder_of_a_study_that_is_a_link_is_refused(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str], name: str
) -> None:
    """A half-written file of another program's, and a table of another study's, lie behind it."""
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    for precious in (".notes.part-1.txt", "compare.json"):
        (elsewhere / precious).write_text("precious")
    out.mkdir()
    (out / name).symlink_to(elsewhere)
    with pytest.raises(DataError, match=f"{out / name}: is a link"):
        compare_command(contenders, "test", out, SHAPE, lambda done, of: None)
    assert {path.read_text() for path in elsewhere.iterdir()} == {"precious"}
    assert len(list(elsewhere.iterdir())) == 2
    assert units_ran == []
    (out / name).unlink()
    (out / name).write_text("a file")
    with pytest.raises(DataError, match=f"{out / name}: is no folder"):
        compare_command(contenders, "test", out, SHAPE, lambda done, of: None)


def test_the_studys_own_folder_may_be_a_link(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str]
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    done = compare_command(contenders, "test", tmp_path / "out", SHAPE, lambda done, of: None)
    assert units_ran
    assert (tmp_path / "disk" / "test" / "compare.json").is_file()
    assert done.folder == tmp_path / "out" / "test"
