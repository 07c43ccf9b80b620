"""The pictures of README and docs: of runs that anyone can make, as a browser and a terminal show them.

Needs Debian's package `chromium`; without it the picture stays as it is, and that is an error.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from PIL import Image

from bot.app.runs.folder import RunFolder
from bot.app.watch.reading import RunReader
from bot.app.watch.screen import WatchScreen
from bot.portfolio.hand import Command
from scripts.documents.blocks import ROOT
from scripts.documents.chromium import chromium_path
from scripts.documents.transcripts import run

WIDTH, HEIGHT = 1200, 1500
COLUMNS, ROWS = 124, 42
SCREEN_SIZE = 1552, 1120
"""Of a terminal of so many columns and rows, as textual draws it."""


def report_picture() -> Path:
    """Run the synthetic backtest, open its report, and keep the first page as docs/images/report.png.

    Raises:
        SystemExit: there is no Chromium.
    """
    picture = ROOT / "docs" / "images" / "report.png"
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        synthetic = ROOT / "configs" / "synthetic.toml"
        run(["backtest", "--config", str(synthetic), "--run-dir", "runs/first"], where)
        _photograph(where / "runs" / "first" / "report.html", picture, (WIDTH, HEIGHT))
    return picture


def watch_picture() -> Path:
    """Trade two days of the practice market, and keep the screen of `bot watch` as docs/images/watch.png.

    Raises:
        SystemExit: there is no Chromium.
    """
    picture = ROOT / "docs" / "images" / "watch.png"
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        practice = ROOT / "configs" / "practice.toml"
        words = ["run", "--practice", "--config", str(practice), "--bars", "48"]
        run([*words, "--run-dir", "runs/demo"], where)
        drawn = where / "watch.svg"
        drawn.write_text(asyncio.run(_screen(where / "runs" / "demo")), encoding="utf-8")
        _photograph(drawn, picture, SCREEN_SIZE)
    with Image.open(picture) as whole:  # a screen has few colours
        few = whole.convert("RGB").quantize(48)
    few.save(picture, optimize=True)
    return picture


async def _screen(path: Path) -> str:
    """Return the screen of a run as SVG, with the fonts of this machine."""
    reader = RunReader(RunFolder(path), lambda: time.time_ns() // 1_000_000)

    def nobody_asks(command: Command) -> NoReturn:
        raise AssertionError(command)

    screen = WatchScreen(path.name, reader.look, nobody_asks, 0.0)
    async with screen.run_test(size=(COLUMNS, ROWS)) as pilot:
        await screen.workers.wait_for_complete()
        await pilot.pause()
        return re.sub(r"@font-face \{.*?\}", "", screen.export_screenshot(), flags=re.DOTALL)


def _photograph(page: Path, picture: Path, size: tuple[int, int]) -> None:
    """Let a browser draw a file."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                chromium_path(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--hide-scrollbars", f"--user-data-dir={profile}",
                f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", page.as_uri(),
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
