"""The recipes of CONTRIBUTING.md run, and the checks before a commit are those of scripts/check."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts.lowest import lowest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

RUN = """
import sys
from pathlib import Path

from bot.app.parts.checking import checked
from bot.parts.plugins import load_plugins

for path in sorted(Path(sys.argv[1]).glob("recipe_*.py")):
    if "from bot.parts import" in path.read_text("utf-8"):
        load_plugins([str(path)])
    else:
        exec(compile(path.read_text("utf-8"), str(path), "exec"), {"__name__": path.stem})
for each in checked():
    print(each.kind, each.name, *(each.faults or ["sound"]))
"""


def test_every_recipe_runs_and_its_parts_are_sound(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert len(blocks) >= 5
    for n, block in enumerate(blocks):
        (tmp_path / f"recipe_{n}.py").write_text(block, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)], cwd=ROOT, text=True, check=False,
        capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "feature gap_open sound", "target upside sound", "cost_scheme maker sound",
    ]  # fmt: skip


def test_the_hooks_run_what_the_checks_run() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    entries = re.findall(r"entry: \.venv/bin/(.+)", hooks)
    checks = (ROOT / "scripts" / "check").read_text("utf-8").splitlines()
    plain = [entry.removesuffix(" --force-exclude") for entry in entries]
    assert plain == ["ruff format", "ruff check", "lint-imports"]
    assert all(any(line.startswith(entry) for line in checks) for entry in plain)
    assert "https://" not in hooks


def test_every_base_dependency_has_a_lowest_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = (ROOT / "constraints.txt").read_text("utf-8")
    lines = lowest(project["dependencies"], pinned)
    assert len(lines) == len(project["dependencies"])
    (torch,) = [line for line in lines if line.startswith("torch==")]
    assert torch in pinned.splitlines()


def test_a_dependency_without_a_lower_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="'numpy' has no lower bound; write NAME>=VERSION"):
        lowest(["numpy"], "")
