"""What the log tells of trainings: each one's course once it is done, and a rehearsal of several.

Rules: the numbers are those of the model's manifest, and of the engine's state. Must not decide
whether the model takes effect.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.adapters.files.manifests import load_manifest
from bot.app.training.request import TrainingDone
from bot.blocks import I64
from bot.config import Config
from bot.engine_state import EngineState
from bot.portfolio.calibration import slope_of


def tell_trained(log: Any, models: Path, done: TrainingDone, due: int) -> None:
    """Log each epoch's losses and weights by task (debug), heads left untrained, then the model.

    Raises:
        ModelError: the manifest cannot be read.
    """
    manifest = load_manifest(models, done.model_id)
    tasks, member = manifest["tasks"], 0
    for epoch in manifest["history"]:
        member += epoch["number"] == 1
        log.debug(
            "epoch", model_id=done.model_id, member=member, number=epoch["number"],
            **{name: dict(zip(tasks, epoch[name], strict=True))
               for name in ("train", "validation", "weights")},
        )  # fmt: skip
    if manifest.get("untrained"):
        log.warning("heads_untrained", model_id=done.model_id, heads=manifest["untrained"])
    log.info(
        "model_trained", model_id=done.model_id, due=due, rows=done.rows,
        seconds=round(done.seconds, 2), best_epoch=done.best_epoch,
    )  # fmt: skip


def tell_rehearsal(log: Any, open_time: I64, first: int, start: int) -> None:
    """Log that the bars from one index up to another are rehearsed."""
    log.info(
        "rehearsal_started", bars=start - first, first=int(open_time[first]),
        last=int(open_time[start - 1]),
    )  # fmt: skip


def tell_rehearsed(log: Any, state: EngineState, config: Config) -> None:
    """Log what a rehearsal came to: its models, the days scored, what signals were worth."""
    slope, error = slope_of(state.calibration)
    log.info(
        "rehearsal_done", models=len(state.schedule),
        days=int(state.calibration.sums["days"][0]), days_needed=config.policy.min_calibration_days,
        slope=slope, slope_error=error,
    )  # fmt: skip
