"""The commands that hold models side by side: `bot compare` and `bot discover`.

Rules: progress goes to stderr, tables or one JSON object to stdout. Must not compute results.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.cross_validation import (
    COMBINATORIAL,
    WALK_FORWARD,
    CvOption,
    GroupsOption,
    InsideOption,
    TestGroupsOption,
    check_cv,
    check_inside,
    cross_validate_and_tell,
)  # fmt: skip
from bot.cli.options import WalkForwardOptions, with_options
from bot.cli.output import progress_bar, resumable, stdout_console

if TYPE_CHECKING:
    from bot.app.study.compare import StudyPlan
    from bot.app.study.contenders import Contender

SeedsOption = Annotated[
    int, typer.Option(min=1, help="Trainings per network, whose forecasts are averaged.")
]


@dataclass(frozen=True)
class StudyOptions(WalkForwardOptions):
    """The options of both commands: the settings, their folds, and where the results go."""

    folds: Annotated[int, typer.Option(min=1, help="Number of consecutive test periods.")] = 6
    fold_months: Annotated[int, typer.Option(min=1, help="Months per fold.")] = 6
    out: Annotated[str, typer.Option(help="Folder for trainings and tables.")] = "runs/compare"

    def plan(self, seeds: int) -> StudyPlan:
        """Return the folds and trainings that are asked for."""
        from bot.app.study.compare import StudyPlan

        return StudyPlan(self.folds, self.fold_months, seeds, self.choice())


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(with_options(compare, StudyOptions))
    app.command()(with_options(discover, StudyOptions))


def compare(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Settings files; the first is compared with each of the others."),
    ] = None,
    finished: Annotated[
        bool, typer.Option("--runs", help="Compare finished runs, named in place of files.")
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(help="mtl-vs-single, architectures, weightings, policies, heads or tricks."),
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Run a preset's frozen defaults once on bars that no trial has seen, and record that look.",
        ),
    ] = None,
    seeds: SeedsOption = 10,
    retrain_inside: InsideOption = False,
    cv: CvOption = WALK_FORWARD,
    groups: GroupsOption = 6,
    test_groups: TestGroupsOption = 2,
    *,
    options: StudyOptions,
) -> None:
    """Compare models out of sample on the same data, with confidence intervals for each difference.

    What is trained is kept in --out: after an interruption the same command continues.
    """
    check_cv(cv, alone=not (finished or confirm is not None))
    check_inside(retrain_inside, alone=not finished and cv == WALK_FORWARD)
    if confirm is not None:
        options = _frozen(options, confirm, preset=preset, files=bool(files) or finished)
    if finished:
        alone = not (preset or options.config or options.overrides())
        _compare_runs(files or [], as_json=options.as_json, alone=alone)
        return
    from bot.app.study.compare import compare_command
    from bot.report.study.text import render

    contenders, title = _contenders(files or [], preset, options)
    _tell_of_leftovers(options.out)
    if cv == COMBINATORIAL:
        cross_validate_and_tell(
            contenders, title, options.out, options.plan(seeds),
            groups=groups, tested=test_groups, as_json=options.as_json,
        )  # fmt: skip
        return
    with progress_bar(f"compare {title}", quiet=options.as_json) as progress, resumable():
        plan = replace(options.plan(seeds), inside=retrain_inside)
        done = compare_command(
            contenders, title, Path(options.out), plan, progress, confirm=confirm is not None
        )  # fmt: skip
    if options.as_json:
        print(json.dumps({"folder": str(done.folder), "setting": done.setting,
                          **done.comparison.as_json()}))  # fmt: skip
        return
    stdout_console().print(render(done.comparison, title, done.setting))
    typer.echo(f"{done.folder}/compare.md, compare.json, compare.png")


def _contenders(
    files: list[str], preset: str | None, options: StudyOptions
) -> tuple[list[Contender], str]:
    from bot.app.study.contenders import from_files
    from bot.app.study.contenders import preset as of_preset
    from bot.errors import ConfigError

    overrides = options.overrides()
    if preset and files:
        raise ConfigError("compare: give settings files or --preset, not both")
    if files and options.config:
        raise ConfigError("compare: --config is the base of a preset; list files as arguments")
    if preset:
        return of_preset(preset, options.config, overrides), preset
    contenders = from_files(files, overrides)
    return contenders, "-".join(contender.name for contender in contenders)


def _frozen(options: StudyOptions, data: str, *, preset: str | None, files: bool) -> StudyOptions:
    """Return the options of a look that confirms: no setting may be chosen after the fact."""
    from bot.errors import ConfigError

    if files or not preset:
        raise ConfigError("compare --confirm: name a --preset; its contenders are run as they are")
    if options.sets or options.config or options.data:
        raise ConfigError(
            "compare --confirm: settings are frozen, and the data are those of --confirm; leave out --set, "
            "--config and --data (--symbols, --from and --to say which of the bars)"
        )
    return replace(options, data=data)


def _compare_runs(names: list[str], *, as_json: bool, alone: bool) -> None:
    from bot.app.study.finished import compare_runs
    from bot.errors import ConfigError
    from bot.report.study.paired import render

    if not alone:
        raise ConfigError(
            "compare --runs: finished runs have their settings; give their names and no settings"
        )
    found = compare_runs(names)
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        stdout_console().print(render(found))


def discover(
    candidates: Annotated[
        str | None, typer.Option(help="Targets to try, separated by commas; by default all others.")
    ] = None,
    seeds: SeedsOption = 5,
    *,
    options: StudyOptions,
) -> None:
    """Add one extra target at a time and measure whether the four main forecasts improve.

    What is trained is kept in --out: after an interruption the same command continues.
    """
    from bot.app.study import discover as discovery

    named = [name.strip() for name in (candidates or "").split(",") if name.strip()]
    contenders = discovery.candidates(options.config, options.overrides(), named)
    _tell_of_leftovers(options.out)
    with progress_bar("discover", quiet=options.as_json) as progress, resumable():
        done = discovery.discover(contenders, Path(options.out), options.plan(seeds), progress)
    if options.as_json:
        print(json.dumps({"folder": str(done.folder), "kept": done.kept,
                          **done.comparison.as_json()}))  # fmt: skip
        return
    from rich.markdown import Markdown

    stdout_console().print(Markdown(done.text))
    typer.echo(f"{done.folder}/discover.md, discover.json")


def _tell_of_leftovers(out: str) -> None:
    from bot.app.study.folds import left_from_before

    note = left_from_before(Path(out))
    if note:
        typer.echo(note, err=True)
