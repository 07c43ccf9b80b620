"""The picture of a report for README: a page of a backtest that anyone can run, as a browser shows it.

Needs Debian's package `chromium`; without it the picture stays as it is, and that is an error.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.documents.blocks import ROOT
from scripts.documents.transcripts import run

WIDTH, HEIGHT = 1200, 1500


def report_picture() -> Path:
    """Run the synthetic backtest, open its report, and keep the first page as docs/images/report.png.

    Raises:
        SystemExit: there is no Chromium.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("report-picture: no Chromium; install Debian's package 'chromium'")
    picture = ROOT / "docs" / "images" / "report.png"
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        synthetic = ROOT / "configs" / "synthetic.toml"
        run(["backtest", "--config", str(synthetic), "--run-dir", "runs/first"], where)
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--hide-scrollbars", f"--user-data-dir={where / 'browser'}",
                f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={picture}",
                (where / "runs" / "first" / "report.html").as_uri(),
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    return picture
