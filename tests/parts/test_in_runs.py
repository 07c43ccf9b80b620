"""What a model, a study and a run say of the sources of a user's own parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.app.backtest.command import backtest_command
from bot.app.runs.folder import RunFolder
from bot.app.verify.proof import verify
from bot.config import load_config
from bot.errors import ConfigError
from bot.parts.plugins import load_plugins, loaded
from tests.parts.conftest import MINE, Write, forget

SETS = (
    "data.source=synthetic", "synthetic.symbols=2", "synthetic.bars=900", "training.min_rows=100",
    "training.epochs=2", "training.interpret=false", "features.names=return_1,true_range,rank",
    "targets.kinds=return,direction,volatility,upside", "retrain.trigger=every_bars",
    "retrain.every_bars=300", "model.hidden=[8]", "training.workers=1",
)  # fmt: skip


@pytest.fixture
def run(write: Write, tmp_path: Path) -> RunFolder:
    config = load_config(None, [*SETS, f"plugins={write()}"], environ={})
    backtest_command(config, str(tmp_path / "r1"), None, None, lambda *_: None, quiet=True)
    return RunFolder(tmp_path / "r1")


def test_a_run_is_proved_with_its_sources_and_refused_without(run: RunFolder, write: Write) -> None:
    digest = loaded()["mine.py"]
    for manifest in run.models.glob("*.json"):
        assert json.loads(manifest.read_text())["parts"] == {"mine.py": digest}
    assert verify(run, lambda *_: None).result.exit_code == 0
    forget()
    with pytest.raises(ConfigError, match=r"--plugin mine\.py"):
        verify(run, lambda *_: None)
    load_plugins([str(write(MINE.replace("close[1]", "close[0]")))])
    with pytest.raises(ConfigError, match=r"was made with another mine\.py"):
        verify(run, lambda *_: None)
