"""The examples in the docstrings of the portfolio are right."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["book", "conviction", "denomination"])
def test_docstrings(module: str) -> None:
    results = doctest.testmod(importlib.import_module(f"bot.portfolio.{module}"))
    assert results.attempted > 0
    assert results.failed == 0
