"""The bot as a library: tables as pandas, a backtest from a script, and a quick import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import bot
from bot.app.runs.trials_view import read_trials
from bot.app.tables.columns import NAMES
from bot.errors import ConfigError, DataError, JournalError
from tests.conftest import Ran

MADE = {
    "data.source": "synthetic", "synthetic": {"bars": 700, "symbols": 2},
    "policy": {"kind": "momentum", "momentum_bars": 48},
}  # fmt: skip
TRAINS = """
print("run as", __name__)
import bot
run = bot.backtest(
    {
        "data.source": "synthetic", "data.start": "2023-02-01", "synthetic.bars": 1000,
        "synthetic.symbols": 1, "features.names": ["core"], "policy.kind": "threshold",
        "retrain.trigger": "never", "retrain.at_start": True, "training.min_rows": 300,
        "training.epochs": 1, "model.hidden": [4], "model.members": 1,
    },
    run_dir="trained",
)
print(len(run.models), "model")
"""


def test_a_run_has_its_tables(short: Ran) -> None:
    run = bot.load_run(short.folder.path)
    assert run.symbols == ("SYN0USDT", "SYN1USDT", "SYN2USDT")
    assert run.equity["equity"].iloc[-1] == short.done.equity
    assert run.config.run.seed == short.config.run.seed
    assert run.meta["mode"] == "backtest"
    for name in NAMES:
        frame = getattr(run, name)
        assert isinstance(frame, pd.DataFrame)
        assert list(frame.columns) == run.columns(name)["column"].tolist()
        assert getattr(run, name) is frame, "it is read once"
    assert len(run.models) == len(short.models())
    assert "3 symbols" in repr(run)


def test_nothing_is_read_before_it_is_asked_for(short: Ran) -> None:
    run = bot.load_run(short.folder.path)
    assert set(vars(run)) == {"_folder", "path"}


def test_what_is_not_there_is_named(short: Ran, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no run here"):
        bot.load_run(tmp_path / "nothing")
    with pytest.raises(DataError, match="'swaps': no such table; there are bars"):
        bot.load_run(short.folder.path).table("swaps")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="did you mean 'trades'"):
        bot.load_run(short.folder.path).columns("trads")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="nothing"):
        bot.nothing  # noqa: B018


def test_a_backtest_gives_the_same_kind_of_run_and_is_a_trial(tmp_path: Path) -> None:
    run = bot.backtest(MADE, run_dir=tmp_path / "a")
    again = bot.load_run(run.path)
    pd.testing.assert_frame_equal(run.trades, again.trades)
    trials = read_trials(tmp_path, None)
    assert [trial.where for trial in trials.trials] == ["a"]
    assert run.summary["metrics"]["bars"] == len(run.equity)
    assert run.verdict.splitlines()[0].startswith("a: SYN0USDT, SYN1USDT, 1h, 2023-01-01")
    assert len(run.verdict.splitlines()) == 11
    assert len(run.tear_sheet.trades) == len(run.trades)


def test_settings_may_be_a_file_and_data_a_folder(tmp_path: Path, short: Ran) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[data]\nsource = "synthetic"\n[policy]\nkind = "momentum"\n', "utf-8")
    run = bot.backtest(
        file, sets=["synthetic.bars=900"], run_dir=tmp_path / "run", end="2023-02-03"
    )
    assert str(run.equity["time"].iloc[-1]) == "2023-02-03 23:00:00+00:00"
    with pytest.raises(DataError, match="no such folder"):
        bot.backtest(file, tmp_path / "candles", run_dir=tmp_path / "other")
    with pytest.raises(ConfigError, match=r"did you mean costs\.taker_fee"):
        bot.backtest({"costs": {"taker_fe": 0.1}})


def test_a_script_without_a_main_guard_is_run_once(tmp_path: Path) -> None:
    """Trainings run in processes of their own, which must not begin the backtest again."""
    (tmp_path / "script.py").write_text(TRAINS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "run as __main__\n1 model\n"


def test_import_is_quick() -> None:
    code = "import sys, bot; print([m for m in ('numpy', 'pandas', 'torch', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
