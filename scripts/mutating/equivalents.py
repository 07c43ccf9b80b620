"""Mutations that change nothing a test could see, each with its reason.

Rules: read from `equivalent.toml` beside this file, one table a module, key to reason; a key that
names no mutation any more is an error, so that the list cannot outlive the code.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

_FILE = Path(__file__).with_name("equivalent.toml")


def equivalents() -> dict[str, dict[str, str]]:
    """Return module path to key to reason."""
    loaded: dict[str, dict[str, str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return loaded
