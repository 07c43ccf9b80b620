"""Contenders that differ in how they trade: one training for all, and each its own account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.app.backtest.preparing import read_market
from bot.app.study import judging
from bot.app.study.account import Traded, returns_of, trade
from bot.app.study.compare import ComparisonDone, StudyPlan, compare_command
from bot.app.study.contenders import Contender, check_alike, preset
from bot.app.study.data import Study
from bot.app.study.unit import same_forecasts
from bot.app.sweep.replay import SweepReplay
from bot.app.symbols import known_instruments
from bot.blocks import F64, Forecast
from bot.config import load_config
from bot.errors import ConfigError
from bot.report.inputs import Judged
from bot.report.study.comparison import NONE_SHOWN
from bot.report.study.endpoints import NET_RETURN

EDGE = ("policy.kind=edge", "policy.min_calibration_days=2", "policy.cost_multiple=0",
        "policy.confidence=0")  # fmt: skip
TRADERS: dict[str, tuple[str, ...]] = {
    "threshold": (),
    "edge": EDGE,
    "calibrating": ("policy.kind=edge",),
    "momentum": ("policy.kind=momentum", "policy.momentum_bars=48"),
    "dear": ("costs.half_spread_bps=9", "costs.slippage_bps=7"),
    "careful": ("risk.max_gross=0.3", "sizing.fraction=0.2"),
    "sized": ("sizing.method=volatility_target",),
    "kelly": (*EDGE, "sizing.method=kelly", "sizing.kelly_fraction=1", "policy.kind=threshold"),
    "mean_variance": (*EDGE, "sizing.method=mean_variance", "sizing.risk_aversion=0.5"),
    "loud": ("signal.threshold=0.0001",),
    "late": ("execution.fill=next_close",),
    "small": ("portfolio.initial_capital=1000", "execution.quantity_step=1"),
}
"""By name, what differs from the base; 90 days of calibration are more than the folds have."""


def traders(sets: list[str], *names: str) -> list[Contender]:
    return [Contender(n, "network", load_config(None, [*sets, *TRADERS[n]])) for n in names]


def compared(folder: Path, chosen: list[Contender]) -> ComparisonDone:
    return compare_command(chosen, "test", folder, StudyPlan(2, 1, 2), lambda done, of: None)


def strict(text: str) -> Any:
    """Read JSON that has no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def traded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Contender, Study, Judged, Traded]]:
    """Return what was traded, in the order in which it was."""
    seen = []

    def watch(study: Study, contender: Contender, judged: Judged, seeds: list[int]) -> Traded:
        account = trade(study, contender, judged, seeds)
        seen.append((contender, study, judged, account))
        return account

    monkeypatch.setattr(judging, "trade", watch)
    return seen


def test_contenders_that_only_trade_otherwise_train_once(
    tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    done = compared(tmp_path, traders(study_sets, "threshold", "momentum", "calibrating"))
    c = done.comparison
    assert len(units_ran) == len(list((tmp_path / "units").glob("*.npz"))) == 2 * 2
    assert c.facts["threshold"]["fills"] > 0
    assert c.facts["momentum"]["fills"] not in (0, c.facts["threshold"]["fills"])
    assert c.primary == (NET_RETURN,)
    money = [d for d in c.differences if d.endpoint == NET_RETURN]
    assert len(money) == 3
    for d in money:
        assert d.value is not None
        assert d.low is not None
        assert d.high is not None
        assert d.low < d.value < d.high
        assert d.p_holm is not None
    skill = [d for d in c.differences if d.endpoint == "return rank IC"]
    assert [(d.value, d.p_holm) for d in skill] == [(0.0, None)] * 3, "the same forecasts"
    assert "what is calibrated (calibrating) calibrates itself as it goes" in done.setting
    told = (done.folder / "compare.md").read_text("utf-8")
    assert "| return rank IC | momentum | +0.0000 |" not in told
    assert "rows of identical figures are left out" in told
    assert "Overfitting" not in told


def test_the_policies_have_one_training(tmp_path: Path, study_sets: list[str]) -> None:
    chosen = preset("policies", None, study_sets)
    made = {c.name: (c.config.policy.kind, c.config.policy.confidence) for c in chosen}
    assert made == {
        "edge": ("edge", 1.0), "hysteresis": ("hysteresis", 1.0), "momentum": ("momentum", 1.0),
        "threshold": ("threshold", 1.0), "edge, z = 0": ("edge", 0.0),
    }  # fmt: skip
    market = read_market(chosen[0].config)
    assert same_forecasts(Study(chosen, market, 2, 1, tmp_path).units(2))
    wide = Contender("wide", "network", load_config(None, [*study_sets, "model.hidden=[12]"]))
    assert not same_forecasts(Study([*chosen, wide], market, 2, 1, tmp_path).units(2))


def test_an_account_that_never_trades_has_a_return_and_no_ratio(
    tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    done = compared(tmp_path, traders(study_sets, "threshold", "calibrating"))
    assert units_ran
    c = done.comparison
    assert c.facts["calibrating"]["fills"] == 0
    flat = c.figure(NET_RETURN, "calibrating")
    assert (flat.value, flat.low, flat.high, flat.seed_error) == (0.0, 0.0, 0.0, 0.0)
    none = c.figure("Sharpe after costs", "calibrating")
    assert (none.value, none.low, none.high, none.seed_error) == (None, None, None, None)
    (d,) = (d for d in c.differences if d.endpoint == "Sharpe after costs")
    assert (d.value, d.low, d.high, d.p, d.verdict) == (None, None, None, None, "")
    (d,) = (d for d in c.differences if d.endpoint == NET_RETURN)
    ours = c.figure(NET_RETURN, "threshold").value
    assert d.value == ours
    stored = strict((done.folder / "compare.json").read_text("utf-8"))
    assert stored["primary"] == [NET_RETURN]
    assert "| Sharpe after costs | calibrating | – | – | – |" in (
        done.folder / "compare.md"
    ).read_text("utf-8")


def test_each_account_is_that_of_a_sweep_over_the_same_forecasts(
    tmp_path: Path, study_sets: list[str], units_ran: list[str],
    traded: list[tuple[Contender, Study, Judged, Traded]],
) -> None:  # fmt: skip
    chosen = traders(study_sets, *TRADERS)
    check_alike(chosen)
    compared(tmp_path, chosen)
    assert len(units_ran) == 4
    assert len(traded) == 3 * len(chosen), "all seeds, and each left out in turn"
    nets: dict[str, float] = {}
    for contender, study, judged, account in traded[::3]:
        assert judged.forecast is not None
        stop, symbols = study.folds[-1].stop, study.market.symbols
        forecast = Forecast(study.tasks, judged.forecast.value[:stop], judged.forecast.model[:stop])
        replay = SweepReplay(
            symbols, known_instruments(contender.config, symbols),
            study.market.bars.rows(0, stop), study.start, forecast,
        )  # fmt: skip
        tally = replay.tally(contender.config, contender.name, {})
        assert account.facts["net return"] == tally.outcome.net_return
        assert account.facts["fills"] == tally.fills
        assert account.facts["max drawdown"] == tally.drawdown
        # the sweep's is of each day's opening equity, this one of each bar's
        years = (stop - study.start) / 8760
        assert account.turnover == pytest.approx(tally.turnover / years, rel=0.02)
        assert tally.outcome.net_return is not None
        nets[contender.name] = tally.outcome.net_return
    assert list(nets) == list(TRADERS)
    assert nets.pop("calibrating") == 0.0
    assert len(set(nets.values())) == len(nets), "each setting came to something else"
    assert nets["dear"] < nets["threshold"]


def test_another_training_keeps_the_verdicts_on_the_heads(
    tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    wide = Contender("wide", "network", load_config(None, [*study_sets, "model.hidden=[12]"]))
    chosen = [*traders(study_sets, "threshold", "momentum"), wide]
    c = compared(tmp_path, chosen).comparison
    assert len(units_ran) == 2 * 4
    assert "return rank IC" in c.primary
    assert NET_RETURN not in c.primary
    (d,) = (d for d in c.differences if (d.endpoint, d.second) == ("return rank IC", "momentum"))
    assert (d.value, d.verdict) == (0.0, NONE_SHOWN)


FIVE = 'targets.kinds=["return", "direction", "volatility", "volume", "decision"]'


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([FIVE, "signal.source=decision"], r"bad trades on the decision head, and not every"),
        (
            ["model.members=2", "sizing.disagreement_penalty=1"],
            r"sizing\.disagreement_penalty of bad",
        ),
        (["costs.reference=true"], r"costs\.reference = true is for one symbol"),
    ],
)
def test_what_an_account_cannot_trade_is_told_before_anything_is_trained(
    sets: list[str], message: str, tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    both = [*study_sets, "execution.fill=next_close"]
    bad = Contender("bad", "network", load_config(None, [*both, *sets]))
    chosen = [*traders(both, "threshold"), bad]
    check_alike(chosen)
    with pytest.raises(ConfigError, match=message):
        compared(tmp_path, chosen)
    assert not units_ran
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("curve", "returns", "gross"),
    [
        ([100.0, 110.0, 99.0], [0.1, -0.1], [0.11, -0.1 + 1 / 110]),
        ([100.0, 0.0, 0.0], [-1.0, 0.0], [-0.99, 0.0]),
        ([100.0, -20.0, -20.0], [-1.0, 0.0], [-0.99, 0.0]),
    ],
)
def test_returns_end_with_a_bankruptcy(
    curve: list[float], returns: list[float], gross: list[float]
) -> None:
    costs: F64 = np.ones(2)
    found = returns_of(np.array(curve), costs)
    np.testing.assert_allclose(found[0], returns, rtol=1e-12)
    np.testing.assert_allclose(found[1], gross, rtol=1e-12)
