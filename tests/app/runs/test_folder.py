"""A run's folder: its names, how it is found, and what changes its hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.app.runs.folder import RunFolder, config_hash, config_of, find_run, new_run
from bot.config import load_config
from bot.errors import JournalError

CONFIG = load_config(environ={})


def test_a_new_run_has_its_settings(tmp_path: Path) -> None:
    folder = new_run(CONFIG, str(tmp_path / "a" / "b"), "backtest")
    assert folder.models.is_dir()
    assert config_of(folder) == CONFIG


def test_the_environment_does_not_change_a_run_that_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run(CONFIG, str(tmp_path / "r"), "backtest")
    monkeypatch.setenv("BOT_RUN__SEED", "99")
    assert config_of(folder).run.seed == 7


def test_names_made_from_the_time_do_not_collide(tmp_path: Path) -> None:
    config = load_config(None, [f"run.runs_dir={tmp_path}"], {})
    paths = [new_run(config, None, "backtest").path for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.parent == tmp_path for path in paths)


def test_a_run_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    with pytest.raises(JournalError, match="no run here"):
        find_run("one", str(tmp_path / "runs"))
    (folder / "journal.db").touch()
    assert find_run("one", str(tmp_path / "runs")) == RunFolder(folder)
    assert find_run(str(folder)) == RunFolder(folder)


def test_a_folder_with_a_run_or_no_folder_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.db").touch()
    with pytest.raises(JournalError, match="there is a run already"):
        new_run(CONFIG, str(tmp_path), "backtest")
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot make the run's folder"):
        new_run(CONFIG, str(tmp_path / "file" / "run"), "backtest")


@pytest.mark.parametrize(
    ("item", "same"),
    [
        ("run.runs_dir=elsewhere", True),
        ("run.block_bars=1", True),
        ("run.record=ledger", True),
        ("training.workers=1", True),
        ("data.root=elsewhere", True),
        ("log.level=debug", True),
        ("report.bootstrap_samples=200", True),
        ("run.seed=8", False),
        ("costs.taker_fee=0.001", False),
        ("features.window=21", False),
        ("data.history_start=2024-01-01", True),
    ],
)
def test_the_hash_knows_what_can_change_a_number(item: Any, same: bool) -> None:
    assert (config_hash(load_config(None, [item], {})) == config_hash(CONFIG)) is same
