"""The examples in the docstrings of the data adapters are true."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name", ["timestamps", "data_root", "funding_files", "retry", "bybit_rest"]
)
def test_docstring_examples_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"bot.adapters.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
