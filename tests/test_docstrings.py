"""Every module: its examples hold, and its package's table of contents names it."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import bot

MODULES = [m.name for m in pkgutil.walk_packages(bot.__path__, "bot.")]
PACKAGES = [m.name for m in pkgutil.walk_packages(bot.__path__, "bot.") if m.ispkg]
WITH_SIDE_EFFECTS = {"bot.app.training.preload"}
"""Imported for what its import does: a training. It holds no examples."""


@pytest.mark.parametrize("name", [n for n in MODULES if n not in WITH_SIDE_EFFECTS])
def test_examples_hold(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


@pytest.mark.parametrize("name", ["bot", *PACKAGES])
def test_a_package_is_a_table_of_its_modules(name: str) -> None:
    package = importlib.import_module(name)
    *_, table = (package.__doc__ or "").strip().split("\n\n")
    names = {m.name for m in pkgutil.iter_modules(package.__path__)}
    listed = {line.split()[0] for line in table.splitlines()}
    assert names <= listed | {"__main__"}, f"{name}: not in its table: {names - listed}"
