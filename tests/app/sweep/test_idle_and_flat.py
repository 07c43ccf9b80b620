"""Settings that nothing reads are refused, and those that never traded are said to be so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.adapters.files.trials import NAME, read
from bot.app.sweep.replay import SweepReplay
from bot.errors import ConfigError, JournalError
from tests.app.sweep.conftest import Backtest

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


class _Clock(datetime):
    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return NOW


@pytest.fixture
def run(backtest: Backtest, tmp_path: Path) -> Path:
    backtest(tmp_path / "runs" / "own")
    return tmp_path / "runs" / "own"


@pytest.mark.parametrize(
    ("vary", "sets", "reader"),
    [
        ("policy.cost_multiple=1,2", ["policy.kind=threshold"], "policy.kind = 'edge'"),
        ("policy.momentum_bars=9,12", [], "policy.kind = 'momentum'"),
        ("policy.exit_threshold=0,0.001", [], "policy.kind = 'hysteresis'"),
        ("signal.threshold=0.001,0.002", [], "policy.kind = 'threshold' or 'hysteresis'"),
        ("policy.confidence=0,1", ["policy.kind=threshold"], "policy.kind = 'edge', or sizing.method"),
        ("sizing.scale=0.1,0.2", [], "sizing.method = 'proportional'"),
        ("sizing.fraction=0.1,0.2", ["sizing.method=kelly"], "sizing.method = 'fixed'"),
        ("signal.factor=confidence,probability", ["policy.kind=momentum"], "reads forecasts"),
    ],
)  # fmt: skip
def test_a_key_that_no_setting_reads_is_refused_with_what_reads_it(
    cli: Cli, run: Path, tmp_path: Path, vary: str, sets: list[str], reader: str
) -> None:
    given = [a for item in sets for a in ("--set", item)]
    said = cli("sweep", run, "--vary", vary, *given, "--out", tmp_path / "s")
    assert said.code == ConfigError.exit_code
    told = " ".join(said.err.split())
    assert vary.partition("=")[0] in told
    assert reader in told
    assert not (tmp_path / "s").exists()


def test_a_key_of_set_that_no_setting_reads_is_refused_too(cli: Cli, run: Path) -> None:
    said = cli("sweep", run, "--vary", "policy.confidence=0,1", "--set", "policy.momentum_bars=9")
    assert said.code == ConfigError.exit_code
    assert "policy.momentum_bars" in said.err


def test_a_key_that_part_of_the_sweep_reads_may_vary(cli: Cli, run: Path) -> None:
    both = cli("sweep", run, "--vary", "policy.kind=threshold,edge", "--vary",
               "policy.cost_multiple=0.25,1", "--json")  # fmt: skip
    assert both.code == 0, both.err
    assert both.json["count"] == 4
    assert both.json["idle"] == []
    rows = both.json["settings"]
    assert rows[0]["equity"] == rows[1]["equity"]
    assert rows[2]["equity"] != rows[3]["equity"]


def test_a_key_that_changed_nothing_is_named(cli: Cli, run: Path) -> None:
    said = cli(
        "sweep", run, "--vary", "risk.max_gross=50,60", "--vary", "policy.cost_multiple=0.25,2"
    )
    assert said.code == 0, said.err
    told = " ".join(said.out.split())
    assert "risk.max_gross changed nothing" in told
    assert "policy.cost_multiple changed nothing" not in told


def test_where_none_traded_there_is_no_best(cli: Cli, run: Path, tmp_path: Path) -> None:
    vary = ("--vary", "policy.cost_multiple=50,100", "--vary", "policy.confidence=1,2")
    said = cli("sweep", run, *vary, "--out", tmp_path / "s")
    assert said.code == 0, said.err
    told = " ".join(said.out.split())
    assert "None of the 4 settings traded" in told
    assert "Best of" not in told
    found = json.loads((tmp_path / "s" / "sweep.json").read_text())
    assert found["traded"] == 0
    assert found["best"] is None
    assert found["trials"]["deflated_sharpe"] is None
    assert found["overfitting"]["probability"] is None
    assert found["overfitting"]["reason"] == "no setting traded"
    page = (tmp_path / "s" / "sweep.html").read_text()
    assert page.count("never traded") >= 4
    trials, _ = read(run.parent / NAME)
    assert len(trials[-1].outcomes) == 4, "they were tried all the same"


def test_the_best_is_one_that_traded_also_where_it_lost(cli: Cli, run: Path) -> None:
    """Standing flat has no ratio, so that it is no best one; a losing setting is, and says so."""
    vary = ("--vary", "policy.cost_multiple=0.1,100", "--set", "costs.taker_fee=0.05")
    said = cli("sweep", run, *vary, "--set", "policy.kind=edge", "--json")
    assert said.code == 0, said.err
    low, high = said.json["settings"]
    assert high["fills"] == 0
    assert high["sharpe"] is None
    if not low["fills"]:
        pytest.fail("the first setting was meant to trade")
    assert said.json["traded"] == 1
    assert said.json["best"]["name"] == low["name"]
    assert said.json["overfitting"]["probability"] is None
    assert "one setting trades" in said.json["overfitting"]["reason"]
    told = " ".join(cli("sweep", run, *vary).out.split())
    assert "Best of the 1 that traded (1 never did)" in told


def test_what_is_broken_off_leaves_no_folder(
    cli: Cli, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SweepReplay, "tally", interrupted)
    before = sorted(run.parent.iterdir())
    for out in ([], ["--out", tmp_path / "a" / "s"]):
        said = cli("sweep", run, "--vary", "policy.confidence=0,1", *out)
        assert said.code == 130
        assert "nothing was entered" in said.err
    assert sorted(run.parent.iterdir()) == before
    assert not (tmp_path / "a").exists()


def test_two_sweeps_in_a_second_have_a_folder_each(
    cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.sweep.command.datetime", _Clock)
    folders = [
        cli("sweep", run, "--vary", "policy.confidence=0,1", "--json").json["folder"]
        for _ in range(3)
    ]
    name = f"sweep-{NOW:%Y%m%d-%H%M%S}"
    assert [Path(folder).name for folder in folders] == [name, f"{name}-2", f"{name}-3"]


def test_a_folder_that_cannot_be_is_refused_before_anything_is_tried(
    cli: Cli, run: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "s"):
        said = cli("sweep", run, "--vary", "policy.confidence=0,1", "--out", out)
        assert said.code == JournalError.exit_code
        assert "cannot be made" in said.err
