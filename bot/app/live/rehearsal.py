"""The rehearsal of a first start: the history again, with the models that were due in it.

The history is in the journal already, warmed without a model. Each training that was due in the last
`rehearsal_bars` of it is made from the bars known at its due bar; then the whole history goes through
the engine again, from the first bar, and each model decides from its own bar on. Nothing is traded:
signals are scored, and the newest model is the one in force.

Rules: models and state are committed in one transaction at the end, so a rehearsal that is broken off
has not happened; the next start rehearses again, with the models that lie there. The trainings are
those of a backtest that starts at the same bar. Must not trade, nor keep a bar waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.app.live.committed import CommittedRun
from bot.app.live.retraining import LiveTraining
from bot.app.runs.heartbeat import Rehearsing
from bot.app.runs.record import open_record
from bot.app.training.first import FirstTraining, UnfitRowsError
from bot.app.training.progress import tell_rehearsal, tell_rehearsed
from bot.app.training.rehearsal import rehearsal_bars
from bot.app.training.triggers import planned_dues
from bot.engine import Engine
from bot.engine_state import Activation, EngineState
from bot.errors import BotError, DataError
from bot.model.forecaster import Forecaster

PART_BARS = 1000
"""Bars taken at once: between them the daemon may be stopped, and its heart beats."""


@dataclass(frozen=True)
class Rehearsed:
    """A model of the rehearsal: when it decides, its due bar, and whether it was planned earlier."""

    activation: Activation
    due: int
    late: bool = False


class Rehearsal:
    """Rehearse the history of a run that has not begun to trade.

    Args:
        load: loads a model of the run's folder by its id.
        given: another run's model and its due bar; it decides from then on, and no other is trained.
        progress: called with where it is, at each training and part of the history.
    """

    def __init__(
        self, run: CommittedRun, training: LiveTraining, load: Callable[[str], Forecaster], log: Any,
        given: tuple[str, int] | None, progress: Callable[[Rehearsing], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._run, self._training, self._load, self._log = run, training, load, log
        self._given, self._progress = given, progress
        config, step = run.config, run.interval_ms
        self._latency_ms = config.retrain.latency_bars * step
        self._times = np.arange(run.first_bar or 0, run.state.last_open + 1, step, dtype=np.int64)
        self._begin = max(len(self._times) - rehearsal_bars(config), 0)

    async def run(self) -> int | None:
        """Rehearse and commit it.

        Returns:
            the due bar of the newest model that was trained; None where there is none.
        """
        tell_rehearsal(self._log, self._times, self._begin, len(self._times))
        rehearsed = await self._trained()
        if self._given is not None:
            rehearsed += self._of_given(*self._given)
        if rehearsed:
            state = await self._replayed(rehearsed)
            self._run.rehearsed(state, [(r.activation, r.due, r.late) for r in rehearsed])
        tell_rehearsed(self._log, self._run.state, self._run.config)
        given = None if self._given is None else self._given[0]
        own = [each.due for each in rehearsed if each.activation.model_id != given]
        return max(own, default=None)

    async def _trained(self) -> list[Rehearsed]:
        """Make the models that were due, one after the other, as a backtest would."""
        first_ms, last_ms = int(self._times[0]), int(self._times[-1])
        end_ms = last_ms if self._given is None else min(last_ms, self._given[1] - 1)
        flags = self._training.due_bars.due(self._times)
        latency = self._run.config.retrain.latency_bars
        dues = deque(
            int(self._times[due.index]) for due in planned_dues(flags, self._begin, latency)
        )
        first = FirstTraining(
            self._run.config, len(self._run.symbols), int(self._times[self._begin]), first_ms,
            last=end_ms - self._latency_ms, step=self._run.interval_ms,
        )  # fmt: skip
        made: list[Rehearsed] = []
        while (due := first.next_of(dues[0] if dues else None)) is not None:
            scheduled = bool(dues) and due == dues[0]
            if scheduled:
                dues.popleft()
            if due + self._latency_ms > end_ms:
                break
            later = sum(each + self._latency_ms <= end_ms for each in dues)
            self._at("training", due, models=len(made), planned=len(made) + 1 + later)
            try:
                model_id = await self._training.model_of(due)
            except BotError as error:
                self._failed(error, due, first, scheduled=scheduled)
                continue
            first.enough()
            made.append(Rehearsed(Activation(due + self._latency_ms, model_id), due))
            self._log.info(
                "rehearsal_model", model_id=model_id, due=due, number=len(made),
                of=len(made) + later,
            )  # fmt: skip
        return made

    def _failed(self, error: BotError, due: int, first: FirstTraining, *, scheduled: bool) -> None:
        """Take that a training gave no model: the one before decides on."""
        if not isinstance(error, DataError):
            self._log.error("training_failed", due=due, failures=1, reason=str(error))
            first.unfit(due, None)
            return
        first.unfit(due, error.rows if isinstance(error, UnfitRowsError) else None)
        if scheduled:
            self._log.warning("training_skipped", due=due, reason=str(error))

    def _of_given(self, model_id: str, due: int) -> list[Rehearsed]:
        """Return from when on the given model decides: never on a bar that it was trained on."""
        planned = due + self._latency_ms
        at = max(planned, int(self._times[self._begin]))
        if at > int(self._times[-1]):
            return []  # it begins with the first bar that is traded
        return [Rehearsed(Activation(at, model_id), due, late=at > planned)]

    async def _replayed(self, rehearsed: list[Rehearsed]) -> EngineState:
        """Take all the history through the engine, from the first bar on, with these models."""
        engine = self._run.engine_with(
            {r.activation.model_id: self._load(r.activation.model_id) for r in rehearsed}
        )
        state = engine.initial()
        for each in rehearsed:
            state = engine.activate(state, each.activation)
        return await self._warmed(engine, state)

    async def _warmed(self, engine: Engine, state: EngineState) -> EngineState:
        step = self._run.interval_ms
        with open_record(self._run.folder, follow=True) as record:
            for after in range(int(self._times[0]) - 1, int(self._times[-1]), PART_BARS * step):
                bars = record.bars(after, min(after + PART_BARS * step, int(self._times[-1])))
                state = engine.warm(state, bars)
                models = len(state.schedule)
                self._at("scoring", state.last_open, models=models, planned=models)
                await asyncio.sleep(0)
        return state

    def _at(self, stage: str, bar: int, *, models: int, planned: int) -> None:
        number = (bar - int(self._times[0])) // self._run.interval_ms + 1
        self._progress(
            Rehearsing(
                stage, bar, number=number, of=len(self._times), models=models,
                models_planned=planned,
            )
        )  # fmt: skip
