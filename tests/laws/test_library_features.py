"""A daemon with features of every group: killed and resumed, it is that of nobody killed, and proved."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.features.groups import Group
from bot.parts.registry import part, parts
from scripts.soaking.rehearsal import Rehearsal
from tests.laws.killed import PLAN, SETTINGS, outlived

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

NAMES = (
    "return_1", "log_volatility_24", "scaled_return_5", "market_return_24", "breadth_1", "funding_rate",
    "basis_24", "return_4h", "log_range_1d", "volume_adjusted_7d", "volume_seasonal_7d",
    "range_seasonal_7d", "log_realised_24",
)  # fmt: skip
GROUPS = (
    *SETTINGS, f"features.names=[{','.join(repr(n) for n in NAMES)}]", "data.history_bars=300",
    "training.window_bars=100", "execution.price=open", "costs.funding=false",
    "market.finer_interval=15m",
)  # fmt: skip


def test_every_group_takes_part() -> None:
    made = {part("feature", name).made for name in NAMES}
    assert {p.made for p in parts("feature").values() if isinstance(p.made, Group)} <= made


def test_killed_and_gone_on_with_the_ledger_is_the_same_and_proved(tmp_path: Path) -> None:
    Rehearsal.make(tmp_path / "warm", *GROUPS).run(2)  # children inherit what it compiles
    killed_at = [(point, count) for point, count in PLAN if "safetensors" not in point][::4]
    killed = outlived(lambda f: Rehearsal.make(f, *GROUPS), tmp_path, killed_at, 5).proof
    assert (killed.holes, killed.untrue, killed.late) == (0, 0, 0)
    assert len(killed.models) >= 1
    assert len(killed.fills) > 2
