"""The training at a run's start: when it is due, live, in a backtest, and after any stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.journal.forms import open_journal
from bot.app.backtest.job import run_backtest
from bot.app.backtest.preparing import prepare, read_market
from bot.app.runs.borrow import read_recorded, recorded_settings
from bot.app.runs.folder import RunFolder, new_run
from bot.app.training.archive import Archive
from bot.app.training.first import FirstTraining
from bot.config import Config, load_config
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import target_tasks
from bot.log import open_log
from bot.timegrid import HOUR_MS
from scripts.soaking.rehearsal import PoolHere, Rehearsal

if TYPE_CHECKING:
    from tests.conftest import Ran, RunIt

NEVER_DUE = ("retrain.trigger=cron", "retrain.cron=0 0 29 2 *", "retrain.at_start=true")
"""No scheduled training in all of a test's bars."""


def models(folder: RunFolder) -> list[tuple[str, int, int | None]]:
    """Return (model, first bar it decides on, due bar) of each activation."""
    reader = open_journal(folder.journal)
    rows = [(m.model_id, m.effective_from, m.due) for m in reader.models()]
    reader.close()
    return rows


def labelled_rows(config: Config, ran: Ran) -> list[int]:
    """Count the rows that a training at each bar would have, cutting each anew."""
    bars = ran.market.bars
    pipeline = FeaturePipeline(config.features, ran.market.symbols, HOUR_MS)
    _, features = pipeline.advance(pipeline.initial(), bars)
    archive = Archive(config, target_tasks(config.targets))
    archive.extend(bars, features)
    return [len(archive.dataset(i)) for i in range(300)]


@given(
    rows=st.lists(st.integers(0, 3), min_size=30, max_size=80), start=st.integers(0, 25),
    latency=st.integers(1, 4),
)  # fmt: skip
def test_it_finds_the_first_bar_with_enough_rows(rows: list[int], start: int, latency: int) -> None:
    """Whatever the bars bring, up to a row a symbol each: a look at every bar finds the same."""
    config = load_config(None, ["training.min_rows=40", f"retrain.latency_bars={latency}"], {})
    known = np.cumsum(rows).tolist()
    earliest = max(start - latency, 0)
    expected = next((i for i in range(earliest, len(rows)) if known[i] >= 40), None)
    tries, looked = FirstTraining(config, 3, start, 0, last=len(rows) - 1), []
    while (bar := tries.next) is not None and known[bar] < 40:
        looked.append(bar)
        tries.unfit(bar, known[bar])
    assert tries.next == expected
    assert looked == sorted(set(looked))


def test_a_backtest_without_a_due_bar_trains_when_it_has_the_rows(run_it: RunIt) -> None:
    ran = run_it(*NEVER_DUE, "synthetic.bars=300")
    [(_, effective, due)] = ran.models()
    times = ran.market.bars.open_time.tolist()
    rows = labelled_rows(ran.config, ran)
    first = next(i for i, count in enumerate(rows) if count >= ran.config.training.min_rows)
    assert (due, effective) == (times[first], times[first + 1])
    assert ran.manifests()[0]["rows"] == rows[first]


def test_a_backtest_with_history_trains_for_its_start(run_it: RunIt) -> None:
    ran = run_it(
        *NEVER_DUE, "synthetic.bars=400", "data.start=2023-01-11T05:00", "retrain.latency_bars=3"
    )
    [(_, effective, due)] = ran.models()
    start = int(ran.market.bars.open_time[ran.market.start_index])
    assert (due, effective) == (start - 3 * HOUR_MS, start)


def test_what_is_due_in_the_history_comes_first(run_it: RunIt) -> None:
    """A scheduled training before the start is the only one; with too few rows it does not count."""
    cron = ("retrain.trigger=cron", "retrain.cron=0 0 10 1 *", "retrain.at_start=true")
    enough = run_it(*cron, "synthetic.bars=400", "data.start=2023-01-12")
    assert [str(np.datetime64(due, "ms")) for _, _, due in enough.models()] == [
        "2023-01-09T23:00:00.000"
    ]
    at = enough.market.bars.open_time.tolist().index(enough.models()[0][2])
    least = f"training.min_rows={labelled_rows(enough.config, enough)[at] + 1}"
    too_few = run_it(*cron, "synthetic.bars=400", "data.start=2023-01-12", least)
    start = int(too_few.market.bars.open_time[too_few.market.start_index])
    assert [due for _, _, due in too_few.models()] == [start - HOUR_MS]
    assert len(too_few.events("training_skipped")) == 1


def test_without_it_the_schedule_decides_alone(run_it: RunIt) -> None:
    cron = ("retrain.trigger=cron", "retrain.cron=0 0 14 1 *")
    ran = run_it(*cron, "synthetic.bars=400", "retrain.at_start=false")
    assert [str(np.datetime64(due, "ms")) for _, _, due in ran.models()] == [
        "2023-01-13T23:00:00.000"
    ]


def test_one_training_for_good(run_it: RunIt) -> None:
    ran = run_it("retrain.trigger=never", "retrain.at_start=true", "synthetic.bars=900")
    assert len(ran.models()) == 1
    assert len(ran.done.ledger_sha256) == 64


@pytest.fixture
def monthly(tmp_path: Path) -> Rehearsal:
    return Rehearsal.make(tmp_path / "run", *NEVER_DUE)


def test_a_daemon_and_a_backtest_from_its_start_train_the_same_model(
    monthly: Rehearsal, tmp_path: Path, inline_training: None
) -> None:
    monthly.run(6)
    recorded = read_recorded(monthly.folder)
    live = models(monthly.folder)
    assert [due for _, _, due in live] == [recorded.start - HOUR_MS]
    config = load_config(None, [], {}, base=recorded_settings(recorded))
    folder = new_run(config, str(tmp_path / "again"), "test")
    with open_log(folder.log) as log:
        run_backtest(prepare(config, read_market(config), folder, log, lambda done, total: None))
    assert models(folder) == live


def test_a_daemon_with_little_history_trains_as_soon_as_it_has_the_rows(tmp_path: Path) -> None:
    """And a restart in between changes nothing of it."""
    settings = (*NEVER_DUE, "data.history_bars=50", "training.min_rows=150", "synthetic.missing=0")
    whole = Rehearsal.make(tmp_path / "whole", *settings)
    whole.run(60)
    [(_, effective, due)] = models(whole.folder)
    skipped = whole.events("training_skipped")
    assert skipped
    assert not whole.events("training_failed", "error")
    assert due is not None
    assert due > skipped[-1]["due"]
    assert effective == due + HOUR_MS
    cut = Rehearsal.make(tmp_path / "cut", *settings)
    cut.run(10)
    assert models(cut.folder) == []
    cut.run(50, begin_ms=cut.begin_ms + 10 * HOUR_MS)
    assert [row[1:] for row in models(cut.folder)] == [(effective, due)]


def test_a_daemon_that_was_given_a_model_trains_none(tmp_path: Path, monthly: Rehearsal) -> None:
    monthly.run(2)
    [(model_id, _, _)] = models(monthly.folder)
    other = Rehearsal.make(tmp_path / "other", *NEVER_DUE)
    for path in monthly.folder.models.glob(f"{model_id}.*"):
        (other.folder.models / path.name).write_bytes(path.read_bytes())
    pool = PoolHere()
    other.run(3, given_model=model_id, pool=pool)
    assert pool.requests == []
    assert [row[0] for row in models(other.folder)] == [model_id]
