"""The how-to pages do what they say: their files are written, and their commands and Python run in order.

A block of `toml` or `python` that begins with a comment naming a file is that file; other Python is run.
What a page only shows stands under a comment `<!-- not run: WHY -->`.
"""

from __future__ import annotations

import glob
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from bot.config import load_config
from bot.practice.synthetic import synthetic_bars
from bot.timegrid import HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

PAGES = Path(__file__).resolve().parents[1] / "docs" / "how-to"
BLOCK = re.compile(r"(?P<not_run><!-- not run: .+? -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.M | re.S)  # fmt: skip
FILE = re.compile(r"# ([\w.]+)\n")
RUN_HERE = ["own-data", "own-feature", "sweep", "search", "notebook", "inverse"]
QUICK = {
    "MODEL__HIDDEN": "[16]", "MODEL__MEMBERS": "1", "TRAINING__EPOCHS": "1", "SYNTHETIC__BARS": "1744",
    "SYNTHETIC__SYMBOLS": "2", "REPORT__BOOTSTRAP_SAMPLES": "100", "TRAINING__MIN_ROWS": "500",
}  # fmt: skip
"""What makes a run of a page quick; the environment is stronger than a page's file."""


def blocks(page: str) -> list[tuple[str, str, bool]]:
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return [(b["kind"], b["text"], b["not_run"] is None) for b in BLOCK.finditer(text)]


def downloads(folder: Path) -> None:
    """Leave what pages import: four months as Binance Vision has them, and as columns of an inverse contract."""
    folder.mkdir()
    settings = load_config(None, ["synthetic.symbols=1", "synthetic.bars=2904"], {}).synthetic
    bars = synthetic_bars(settings, HOUR_MS)
    start = pd.Timestamp("2024-01-01", tz="UTC").value // 1_000_000
    times = start + HOUR_MS * pd.RangeIndex(2904)
    rows = pd.DataFrame({"open_time": times} | {
        name: getattr(bars, name)[:, 0] for name in ("open", "high", "low", "close", "volume")
    })  # fmt: skip
    rows["close_time"] = rows.open_time + HOUR_MS - 1
    rows["quote_volume"] = rows.close * rows.volume
    rows[["count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"]] = 0
    months = pd.to_datetime(rows.open_time, unit="ms").dt.strftime("%Y-%m")
    for month, part in rows.groupby(months):
        part.to_csv(folder / f"BTCUSDT-1h-{month}.csv", index=False, header=False)
    contracts = rows.assign(volume=(rows.close * rows.volume).round())
    columns = ["open_time", "open", "high", "low", "close", "volume"]
    contracts[columns].to_csv(folder / "BTCUSD.csv", index=False)


@pytest.mark.parametrize("page", RUN_HERE)
@pytest.mark.usefixtures("no_pictures")
def test_the_page_runs(
    cli: Cli, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for key, value in QUICK.items():
        monkeypatch.setenv(f"BOT_{key}", value)
    downloads(tmp_path / "Downloads")
    done = 0
    for kind, text, runs in blocks(page):
        named = FILE.match(text)
        if named:
            Path(named[1]).write_text(text, encoding="utf-8")
        elif kind == "python" and runs:
            exec(compile(text, f"{page}.md", "exec"), {})
        elif kind == "sh" and runs:
            for line in text.splitlines():
                words = [w for each in shlex.split(line, comments=True) for w in glob.glob(each) or [each]]  # fmt: skip
                assert words[0] == "bot", line
                said = cli(*words[1:])
                assert said.code == 0, f"{line}\n{said.err}"
                done += 1
    assert done >= 3


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("*.md")))
def test_what_is_not_run_says_why(page: str) -> None:
    shown = [text for kind, text, runs in blocks(page) if kind == "sh" and runs]
    assert page in RUN_HERE or not shown
