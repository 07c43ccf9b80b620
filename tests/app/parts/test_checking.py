"""`bot parts check`: what keeps the laws is sound, and each law that is broken is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.app.parts.checking import check, checked
from bot.app.parts.listing import listed
from bot.errors import ConfigError
from bot.parts.kinds import KINDS
from bot.parts.plugins import load_plugins
from bot.parts.registry import Part, parts
from tests.parts.conftest import MINE, nothing_loaded

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

__all__ = ["nothing_loaded"]

HEAD = "import numpy as np\nfrom bot.parts import feature, target\n\n"
ARGUMENTS = "open, high, low, close, volume, turnover"


def faults_of(tmp_path: Path, source: str) -> dict[str, tuple[str, ...]]:
    path = tmp_path / "mine.py"
    path.write_text(source)
    load_plugins([str(path)])
    return {each.name: each.faults for each in checked()}


def test_sound_parts_are_sound(tmp_path: Path) -> None:
    found = faults_of(tmp_path, MINE)
    assert set(found) == {"true_range", "mean_close", "rank", "upside"}
    assert set(found.values()) == {()}


@pytest.mark.parametrize(
    ("decorator", "body", "told"),
    [
        ("feature('x', bars=2)", "return np.random.random()", "draws at random"),
        ("feature('x', bars=2)", "return close[2]", "IndexError"),
        ("feature('x', bars=2)", "return np.nan", "gives no number"),
        ("target('x', output='side')", "return close[1]", "its labels are"),
        (
            "target('x', output='positive')",
            "return -1.0",
            "is positive, and one of its labels is -1",
        ),
        ("target('x')", "return close[6]", "IndexError"),
    ],
)
def test_a_broken_law_is_named(tmp_path: Path, decorator: str, body: str, told: str) -> None:
    source = f"{HEAD}@{decorator}\ndef x({ARGUMENTS}):\n    '''X.'''\n    {body}\n"
    assert told in " ".join(faults_of(tmp_path, source)["x"])


TRADING = '''import numpy as np
from bot.parts import cost_scheme, policy

@policy("sound", state=1)
def sound(bar, state):
    """Follow the signal every other time."""
    state[0] += 1.0
    return np.sign(bar.signal) if state[0] % 2.0 else bar.side

@policy("random")
def random(bar, state):
    """Toss."""
    return np.sign(np.random.random() - 0.5)

@policy("beyond", state=1)
def beyond(bar, state):
    """Write where nothing is."""
    state[1] = 1.0
    return 0.0

@policy("loud")
def loud(bar, state):
    """Twice."""
    return 2.0

@cost_scheme("fair", state=1)
def fair(fill, state):
    """A fee that falls."""
    state[0] += 1.0
    fill.fee /= state[0]

@cost_scheme("free")
def free(fill, state):
    """No price."""
    fill.price = 0.0

@cost_scheme("dice")
def dice(fill, state):
    """Toss."""
    fill.fee *= np.random.random()
'''


def test_policies_and_cost_schemes_are_tried_by_the_books(tmp_path: Path) -> None:
    found = faults_of(tmp_path, TRADING)
    assert found["sound"] == found["fair"] == ()
    assert "other than as plain Python" in found["random"][0]
    assert "IndexError" in found["beyond"][0]
    assert "is no side" in found["loud"][0]
    assert "is no cost" in found["free"][0]
    assert "draws at random" in " ".join(found["dice"])


KINDS_CHECKED = (
    "feature", "target", "encoder", "architecture", "weighting", "gradient_method", "policy",
    "cost_scheme",
)  # fmt: skip
SHIPPED = [part for kind in KINDS_CHECKED for part in parts(kind).values() if part.is_shipped]


@pytest.mark.parametrize("part", SHIPPED, ids=lambda part: f"{part.kind}-{part.name}")
def test_a_shipped_part_keeps_the_laws_of_its_kind(part: Part) -> None:
    assert check(part).faults == ()


def test_every_kind_has_parts_with_a_docstring() -> None:
    for kind in KINDS:
        lines = listed(kind)
        assert lines, kind
        assert all(line.doc for line in lines), kind
    with pytest.raises(ConfigError, match=r"--kind feat: there is none; choose from feature"):
        listed("feat")
