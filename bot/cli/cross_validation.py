"""How `bot compare` cuts the bars and when it trains: its options, and what a cross-validation prints.

Must not compute results.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.output import progress_bar, resumable, stdout_console

if TYPE_CHECKING:
    from bot.app.study.compare import StudyPlan
    from bot.app.study.contenders import Contender

WALK_FORWARD, COMBINATORIAL = "walk-forward", "combinatorial"

CvOption = Annotated[
    str,
    typer.Option(
        help="walk-forward: each fold is forecast by models of the past. combinatorial: each group of bars by "
        "models of the others, later ones too, on many paths; it ranks settings and is no evidence about trading."
    ),
]
GroupsOption = Annotated[
    int, typer.Option(min=2, help="With --cv combinatorial: groups that the bars are cut into.")
]
TestGroupsOption = Annotated[
    int, typer.Option(min=1, help="With --cv combinatorial: groups that are tested at a time.")
]
InsideOption = Annotated[
    bool,
    typer.Option(
        "--retrain-inside",
        help="Train inside folds too, whenever a contender's own retrain.trigger is due, as a run does.",
    ),
]


def check_cv(cv: str, *, alone: bool) -> None:
    """Refuse a way of cutting that there is not, or that does not go with what else is asked.

    Raises:
        ConfigError: naming what there is.
    """
    from bot.errors import ConfigError

    if cv not in (WALK_FORWARD, COMBINATORIAL):
        raise ConfigError(f"--cv {cv}: there is none; choose {WALK_FORWARD} or {COMBINATORIAL}")
    if cv == COMBINATORIAL and not alone:
        raise ConfigError(
            "compare --cv combinatorial: finished runs are not cut, and what confirms is walk-forward; leave "
            "out --runs and --confirm"
        )


def check_inside(retrain_inside: bool, *, alone: bool) -> None:
    """Refuse trainings inside folds where there are none in the order of time.

    Raises:
        ConfigError: naming what it does not go with.
    """
    from bot.errors import ConfigError

    if retrain_inside and not alone:
        raise ConfigError(
            "compare --retrain-inside: finished runs have their trainings, and a combinatorial cut has no order of time; "
            "leave out --runs and --cv combinatorial"
        )


def cross_validate_and_tell(
    contenders: list[Contender], title: str, out: str, plan: StudyPlan, *, groups: int, tested: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Cross-validate, and print tables or one JSON object."""
    from bot.app.study.cross_validation import cross_validate
    from bot.report.study.paths import render

    with progress_bar(f"compare {title}", quiet=as_json) as progress, resumable():
        done = cross_validate(
            contenders, title, Path(out), plan, progress,
            groups=groups, tested=tested,
        )  # fmt: skip
    if as_json:
        print(json.dumps({"folder": str(done.folder), **done.table.as_json()}, allow_nan=False))
        return
    stdout_console().print(render(done.table))
    typer.echo(f"{done.folder}/paths.md, paths.json, paths.png")
