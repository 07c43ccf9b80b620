"""`bot compare --cv combinatorial`: contenders ranked by the Sharpe ratios of their accounts, path by path.

Rules: all contenders have the same groups, splits and paths; each is entered in the register of trials by its
median path. What is trained is kept and shared as in a walk-forward comparison, whose units are others.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.adapters.system.atomic_file import check_folder, make_folder, replacing, write_text
from bot.app.loop.runner import Progress
from bot.app.runs.trials import enter, runs_dir_of, tried
from bot.app.study.account import Traded, check_accounts
from bot.app.study.combinatorial import CombinatorialStudy, trade_paths
from bot.app.study.compare import StudyPlan, ready, train_missing
from bot.app.study.contenders import Contender, check_cadence
from bot.app.study.setting import coverage_of
from bot.app.study.splits import check_counts
from bot.app.study.trials import trial_of
from bot.app.symbols import bars_a_year
from bot.report.money.sharpe import sharpe_per_bar
from bot.report.study.paths import PathsTable, draw, to_markdown
from bot.wording import counted


@dataclass(frozen=True)
class CrossValidated:
    """What each contender's paths came to, and the folder of the tables."""

    table: PathsTable
    folder: Path


def cross_validate(
    contenders: list[Contender], title: str, out: Path, plan: StudyPlan, progress: Progress, *,
    groups: int, tested: int,
) -> CrossValidated:  # fmt: skip
    """Train every split that is missing below `out`, trade every path, and write tables and picture.

    Args:
        plan: its folds and months have no say.

    Raises:
        ConfigError: the numbers make no cross-validation, or a contender cannot be traded or trained.
        DataError: a folder of the study's is a link, or there are too few bars.
        ModelError: trainings failed; those that did not are kept.
    """
    check_counts(groups, tested)
    folder = out / f"{title}-combinatorial"
    check_folder(folder)
    check_cadence(contenders, inside=False)
    contenders, market = ready(contenders)
    study = CombinatorialStudy(contenders, market, out, groups=groups, tested=tested)
    check_accounts(study)
    units = study.units(plan.seeds)
    train_missing(study, units, plan.engine, progress)
    accounts = {
        c.name: trade_paths(study, c, [unit for unit in units if unit.name == c.name])
        for c in study.contenders
    }
    table = _table(study, title, plan.seeds, accounts)
    make_folder(folder)
    write_text(folder / "paths.json", json.dumps(table.as_json(), indent=1))
    write_text(folder / "paths.md", to_markdown(table))
    with replacing(folder / "paths.png", durable=False) as temporary:
        draw(table, temporary)
    return CrossValidated(table, folder)


def _table(
    study: CombinatorialStudy, title: str, seeds: int, accounts: dict[str, list[Traded]]
) -> PathsTable:
    a_year = bars_a_year(study.config, study.market.symbols)
    ratios = {
        name: tuple(annual_ratio(path, a_year) for path in paths)
        for name, paths in accounts.items()
    }
    medians = {name: paths[middle_path(ratios[name])] for name, paths in accounts.items()}
    trial = trial_of(study, f"{title}-combinatorial", "compare", medians)
    runs_dir = runs_dir_of(study.folder)
    if warning := enter(runs_dir, trial):
        print(f"warning: {warning}", file=sys.stderr)
    best = max(trial.outcomes, key=lambda o: -np.inf if o.sharpe is None else o.sharpe)
    found = tried(runs_dir, trial)
    deflated = (
        None
        if best.sharpe is None
        else found.deflated(best.sharpe, best.returns, skew=best.skew, kurtosis=best.kurtosis)
    )
    return PathsTable(
        title=title,
        setting=setting_of_cut(study, seeds),
        sharpe=ratios,
        net_return={
            name: tuple(float(path.facts["net return"]) for path in paths)
            for name, paths in accounts.items()
        },
        trials=found.as_json(best.returns, trial.periods_per_year, deflated) | {"best": best.name},
    )


def annual_ratio(path: Traded, a_year: float) -> float | None:
    """Return a path's Sharpe ratio a year; None where it never traded, and after a bankruptcy."""
    if not np.all(path.returns > -1.0):
        return None
    ratio = sharpe_per_bar(path.returns)
    return None if ratio is None else ratio * float(np.sqrt(a_year))


def middle_path(ratios: tuple[float | None, ...]) -> int:
    """Return the path in the middle, the lower of two; one without a ratio counts as the worst.

    >>> middle_path((0.3, None, 0.1)), middle_path((0.4, 0.1, 0.2, 0.3))
    (2, 2)
    """
    order = sorted(range(len(ratios)), key=lambda k: -np.inf if ratios[k] is None else ratios[k])  # type: ignore[arg-type,return-value]
    return order[(len(order) - 1) // 2]


def setting_of_cut(study: CombinatorialStudy, seeds: int) -> str:
    """Return what was trained and tested on what, in words."""
    cut, c = study.cut, study.config
    days = [
        np.datetime64(int(study.market.bars.open_time[i]), "ms").astype("datetime64[D]")
        for i in (study.start, -1)
    ]
    embargo = sorted(
        {
            max(each.config.training.embargo_bars, *each.config.targets.horizons)
            for each in study.contenders
        }
    )
    return (
        f"{coverage_of(study)}{', '.join(study.market.symbols)} at {c.market.interval} from {days[0]} to {days[1]} in "
        f"{counted(len(cut.groups), 'group')}, of which {len(cut.splits[0].tested)} are tested at a time: "
        f"{counted(len(cut.splits), 'split')}, {counted(len(cut.paths), 'path')}, {counted(seeds, 'seed')}. Rows whose "
        "labels share a bar with those of a tested group are left out of the training, and so are "
        f"{' or '.join(map(str, embargo))} bars more on both sides."
    )
