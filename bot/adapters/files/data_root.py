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

from bot.adapters.files.tables import ENDINGS, is_data, split_ending
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
        found: dict[Series, Path] = {}
        for series, path in self.all_candle_files():
            if series in found:
                raise DataError(
                    f"{found[series]} and {path} hold the same candles; remove one of them"
                )
            found[series] = path
        return found

    @property
    def candles_folder(self) -> Path:
        """Return where a new candle file goes."""
        return self.path / "candles" if self.home == self.path else self.path

    def files_of(self, series: Series) -> list[Path]:
        """Return every file of a series' candles, also where one is too many."""
        there = self.all_candle_files() if self.path.is_dir() else []
        return [path for found, path in there if found == series]

    def files_named(self, folder: Path, stem: str) -> list[Path]:
        """Return the files of a folder with this name and any ending that is read."""
        return [path for ending in ENDINGS if (path := folder / f"{stem}{ending}").is_file()]

    def all_candle_files(self) -> list[tuple[Series, Path]]:
        """Return every candle file, sorted by series, also where two hold the same candles.

        Raises:
            DataError: the root is no folder.
        """
        if not self.path.is_dir():
            raise DataError(
                f"{self.path}: no such folder; --data or data.root must name a folder with "
                "candles/ in it, or the candles' own folder; 'bot fetch' and 'bot import' make one"
            )
        return sorted(found for folder in self._candle_folders() for found in _series_in(folder))

    def mark_files(self) -> list[tuple[Series, Path]]:
        """Return every file of mark prices with what its name says."""
        named = ((Series.parse(stem), path) for stem, path in _stems(self.home / "mark", "_mark"))
        return [(series, path) for series, path in named if series is not None]

    def funding_files(self) -> list[tuple[tuple[str, str], Path]]:
        """Return every file of funding rates with its (venue, symbol)."""
        parts = (
            (stem.rpartition("_"), path) for stem, path in _stems(self.home / "funding", "_funding")
        )
        return [((venue, symbol), path) for (venue, _, symbol), path in parts if venue]

    def unread_files(self) -> list[Path]:
        """Return the files under the root that end as data do and whose names nobody reads."""
        read = {path for _, path in [*self.all_candle_files(), *self.mark_files()]}
        read |= {path for _, path in self.funding_files()}
        folders = [*self._candle_folders(), self.home / "mark", self.home / "funding"]
        return [
            path
            for folder in folders
            if folder.is_dir()
            for path in sorted(folder.iterdir())
            if path.is_file() and path not in read and is_data(path.name)
        ]

    def _candle_folders(self) -> list[Path]:
        inside = (p for p in self.path.iterdir() if p.is_dir() and p.name not in _SIDE_FOLDERS)
        return [self.path, *sorted(inside)] if self.path.is_dir() else []

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
        return present or self.candles_folder / f"{series.stem}.parquet"

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


def _stems(folder: Path, ending: str) -> list[tuple[str, Path]]:
    """Return the data files of a folder whose stem ends so, with the stem before it."""
    if not folder.is_dir():
        return []
    split = ((split_ending(path.name), path) for path in sorted(folder.iterdir()))
    stems = ((parts[0], path) for parts, path in split if parts is not None)
    return [(stem.removesuffix(ending), path) for stem, path in stems if stem.endswith(ending)]


def _first_existing(folder: Path, stem: str) -> Path | None:
    paths = [folder / f"{stem}{ending}" for ending in ENDINGS]
    found = [path for path in paths if path.is_file()]
    if len(found) > 1:
        raise DataError(f"{found[0]} and {found[1]} hold the same series; remove one of them")
    return found[0] if found else None


def _offer(wanted: Series, present: list[Series]) -> str:
    if not present:
        return "there are no candle files at all under a name that is read; 'bot data' lists other files and how to import them, 'bot fetch' downloads them"
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
