"""What contenders are compared on, each figure by its definition over the cells it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from bot.blocks import F64, Bool, Forecast, Task
from bot.report.inputs import RunData
from bot.report.skill.baselines import Head, baseline_forecast, eras, heads
from bot.report.skill.baselines.base_rate import base_rate
from bot.report.skill.baselines.hour_of_week import hour_of_week_mean
from bot.report.skill.baselines.training_mean import training_mean
from bot.report.skill.by_head import measures_against
from bot.report.skill.rivals import Rivals
from bot.report.study.endpoints import HEADS, MONEY, PRIMARY, Endpoint, endpoints
from tests.report.conftest import EVERY, plain_volatility


@dataclass
class Listed:
    """The endpoints of a run on part of its bars, and that part."""

    run: RunData
    rows: Bool
    returns: F64
    found: dict[str, Endpoint]

    def value(self, name: str) -> float:
        """Return a figure over all its dates."""
        endpoint = self.found[name]
        return float(endpoint.statistic(endpoint.sums.sum(axis=0)))

    def head(self, k: int) -> tuple[Head, Bool]:
        """Return a head, and the cells of it that are measured."""
        head = heads(self.run)[k]
        return head, head.rows & self.rows


@pytest.fixture(scope="module")
def listed(run_maker: Callable[..., RunData]) -> Listed:
    run = run_maker(n=1300, start=900, seed=5)  # HAR needs half a month before the first training
    random = np.random.default_rng(3)
    rows = random.random(run.quantity.shape) < 0.8
    returns = 0.01 * random.standard_normal(len(run.equity) - run.start_index)
    made = endpoints(run, returns, returns + 0.001, rows, Rivals(EVERY))
    return Listed(run, rows, returns, {e.name: e for e in made})


def skill(loss: F64, naive: F64) -> object:
    assert len(loss) > 300
    return pytest.approx(1.0 - loss.mean() / naive.mean(), rel=1e-9)


def test_what_is_measured_and_what_is_primary(listed: Listed) -> None:
    assert list(listed.found) == [
        "return rank IC", "return MSE skill", "return MSE skill against the strongest",
        "return MSE skill against ridge", "direction Brier skill", "direction log-loss skill",
        "direction calibration error", "direction Brier skill against the strongest",
        "direction Brier skill against logistic", "volatility QLIKE skill",
        "volatility bias, |mean of v/f − 1|", "volatility regime switches, of 1,000 bars",
        "volatility QLIKE skill against the strongest", "volatility QLIKE skill against HAR",
        "volatility QLIKE skill against log-HAR", "volume MSE skill",
        "volume MSE skill against the strongest", "volume MSE skill against ridge",
        "net return a year", "Sharpe after costs", "Sharpe before costs",
    ]  # fmt: skip
    assert [name for name, e in listed.found.items() if e.primary] == list(PRIMARY)
    assert [e.name for e in listed.found.values() if not e.higher_is_better] == [
        "direction calibration error", "volatility bias, |mean of v/f − 1|",
        "volatility regime switches, of 1,000 bars",
    ]  # fmt: skip
    blocks = [e.min_block for e in listed.found.values()]
    assert blocks == [3] * 18 + [1] * 3
    asked = endpoints(listed.run, listed.returns, listed.returns, listed.rows, Rivals(EVERY), HEADS)
    assert [e.name for e in asked if e.primary] == list(HEADS)
    asked = endpoints(listed.run, listed.returns, listed.returns, listed.rows, Rivals(EVERY), MONEY)
    assert [e.name for e in asked if e.primary] == list(MONEY)


def test_of_the_return(listed: Listed) -> None:
    head, at = listed.head(0)
    f, y = head.forecast[at], head.label[at]
    assert listed.value("return rank IC") == pytest.approx(stats.spearmanr(f, y).statistic)
    assert listed.value("return MSE skill") == skill((y - f) ** 2, y**2)


def test_of_the_direction(listed: Listed) -> None:
    head, at = listed.head(1)
    p, y = head.forecast[at], head.label[at]
    rate = baseline_forecast(listed.run, head, base_rate)[at]
    assert listed.value("direction Brier skill") == skill((p - y) ** 2, (rate - y) ** 2)
    losses = (-np.log(np.where(y > 0.5, q, 1 - q)) for q in (p, rate))
    assert listed.value("direction log-loss skill") == skill(*losses)
    order = np.digitize(p, np.quantile(p, np.arange(1, 10) / 10))
    parts = [abs((p - y)[order == k].sum()) for k in range(10)]
    assert listed.value("direction calibration error") == pytest.approx(sum(parts) / len(p))


def test_neighbouring_tenths_that_err_either_way_do_not_cancel(listed: Listed) -> None:
    """Of each tenth of the probabilities all rise or all fall, by turns."""
    run = listed.run
    assert run.labels is not None
    head, at = listed.head(1)
    p = head.forecast[at]
    tenth = np.digitize(p, np.quantile(p, np.arange(1, 10) / 10))
    labels = run.labels.copy()
    labels[:, :, 1][at] = tenth % 2
    turns = replace(run, labels=labels)
    made = {
        e.name: e
        for e in endpoints(turns, listed.returns, listed.returns, listed.rows, Rivals(EVERY))
    }
    found = Listed(turns, listed.rows, listed.returns, made).value("direction calibration error")
    assert found == pytest.approx(np.abs(p - tenth % 2).mean())


def test_of_the_volatility(listed: Listed) -> None:
    run = listed.run
    head, at = listed.head(2)
    naive, har = plain_volatility(run, head), Rivals(EVERY).of(run, head).forecasts["har"]
    y = head.label

    def qlike(variance: F64, cells: Bool) -> F64:
        ratio = y[cells] ** 2 / variance[cells]
        return ratio - np.log(ratio) - 1.0

    own = naive.model_variance
    expected = skill(qlike(own, at), qlike(naive.variance, at))
    assert listed.value("volatility QLIKE skill") == expected
    both = at & np.isfinite(har)
    expected = skill(qlike(own, both), qlike(har, both))
    assert listed.value("volatility QLIKE skill against HAR") == expected
    bias = abs((y[at] ** 2 / own[at]).mean() - 1.0)
    assert listed.value("volatility bias, |mean of v/f − 1|") == pytest.approx(bias)


def test_switches_of_the_regime_are_counted_as_in_a_loop(listed: Listed) -> None:
    """A bar switches where the forecast crosses the median training label since the bar before.

    A forecast of the median itself is low, and after a bar without a forecast nothing is counted.
    """
    plain = listed.run
    assert plain.forecast is not None
    spans = list(eras(plain, heads(plain)[2]))
    label = heads(plain)[2].label
    medians = {era.model: np.median(era.training(label)) for era in spans}
    value = plain.forecast.value.copy()
    for era in spans:
        value[era.bars[::5], :, 2] = medians[era.model]
        value[era.bars[::7], :, 2] = np.nan
    run = replace(plain, forecast=replace(plain.forecast, value=value))
    made = endpoints(run, listed.returns, listed.returns, listed.rows, Rivals(EVERY))
    listed = Listed(run, listed.rows, listed.returns, {e.name: e for e in made})
    assert run.forecast is not None
    head, at = listed.head(2)
    switched = counted = 0
    for t, s in np.argwhere(at):
        now, before = run.forecast.model[t], run.forecast.model[t - 1]
        if before < 0 or np.isnan(head.forecast[t - 1, s]):
            continue
        counted += 1
        high = head.forecast[t, s] > medians[int(now)]
        switched += high != (head.forecast[t - 1, s] > medians[int(before)])
    assert switched > 20
    found = listed.value("volatility regime switches, of 1,000 bars")
    assert found == pytest.approx(1000.0 * switched / counted)


def test_a_label_without_movement_is_left_out_of_the_volatility(listed: Listed) -> None:
    run = listed.run
    assert run.labels is not None
    labels = run.labels.copy()
    labels[run.start_index + 9 :: 40, :, 2] = 0.0
    still = replace(run, labels=labels)
    made = {
        e.name: e
        for e in endpoints(still, listed.returns, listed.returns, listed.rows, Rivals(EVERY))
    }
    moved = Listed(still, listed.rows, listed.returns, made)
    head, at = moved.head(2)
    at = at & (head.label > 0.0)
    own = plain_volatility(still, head).model_variance[at]
    bias = abs((head.label[at] ** 2 / own).mean() - 1.0)
    assert moved.value("volatility bias, |mean of v/f − 1|") == pytest.approx(bias)
    assert made["volatility bias, |mean of v/f − 1|"].sums[:, 0].sum() == at.sum()


def test_what_has_no_row_is_left_out_and_one_date_is_enough(run: RunData) -> None:
    """HAR needs half a month of bars before a training; without it what follows still stands."""
    flat = np.zeros(len(run.equity) - run.start_index)
    head = heads(run)[2]
    date = run.start_index + int(np.argmax(head.rows[run.start_index :].all(axis=1)))
    rows = np.zeros(run.quantity.shape, dtype=np.bool_)
    rows[date] = True
    names = [e.name for e in endpoints(run, flat, flat, rows, Rivals(EVERY))]
    assert "volatility QLIKE skill against HAR" not in names
    first = names.index("volatility QLIKE skill")
    assert names[first + 1] == "volatility bias, |mean of v/f − 1|"
    assert "volume MSE skill" in names
    assert len(endpoints(run, flat, flat, np.zeros_like(rows), Rivals(EVERY))) == 3


def test_a_measure_without_a_row_costs_none_that_follows_it(
    run: RunData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The strongest comes behind HAR, which has no row, when the baselines come the other way round."""
    flat = np.zeros(len(run.equity) - run.start_index)
    rows = np.zeros(run.quantity.shape, dtype=np.bool_)
    rows[run.start_index : run.start_index + 40] = True
    usual = [e.name for e in endpoints(run, flat, flat, rows, Rivals(EVERY))]
    monkeypatch.setattr(
        "bot.report.study.endpoints.measures_against",
        lambda *given: dict(list(measures_against(*given).items())[::-1]),
    )
    turned = [e.name for e in endpoints(run, flat, flat, rows, Rivals(EVERY))]
    assert "volatility QLIKE skill against HAR" not in turned
    assert "volatility QLIKE skill against the strongest" in turned
    assert sorted(turned) == sorted(usual)


def test_of_the_volume_and_the_account(listed: Listed) -> None:
    head, at = listed.head(3)
    f, y = head.forecast[at], head.label[at]
    naive = baseline_forecast(listed.run, head, hour_of_week_mean)[at]
    assert listed.value("volume MSE skill") == skill((y - f) ** 2, (y - naive) ** 2)
    yearly = pytest.approx(listed.returns.mean() * 8760.0)
    assert listed.value("net return a year") == yearly
    for name, r in (("after", listed.returns), ("before", listed.returns + 0.001)):
        expected = r.mean() / r.std() * np.sqrt(8760.0)
        assert listed.value(f"Sharpe {name} costs") == pytest.approx(expected)


def test_horizons_have_names_of_their_own_and_further_heads_a_skill(listed: Listed) -> None:
    run = listed.run
    assert run.forecast is not None
    assert run.labels is not None
    tasks = (Task("return", 3), Task("return", 5), Task("range", 3), Task("regime", 3))
    value = run.forecast.value[:, :, [0, 0, 3, 1]]
    labels = run.labels[:, :, [0, 0, 3, 1]]
    other = replace(run, forecast=Forecast(tasks, value, run.forecast.model), labels=labels)
    made = Listed(
        other, listed.rows, listed.returns,
        {e.name: e for e in endpoints(other, listed.returns, listed.returns, listed.rows, Rivals(EVERY))},
    )  # fmt: skip
    assert [name for name in made.found if "against" not in name][:6] == [
        "return rank IC, 3 bars", "return MSE skill, 3 bars", "return rank IC, 5 bars",
        "return MSE skill, 5 bars", "range MSE skill, 3 bars", "regime Brier skill, 3 bars",
    ]  # fmt: skip
    assert "regime Brier skill against logistic, 3 bars" in made.found
    assert not any(name.startswith("range MSE skill against") for name in made.found)
    assert made.found["return rank IC, 5 bars"].primary
    assert made.found["return rank IC, 5 bars"].min_block == 5
    head, at = made.head(2)
    naive = baseline_forecast(other, head, training_mean)[at]
    losses = (head.label[at] - head.forecast[at]) ** 2, (head.label[at] - naive) ** 2
    assert made.value("range MSE skill, 3 bars") == skill(*losses)
