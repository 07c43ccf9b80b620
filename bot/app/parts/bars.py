"""The checks of features and targets: the laws of the engine, tried on a made market.

A compiled part sees its window and nothing else, so most laws hold by construction. What it can
still do is to carry something from call to call, to draw at random, or to read beyond its arrays:
each shows as a difference between two ways of asking for the same value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bot.app.parts.market import SYMBOLS, made_market, with_other_future
from bot.blocks import F64, BarBlock, Task
from bot.compiled import njit
from bot.config.schema import Features
from bot.features.called import OF_SYMBOL
from bot.features.own import own_feature
from bot.features.pipeline import FeaturePipeline
from bot.features.targets import compute_targets
from bot.parts.compile import COLUMNS, Compiled, compiled_part
from bot.parts.registry import Part
from bot.timegrid import HOUR_MS

BARS = 400
HORIZON = 5
TRIED = 20
"""Windows on which a function is also tried as plain Python."""

LABELS = {"probability": (0.0, 1.0), "side": (-1.0, 0.0, 1.0)}


def feature_faults(part: Part) -> Iterator[str]:
    """Yield what a feature does that no feature may do."""
    pipeline = FeaturePipeline(Features(names=(part.name,)), SYMBOLS, HOUR_MS)
    if part.facts["computed"] == "called":
        own = own_feature(part, {})
        if not own.cross:
            yield from _plain_faults(own.compiled, own.bars)
    n = max(BARS, 2 * pipeline.warmup_bars)
    bars = made_market(n)
    whole = _values(pipeline, bars, n)
    if not np.isfinite(whole).any():
        yield f"gives no number on any of {n} bars; expected one from bar {pipeline.warmup_bars} on"
    if not _same(whole, _values(pipeline, bars, n)):
        yield "gives other values when it is asked again: it draws at random, or carries something over"
        return
    for length in (1, 7, 64):
        if not _same(whole, _values(pipeline, bars, length)):
            yield f"depends on how bars are cut into blocks (of {length} bars, of all)"
            return
    half = n // 2
    changed = _values(pipeline, with_other_future(bars, half), n)
    if not _same(whole[: half + 1], changed[: half + 1]):
        yield "looks ahead: a bar's value changes with the bars after it"


def target_faults(part: Part) -> Iterator[str]:
    """Yield what a target does that no target may do."""
    if not part.is_shipped:
        yield from _plain_faults(compiled_part(part, {}, OF_SYMBOL), HORIZON + 1)
    bars = made_market(BARS)
    tasks = (Task(part.name, HORIZON),)
    y, known_at = compute_targets(bars, tasks, 20)
    labels, known = y[:, :, 0], known_at[:, :, 0]
    again = compute_targets(bars, tasks, 20)[0][:, :, 0]
    if not np.isfinite(labels).any():
        yield f"gives no number on any of {BARS} bars"
    if not _same(labels, again):
        yield "gives other values when it is asked again: it draws at random, or carries something over"
    half = BARS // 2
    other = compute_targets(with_other_future(bars, half), tasks, 20)[0][:, :, 0]
    settled = (known >= 0) & (known <= half)
    if not _same(np.where(settled, labels, 0.0), np.where(settled, other, 0.0)):
        yield "depends on bars after the one at which it is known: it looks beyond its horizon"
    allowed = LABELS.get(part.facts["output"])
    finite = labels[np.isfinite(labels)]
    if allowed is not None and not np.isin(finite, allowed).all():
        yield f"is a {part.facts['output']}, so its labels are {allowed}; one is {finite[0]:g}"
    if part.facts["output"] == "positive" and (finite < 0.0).any():
        yield f"is positive, and one of its labels is {finite.min():g}"


def _plain_faults(compiled: Compiled, length: int) -> Iterator[str]:
    """Yield what the function does as plain Python: there an index outside an array is an error."""
    bars = made_market(length + TRIED)
    series = np.ascontiguousarray(np.stack([getattr(bars, c)[:, 0] for c in COLUMNS]))
    series = np.nan_to_num(series, nan=100.0)
    series.flags.writeable = False
    for start in range(TRIED):
        window = [series[c, start : start + length] for c in range(len(COLUMNS))]
        try:
            with np.errstate(all="ignore"):
                plain = float(compiled.python(*window))
        except ZeroDivisionError:
            continue  # compiled, that is infinity
        except Exception as error:  # noqa: BLE001 - a user's code may raise anything
            yield f"as plain Python: {type(error).__name__}: {error}"
            return
        found = float(_called(compiled.call, *window))
        if not math.isnan(plain) and not math.isclose(plain, found, rel_tol=1e-9, abs_tol=1e-12):
            yield f"compiled it gives {found:g}, as plain Python {plain:g}, on the same bars"
            return


@njit
def _called(call: Any, o: F64, h: F64, low: F64, c: F64, v: F64, t: F64) -> float:
    value: float = call(o, h, low, c, v, t)
    return value


def _values(pipeline: FeaturePipeline, bars: BarBlock, length: int) -> F64:
    """Return float64[n, S], asked for in blocks of so many bars."""
    state, rows = pipeline.initial(), []
    for start in range(0, len(bars), length):
        state, block = pipeline.advance(state, bars.rows(start, min(start + length, len(bars))))
        rows.append(block.x[:, :, 0])
    return np.concatenate(rows)


def _same(a: F64, b: F64) -> bool:
    return np.array_equal(a, b, equal_nan=True)
