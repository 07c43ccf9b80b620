"""A search: what it tries, keeps, enters, stops and refuses."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bot.adapters.files.trials import NAME as REGISTER
from bot.adapters.files.trials import read as read_trials
from bot.adapters.optuna_file import NAME as STORE
from bot.app.executors.choice import EngineChoice
from bot.app.search import running
from bot.app.search.scoring import Score, Scorer, UndefinedObjectiveError
from bot.app.study.account import Traded
from bot.app.study.compare import StudyPlan, compare_command
from bot.app.study.contenders import Contender
from bot.app.study.cross_validation import cross_validate
from bot.app.study.unit import Unit
from bot.config import flatten, load_config
from bot.errors import BotError, ConfigError, DataError, JournalError, ModelError
from tests.app.search.conftest import SPACE, told

if TYPE_CHECKING:
    from tests.app.search.conftest import Search

ONE = SPACE.replace('["net_return", "turnover"]', '["net_return"]')


def test_every_trial_is_kept_entered_and_can_be_made_again(
    tmp_path: Path, search: Search, units_ran: list[str], study_sets: list[str]
) -> None:
    done = search()
    assert len(units_ran) == 2, "one training a fold: the settings differ in the account only"
    rows = done.table.rows
    assert [row.name for row in rows] == [f"{k:03d}" for k in range(9)]
    assert rows[0].settings == {}, "the defaults are the first trial"
    assert {row.state for row in rows} == {"finished", "stopped"}
    entries, notes = read_trials(tmp_path / "runs" / REGISTER)
    assert notes == ()
    assert {entry.kind for entry in entries} == {"search"}
    assert {entry.where for entry in entries} == {f"study/small/trials/{row.name}" for row in rows}
    by_where = {entry.where: entry for entry in entries}
    for row in rows:
        folder = done.folder / "trials" / row.name
        config = load_config(folder / "config.toml", environ={})
        for key, value in row.settings.items():
            assert flatten(config)[key] == value
        (outcome,) = by_where[f"study/small/trials/{row.name}"].outcomes
        assert outcome.net_return == row.net_return
    last = next(row for row in reversed(rows) if row.state == "finished")
    again = load_config(done.folder / "trials" / last.name / "config.toml", environ={})
    pair = [Contender("base", "network", load_config(None, study_sets, {})), Contender("again", "network", again)]  # fmt: skip
    compared = compare_command(pair, "again", tmp_path / "runs" / "study", StudyPlan(2, 1, 1, EngineChoice(workers=1)), lambda done, of: None)  # fmt: skip
    assert len(units_ran) == 2, "a comparison in the same folder shares the trainings"
    assert compared.comparison.facts["again"]["net return"] == last.net_return
    assert compared.comparison.facts["base"]["net return"] == rows[0].net_return


def test_the_chosen_one_stands_with_what_choosing_is_worth(
    tmp_path: Path, search: Search, units_ran: list[str]
) -> None:
    done = search(ONE)
    t = done.table
    among = [row for row in t.rows if row.state == "finished" and row.fills]
    best = max(among, key=lambda row: row.values[0])
    assert t.chosen == best.name
    assert t.trials is not None
    entries, _ = read_trials(tmp_path / "runs" / REGISTER)
    assert t.trials["count"] == len(entries)
    (outcome,) = next(e for e in entries if e.where.endswith(best.name)).outcomes
    assert outcome.sharpe is not None
    assert best.sharpe == pytest.approx(outcome.sharpe * np.sqrt(8760))
    assert t.trials["deflated_sharpe"] < 1.0
    text = (done.folder / "search.md").read_text("utf-8")
    for said in (
        "deflated Sharpe",
        "robability of",
        f"trial {best.name}",
        "through all folds",
    ):
        assert said in text
    found = told(done)
    assert found["chosen"]["deflated_sharpe"] == t.trials["deflated_sharpe"]
    assert found["chosen"]["overfitting_probability"] == t.selection.probability
    assert (done.folder / "search.png").stat().st_size > 1000


def test_the_front_is_what_nothing_is_better_than(search: Search, units_ran: list[str]) -> None:
    t = search(SPACE, trials=12).table
    done = {row.name: row.values for row in t.rows if row.state == "finished"}

    def better(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return a[0] >= b[0] and a[1] <= b[1] and a != b

    beaten = {b for a, b in itertools.permutations(done, 2) if better(done[a], done[b])}
    assert set(t.front) == set(done) - beaten
    assert 1 < len(t.front) < len(done)
    on_front = [row for row in t.rows if row.name in t.front and row.fills]
    assert t.chosen == max(on_front, key=lambda row: row.values[0]).name


class ScoresByTable:
    """Scores that are given, by trial and number of folds."""

    values: Callable[[int, int], float]

    def score(self, study: Any, contender: Contender, units: Any) -> Score:
        n = len(study.folds)
        bars = study.folds[-1].stop - study.start
        returns = 0.01 * np.random.default_rng(int(contender.name)).standard_normal(bars)
        traded = Traded(returns, returns, {"net return": 0.1, "fills": 1}, (0,), turnover=1.0)
        return Score((type(self).values(int(contender.name), n),), traded)


def given_scores(monkeypatch: pytest.MonkeyPatch, values: Callable[[int, int], float]) -> None:
    class Given(ScoresByTable):
        def __init__(self, *_: Any) -> None:
            pass

    Given.values = staticmethod(values)
    monkeypatch.setattr(running, "Scorer", Given)


@pytest.mark.parametrize(
    ("objective", "sign", "at_once"), [("net_return", 1.0, 1), ("turnover", -1.0, 1), ("net_return", 1.0, 5)]
)  # fmt: skip
def test_a_trial_below_the_median_of_those_before_it_is_stopped(
    search: Search, units_ran: list[str], monkeypatch: pytest.MonkeyPatch, objective: str, sign: float,
    at_once: int,
) -> None:  # fmt: skip
    random = np.random.default_rng(8).normal(size=(24, 3))
    given_scores(monkeypatch, lambda number, n: sign * float(random[number, n - 1]))
    text = ONE.replace("net_return", objective).replace("folds = 2", "folds = 3")
    rows = search(text.replace("trials = 9", f"trials = 24\nat_once = {at_once}")).table.rows
    looks: list[list[tuple[int, float]]] = [[], [], []]
    for number, row in enumerate(rows):
        batch = number - number % at_once
        for n in range(3):
            seen = [value for other, value in looks[n] if other < batch]
            looks[n].append((number, float(random[number, n])))
            if number and n < 2 and len(seen) >= 4 and random[number, n] < statistics.median(seen):
                assert (row.state, row.folds) == ("stopped", n + 1), number
                break
        else:
            assert (row.state, row.folds) == ("finished", 3), number
    assert {row.folds for row in rows} == {1, 2, 3}


def test_defaults_outside_the_space_are_the_first_trial_all_the_same(
    search: Search, units_ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_scores(monkeypatch, lambda number, n: -float(number % 7))
    text = ONE.replace("low = 0.0,", "low = 0.002,").replace(
        "seeds = 1", "seeds = 1\nprune = false"
    )
    done = search(text, trials=26)
    rows = done.table.rows
    assert (rows[0].settings, rows[0].state) == ({}, "finished")
    assert load_config(done.folder / "trials" / "000" / "config.toml", environ={}).signal.threshold < 0.002  # fmt: skip
    assert all(0.002 <= row.settings["signal.threshold"] <= 0.004 for row in rows[1:])
    assert done.table.importance
    assert told(done)["settings"][0]["settings"] == {}


def test_the_command_prints_one_object(
    tmp_path: Path, units_ran: list[str], study_sets: list[str], cli: Any
) -> None:
    (tmp_path / "s.toml").write_text(ONE, encoding="utf-8")
    sets = [word for item in study_sets for word in ("--set", item)]
    said = cli(
        "search", tmp_path / "s.toml", "--trials", "2", "--out", tmp_path / "runs" / "study", "--json", *sets
    )  # fmt: skip
    assert said.code == 0
    found = json.loads(said.out)
    assert (found["count"], found["interrupted"], found["asked"]) == (2, False, 2)
    assert Path(found["folder"]) == tmp_path / "runs" / "study" / "s"
    assert found["settings"][0]["name"] == "000"


def test_nothing_is_stopped_where_that_is_not_wanted(
    search: Search, units_ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_scores(monkeypatch, lambda number, n: -float(number))
    t = search(ONE.replace("seeds = 1", "seeds = 1\nprune = false")).table
    assert [row.state for row in t.rows] == ["finished"] * 9


@pytest.mark.parametrize(
    ("text", "sets", "said"),
    [
        (ONE.replace("0.004", "0.005"), (), r"another space: \[space\] signal.threshold was .*0.004.* and is .*0.005"),
        (ONE.replace("seeds = 1", "seeds = 2"), (), "another space: seeds was 1 and is 2"),
        (ONE, ("risk.max_gross=1.25",), "other base settings: risk.max_gross was .* and is 1.25"),
        (ONE, ("data.start=2023-03-02",), "other bars: folds was "),
    ],
)  # fmt: skip
def test_another_search_of_its_name_is_refused_by_what_differs(
    search: Search, units_ran: list[str], text: str, sets: tuple[str, ...], said: str
) -> None:
    search(ONE, trials=1)
    with pytest.raises(ConfigError, match=said):
        search(text, *sets)
    assert len(search(ONE, trials=2).table.rows) == 2, "a larger budget is the same search"


def test_other_objectives_are_refused(search: Search, units_ran: list[str]) -> None:
    search(ONE, trials=1)
    with pytest.raises(DataError, match="a search for other objectives"):
        search(SPACE)


def test_what_is_no_storage_is_refused_by_name(search: Search, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "study" / "small"
    folder.mkdir(parents=True)
    (folder / STORE).write_bytes(b"hello" * 1000)
    with pytest.raises(DataError, match=r"search\.db: cannot be opened as the storage of a search"):
        search(ONE)
    (folder / STORE).unlink()
    (folder / STORE).symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(DataError, match="is no file"):
        search(ONE)
    assert not (tmp_path / "elsewhere.db").exists()


def test_two_searches_at_once_are_refused(
    search: Search, units_ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = running.SearchLoop.go_on

    def within(self: Any, *given: Any) -> None:
        monkeypatch.setattr(running.SearchLoop, "go_on", whole)
        with pytest.raises(
            JournalError, match=r"a second process searches here \(pid \d+\); .* --out"
        ):
            search(ONE)
        whole(self, *given)

    monkeypatch.setattr(running.SearchLoop, "go_on", within)
    assert len(search(ONE, trials=1).table.rows) == 1


def test_a_trial_that_makes_no_sense_fails_in_words_and_the_search_goes_on(
    search: Search, units_ran: list[str]
) -> None:
    text = ONE + 'features.names = {choices = [["core"], ["core", "return_1"]]}\n'
    t = search(text, trials=8).table
    failed = [row for row in t.rows if row.state == "failed"]
    assert failed
    assert {row.reason for row in failed} == {"features.names: a feature stands there twice; name each once"}  # fmt: skip
    assert len(failed) < 8


def test_defaults_that_come_to_nothing_end_it_and_can_be_mended(
    search: Search, units_ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, *given: Any) -> Score:
        raise UndefinedObjectiveError("nothing to score")

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "score", fail)
        with pytest.raises(ModelError, match="the defaults come to nothing: nothing to score"):
            search(ONE)
    assert len(search(ONE, trials=2).table.rows) == 2


def test_a_damaged_training_ends_it_and_is_made_anew(
    tmp_path: Path, search: Search, units_ran: list[str]
) -> None:
    whole = search(ONE, trials=3)
    unit = next((tmp_path / "runs" / "study" / "units").glob("*.npz"))
    unit.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"npz: cannot be read .*delete it, and it is made anew"):
        search(ONE, trials=5)
    assert len(whole.table.rows) == 3
    unit.unlink()
    rows = search(ONE, trials=5).table.rows
    assert "failed" not in {row.state for row in rows}, "no trial is lost to a damaged file"
    assert rows[:3] == whole.table.rows


def test_a_search_of_failures_only_ends(
    search: Search, units_ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = Scorer.score, itertools.count()

    def fail(self: Scorer, *given: Any) -> Score:
        if next(calls) > 1:
            raise UndefinedObjectiveError("no skill anywhere")
        return whole(self, *given)

    monkeypatch.setattr(Scorer, "score", fail)
    with pytest.raises(
        ModelError, match="the last 10 trials failed, the newest: no skill anywhere"
    ):
        search(ONE, trials=30)


def test_minutes_are_a_budget_too(search: Search, units_ran: list[str]) -> None:
    assert len(search(ONE, minutes=1e-9).table.rows) == 0
    assert len(search(ONE, trials=2, minutes=10.0).table.rows) == 2


def test_skill_needs_the_heads_of_the_defaults(search: Search, units_ran: list[str]) -> None:
    text = """
[search]
trials = 4
folds = 2
months = 1
seeds = 1
prune = false
contender = "linear"
objectives = ["skill", "volume_skill"]
[space]
training.window_bars = {low = 500, high = 900}
targets.kinds = {choices = [["return", "direction", "volatility", "volume"], ["return", "direction", "volatility"]]}
[[start]]
targets.kinds = ["return", "direction", "volatility"]
"""
    rows = search(text).table.rows
    assert [row.state for row in rows[:2]] == ["finished", "failed"]
    assert "the objective volume_skill is not defined" in rows[1].reason
    assert np.isfinite(rows[0].values).all()


def test_an_error_names_a_missing_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Any
) -> None:
    import sys

    import bot.app

    monkeypatch.setattr(bot.app, "search", bot.app.search)  # what an import anew replaces
    for name in [n for n in sys.modules if n.startswith(("optuna", "bot.app.search", "bot.adapters.optuna_file"))]:  # fmt: skip
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    (tmp_path / "s.toml").write_text("", encoding="utf-8")
    said = cli("search", str(tmp_path / "s.toml"))
    assert said.code == 2
    assert "bot search needs optuna, which is not installed; install the extra 'search'" in said.err


def test_errors_are_the_bots_own(search: Search) -> None:
    with pytest.raises(BotError, match="do not lie within the bars"):
        search(ONE.replace("folds = 2", "folds = 99"))


def test_what_mattered_is_told_with_trials_enough(
    search: Search, units_ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the threshold moves the score, so its values among the best tenth stand apart."""

    class ByThreshold(ScoresByTable):
        def __init__(self, *_: Any) -> None:
            pass

        def score(self, study: Any, contender: Contender, units: Any) -> Score:
            ByThreshold.values = staticmethod(
                lambda number, n: -abs(contender.config.signal.threshold - 0.001)
            )
            return super().score(study, contender, units)

    monkeypatch.setattr(running, "Scorer", ByThreshold)
    text = ONE.replace("seeds = 1", 'seeds = 1\nprune = false\nsampler = "random"')
    few = search(text, trials=19)
    assert few.table.importance == {}
    assert "Too few trials" in (few.folder / "search.md").read_text("utf-8")
    done = search(text, trials=60)
    assert set(done.table.importance) == {"signal.threshold", "policy.kind"}
    assert sum(done.table.importance.values()) == pytest.approx(1.0)
    assert done.table.importance["signal.threshold"] > 0.8
    assert "PED-ANOVA" in (done.folder / "search.md").read_text("utf-8")
    assert told(done)["importance"]["shares"] == done.table.importance


def test_trials_at_once_share_their_trainings(search: Search, units_ran: list[str]) -> None:
    one = search(ONE.replace("seeds = 1", "seeds = 1\nat_once = 3"), trials=6)
    assert len(units_ran) == 2
    assert len(one.table.rows) == 6


def test_a_training_that_fails_fails_its_trial_in_words(
    search: Search, units_ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Unit.run

    def run(self: Unit, data: Any) -> Any:
        if self.name == "001" and self.fold == 1:
            raise ModelError("the loss is not finite")
        return whole(self, data)

    monkeypatch.setattr(Unit, "run", run)
    text = """
[search]
trials = 3
folds = 2
months = 1
seeds = 1
contender = "linear"
[space]
training.window_bars = {low = 300, high = 700}
[[start]]
training.window_bars = 500
"""
    rows = search(text).table.rows
    assert [row.state for row in rows] == ["finished", "failed", "finished"]
    assert rows[1].reason == "001, fold 2, seed 1: the loss is not finite"
    assert rows[1].folds == 0, "nothing is told of a trial that came to nothing"


def test_no_trial_sees_what_comes_after_its_folds(
    tmp_path: Path, search: Search, units_ran: list[str]
) -> None:
    """A trial looked at on one fold comes to the same whatever the second one holds: its entry ends there."""
    done = search(ONE, trials=9)
    stopped = [row for row in done.table.rows if row.state == "stopped"]
    entries, _ = read_trials(tmp_path / "runs" / REGISTER)
    ends = {entry.where.rpartition("/")[2]: entry.end_ms for entry in entries}
    last = max(ends.values())
    assert stopped
    for row in done.table.rows:
        if row.name in ends:
            assert (ends[row.name] < last) == (row.state == "stopped")


COMBINATORIAL = """
[search]
trials = 4
cv = "combinatorial"
groups = 4
test_groups = 2
seeds = 1
contender = "linear"
objectives = ["net_return", "turnover"]
[space]
signal.threshold = {low = 0.0, high = 0.002}
"""


def test_paths_are_those_of_a_comparison_and_the_middle_one_counts(
    tmp_path: Path, search: Search, units_ran: list[str], study_sets: list[str]
) -> None:
    done = search(COMBINATORIAL)
    assert len(units_ran) == 6, "a training a split, which all trials share"
    rows = done.table.rows
    assert {row.state for row in rows} == {"finished"}, (
        "nothing is stopped before its paths are whole"
    )
    assert "6 splits, 3 paths" in (done.folder / "search.md").read_text("utf-8")
    named = [
        Contender(row.name, "linear", load_config(done.folder / "trials" / row.name / "config.toml", environ={}))
        for row in rows[:2]
    ]  # fmt: skip
    plan = StudyPlan(2, 1, 1, EngineChoice(workers=1))
    compared = cross_validate(
        named, "paths", tmp_path / "runs" / "study", plan, lambda done, of: None, groups=4, tested=2
    )  # fmt: skip
    assert len(units_ran) == 6, "a cross-validation in the same folder shares the trainings"
    for row in rows[:2]:
        ratios = [r for r in compared.table.sharpe[row.name] if r is not None]
        assert row.sharpe == pytest.approx(sorted(ratios)[1], rel=1e-3)
        middle = compared.table.sharpe[row.name].index(sorted(ratios)[1])
        assert row.net_return == compared.table.net_return[row.name][middle]
