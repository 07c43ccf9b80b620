"""A backtest whose symbols come and go by `market.universe`, over a data root with dead coins in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bot.app.runs.folder import RunFolder, config_of
from bot.app.runs.record import open_record
from bot.app.verify.proof import verify
from bot.blocks import F64, BarBlock
from bot.portfolio.reasons import FillReason
from bot.timegrid import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from tests.conftest import Cli

FIRST = 19_000 * DAY_MS
STEP = 4 * HOUR_MS
DAYS = 80
RULE = "top 2 by turnover over 3 days, listed 10 days"
ACCOUNT = (
    "policy.kind=momentum", "policy.momentum_bars=12", "policy.exit_threshold=0", "market.interval=4h",
    f"market.universe={RULE}", "risk.max_stale_bars=6", "policy.rehearse=false",
)  # fmt: skip
COINS: dict[str, tuple[Callable[[int], float], int, int]] = {  # turnover by day, first and last day
    "DEADUSDT": (lambda day: 50.0, 0, 39),
    "FADINGUSDT": (lambda day: 40.0 if day < 30 else 1.0, 0, DAYS),
    "RISINGUSDT": (lambda day: 1.0 + day, 0, DAYS),
    "SMALLUSDT": (lambda day: 0.5, 0, DAYS),
    "NEWUSDT": (lambda day: 1000.0, 50, DAYS),
}


def write_root(root: Path) -> None:
    (root / "candles").mkdir()
    for k, (name, (turnover, first, last)) in enumerate(COINS.items()):
        rng = np.random.default_rng(k)
        times = np.arange(first * DAY_MS, last * DAY_MS, STEP, dtype=np.int64) + FIRST
        close = 100.0 * np.exp(np.cumsum(0.02 * rng.normal(size=len(times))))
        opened = np.concatenate(([100.0], close[:-1]))
        traded = np.array([turnover(int(t - FIRST) // DAY_MS) for t in times]) * 1e7
        pd.DataFrame({
            "timestamp": times, "open": opened, "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999, "close": close, "volume": traded / close,
            "turnover": traded,
        }).to_parquet(root / "candles" / f"bybit_linear_{name}_4h.parquet")  # fmt: skip
    # what the account cannot hold, and other series, are not chosen among
    frame = pd.read_parquet(root / "candles" / "bybit_linear_SMALLUSDT_4h.parquet")
    for stem in ("bybit_linear_ETHBTC_4h", "bybit_spot_SPOTUSDT_4h", "bybit_linear_OTHERUSDT_1h"):
        frame.to_parquet(root / "candles" / f"{stem}.parquet")


@dataclass(frozen=True)
class Found:
    folder: RunFolder
    symbols: tuple[str, ...]
    bars: BarBlock
    quantity: F64
    fills: np.ndarray[tuple[int], np.dtype[np.void]]

    def held_on(self, name: str) -> set[int]:
        """Return the days at some close of which it is held."""
        s = self.symbols.index(name)
        times = self.bars.open_time[self.quantity[:, s] != 0.0]
        return {int(t + STEP - 1 - FIRST) // DAY_MS for t in times}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("root")
    write_root(path)
    return path


def ran(cli: Cli, root: Path, folder: Path, *sets: str) -> Found:
    args = [a for item in (*ACCOUNT, *sets) for a in ("--set", item)]
    said = cli("backtest", "--data", root, "--run-dir", folder, "--json", *args)
    assert said.code == 0, said.err
    run = RunFolder(folder)
    with open_record(run) as record:
        bars = record.bars()
        quantity = record.positions(record.ledger()[0])
        return Found(run, record.symbols, bars, quantity, record.fills())


def test_only_members_are_opened_and_the_dead_were_members_too(
    cli: Cli, root: Path, tmp_path: Path
) -> None:
    found = ran(cli, root, tmp_path / "run")
    assert found.symbols == ("DEADUSDT", "FADINGUSDT", "NEWUSDT", "RISINGUSDT", "SMALLUSDT")
    assert config_of(found.folder).market.symbols == found.symbols
    closed = found.bars.leaving  # at the close of bar i; what is held at the close of i + 2 is none
    gone = closed[:-2] & closed[1:-1]
    rows = found.quantity[-len(closed) :][2:]
    tradable = found.bars.valid[1:-1]  # an order waits for a bar to fill in
    assert not np.any((rows != 0.0) & gone & tradable)
    held = {name: found.held_on(name) for name in found.symbols}
    assert held["SMALLUSDT"] == set()
    assert min(held["DEADUSDT"]) >= 10, "listed 10 days"
    assert max(held["DEADUSDT"]) >= 38, "to the end of its life"
    assert 25 in held["FADINGUSDT"]
    assert not held["FADINGUSDT"] & set(range(34, 40)), "two are larger"
    assert 40 < max(held["FADINGUSDT"]) < 61, "second again once the dead coin has no turnover"
    assert min(held["NEWUSDT"]) >= 60, "50 and listed 10 days"
    assert max(held["RISINGUSDT"]) >= 70
    reasons = set(found.fills["reason"].tolist())
    assert {int(FillReason.RISK), int(FillReason.SETTLEMENT)} <= reasons
    assert verify(found.folder).identical


def test_what_drops_out_may_be_held_until_its_policy_lets_go(
    cli: Cli, root: Path, tmp_path: Path
) -> None:
    found = ran(cli, root, tmp_path / "run", "risk.on_leaving=hold")
    assert int(FillReason.RISK) not in found.fills["reason"].tolist()
    s = found.symbols.index("FADINGUSDT")
    out = found.bars.leaving[:, s] & (found.bars.open_time > FIRST + 31 * DAY_MS)
    first = int(np.flatnonzero(out)[0])
    back = first + int(np.flatnonzero(~found.bars.leaving[first:, s])[0])
    held = found.quantity[-len(out) :, s]
    assert held[first] != 0.0, "kept"
    sizes = np.abs(held[first : back + 1])
    assert np.all(np.diff(sizes) <= 0.0), "nothing is opened"


def test_symbols_that_are_named_are_the_candidates(cli: Cli, root: Path, tmp_path: Path) -> None:
    found = ran(cli, root, tmp_path / "run", "market.symbols=SMALLUSDT,RISINGUSDT,FADINGUSDT")
    assert found.symbols == ("SMALLUSDT", "RISINGUSDT", "FADINGUSDT")
    assert found.held_on("FADINGUSDT") - set(range(30))


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["market.interval=15m"], "has no 15m candles of bybit_linear to choose among"),
        (["market.venue=okx_linear"], "has no 1h candles of okx_linear to choose among"),
        (["portfolio.currency=EUR"], "OTHERUSDT on bybit_linear is quoted in USDT"),
        (["market.universe=best 20"], "for example 'top 20 by turnover over 30 days, listed 90 days'"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_from_is_told_before_anything_is_read(
    cli: Cli, root: Path, tmp_path: Path, sets: list[str], told: str
) -> None:
    args = [a for item in (f"market.universe={RULE}", *sets) for a in ("--set", item)]
    said = cli("backtest", "--data", root, "--run-dir", tmp_path / "run", *args)
    assert said.code in {2, 3}
    assert told in said.err
    assert not (tmp_path / "run").exists()
