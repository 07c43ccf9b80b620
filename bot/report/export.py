"""The result columns of the user's document, a symbol at a time.

Rows are aligned by time: row i says what was decided at close i and what was earned to close i + 1.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bot.portfolio.worth import value_of
from bot.report.inputs import RunData


def result_columns(run: RunData, symbol: str) -> pd.DataFrame:
    """Return date, price, signal, position, position_return and capital of one symbol.

    A row for each bar from the start on, but the last. `date` is the bar's open time (UTC),
    `price` its last known close, `position` the fraction of equity held from close i to i + 1,
    negative when short (a decision filled at the next open counts from its own row, one filled at
    the next close from the row after), `position_return` what that fraction earned before costs,
    and `capital` the run's equity at close i + 1, all symbols and costs in it.

    Raises:
        KeyError: the run has no such symbol.
    """
    if symbol not in run.symbols:
        raise KeyError(f"the run has no symbol {symbol}; it has {', '.join(run.symbols)}")
    s = run.symbols.index(symbol)
    now, after = slice(run.start_index, -1), slice(run.start_index + 1, None)
    price = run.price[:, s]
    quantity = run.quantity[after if run.fill == "next_open" else now, s]
    value = np.where(quantity == 0.0, 0.0, value_of(quantity, price[now], run.is_inverse[s]))
    position = value / run.equity[now]
    move = np.where(quantity == 0.0, 0.0, price[after] / price[now] - 1.0)
    return pd.DataFrame(
        {
            "date": pd.to_datetime(run.open_time[now], unit="ms", utc=True),
            "price": price[now],
            "signal": run.signal[now, s],
            "position": position,
            "position_return": position * move,
            "capital": run.equity[after],
        }
    )
