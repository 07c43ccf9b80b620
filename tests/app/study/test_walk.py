"""Trainings inside folds: when they are due, what they see, and what they come to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot.adapters.files.trials import NAME as REGISTER
from bot.adapters.files.trials import read as read_trials
from bot.app.backtest.bar_source import HeldBars
from bot.app.backtest.preparing import RunMarket, read_market
from bot.app.executors.choice import LOCAL, opened
from bot.app.study import trainings
from bot.app.study.compare import StudyPlan, compare_command
from bot.app.study.contenders import Contender, ContenderKind
from bot.app.study.data import Study
from bot.app.study.judging import averaged, read_units, training_spans
from bot.app.study.unit import Unit, read_result
from bot.app.study.walk import MOST_INSIDE, Fold, trainings_of
from bot.app.training.triggers import DueBars
from bot.config import load_config
from bot.config.schema import Retrain
from bot.errors import ConfigError
from bot.report.inputs import Judged
from bot.report.skill import rivals
from bot.report.skill.baselines.rows import Era, Head, heads
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Cli, RunIt

EVERY_250 = ("retrain.trigger=every_bars", "retrain.every_bars=250")


def contender(sets: list[str], *more: str, kind: ContenderKind = "network") -> Contender:
    return Contender("one", kind, load_config(None, [*sets, *more], {}))


def walked(
    folder: Path, one: Contender, folds: int, months: int, *, inside: bool = True,
    market: RunMarket | None = None, seeds: int = 1,
) -> tuple[Study, list[Unit]]:  # fmt: skip
    """Return a study and its units, all of them trained in this process."""
    market = market or read_market(one.config)
    study = Study([one], market, folds, months, folder, inside=inside)
    for name in ("data", "units"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    units = study.units(seeds)
    with opened(LOCAL) as executor:
        failed = trainings.run_trainings(
            executor, trainings.missing_of(units), study_of=lambda _: study, finished=lambda: None
        )
    assert not failed
    return study, units


def judged(study: Study, units: list[Unit]) -> Judged:
    read = read_units(units, study.forecastable())
    return averaged(study, sorted({u.seed for u in units}), read, training_spans(read))


def test_a_unit_is_the_same_whatever_the_number_of_its_fold(
    tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    """Shuffles are drawn too: by when the training is due."""
    one = contender(study_sets, kind="shuffled")
    (_, (*_, last)), (_, (*_, same)) = (walked(tmp_path / str(n), one, n, 1) for n in (1, 2))
    assert (last.fold, same.fold) == (0, 1)
    assert last.result.name == same.result.name
    assert last.result.read_bytes() == same.result.read_bytes()


@pytest.mark.parametrize(
    ("kind", "more"),
    [("network", ()), ("network", ("model.encoder=gru", "model.lookback=3")), ("linear", ())],
)
def test_a_fold_of_two_months_trained_monthly_is_two_folds_of_one(
    tmp_path: Path, study_sets: list[str], units_ran: list[str], kind: ContenderKind,
    more: tuple[str, ...],
) -> None:  # fmt: skip
    one = contender(study_sets, *more, kind=kind)
    seeds = 2 if kind == "network" else 1
    long, of_long = walked(tmp_path / "long", one, 1, 2, seeds=seeds)
    short, of_short = walked(tmp_path / "short", one, 2, 1, inside=False, seeds=seeds)
    assert [u.due_ms for u in of_long] == [u.due_ms for u in of_short]
    assert len(units_ran) == 4 * seeds, "neither has what the other has trained"
    a, b = judged(long, of_long), judged(short, of_short)
    assert a.forecast is not None
    assert b.forecast is not None
    assert np.isfinite(a.forecast.value).sum() > 1000
    # scikit-learn's linear model multiplies all rows at once, and BLAS rounds the last few by how many there are
    ulps = 1e-13 if kind == "linear" else 0.0
    np.testing.assert_allclose(a.forecast.value, b.forecast.value, rtol=ulps, atol=0.0)
    assert a.shrunk is not None
    assert b.shrunk is not None
    np.testing.assert_allclose(a.shrunk, b.shrunk, rtol=ulps, atol=0.0)
    np.testing.assert_array_equal(a.forecast.model, b.forecast.model)
    assert [m.variance_scales for m in a.models] == [m.variance_scales for m in b.models]
    assert [m.effective_from_ms for m in a.models] == [m.effective_from_ms for m in b.models]


def test_nothing_due_inside_leaves_every_unit_as_it_is(
    tmp_path: Path, study_sets: list[str]
) -> None:
    one = contender(study_sets)
    market = read_market(one.config)
    plain, inside = (
        Study([one], market, 2, 1, tmp_path, inside=inside).units(2) for inside in (False, True)
    )
    assert inside == plain, "the trigger is due where the folds begin, and there alone"
    often = Study([contender(study_sets, *EVERY_250)], market, 2, 1, tmp_path, inside=True).units(2)
    owns = [unit for unit in often if not unit.span.training]
    assert [(u.data, u.result) for u in owns] == [(u.data, u.result) for u in plain]
    assert len({u.result for u in often}) == len(often) > len(plain)


def test_cadences_share_what_is_due_at_the_same_bar(tmp_path: Path, study_sets: list[str]) -> None:
    market = read_market(contender(study_sets).config)
    names = []
    for step in (120, 240):
        sets = ("retrain.trigger=every_bars", f"retrain.every_bars={step}")
        made = Study([contender(study_sets, *sets)], market, 2, 1, tmp_path, inside=True).units(1)
        names.append({unit.result for unit in made})
    assert names[1] < names[0]


@pytest.mark.parametrize("latency", [1, 3])
def test_a_bar_is_forecast_by_the_newest_model_in_force(
    tmp_path: Path, study_sets: list[str], units_ran: list[str], latency: int
) -> None:
    one = contender(study_sets, *EVERY_250, f"retrain.latency_bars={latency}")
    study, units = walked(tmp_path, one, 2, 1)
    times = study.market.bars.open_time
    due = set(np.flatnonzero(DueBars(one.config.retrain, HOUR_MS).due(times)).tolist())
    by_due = {(u.fold, u.due_ms): u for u in units}
    rows, found = study.forecastable(), judged(study, units).forecast
    assert found is not None
    inside = 0
    for fold in study.folds:
        for bar in range(fold.first, fold.stop):
            dues = [d for d in due if fold.due < d <= bar - latency]
            unit = by_due[fold.number, int(times[max(dues, default=fold.due)])]
            inside += bool(dues)
            span = slice(unit.span.first, unit.span.stop)
            value, _, _ = read_result(unit, unit.span.first, rows[span])
            np.testing.assert_array_equal(found.value[bar], value[bar - unit.span.first])
    assert inside > 400


def test_the_future_changes_no_training_and_no_forecast_before_it(
    tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    one = contender(study_sets, *EVERY_250)
    before, units = walked(tmp_path / "before", one, 1, 2)
    k = 2
    at = units[k].span.due + 1
    bars = before.market.bars
    changed: dict[str, Any] = {}
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(bars, name).copy()
        values[at:] *= np.linspace(1.0, 3.0, len(bars) - at)[:, None]
        changed[name] = values
    market = replace(before.market, source=HeldBars(replace(bars, **changed)))
    after, others = walked(tmp_path / "after", one, 1, 2, market=market)
    rows = [
        [study.fold_data(unit).dataset.digest() for unit in made]
        for study, made in ((before, units), (after, others))
    ]
    assert len(rows[0]) > k + 1
    assert [a == b for a, b in zip(*rows, strict=True)] == [n <= k for n in range(len(units))]
    a, b = (judged(*each).forecast for each in ((before, units), (after, others)))
    assert a is not None
    assert b is not None
    np.testing.assert_array_equal(a.value[:at], b.value[:at])
    assert not np.array_equal(a.value[at:], b.value[at:], equal_nan=True)


def test_what_trainings_inside_read_is_not_written(
    tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    study, units = walked(tmp_path, contender(study_sets, *EVERY_250), 2, 1, seeds=2)
    assert len(units_ran) == len(units) > 2 * len(study.folds)
    assert len(list((tmp_path / "data").iterdir())) == len(study.folds)
    assert units_ran[:4] == [
        "one, fold 1, seed 1", "one, fold 1, seed 2",
        "one, fold 1, training 2, seed 1", "one, fold 1, training 2, seed 2",
    ]  # fmt: skip


def test_a_comparison_tells_how_often_and_is_a_trial_of_its_own(
    tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    seldom = replace(contender(study_sets), name="monthly")
    often = replace(contender(study_sets, *EVERY_250), name="often")
    folder = tmp_path / "compare"
    found = [
        compare_command(pair, "test", folder, StudyPlan(2, 1, 2, inside=inside), lambda done, of: None)
        for inside, pair in ((False, [seldom, replace(seldom, name="often")]), (True, [seldom, often]))
    ]  # fmt: skip
    plain, inside = found
    assert "Inside a fold" not in plain.setting
    assert (
        "(monthly by cron '0 0 1 * *', 2 trainings a seed; often every 250 bars, " in inside.setting
    )
    assert plain.comparison.facts["monthly"]["net return"] == inside.comparison.facts["monthly"]["net return"]  # fmt: skip
    assert plain.comparison.primary != inside.comparison.primary, "then they have other forecasts"
    facts = [done.comparison.facts["often"] for done in found]
    assert facts[0]["net return"] != facts[1]["net return"]
    assert facts[0]["excess loss return_5"] == facts[1]["excess loss return_5"]
    entries, _ = read_trials(tmp_path / REGISTER)
    assert len({entry.digest for entry in entries}) == 2


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (("retrain.trigger=never",), "retrain of one: never: a fold would have a training that no run"),
        (("retrain.cron=0 0 30 2 *",), "by cron '0 0 30 2 \\*': no training is ever due"),
        (("retrain.trigger=interval", "retrain.hours=1"), r"every 1 hour: that is \d+ trainings inside fold 1, and at most 400"),
        (("retrain.cron=0 0 1 * 7",), "write the weekday by name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_is_trained(
    tmp_path: Path, study_sets: list[str], units_ran: list[str], sets: tuple[str, ...], said: str
) -> None:
    pair = [contender(study_sets, *sets), replace(contender(study_sets, *sets), name="two")]
    with pytest.raises(ConfigError, match=said):
        compare_command(pair, "t", tmp_path, StudyPlan(2, 1, 1, inside=True), lambda done, of: None)
    assert not units_ran
    Study(pair, read_market(pair[0].config), 2, 1, tmp_path).check_inside()


def test_as_many_as_are_allowed_are_made(tmp_path: Path, study_sets: list[str]) -> None:
    times = np.arange(2000, dtype=np.int64) * HOUR_MS
    often = Retrain(trigger="every_bars", every_bars=1, start="1970-01-01")
    for latency in (1, 2):
        for stop in (500, 500 + MOST_INSIDE):
            found = trainings_of(Fold(0, 100, 100 + latency, stop), often, times, HOUR_MS)
            assert found == [
                Fold(0, 100 + k, 100 + k + latency, stop, training=k)
                for k in range(stop - 100 - latency)
            ]


def test_baselines_are_fitted_once_a_fold_and_are_the_same_for_all_cadences(
    tmp_path: Path, study_sets: list[str], units_ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[Era] = []
    whole = rivals.fitted_on

    def learned(fit: Any, era: Era, head: Head) -> Any:
        fitted.append(era)
        return whole(fit, era, head)

    monkeypatch.setattr(rivals, "fitted_on", learned)
    said = []
    for sets in ((), EVERY_250):
        run = judged(*walked(tmp_path, contender(study_sets, *sets), 2, 1))
        of = {
            head.task: rivals.Rivals(("log_har", "logistic")).of(run, head) for head in heads(run)
        }
        said.append(of)
        assert len({era.first for era in fitted}) == 2
        assert len(fitted) == 2 * sum(len(against.forecasts) for against in of.values())
        fitted.clear()
        assert (len(run.models) > 2) == bool(sets)
    monthly, often = said
    for task, against in monthly.items():
        np.testing.assert_array_equal(against.strongest, often[task].strongest)
        np.testing.assert_array_equal(against.deviation, often[task].deviation)
        assert np.isfinite(against.strongest).any()


def test_it_forecasts_what_a_backtest_forecasts(
    tmp_path: Path, study_sets: list[str], units_ran: list[str], run_it: RunIt
) -> None:
    study, units = walked(tmp_path, contender(study_sets, *EVERY_250), 2, 1)
    found, times = judged(study, units), study.market.bars.open_time
    ran = run_it(*EVERY_250, quick=study_sets)
    assert found.forecast is not None
    reader = ran.reader()
    value, model = reader.forecasts(times)
    schedule = [row.effective_from for row in reader.models()]
    reader.close()
    inside = [u.span for u in units if u.span.training]
    assert {int(times[span.first]) for span in inside} <= set(schedule)
    bars = [
        bar for fold in study.folds for bar in range(fold.first, fold.stop)
        if any(span.number == fold.number and span.first <= bar for span in inside)
    ]  # fmt: skip
    for bar in bars:
        assert int(times[bar]) >= schedule[int(model[bar])]
        np.testing.assert_array_equal(found.forecast.value[bar], value[bar])
    assert len(bars) > 700


@pytest.mark.parametrize(
    "with_it", [["--cv", "combinatorial", "--preset", "heads"], ["--runs", "a", "b"]]
)
def test_finished_runs_and_paths_have_no_trainings_inside(cli: Cli, with_it: list[str]) -> None:
    said = cli("compare", "--retrain-inside", *with_it)
    assert said.code == 2
    assert "leave out --runs and --cv combinatorial" in said.err


def test_the_command_trains_inside_folds(
    cli: Cli, tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    settings = [part for each in (*study_sets, *EVERY_250) for part in ("--set", each)]
    asked = [
        "compare", "--preset", "policies", "--retrain-inside", "--folds", "2", "--fold-months", "1",
        "--seeds", "1", "--out", tmp_path / "compare", "--json", *settings,
    ]  # fmt: skip
    said = cli(*asked)
    assert said.code == 0, said.err
    assert (
        "Inside a fold models are trained anew (edge every 250 bars, 6 trainings a seed; "
        in said.json["setting"]
    )
    assert len(units_ran) == 6, "contenders that differ in how they trade share their trainings"
