"""Which baseline a head has to beat: chosen on training rows, before anything it is judged on."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot.blocks import F64
from bot.config.schema import Report
from bot.parts.registry import part
from bot.report.skill import rivals as module
from bot.report.skill import verdicts
from bot.report.skill.baselines import Head, eras, heads
from bot.report.skill.baselines.rows import split
from bot.report.skill.baselines.terms import squared_ranges, squared_realised
from bot.report.skill.baselines.variances import scaled
from bot.report.skill.rivals import Rivals, of_kind
from tests.report.conftest import EVERY

if TYPE_CHECKING:
    from bot.report.inputs import RunData

REPORT = Report(bootstrap_samples=100)


@pytest.fixture(scope="module")
def seasonal(run_maker: Callable[..., RunData]) -> RunData:
    """A run whose volume follows the one of a week before."""
    made: RunData = run_maker(n=2200, start=1500, seed=8)
    assert made.labels is not None
    labels = made.labels.copy()
    random = np.random.default_rng(3)
    for t in range(168, len(labels)):
        labels[t, :, 3] = 0.9 * labels[t - 168, :, 3] + 0.1 * random.standard_normal(3)
    labels[~made.bars.valid] = np.nan
    return dataclasses.replace(made, labels=labels)


def head_of(run: RunData, kind: str) -> Head:
    return next(h for h in heads(run) if h.task.kind == kind)


def test_the_one_with_the_least_loss_on_the_later_training_rows_is_chosen(
    seasonal: RunData,
) -> None:
    """Worked out again from the fits themselves."""
    for kind in ("return", "direction", "volatility", "volume"):
        head = head_of(seasonal, kind)
        against = Rivals(EVERY).of(seasonal, head)
        assert sum(against.chosen.values()) == 2
        for era in eras(seasonal, head):
            parted = split(era)
            assert parted is not None
            older, rest = parted
            losses: dict[str, F64] = {}
            for entry in of_kind(kind, EVERY):
                fit = entry.made(seasonal, head)
                whole = np.full(head.label.shape, np.nan)
                if kind == "volatility":
                    made = scaled(fit, older, head)
                    assert made is not None
                    whole[older.bars] = made.variance(older.bars)
                    ratio = head.label**2 / whole
                    losses[entry.name] = ratio - np.log(ratio) - 1.0
                else:
                    fitted = fit(older)
                    assert fitted is not None
                    whole[older.bars] = fitted(older.bars)
                    losses[entry.name] = (whole - head.label) ** 2
            cells = np.zeros(head.label.shape, dtype=np.bool_)
            cells[rest.span] = rest.trained
            for one in losses.values():
                cells &= np.isfinite(one)
            best = min(losses, key=lambda name: losses[name][cells].mean())
            np.testing.assert_array_equal(
                against.strongest[era.bars], against.forecasts[best][era.bars], err_msg=kind
            )


def test_a_seasonal_volume_is_best_told_by_the_ridge(seasonal: RunData) -> None:
    head = verdicts.skill(seasonal, REPORT)["volume_3"]
    against = head["against"]
    assert against["chosen"] == {"volume_ridge": 2}
    assert against["measure"] == "mse_skill"
    assert list(against["each"]) == ["hour_of_week_mean", "volume_ridge"]
    plain, ridge = against["each"].values()
    assert against["strongest"] == ridge
    assert plain == head["measures"]["mse_skill"]
    assert ridge["baseline_score"] < plain["baseline_score"]


def test_what_is_held_against_the_plain_one_is_what_the_measures_say(seasonal: RunData) -> None:
    for head in verdicts.skill(seasonal, REPORT).values():
        against = head["against"]
        plain = next(iter(against["each"].values()))
        assert plain == head["measures"][against["measure"]]


def test_labels_after_the_due_bar_do_not_change_the_choice(seasonal: RunData) -> None:
    due = int(np.searchsorted(seasonal.open_time, seasonal.models[0].due_ms))
    assert seasonal.labels is not None
    labels = seasonal.labels.copy()
    labels[due - 2 :] = 0.5
    changed = dataclasses.replace(seasonal, labels=labels, models=seasonal.models[:1])
    for kind in ("direction", "volatility", "volume"):
        found = [
            Rivals(EVERY).of(run, head_of(run, kind)).chosen
            for run in (dataclasses.replace(seasonal, models=seasonal.models[:1]), changed)
        ]
        assert found[0] == found[1], kind


def test_what_says_little_is_not_chosen(seasonal: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    """HAR and log-HAR need half a month of bars, and a training of a week has none."""
    week = dataclasses.replace(
        seasonal.models[0],
        train_from_ms=int(seasonal.open_time[0]), train_to_ms=int(seasonal.open_time[168]),
        due_ms=int(seasonal.open_time[171]),
    )  # fmt: skip
    young = dataclasses.replace(seasonal, models=(week, seasonal.models[1]))
    head = head_of(young, "volatility")
    against = Rivals(("har", "log_har")).of(young, head)
    first = next(iter(eras(young, head)))
    np.testing.assert_array_equal(against.strongest[first.bars], against.plain[first.bars])
    assert np.isnan(against.forecasts["log_har"][first.bars]).all()
    monkeypatch.setattr(module, "split", lambda _: None)
    assert Rivals(EVERY).of(seasonal, head_of(seasonal, "volume")).chosen == {
        "hour_of_week_mean": 2
    }


def test_each_kind_has_its_plain_one_first_and_those_asked_for() -> None:
    def names(kind: str, *asked: str) -> list[str]:
        return [p.name for p in of_kind(kind, asked)]

    assert names("volatility", "log_har", "ewma", "volume_ridge") == ["ewma", "log_har"]
    assert names("volatility", "garch") == ["ewma", "garch"]
    assert names("return", *EVERY) == ["zero", "return_ridge"]
    assert names("direction", *EVERY) == names("regime", *EVERY) == ["base_rate", "logistic"]
    assert names("range", *EVERY) == ["training_mean"]


def test_a_baseline_is_worked_out_once_for_runs_of_the_same_labels(
    seasonal: RunData, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivals, head = Rivals(EVERY), head_of(seasonal, "volume")
    first = rivals.of(seasonal, head)
    assert seasonal.forecast is not None
    louder = dataclasses.replace(
        seasonal,
        forecast=dataclasses.replace(seasonal.forecast, value=2.0 * seasonal.forecast.value),
    )
    assert rivals.of(louder, head_of(louder, "volume")) is first
    shorter = dataclasses.replace(seasonal, models=seasonal.models[:1])
    assert rivals.of(shorter, head_of(shorter, "volume")) is not first
    assert seasonal.labels is not None
    other = dataclasses.replace(seasonal, labels=seasonal.labels.copy())
    with pytest.raises(ValueError, match="other labels"):
        rivals.of(other, head_of(other, "volume"))


def test_markets_that_say_nothing_are_judged_without_a_warning(run: RunData) -> None:
    """Whatever is not known is None: no volume, no ranges, no moves, no outcome of one kind."""
    assert run.labels is not None
    bars, flat = run.bars, np.full_like(run.bars.close, 100.0)
    rises, still, none = (run.labels.copy() for _ in range(3))
    rises[:, :, 1], still[:, :, 2], none[:] = 1.0, 0.0, np.nan
    config = Report(bootstrap_samples=100, baselines=(*EVERY, "garch"))
    of_bars: list[dict[str, Any]] = [
        {"volume": np.zeros_like(bars.volume)},
        {"high": bars.close, "low": bars.close},
        {"open": flat, "high": flat, "low": flat, "close": flat},
    ]
    odd = [dataclasses.replace(run, bars=dataclasses.replace(bars, **some)) for some in of_bars]
    odd += [dataclasses.replace(run, labels=labels) for labels in (rises, still, none)]
    for one in odd:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = verdicts.skill(one, config)
        json.dumps(found, allow_nan=False)
        assert set(found) == {"return_3", "direction_3", "volatility_3", "volume_3"}


def test_a_baseline_without_a_fit_costs_the_next_none(
    seasonal: RunData, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False])

    def first_has_none(fit: Any, era: Any, head: Head) -> Any:
        return scaled(fit, era, head) if next(answers, True) else None

    monkeypatch.setattr(module, "scaled", first_has_none)
    head = head_of(seasonal, "volatility")
    against = Rivals(("har",)).of(seasonal, head)
    bars = next(iter(eras(seasonal, head))).bars
    assert np.isnan(against.forecasts["ewma"][bars]).all()
    assert np.isfinite(against.forecasts["har"][bars]).any()


def test_no_loss_is_told_where_the_volatility_was_zero() -> None:
    told = module.loss("volatility", np.array([0.01, 0.01]), np.array([0.0, 0.1]))
    assert np.isnan(told[0])
    assert told[1] == pytest.approx(0.0)


def test_realised_variances_are_taken_where_there_are_any(seasonal: RunData) -> None:
    valid = seasonal.bars.valid.copy()
    valid[10, 0] = False
    realised = np.full(valid.shape, np.nan)
    realised[5:15, 0] = 1e-4
    run = dataclasses.replace(
        seasonal, bars=dataclasses.replace(seasonal.bars, valid=valid, realised_variance=realised)
    )
    found, ranges = squared_realised(run), squared_ranges(run)
    held = np.isfinite(realised) & valid
    np.testing.assert_array_equal(found[held], 1e-4)
    np.testing.assert_array_equal(found[~held], ranges[~held])
    assert np.isnan(found[10, 0])


def test_a_symbol_without_labels_shortens_no_other_ones_garch(seasonal: RunData) -> None:
    pytest.importorskip("arch", reason="the extra 'garch' is not installed")
    assert seasonal.labels is not None
    labels = seasonal.labels.copy()
    head = head_of(seasonal, "volatility")
    era = next(iter(eras(seasonal, head)))
    labels[era.stop - 200 : era.stop, 1] = np.nan
    fewer = dataclasses.replace(seasonal, labels=labels)
    told = []
    for run in (seasonal, fewer):
        at = head_of(run, "volatility")
        fitted = part("baseline", "garch").made(run, at)(next(iter(eras(run, at))))
        assert fitted is not None
        told.append(fitted(era.bars)[:, 0])
    np.testing.assert_array_equal(*told)
