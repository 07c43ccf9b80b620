"""How wide what the commands print is."""

from __future__ import annotations

import sys

import pytest

from bot.cli.output import WIDTH, stdout_console


@pytest.mark.parametrize(
    ("columns", "width"), [(None, WIDTH), ("90", 90), ("200", 200), ("0", WIDTH), ("wide", WIDTH)]
)
def test_columns_are_obeyed_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert stdout_console().width == width
