"""`bot config check` is the start of each job: it refuses what the job refuses, all at once."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from bot.adapters.files.candle_files import write_candles
from bot.adapters.files.candles import Candles
from bot.app.backtest.command import backtest_command
from bot.app.live.command import live_command
from bot.app.start.check import advice_on_data, faults_of
from bot.config import Config, load_config
from bot.config.advice import advice
from bot.errors import BotError
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Cli

MADE = ["data.source=synthetic", "synthetic.bars=300"]


@pytest.fixture
def made(tmp_path: Path) -> list[str]:
    return [*MADE, f"run.runs_dir={tmp_path / 'runs'}"]


def begin(job: str, config: Config, run_dir: str | None) -> None:
    if job == "backtest":
        backtest_command(config, run_dir, None, None, lambda done, of: None, quiet=True)
    else:
        live_command(config, run_dir, practice=job == "practice", max_bars=1)


@pytest.mark.parametrize(
    ("job", "sets", "told"),
    [
        ("backtest", ["data.start=2024-13-01"], "data.start = '2024-13-01': no such day"),
        ("run", ["data.end=soon"], "data.end = 'soon'"),
        ("backtest", ["data.history_start=1/2/2024"], "data.history_start = '1/2/2024'"),
        ("backtest", ["data.start=2024-02-01", "data.end=2024-01-01"], "lies after data.end"),
        ("backtest", ["data.history_start=2024-02-01", "data.end=2024-01-01"], "lies after data.end"),
        ("run", ["market.venue=bibit_linear"], "no venue 'bibit_linear'"),
        ("run", ["market.symbols=BTCUSDT,us:AAPL"], "the daemon trades one Bybit venue"),
        ("run", ["market.venue=binance_spot"], "the daemon trades one Bybit venue"),
        ("run", ["data.source=files", "market.venue=bybit_spot", "features.names=return_1,basis"],
         "features.names: basis are of contracts, which BTCUSDT"),
        ("run", ["run.record=ledger"], "run.record"),
        ("run", ['features.names=["core", "log_realised_5"]'],
         "features.names: log_realised_5: made of candles shorter than the bars; set market.finer_interval"),
        ("run", ['report.baselines=["log_har_realised"]'],
         "report.baselines: log_har_realised: made of candles shorter than the bars"),
        ("run", ["market.finer_interval=1h"], "not shorter than market.interval = '1h'"),
        ("run", ["market.interval=5m", "market.finer_interval=3m"], "or no part of it"),
        ("backtest", [*MADE, "market.finer_interval=5m"], "the synthetic market has no candles inside"),
        ("backtest", ["market.venue=us", "market.symbols=AAPL", "market.interval=1d",
                      "market.finer_interval=5m"], "us trades in sessions"),
        ("practice", ["execution.fill=next_close"], "execution.fill"),
        ("practice", ["retrain.cron=0 0 1 * mon"], "a day and a weekday at once"),
        ("backtest", ["retrain.cron=0 0 1 * 1"], "write the weekday by name"),
        ("run", ["retrain.cron=0 99 1 * *"], "retrain.cron = '0 99 1 * *'"),
        ("run", ["retrain.trigger=interval", "retrain.start=maybe"], "retrain.start = 'maybe'"),
        ("backtest", ["data.source=synthetic", "market.symbols=BTCUSDT"],
         "market.symbols = BTCUSDT: data.source = 'synthetic' has SYN0USDT, SYN1USDT, … SYN4USDT"),
        ("backtest", ["data.source=synthetic", "synthetic.symbols=1", "market.symbols=SYN0USDT,SYN1USDT"],
         "'synthetic' has SYN0USDT; name some of these"),
        ("backtest", ["data.source=files", "data.root=nowhere"], "nowhere: no such folder"),
        ("run", ["run.runs_dir=/dev/null"], "/dev/null is a file"),
        ("run", ["run.runs_dir=/dev/null/runs"], "/dev/null is a file"),
    ],
)  # fmt: skip
def test_what_the_job_refuses_the_check_refuses(
    job: str, sets: list[str], told: str, made: list[str], tmp_path: Path
) -> None:
    config = load_config(None, [*made, *sets], {})
    faults = [str(fault) for fault in faults_of(config, job)]  # type: ignore[arg-type]
    assert told in "\n".join(faults)
    run = None if "run.runs_dir" in sets[0] else str(tmp_path / "run")
    with pytest.raises(BotError) as caught:
        begin(job, config, run)
    assert str(caught.value) == "\n".join(faults)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["data.start=2024-01-02"], "data.start = '2024-01-02' lies behind the last bar there is, 2024-01-01 23:00"),
        (["data.end=2023-12-30"], "data.end = '2023-12-30' lies before the first bar there is, 2023-12-31 00:00"),
        (["data.start=2024-01-01T23:00"], ""),
        (["data.end=2023-12-31T00:00"], ""),
        ([], ""),
    ],
)  # fmt: skip
def test_a_span_beside_all_bars_is_a_fault_of_a_backtest(
    tmp_path: Path, sets: list[str], told: str
) -> None:
    (tmp_path / "candles").mkdir()
    for symbol, first in (("BTCUSDT", 1_703_980_800_000), ("ETHUSDT", 1_704_067_200_000)):
        n = (1_704_153_600_000 - first) // HOUR_MS
        ones = np.ones((n, 6))
        write_candles(
            tmp_path / "candles" / f"bybit_linear_{symbol}_1h.parquet",
            Candles(first + HOUR_MS * np.arange(n, dtype=np.int64), ones).frame(),
        )
    config = load_config(
        None,
        [
            f"data.root={tmp_path}",
            "market.symbols=BTCUSDT,ETHUSDT",
            f"run.runs_dir={tmp_path / 'r'}",
            *sets,
        ],
        {},
    )
    assert "\n".join(map(str, faults_of(config, "backtest"))).startswith(told)
    assert bool(faults_of(config, "backtest")) is bool(told)
    if told:
        with pytest.raises(BotError, match=told.partition(" lies")[0]):
            begin("backtest", config, str(tmp_path / "run"))


def test_a_run_that_is_named_needs_no_folder_of_runs(made: list[str], tmp_path: Path) -> None:
    config = load_config(None, [*made, "run.runs_dir=/dev/null"], {})
    assert faults_of(config, "backtest", str(tmp_path / "run")) == []
    (fault,) = faults_of(config, "backtest", "/dev/null/run")
    assert str(fault) == "--run-dir /dev/null/run: /dev/null is a file; name a folder"


@pytest.mark.parametrize("job", ["run", "practice", "backtest"])
def test_without_temporary_files_no_job_starts_and_says_which_folder(
    job: str, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(None, made, {})
    monkeypatch.setattr(tempfile, "tempdir", "/a" * 40)
    (long,) = faults_of(config, job)  # type: ignore[arg-type]
    assert "TMPDIR = /a/a" in str(long)

    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    (fault,) = faults_of(config, job)  # type: ignore[arg-type]
    assert "no folder can be written for temporary files" in str(fault)
    assert "--tmpfs /tmp" in str(fault)


@pytest.mark.parametrize("job", ["run", "practice", "backtest"])
def test_a_gradient_method_whose_solver_is_missing_is_a_fault(
    job: str, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    config = load_config(None, [*made, "training.gradients=cagrad"], {})
    (fault,) = faults_of(config, job)  # type: ignore[arg-type]
    assert "training.gradients = 'cagrad' needs a solver that is not installed" in str(fault)
    assert "pip install -c constraints.txt -e '.[gradients]'" in str(fault)


@pytest.mark.parametrize("job", ["run", "practice", "backtest"])
def test_a_gpu_that_is_not_there_is_a_fault_before_anything_is_made(
    job: str, made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    config = load_config(None, [*made, "training.device=cuda"], {})
    (fault,) = faults_of(config, job)  # type: ignore[arg-type]
    assert str(fault).startswith("training.device = 'cuda': torch ")
    assert "set training.device = 'cpu'" in str(fault)
    with pytest.raises(BotError, match=r"training\.device"):
        begin(job, config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    for setting in ("cpu", "auto"):
        config = load_config(None, [*made, f"training.device={setting}"], {})
        assert faults_of(config, job) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("job", ["run", "practice", "backtest"])
def test_a_baseline_whose_package_is_missing_is_a_fault(
    job: str, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "arch", None)
    config = load_config(None, [*made, 'report.baselines=["garch"]'], {})
    (fault,) = faults_of(config, job)  # type: ignore[arg-type]
    assert "report.baselines: garch is fitted by the package arch" in str(fault)
    assert "pip install -c constraints.txt -e '.[garch]'" in str(fault)


def test_a_sound_setting_has_no_fault(made: list[str]) -> None:
    config = load_config(None, made, {})
    assert [faults_of(config, job) for job in ("run", "practice", "backtest")] == [[], [], []]


def test_all_faults_are_told_at_once_and_shared_ones_once(cli: Cli) -> None:
    sets = ["data.start=x", "data.end=y", "market.venue=bibit", "features.names=luck",
            "retrain.cron=0 0 1 * mon", "run.runs_dir=/dev/null", "data.root=nowhere"]  # fmt: skip
    said = cli("config", "check", *(a for item in sets for a in ("--set", item)))
    assert said.code == 2
    for told in ("data.start", "data.end", '"luck"', "a day and a weekday", "/dev/null is a file"):
        assert said.err.count(told) == 1, told
    assert said.err.count("nowhere: no such folder") == 1


def test_faults_of_the_schema_do_not_hide_those_of_the_start(cli: Cli, made: list[str]) -> None:
    sets = [
        *made,
        "run.seed=x",
        "run.sed=1",
        "data.start=y",
        "features.window=0",
        "features.names=luck",
    ]
    said = cli("config", "check", "--for", "run", *(a for item in sets for a in ("--set", item)))
    assert (said.code, said.out) == (2, "")
    told = said.err.splitlines()
    keys = ("run.sed'", "run.seed = ", "features.window = ", "data.start = ", '"luck"')
    assert [sum(key in line for line in told) for key in keys] == [1] * len(keys)
    assert len(told) == len(keys)
    alone = cli("config", "check", "--for", "practice", "--set", "run.seed=x")
    assert alone.code == 2
    assert alone.err.startswith("error: run.seed = ")


def test_each_job_is_judged_by_itself(cli: Cli, made: list[str]) -> None:
    args = [a for item in [*made, "execution.fill=next_close"] for a in ("--set", item)]
    said = cli("config", "check", *args)
    assert said.code == 0
    assert "valid for: backtest" in said.out
    assert "not for run:\n  execution.fill" in said.out
    assert cli("config", "check", "--for", "run", *args).code == 2
    found = cli("config", "check", "--json", *args)
    assert found.code == 0
    assert found.json["valid"] is True
    assert [job for job, faults in found.json["faults"].items() if not faults] == ["backtest"]
    found = cli("config", "check", "--json", "--for", "run", *args)
    assert (found.code, found.json["valid"]) == (2, False)


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (
            ["signal.threshold=0.5", "policy.kind=threshold"],
            "signal.threshold = 0.5 asks for a forecast return of 50%",
        ),
        (
            [
                "signal.source=decision",
                "signal.threshold=1",
                "targets.kinds=decision",
                "policy.kind=threshold",
            ],
            "never exceeds 1",
        ),
        (["sizing.scale=0.2"], "sizing.scale = 0.2 has no effect"),
        (
            ["sizing.fraction=0.2", "sizing.method=proportional"],
            "sizing.fraction = 0.2 has no effect",
        ),
        (["sizing.kelly_fraction=0.5"], "it is read with sizing.method = 'kelly' only"),
        (
            ["sizing.correlation_bars=99", "sizing.method=kelly"],
            "it is read with sizing.method = 'mean_variance' or 'volatility_target' only",
        ),
        (
            ["sizing.volatility_target=0.1", "sizing.method=mean_variance"],
            "it is read with sizing.method = 'volatility_target' only",
        ),
        (["sizing.risk_aversion=2"], "it is read with sizing.method = 'mean_variance' only"),
        (["sizing.method=kelly", "sizing.rebalance_band=1"], "no weight moves so far"),
        (["retrain.every_bars=5"], "retrain.every_bars = 5 has no effect"),
        (["retrain.trigger=every_bars", "retrain.cron=0 0 * * *"], "retrain.cron"),
        (["training.stch_mu=1"], "it is read with training.weighting = 'stch' only"),
        (["model.lookback=9"], "model.lookback = 9 has no effect"),
        (["model.experts=9"], "model.experts = 9 has no effect"),
        (["policy.kind=threshold", "policy.confidence=2"], "policy.confidence = 2.0 has no effect"),
        (["policy.momentum_bars=9"], "policy.momentum_bars = 9 has no effect"),
        (["targets.decision_cost=0"], "targets.decision_cost"),
        (["signal.horizons=mean"], "signal.horizons"),
        (["training.patience=20"], "never stops early"),
    ],
)
def test_what_is_legal_and_useless_is_advised_against(sets: list[str], told: str) -> None:
    lines = advice(load_config(None, sets, {}))
    assert len(lines) == 1
    assert told in lines[0]


def test_the_defaults_and_our_own_configs_need_no_advice() -> None:
    assert advice(load_config(None, (), {})) == []
    for path in (Path(__file__).resolve().parents[3] / "configs").glob("*.toml"):
        assert advice(load_config(path, environ={})) == [], path


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["retrain.cron=0 0 31 feb *"], "never comes due"),
        (["data.start=2024-01-05", "data.end=2024-01-20"], "nothing is due from"),
        (["retrain.trigger=never", "retrain.at_start=false"], "--model RUN"),
        (["retrain.trigger=never"], ""),
        (["data.history_bars=200"], "a first model needs 1125 bars"),
        (["data.start=2024-01-05", "data.end=2024-02-20"], ""),
        (["data.start=x"], ""),
        ([], ""),
    ],
)
def test_a_training_that_is_never_due_is_told(sets: list[str], told: str) -> None:
    lines = advice_on_data(load_config(None, sets, {}))
    assert len(lines) == bool(told)
    assert told in "".join(lines)


@pytest.mark.parametrize("cron", ["0 0 1 * *", "0 0 * * mon", "0 0 */2 * mon", "0 0 1 * */1"])
def test_a_day_or_a_weekday_alone_means_the_same_in_cron(cron: str) -> None:
    faults = faults_of(load_config(None, [*MADE, f"retrain.cron={cron}"], {}), "backtest")
    assert ["weekday at once" in str(fault) for fault in faults] in ([], [False])
