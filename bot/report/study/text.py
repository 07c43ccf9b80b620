"""A comparison as tables: Markdown for a file, the same for a terminal.

Owns looks only: every number comes from `comparison`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.markdown import Markdown

from bot.report.study.comparison import SIGNIFICANT, Comparison, PairedDifference
from bot.report.study.overfitting import OverfittingDifference


def to_markdown(comparison: Comparison, title: str, setting: str) -> str:
    """Return all tables of a comparison."""
    parts = [
        f"# {title}",
        setting,
        *_figures(comparison),
        _as_traded(comparison),
        _facts(comparison),
    ]
    parts += [
        _verdicts(comparison),
        _secondary(comparison),
        overfitting_table(comparison.overfitting),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render(comparison: Comparison, title: str, setting: str) -> Group:
    """Return the tables for a terminal."""
    return Group(Markdown(to_markdown(comparison, title, setting)))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first column left and the others right aligned."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _figures(c: Comparison) -> list[str]:
    groups = (
        ("Primary endpoints", [e for e in c.endpoints if e in c.primary]),
        ("Secondary endpoints", [e for e in c.endpoints if e not in c.primary]),
    )
    out = []
    for title, names in groups:
        rows = []
        for name in names:
            for contender in c.names:
                f = c.figure(name, contender)
                seeds = "–" if f.seed_error is None else f"{f.seed_error:.4f}"
                rows.append([name, contender, number(f.value), interval(f.low, f.high), seeds])
        out.append(
            f"## {title}\n\nSeeds averaged to one forecast; 95 % intervals over dates and seeds; the last "
            "column is the standard error that the choice of seeds alone makes.\n\n"
            + table(["endpoint", "contender", "value", "95 %", "se, seeds"], rows)
        )
    return out


_AS_TRADED = ("IC", "skill", "against the strongest")
"""Endpoints that are given for few networks too, by how their names end."""


def _as_traded(c: Comparison) -> str:
    """Return the figures of as few networks as the bot trades, and of all, side by side."""
    rows = [
        [
            name,
            contender,
            number(c.as_traded[contender].get(name)),
            number(c.figure(name, contender).value),
        ]
        for name in c.endpoints
        if name.endswith(_AS_TRADED)
        for contender in c.names
        if c.as_traded.get(contender)
    ]
    if not rows:
        return ""
    return (
        "## As few networks as the bot trades\n\nThe mean over groups of as many seeds as `model.members` has "
        "by default, beside that of all seeds together.\n\n"
        + table(["endpoint", "contender", "as traded", "all seeds"], rows)
    )


def _facts(c: Comparison) -> str:
    keys = list(dict.fromkeys(key for facts in c.facts.values() for key in facts))
    rows = [[name, *(_plain(c.facts[name].get(key)) for key in keys)] for name in c.names]
    note = trials_note(c).strip()
    return (
        "## The contenders\n\n"
        + table(["contender", *keys], rows)
        + (f"\n\n{note}" if note else "")
    )


def trials_note(c: Comparison) -> str:
    """Say how much was tried on the same data, and which contender the best ratio is of."""
    if c.trials is None:
        return ""
    return f" {c.trials['text']} The best Sharpe ratio here is that of {c.trials['best']}."


def floor_note(c: Comparison) -> str:
    """Say how small a p can be at all, and whether anything can be shown with so many resamples."""
    tested = sum(d.p_holm is not None for d in c.differences)
    least = min(tested * c.p_floor, 1.0)
    text = (
        f"p is counted over {c.samples:,} resamples: none is below 1/{c.samples + 1:,} = "
        f"{c.p_floor:.4f}, nor below {least:.4f} after the correction, and what stands at such a bound "
        "is that or less."
    )
    if least >= SIGNIFICANT:
        text += " With so many comparisons nothing can be shown."
    return text


def _verdicts(c: Comparison) -> str:
    tested = [d for d in c.differences if d.p_holm is not None]
    first = [d for d in tested if d.first == c.names[0]]
    pairs = "the first with each of the others"
    if len({d.first for d in tested}) > 1:
        pairs = "every pair of contenders"
    text = (
        "## Differences on the primary endpoints\n\n"
        f"First less second; p corrected by Holm for all {len(tested)} comparisons ({pairs}, "
        f"{len(c.primary)} primary endpoints); the verdict is on the first. {floor_note(c)}\n\n"
        + _difference_table(first)
    )
    others = [d for d in tested if d.first != c.names[0]]
    shown = [d for d in others if d.verdict != "no difference shown"]
    if others:
        text += f"\n\n### Other pairs\n\n{len(shown)} of {len(others)} show a difference.\n\n" + (
            _difference_table(shown) if shown else ""
        )
    return text


def _secondary(c: Comparison) -> str:
    described = [d for d in c.differences if d.p_holm is None and d.first == c.names[0]]
    rows = [d for d in described if not _identical(d)]
    left_out = len(described) - len(rows)
    return (
        f"## Differences on the secondary endpoints, {c.names[0]} less the others\n\n"
        "Not corrected for their number, and no verdict: they describe. A difference of Sharpe ratios "
        f"needs decades to show. No p is below {c.p_floor:.4f}."
        + (f" {left_out} rows of identical figures are left out." if left_out else "")
        + "\n\n"
        + table(
            ["endpoint", "less", "difference", "95 %", "p"],
            [
                [d.endpoint, d.second, number(d.value), interval(d.low, d.high), chance(d.p, 3)]
                for d in rows
            ],
        )
    )


def _identical(d: PairedDifference | OverfittingDifference) -> bool:
    """Tell whether nothing differs, in no resample either, as with one training for both."""
    return d.value == d.low == d.high == 0.0


def overfitting_table(excess: Sequence[OverfittingDifference]) -> str:
    """Return the differences of the excess losses, the mark of overfitting; nothing without any."""
    excess = [g for g in excess if not _identical(g)]
    if not excess:
        return ""
    rows = [
        [g.task, g.second, number(g.value), interval(g.low, g.high)]
        for g in excess
    ]  # fmt: skip
    return (
        f"## Overfitting: the excess loss of {excess[0].first} minus that of the others\n\n"
        "Loss on the fold minus loss on the training rows; Student's interval over folds. Below zero, "
        f"{excess[0].first} overfits less.\n\n"
        + table(["task", "compared with", "difference", "95 %"], rows)
    )


def _difference_table(rows: Sequence[PairedDifference]) -> str:
    return table(
        ["endpoint", "first", "second", "difference", "95 %", "p", "p (Holm)", "verdict"],
        [
            [
                d.endpoint, d.first, d.second, number(d.value), interval(d.low, d.high),
                chance(d.p), chance(d.p_holm), d.verdict,
            ]
            for d in rows
        ],
    )  # fmt: skip


def number(value: float | None) -> str:
    """Return a figure with four decimals below ten, else two; a dash where there is none.

    >>> number(0.03214), number(-12.5)
    ('+0.0321', '-12.50')
    """
    if value is None:
        return "–"
    return f"{value:+.4f}" if abs(value) < 10.0 else f"{value:+,.2f}"


def interval(low: float | None, high: float | None) -> str:
    """Return both bounds in brackets; a dash where there are none."""
    return "–" if low is None or high is None else f"[{number(low)}, {number(high)}]"


def chance(p: float | None, digits: int = 4) -> str:
    """Return a p-value; a dash where there is none."""
    return "–" if p is None else f"{p:.{digits}f}"


def _plain(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
