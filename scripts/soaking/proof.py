"""What must hold of a live run after whatever happened to it: proved, without holes, true.

Rules: the proof is `bot verify`'s; beside it the bars as seen are held against the market that the
exchange served, which the daemon never sees whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.adapters.journal.forms import open_journal
from bot.app.runs.folder import RunFolder
from bot.app.verify.proof import Verdict, verify
from bot.blocks import F64, FILL, I64, BarBlock
from bot.practice.synthetic import SyntheticMarket

CANDLE = ("open", "high", "low", "close", "volume", "turnover")


@dataclass(frozen=True)
class Proof:
    """A run as its journal has it, and how it stands to the market.

    Attributes:
        bars: those closed since the start, as seen; there must be one.
        holes: bars and symbols that the market had and the run did not get.
        untrue: bars and symbols whose candle is not the market's.
    """

    verdict: Verdict
    bars: BarBlock
    warm_bars: int
    signal: F64
    refusal: I64
    fills: np.ndarray[tuple[int], np.dtype[np.void]]
    models: list[tuple[str, int, int | None, bool]]
    holes: int
    untrue: int

    @property
    def late(self) -> int:
        """Return how many bars were seen too late to decide on."""
        return int((~self.bars.tradable).sum())


def prove(folder: RunFolder, market: SyntheticMarket) -> Proof:
    """Verify a run, and compare what it saw with what there was.

    Raises:
        AssertionError: the run is not proved, misses a bar of the grid, or decided on a late bar.
    """
    verdict = verify(folder)
    assert verdict.identical, verdict.difference
    reader = open_journal(folder.journal)
    times, _ = reader.ledger()
    stored = reader.bars()
    decisions, refusal = reader.decisions(times)
    fills = reader.fills()
    models = [(m.model_id, m.effective_from, m.due, m.late) for m in reader.models()]
    reader.close()
    _check_fills(stored, fills)
    every = stored.rows(0, int(np.searchsorted(stored.open_time, times[-1], "right")))
    assert (np.diff(every.open_time) == market.interval_ms).all(), "a bar of the grid is missing"
    seen = every.rows(len(every) - len(times), len(every))
    assert np.array_equal(seen.open_time, times)
    truth = market.block(
        int((every.open_time[0] - market.start_ms) // market.interval_ms), len(every)
    )
    both = every.valid & truth.valid
    assert not (every.valid & ~truth.valid).any(), "a candle was made up"
    untrue = np.zeros_like(both)
    for name in CANDLE:
        untrue |= both & (getattr(every, name) != getattr(truth, name))
    return Proof(
        verdict, seen, len(every) - len(times), decisions["signal"], refusal, fills, models,
        int((truth.valid & ~every.valid).sum()), int(untrue.sum()),
    )  # fmt: skip


def _check_fills(bars: BarBlock, fills: np.ndarray[tuple[int], np.dtype[np.void]]) -> None:
    """Hold that an order is filled once, in a bar and at a price that were seen in time."""
    assert fills.dtype == FILL
    keys = list(zip(fills["open_time"].tolist(), fills["symbol"].tolist(), strict=True))
    assert len(set(keys)) == len(keys), "an order was filled twice"
    at = np.searchsorted(bars.open_time, fills["open_time"])
    assert bars.fillable[at, fills["symbol"]].all(), "a fill that could not have happened"
