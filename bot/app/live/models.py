"""Which model decides, live: the one in force, the next one that is ready, and the first of a run.

Rules: the engine asks one model, the last in the schedule; a model takes effect between two bars; a
model of another run must not know bars that this run has not reached. A first start rehearses where
the policy is calibrated. Must not train: `retraining`, `rehearsal`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.app.live.committed import CommittedRun
from bot.app.live.rehearsal import Rehearsal
from bot.app.live.retraining import LiveTraining
from bot.app.loop.forecasters import read_forecaster
from bot.app.runs.heartbeat import Rehearsing
from bot.app.training.rehearsal import rehearsal_bars
from bot.blocks import Task
from bot.engine_state import Activation
from bot.errors import ConfigError
from bot.model.forecaster import Forecaster
from bot.timestamps import format_utc


class LiveModels:
    """Load, in the order of their taking effect, the models that decide.

    Args:
        forecasters: those that the engine asks; this is what fills them.
        names, tasks: the engine's features and targets.
        trained_until: the newest due bar whose model is in the schedule, or before which none is
            worth a training.
        given: the model of another run that decides first, where none does yet.
    """

    def __init__(
        self, run: CommittedRun, training: LiveTraining, *, forecasters: dict[str, Forecaster],
        names: tuple[str, ...], tasks: tuple[Task, ...], trained_until: int | None,
        given: str | None, log: Any,
    ) -> None:  # fmt: skip
        self.training = training
        self._run, self._forecasters = run, forecasters
        self._names, self._tasks = names, tasks
        self._trained_until = trained_until
        self._given: tuple[str, int] | None = None
        self._log = log
        if given is not None and given not in {a.model_id for a in run.state.schedule}:
            self._given = given, self._read(given)[1]
        if run.state.schedule:
            self._load(run.state.schedule[-1].model_id)

    async def first(self, progress: Callable[[Rehearsing], None] = lambda _: None) -> bool:
        """Rehearse a first start; train what was due before now and is in no schedule.

        At the first start it is waited for.

        Args:
            progress: called with where a rehearsal is.

        Returns:
            whether a model decides, or may soon.

        Raises:
            ConfigError: the given model would know the future.
        """
        run, training = self._run, self.training
        if run.first_bar is None:
            return True
        if self._given is not None:
            check_given(*self._given, run.state.last_open)
        if run.start is None and not run.state.schedule and rehearsal_bars(run.config):
            await self._rehearse(progress)
        if self._given is not None:
            return True
        closed = run.next_open - run.interval_ms  # a bar that is open has no close to learn from
        for due in training.unmade(run.first_bar, closed, self._trained_until):
            training.want(due)
        if run.state.schedule:
            training.go_on(closed)
            return True
        start = run.next_open if run.start is None else run.start
        training.begin(start, run.first_bar)
        await training.first_model(closed)
        return training.expected

    def take_effect(self, open_time: int) -> tuple[Activation, bool] | None:
        """Let the model whose time has come decide from this bar on; return it, and if it is late."""
        if self._given is not None:
            (model_id, due), self._given = self._given, None
            self._load(model_id)
            activation = Activation(open_time, model_id)
            is_late = open_time > self.training.planned(due)
        else:
            taken = self.training.take(open_time)
            if taken is None:
                return None
            activation, due, is_late = taken
            self._load(activation.model_id)
        self._run.activate(activation, due, late=is_late)
        return activation, is_late

    async def _rehearse(self, progress: Callable[[Rehearsing], None]) -> None:
        rehearsal = Rehearsal(
            self._run, self.training, lambda model_id: self._read(model_id)[0], self._log,
            given=self._given, progress=progress,
        )  # fmt: skip
        self._trained_until = await rehearsal.run()
        schedule = self._run.state.schedule
        if schedule:
            self._load(schedule[-1].model_id)
        if self._given is not None and schedule and schedule[-1].model_id == self._given[0]:
            self._given, self._trained_until = None, self._run.state.last_open

    def _read(self, model_id: str) -> tuple[Forecaster, int]:
        run = self._run
        return read_forecaster(
            run.folder.models, model_id, features=self._names, tasks=self._tasks,
            lookback=run.config.model.bars_read, symbols=run.symbols,
        )  # fmt: skip

    def _load(self, model_id: str) -> int:
        """Let the engine ask this model, and no other from now on; return its due bar."""
        forecaster, due = self._read(model_id)
        self._forecasters.clear()
        self._forecasters[model_id] = forecaster
        return due


def check_given(model_id: str, due: int, last: int) -> None:
    """Refuse a model that was trained on bars that a run has yet to reach.

    Args:
        due: the model's due bar, ms UTC.
        last: the run's newest bar, or the one at which its history will end, ms UTC.

    Raises:
        ConfigError: the given model would know the future.
    """
    if due > last:
        raise ConfigError(
            f"--model: model {model_id} was trained on bars up to {format_utc(due)}, this run has "
            f"reached {format_utc(last)}: it would know the future; begin with an older one"
        )
