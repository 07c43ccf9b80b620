"""The baselines that are regressions, and GARCH: against scikit-learn, numpy and arch, and never ahead."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from arch import arch_model
from sklearn.linear_model import LogisticRegression, Ridge  # type: ignore[import-untyped]

from bot.blocks import F64, Task
from bot.config.schema import Report
from bot.errors import ConfigError
from bot.parts.registry import parts
from bot.report.skill.baselines import Baseline, Era, Head, baseline_forecast, eras, heads
from bot.report.skill.baselines.ewma import ewma_deviation
from bot.report.skill.baselines.garch import garch, parameters
from bot.report.skill.baselines.least_squares import regress
from bot.report.skill.baselines.log_har import log_har
from bot.report.skill.baselines.log_har_realised import log_har_realised
from bot.report.skill.baselines.moves import logistic, logit_coefficients, regressors, return_ridge
from bot.report.skill.baselines.rows import split
from bot.report.skill.baselines.terms import bars_of, spans, squared_ranges, weeks_before
from bot.report.skill.baselines.variances import scaled
from bot.report.skill.baselines.volume_ridge import volume_ridge
from bot.report.skill.garch_variance import filtered, mean_ahead
from bot.report.skill.rivals import check_baselines

if TYPE_CHECKING:
    from bot.report.inputs import RunData

RunMaker = Callable[..., "RunData"]


@pytest.fixture(scope="module")
def long(run_maker: RunMaker) -> RunData:
    """A run with a month and a half of bars before its first training."""
    return run_maker(n=1500, start=1100, seed=5)


def head_of(run: RunData, kind: str) -> Head:
    return next(h for h in heads(run) if h.task.kind == kind)


def known_rows(era: Era, x: F64, y: F64) -> list[tuple[int, int]]:
    """Return bar and symbol of each training row with all that a regression needs."""
    cells = zip(*np.nonzero(era.trained), strict=True)
    found = [(era.first + int(t), int(s)) for t, s in cells]
    return [c for c in found if np.isfinite(x[c]).all() and np.isfinite(y[c])]


@pytest.mark.parametrize("penalty", [0.5, 10.0])
def test_ridge_with_dummies_is_that_of_scikit_learn(penalty: float) -> None:
    random = np.random.default_rng(1)
    season, x = random.integers(0, 6, 200), random.standard_normal((200, 3)) * [1.0, 30.0, 0.01]
    y = 2.0 + 0.3 * season + x @ [0.5, 0.02, 7.0] + random.standard_normal(200)
    y[7] = x[9, 1] = np.nan
    fitted = regress(y, season, 8, x, penalty)
    assert fitted is not None
    ok = np.isfinite(y) & np.isfinite(x).all(axis=1)
    centre, width = x[ok].mean(axis=0), x[ok].std(axis=0)

    def design(season: F64, x: F64) -> F64:
        return np.column_stack((np.eye(8)[season.astype(int)], (x - centre) / width))

    oracle = Ridge(alpha=penalty).fit(design(season[ok].astype(float), x[ok]), y[ok])
    now, at = random.integers(0, 8, 20), random.standard_normal((20, 1, 3))
    expected = oracle.predict(design(now.astype(float), at[:, 0]))
    np.testing.assert_allclose(fitted(now, at)[:, 0], expected, rtol=1e-8)


def test_least_squares_with_dummies_is_that_of_numpy() -> None:
    random = np.random.default_rng(2)
    season, x = random.integers(0, 5, 150), random.standard_normal((150, 2)) - 7.0
    y = 0.3 * season + x @ [0.5, -0.2] + random.standard_normal(150)
    fitted = regress(y, season, 5, x, 0.0)
    assert fitted is not None
    oracle = np.linalg.lstsq(np.column_stack((np.eye(5)[season], x)), y, rcond=None)[0]
    expected = np.column_stack((np.eye(5)[season], x)) @ oracle
    np.testing.assert_allclose(fitted(season, x[:, None])[:, 0], expected, rtol=1e-8)
    assert regress(y[:3], season[:3], 5, x[:3], 0.0) is None


def test_a_regressor_that_never_moves_does_no_harm() -> None:
    random = np.random.default_rng(3)
    x = np.column_stack((np.full(60, 4.0), random.standard_normal(60)))
    y = 3.0 * x[:, 1] + 1.0
    for penalty in (0.0, 1e-9):
        fitted = regress(y, np.zeros(60, dtype=np.int64), 1, x, penalty)
        assert fitted is not None
        got = fitted(np.zeros(60, dtype=np.int64), x[:, None])[:, 0]
        np.testing.assert_allclose(got, y, atol=1e-6)


def test_log_har_is_least_squares_on_logs_of_ranges(long: RunData) -> None:
    """Worked out row by row from highs and lows, with numpy's own least squares."""
    head = head_of(long, "volatility")
    era = next(iter(eras(long, head)))
    bars = long.bars
    ranges = np.where(bars.valid, np.log(bars.high / bars.low) ** 2 / (4.0 * np.log(2.0)), np.nan)

    def row(t: int, s: int) -> F64:
        terms: list[float] = []
        for span in (720, 168, 24, 5, 1):
            seen = ranges[max(0, t - span + 1) : t + 1, s]
            seen = seen[np.isfinite(seen)]
            known = len(seen) >= max(1, span // 2)
            term = float(np.sqrt(seen.mean())) if known else np.nan
            terms.append(max(term, 0.05 * terms[-1]) if terms else term)
        hour = np.eye(24)[int(long.open_time[t]) // 3_600_000 % 24]
        return np.concatenate((hour, np.log(terms)))

    x = np.array([[row(t, s) for s in range(long.n_symbols)] for t in range(len(bars))])
    cells = known_rows(era, x, np.where(head.label > 0.0, head.label, np.nan))
    assert len(cells) > 800
    rows, y = np.array([x[c] for c in cells]), np.array([head.label[c] for c in cells])
    beta = np.linalg.lstsq(rows, np.log(y), rcond=None)[0]
    expected = np.exp(x[era.bars] @ beta)
    fitted = log_har(long, head)(era)
    assert fitted is not None
    np.testing.assert_allclose(fitted(era.bars), expected, rtol=1e-6)
    best = scaled(log_har(long, head), era, head)
    assert best is not None
    assert best.scale == pytest.approx(np.mean((y / np.exp(rows @ beta)) ** 2), rel=1e-6)


def test_log_har_realised_is_log_har_where_nothing_finer_is_known(long: RunData) -> None:
    head = head_of(long, "volatility")
    era = next(iter(eras(long, head)))
    by_range, realised = log_har(long, head)(era), log_har_realised(long, head)(era)
    assert by_range is not None
    assert realised is not None
    np.testing.assert_array_equal(realised(era.bars), by_range(era.bars))


def test_log_har_realised_takes_the_variance_that_is_realised(long: RunData) -> None:
    """Twice the deviation of every bar is one constant more in logs, and the same forecast."""
    head = head_of(long, "volatility")
    era = next(iter(eras(long, head)))
    bars = long.bars
    ranges = np.log(bars.high / bars.low) ** 2 / (4.0 * np.log(2.0))
    noise = np.random.default_rng(1).exponential(1.0, ranges.shape)

    def of(variance: F64) -> F64:
        run = dataclasses.replace(long, bars=dataclasses.replace(bars, realised_variance=variance))
        fitted = log_har_realised(run, head)(era)
        assert fitted is not None
        forecast: F64 = fitted(era.bars)
        return forecast

    np.testing.assert_allclose(of(4.0 * ranges), of(ranges), rtol=1e-9)
    assert not np.allclose(of(noise * ranges), of(ranges), rtol=1e-3)


@pytest.mark.parametrize(
    ("interval_ms", "bars_a_year", "expected"),
    [
        (3_600_000, 8760.0, (1, 5, 24, 168, 720)),
        (900_000, 35_040.0, (1, 4, 20, 96, 672, 2880)),
        (86_400_000, 365.0, (1, 7, 30)),
        (86_400_000, 252.0, (1, 5, 21)),
    ],
)
def test_spans_are_those_of_the_calendar(
    run: RunData, interval_ms: int, bars_a_year: float, expected: tuple[int, ...]
) -> None:
    changed = dataclasses.replace(run, interval_ms=interval_ms, periods_per_year=bars_a_year)
    assert spans(changed) == expected
    assert bars_of(changed, 0.001) == 1


@pytest.mark.parametrize("horizon", [3, 168])
def test_the_volume_ridge_is_that_of_scikit_learn(long: RunData, horizon: int) -> None:
    """A label over a week is known at the very close of the same hour of the next week."""
    head = dataclasses.replace(head_of(long, "volume"), task=Task("volume", horizon))
    era = next(iter(eras(long, head)))
    volume = np.where(long.bars.valid, long.bars.volume, np.nan)
    week = long.open_time // 3_600_000 % 168

    def mean(t: int, s: int, span: int) -> float:
        seen = volume[max(0, t - span + 1) : t + 1, s]
        seen = seen[np.isfinite(seen)]
        return float(np.log(seen.mean())) if len(seen) >= max(1, span // 2) else np.nan

    def row(t: int, s: int) -> list[float]:
        ratios = [mean(t, s, span) - mean(t, s, 20) for span in (1, 5, 24, 168, 720)]
        past = [head.label[t - 168 * w, s] if t >= 168 * w else np.nan for w in (1, 2, 3, 4)]
        kept = [[p for p in past[: w + 1] if np.isfinite(p)] for w in range(4)]
        return ratios + [float(np.mean(some)) if some else np.nan for some in kept]

    x = np.array([[row(t, s) for s in range(long.n_symbols)] for t in range(len(week))])
    cells = known_rows(era, x, head.label)
    assert len(cells) > 1000
    rows, y = np.array([x[c] for c in cells]), np.array([head.label[c] for c in cells])
    centre, width = rows.mean(axis=0), rows.std(axis=0)
    dummies = np.array([np.eye(168)[week[t]] for t, _ in cells])
    oracle = Ridge(alpha=10.0).fit(np.column_stack((dummies, (rows - centre) / width)), y)
    got = baseline_forecast(long, head, volume_ridge)
    for t in era.bars[::29].tolist():
        for s in range(long.n_symbols):
            if np.isfinite(x[t, s]).all():
                one = np.concatenate((np.eye(168)[week[t]], (x[t, s] - centre) / width))
                assert got[t, s] == pytest.approx(float(oracle.predict(one[None])[0]), rel=1e-6)


def test_weeks_before_are_found_by_the_clock(run: RunData) -> None:
    at = weeks_before(run, 1)
    assert (at[:168] == -1).all()
    np.testing.assert_array_equal(at[168:], np.arange(len(at) - 168))
    daily = dataclasses.replace(
        run, bars=dataclasses.replace(run.bars, open_time=run.open_time * 25)
    )
    found = weeks_before(daily, 1)
    for t, before in enumerate(found.tolist()):
        asked = daily.open_time[t] - 7 * 86_400_000
        assert daily.open_time[before] == asked if before >= 0 else asked not in daily.open_time


@pytest.mark.parametrize("penalty", [0.5, 10.0])
def test_logistic_is_that_of_scikit_learn(penalty: float) -> None:
    random = np.random.default_rng(4)
    x = random.standard_normal((400, 3)) * [1.0, 20.0, 0.01] + 3.0
    y = (random.random(400) < 1.0 / (1.0 + np.exp(-(x[:, 0] - 3.0)))).astype(np.float64)
    x[5, 2] = np.nan
    found = logit_coefficients(x, y, penalty)
    assert found is not None
    ok = np.isfinite(x).all(axis=1)
    standard = (x[ok] - x[ok].mean(axis=0)) / x[ok].std(axis=0)
    oracle = LogisticRegression(C=1.0 / penalty, tol=1e-10, max_iter=1000).fit(standard, y[ok])
    level, coefficients = found
    got = 1.0 / (1.0 + np.exp(-(level + x[ok] @ coefficients)))
    np.testing.assert_allclose(got, oracle.predict_proba(standard)[:, 1], rtol=1e-5)


def test_a_regressor_that_never_moves_changes_no_logistic_fit() -> None:
    random = np.random.default_rng(5)
    x = random.standard_normal((200, 1))
    y = (random.random(200) < 1.0 / (1.0 + np.exp(-x[:, 0]))).astype(np.float64)
    alone, beside = (
        logit_coefficients(z, y, 1.0) for z in (x, np.hstack([x, np.full_like(x, 2.0)]))
    )
    assert alone is not None
    assert beside is not None
    np.testing.assert_allclose(beside[1], [alone[1][0], 0.0], rtol=1e-9, atol=1e-12)
    assert beside[0] == pytest.approx(alone[0], rel=1e-9)


def test_a_logistic_fit_has_two_rows_more_than_regressors() -> None:
    x, y = np.array([[1.0], [2.0], [3.0]]), np.array([0.0, 1.0, 0.0])
    assert logit_coefficients(x, y, 1.0) is not None
    assert logit_coefficients(x[:2], y[:2], 1.0) is None


def test_a_week_without_a_move_is_five_below_the_volatility_of_late(long: RunData) -> None:
    """In logs it would be infinitely far below."""
    still = (np.arange(1500) >= 600) & (np.arange(1500) < 900)
    close = np.where(still[:, None], long.price[600], long.bars.close)
    bars = dataclasses.replace(long.bars, close=close, valid=long.bars.valid | still[:, None])
    x = regressors(dataclasses.replace(long, bars=bars))
    assert (x[800:900, :, 4] == 5.0).all()
    assert (np.abs(x[100:600, :, 4][np.isfinite(x[100:600, :, 4])]) < 5.0).all()


def test_the_variance_of_a_range_is_parkinsons(long: RunData) -> None:
    got = squared_ranges(long)
    high, low = long.bars.high, long.bars.low
    np.testing.assert_allclose(got, np.log(high / low) ** 2 / (4.0 * math.log(2.0)))
    assert np.isnan(got[~long.bars.valid]).all()


def test_outcomes_that_lie_apart_have_a_finite_fit_and_one_outcome_has_none() -> None:
    x = np.linspace(-1.0, 1.0, 40)[:, None]
    found = logit_coefficients(x, (x[:, 0] > 0.0).astype(np.float64), 1.0)
    assert found is not None
    assert np.isfinite(found[1]).all()
    assert logit_coefficients(x, np.ones(40), 1.0) is None
    assert logit_coefficients(x, np.full(40, np.nan), 1.0) is None


def test_moves_are_linear_models_of_the_same_regressors(long: RunData) -> None:
    x = regressors(long)
    head = head_of(long, "return")
    era = next(iter(eras(long, head)))
    cells = known_rows(era, x, head.label)
    rows, y = np.array([x[c] for c in cells]), np.array([head.label[c] for c in cells])
    centre, width = rows.mean(axis=0), rows.std(axis=0)
    oracle = Ridge(alpha=10.0).fit((rows - centre) / width, y)
    got = baseline_forecast(long, head, return_ridge)[era.bars]
    known = np.isfinite(got)
    assert known.mean() > 0.9
    expected = oracle.predict((x[era.bars][known] - centre) / width)
    np.testing.assert_allclose(got[known], expected, rtol=1e-6, atol=1e-12)


def test_logistic_says_the_probability_of_its_regression(long: RunData) -> None:
    """Fitted by scikit-learn on the training rows of the same regressors."""
    x, head = regressors(long), head_of(long, "direction")
    era = next(iter(eras(long, head)))
    cells = known_rows(era, x, head.label)
    rows, y = np.array([x[c] for c in cells]), np.array([head.label[c] for c in cells])
    centre, width = rows.mean(axis=0), rows.std(axis=0)
    oracle = LogisticRegression(C=0.1, tol=1e-10, max_iter=1000).fit((rows - centre) / width, y)
    p = baseline_forecast(long, head, logistic)[era.bars]
    known = np.isfinite(p)
    assert known.mean() > 0.9
    expected = oracle.predict_proba((x[era.bars][known] - centre) / width)[:, 1]
    np.testing.assert_allclose(p[known], expected, rtol=1e-5)


def test_regressors_are_moves_in_deviations_their_volatility_and_the_hour(long: RunData) -> None:
    """By pandas, at each of some bars of a symbol; a deviation is that of EWMA with 0.94."""
    x, s = regressors(long), 1
    price = pd.Series(long.price[:, s])
    moved = price.pct_change().where(long.bars.valid[:, s])
    deviation = ewma_deviation(long)[:, s]
    week = np.sqrt((moved**2).rolling(168, min_periods=1).mean())
    hours = pd.to_datetime(long.open_time, unit="ms").hour.to_numpy()
    checked = 0
    for t in range(200, 1500, 13):
        if not np.isfinite(x[t, s]).all():
            continue
        checked += 1
        for k, bars in enumerate((1, 5, 10, 24)):
            move = (price[t] / price[t - bars] - 1.0) / (deviation[t] * np.sqrt(bars))
            assert x[t, s, k] == pytest.approx(np.clip(move, -5.0, 5.0))
        assert x[t, s, 4] == pytest.approx(np.log(deviation[t] / week[t]), abs=1e-9)
        angle = 2.0 * np.pi * hours[t] / 24.0
        assert x[t, s, 5:].tolist() == pytest.approx([np.sin(angle), np.cos(angle)])
    assert checked > 80


def _clusters(n: int, seed: int) -> F64:
    """Return returns in percent that follow a GARCH(1,1)."""
    random = np.random.default_rng(seed)
    variance, out = 1.0, np.empty(n)
    for t in range(n):
        out[t] = np.sqrt(variance) * random.standard_normal()
        variance = 0.05 + 0.1 * out[t] ** 2 + 0.85 * variance
    return out


def test_garch_is_that_of_arch() -> None:
    percent = _clusters(3000, 6)
    found = parameters(arch_model, percent[:2500])
    assert found is not None
    assert found == pytest.approx((0.05, 0.1, 0.85), abs=0.05)
    model = arch_model(percent, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    ahead = filtered(percent, *found)
    forecasts = model.fix(np.array(found)).forecast(horizon=5, start=2500, reindex=False).variance
    np.testing.assert_allclose(ahead[2500:], forecasts.to_numpy()[:, 0], rtol=1e-9)
    mean = mean_ahead(ahead[2500:], *found, 5)
    np.testing.assert_allclose(mean, forecasts.to_numpy().mean(axis=1), rtol=1e-9)


def test_a_missing_return_counts_as_what_was_expected_of_it() -> None:
    percent = np.array([np.nan, 1.0, np.nan, 2.0])
    omega, alpha, beta = 0.1, 0.2, 0.7
    got = filtered(percent, omega, alpha, beta)
    first = omega + alpha * 1.0 + beta * omega / (1.0 - alpha - beta)
    second = omega + (alpha + beta) * first
    np.testing.assert_allclose(got, [np.nan, first, second, omega + alpha * 4.0 + beta * second])
    explosive = filtered(percent, omega, 0.3, 0.7)
    assert explosive[1] == pytest.approx(omega + 1.0)
    assert parameters(arch_model, percent[1:2]) is None
    assert parameters(arch_model, np.zeros(500)) is None


def test_garch_forecasts_clustered_volatility(long: RunData) -> None:
    got = baseline_forecast(long, head_of(long, "volatility"), garch)
    era = next(iter(eras(long, head_of(long, "volatility"))))
    level = np.nanmean(got[era.bars])
    assert 0.008 < level < 0.012  # the market moves by 0.01 a bar
    assert np.isnan(got[: int(era.bars[0])]).all()


def test_garch_of_a_run_is_archs_of_its_training_bars(long: RunData) -> None:
    """From the first training row to the last, that symbol's known returns; ahead as arch forecasts it."""
    head = head_of(long, "volatility")
    era = next(iter(eras(long, head)))
    got = baseline_forecast(long, head, garch)
    last = era.first + max(t for t, _ in np.argwhere(era.trained).tolist())
    for s in range(long.n_symbols):
        moved = 100.0 * (long.price[1:, s] / long.price[:-1, s] - 1.0)
        percent = np.concatenate(([np.nan], np.where(long.bars.valid[1:, s], moved, np.nan)))
        training = percent[era.first : last + 1]
        fitted = arch_model(
            training[np.isfinite(training)], mean="Zero", vol="GARCH", p=1, q=1, rescale=False
        ).fit(disp="off", show_warning=False)
        omega, alpha, beta = (fitted.params[k] for k in ("omega", "alpha[1]", "beta[1]"))
        ahead = filtered(percent, omega, alpha, beta)[era.bars]
        total, one = np.zeros_like(ahead), ahead
        for _ in range(head.task.horizon):
            total, one = total + one, omega + (alpha + beta) * one
        np.testing.assert_allclose(
            got[era.bars, s], np.sqrt(total / head.task.horizon) / 100.0, rtol=1e-9
        )


def test_of_too_few_returns_garch_says_nothing(long: RunData) -> None:
    head = head_of(long, "volatility")
    fit = garch(long, head)
    era = next(iter(eras(long, head)))
    few = dataclasses.replace(
        era, trained=era.trained & (np.arange(len(era.trained)) < 60)[:, None]
    )
    assert fit(few) is None
    assert fit(era) is not None


def test_without_arch_garch_names_its_extra(long: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arch", None)
    check_baselines(Report())
    for ask in (
        lambda: check_baselines(Report(baselines=("garch",))),
        lambda: garch(long, head_of(long, "volatility")),
    ):
        with pytest.raises(ConfigError, match=r"report\.baselines: garch .*'\.\[garch\]'"):
            ask()


def test_every_baseline_is_blind_to_what_comes_after(long: RunData) -> None:
    """Bars, volumes and labels from the second training's due bar on change no forecast before."""
    assert long.labels is not None
    due = int(np.searchsorted(long.open_time, long.models[1].due_ms))
    labels = long.labels.copy()
    labels[due - 2 :] = 0.5  # those of three bars ahead were not known
    tripled = {
        name: getattr(long.bars, name).copy() for name in ("open", "high", "low", "close", "volume")
    }
    for values in tripled.values():
        values[due + 1 :] *= 3.0
    tripled["high"][due + 1 :] *= 1.1
    changed = dataclasses.replace(
        long, labels=labels, bars=dataclasses.replace(long.bars, **tripled)
    )
    for name, entry in parts("baseline").items():
        made: Baseline = entry.made
        for kind in entry.facts["heads"] or ("return",):
            if kind == "regime":
                continue
            before, after = (
                baseline_forecast(run, head_of(run, kind), made) for run in (long, changed)
            )
            np.testing.assert_array_equal(before[: due + 1], after[: due + 1], err_msg=name)
            assert np.isfinite(before[long.start_index : due]).any(), name
            if name in ("zero", "base_rate", "training_mean", "hour_of_week_mean"):
                np.testing.assert_array_equal(before[due + 1], after[due + 1], err_msg=name)
            else:
                assert not np.array_equal(before[due + 2 :], after[due + 2 :], equal_nan=True), name


def test_the_older_rows_were_known_before_the_first_of_the_rest(long: RunData) -> None:
    head = head_of(long, "volume")
    era = next(iter(eras(long, head)))
    parted = split(era)
    assert parted is not None
    older, rest = parted
    assert older.first == era.first
    assert rest.stop == era.stop
    assert rest.first == older.stop == int(older.bars[0])
    seen = era.known[older.span][older.trained]
    assert seen.max() == rest.first - 1
    share = older.trained.sum() / era.trained.sum()
    assert share == pytest.approx(0.8, abs=0.01)
    assert older.trained.sum() + rest.trained.sum() < era.trained.sum()
    few = dataclasses.replace(era, trained=np.zeros_like(era.trained))
    few.trained[0, 0] = True
    assert split(few) is None


@pytest.mark.parametrize("first", [0, 7])
def test_where_training_is_parted_by_hand(long: RunData, first: int) -> None:
    """Ten bars of two symbols, each label known two bars later: of 20 rows 16 are of eight bars, of which the
    last two were not known before the ninth."""
    n = first + 12
    known = np.repeat(np.arange(n)[:, None] + 2, 2, axis=1)
    trained = np.ones((10, 2), dtype=np.bool_)
    era = Era(0, np.arange(n - 2, n), first, first + 10, trained=trained, known=known)
    parted = split(era)
    assert parted is not None
    older, rest = parted
    assert (older.first, older.stop, rest.first, rest.stop) == (
        first,
        first + 8,
        first + 8,
        first + 10,
    )
    assert older.trained.sum(axis=1).tolist() == [2] * 6 + [0] * 2
    assert rest.trained.sum(axis=1).tolist() == [2, 2]
    assert older.bars.tolist() == rest.bars.tolist() == [first + 8, first + 9]
