"""What shorter candles add to log-HAR: its QLIKE with ranges alone, with realised variances, and with both.

Least squares on logs of mean variances over 1 to 720 bars with the hour of the day, of all symbols together;
learned before --split, judged from it on. The target is the sum of squared returns of the next five
bars; the errors of the gains are those of a mean over days.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from bot.adapters.files.history import load_history
from bot.blocks import F64
from bot.config import load_config
from bot.timegrid import DAY_MS, HOUR_MS
from bot.timestamps import parse_utc

WINDOWS, HORIZON, FLOOR = (1, 5, 24, 72, 168, 720), 5, 1e-9


def rows_of(data: str, finer: str, symbols: str) -> pd.DataFrame:
    """Return a row for each bar and symbol whose variances are all known: terms, hour, target."""
    config = load_config(
        None, [f"data.root={data}", f"market.symbols={symbols}", f"market.finer_interval={finer}"], {}
    )  # fmt: skip
    bars, found = load_history(config).bars, []
    for s in range(bars.n_symbols):
        width = np.log(bars.high[:, s]) - np.log(bars.low[:, s])
        frame = pd.DataFrame(
            {"range": width**2 / (4.0 * np.log(2.0)), "realised": bars.realised_variance[:, s]}
        )
        terms = {
            f"{name} {n}": np.log(frame[name].rolling(n, min_periods=max(1, n // 2)).mean() + FLOOR)
            for name in frame
            for n in WINDOWS
        }
        squared = pd.Series(np.diff(np.log(bars.close[:, s]), prepend=np.nan) ** 2)
        target = squared.rolling(HORIZON).sum().shift(-HORIZON)
        hour = bars.open_time // HOUR_MS % 24
        found.append(
            pd.DataFrame({**terms, "hour": hour, "target": target, "time": bars.open_time})
        )
    return pd.concat(found).dropna()


def losses(rows: pd.DataFrame, split_ms: int, end_ms: int, kinds: tuple[str, ...]) -> F64:
    """Return the QLIKE of each row judged, of a fit on the terms of these kinds."""
    columns = [c for c in map(str, rows) if c.partition(" ")[0] in kinds]
    x = np.column_stack([rows[columns], np.eye(24)[rows["hour"].to_numpy()]])
    y = rows["target"].to_numpy()
    # the labels of training are known before the first bar that is judged
    train = (rows["time"] < split_ms - (HORIZON + 1) * HOUR_MS).to_numpy()
    judged = ((rows["time"] >= split_ms) & (rows["time"] < end_ms)).to_numpy()
    beta = np.linalg.lstsq(x[train], np.log(y[train] + FLOOR), rcond=None)[0]
    fitted = np.exp(x @ beta)
    fitted *= np.mean(y[train] / fitted[train])
    ratio = np.maximum(y[judged], FLOOR) / fitted[judged]
    return np.asarray(ratio - np.log(ratio) - 1.0)


def main() -> None:
    """Print one row of a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m scripts.finer_gain", description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--finer", default="15m")
    parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT,SOLUSDT,BNBUSDT")
    parser.add_argument("--split", required=True, help="first day judged")
    parser.add_argument("--to", required=True, help="day before which it ends")
    asked = parser.parse_args()
    split_ms, end_ms = parse_utc(asked.split, "--split"), parse_utc(asked.to, "--to")
    if split_ms is None or end_ms is None:
        parser.error("--split and --to each name a day")
    rows = rows_of(asked.data, asked.finer, asked.symbols)
    judged = rows[(rows["time"] >= split_ms) & (rows["time"] < end_ms)]
    day = judged["time"].to_numpy() // DAY_MS
    by_range = losses(rows, split_ms, end_ms, ("range",))
    cells = [f"{by_range.mean():.4f}"]
    for kinds in (("realised",), ("range", "realised")):
        gain = pd.Series(by_range - losses(rows, split_ms, end_ms, kinds)).groupby(day).mean()
        cells.append(f"{gain.mean():+.4f} ± {gain.std() / np.sqrt(len(gain)):.4f}")
    print(f"| {asked.finer}, {asked.split} to {asked.to} | {' | '.join(cells)} | {len(judged):,} |")


if __name__ == "__main__":
    main()
