"""The pictures of what the models look at: importance, gradient cosines, gates.

Rules: a colour means the same for every picture here: blue helps or agrees, orange hurts or
conflicts. Numbers stand in the cells as long as they can be read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bot.blocks import F64
from bot.report.inputs import GateWeights, Insight, RunData
from bot.report.insights import (
    SHARED,
    by_importance,
    column_scale,
    cosines_by_epoch,
    effective_experts,
    importance,
    insights,
    kept_cosines,
    over_models,
    pairs,
)
from bot.report.page.svg import (
    BALANCE,
    INK,
    SERIES,
    Picture,
    date_axis,
    days,
    new_figure,
    svg_of,
)

_MOST_NUMBERED = 10  # columns whose cells still have room for a number
_MOST_PAIRS = len(SERIES)


def insight_pictures(run: RunData) -> list[Picture]:
    """Return the pictures that the run's models have numbers for."""
    found = insights(run)
    if not found:
        return []
    drawn = [importance_picture(found)]
    if kept_cosines(found) and len(found[0].tasks) > 1:
        drawn.append(cosine_picture(run, found))
    if found[-1].gates:
        drawn.append(gate_picture(run, found))
    return drawn


def importance_picture(found: Sequence[Insight]) -> Picture:
    """Return the map of features by heads."""
    averaged = importance(found)
    order = by_importance(averaged.mean)
    figure = new_figure(1.1 + 0.29 * len(order))
    axes = figure.subplots()
    texts = [
        [
            _percent(averaged.mean[f, k], averaged.deviation[f, k])
            for k in range(len(found[0].tasks))
        ]
        for f in order
    ]
    shade = np.nan_to_num(averaged.mean / column_scale(averaged.mean))[order]
    names = [found[0].features[f] for f in order]
    _map(axes, shade, names, found[0].tasks, texts)
    axes.xaxis.tick_top()
    title = "Which features each head needs"
    caption = (
        "What a head's validation loss rises by when one feature is shuffled, in percent of the loss "
        f"of an uninformed head; mean and deviation over {len(found)} models. Colours compare "
        "features within a head, not heads. Orange: shuffling it did no harm. Features with the "
        "same information stand in for one another."
    )
    return Picture(title, caption, svg_of(figure, title))


def cosine_picture(run: RunData, found: Sequence[Insight]) -> Picture:
    """Return the matrix of cosines, their way over the epochs, and that over the models."""
    tasks = found[0].tasks
    mean = over_models(kept_cosines(found)).mean
    figure = new_figure(4.0 + 0.25 * max(len(tasks) - 4, 0))
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.15, 1.0, 1.0])
    texts = [[_cosine(value) for value in row] for row in mean]
    _map(left, np.nan_to_num(mean), tasks, tasks, texts)
    left.tick_params(axis="x", rotation=35)
    left.set_title("At the epoch kept")

    by_epoch = cosines_by_epoch(found)
    chosen = _most_apart(mean)
    for place, (a, b) in enumerate(chosen):
        middle.plot(
            np.arange(1, len(by_epoch) + 1),
            by_epoch[:, a, b],
            color=SERIES[place],
            label=f"{tasks[a]}, {tasks[b]}",
        )
    middle.set_title("Over the epochs")
    middle.set_xlabel("epoch")
    middle.xaxis.set_major_locator(MaxNLocator(6, integer=True))

    measured = [m for m in run.models if m.insight is not None and len(m.insight.cosines)]
    time = days(np.array([m.effective_from_ms for m in measured], dtype=np.int64))
    kept = np.stack(kept_cosines(found))
    for place, (a, b) in enumerate(chosen):
        right.plot(time, kept[:, a, b], color=SERIES[place], marker="o", markersize=3.0)
    right.set_title("Over the models")
    date_axis(right)
    for axes in (middle, right):
        axes.axhline(0.0, color=INK, linewidth=0.8)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9.0)
    title = "Do the tasks pull the same way?"
    caption = (
        "Cosines of the tasks' gradients on what they share, on a fixed sample of training rows: "
        "above zero a step for one helps the other, below it hurts. Means over the models; lines are "
        f"the {len(chosen)} pairs furthest from zero."
    )
    return Picture(title, caption, svg_of(figure, title))


def gate_picture(run: RunData, found: Sequence[Insight]) -> Picture:
    """Return the newest model's gates layer by layer, and how many experts were used over time."""
    gates = found[-1].gates
    layers = sorted({gate.layer for gate in gates})
    looked_into = [m for m in run.models if m.insight is not None]
    tallest = max(sum(gate.layer == layer for gate in gates) for layer in layers)
    n_rows = len(layers) + (len(found) > 1)
    figure = new_figure(0.4 + (1.1 + 0.32 * tallest) * len(layers) + 2.6 * (len(found) > 1))
    panels = figure.subplots(n_rows, 1, squeeze=False).ravel()
    for axes, layer in zip(panels, layers, strict=False):
        _gates(axes, [gate for gate in gates if gate.layer == layer])
        axes.set_title(f"Layer {layer}, newest model" if len(layers) > 1 else "Newest model")
    if len(found) > 1:
        last = [p for p, gate in enumerate(gates) if gate.layer == layers[-1]]
        time = days(np.array([m.effective_from_ms for m in looked_into], dtype=np.int64))
        for place, p in enumerate(last[: len(SERIES)]):
            used = [effective_experts(insight.gates[p].weights) for insight in found]
            panels[-1].plot(
                time, used, color=SERIES[place], marker="o", markersize=3.0, label=gates[p].reader
            )
        panels[-1].set_title("Experts in use, over the models")
        panels[-1].set_ylabel("exp(entropy)")
        panels[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9.0)
        date_axis(panels[-1])
    title = "Which experts each task uses"
    caption = (
        "Mean weights of each gate on validation rows; empty where a gate does not see an expert. "
        "Experts have no names that hold from one training to the next, so over time only how many "
        "are in use is shown: 1 is one alone."
    )
    return Picture(title, caption, svg_of(figure, title))


def _gates(axes: Axes, gates: Sequence[GateWeights]) -> None:
    named = dict.fromkeys(name for gate in gates for name in gate.weights)
    experts = sorted(named, key=lambda name: name.startswith(SHARED))  # those at the right
    weights = np.array([[gate.weights.get(name, np.nan) for name in experts] for gate in gates])
    texts = [["" if np.isnan(w) else f"{w:.2f}" for w in row] for row in weights]
    readers = [gate.reader for gate in gates]
    _map(
        axes,
        np.nan_to_num(weights),
        readers,
        columns=experts,
        texts=texts,
        most=float(np.nanmax(weights)),
    )
    axes.tick_params(axis="x", rotation=20 if len(experts) > 5 else 0)


def _map(
    axes: Axes,
    shade: F64,
    rows: Sequence[str],
    columns: Sequence[str],
    texts: Sequence[Sequence[str]],
    most: float = 1.0,
) -> None:
    """Draw cells of colour, the fullest at ±most, with text in them."""
    axes.imshow(shade, aspect="auto", cmap=BALANCE, vmin=-most, vmax=most, interpolation="nearest")
    axes.set_xticks(range(len(columns)), list(columns))
    axes.set_yticks(range(len(rows)), list(rows))
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(columns) > _MOST_NUMBERED:
        return
    for r, line in enumerate(texts):
        for c, text in enumerate(line):
            axes.text(c, r, text, ha="center", va="center", fontsize=9.0, color=INK)


def _most_apart(mean: F64) -> list[tuple[int, int]]:
    """Return the pairs whose cosine is furthest from zero."""
    size = np.nan_to_num(np.abs(mean))
    return sorted(pairs(len(mean)), key=lambda pair: -float(size[pair]))[:_MOST_PAIRS]


def _percent(mean: float, deviation: float) -> str:
    if np.isnan(mean):
        return ""
    margin = "" if np.isnan(deviation) else f" ± {100 * deviation:.2f}"
    return f"{100 * mean:+.2f}{margin}"


def _cosine(value: float) -> str:
    return "" if np.isnan(value) else f"{value:+.2f}"
