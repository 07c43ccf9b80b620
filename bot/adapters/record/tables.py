"""The rows of a record: its tables, their columns, and what a bar's row says.

Rules: times are ms UTC, the open time of the bar; symbols are text; None stands for NaN. What later
versions add to a bar's row comes behind, with what older rows stand for. Must not know how rows are
stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from bot.blocks import F64, I64, BarBlock, Task

Table = Literal["bars", "fills", "forecasts", "decisions", "ledger", "positions", "chain"]
Row = tuple[Any, ...]
EARLIEST, LATEST = -(2**63), 2**63 - 1
"""Before and behind every time, impossible ones included."""

REPLAYED: tuple[Table, ...] = (
    "fills", "forecasts", "decisions", "ledger", "positions", "chain",
)  # fmt: skip
"""What a replay makes, in the order of cause and effect within a bar."""

BAR_VALUES = (
    "open", "high", "low", "close", "volume", "turnover", "fill_bid", "fill_ask",
    "funding_rate", "mark",
)  # fmt: skip
LATER_BAR_VALUES: dict[str, float] = {
    "funding_inside": 0.0,
    "funding_inside_unknown": 0.0,
    "refused": math.nan,
    "mark_high": math.nan,
    "mark_low": math.nan,
    "bid_size": math.nan,
    "ask_size": math.nan,
    "leaving": 0.0,
    "settlement_price": math.nan,
    "realised_variance": math.nan,
}
"""Values of a bar that came after version 1, in order, and what rows without them stand for."""
FIRST_BAR_FLAGS = ("valid", "in_session", "tradable", "fillable")
BAR_FLAGS = (*FIRST_BAR_FLAGS, "leaving")
"""What is either 0 or 1 in a bar's row; those of version 1, and one of the later values."""
BAR_COLUMNS = (*BAR_VALUES, *FIRST_BAR_FLAGS, *LATER_BAR_VALUES)
"""What a bar's row says, in the order of its matrix."""
LEDGER_VALUES = ("equity", "cash", "fees", "funding", "spread", "slippage")
FILL_VALUES = ("quantity", "price", "fee", "spread", "slippage")
DECISION_VALUES = ("signal", "weight", "order_quantity")
LATER_DECISION_VALUES = ("edge", "hurdle", "age", "slope", "slope_error")
"""What version 3 added to a decision: the expected return, what it had to exceed, closes since the
side was decided, and what signals were known to be worth; NaN in older rows."""


def columns_of(table: Table, tasks: Sequence[Task]) -> tuple[str, ...]:
    """Return the columns of a table's rows, keys first."""
    by_symbol = ("open_time", "symbol")
    columns: dict[Table, tuple[str, ...]] = {
        "bars": (*by_symbol, *BAR_COLUMNS, "row_hash"),
        "fills": (*by_symbol, *FILL_VALUES, "reason"),
        "forecasts": (*by_symbol, "model_id", *(task.name for task in tasks)),
        "decisions": (*by_symbol, *DECISION_VALUES, "refusal", *LATER_DECISION_VALUES),
        "ledger": ("open_time", *LEDGER_VALUES),
        "positions": (*by_symbol, "quantity"),
        "chain": ("open_time", "link"),
    }
    return columns[table]


def bar_matrix(block: BarBlock) -> F64:
    """Return the bars as float64[n, S, values + flags + later values], NaN made canonical."""
    flags = [
        np.broadcast_to(
            getattr(block, name)[:, None] if name == "tradable" else getattr(block, name),
            block.valid.shape,
        )
        for name in FIRST_BAR_FLAGS
    ]
    later = (getattr(block, name) for name in LATER_BAR_VALUES)
    parts = [*(getattr(block, name) for name in BAR_VALUES), *flags, *later]
    matrix = np.stack([np.asarray(p, dtype=np.float64) for p in parts], axis=2)
    return canonical(matrix)


def bar_block(times: I64, matrix: F64) -> BarBlock:
    """Return the bars that `bar_matrix` made float64[n, S, values + flags + later values] of."""
    columns: dict[str, Any] = {name: matrix[:, :, k].copy() for k, name in enumerate(BAR_COLUMNS)}
    for name in BAR_FLAGS:
        columns[name] = columns[name] != 0.0
    columns["tradable"] = columns["tradable"].all(axis=1)
    return BarBlock(open_time=times, **columns)


def canonical(values: F64) -> F64:
    """Return the values with one bit pattern for NaN and no negative zero."""
    return np.where(np.isnan(values), np.nan, values) + 0.0
