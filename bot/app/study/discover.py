"""`bot discover`: which further targets help the heads that matter, walk-forward.

Rules: each candidate joins the base's tasks on its own, and is judged by what it does to an endpoint
of each base head, volume's too, on the same rows and seeds; p-values are corrected for all that is
tried. A candidate is kept if it makes one endpoint better and none worse.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.system.atomic_file import check_folder, make_folder, write_text
from bot.app.loop.runner import Progress
from bot.app.study.compare import StudyPlan, walk_forward
from bot.app.study.contenders import Contender
from bot.config import load_config
from bot.errors import ConfigError
from bot.parts.registry import parts
from bot.report.study.comparison import BETTER, WORSE, Comparison
from bot.report.study.endpoints import HEADS
from bot.report.study.text import chance, floor_note, interval, number, table, trials_note

BASE = "base"


@dataclass(frozen=True)
class Discovery:
    """What was tried, what is kept, and the table that says why."""

    comparison: Comparison
    kept: tuple[str, ...]
    text: str
    folder: Path


def candidates(config: str | None, sets: Sequence[str], named: Sequence[str]) -> list[Contender]:
    """Return the base, and the base with each candidate kind of target.

    Raises:
        ConfigError: a candidate is unknown or a base target already, or there is none.
    """
    base = load_config(config, sets)
    kinds = base.targets.kinds
    tried = list(named) or [kind for kind in parts("target") if kind not in kinds]
    for kind in tried:
        if kind not in parts("target") or kind in kinds:
            free = [k for k in parts("target") if k not in kinds]
            raise ConfigError(
                f"--candidates: '{kind}' is no target beyond targets.kinds; choose from "
                f"{', '.join(free) or 'none: all are base targets'}"
            )
    if not tried:
        raise ConfigError("discover: targets.kinds has every target already; take some out")
    made = [Contender(BASE, "network", base)]
    for kind in tried:
        extended = json.dumps([*kinds, kind])
        made.append(
            Contender(kind, "network", load_config(config, [*sets, f"targets.kinds={extended}"]))
        )
    return made


def discover(
    contenders: list[Contender], out: Path, plan: StudyPlan, progress: Progress
) -> Discovery:
    """Try every candidate and write the table below `out`.

    Raises:
        ModelError: trainings failed; those that did not are kept.
        DataError: a folder of the study's is a link.
    """
    folder = out / "discover"
    check_folder(folder)
    comparison, setting = walk_forward(
        contenders, out, plan, progress,
        title="discover", kind="discover", pairs="others less first", primary=HEADS,
    )  # fmt: skip
    make_folder(folder)
    kept = tuple(name for name in comparison.names[1:] if helps(comparison, name))
    text = _text(comparison, kept, setting)
    write_text(folder / "discover.md", text)
    write_text(
        folder / "discover.json",
        json.dumps({"kept": kept, "setting": setting, **comparison.as_json()}, indent=1),
    )
    return Discovery(comparison, kept, text, folder)


def helps(comparison: Comparison, candidate: str) -> bool:
    """Tell whether a candidate makes a head better and none worse."""
    verdicts = {d.verdict for d in comparison.differences if d.first == candidate}
    return BETTER in verdicts and WORSE not in verdicts


def _text(c: Comparison, kept: Sequence[str], setting: str) -> str:
    primary = [d for d in c.differences if d.p_holm is not None]
    rows = [
        [
            d.first, d.endpoint, number(d.value), interval(d.low, d.high), chance(d.p),
            chance(d.p_holm), d.verdict,
        ]
        for d in primary
    ]  # fmt: skip
    verdict = f"Kept: {', '.join(kept)}." if kept else "Kept: none. No candidate was shown to help."
    return (
        f"# Discovery of auxiliary targets\n\n{setting}\n\nEach candidate joins the base's targets on "
        f"its own; candidate less base, p corrected by Holm for all {len(primary)} comparisons. "
        f"{floor_note(c)}{trials_note(c)}\n\n"
        + table(["candidate", "endpoint", "difference", "95 %", "p", "p (Holm)", "verdict"], rows)
        + f"\n\n{verdict}\n"
    )
