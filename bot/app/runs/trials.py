"""The register of trials: what a finished backtest or study enters, and what a figure is held against.

Rules: whatever looks at bars in hindsight enters itself; a live run does not, nobody had seen its
bars. The register lies beside the run, in the folder that the run's folder lies in. It never costs a
result: a register that cannot be written or read is a warning, in words.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bot.adapters.files import trials as register
from bot.adapters.files.trials import Outcome, Trial
from bot.app.loop.forecasters import TABLE_ID
from bot.app.runs.folder import RunFolder, config_of, deciding
from bot.app.runs.own_parts import recorded_parts
from bot.app.runs.record import open_record
from bot.blocks import F64
from bot.config import Config, flatten
from bot.report.inputs import RunData
from bot.report.money import sharpe
from bot.report.money.metrics import bar_returns
from bot.report.money.trials import Tried
from bot.venues import split_symbol

FORECASTS_SHA256 = "forecasts_sha256"
"""The fact of a run that tells one file of forecasts from another."""


def runs_dir_of(folder: Path) -> Path:
    """Return the folder that a run's or a study's folder lies in."""
    return Path(os.path.relpath(Path(os.path.abspath(folder)).parent))


def enter(runs_dir: Path, trial: Trial) -> str:
    """Enter a trial in the register of a folder of runs; the same one with the same outcome once.

    Returns:
        "" where it stands there, else a warning that it does not, and why. Nothing is raised.
    """
    path = runs_dir / register.NAME
    try:
        register.enter(path, trial)
    except OSError as error:
        return (
            f"{path}: the trial could not be entered ({error.strerror or error}), so later reports do not "
            "count it; make the file writable and ask 'bot report' of the run, which enters it"
        )
    return ""


def enter_run(folder: RunFolder, run: RunData) -> Tried | None:
    """Enter a backtest, and return the trials on the same data; None for a live run, which is none.

    Where the register cannot be written, stderr says so.
    """
    trial, runs_dir = trial_of_run(folder, run), runs_dir_of(folder.path)
    if trial is None:
        return None
    if warning := enter(runs_dir, trial):
        print(f"warning: {warning}", file=sys.stderr)
    return tried(runs_dir, trial)


def tried(runs_dir: Path, trial: Trial) -> Tried:
    """Return the trials on the same data as this one, with this one, whether it is entered or not."""
    path = runs_dir / register.NAME
    notes: tuple[str, ...] = ()
    known: list[Trial] = []
    try:
        known, notes = register.read(path)
    except OSError as error:
        notes = (f"{path}: cannot be read ({error.strerror or error}): only this one is counted.",)
    return on_same_data(known, trial, str(path), notes)


def on_same_data(
    known: Iterable[Trial], trial: Trial, path: str, notes: tuple[str, ...] = ()
) -> Tried:
    """Return those of some trials that are on the same data as one, and that one."""
    same = [t for t in known if t.same_data(trial) and t.key != trial.key]
    every = [*same, trial]
    outcomes = [outcome for t in every for outcome in t.outcomes]
    return Tried(
        count=len(outcomes),
        entries=len(every),
        ratios=tuple(
            o.sharpe * float(np.sqrt(o.returns - 1))
            for o in outcomes
            if o.sharpe is not None and o.returns > 1
        ),
        symbols=tuple(sorted({name for t in every for name in t.symbols})),
        start_ms=min(t.start_ms for t in every),
        end_ms=max(t.end_ms for t in every),
        register=path,
        notes=notes,
    )


def outcome_of(
    returns: F64, net_return: float, name: str = "", settings: Mapping[str, Any] | None = None
) -> Outcome:
    """Return what a setting came to.

    Args:
        returns: float64[n], net returns a bar; none where the account went bankrupt.
        settings: what differs from the settings of its trial.
    """
    own = settings or {}
    sr = sharpe.sharpe_per_bar(returns)
    net = float(net_return) if np.isfinite(net_return) else None
    skew, kurtosis = (0.0, 3.0) if sr is None else sharpe.skew_and_kurtosis(returns)
    if sr is None or not np.isfinite([sr, skew, kurtosis]).all():
        return Outcome(name, net, None, len(returns), settings=own)
    return Outcome(name, net, sr, len(returns), skew=skew, kurtosis=kurtosis, settings=own)


def trial_of_run(folder: RunFolder, run: RunData) -> Trial | None:
    """Return a backtest as the trial that it is; None for a live run, which is none."""
    config = config_of(folder)
    with open_record(folder) as record:
        meta, builds = record.meta, record.builds()
        if meta.get("mode") != "backtest":
            return None
        models = [[row.model_id, row.effective_from] for row in record.models()]
    decides = [
        meta.get("config_hash"),
        sorted(recorded_parts(builds[0].made_by if builds else "").values()),
        meta.get(FORECASTS_SHA256, meta.get(TABLE_ID)),
        models if "schedule_of" in meta else None,
        int(run.open_time[0]),  # how much history models learn from is a choice too
    ]
    curve = np.concatenate(([run.equity_before(run.start_index)], run.equity[run.start_index :]))
    returns = bar_returns(curve) if np.all(curve > 0.0) else np.empty(0)
    return Trial(
        kind="backtest",
        where=Path(os.path.abspath(folder.path)).name,
        digest=digest_of(decides),
        settings=unusual(config),
        source=source_of(config),
        symbols=named_with_venues(config, run.symbols),
        interval=run.interval,
        start_ms=int(run.open_time[run.start_index]),
        end_ms=int(run.open_time[-1]) + run.interval_ms,
        periods_per_year=run.periods_per_year,
        outcomes=(outcome_of(returns, float(curve[-1] / curve[0] - 1.0)),),
        time_ms=now_ms(),
    )


def digest_of(decides: Any) -> str:
    """Return a short SHA-256 over JSON values."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def unusual(config: Config) -> dict[str, Any]:
    """Return the settings that can change a number and are not as by default."""
    usual = deciding(Config())
    jsonable = flatten(config)
    return {k: jsonable[k] for k, v in deciding(config).items() if v != usual.get(k)}


def source_of(config: Config, *, live: bool = False) -> str:
    """Return where bars are from, so that what is made is never taken for what was traded.

    Files of candles are one source whatever their folder: a copy of a market's history is the same
    history, and so is what a daemon saw of it. A synthetic market is one of its own by all that makes it
    but its length, and so is a practice exchange, which lays spreads and ticks over one.

    Args:
        live: whether a daemon saw the bars.
    """
    made = [config.synthetic.model_dump(mode="json", exclude={"bars"}), config.market.interval]
    if live and config.exchange.source == "practice":
        return f"practice {digest_of(made)}"
    if live or config.data.source == "files":
        return "files"
    return f"synthetic {digest_of(made)}"


def named_with_venues(config: Config, symbols: Iterable[str]) -> tuple[str, ...]:
    """Return symbols as venue:symbol."""
    return tuple(":".join(split_symbol(name, config.market.venue)) for name in symbols)


def now_ms() -> int:
    """Return the time, ms UTC."""
    return time.time_ns() // 1_000_000
