"""A comparison: what it trains on, what it keeps, and what it refuses."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files.trials import NAME as REGISTER
from bot.adapters.files.trials import read as read_trials
from bot.app.backtest.bar_source import HeldBars
from bot.app.backtest.preparing import read_market
from bot.app.study import unit as study_unit
from bot.app.study.compare import ComparisonDone, StudyPlan, compare_command
from bot.app.study.contenders import (
    PRESETS,
    Contender,
    check_alike,
    check_cadence,
    from_files,
    preset,
)
from bot.app.study.data import Study
from bot.app.study.folds import FoldData
from bot.app.study.setting import coverage_of
from bot.app.study.unit import read_result
from bot.blocks import BarBlock
from bot.config import load_config
from bot.errors import ConfigError, DataError, ModelError
from bot.model.training.train import train


@pytest.fixture
def contenders(study_sets: list[str]) -> list[Contender]:
    base = load_config(None, study_sets)
    alone = load_config(None, [*study_sets, "model.architecture=single"])
    return [
        Contender("together", "network", base),
        Contender("alone", "network", alone),
        Contender("shuffled", "shuffled", base),
        Contender("linear", "linear", base),
        Contender("trees", "trees", base),
    ]


def study(folder: Path, chosen: list[Contender]) -> Study:
    return Study(chosen, read_market(chosen[0].config), 2, 1, folder)


def compared(folder: Path, chosen: list[Contender]) -> ComparisonDone:
    return compare_command(chosen, "test", folder, StudyPlan(2, 1, 2), lambda done, of: None)


def test_every_contender_is_measured_on_the_same_rows(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str]
) -> None:
    done = compared(tmp_path, contenders)
    assert units_ran
    c = done.comparison
    assert c.names == ("together", "alone", "shuffled", "linear", "trees")
    assert c.primary == ("return rank IC", "direction Brier skill", "volatility QLIKE skill")
    pairs = len(c.names) * (len(c.names) - 1) // 2
    assert sum(d.p_holm is not None for d in c.differences) == 3 * pairs
    for d in c.differences:
        ours, theirs = (c.figure(d.endpoint, name).value for name in (d.first, d.second))
        assert ours is not None
        assert theirs is not None
        assert d.value == pytest.approx(ours - theirs)
    assert c.figure("return rank IC", "together").seed_error is not None
    assert c.figure("return rank IC", "linear").seed_error is None
    for name in ("compare.md", "compare.json", "compare.png"):
        assert (done.folder / name).stat().st_size > 1000
    stored = json.loads((done.folder / "compare.json").read_text(encoding="utf-8"))
    assert stored["facts"]["alone"]["parameters"] > stored["facts"]["together"]["parameters"]


def test_a_comparison_enters_each_contender_as_a_setting_tried(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str]
) -> None:
    folder = tmp_path / "compare"
    first = compared(folder, contenders[:2]).comparison
    found, _ = read_trials(tmp_path / REGISTER)
    (entry,) = found
    assert (entry.kind, entry.where) == ("compare", "compare/test")
    assert [o.name for o in entry.outcomes] == ["together", "alone"]
    assert entry.outcomes[1].settings == {"model.architecture": "single"}
    for o in entry.outcomes:
        assert o.net_return == first.facts[o.name]["net return"]
        assert o.sharpe is not None
        annual = first.figure("Sharpe after costs", o.name).value
        assert o.sharpe * np.sqrt(8760) == pytest.approx(annual, rel=0.01), "another ddof"
    assert first.trials is not None
    assert first.trials["count"] == 2
    assert compared(folder, contenders[:2]).comparison.as_json() == first.as_json()
    wider = compare_command(
        contenders[:4], "wider", folder, StudyPlan(2, 1, 2), lambda done, of: None
    )
    assert wider.comparison.trials is not None
    assert wider.comparison.trials["count"] == 6
    ratios = [o.sharpe for t in read_trials(tmp_path / REGISTER)[0] for o in t.outcomes]
    best = wider.comparison.trials["best"]
    assert wider.comparison.facts[best]["deflated Sharpe"] == pytest.approx(
        wider.comparison.trials["deflated_sharpe"]
    )
    sharpes = [float(r) for r in ratios if r is not None]
    deviation = float(np.std(sharpes, ddof=1)) * np.sqrt(8760)
    assert wider.comparison.trials["sharpe_deviation"] == pytest.approx(deviation)
    told = (wider.folder / "compare.md").read_text("utf-8")
    assert "6 settings in 2 entries of" in told
    assert f"The best Sharpe ratio here is that of {best}." in told


def test_a_comparison_says_what_it_covers(tmp_path: Path, contenders: list[Contender]) -> None:
    whole = study(tmp_path, contenders[:1])
    assert coverage_of(whole).endswith("of the bars are forecast. ")
    market = read_market(contenders[0].config)
    valid = market.bars.valid.copy()
    valid[: int(0.9 * len(valid)), 0] = False
    gone = replace(market, source=HeldBars(replace(market.bars, valid=valid)))
    told = coverage_of(Study(contenders[:1], gone, 2, 1, tmp_path))
    assert f"**Little is covered: {market.symbols[0]} " in told


def test_what_is_trained_stays_and_nothing_else_changes(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str]
) -> None:
    chosen = contenders[:2]
    first = compared(tmp_path, chosen)
    assert len(units_ran) == 2 * 2 * 2
    units_ran.clear()
    made = Study(chosen, read_market(chosen[0].config), 2, 1, tmp_path).units(2)
    made[3].result.unlink()
    again = compared(tmp_path, chosen)
    assert units_ran == [made[3].label]
    before, after = (
        [(f.endpoint, f.contender, f.value, f.low) for f in done.comparison.figures]
        for done in (first, again)
    )
    assert before == after


def test_a_fold_trains_on_what_was_known_before_it(
    tmp_path: Path, contenders: list[Contender]
) -> None:
    made = study(tmp_path, contenders)
    for fold in made.folds:
        unit = next(u for u in made.units(1) if u.fold == fold.number)
        made.write_data(unit)
        data = FoldData.read(unit.data)
        assert data.dataset.known_at is not None
        assert int(data.dataset.known_at.max()) <= fold.due < fold.first
        assert len(data.x) == fold.stop - fold.first
    assert made.folds[0].stop == made.folds[1].first


def test_the_future_changes_nothing_in_a_folds_models(
    tmp_path: Path, contenders: list[Contender]
) -> None:
    chosen = contenders[:1]
    market = read_market(chosen[0].config)
    before = Study(chosen, market, 2, 1, tmp_path / "a")
    at = before.folds[0].due + 1
    bars = market.bars
    changed: dict[str, Any] = {}
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(bars, name).copy()
        values[at:] *= np.linspace(1.0, 3.0, len(bars) - at)[:, None]
        changed[name] = values
    other: BarBlock = replace(bars, **changed)
    after = Study(chosen, replace(market, source=HeldBars(other)), 2, 1, tmp_path / "b")
    datasets = []
    for made in (before, after):
        unit = made.units(1)[0]
        made.write_data(unit)
        datasets.append(FoldData.read(unit.data).dataset)
    assert datasets[0].digest() == datasets[1].digest()


def test_shuffled_labels_tell_nothing_of_the_other_tasks(
    tmp_path: Path, contenders: list[Contender]
) -> None:
    made = study(tmp_path, contenders[2:3])
    unit = made.units(1)[0]
    made.write_data(unit)
    seen: list[Any] = []

    def watch(
        dataset: Any, model: Any, training: Any, seed: int, judged_by: Any, needed: Any
    ) -> Any:
        assert judged_by == (dataset.tasks[len(seen)],)
        assert needed == unit.judged
        seen.append(dataset)
        return train(dataset, model, training, seed, judged_by=judged_by, needed=needed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_unit, "train", watch)
        unit.land(unit.run(FoldData.read(unit.data)))
    original = FoldData.read(unit.data).dataset
    assert len(seen) == 4
    for k, dataset in enumerate(seen):
        for j in range(4):
            same = np.array_equal(dataset.y[:, j], original.y[:, j], equal_nan=True)
            assert same == (j == k)
            assert np.array_equal(
                np.sort(dataset.y[:, j]), np.sort(original.y[:, j]), equal_nan=True
            )
    rows = made.forecastable()[made.folds[0].first : made.folds[0].stop]
    value, shrunk, facts = read_result(unit, made.folds[0].first, rows)
    assert value.shape[2] == shrunk.shape[2] == 4
    np.testing.assert_array_equal(value[:, :, 2:], shrunk[:, :, 2:])
    assert facts["variance_scales"]["volatility_5"] > 0.0


def test_a_failed_training_names_itself_and_spares_the_others(
    tmp_path: Path, contenders: list[Contender], study_sets: list[str], units_ran: list[str]
) -> None:
    good = contenders[0]
    bad = Contender("greedy", "network", load_config(None, [*study_sets, "training.min_rows=1400"]))
    with pytest.raises(ModelError, match=r"4 of 8 trainings failed.*\n.*greedy") as caught:
        compared(tmp_path, [good, bad])
    assert "training.min_rows = 1400 are needed" in str(caught.value)
    assert len(units_ran) == 8
    assert len(list((tmp_path / "units").glob("*.npz"))) == 4


@pytest.mark.parametrize(
    ("module", "sets", "extra"),
    [
        ("sklearn.linear_model", [], "compare"),
        ("cvxpy", ["training.gradients=cagrad"], "gradients"),
    ],
)
def test_a_missing_package_is_told_before_anything_is_trained(
    module: str, sets: list[str], extra: str, tmp_path: Path, study_sets: list[str],
    units_ran: list[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    config = load_config(None, [*study_sets, *sets])
    monkeypatch.setitem(sys.modules, module, None)
    chosen = [Contender("network", "network", config)]
    if not sets:
        chosen.append(Contender("linear", "linear", config))
    with pytest.raises(
        ConfigError, match=rf"not installed; install the extra '{extra}'.*\.\[{extra}\]"
    ):
        compared(tmp_path, chosen)
    assert not units_ran
    assert not list(tmp_path.iterdir())


def test_folds_that_do_not_lie_in_the_bars_are_refused(
    tmp_path: Path, contenders: list[Contender]
) -> None:
    chosen = contenders[:2]
    with pytest.raises(DataError, match="ask for fewer or shorter folds"):
        Study(chosen, read_market(chosen[0].config), 9, 6, tmp_path)


def test_a_cadence_that_no_fold_has_is_refused(contenders: list[Contender]) -> None:
    first, second = contenders[:2]
    weekly = first.config.retrain.model_copy(update={"cron": "0 0 * * 0"})
    other = replace(second, config=second.config.model_copy(update={"retrain": weekly}))
    with pytest.raises(ConfigError, match=r"retrain\.cron differs .*add --retrain-inside"):
        check_cadence([first, other], inside=False)
    check_cadence([first, other], inside=True)
    never = first.config.retrain.model_copy(update={"trigger": "never"})
    idle = replace(second, config=second.config.model_copy(update={"retrain": never}))
    check_cadence([idle, first], inside=False)
    check_cadence([first, second], inside=False)
    unread = first.config.retrain.model_copy(update={"hours": 7, "every_bars": 9})
    read_by_cron = replace(second, config=second.config.model_copy(update={"retrain": unread}))
    check_cadence([first, read_by_cron], inside=False)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_is_one_comparison(name: str) -> None:
    made = preset(name, None, [])
    check_alike(made)
    assert len({c.name for c in made}) == len(made)


def test_a_name_means_the_same_in_every_preset() -> None:
    meant: dict[str, Any] = {}
    for entries in (made() for made in PRESETS.values()):
        for name, kind, over in entries:
            config = load_config(None, over, {})
            assert meant.setdefault(name, (kind, config)) == (kind, config), name
            assert ("matched" in name) == config.model.match_parameters


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    files = []
    for name, text in (("a", ""), ("b", '[execution]\nprice = "open"\n')):
        files.append(tmp_path / f"{name}.toml")
        files[-1].write_text(text, encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"execution\.price differs between a and b .* only a live run"
    ):
        from_files([str(f) for f in files], [])
    files[-1].write_text("[features]\nwindow = 40\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"features\.window differs between a and b"):
        from_files([str(f) for f in files], [])
    with pytest.raises(ConfigError, match="two settings files or more"):
        from_files([str(files[0])], [])
    with pytest.raises(ConfigError, match="names must differ"):
        from_files([str(files[0]), str(files[0])], [])
    with pytest.raises(ConfigError, match="choose from mtl-vs-single"):
        preset("best", None, [])
