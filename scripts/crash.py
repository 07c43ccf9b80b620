"""A long position through the crash of AVAXUSDT on 2025-10-10, by leverage and margin: a table in Markdown.

python -m scripts.crash --data DIR. An account of 10,000 goes long at the close of 18:00, two hours before the
fall, by the kernel that trades live and in backtests, and holds. Cross: the position is worth the leverage
times the equity. Isolated: a quarter of the equity is its margin. Credit without limit is what the account
was before it knew margin.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from bot.adapters.files.history import load_history
from bot.blocks import BarBlock
from bot.config import load_config
from bot.portfolio.broker import first_book, run_bars
from bot.portfolio.reasons import FillReason
from bot.portfolio.rules import rules_from
from bot.portfolio.trace import Phase
from bot.timestamps import format_utc

SYMBOL = "AVAXUSDT"
CAPITAL = 10_000.0
LEVERAGES = (2, 5, 10)
DECIDED = int(np.datetime64("2025-10-10T18:00", "ms").astype(np.int64))
HOURS = 12


def bars_of_the_crash(root: str) -> BarBlock:
    """Return the bars from the decision on, with marks and funding."""
    config = load_config(None, [*_sets("cross", 10, 1.0), f"data.root={root}"], environ={})
    bars = load_history(config).bars
    start = int(np.searchsorted(bars.open_time, DECIDED))
    return bars.rows(start, start + HOURS)


def outcomes(bars: BarBlock) -> Iterator[tuple[str, int, float, str, float]]:
    """Yield margin mode, leverage, value bought, what happened, and the equity at the end."""
    for mode in ("none", "cross", "isolated"):
        for leverage in LEVERAGES:
            share = leverage * (0.25 if mode == "isolated" else 0.95)
            config = load_config(None, _sets(mode, leverage, share), environ={})
            rules = rules_from(config, [SYMBOL])
            signal = np.full(bars.close.shape, np.nan)
            signal[0] = 1.0
            book, trace = run_bars(
                first_book(rules, CAPITAL), rules, bars, signal, np.abs(signal), Phase.BOTH
            )
            bought = trace.fills[0]
            said = "held"
            for fill in trace.fills[trace.fills["reason"] == FillReason.LIQUIDATION]:
                hour = format_utc(int(fill["open_time"]))[11:16]
                said = f"liquidated in the bar of {hour} at {fill['price']:.3f}"
            value = float(bought["quantity"] * bought["price"])
            yield mode, leverage, value, said, float(book.account["equity"][0])


def _sets(mode: str, leverage: int, share: float) -> list[str]:
    return [
        f"market.symbols={SYMBOL}", f"portfolio.margin_mode={mode}", f"portfolio.leverage={leverage}",
        f"portfolio.initial_capital={CAPITAL}", f"sizing.fraction={share}", "policy.kind=threshold",
        "risk.max_gross=0", "risk.max_symbol_weight=0",
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="data", help="folder with candles/, funding/, mark/")
    bars = bars_of_the_crash(parser.parse_args().data)
    low = int(np.argmin(bars.low[:, 0]))
    at = format_utc(int(bars.open_time[low]))[:16]
    print(f"{SYMBOL}: bought at {bars.open[1, 0]:.3f}, lowest {bars.low[low, 0]:.3f} in the bar of {at}, "
          f"{HOURS} hours later {bars.close[-1, 0]:.3f}.\n")  # fmt: skip
    print("| margin | leverage | position | what happened | equity of 10,000 |")
    print("|---|---:|---:|---|---:|")
    for mode, leverage, value, said, equity in outcomes(bars):
        print(f"| {mode} | {leverage} × | {value:,.0f} | {said} | {equity:,.2f} |")


if __name__ == "__main__":
    main()
