"""Which model decides, live: the one in force, the next one that is ready, and the first of a run.

Rules: the engine asks one model, the last in the schedule; a model takes effect between two bars; a
model of another run must not know bars that this run has not reached. Must not train: `retraining`.
"""

from __future__ import annotations

from bot.adapters.files.models import load_model
from bot.app.live.committed import CommittedRun
from bot.app.live.retraining import LiveTraining
from bot.app.loop.forecasters import ModelForecaster
from bot.app.runs.folder import RunFolder
from bot.blocks import Task
from bot.config import Config
from bot.engine import Forecaster
from bot.engine_state import Activation
from bot.errors import ConfigError
from bot.timestamps import format_utc


def forecaster_of(
    config: Config, folder: RunFolder, model_id: str, names: tuple[str, ...], tasks: tuple[Task, ...]
) -> tuple[ModelForecaster, int]:  # fmt: skip
    """Return what asks a model of the run, and the model's due bar.

    Raises:
        ModelError: it is damaged, or not of this run's features and targets.
    """
    trained, manifest = load_model(folder.models, model_id)
    forecaster = ModelForecaster(
        trained,
        list(manifest["features"]),
        names,
        tasks=tasks,
        model_id=model_id,
        lookback=config.model.bars_read,
        symbols=config.market.symbols,
    )
    return forecaster, int(manifest["due_ms"])


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
        given: str | None,
    ) -> None:  # fmt: skip
        self.training = training
        self._run, self._forecasters = run, forecasters
        self._names, self._tasks = names, tasks
        self._trained_until = trained_until
        self._given: tuple[str, int] | None = None
        if run.state.schedule:
            self._load(run.state.schedule[-1].model_id)
        elif given is not None:
            self._given = given, self._load(given)

    async def first(self) -> bool:
        """Train what was due before now and is in no schedule; wait for it at the first start.

        Returns:
            whether a model decides, or may soon.

        Raises:
            ConfigError: the given model would know the future.
        """
        run, training, state = self._run, self.training, self._run.state
        if run.first_bar is None:
            return True
        if self._given is not None:
            check_given(*self._given, state.last_open)
            return True
        closed = run.next_open - run.interval_ms  # a bar that is open has no close to learn from
        for due in training.unmade(run.first_bar, closed, self._trained_until):
            training.want(due)
        if state.schedule:
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

    def _load(self, model_id: str) -> int:
        """Let the engine ask this model, and no other from now on; return its due bar."""
        run = self._run
        forecaster, due = forecaster_of(run.config, run.folder, model_id, self._names, self._tasks)
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
