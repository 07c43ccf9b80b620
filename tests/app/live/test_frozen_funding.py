"""Funding that settles while a symbol is frozen: charged once, and never on a price that was refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.journal.forms import open_journal
from bot.app.verify.proof import verify
from bot.blocks import BarBlock
from bot.practice.settlements import settlements
from bot.practice.synthetic import column
from bot.timegrid import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS
from scripts.soaking.direct_exchange import DirectExchange
from scripts.soaking.rehearsal import Rehearsal
from tests.app.live.altered import Altered

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

EIGHT = 8 * HOUR_MS
WILD = np.array([1e3, 1e-3, 1e6])
"""Each so far from the others that no bar confirms the one before."""
SETTINGS = ("synthetic.missing=0", "synthetic.symbols=2", "retrain.every_bars=100000")


def rehearse(
    folder: Path, interval: str, from_ms: int, to_ms: int, *, marks_too: bool
) -> tuple[Rehearsal, int, int]:
    """Return a run whose first symbol is told at one wild price after another.

    Args:
        from_ms, to_ms: the bars told so are those that open in this span around a settlement, the
            first that also opens a bar, a few bars after the start.
        marks_too: whether its mark price is told so as well.

    Returns:
        the run, and the open times of the first and last bar of the span.
    """
    step = INTERVAL_MS[interval]
    rehearsal = Rehearsal.make(
        folder, *SETTINGS, f"market.interval={interval}",
        f"exchange.quote_timeout_s={min(step // 2000, 3600)}",
        f"practice.ticks_per_bar={max(4, 2 * step // HOUR_MS)}",
    )  # fmt: skip
    settles = rehearsal.begin_ms + max(4 * step, HOUR_MS)
    every = EIGHT if step <= EIGHT else DAY_MS
    settles = -(-settles // every) * every
    first, last = settles + from_ms, settles + to_ms

    def alter(block: BarBlock) -> BarBlock:
        told = (block.open_time >= first) & (block.open_time <= last)
        by = np.ones(block.close.shape)
        by[told, 0] = WILD[(block.open_time[told] - first) // step % len(WILD)]
        names = ["open", "high", "low", "close", *(["mark", "funding_inside"] if marks_too else [])]
        return replace(block, **{name: getattr(block, name) * by for name in names})

    truth = rehearsal.source
    rehearsal.__dict__["source"] = Altered(truth, alter)
    return rehearsal, first, last


def paid_by_hand(rehearsal: Rehearsal) -> tuple[np.ndarray, np.ndarray, BarBlock, np.ndarray]:
    """Return what each bar should have paid and what it did, the bars, and what was held.

    One settlement at a time, at the market's own rate, on what was held then: the mark price of the
    journal at a bar's open, the market's own inside it, and where that is not to be believed, the
    bar's open, or without a candle the last close.
    """
    reader = open_journal(rehearsal.folder.journal)
    times, ledger = reader.ledger()
    held = reader.positions(times)
    bars = reader.bars(int(times[0]) - 1, int(times[-1]))
    reader.close()
    step = rehearsal.source.interval_ms
    first = (int(times[0]) - rehearsal.source.start_ms) // step
    truth = rehearsal.source.block(first, len(times))
    due = np.zeros(len(times))
    for s in range(held.shape[1]):
        last = np.nan
        for time, rate in zip(
            *(a.tolist() for a in settlements(column(truth, s), step)), strict=True
        ):
            i = int(np.searchsorted(times, time, side="right")) - 1
            last = next((c for c in bars.close[:i, s][::-1] if np.isfinite(c)), np.nan)
            own = bars.open[i, s] if bars.valid[i, s] else last
            at_open = time == times[i]
            quantity = held[i - 1, s] if at_open else held[i, s]
            if (at_open and i == 0) or quantity == 0.0:
                continue
            mark = bars.mark[i, s] if at_open else truth.mark[i, s]
            due[i] += quantity * rate * (mark if 0.05 < mark / last < 20.0 else own)
    return due, ledger["funding"], bars, held


# interval; the frozen bars open from .. to, in minutes after a settlement; settlements in them
FREEZES = [
    ("5m", -15, 50, 1),
    ("5m", -5, 8 * 60 + 5, 2),
    ("1h", -120, 60, 1),
    ("1h", 0, 8 * 60, 2),
    ("4h", 0, 0, 1),
    ("4h", -240, 8 * 60, 2),
    ("12h", 0, 0, 2),
    ("1d", 0, 0, 3),
]


@pytest.mark.parametrize(
    ("interval", "since", "until", "inside", "marks_too"),
    [(*freeze, True) for freeze in FREEZES] + [(*freeze, False) for freeze in FREEZES[2:]],
)
def test_a_freeze_pays_each_settlement_once(
    tmp_path: Path, interval: str, since: int, until: int, inside: int, *, marks_too: bool
) -> None:
    rehearsal, first, last = rehearse(
        tmp_path / "run", interval, since * MINUTE_MS, until * MINUTE_MS, marks_too=marks_too
    )
    rehearsal.run((last - rehearsal.begin_ms) // INTERVAL_MS[interval] + 3)
    check(rehearsal, first, last, inside)


@pytest.mark.parametrize("away_bars", [0, 3])
@pytest.mark.parametrize(("interval", "since", "until", "inside"), FREEZES[3:])
def test_also_where_the_daemon_ends_in_the_freeze(
    tmp_path: Path, interval: str, since: int, until: int, inside: int, away_bars: int
) -> None:
    """Killed in the middle of the freeze, and taken up at once or after an outage."""
    rehearsal, first, last = rehearse(
        tmp_path / "run", interval, since * MINUTE_MS, until * MINUTE_MS, marks_too=True
    )
    step = INTERVAL_MS[interval]

    async def script(exchange: DirectExchange, stop: asyncio.Event) -> None:
        middle = (first + last + step) // 2 // step * step
        await exchange.clock.sleep_until(middle + step // 3)
        stop.set()

    now = rehearsal.run(script=script)
    begin = now + away_bars * step
    rehearsal.run(max((last - begin) // step, 0) + 3, begin_ms=begin)
    check(rehearsal, first, last, inside)


def check(rehearsal: Rehearsal, first: int, last: int, inside: int) -> None:
    step = rehearsal.source.interval_ms
    due, paid, bars, held = paid_by_hand(rehearsal)
    there = (bars.open_time >= first) & (bars.open_time <= last)
    assert (~bars.valid[:, 0] == there).all()
    assert np.isfinite(bars.refused[there, 0]).all()
    assert (held[there, 0] == held[int(there.argmax()) - 1, 0]).all(), "it is not traded"
    assert held[there, 0].all()
    accepted = bars.close[int(there.argmax()) - 1, 0]
    told = bars.mark[there, 0]
    assert told[np.isfinite(told)] == pytest.approx(accepted, rel=0.2)
    assert paid == pytest.approx(due, rel=1e-9)
    settled = [t for t in range(first // EIGHT * EIGHT, last + step, EIGHT) if first <= t]
    assert len(settled) == inside
    assert (paid[there] != 0.0).sum() == len({t // step for t in settled})
    assert verify(rehearsal.folder).identical
