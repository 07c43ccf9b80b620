"""`bot compare --cv combinatorial`: what its splits train on, what its paths are, and what is told of them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.files.trials import NAME as REGISTER
from bot.adapters.files.trials import read as read_trials
from bot.app.backtest.bar_source import HeldBars
from bot.app.backtest.preparing import read_market
from bot.app.study.account import trade_forecasts
from bot.app.study.combinatorial import CombinatorialStudy, trade_paths
from bot.app.study.compare import StudyPlan
from bot.app.study.contenders import Contender
from bot.app.study.cross_validation import CrossValidated, cross_validate
from bot.app.study.unit import Unit, read_result
from bot.config import load_config
from bot.errors import DataError
from bot.features.targets import compute_targets
from bot.report.money.sharpe import sharpe_per_bar
from bot.report.study.paths import NO_EVIDENCE, PathsTable, draw, to_markdown
from tests.conftest import Cli

EMBARGO = 12


@pytest.fixture
def contenders(study_sets: list[str]) -> list[Contender]:
    sets = [*study_sets, f"training.embargo_bars={EMBARGO}"]
    wide = load_config(None, [*sets, "model.encoder=gru", "model.lookback=3"])
    return [
        Contender("first", "network", load_config(None, sets)),
        Contender("windows", "network", wide),
    ]


def study(folder: Path, chosen: list[Contender], groups: int = 4, tested: int = 2) -> CombinatorialStudy:  # fmt: skip
    return CombinatorialStudy(
        chosen, read_market(chosen[0].config), folder, groups=groups, tested=tested
    )


def validated(folder: Path, chosen: list[Contender]) -> CrossValidated:
    return cross_validate(
        chosen, "test", folder, StudyPlan(0, 0, 2), lambda done, of: None, groups=4, tested=2
    )


def test_no_label_of_a_training_row_shares_a_bar_with_one_that_is_tested(
    tmp_path: Path, contenders: list[Contender]
) -> None:
    made = study(tmp_path, contenders)
    known = compute_targets(made.market.bars, made.tasks, made.config.features.window)[1].max(axis=(1, 2))  # fmt: skip
    for unit in made.units(1):
        data = made.fold_data(unit)
        split = made.cut.splits[unit.fold]
        tested = made.cut.tested_bars(split)
        assert len(data.x) == len(data.labels) == len(data.ready) == len(tested)
        assert data.dataset.known_at is not None
        trained = set[int]()
        for b, k in zip(data.dataset.bar, data.dataset.known_at, strict=True):
            trained |= set(range(int(b), int(k) + 1))
        for t in tested:
            assert t not in trained
            assert not trained & set(range(int(t), int(known[t]) + 1))
        rows = set(data.dataset.bar.tolist())
        assert min(rows) >= made.start
        for group in split.tested:
            first, stop = made.cut.groups[group]
            near = set(range(first - EMBARGO, stop + EMBARGO))
            assert not near & rows
        others = set(range(made.start, len(known))) - set(tested.tolist())
        assert len(rows) > 0.8 * len(others), "what is far from the tested groups is trained on"
        assert (max(rows) > tested[-1]) == (3 not in split.tested), "later bars too"


def test_an_embargo_is_the_longest_horizon_at_least(
    tmp_path: Path, contenders: list[Contender]
) -> None:
    made = study(tmp_path, contenders[:1])
    unit = next(u for u in made.units(1) if made.cut.splits[u.fold].tested == (1, 2))
    rows = made.fold_data(replace(unit, config=unit.config)).dataset
    first, stop = made.cut.groups[1][0], made.cut.groups[2][1]
    for embargo, gap in ((0, 5), (5, 5), (EMBARGO, EMBARGO), (40, 40)):
        kept = set(rows.bar[made.trains_on(rows, unit.fold, embargo)].tolist())
        before, after = max(b for b in kept if b < first), min(b for b in kept if b >= stop)
        assert first - before >= gap + rows.horizon, "its label ends so far before the group"
        assert after - (stop - 1) > gap + rows.horizon, "it begins so far after the last label"


def test_labels_and_features_are_those_of_the_tested_bars(
    tmp_path: Path, contenders: list[Contender]
) -> None:
    made = study(tmp_path, contenders)
    unit = next(u for u in made.units(1) if made.cut.splits[u.fold].tested == (0, 2))
    data, (_, features) = made.fold_data(unit), made.features_of(unit.config)
    at = [*range(*made.cut.groups[0]), *range(*made.cut.groups[2])]
    np.testing.assert_array_equal(data.x, features.x[at])
    np.testing.assert_array_equal(data.ready, features.ready[at])
    np.testing.assert_array_equal(data.labels, made.labels[at])


def test_a_path_is_traded_on_the_forecasts_of_its_own_splits(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str]
) -> None:
    validated(tmp_path, contenders[:1])
    made = study(tmp_path, contenders[:1])
    units = made.units(2)
    assert len(units_ran) == len(units) == 6 * 2
    accounts = trade_paths(made, contenders[0], units)
    assert len(accounts) == 3
    rows, n = made.forecastable(), len(made.market.bars)
    for path, account in zip(made.cut.paths, accounts, strict=True):
        value = np.full((n, 2, 4), np.nan)
        for group, number in enumerate(path):
            first, stop = made.cut.groups[group]
            at = made.cut.tested_bars(made.cut.splits[number]).tolist()
            both = [read_result(u, n, rows[at])[0] for u in units if u.fold == number]
            for bar in range(first, stop):
                value[bar] = (both[0][at.index(bar)] + both[1][at.index(bar)]) / 2.0
        alone = trade_forecasts(made, contenders[0], value, (0, 1))
        np.testing.assert_array_equal(account.returns, alone.returns)
        assert len(account.returns) == n - made.start, "the whole span"
        assert account.seeds == (0, 1)
    assert len({account.returns.tobytes() for account in accounts}) == 3


def test_what_is_told_of_the_paths(
    tmp_path: Path, contenders: list[Contender], units_ran: list[str]
) -> None:
    folder = tmp_path / "compare"
    done = validated(folder, contenders)
    t = done.table
    assert {name: len(r) for name, r in t.sharpe.items()} == {"first": 3, "windows": 3}
    made = study(folder, contenders)
    paths = trade_paths(made, contenders[0], [u for u in made.units(2) if u.name == "first"])
    for path, ratio, net in zip(paths, t.sharpe["first"], t.net_return["first"], strict=True):
        alone = sharpe_per_bar(path.returns)
        assert alone is not None
        assert ratio == pytest.approx(alone * math.sqrt(8760.0))
        assert net == path.facts["net return"]
    stored = json.loads((done.folder / "paths.json").read_text("utf-8"))
    assert stored["sharpe"]["first"] == list(t.sharpe["first"])
    told = (done.folder / "paths.md").read_text("utf-8")
    assert NO_EVIDENCE in told
    assert "4 groups, of which 2 are tested at a time: 6 splits, 3 paths, 2 seeds" in told
    assert f"and so are {EMBARGO} bars more on both sides" in told
    assert (done.folder / "paths.png").stat().st_size > 1000
    (entry,) = read_trials(tmp_path / REGISTER)[0]
    assert entry.where == "compare/test-combinatorial"
    known = [r for r in t.sharpe["first"] if r is not None]
    assert entry.outcomes[0].sharpe is not None
    assert entry.outcomes[0].sharpe * math.sqrt(8760) == pytest.approx(np.median(known), rel=0.01)
    units_ran.clear()
    assert validated(folder, contenders).table == t
    assert units_ran == [], "what is trained is kept"


def test_splits_and_folds_share_no_file(tmp_path: Path, contenders: list[Contender]) -> None:
    def names(made: CombinatorialStudy) -> set[str]:
        return {u.result.name for u in made.units(1)} | {u.data.name for u in made.units(1)}

    one = names(study(tmp_path, contenders[:1]))
    assert len(one) == 2 * 6
    assert not one & names(study(tmp_path, contenders[:1], 5, 2))
    assert not one & names(study(tmp_path, contenders[:1], 4, 1))
    narrow = load_config(None, [], base=contenders[0].config.model_dump(mode="json"))
    embargo = narrow.training.model_copy(update={"embargo_bars": EMBARGO + 1})
    other = replace(contenders[0], config=narrow.model_copy(update={"training": embargo}))
    assert not one & names(study(tmp_path, [other]))


def test_a_start_bounds_the_groups(tmp_path: Path, study_sets: list[str]) -> None:
    config = load_config(None, [*study_sets, "data.start=2023-02-01"])
    made = study(tmp_path, [Contender("late", "network", config)])
    assert made.cut.groups[0][0] == made.market.start_index == made.start
    unit = made.units(1)[0]
    assert made.fold_data(unit).dataset.bar.min() >= made.start


def test_bars_without_features_are_told(tmp_path: Path, contenders: list[Contender]) -> None:
    market = read_market(contenders[0].config)
    few = replace(market, source=HeldBars(market.bars.rows(0, 20)))
    with pytest.raises(DataError, match="no bar has the features of first; give more bars"):
        CombinatorialStudy(contenders, few, tmp_path, groups=4, tested=2)


def test_a_training_without_rows_is_told_by_its_split(
    tmp_path: Path, contenders: list[Contender], study_sets: list[str], units_ran: list[str]
) -> None:
    made = study(tmp_path, contenders[:1], groups=3)
    unit: Unit = made.units(1)[0]
    data = made.fold_data(unit)
    few = replace(data, dataset=data.dataset.rows(np.zeros(len(data.dataset), dtype=np.bool_)))
    with pytest.raises(DataError, match="0 labelled rows"):
        unit.run(few)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--cv", "leave-one-out"], "--cv leave-one-out: there is none; choose walk-forward or combinatorial"),
        (["--cv", "combinatorial", "--confirm", "x", "--preset", "heads"], "leave out --runs and --confirm"),
        (["--cv", "combinatorial", "--preset", "heads", "--groups", "2", "--test-groups", "2"], "fewer --test-groups"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(cli: Cli, given: list[str], words: str) -> None:
    said = cli("compare", *given)
    assert said.code == 2
    assert words in said.err


def test_paths_that_never_traded_have_no_ratio_and_count(tmp_path: Path) -> None:
    t = PathsTable(
        "t", "s", {"one": (None, 1.0), "idle": (None, None)}, {"one": (0.0, 0.1), "idle": (0.0, 0.0)},
        {"text": "2 settings.", "best": "one"},
    )  # fmt: skip
    told = to_markdown(t)
    assert "| one | 2 | +1.0000 | – | +1.0000 | +1.0000 | +1.0000 | 50% | +5.00% |" in told
    assert "| idle | 2 | – | – | – | – | – | 100% | +0.00% |" in told
    assert "| idle | – | 0 of 0 |" in told
    draw(t, tmp_path / "paths.png")
    assert (tmp_path / "paths.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_tables_or_an_object(
    cli: Cli, tmp_path: Path, study_sets: list[str], units_ran: list[str]
) -> None:
    settings = [part for each in study_sets for part in ("--set", each)]
    asked = [
        "compare", "--preset", "policies", "--cv", "combinatorial", "--groups", "3", "--test-groups", "1",
        "--seeds", "1", "--out", tmp_path / "compare", *settings,
    ]  # fmt: skip
    said = cli(*asked, "--json")
    assert said.code == 0, said.err
    assert len(units_ran) == 3, "contenders that differ in how they trade share their trainings"
    assert {len(ratios) for ratios in said.json["sharpe"].values()} == {1}
    assert set(said.json["summary"]) == set(said.json["sharpe"])
    told = cli(*asked)
    assert told.code == 0, told.err
    assert "it is no evidence about trading" in " ".join(told.out.split())
    assert "policies-combinatorial/paths.md, paths.json, paths.png" in told.out
