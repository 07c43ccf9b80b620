from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.parts import plugins
from bot.parts.registry import of_user, withdraw

Write = Callable[..., Path]


def forget() -> None:
    """Take out all parts of a user's own, as a new process would have none."""
    for part in of_user():
        withdraw(part.origin)
    for name in plugins.loaded():
        plugins.unload(name)


MINE = '''"""Parts for the tests."""
from pydantic import BaseModel, Field

from bot.parts import cross_feature, feature, target


class Window(BaseModel):
    window: int = Field(4, ge=2, le=50)


@feature("true_range", bars=2)
def true_range(open, high, low, close, volume, turnover):
    """True range over the close (Wilder 1978), a fraction."""
    return (max(high[1], close[0]) - min(low[1], close[0])) / close[1]


@feature("mean_close", bars=lambda own: own.window, settings=Window)
def mean_close(own):
    """Mean of the closes over the last one, a ratio."""
    def compute(open, high, low, close, volume, turnover):
        return close.mean() / close[-1]
    return compute


@cross_feature("rank", bars=3)
def rank(open, high, low, close, volume, turnover, values):
    """How many symbols rose less over three bars."""
    for s in range(close.shape[1]):
        values[s] = 0.0
        for o in range(close.shape[1]):
            if close[2, o] / close[0, o] < close[2, s] / close[0, s]:
                values[s] += 1.0


@target("upside", output="positive")
def upside(open, high, low, close, volume, turnover):
    """Highest high of the bars to come over the close, less 1."""
    return high[1:].max() / close[0] - 1.0
'''


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    """Leave no part of a test's own to the next one."""
    yield
    forget()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(source: str = MINE, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        return path

    return written
