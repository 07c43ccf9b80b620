"""What a feed did, counted: oddities are logged as they occur, and nothing is decided by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """What was seen since the start; every field only grows.

    Attributes:
        candles: frames of candles, `forming` of them not confirmed.
        duplicates: confirmed again, the same.
        revisions: confirmed again, changed; the first counts.
        reordered: not confirmed, of a bar that is confirmed or closed.
        late: first confirmed after its bar was closed.
        foreign: of no symbol here, off the grid, or of the future.
        fetched: candles that were asked for and came; `absent`: those that did not.
        late_bars: bars that were closed too late to decide on.
        clock_refused: the exchange's times that were not believed.
        implausible: candles, quotes, mark prices and funding rates refused as they cannot be true.
        quotes, bad_frames, connects, disconnects: events of that kind.
    """

    candles: int = 0
    forming: int = 0
    duplicates: int = 0
    revisions: int = 0
    reordered: int = 0
    late: int = 0
    foreign: int = 0
    fetched: int = 0
    absent: int = 0
    late_bars: int = 0
    clock_refused: int = 0
    implausible: int = 0
    quotes: int = 0
    bad_frames: int = 0
    connects: int = 0
    disconnects: int = 0
