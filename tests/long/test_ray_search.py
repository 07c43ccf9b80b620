"""A search on a Ray cluster of this machine is the one of local processes: trials, values and files."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import STUDY
from tests.long.test_ray import digests, done

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra 'ray' is not installed"),
]

SPACE = """
[search]
trials = 8
at_once = 2
folds = 2
months = 1
seeds = 1
objectives = ["net_return", "turnover"]
[space]
signal.threshold = {low = 0.0, high = 0.002}
training.window_bars = {low = 500, high = 700, step = 100}
"""


def test_a_search_on_ray_is_the_local_one(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    settings = [part for each in STUDY for part in ("--set", each)]
    found: dict[str, tuple[Any, dict[str, str]]] = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine / "study"
        ran = done([
            sys.executable, "-m", "bot", "search", str(tmp_path / "space.toml"), "--engine", engine, "--workers", "2",
            "--out", str(out), "--json", *settings,
        ])  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        content = json.loads(ran.stdout.replace(f"/{engine}/", "/"))
        found[engine] = content, digests(out)
    assert found["local"] == found["ray"]
    content, files = found["ray"]
    assert content["finished"] + content["stopped"] == 8
    assert len(files) >= 4
