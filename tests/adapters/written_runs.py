"""A run of all kinds of bars, stepped by an engine and written to whatever takes it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from bot.adapters.journal.facts import FactsWriter
from bot.adapters.record.commands import CommandRow
from bot.adapters.record.writing import RecordWriter
from bot.blocks import F64, I64, BarBlock, FeatureBlock, Task
from bot.config import load_config
from bot.config.schema import Conviction
from bot.engine import Engine
from bot.engine_state import Activation, EngineState, state_to_arrays
from bot.portfolio.hand import Command
from bot.portfolio.rules import rules_from
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS

N, S = 160, 2
SYMBOLS = symbol_names(S)
TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "volume"))
CONFIG = load_config(
    None,
    [
        "synthetic.symbols=2",
        f"synthetic.bars={N}",
        "synthetic.missing=0.1",
        "policy.kind=threshold",
    ],
    {},
)


class Table:
    """Forecasts by the bar's time, some of them missing."""

    def __init__(self, bars: BarBlock) -> None:
        random = np.random.default_rng(4)
        value = random.standard_normal((N, S, 4)) * 0.01
        value[:, :, 1:3] = random.uniform(0.1, 0.9, (N, S, 2))
        value[random.random((N, S)) < 0.2] = np.nan
        value[:, :, 3][random.random((N, S)) < 0.5] = np.nan
        self._value, self._first = value, int(bars.open_time[0])

    def forecast(self, open_time: I64, features: FeatureBlock) -> F64:
        at = (open_time - self._first) // HOUR_MS
        return np.where(features.ready[:, :, None], self._value[at], np.nan)

    def forecast_with_disagreement(self, open_time: I64, features: FeatureBlock) -> tuple[F64, F64]:
        raise AssertionError("nothing asks for the disagreement")

    def distance(self, features: FeatureBlock) -> F64:
        raise AssertionError("nothing asks for the distance")


@dataclass(frozen=True)
class World:
    """An engine, its bars, and two models that decide from bar 10 and from bar 70 on."""

    bars: BarBlock
    engine: Engine
    activations: tuple[Activation, ...]

    def start(self) -> EngineState:
        state = self.engine.initial()
        for activation in self.activations:
            state = self.engine.activate(state, activation)
        return state


def make_world() -> World:
    """Return bars with gaps, late ones, unknown funding, quotes and marks, and their engine."""
    bars = synthetic_bars(CONFIG.synthetic, HOUR_MS)
    rate = np.where(bars.funding_rate != 0.0, np.nan, bars.funding_rate)
    rate[: N // 2] = bars.funding_rate[: N // 2]
    tradable = np.arange(N) % 23 != 7
    quoted = np.where(np.arange(N)[:, None] % 9 == 0, bars.open, np.nan)
    bars = replace(
        bars, funding_rate=rate, tradable=tradable, fillable=bars.valid & tradable[:, None],
        fill_bid=quoted * 0.9999, fill_ask=quoted * 1.0001, bid_size=quoted * 3.0, ask_size=quoted * 5.0,
        mark_high=bars.high * 1.001, mark_low=bars.low * 0.999,
        leaving=np.arange(N)[:, None] % 31 == np.array([0, 30]),
        settlement_price=np.where(np.arange(N)[:, None] % 40 == 39, bars.close, np.nan),
    )  # fmt: skip
    table = Table(bars)
    times = bars.open_time
    engine = Engine(
        None, rules_from(CONFIG, SYMBOLS), Conviction(), TASKS, S, 1e5, {"one": table, "two": table}
    )
    return World(
        bars, engine, (Activation(int(times[10]), "one"), Activation(int(times[70]), "two"))
    )


def write(
    world: World, writers: Sequence[RecordWriter], cuts: list[int],
    opened: set[int] | None = None, commands: Sequence[CommandRow] = (),
) -> list[Any]:  # fmt: skip
    """Step the bars in blocks, some bars opened and closed apart, and write it all.

    Args:
        commands: each holds from the open of a bar.

    Returns:
        what the engine gave, in order, and its last state.
    """
    state = world.start()
    kept: list[Any] = []

    def commit(*writes: tuple[str, tuple[Any, ...], dict[str, Any]]) -> None:
        with ExitStack() as stack:
            for writer in writers:
                if isinstance(writer, FactsWriter):
                    stack.enter_context(writer.transaction())
                for name, args, options in writes:
                    getattr(writer, name)(*args, **options)

    def committed_state() -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return "write_state", (state.last_open, state_to_arrays(state)), {}

    for activation in world.activations:
        due = activation.effective_from - HOUR_MS
        commit(("write_activation", (activation, due), {"late": True}))
    asked = {int(np.searchsorted(world.bars.open_time, row.open_time)): row for row in commands}
    edges = sorted({0, N, *cuts, *(opened or ()), *(i + 1 for i in opened or ()), *asked})
    for a, b in pairwise(edges):
        block = world.bars.rows(a, b)
        if a in asked:
            if asked[a].refused is None:
                state = world.engine.obey(state, Command(asked[a].kind))
            commit(("write_command", (asked[a],), {}), committed_state())
        apart = a in (opened or ())
        if apart:
            state, trace = world.engine.open(state, block)
            commit(("write_open", (block, trace), {}), committed_state())
            kept.append(trace)
        state, results = world.engine.step(state, block)
        closes = [
            ("write_close", (result, state.schedule), {"opened": apart and k == 0})
            for k, result in enumerate(results)
        ]
        commit(*closes, committed_state())
        kept.extend(results)
    return [*kept, state]
