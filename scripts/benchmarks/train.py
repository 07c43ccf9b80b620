"""The train group: what weightings and gradient methods cost beside the plain sum, and a training.

Rules: one thread; CPU time of the process, because a busy machine adds waiting; contestants take
turns epoch by epoch and each round is compared with its own plain sum, the median of which counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.model.dataset import Dataset
from bot.model.threads import single_thread
from bot.model.trained import ModelSpec
from bot.model.training.autograd import AutogradSteps
from bot.model.training.course import Parts, begin
from bot.model.training.descent import epoch
from bot.model.training.rows import RowTensors
from bot.model.training.train import train
from bot.parts.registry import parts
from scripts.benchmarks.measuring import Row

TASKS = tuple(Task(kind, 24) for kind in ("return", "direction", "volatility", "volume"))
N_FEATURES = 22
STATED = ("nash_mtl", "cagrad", "fairgrad")
"""Methods that solve an optimisation problem at every step: no goal, the cost is stated."""

WEIGHTINGS = tuple(name for name in parts("weighting") if name != "fixed")
METHODS = tuple(name for name in parts("gradient_method") if name != "sum")


def weightings(quick: bool) -> list[Row]:
    """Measure a step with each weighting."""
    given = {name: Training(weighting=name) for name in WEIGHTINGS}
    return list(_beside_the_sum(given, quick, dict.fromkeys(given, 1.2)))


def methods(quick: bool, features: int) -> list[Row]:
    """Measure a step with each gradient method, on the parameters or on the features."""
    on, goal = ("features", 1.3) if features else ("parameters", 2.5)
    given = {f"{name} on {on}": Training(gradients=name, gradients_on=on) for name in METHODS}
    goals = {case: None if case.split()[0] in STATED else goal for case in given}
    return list(_beside_the_sum(given, quick, goals))


def default(quick: bool) -> list[Row]:
    """Measure one training of the default model: 4 symbols, a year of hours, 20 epochs."""
    single_thread()
    dataset = _dataset(2000 if quick else 8760, 4)
    training = Training(epochs=20, patience=20)
    started, cpu = time.perf_counter(), time.process_time()
    trained = train(dataset, Model(), training, seed=1)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - started
    note = f"{len(dataset):,} rows, {trained.metrics['epochs']} epochs; {wall:.1f} s by the wall"
    return [Row("a training of the default model, CPU", cpu, "s", 10.0, False, note)]


def members(quick: bool, members: int, features: int) -> list[Row]:
    """Measure the training of an ensemble beside as many trainings of a single model.

    4 symbols, a year of hours, as `default`; a single model is trained before and after each time.
    """
    single_thread()
    dataset = _dataset(2000 if quick else 8760, 4, features)
    training = Training(epochs=3 if quick else 10, patience=10)
    single, ensemble = Model(), Model(members=members)
    for model in (single, Model(members=2)):  # compiles
        train(_dataset(700, 4, features), model, Training(epochs=1), seed=1)

    def cpu_s(model: Model) -> float:
        started = time.process_time()
        train(dataset, model, training, seed=1)
        return time.process_time() - started

    ratios, taken = [], 0.0
    for _ in range(3):
        before, taken, after = cpu_s(single), cpu_s(ensemble), cpu_s(single)
        ratios.append(2.0 * taken / (members * (before + after)))
    note = f"{features} features, {len(dataset):,} rows, {training.epochs} epochs: {taken:.1f} s"
    case = f"an ensemble of {members} beside {members} trainings, CPU"
    return [Row(case, statistics.median(ratios), "×", 0.5, False, note)]


def _beside_the_sum(
    given: Mapping[str, Training], quick: bool, goals: Mapping[str, float | None]
) -> Iterator[Row]:
    single_thread()
    rows = _rows(4 if quick else 12)
    n_steps = 4 if quick else 12
    spec = ModelSpec(Model(), N_FEATURES, TASKS)
    courses = {}
    for case, training in {"": Training(), **given}.items():
        course = begin(spec, Parts(rows, rows), training=training, seed=1)
        courses[case] = course, AutogradSteps(course)
    for course, steps in courses.values():
        epoch(course, steps)
    ratios: dict[str, list[float]] = {case: [] for case in given}
    plain = []
    for _ in range(5 if quick else 15):
        taken = {}
        for case, (course, steps) in courses.items():
            started = time.process_time()
            epoch(course, steps)
            taken[case] = time.process_time() - started
        plain.append(taken[""] / n_steps)
        for case in given:
            ratios[case].append(taken[case] / taken[""])
    note = (
        f"a plain step of {Training().batch_size:,} rows: {1e3 * statistics.median(plain):.2f} ms"
    )
    for case, each in ratios.items():
        yield Row(case, statistics.median(each), "× sum", goals[case], False, note)
        note = ""


def _rows(steps: int) -> RowTensors:
    n = steps * Training().batch_size
    dataset = _dataset(n // 4, 4)
    x, y = torch.from_numpy(dataset.x).float(), torch.from_numpy(dataset.y).float()
    return RowTensors(x, y, torch.ones_like(y))


def _dataset(n_bars: int, n_symbols: int, n_features: int = N_FEATURES) -> Dataset:
    """Return rows of random features, of which some are behind each label."""
    rng = np.random.default_rng(1)
    n = n_bars * n_symbols
    x = rng.normal(size=(n, n_features))
    shocks = rng.normal(size=(n, 3)) + x[:, :3]
    y = np.column_stack([shocks[:, 0], shocks[:, 0] > 0, np.exp(0.3 * shocks[:, 1]), shocks[:, 2]])
    return Dataset(
        x=x,
        y=y,
        bar=np.repeat(np.arange(n_bars), n_symbols),
        symbol=np.tile(np.arange(n_symbols), n_bars),
        tasks=TASKS,
    )
