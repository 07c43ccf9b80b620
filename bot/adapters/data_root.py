"""Where candle, funding, mark and instrument files lie, and what their names say.

Owns the layout: a root has `candles/`, `funding/`, `mark/` and `instruments/` in it, or it is the
candles' own folder with the others beside it. Candle files also count in every other folder
directly under the root, for example `stocks/`. Must not open a file.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.adapters.tables import ENDINGS, split_ending
from bot.errors import DataError
from bot.timegrid import HOUR_MS, INTERVAL_MS

_SIDE_FOLDERS = frozenset({"funding", "mark", "instruments"})
_NAME = re.compile(
    r"(?P<venue>[a-z0-9]+(?:_[a-z0-9]+)*)_(?P<symbol>[A-Za-z0-9.\-]+)_(?P<interval>[a-z0-9]+)"
)


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What a candle file holds: venue, symbol and interval.

    >>> Series("bybit_linear", "BTCUSDT", "1h").stem
    'bybit_linear_BTCUSDT_1h'
    """

    venue: str
    symbol: str
    interval: str

    @property
    def stem(self) -> str:
        """Return the file's name without its suffix."""
        return f"{self.venue}_{self.symbol}_{self.interval}"

    @classmethod
    def parse(cls, stem: str) -> Self | None:
        """Return what a file's name says, None where it is not a candle file's name."""
        match = _NAME.fullmatch(stem)
        if match is None or match["interval"] not in INTERVAL_MS:
            return None
        return cls(match["venue"], match["symbol"], match["interval"])


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The folder that --data names; `home` is the one that funding/, mark/, instruments/ are in."""

    path: Path
    home: Path

    @classmethod
    def at(cls, root: str | Path) -> Self:
        """Return the root, which need not exist yet: a fetch makes it."""
        path = Path(root)
        own_home = (path / "candles").is_dir() or any((path / n).is_dir() for n in _SIDE_FOLDERS)
        holds_candles = not own_home and (path.name == "candles" or bool(_series_in(path)))
        return cls(path, path.resolve().parent if holds_candles else path)

    def candle_files(self) -> dict[Series, Path]:
        """Return every candle file of the root, sorted by venue, symbol and interval.

        Raises:
            DataError: the root is no folder, or two files hold the same candles.
        """
        if not self.path.is_dir():
            raise DataError(
                f"{self.path}: no such folder; --data or data.root must name a folder with "
                "candles/ in it, or the candles' own folder"
            )
        found: dict[Series, Path] = {}
        inside = (p for p in self.path.iterdir() if p.is_dir() and p.name not in _SIDE_FOLDERS)
        for folder in [self.path, *sorted(inside)]:
            for series, path in _series_in(folder):
                if series in found:
                    raise DataError(
                        f"{found[series]} and {path} hold the same candles; remove one of them"
                    )
                found[series] = path
        return dict(sorted(found.items()))

    def find_candles(self, series: Series) -> Path:
        """Return the candle file of a series.

        Raises:
            DataError: there is none; the message lists what there is, closest names first.
        """
        files = self.candle_files()
        if series in files:
            return files[series]
        raise DataError(
            f"{self.path}: no {series.interval} candles of {series.symbol} at {series.venue} "
            f"(expected {series.stem}.parquet or .csv); {_offer(series, list(files))}"
        )

    def find_funding(self, venue: str, symbol: str) -> Path | None:
        """Return the file of a contract's funding rates, None where there is none."""
        return _first_existing(self.home / "funding", f"{venue}_{symbol}_funding")

    def find_mark(self, series: Series) -> tuple[Path, str] | None:
        """Return the mark price file and its interval: the series' own, else the finest.

        A bar longer than an hour has settlements inside it, whose marks hourly prices tell.
        """
        own = "1h" if INTERVAL_MS[series.interval] > HOUR_MS else series.interval
        for interval in [own, *INTERVAL_MS]:
            stem = Series(series.venue, series.symbol, interval).stem
            path = _first_existing(self.home / "mark", f"{stem}_mark")
            if path is not None:
                return path, interval
        return None

    def candles_to_write(self, series: Series) -> Path:
        """Return where a fetch keeps a series: its present file, else one beside the others."""
        present = self.candle_files().get(series) if self.path.is_dir() else None
        folder = self.path / "candles" if self.home == self.path else self.path
        return present or folder / f"{series.stem}.parquet"

    def funding_to_write(self, venue: str, symbol: str) -> Path:
        """Return where a fetch keeps a contract's funding rates."""
        present = self.find_funding(venue, symbol)
        return present or self.home / "funding" / f"{venue}_{symbol}_funding.parquet"

    def mark_to_write(self, series: Series) -> Path:
        """Return where a fetch keeps a contract's mark prices."""
        present = _first_existing(self.home / "mark", f"{series.stem}_mark")
        return present or self.home / "mark" / f"{series.stem}_mark.parquet"

    def instruments(self, venue: str) -> Path:
        """Return where the quantity steps and smallest orders of a venue are kept."""
        return self.home / "instruments" / f"{venue}.json"


def _series_in(folder: Path) -> list[tuple[Series, Path]]:
    if not folder.is_dir():
        return []
    named = ((split_ending(path.name), path) for path in sorted(folder.iterdir()))
    parsed = ((Series.parse(split[0]), path) for split, path in named if split is not None)
    return [(series, path) for series, path in parsed if series is not None]


def _first_existing(folder: Path, stem: str) -> Path | None:
    paths = [folder / f"{stem}{ending}" for ending in ENDINGS]
    found = [path for path in paths if path.is_file()]
    if len(found) > 1:
        raise DataError(f"{found[0]} and {found[1]} hold the same series; remove one of them")
    return found[0] if found else None


def _offer(wanted: Series, present: list[Series]) -> str:
    if not present:
        return "there are no candle files at all; 'bot fetch' downloads them"
    same = [s for s in present if s.symbol == wanted.symbol]
    if same:
        return "of this symbol there is " + ", ".join(f"{s.venue} {s.interval}" for s in same)
    stems = [s.stem for s in present]
    close = difflib.get_close_matches(wanted.stem, stems, n=3, cutoff=0.6)
    beside = [s for s in present if (s.venue, s.interval) == (wanted.venue, wanted.interval)]
    listed = beside or present
    names = [f"{s.venue}:{s.symbol} {s.interval}" for s in listed]
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{meant}There is {shown}"
