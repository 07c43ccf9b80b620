"""Run a command as a reader would, and keep what it prints.

Rules: commands run in a folder of their own, without colours; a command that fails ends the making of
the pages.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from scripts.documents.blocks import ROOT

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run(words: Sequence[str], folder: Path, expected: int = 0) -> str:
    """Run `bot` with these words in a folder, and return what it printed on both streams.

    Raises:
        SystemExit: the exit code is not the expected one.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "bot", *words], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode != expected:
        raise SystemExit(f"bot {' '.join(words)}: exit code {done.returncode}\n{done.stdout}")
    return _COLOURS.sub("", done.stdout)


def fenced(*parts: str) -> str:
    """Return a console block."""
    lines = "\n\n".join(part.strip("\n") for part in parts).splitlines()
    return "\n".join(["```console", *(line.rstrip() for line in lines), "```"])


def machine() -> str:
    """Return the processor and the packages that the bits of a result depend on."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "numba"))
    return f"{model}, Python {platform.python_version()}, {packages}"
