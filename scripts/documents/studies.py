"""A finished comparison in the documents: its whole tables as a page, its picture, and one short table.

Rules: the page is what `bot compare` wrote, under a head that says so; the short table stands in
docs/findings.md, in the measured block of the study's name. Nothing is rounded by hand.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.documents.blocks import ROOT

PAGES = ROOT / "docs" / "measured"
IMAGES = ROOT / "docs" / "images"
MEASURES = {
    "return rank IC": "return: rank IC", "direction Brier skill": "direction: Brier skill",
    "volatility QLIKE skill": "volatility: QLIKE skill", "volume MSE skill": "volume: MSE skill",
}  # fmt: skip
"""The endpoint of each head that the short table has, and how it is headed."""


def keep_page(folder: Path, day: str) -> list[Path]:
    """Copy a comparison's tables and picture into the documents; return what was written.

    Args:
        folder: with compare.md, compare.json and compare.png, as `bot compare` leaves it.
        day: on which it was measured.
    """
    name = folder.name
    title, _, tables = (folder / "compare.md").read_text(encoding="utf-8").partition("\n")
    page, picture = PAGES / f"{name}.md", IMAGES / f"{name}.png"
    PAGES.mkdir(exist_ok=True)
    page.write_text(
        f"{title}: all tables\n\nWritten by `bot compare --preset {name}` on {day}, kept by `scripts/pages --study`. "
        f"[What was measured](../findings.md) says what follows.\n\n![{name}](../images/{name}.png)\n{tables}",
        encoding="utf-8",
    )  # fmt: skip
    shutil.copyfile(folder / "compare.png", picture)
    return [page, picture]


def short_table(folder: Path) -> str:
    """Return each contender's skill on four heads, and how the first one differs from it.

    Bold where the difference is shown after the correction for all comparisons.
    """
    found = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
    first = found["names"][0]
    figures = {(f["endpoint"], f["contender"]): f for f in found["figures"]}
    differences = {(d["endpoint"], d["first"], d["second"]): d for d in found["differences"]}
    lines = [
        f"| | {' | '.join(MEASURES.values())} | CPU s a network |",
        "|---" + "|---:" * (len(MEASURES) + 1) + "|",
    ]
    for name in found["names"]:
        cells = [
            _cell(figures[measure, name], differences.get((measure, first, name)))
            for measure in MEASURES
        ]
        spent = found["facts"][name]["CPU s a training"]
        lines.append(f"| {name} | {' | '.join(cells)} | {spent:.1f} |")
    return "\n".join(
        [*lines, "", f"Behind each value, in brackets: {first} less it, with the 95 % interval."]
    )


def _cell(figure: Mapping[str, Any], difference: Mapping[str, Any] | None) -> str:
    value = f"{figure['value']:+.4f}"
    if difference is None:
        return f"{value} [{figure['low']:+.4f}, {figure['high']:+.4f}]"
    told = f"({difference['value']:+.4f} [{difference['low']:+.4f}, {difference['high']:+.4f}])"
    shown = difference["verdict"] in {"better", "worse"}
    return f"{value} **{told}**" if shown else f"{value} {told}"
