"""A backtest that is killed in the middle of a training leaves no file that is not its record's."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import bot.app.backtest.job as backtest_module
from bot.adapters.system.disk_room import DiskRoom
from bot.app.backtest.job import BacktestJob, run_backtest
from bot.app.backtest.preparing import prepare, read_market
from bot.app.runs.folder import RunFolder, new_run
from bot.config import load_config
from bot.log import open_log
from scripts.soaking.killing import die, fork, was_killed
from tests.conftest import QUICK

STEPS = 3
"""Of training, before the process is killed: the first model may be there by then."""


@pytest.mark.no_cover
@pytest.mark.usefixtures("inline_training")
def test_a_backtest_killed_while_it_trains_leaves_no_temporary_file(
    tmp_path: Path, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest_module, "DiskRoom", partial(DiskRoom, least_bytes=0))
    config = load_config(None, QUICK, {})
    folder = new_run(config, str(tmp_path / "run"), "test")
    with open_log(folder.log, config.log.level) as log:
        job = prepare(config, read_market(config), folder, log, lambda _done, _total: None)
        assert was_killed(fork(lambda: _die_while_training(job, monkeypatch)))
    assert [
        path for path in temporary_folder.rglob("*") if path.is_file()
    ] == []  # torch makes an empty folder
    models = {path.name for path in folder.models.rglob("*")}
    stems = {name.removesuffix(".json") for name in models if name.endswith(".json")}
    assert models == {f"{stem}{kind}" for stem in stems for kind in (".json", ".safetensors")}
    kept = {path.relative_to(folder.path).parts[0] for path in folder.path.rglob("*")}
    assert kept <= {"config.toml", "journal.db", "log.jsonl", "columns", "models", *_beside(folder)}


def _beside(folder: RunFolder) -> set[str]:
    """Return the names of SQLite's own files, which the next reader takes up."""
    return {f"{folder.journal.name}-{ending}" for ending in ("wal", "shm", "journal")}


def _die_while_training(job: BacktestJob, monkeypatch: pytest.MonkeyPatch) -> None:
    backward: Any = torch.Tensor.backward
    steps = 0

    def stepped(*given: Any, **named: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == STEPS:
            links = [
                os.readlink(f"/proc/self/fd/{fd}")
                for fd in os.listdir("/proc/self/fd")
                if _is_open(fd)
            ]
            models = str(job.folder.models)
            assert any(link.startswith(models) and link.endswith("(deleted)") for link in links)
            die()
        backward(*given, **named)

    monkeypatch.setattr(torch.Tensor, "backward", stepped)
    run_backtest(job)


def _is_open(descriptor: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{descriptor}")
