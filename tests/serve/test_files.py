"""The page's own files: what a first look needs is asked for at once, and kernels are loaded before it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.serve.feed import coverages
from bot.serve.page.addresses import CHARTS, FILES

IMPORT = re.compile(r"""(?:from|import\()\s*"(\.[^"]+)\"""")


def served(path: str) -> Path:
    """Return the file of an address under /static."""
    name = path.removeprefix("/static/")
    return CHARTS / name.removeprefix("chart/") if name.startswith("chart/") else FILES / name


def imports(path: str) -> set[str]:
    """Return the addresses of the modules that one at an address imports."""
    found = IMPORT.findall(served(path).read_text("utf-8"))
    base = Path(path).parent
    return {str(Path("/", *_plain((base / each).parts[1:]))) for each in found}


def _plain(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        kept = kept[:-1] if part == ".." else [*kept, part]
    return kept


def test_every_module_of_a_run_is_asked_for_before_it_is_needed() -> None:
    index = (FILES / "index.html").read_text("utf-8")
    asked = set(re.findall(r'rel="modulepreload" href="([^"]+)"', index))
    needed, open_ = set[str](), ["/static/main.js"]
    while open_:
        new = imports(open_.pop()) - needed - {"/static/compare.js"}
        needed |= new
        open_ += new
    assert len(needed) > 12
    assert asked == needed
    assert all(served(path).is_file() for path in asked)


def test_kernels_are_loaded_ahead_and_never_compiled_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    monkeypatch.setattr(coverages, "intervals", lambda *_, **__: called.append("intervals"))
    monkeypatch.setattr(coverages, "compiled_before", lambda: False)
    coverages.get_ready()
    assert called == []
    monkeypatch.setattr(coverages, "compiled_before", lambda: True)
    coverages.get_ready()
    assert called == ["intervals", "intervals"]
