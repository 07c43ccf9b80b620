"""The table of skill: each head's measures against the baselines, with their intervals."""

from __future__ import annotations

from typing import Any

from bot.parts.registry import part
from bot.report import formats as w
from bot.report.page.sheet import Sheet, SheetRow, Tone
from bot.report.skill.verdicts import NONE_SHOWN, SHOWN, WORSE
from bot.report.summary import Summary
from bot.wording import counted

_VERDICT_TONES: dict[str, Tone] = {SHOWN: "good", WORSE: "bad", NONE_SHOWN: "doubt"}


def skill_sheet(summary: Summary) -> Sheet:
    """Return each head's measures against its baselines, with their intervals, the headline first."""
    columns = ("head", "measure", "value", "95 % interval", "model", "baseline", "verdict")
    rows: list[SheetRow] = []
    notes = []
    for task, head in summary["skill"].items():
        notes.append(_skill_note(task, head))
        rows.extend(_skill_rows(task, head))
    note = "\n".join(notes)
    return Sheet(
        "skill", "Skill of each head, out of sample", columns,
        numbers=frozenset(range(2, 6)), rows=tuple(rows), note=note,
    )  # fmt: skip


def _skill_note(task: str, head: dict[str, Any]) -> str:
    """Say what a head is held against."""
    chosen = head["against"]["chosen"]
    if len(head["against"]["each"]) == 1:
        return f"{task}: against {head['baseline']}; {counted(head['rows'], 'row')}."
    models = sum(chosen.values())
    strongest = ", ".join(f"{_label(name)} {n}" for name, n in chosen.items())
    return (
        f"{task}: the strongest baseline on the training rows of "
        f"{counted(models, 'model')} was: {strongest or 'none'}. Where none is named, against "
        f"{head['baseline']}; {counted(head['rows'], 'row')}."
    )


def _skill_rows(task: str, head: dict[str, Any]) -> list[SheetRow]:
    """Return the rows of a head: its headline, its measures, its headline against each baseline."""
    against = head["against"]
    shown = [(w.MEASURES[name], name, measure) for name, measure in head["measures"].items()]
    if len(against["each"]) > 1:
        key = against["measure"]
        shown.insert(0, (f"{w.MEASURES[key]} against the strongest", key, against["strongest"]))
        others = list(against["each"].items())[1:]
        shown += [(f"{w.MEASURES[key]} against {_label(name)}", key, m) for name, m in others]
    rows = []
    for i, (label, name, measure) in enumerate(shown):
        form = w.SCORE_FORMS.get(name, w.small)
        cells = (
            "" if i else task,
            label,
            w.written(measure["value"], w.skill_value(measure["null"])),
            w.span(measure),
            w.written(measure.get("score"), form),
            w.written(measure.get("baseline_score"), form),
            measure["verdict"],
        )
        last = i == len(shown) - 1
        rows.append(SheetRow(cells, _VERDICT_TONES.get(measure["verdict"], ""), ends=last))
    return rows


def _label(name: str) -> str:
    return str(part("baseline", name).facts["label"])
