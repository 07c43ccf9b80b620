"""A summary laid out in sheets: rows of text, the same for the terminal and for the page.

Owns which tables there are and what stands in them; the forms are in `formats.py`, the looks in
`tables.py` and `report.html`. Must not compute.
"""

from __future__ import annotations

from typing import Any

from bot.report import formats as w
from bot.report.page.calibration_sheets import intervals_sheet, reliability_sheet
from bot.report.page.edge_sheets import (
    controls_sheet,
    decided_sheet,
    edge_sheet,
    slopes_sheet,
    tenths_sheet,
)
from bot.report.page.sheet import Sheet, SheetRow, Tone, from_column
from bot.report.page.skill_sheets import skill_sheet
from bot.report.summary import Summary
from bot.wording import counted


def sheets(summary: Summary) -> list[Sheet]:
    """Return the tables of a run in reading order; those without rows are left out."""
    every = [
        coverage_sheet(summary),
        facts_sheet(summary),
        symbols_sheet(summary),
        edge_sheet(summary),
        controls_sheet(summary),
        slopes_sheet(summary),
        tenths_sheet(summary),
        decided_sheet(summary),
        metrics_sheet(summary),
        costs_sheet(summary),
        targets_sheet(summary),
        skill_sheet(summary),
        intervals_sheet(summary),
        reliability_sheet(summary),
        models_sheet(summary),
        importance_sheet(summary),
        cosines_sheet(summary),
        gates_sheet(summary),
    ]
    return [sheet for sheet in every if sheet.rows]


def facts_sheet(summary: Summary) -> Sheet:
    """Return what was run."""
    rows = tuple(
        SheetRow((name.replace("_", " "), w.fact(value)))
        for name, value in summary["facts"].items()
    )
    return Sheet("facts", f"Run {summary['name']}", ("", ""), frozenset(), rows)


def coverage_sheet(summary: Summary) -> Sheet:
    """Return how much of the span had bars and forecasts: over all symbols, then each."""
    c = summary["coverage"]
    least = c["least_share"]

    def row(name: str, found: dict[str, Any], *, strong: bool = False) -> SheetRow:
        shares = [found["bars"], found["forecasts"]]
        doubt = any(share is not None and share < least for share in shares)
        ends = found.get("forecasts_from_to") or (w.DASH, w.DASH)
        cells = (name, *map(w.short_time, ends), *(w.written(x, w.percent) for x in shares))
        return SheetRow(cells, "doubt" if doubt else "", strong=strong)

    rows = [row(each["symbol"], each) for each in c["symbols"]]
    if len(rows) > 1:
        rows.insert(0, row("all", c["all"], strong=True))
    notes = []
    if c["model"] is not None:
        notes.append(f"A model was in force in {w.percent(c['model'])} of the bars.")
    if c["trainings"] is not None:
        notes.append(_trainings(c["trainings"]))
    if c["calibration"] is not None and c["calibration"]["days"] >= c["calibration"]["needed"]:
        notes.append(c["calibration"]["text"])
    columns = (
        "of the bars in session", "first forecast", "last forecast", "had a bar", "had a forecast",
    )  # fmt: skip
    return Sheet(
        "coverage", "Coverage", columns,
        numbers=from_column(1, columns), rows=tuple(rows), note=" ".join(notes),
    )  # fmt: skip


def _trainings(found: dict[str, Any]) -> str:
    """Return how many trainings were due, and what was made beside them."""
    made = found["due"] - len(found["without_model"])
    said = f"Scheduled trainings: {found['due']}; {made} gave a model."
    if found["beyond"]:
        said += (
            f" Beyond the schedule, for a rehearsal or to have a first model: {found['beyond']}."
        )
    if found["rehearsed"]:
        said += (
            f" Rehearsed: from {w.short_time(found['rehearsed_from'])} to the start "
            f"{counted(found['rehearsed'], 'model')} decided, and nothing was traded."
        )
    return said


def coverage_label(summary: Summary) -> str:
    """Return what to say beside figures of the whole span where little of it had a forecast."""
    share = summary["coverage"]["all"]["forecasts"]
    if share is None or share >= summary["coverage"]["least_share"]:
        return ""
    return f" (whole span; {w.percent(share)} of it had a forecast)"


def symbols_sheet(summary: Summary) -> Sheet:
    """Return a row a symbol; columns that are zero for every symbol may be left out."""
    symbols = summary["symbols"]
    optional = ("missing", "settled", "funding", "funding_unknown")
    shown = [c for c in w.SYMBOLS if c[0] not in optional or any(row[c[0]] for row in symbols)]
    columns = ("symbol", *(label for _, label, _ in shown))
    rows = tuple(
        SheetRow((row["symbol"], *(w.written(row[key], form) for key, _, form in shown)))
        for row in symbols
    )
    return Sheet("symbols", "Symbols", columns, from_column(1, columns), rows)


def metrics_sheet(summary: Summary) -> Sheet:
    """Return the metrics of the run and of buy and hold; those from the first model on where it
    came after the run's start."""
    run, later, held = summary["metrics"], summary["since_first_model"], summary["buy_and_hold"]
    sources = [("run", run), ("buy and hold", held)]
    if later is not None and later["bars"] != run["bars"]:
        sources.insert(1, ("since first model", later))
    columns = ("", *(name for name, _ in sources))
    rows = tuple(
        SheetRow((label, *(w.written(source.get(key), form) for _, source in sources)))
        for key, label, form in w.METRICS
    )
    title = f"Metrics, net of costs{coverage_label(summary)}"
    note = summary["trials"]["text"] if summary["trials"] else ""
    return Sheet("metrics", title, columns, numbers=from_column(1, columns), rows=rows, note=note)


def costs_sheet(summary: Summary) -> Sheet:
    """Return the way from gross to net profit."""
    capital, returns = summary["facts"]["initial_capital"], summary["cost_returns"]
    rows = []
    for key, label in w.COSTS:
        total = key in ("gross", "net")
        value, share = summary["costs"][key], returns[key]
        if not total:
            value, share = 0.0 - value, 0.0 - share
        cells = (label, w.amount(value), w.percent(value / capital), w.percent(share))
        rows.append(SheetRow(cells, strong=total, ends=key in ("gross", "funding")))
    columns = ("", "amount", "of capital", "of each day's equity")
    note = (
        "Last column: each day's amounts over the equity it opened with, summed over the days. "
        f"Compounded, the net returns of the days are {w.percent(returns['net_compounded'])}."
    )
    return Sheet(
        "costs", "From gross to net", columns,
        numbers=from_column(1, columns), rows=tuple(rows), note=note,
    )  # fmt: skip


def targets_sheet(summary: Summary) -> Sheet:
    """Return each target with a tick or a cross."""
    rows = []
    for target in summary["targets"]:
        met = target["met"]
        tick, tone = _TICKS[met]
        rows.append(
            SheetRow((target["label"], w.bound(target), w.target_value(target), tick), tone)
        )
    columns = ("", "target", "value", "met")
    title = f"Targets{coverage_label(summary)}"
    return Sheet(
        "targets", title, columns, numbers=frozenset({1, 2}), rows=tuple(rows), note=w.TARGETS_NOTE
    )


_TICKS: dict[bool | None, tuple[str, Tone]] = {
    True: ("✓", "good"),
    False: ("✗", "bad"),
    None: (w.DASH, ""),
}


def models_sheet(summary: Summary) -> Sheet:
    """Return the models in the order in which they took effect."""
    models = summary["models"]
    columns = ("model", "due", "effective from", "rows", "trained on", "metrics")
    rows = tuple(
        SheetRow(
            (
                model["model_id"],
                w.short_time(model["due"]),
                w.short_time(model["effective_from"]),
                w.count(model["rows"]),
                f"{model['train_from'][:10]} – {model['train_to'][:10]}",
                w.fact(model["metrics"]),
            )
        )
        for model in models
    )
    return Sheet("models", f"Models ({len(models)})", columns, frozenset({3}), rows)


def importance_sheet(summary: Summary) -> Sheet:
    """Return what each head loses without each feature, the most needed first."""
    found = summary["insights"]["importance"]
    columns = ("feature", *(found[0]["heads"] if found else ()))
    rows = tuple(
        SheetRow(
            (row["feature"], *(w.with_deviation(head, w.percent) for head in row["heads"].values()))
        )
        for row in found
    )
    return Sheet(
        "importance",
        "Permutation importance of features",
        columns,
        numbers=from_column(1, columns),
        rows=rows,
        note="What a head's validation loss rises by when the feature is shuffled, in percent of "
        "the loss of an uninformed head: mean ± deviation over the models.",
    )


def cosines_sheet(summary: Summary) -> Sheet:
    """Return the cosine of each pair of tasks, those that conflict most first."""
    columns = ("tasks", "cosine", "models in conflict")
    rows = tuple(
        SheetRow(
            (
                " and ".join(row["tasks"]),
                w.with_deviation(row, w.two_digits),
                w.percent(row["conflicts"]),
            )
        )
        for row in summary["insights"]["cosines"]
    )
    note = "On the shared parameters at the epoch kept: mean ± deviation over the models."
    return Sheet(
        "cosines", "Cosines of the tasks' gradients", columns,
        numbers=from_column(1, columns), rows=rows, note=note,
    )  # fmt: skip


def gates_sheet(summary: Summary) -> Sheet:
    """Return how evenly each gate uses its experts."""
    columns = ("gate", "experts", "in use", "given to shared ones", "newest model")
    rows = tuple(
        SheetRow(
            (
                f"layer {row['layer']}, {row['reader']}",
                w.count(row["experts"]),
                w.with_deviation(
                    {"mean": row["used"], "deviation": row["used_deviation"]}, w.two_digits
                ),
                w.written(row["shared_part"], w.percent),
                ", ".join(f"{name}: {w.two_digits(v)}" for name, v in row["newest"].items()),
            )
        )
        for row in summary["insights"]["gates"]
    )
    note = "In use: exp(entropy) of the mean weights, mean ± deviation over the models."
    return Sheet(
        "gates", "Use of experts", columns, numbers=frozenset(range(1, 4)), rows=rows, note=note
    )
