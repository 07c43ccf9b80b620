"""A comparison as the trial that it is: each contender a setting that was tried on the folds' bars."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bot.adapters.files import trials as register
from bot.adapters.files.trials import Outcome, Trial, TrialKind
from bot.app.runs.folder import config_hash, deciding
from bot.app.runs.trials import (
    digest_of,
    enter,
    named_with_venues,
    now_ms,
    outcome_of,
    runs_dir_of,
    source_of,
    tried,
    unusual,
)
from bot.app.study.account import Traded
from bot.app.study.contenders import Contender
from bot.app.study.data import Study
from bot.app.symbols import bars_a_year
from bot.errors import ConfigError
from bot.parts.plugins import digests_of
from bot.report.study.comparison import Comparison
from bot.timegrid import INTERVAL_MS
from bot.timestamps import format_utc

DEFLATED = "deflated Sharpe"
"""The fact of a contender, after all that was tried on its data."""


def count_in(
    comparison: Comparison,
    study: Study,
    title: str,
    kind: TrialKind,
    accounts: Mapping[str, Traded],
) -> Comparison:
    """Enter a comparison in the register beside its folder; return it with the count of trials.

    A register that cannot be written is a warning on stderr, and in the comparison.

    Args:
        title: of the tables' folder.
        accounts: by contender, what its averaged forecasts earned.
    """
    trial, runs_dir = trial_of(study, title, kind, accounts), runs_dir_of(study.folder)
    if warning := enter(runs_dir, trial):
        print(f"warning: {warning}", file=sys.stderr)
    found = tried(runs_dir, trial)
    deflated = {
        o.name: None
        if o.sharpe is None
        else found.deflated(o.sharpe, o.returns, skew=o.skew, kurtosis=o.kurtosis)
        for o in trial.outcomes
    }
    best = max(trial.outcomes, key=lambda o: -np.inf if o.sharpe is None else o.sharpe)
    facts = {name: {**facts, DEFLATED: deflated[name]} for name, facts in comparison.facts.items()}
    counted = found.as_json(best.returns, trial.periods_per_year, deflated[best.name])
    return replace(comparison, facts=facts, trials=counted | {"best": best.name})


def trial_of(study: Study, title: str, kind: TrialKind, accounts: Mapping[str, Traded]) -> Trial:
    """Return a comparison as a trial of as many settings as it has contenders."""
    times, first = study.market.bars.open_time, study.contenders[0]
    decides = [
        int(times[0]),
        [[int(times[i]) for i in (fold.due, fold.first, fold.stop - 1)] for fold in study.folds],
        [
            [c.kind, accounts[c.name].seeds, config_hash(c.config),
             sorted(digests_of(c.config.plugins).values())]
            for c in study.contenders
        ],
        *(["retrained inside"] if study.inside else []),
    ]  # fmt: skip
    outcomes = tuple(_outcome(c, first, accounts[c.name]) for c in study.contenders)
    return _entry(study, title, kind, digest=digest_of(decides), outcomes=outcomes)


def check_unseen(study: Study) -> None:
    """Refuse to confirm anything on bars that the register knows.

    Raises:
        ConfigError: with the trials that saw them; or the register cannot be read, so nobody knows.
    """
    path = runs_dir_of(study.folder) / register.NAME
    own = _entry(study, "", "confirm", digest="", outcomes=())
    try:
        known, notes = register.read(path)
    except OSError as error:
        raise ConfigError(
            f"compare --confirm: {path} cannot be read ({error.strerror or error}), so it is not known "
            "whether these bars were looked at; make it readable"
        ) from error
    if notes:
        raise ConfigError(f"compare --confirm: {'; '.join(notes)}; mend it first")
    seen = [trial for trial in known if trial.same_data(own)]
    if seen:
        last = max(seen, key=lambda trial: trial.time_ms)
        raise ConfigError(
            f"compare --confirm: {len(seen)} trials have seen these symbols in this span, the last of them "
            f"{last.kind} {last.where} on {format_utc(last.time_ms)} ('bot trials'); what was looked at "
            "confirms nothing: take later bars or other symbols"
        )


def _entry(
    study: Study, title: str, kind: TrialKind, *, digest: str, outcomes: tuple[Outcome, ...]
) -> Trial:
    times, interval = study.market.bars.open_time, study.config.market.interval
    return Trial(
        kind=kind,
        where=f"{study.folder.name}/{title}",
        digest=digest,
        settings=unusual(study.contenders[0].config),
        source=source_of(study.config),
        symbols=named_with_venues(study.config, study.market.symbols),
        interval=interval,
        start_ms=int(times[study.start]),
        end_ms=int(times[study.folds[-1].stop - 1]) + INTERVAL_MS[interval],
        periods_per_year=bars_a_year(study.config, study.market.symbols),
        outcomes=outcomes,
        time_ms=now_ms(),
    )


def _outcome(contender: Contender, first: Contender, account: Traded) -> Outcome:
    base = deciding(first.config)
    own = {k: v for k, v in deciding(contender.config).items() if v != base.get(k)}
    alive = bool(np.all(account.returns > -1.0))
    return outcome_of(
        account.returns if alive else np.empty(0),
        float(account.facts["net return"]),
        contender.name,
        own,
    )
