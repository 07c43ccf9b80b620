"""What the log tells of a training once it is done: its course epoch by epoch, and its model.

Rules: the numbers are those of the model's manifest. Must not decide whether the model takes effect.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.adapters.files.models import load_manifest
from bot.app.training.request import TrainingDone


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
