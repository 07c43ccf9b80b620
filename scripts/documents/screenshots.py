"""Pictures of the page for the documents: a practice run and a backtest, as a browser shows them.

Needs Chromium and the extra 'browsers'; without them the pictures stay as they are, and that is an error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from scripts.documents.blocks import ROOT
from scripts.documents.browsing import chromium, closed_bars, serving, trading, until
from scripts.documents.chromium import chromium_path
from scripts.documents.transcripts import run

PICTURES = ROOT / "docs" / "pictures"
BARS = 260
"""Closed bars after which the practice run is looked at."""
COLOURS = 128
DESKTOP, PHONE = (1280, 940), (390, 844)


@dataclass(frozen=True)
class Shot:
    """A picture: its name, the address, what is looked at, in which window and light."""

    name: str
    path: str
    window: tuple[int, int]
    scheme: str
    section: str | None = None


SHOTS = (
    Shot("runs-desktop", "#/", (1280, 480), "light"),
    Shot("runs-phone", "#/", PHONE, "dark"),
    Shot("run-desktop", "#/run/practice", DESKTOP, "light"),
    Shot("market-desktop-dark", "#/run/practice", (1280, 720), "dark", "market"),
    Shot("edge-desktop", "#/run/backtest", (1280, 900), "light", "edge"),
    Shot("run-phone", "#/run/practice", PHONE, "light"),
    Shot("market-phone-dark", "#/run/practice", PHONE, "dark", "market"),
)


def screenshots() -> Iterator[Path]:
    """Make the runs, look at them, and yield each picture that was written.

    Raises:
        SystemExit: there is no Chromium.
    """
    chromium_path()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        synthetic = ROOT / "configs" / "synthetic.toml"
        quick = ["--set", "training.epochs=12", "--set", "model.members=1"]
        run(["backtest", "--config", str(synthetic), *quick, "--run-dir", "runs/backtest"], where)
        runs = where / "runs"
        with trading(runs / "practice", *MORE), serving(runs, where / "token") as server:
            until(lambda: closed_bars(runs / "practice") >= BARS, 600.0)
            with chromium() as browser:
                for shot in SHOTS:
                    yield _taken(shot, browser, server)


MORE = ("practice.speed=14400", "model.hidden=[32]", "training.epochs=6")


def _taken(shot: Shot, browser: Any, server: Any) -> Path:
    width, height = shot.window
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=shot.scheme, device_scale_factor=2 if width < 500 else 1
    )  # fmt: skip
    page = context.new_page()
    page.goto(server.link())
    page.wait_for_selector("table.overview")
    page.goto(f"{server.base}/{shot.path}")
    page.wait_for_selector("table.overview" if shot.path == "#/" else "#market .legend span")
    if shot.section == "edge":
        page.wait_for_selector("#edge table", timeout=240_000)
    page.wait_for_timeout(1500)
    if shot.section is not None:
        page.locator(f"#{shot.section}").evaluate("node => node.scrollIntoView()")
        page.wait_for_timeout(300)
    path = PICTURES / f"{shot.name}.png"
    page.screenshot(path=path)
    context.close()
    with Image.open(path) as picture:  # a page has few colours
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path
