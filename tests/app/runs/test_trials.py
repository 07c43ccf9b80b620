"""Backtests in the register of trials: entered by themselves, counted by data, told in every report."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kurtosis, norm, skew

from bot.adapters.files.trials import NAME, Outcome, Trial, read
from bot.adapters.journal.forms import open_journal
from bot.app.backtest.command import write_report
from bot.app.runs.folder import RunFolder
from bot.app.runs.trials import enter, runs_dir_of, source_of, tried
from bot.blocks import F64
from bot.config import load_config
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Cli, Said

pytestmark = pytest.mark.usefixtures("no_pictures")

MARKET = ["data.source=synthetic", "synthetic.symbols=2", "synthetic.bars=400"]
SETS = [*MARKET, "report.bootstrap_samples=100", "policy.kind=threshold", "signal.threshold=0.0"]

Backtest = Callable[..., "Said"]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def forecasts(tmp_path: Path) -> Path:
    return write_forecasts(tmp_path / "forecasts.csv", 1)


def write_forecasts(path: Path, seed: int) -> Path:
    bars = synthetic_bars(load_config(None, MARKET, {}).synthetic, HOUR_MS)
    random = np.random.default_rng(seed)
    frames = [
        pd.DataFrame(
            {"timestamp": bars.open_time, "symbol": f"SYN{s}USDT",
             "return": 0.01 * random.standard_normal(len(bars)), "p_up": 0.5}
        )
        for s in range(2)
    ]  # fmt: skip
    pd.concat(frames).to_csv(path, index=False)
    return path


@pytest.fixture
def backtest(cli: Cli, runs: Path, forecasts: Path) -> Backtest:
    """Run `bot backtest` on forecasts, so that nothing is trained."""

    def go(name: str, *sets: str, code: int = 0) -> Said:
        args = [a for s in [*SETS, *sets] for a in ("--set", s)]
        said = cli("backtest", *args, "--forecasts", forecasts, "--run-dir", runs / name, "--json")
        assert said.code == code, said.err
        return said

    return go


def returns_of(folder: Path) -> F64:
    with open_journal(folder / "journal.db") as reader:
        equity = reader.ledger()[1]["equity"]
    curve = np.concatenate(([100_000.0], equity))
    return curve[1:] / curve[:-1] - 1.0


def test_every_backtest_enters_itself_and_its_figures_are_held_against_the_others(
    backtest: Backtest, cli: Cli, runs: Path
) -> None:
    """Against the formula of the paper, from the ledgers alone; a report counts what came later."""
    alone = backtest("a").json
    assert alone["trials"]["count"] == 1
    assert alone["metrics"]["deflated_sharpe"] is None
    backtest("b", "costs.taker_fee=0.002")
    third = backtest("c", "sizing.fraction=0.3", "risk.max_gross=0.5").json
    found, faults = read(runs / NAME)
    assert faults == ()
    assert [t.where for t in found] == ["a", "b", "c"]
    assert found[2].settings["sizing.fraction"] == 0.3
    assert "costs.taker_fee" not in found[2].settings

    r = [returns_of(runs / name) for name in "abc"]
    ratios = [float(x.mean() / x.std(ddof=1)) for x in r]
    for trial, ratio in zip(found, ratios, strict=True):
        assert trial.outcomes[0].sharpe == pytest.approx(ratio)
        assert trial.outcomes[0].returns == 400
    euler = 0.5772156649015329
    best = math.sqrt(np.var(ratios, ddof=1)) * (
        (1 - euler) * norm.ppf(1 - 1 / 3) + euler * norm.ppf(1 - 1 / (3 * math.e))
    )
    sr, moments = ratios[2], (skew(r[2]), kurtosis(r[2], fisher=False))
    error = math.sqrt((1 - moments[0] * sr + (moments[1] - 1) / 4 * sr**2) / 399)
    assert third["metrics"]["deflated_sharpe"] == pytest.approx(norm.cdf((sr - best) / error))
    told = third["trials"]
    assert (told["count"], told["entries"], told["ratios"]) == (3, 3, 3)
    assert told["expected_best_sharpe"] == pytest.approx(best * math.sqrt(8760))
    assert told["symbols"] == ["bybit_linear:SYN0USDT", "bybit_linear:SYN1USDT"]
    assert (told["from"], told["to"]) == ("2023-01-01T00:00:00Z", "2023-01-17T16:00:00Z")

    words = "3 settings in 3 entries of "
    assert words in cli("report", runs / "a", "--json").json["trials"]["text"]
    assert words in " ".join(cli("report", runs / "a", "--full").out.split())
    assert words in (runs / "a" / "report.html").read_text("utf-8")
    assert len(read(runs / NAME)[0]) == 3, "a report of what stands there adds nothing"


def test_the_same_again_is_no_other_trial_and_other_forecasts_of_the_same_name_are(
    backtest: Backtest, runs: Path, forecasts: Path
) -> None:
    backtest("a")
    same = backtest("again", "run.block_bars=50", "log.level=debug", "report.bootstrap_samples=150")
    assert same.json["trials"]["count"] == 1
    assert [t.where for t in read(runs / NAME)[0]] == ["a"]
    write_forecasts(forecasts, 2)
    assert backtest("b").json["trials"]["count"] == 2


def test_other_bars_are_not_the_same_data(backtest: Backtest, runs: Path) -> None:
    backtest("a")
    assert backtest("b", "synthetic.seed=2").json["trials"]["count"] == 1
    later = ["data.start=2023-01-10", "costs.taker_fee=0.002"]
    assert backtest("c", "data.end=2023-01-08").json["trials"]["count"] == 2
    assert backtest("d", *later).json["trials"]["count"] == 2, "overlaps a, not c nor b"
    learned_from = backtest("e", *later, "data.history_start=2023-01-05")
    assert learned_from.json["trials"]["count"] == 3, "with another history, another setting"
    assert len(read(runs / NAME)[0]) == 5


def test_a_run_from_before_the_register_is_entered_by_its_report(
    backtest: Backtest, cli: Cli, runs: Path
) -> None:
    backtest("a")
    entered = read(runs / NAME)[0][0]
    (runs / NAME).unlink()
    assert cli("report", runs / "a").code == 0
    (again,) = read(runs / NAME)[0]
    assert (again.key, again.outcomes) == (entered.key, entered.outcomes)


def test_a_register_that_cannot_be_written_costs_no_result(
    backtest: Backtest, cli: Cli, runs: Path
) -> None:
    (runs / NAME).mkdir(parents=True)
    said = backtest("a")
    assert said.json["metrics"]["total_return"] is not None
    assert f"warning: {runs / NAME}: the trial could not be entered (Is a directory)" in " ".join(
        said.err.split()
    ).replace(os.path.relpath(runs / NAME), str(runs / NAME))
    assert (
        "cannot be read (Is a directory): only this one is counted" in said.json["trials"]["text"]
    )
    assert (runs / "a" / "report.html").exists()
    assert cli("trials", runs).code == 5


def test_the_proof_of_a_run_does_not_ask_the_register(
    backtest: Backtest, cli: Cli, runs: Path
) -> None:
    backtest("a")
    before = cli("verify", runs / "a", "--json").json
    (runs / NAME).write_bytes(b"\xff\x00nonsense\n")
    after = cli("verify", runs / "a", "--json")
    assert after.code == 0
    assert after.json == before


def test_a_live_run_is_no_trial(tmp_path: Path) -> None:
    old = Path(__file__).parents[2] / "fixtures" / "runs" / "v1" / "live"
    folder = RunFolder(Path(shutil.copytree(old, tmp_path / "runs" / "live")))
    summary = write_report(folder)
    assert summary["trials"] is None
    assert summary["metrics"]["deflated_sharpe"] is None
    assert not (tmp_path / "runs" / NAME).exists()


def test_many_settings_at_once_weigh_as_many(tmp_path: Path) -> None:
    """As a sweep enters them."""
    outcomes = tuple(Outcome(f"k={k}", 0.0, 0.001 * k, 100, settings={"k": k}) for k in range(50))
    sweep = Trial(
        "sweep", "s", "d", {}, "files", ("v:A", "v:B"), "1h", 0, 1000, 8760.0, outcomes, 0
    )  # fmt: skip
    assert enter(tmp_path, sweep) == enter(tmp_path, sweep) == ""
    one = Trial("backtest", "b", "e", {}, "files", ("v:B",), "1m", 999, 2000, 525600.0,
                (Outcome("", 0.1, 0.02, 400),), 0)  # fmt: skip
    found = tried(tmp_path, one)
    assert (found.count, found.entries, len(found.ratios)) == (51, 2, 51)
    assert (found.symbols, found.start_ms, found.end_ms) == (("v:A", "v:B"), 0, 2000)
    scaled = [0.001 * k * math.sqrt(99) for k in range(50)] + [0.02 * math.sqrt(399)]
    assert found.variance(400) == pytest.approx(np.var(scaled, ddof=1) / 399)


def test_a_copy_of_files_is_the_same_data_and_a_made_market_is_its_own() -> None:
    def source(*sets: str) -> str:
        return source_of(load_config(None, sets, {}))

    assert source("data.root=a") == source("data.root=b") == "files"
    made = source("data.source=synthetic")
    assert made == source("data.source=synthetic", "synthetic.bars=500", "run.seed=9")
    others = [["synthetic.seed=2"], ["synthetic.volatility=0.01"], ["market.interval=4h"]]
    assert len({made, "files", *(source("data.source=synthetic", *s) for s in others)}) == 5


def test_the_register_lies_in_the_folder_that_the_runs_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, expected in (("runs/a", "runs"), ("a", "."), (".", ".."), ("runs/b/../a/", "runs")):
        assert runs_dir_of(Path(folder)) == Path(expected)


def test_bot_trials_lists_them_newest_last_with_the_best_of_each_symbol(
    backtest: Backtest, cli: Cli, runs: Path
) -> None:
    backtest("a")
    backtest("b", "costs.taker_fee=0.0")
    listed: dict[str, Any] = cli("trials", runs, "--json").json
    assert [t["where"] for t in listed["trials"]] == ["a", "b"]
    assert listed["faults"] == []
    sharpe = [t["outcomes"][0]["sharpe_annual"] for t in listed["trials"]]
    best = int(np.argmax(sharpe))
    for each in listed["by_symbol"]:
        assert (each["count"], each["entries"]) == (2, 2)
        assert each["best"]["where"] == "ab"[best]
        assert each["best"]["sharpe_annual"] == sharpe[best]
        told = cli("report", runs / "ab"[best], "--json").json["metrics"]
        assert each["best"]["deflated_sharpe"] == pytest.approx(told["deflated_sharpe"])
        assert each["best"]["tried_on_same_data"] == 2
    with (runs / NAME).open("a", encoding="utf-8") as file:
        file.write('{"layout": 1, "ki')
    said = cli("trials", runs, "--symbol", "SYN1USDT")
    assert said.code == 0
    text = " ".join(said.out.split())
    assert "bybit_linear:SYN1USDT synthetic" in text
    assert "costs.taker_fee=0.0, " in text  # first, because the other entry has it not
    assert "line 3: no entry of a trial" in text
    assert len(cli("trials", runs, "--symbol", "SYN1USDT", "--json").json["by_symbol"]) == 1
    nobody = cli("trials", runs, "--symbol", "BTCUSDT")
    assert (nobody.code, nobody.out) == (2, "")
    assert "there is bybit_linear:SYN0USDT, bybit_linear:SYN1USDT" in nobody.err


def test_bot_trials_where_there_are_none(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("trials").out.startswith("no trials in runs/trials.jsonl; every 'bot backtest'")
    assert json.loads(cli("trials", "--json").out)["trials"] == []
    assert cli("trials", "nowhere").code == 5


def test_what_a_practice_exchange_made_is_never_counted_with_a_market() -> None:
    def seen(*sets: str, live: bool = True) -> str:
        return source_of(load_config(None, sets, {}), live=live)

    practice = seen("exchange.source=practice")
    assert practice.startswith("practice ")
    assert practice != seen("exchange.source=practice", "synthetic.seed=9")
    assert practice == seen("exchange.source=practice", "synthetic.bars=9000")
    assert seen() == seen("data.source=synthetic") == "files", "a daemon on Bybit saw a market"
    assert seen("exchange.source=practice", live=False) == "files", "a backtest reads files"
