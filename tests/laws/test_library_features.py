"""A daemon with features of every group: killed and resumed, it is that of nobody killed, and proved."""

from __future__ import annotations

from pathlib import Path

from bot.features.groups import Group
from bot.parts.registry import part, parts
from scripts.soaking.proof import prove
from scripts.soaking.rehearsal import PoolHere, Rehearsal
from tests.laws.killed import PLAN, SETTINGS, Daemons, at, never

NAMES = (
    "return_1", "log_volatility_24", "scaled_return_5", "market_return_24", "breadth_1", "funding_rate",
    "basis_24", "return_4h", "log_range_1d", "volume_adjusted_7d", "volume_seasonal_7d",
    "range_seasonal_7d",
)  # fmt: skip
GROUPS = (
    *SETTINGS, f"features.names=[{','.join(repr(n) for n in NAMES)}]", "data.history_bars=300",
    "training.window_bars=100", "execution.price=open", "costs.funding=false",
)  # fmt: skip


def test_every_group_takes_part() -> None:
    made = {part("feature", name).made for name in NAMES}
    assert {p.made for p in parts("feature").values() if isinstance(p.made, Group)} <= made


def test_killed_and_gone_on_with_the_ledger_is_the_same_and_proved(tmp_path: Path) -> None:
    Rehearsal.make(tmp_path / "warm", *GROUPS).run(2)  # children inherit what it compiles
    daemons = Daemons(Rehearsal.make(tmp_path / "killed", *GROUPS), training_s=0.0)
    killed_at = [(point, count) for point, count in PLAN if "safetensors" not in point][::4]
    for point, count in killed_at:
        assert daemons.live(60, at(point, count)), f"{point} was not reached"
    assert not daemons.live(5, never)
    killed = prove(daemons.rehearsal.folder, daemons.rehearsal.source)
    assert (killed.holes, killed.untrue, killed.late) == (0, 0, 0)
    assert len(killed.models) >= 1
    assert len(killed.fills) > 2
    calm = Rehearsal.make(tmp_path / "calm", *GROUPS)
    calm.run(len(killed.bars), pool=PoolHere(seconds=0.0))
    assert prove(calm.folder, calm.source).verdict.stored_sha256 == killed.verdict.stored_sha256
