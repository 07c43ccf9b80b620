"""A thousand settings over the same forecasts, as `bot sweep` tries them, and what vectorbt can do of it.

Rules: everything between settings and page is measured, starts of processes included; vectorbt knows
thresholds and fees only, so both are also measured on a threshold rule alone.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bot.app.loop.forecasters import TABLE_TASKS
from bot.app.sweep.command import sweep
from bot.app.sweep.source import SweepSource
from bot.blocks import Forecast
from bot.config import load_config
from bot.practice.synthetic import symbol_names, synthetic_bars
from bot.timegrid import HOUR_MS
from scripts.benchmarks.measuring import Row, absent, is_installed

BARS, SYMBOLS, SETTINGS = 3 * 8760, 5, 1000
BATCH = 50
FEE = 0.00055
EDGE = [
    "policy.cost_multiple=0.25..2.5:10", "policy.confidence=0..2:10", "policy.hold_bars=3,5,8,13,24",
    "sizing.method=fixed,proportional",
]  # fmt: skip
PLAIN = [
    "policy.kind=threshold", "costs.half_spread_bps=0", "costs.slippage_bps=0", "costs.funding=false",
    f"costs.taker_fee={FEE}", "execution.min_notional=0",
]  # fmt: skip


def beside_vectorbt(quick: bool) -> list[Row]:
    """Measure the default policy's surface, and thresholds beside vectorbt."""
    bars, share = (BARS // 10, 10) if quick else (BARS, 1)
    source = _source(bars, [])
    edge = EDGE if not quick else [EDGE[0], EDGE[1]]
    work = f"{SETTINGS // share:,} settings, {SYMBOLS} symbols x {bars:,} bars"
    rows = [Row(f"edge policy, {work}", _seconds(source, edge), "s", 30.0, at_least=False)]
    plain = _source(bars, PLAIN)
    ours = _seconds(plain, [f"signal.threshold=0.0005..0.02:{SETTINGS // share}"])
    rows.append(Row(f"threshold rule, {work}", ours, "s", 30.0, at_least=False))
    return [*rows, _vectorbt(plain, SETTINGS // share, ours, work)]


def _source(bars: int, sets: list[str]) -> SweepSource:
    made = [f"synthetic.symbols={SYMBOLS}", f"synthetic.bars={bars}", "data.source=synthetic"]
    config = load_config(None, [*made, *sets], environ={})
    block = synthetic_bars(config.synthetic, HOUR_MS)
    rng = np.random.default_rng(5)
    shape = block.close.shape
    ahead = np.vstack([block.close[5:] / block.close[:-5] - 1.0, np.zeros((5, SYMBOLS))])
    told = 0.1 * ahead + 0.004 * rng.standard_normal(shape)
    value = np.stack(
        [told, 0.5 + 0.2 * np.sign(told), np.full(shape, 0.01), np.zeros(shape)], axis=2
    )
    forecast = Forecast(TABLE_TASKS, value, np.zeros(len(block), dtype=np.int64))
    names = symbol_names(SYMBOLS)
    return SweepSource(
        "made",
        config,
        tuple(names),
        {},
        block,
        start=0,
        forecast=forecast,
        digest=("made",),
        settings=config.model_dump(mode="json"),
        runs_dir=Path("runs"),
    )


def _seconds(source: SweepSource, vary: list[str]) -> float:
    """Return what a sweep takes; one of two fees before is not counted, since it compiles."""
    with tempfile.TemporaryDirectory() as folder:
        sweep(
            source,
            ["costs.taker_fee=0.0004,0.0005"],
            f"{folder}/first",
            [],
            lambda _done, _of: None,
        )
        started = time.perf_counter()
        sweep(source, vary, f"{folder}/measured", [], lambda _done, _of: None)
        return time.perf_counter() - started


def _vectorbt(source: SweepSource, settings: int, ours: float, work: str) -> Row:
    case = f"vectorbt, threshold rule, {work}"
    if not is_installed("vectorbt"):
        return absent(case, "s")
    from vectorbt.portfolio.base import Portfolio

    close = source.bars.close
    signal = source.forecast.value[:, :, 0] * 0.7
    thresholds = np.linspace(0.0005, 0.02, settings)
    started = time.perf_counter()
    for k in range(0, settings, BATCH):
        batch = thresholds[k : k + BATCH]
        side = np.sign(signal)[:, None, :] * (np.abs(signal)[:, None, :] > batch[None, :, None])
        flat = side.reshape(len(close), -1)
        changed = np.vstack([flat[:1] != 0.0, flat[1:] != flat[:-1]])
        portfolio: Any = Portfolio.from_orders(
            np.tile(close, len(batch)), size=np.where(changed, flat / SYMBOLS, np.nan),
            size_type="targetpercent", fees=FEE, init_cash=100_000.0, freq="1h", cash_sharing=True,
            group_by=np.repeat(np.arange(len(batch)), SYMBOLS),
        )  # fmt: skip
        portfolio.value()
    took = time.perf_counter() - started
    return Row(
        case, took, "s", note=f"{took / ours:.2f} × ours; equity a bar, one process, fees only"
    )
