"""bot sweep: what a setting comes to is its backtest's, to the bit; all of it is entered and judged."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bot.adapters.files.trials import NAME, read
from bot.adapters.journal.forms import open_journal
from bot.app.sweep.checks import check_heads
from bot.app.sweep.grid import MOST, axes_of, points
from bot.app.sweep.source import source_of_file
from bot.config import load_config
from bot.errors import ConfigError, DataError, JournalError
from bot.report.why import NUMBERS
from tests.app.sweep.conftest import SETS, Backtest
from tests.conftest import QUICK

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.usefixtures("no_pictures")

VARY = [
    "--vary",
    "policy.cost_multiple=0.25..1:2",
    "--vary",
    "policy.kind=edge,threshold,hysteresis",
]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_setting_comes_to_what_its_backtest_gives_to_the_bit(
    cli: Cli, backtest: Backtest, tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.sweep.command.LEAST_SHARE", 2)
    runs = tmp_path / "runs"
    backtest(runs / "own")
    said = cli("sweep", runs / "own", *VARY, "--workers", workers, "--json")
    assert said.code == 0, said.err
    rows = {row["name"]: row for row in said.json["settings"]}
    assert len(rows) == said.json["count"] == 6
    for k, sets in enumerate(
        [
            ("policy.cost_multiple=0.25", "policy.kind=edge"),
            ("policy.cost_multiple=1", "policy.kind=hysteresis"),
        ]
    ):
        alone = backtest(runs / f"alone-{k}", *sets)
        row = rows[" ".join(sets)]
        assert row["fills"] > 10
        with open_journal(runs / f"alone-{k}" / "journal.db") as record:
            assert row["equity"] == record.ledger()[1]["equity"][-1]
            assert row["fills"] == len(record.fills())
            last, _ = record.decisions(record.ledger()[0][-1:])
        for s, decided in enumerate(alone.json["decided"]):
            assert decided["symbol"] == f"SYN{s}USDT"
            found = [math.nan if decided[name] is None else decided[name] for name in NUMBERS]
            np.testing.assert_array_equal(found, [last[name][0, s] for name in NUMBERS])
        assert row["net_return"] == pytest.approx(alone.json["metrics"]["total_return"], abs=0.0)
        assert row["sharpe"] == pytest.approx(alone.json["metrics"]["sharpe_ratio"], rel=1e-12)
        assert row["max_drawdown"] == alone.json["metrics"]["max_drawdown"]
        assert row["turnover_annual"] == pytest.approx(
            alone.json["edge"]["turnover_annual"], rel=1e-9
        )
    own = said.json["own"]
    assert own["equity"] == rows["policy.cost_multiple=1 policy.kind=edge"]["equity"]


def test_a_sweep_of_a_file_is_that_of_the_run_on_it(
    cli: Cli, backtest: Backtest, forecasts: Path, tmp_path: Path
) -> None:
    backtest(tmp_path / "runs" / "own")
    of_run = cli("sweep", tmp_path / "runs" / "own", *VARY, "--json")
    given = (a for item in SETS for a in ("--set", item))
    of_file = cli(
        "sweep", "--forecasts", forecasts, *given, *VARY, "--out", tmp_path / "f" / "s", "--json"
    )
    assert of_file.code == 0, of_file.err
    assert of_file.json["settings"] == of_run.json["settings"]
    assert (tmp_path / "f" / NAME).exists()


def test_all_of_it_is_entered_and_the_best_is_told_with_what_it_is_worth(
    cli: Cli, backtest: Backtest, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    backtest(runs / "own")
    said = cli("sweep", runs / "own", *VARY, "--out", runs / "s")
    assert said.code == 0, said.err
    trials, faults = read(runs / NAME)
    assert not faults
    assert [(t.kind, len(t.outcomes)) for t in trials] == [
        ("backtest", 1),
        ("sweep", 6),
    ]
    told = json.loads((runs / "s" / "sweep.json").read_text())
    assert told["trials"]["count"] == 7
    assert told["best"]["deflated_sharpe"] == told["trials"]["deflated_sharpe"] is not None
    assert told["best"]["sharpe"] == max(r["sharpe"] for r in told["settings"] if r["sharpe"])
    out = " ".join(said.out.split())
    assert "deflated Sharpe" in out
    assert "robability of backtest overfitting" in out
    page = (runs / "s" / "sweep.html").read_text()
    assert "<svg" in page
    assert "policy.cost_multiple" in page
    again = cli("sweep", runs / "own", *VARY, "--out", runs / "s")
    assert again.code == JournalError.exit_code
    assert "there is a sweep already" in again.err


@pytest.mark.parametrize(
    ("vary", "why"),
    [
        (["features.window=10,20"], "needs a training"),
        (["targets.horizons=5,6"], "needs a training"),
        (["signal.source=decision"], "needs a training"),
        (["execution.price=quote,open"], "only a live run"),
        (["sizing.disagreement_penalty=0,1"], "not recorded"),
        (["policy.cost=1,2"], "unknown setting"),
        (["polcy.cost_multiple=1,2"], r"did you mean policy\.cost_multiple"),
        (["sizing.spread_penalty=0,1"], r"is called 'sizing\.disagreement_penalty' now"),
        (["policy.cost_multiple"], "expected"),
        (["policy.cost_multiple=1,,2"], "empty value"),
        (["policy.cost_multiple=3..1:4"], "low < high"),
        (["policy.cost_multiple=0..1:4log"], "above 0"),
        (["policy.cost_multiple=0..1:x"], "expected"),
        (["policy.hold_bars=1..3:9"], "comes twice"),
        (["policy.confidence=1,2", "policy.confidence=3"], "given twice"),
        (["policy.confidence=0..1:200", "policy.cost_multiple=0..1:200"], f"{MOST:,}"),
        ([], "nothing varies"),
    ],
)  # fmt: skip
def test_what_may_not_vary_is_refused_by_name(vary: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        axes_of(vary)


def test_values_are_even_in_steps_or_ratios() -> None:
    axes = axes_of(
        ["policy.cost_multiple=0.5..2:3", "risk.max_gross=1..4:3log", "policy.hold_bars=1..5:3"]
    )
    assert [axis.values for axis in axes] == [
        ("0.5", "1.25", "2"),
        ("1", "2", "4"),
        ("1", "3", "5"),
    ]
    assert len(set(points(axes))) == 27


def test_a_value_that_a_setting_may_not_have_is_refused_before_anything_is_tried(
    cli: Cli, backtest: Backtest, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    backtest(runs / "own")
    for vary in ("risk.max_gross=1,-1", "sizing.method=fixed,sometimes", "policy.kind=edge,luck"):
        said = cli("sweep", runs / "own", "--vary", vary, "--out", runs / "s")
        assert said.code == 2, said.err
        assert vary.partition("=")[0] in said.err
    assert cli("sweep", runs / "own", "--vary", "costs.funding=true,false", "--set",
               "features.window=9", "--out", runs / "s").code == 2  # fmt: skip
    assert not (runs / "s").exists()


def test_one_value_in_two_spellings_is_refused(
    cli: Cli, backtest: Backtest, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    backtest(runs / "own")
    for vary in ("policy.cost_multiple=1,2,1.0", "policy.hold_bars=16,0x10"):
        said = cli("sweep", runs / "own", "--vary", vary, "--out", runs / "s")
        assert said.code == ConfigError.exit_code
        assert "differ; name each value once" in " ".join(said.err.split())
    assert not (runs / "s").exists()


def test_a_sweep_of_a_run_is_counted_beside_the_run_wherever_its_tables_go(
    cli: Cli, backtest: Backtest, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    backtest(runs / "own")
    said = cli("sweep", runs / "own", "--vary", "policy.kind=threshold", "--out",
               tmp_path / "elsewhere" / "s")  # fmt: skip
    assert said.code == 0, said.err
    assert "one setting" in " ".join(said.out.split())
    assert not (tmp_path / "elsewhere" / NAME).exists()
    trials, _ = read(runs / NAME)
    assert [(t.kind, len(t.outcomes)) for t in trials] == [("backtest", 1), ("sweep", 1)]
    assert cli("report", runs / "own", "--json").json["trials"]["count"] == 2


def test_a_policy_that_reads_forecasts_is_refused_where_there_are_none(forecasts: Path) -> None:
    source = source_of_file(forecasts, load_config(None, SETS, {}))
    nothing = np.full_like(source.forecast.value, np.nan)
    without = replace(source, forecast=replace(source.forecast, value=nothing))
    check_heads(source, load_config(None, ["policy.kind=edge"], {}))
    check_heads(without, load_config(None, ["policy.kind=momentum"], {}))
    for kind in ("edge", "threshold", "hysteresis"):
        with pytest.raises(ConfigError, match="has no forecast of it"):
            check_heads(without, load_config(None, [f"policy.kind={kind}"], {}))


def test_a_run_whose_file_of_forecasts_has_changed_is_refused(
    cli: Cli, backtest: Backtest, forecasts: Path, tmp_path: Path
) -> None:
    backtest(tmp_path / "runs" / "own")
    forecasts.write_text(forecasts.read_text().replace("SYN1USDT", "SYN0USDT", 1))
    said = cli("sweep", tmp_path / "runs" / "own", *VARY)
    assert said.code == DataError.exit_code
    assert "not as it was" in said.err


def test_models_of_a_rehearsal_are_asked_again_to_the_bit(cli: Cli, tmp_path: Path) -> None:
    """Slope and error at the start rest on forecasts that the record does not hold."""
    free = [f"costs.{key}=0" for key in ("taker_fee", "half_spread_bps", "slippage_bps")]
    sets = [
        *QUICK, *free, "policy.kind=edge", "policy.min_calibration_days=5", "policy.confidence=0",
        "synthetic.bars=2400", "synthetic.signal_strength=0.3", "data.start=2023-02-20",
        "sizing.method=volatility_target",
    ]  # fmt: skip
    run = tmp_path / "runs" / "own"
    given = (a for item in sets for a in ("--set", item))
    assert cli("backtest", *given, "--run-dir", run, "--json").code == 0
    with open_journal(run / "journal.db") as record:
        times, ledger = record.ledger()
        assert [row.effective_from < times[0] for row in record.models()].count(True) >= 2
        fills = len(record.fills())
    said = cli("sweep", run, "--vary", "policy.cost_multiple=1,0.5",
               "--vary", "sizing.method=volatility_target,fixed", "--json")  # fmt: skip
    assert said.code == 0, said.err
    assert said.json["own"]["equity"] == ledger["equity"][-1]
    assert said.json["own"]["fills"] == fills > 20


def test_finished_runs_are_compared_day_by_day(
    cli: Cli, backtest: Backtest, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    backtest(runs / "a")
    backtest(runs / "b", "policy.kind=threshold")
    said = cli("compare", "--runs", runs / "a", runs / "b", "--json")
    assert said.code == 0, said.err
    (told,) = said.json["differences"]
    assert [told["first"], told["second"]] == [str(runs / "a"), str(runs / "b")]
    for name in ("a", "b"):
        with open_journal(runs / name / "journal.db") as record:
            equity = record.ledger()[1]["equity"]
        assert said.json["runs"][str(runs / name)]["net_return"] == pytest.approx(
            equity[-1] / 100_000.0 - 1.0
        )
    assert "paired daily net returns" in " ".join(
        cli("compare", "--runs", runs / "a", runs / "b").out.split()
    )
    assert cli("compare", "--runs", runs / "a").code == ConfigError.exit_code
    assert cli("compare", "--runs", runs / "a", runs / "a").code == ConfigError.exit_code
    assert cli("compare", "--runs", runs / "a", runs / "b", "--set", "risk.max_gross=1").code == 2
