"""What the wheel takes along: every file of the package that is no Python."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bot"


def test_every_file_of_the_package_is_package_data() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["bot"]
    globs = [p + "/*" if p.endswith("**") else p for p in patterns]  # ** alone is folders only
    taken = {path for each in globs for path in PACKAGE.glob(each) if path.is_file()}
    there = {
        path for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".nbi", ".nbc"} and "__pycache__" not in path.parts
    }  # fmt: skip
    assert there - taken == set(), "add them to package-data in pyproject.toml"
    assert PACKAGE / "py.typed" in taken


def test_every_folder_with_python_is_a_package() -> None:
    for source in PACKAGE.rglob("*.py"):
        assert (source.parent / "__init__.py").exists(), source
