"""The command line through its real entry: what is printed where, and the exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bot.adapters.journal.forms import open_journal
from bot.config import load_config
from bot.config.example import example_toml
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import CandleWriter, Cli, Ran

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "--set", "model.hidden=[16]", "--set", "training.epochs=1", "--set", "training.min_rows=300",
    "--set", "report.bootstrap_samples=100", "--set", "synthetic.bars=1744",
    "--set", "retrain.every_bars=300",
]  # fmt: skip
SYNTHETIC = ["--config", str(ROOT / "configs" / "synthetic.toml"), *SMALL]


# --- in this process -------------------------------------------------------------------------


def test_help_names_the_commands(cli: Cli) -> None:
    said = cli("--help")
    assert said.code == 0
    for command in ("backtest", "report", "export", "fetch", "data", "config"):
        assert command in said.out
    assert cli("backtest", "--help").code == 0


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        (["backtest", "--set", "costs.taker_fe=0.1"], 2, "did you mean costs.taker_fee"),
        (["backtest", "--config", "nowhere.toml"], 2, "nowhere.toml"),
        (["backtest", "--block", "0"], 2, "run.block_bars = 0"),
        (["backtest", "--data", "/nowhere"], 3, "/nowhere: no such folder"),
        (["backtest", *SYNTHETIC, "--symbols", "BTCUSDT"], 2, "--symbols: the synthetic market"),
        (["backtest", *SYNTHETIC, "--from", "2030-01-01"], 3, "data.start = '2030-01-01'"),
        (["backtest", *SYNTHETIC, "--from", "soon"], 2, "data.start = 'soon'"),
        (["backtest", *SYNTHETIC, "--set", "retrain.cron=0 0 * * 1",
          "--set", "retrain.trigger=cron"], 2, "weekday by name"),
        (["backtest", *SYNTHETIC, "--set", "features.names=rsi,magic"], 2, "magic"),
        (["config", "show", "--set", "zzz.y=1"], 2, "unknown setting 'zzz.y'"),
        (["report", "nothing"], 5, "nothing: no run here"),
        (["export", "nothing", "--symbol", "A"], 5, "nothing: no run here"),
        (["data", "--data", "/nowhere"], 3, "/nowhere: no such folder"),
        (["fetch"], 2, "--from"),
        (["backtest", "--bloc", "1"], 2, "No such option"),
        (["bactest"], 2, "No such command"),
        (["verify", ""], 2, "after 'verify': an argument is empty"),
        (["logs", " "], 2, "after 'logs': an argument is empty"),
        (["run", "--run-dir", ""], 2, "after '--run-dir': an argument is empty"),
        (["backtest", "--config="], 2, "--config=: an argument is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_on_stderr_with_its_code(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], code: int,
    expected: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    said = cli(*args)
    assert said.code == code, said.err
    assert expected in said.err
    assert said.out == ""
    assert "Traceback" not in said.err


def test_unknown_variables_are_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_RUN__SED", "1")
    said = cli("config", "show")
    assert said.code == 2
    assert "BOT_RUN__SED" in said.err
    assert "run.seed" in said.err


def test_config_show_gives_a_file_that_loads(cli: Cli, tmp_path: Path) -> None:
    said = cli("config", "show", "--set", "run.seed=9")
    path = tmp_path / "shown.toml"
    path.write_text(said.out, encoding="utf-8")
    assert load_config(path, environ={}).run.seed == 9
    assert cli("config", "show", "--json", "--set", "run.seed=9").json["run.seed"] == 9


def test_config_check_looks_deeper_than_the_schema(cli: Cli) -> None:
    assert cli("config", "check", "--for", "run").out == "the settings are valid for: run\n"
    assert cli("config", "check", "--config", ROOT / "configs" / "synthetic.toml").code == 0
    for item in ("retrain.cron=0 99 * * *", "features.names=magic", "retrain.start=soon",
                 "market.venue=bybit_inverse"):  # fmt: skip
        said = cli("config", "check", "--set", item)
        assert said.code == 2, item
        assert said.out == ""


def test_config_schema_describes_every_setting(cli: Cli) -> None:
    schema = cli("config", "schema").json
    assert schema["$defs"]["Costs"]["properties"]["taker_fee"]["maximum"] == 0.1


def test_config_example_is_the_example_file(cli: Cli) -> None:
    said = cli("config", "example")
    assert said.out == example_toml()
    assert "costs" in tomllib.loads(said.out)


def test_data_lists_the_files(cli: Cli, write_market: CandleWriter, tmp_path: Path) -> None:
    bars = synthetic_bars(load_config(None, ["synthetic.bars=200"], {}).synthetic, HOUR_MS)
    write_market(tmp_path, "bybit_linear", ["BTCUSDT", "ETHUSDT"], bars, "1h")
    rows = cli("data", "--data", tmp_path, "--json").json
    assert [(r["symbol"], r["rows"], r["gaps"]) for r in rows] == [
        ("BTCUSDT", 200, 0), ("ETHUSDT", 200, 0),
    ]  # fmt: skip
    said = cli("data", "--data", tmp_path)
    assert "ETHUSDT" in said.out
    assert said.err == ""


def test_a_backtest_prints_one_json_object(cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = cli("backtest", *SYNTHETIC, "--run-dir", run, "--json")
    assert said.code == 0, said.err
    assert said.out.count("\n") == 1
    printed = said.json
    assert printed["run_dir"] == str(run)
    assert len(printed["ledger_sha256"]) == 64
    assert printed["seconds"] > 0
    for name in ("total_return", "annualized_return", "sharpe_ratio", "sortino_ratio",
                 "max_drawdown", "win_rate", "profit_factor"):  # fmt: skip
        assert name in printed["metrics"]
    assert {"costs", "skill", "buy_and_hold", "models"} <= printed.keys()
    assert printed["facts"]["periods_per_year"] == 8760
    assert printed["facts"]["interrupted"] is False
    html = (run / "report.html").read_text(encoding="utf-8")
    assert printed["ledger_sha256"] in html
    again = cli("backtest", *SYNTHETIC, "--run-dir", run, "--json")
    assert again.code == 5
    assert "there is a run already" in again.err
    assert again.out == ""
    (run / "report.html").unlink()
    assert cli("report", run, "--json").json == printed
    assert cli("report", run).out.endswith(f"\nreport: {run / 'report.html'}\n")
    assert (run / "report.html").read_text(encoding="utf-8") == html


@pytest.mark.usefixtures("no_pictures")
def test_from_to_and_block_are_settings(cli: Cli, tmp_path: Path) -> None:
    said = cli(
        "backtest", *SYNTHETIC, "--from", "2023-01-25", "--to", "2023-02-05T11:00",
        "--block", 50, "--run-dir", tmp_path / "r", "--json",
    )  # fmt: skip
    facts = said.json["facts"]
    assert (facts["from"], facts["to"]) == ("2023-01-25T00:00:00Z", "2023-02-05T11:00:00Z")
    written = load_config(tmp_path / "r" / "config.toml", environ={})
    assert (written.data.start, written.run.block_bars) == ("2023-01-25", 50)


@pytest.mark.usefixtures("no_pictures")
def test_the_verdict_goes_to_stdout_and_the_log_to_stderr(cli: Cli, tmp_path: Path) -> None:
    said = cli("backtest", *SYNTHETIC, "--run-dir", tmp_path / "r")
    assert said.code == 0
    told = [line for line in said.out.splitlines() if line.startswith("  ") and line[2:3].strip()]
    lines = [line.split()[0] for line in told]
    assert lines[0] == "Earned"
    assert lines[-1] == "So"
    assert len(lines) == 10
    for about in ("Earned", "Forecasts", "every table: bot report"):
        assert about in said.out
        assert about not in said.err
    assert "model_activated" in said.err
    assert "model_activated" not in said.out


@pytest.mark.usefixtures("no_pictures")
def test_all_tables_are_printed_on_request_and_several_runs_stand_side_by_side(
    cli: Cli, short: Ran, tmp_path: Path
) -> None:
    run = short.folder.path
    full = cli("report", run, "--full")
    for title in ("Symbols", "Metrics, net of costs", "From gross to net", "Targets", "Skill"):
        assert title in full.out
    for title in ("Returns by month", "Worst drawdowns", "Round trips by side", "Ratios of daily"):
        assert title in full.out
    assert "  Earned " in full.out
    both = cli("report", run, run)
    assert both.out.startswith("Side by side")
    assert f"report: {run / 'report.html'}\n" in both.out
    found = cli("report", run, run, "--json").json["runs"]
    assert found[0] == cli("report", run, "--json").json
    assert cli("report", run, run, "--full").code == 2


@pytest.mark.usefixtures("no_pictures")
def test_a_run_of_the_ledger_alone_is_reported_without_skill(cli: Cli, tmp_path: Path) -> None:
    settings = [*SYNTHETIC, "--json"]
    full = cli("backtest", *settings, "--run-dir", tmp_path / "full").json
    lean = cli(
        "backtest", *settings, "--run-dir", tmp_path / "lean", "--set", "run.record=ledger"
    ).json  # fmt: skip
    assert lean["facts"]["record"] == "ledger"
    for same in ("metrics", "since_first_model", "costs", "buy_and_hold", "symbols", "targets",
                 "models", "ledger_sha256"):  # fmt: skip
        assert lean[same] == full[same], same
    assert lean["skill"] == {}
    assert full["skill"] != {}
    assert cli("report", tmp_path / "lean").code == 0
    small, large = (
        sum(path.stat().st_size for path in (tmp_path / k / "columns").rglob("*.parquet"))
        for k in ("lean", "full")
    )
    assert small < 0.8 * large


def test_export_writes_the_documents_columns(cli: Cli, short: Ran, tmp_path: Path) -> None:
    columns = ["date", "price", "signal", "position", "position_return", "capital"]
    said = cli("export", short.folder.path, "--symbol", "SYN1USDT")
    assert said.code == 0
    assert said.out.splitlines()[0] == ",".join(columns)
    assert len(said.out.splitlines()) == short.done.bars
    for suffix in ("csv", "parquet"):
        path = tmp_path / f"rows.{suffix}"
        quiet = cli("export", short.folder.path, "--symbol", "SYN1USDT", "--out", path)
        assert (quiet.code, quiet.out) == (0, "")
        frame = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
        assert list(frame.columns) == columns
        assert frame["capital"].iloc[-1] == pytest.approx(short.done.equity)


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        (["--symbol", "DOGE"], 3, "--symbol DOGE: the run has SYN0USDT, SYN1USDT, SYN2USDT"),
        (["--symbol", "SYN0USDT", "--out", "x.xls"], 2, "ends in .csv or .parquet"),
        (["--symbol", "SYN0USDT", "--out", "/nowhere/x.csv"], 2, "cannot be written"),
        (["--symbol", "SYN0USDT", "--out", "/nowhere/x.parquet"], 2, "cannot be written"),
    ],
)
def test_an_export_that_cannot_be_is_refused(
    cli: Cli, short: Ran, args: list[str], code: int, expected: str
) -> None:
    said = cli("export", short.folder.path, *args)
    assert said.code == code
    assert expected in said.err


# --- as a process of its own -----------------------------------------------------------------


def start(*args: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the bot in a group of its own, so that Ctrl-C reaches its workers as from a terminal."""
    # a shell starts jobs in the background with Ctrl-C ignored, and a child would inherit that
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *map(str, args)], cwd=ROOT, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"COLUMNS": "120"} | (env or {}),
    )  # fmt: skip


def interrupt_after(process: subprocess.Popen[str], event: str) -> tuple[int, str, str]:
    """Press Ctrl-C once the event is logged."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if event in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    try:
        out, err = process.communicate(timeout=300)  # a busy machine is no fault
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # what it leaves open would fail the next test
        process.communicate()
        raise
    return process.returncode, out, "".join(seen) + err


def test_a_typo_ends_with_two_and_no_traceback() -> None:
    process = start("backtest", "--set", "costs.taker_fe=1")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_a_reader_that_leaves_is_no_fault() -> None:
    process = start("config", "schema")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(timeout=60)


def test_ctrl_c_in_the_middle_leaves_a_readable_run(cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(
        "backtest", *SYNTHETIC, "--set", "synthetic.bars=2400", "--set", "retrain.every_bars=900", "--set", "data.start=",
        "--block", "1", "--run-dir", run,
    )  # fmt: skip
    code, out, err = interrupt_after(process, "model_activated")
    assert code == 130, err
    assert "Traceback" not in err
    assert "every table: bot report" in out
    reader = open_journal(run / "journal.db")
    times, ledger = reader.ledger()
    meta = reader.meta
    bars = reader.bars()
    decided = times[np.isfinite(reader.decisions(times)[0]["order_quantity"]).all(axis=1)]
    state = reader.state()
    reader.close()
    assert meta["interrupted"] == "1"
    assert 0 < len(times) < 2400
    assert bars.open_time.tolist() == times.tolist() == decided.tolist()
    assert state is not None
    assert int(state["engine.clock"][0]) == times[-1]
    printed = cli("report", run, "--json").json
    assert printed["facts"]["interrupted"] is True
    assert printed["facts"]["bars"] == len(times)
    assert printed["facts"]["final_equity"] == ledger["equity"][-1]
    assert cli("backtest", *SYNTHETIC, "--run-dir", run).code == 5
    last = pd.Timestamp(int(times[-1]), unit="ms").isoformat()
    whole = cli(
        "backtest", *SYNTHETIC, "--set", "synthetic.bars=2400", "--set", "retrain.every_bars=900", "--set", "data.start=",
        "--to", last, "--run-dir", tmp_path / "again", "--json",
    )  # fmt: skip
    assert whole.json["ledger_sha256"] == meta["ledger_sha256"]


def test_ctrl_c_before_the_first_bar_is_booked(cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start(
        "backtest", *SYNTHETIC, "--set", "training.epochs=10000", "--set", "training.patience=10000",
        "--run-dir", run,
    )  # fmt: skip
    code, out, err = interrupt_after(process, "training_submitted")
    assert code == 130, err
    assert "Traceback" not in err
    assert out == ""
    said = cli("report", run)
    assert said.code == 5
    assert "no bar has been closed since the run's start" in said.err


def test_a_run_that_was_killed_can_still_be_read(short: Ran, cli: Cli) -> None:
    """What a killed process leaves is a journal without its last facts."""
    import shutil
    import sqlite3

    copy = short.folder.path.with_name("killed")
    shutil.copytree(short.folder.path, copy)
    db = sqlite3.connect(copy / "journal.db")
    db.execute("DELETE FROM meta WHERE key IN ('ledger_sha256', 'seconds', 'interrupted')")
    db.commit()
    db.close()
    printed = json.loads(cli("report", copy, "--json").out)
    assert printed["ledger_sha256"] is None
    assert printed["seconds"] is None
