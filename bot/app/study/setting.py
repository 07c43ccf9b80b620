"""What a comparison was made of, in words: its market, folds and seeds, and how much they cover."""

from __future__ import annotations

import numpy as np

from bot.app.study.data import Study
from bot.app.study.walk import cadence_of
from bot.config.needed_heads import needs_calibration
from bot.parts.plugins import digests_of
from bot.report.coverage import LEAST_SHARE, share
from bot.report.formats import percent
from bot.wording import counted


def setting_of(study: Study, seeds: int) -> str:
    """Return what was compared on what, in a paragraph."""
    times = study.market.bars.open_time
    first, last = (int(times[i]) for i in (study.start, study.folds[-1].stop - 1))
    day = [np.datetime64(t, "ms").astype("datetime64[D]") for t in (first, last)]
    c = study.config
    return (
        f"{coverage_of(study)}{', '.join(study.market.symbols)} at {c.market.interval}, {len(study.folds)} folds from "
        f"{day[0]} to {day[1]}, {seeds} seeds; each fold's models are trained on the "
        f"{c.training.window_bars if c.training.window == 'rolling' else 'all'} bars before it "
        "(labels known by then) and forecast it untouched. `excess loss` is the loss of the fold minus that of "
        "the training rows, each over the loss of the training mean; CPU seconds are for one "
        f"training; the account trades the averaged forecasts by its contender's settings."
        f"{_inside(study)}{_calibrated(study)}{_own_parts(study)}"
    )


def _inside(study: Study) -> str:
    """Say how often models are trained inside folds; nothing where they are not."""
    if not study.inside:
        return ""
    cadences = "; ".join(
        f"{c.name} {cadence_of(c.config.retrain)}, {counted(len(study.trainings(c)), 'training')} a seed"
        for c in study.contenders
    )
    return (
        f" Inside a fold models are trained anew ({cadences}), each on the bars before it, and forecast until the next one does; "
        "`excess loss` and the rows that baselines learn from are those of a fold's first training."
    )


def _calibrated(study: Study) -> str:
    """Say how contenders begin that trade on what their signals have been worth."""
    names = [c.name for c in study.contenders if needs_calibration(c.config)]
    if not names:
        return ""
    return (
        f" No signal is scored before the first fold, so that what is calibrated ({'; '.join(names)}) "
        "calibrates itself as it goes, and trades nothing before policy.min_calibration_days of the "
        "folds are over."
    )


def _own_parts(study: Study) -> str:
    """Say from which sources the contenders' own parts are; nothing where there are none."""
    plugins = {path for contender in study.contenders for path in contender.config.plugins}
    digests = digests_of(sorted(plugins))
    sources = ", ".join(f"{name} (SHA-256 {digest[:16]}…)" for name, digest in digests.items())
    return f" Parts of a user's own are from {sources}." if sources else ""


def coverage_of(study: Study) -> str:
    """Say how much of the folds' bars in session every contender forecasts, first what falls short."""
    span = slice(study.start, study.folds[-1].stop)
    in_session, known = study.market.bars.in_session[span], study.forecastable()[span]
    shares = {
        name: share(known[:, s], in_session[:, s]) or 0.0
        for s, name in enumerate(study.market.symbols)
    }
    text = f"{percent(share(known, in_session) or 0.0)} of the bars are forecast. "
    few = [f"{name} {percent(value)}" for name, value in shares.items() if value < LEAST_SHARE]
    return text + (f"**Little is covered: {', '.join(few)}.** " if few else "")
