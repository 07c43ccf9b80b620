"""Real prices as inverse contracts: candles, marks and funding of linear ones under the inverse names.

python -m scripts.inverse_candles DATA OUT BTCUSDT ETHUSDT … writes OUT/candles, OUT/mark and OUT/funding of BTCUSD,
ETHUSD … . An inverse contract's price differs from the linear one's by some basis points, so an account's
arithmetic is tried on them, and no market of its own is measured.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

LINEAR, INVERSE = "bybit_linear", "bybit_inverse"


def make_inverse(data: Path, out: Path, symbols: Sequence[str], interval: str) -> None:
    """Write the files of each symbol; what a linear candle calls turnover is an inverse one's volume.

    Raises:
        FileNotFoundError: there are no such candles.
    """
    for folder in ("candles", "mark", "funding"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for symbol in symbols:
        linear, inverse = f"{LINEAR}_{symbol}", f"{INVERSE}_{symbol.removesuffix('T')}"
        bars = pd.read_parquet(data / "candles" / f"{linear}_{interval}.parquet")
        dollars = bars["turnover"] if "turnover" in bars else bars["volume"] * bars["close"]
        bars["volume"], bars["turnover"] = dollars.round(), bars["volume"]
        bars.to_parquet(out / "candles" / f"{inverse}_{interval}.parquet", index=False)
        for folder, end in (("mark", f"{interval}_mark"), ("funding", "funding")):
            source = data / folder / f"{linear}_{end}.parquet"
            if source.exists():
                shutil.copyfile(source, out / folder / f"{inverse}_{end}.parquet")


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(prog="python -m scripts.inverse_candles", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("symbols", nargs="+")
    parser.add_argument("--interval", default="1h")
    asked = parser.parse_args()
    make_inverse(asked.data, asked.out, asked.symbols, asked.interval)


if __name__ == "__main__":
    main()
