"""Which tables a run has, and what each column is: name, kind, unit, meaning.

Owns the shape that files and the library share. Rules: a time is given twice, as milliseconds since
1970 and as a time in UTC, and is the open time of the bar; what is not known is null, in CSV an empty
cell; amounts are in the account's currency. Must not read a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

from bot.blocks import Task
from bot.wording import counted

TableName = Literal[
    "bars", "forecasts", "decisions", "fills", "trades", "positions", "equity", "models"
]
NAMES: tuple[TableName, ...] = get_args(TableName)

_KINDS = {
    "number": pa.float64(),
    "whole": pa.int64(),
    "text": pa.string(),
    "flag": pa.bool_(),
    "time": pa.timestamp("ms", tz="UTC"),
}
ColumnKind = Literal["number", "whole", "text", "flag", "time"]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: its name, kind, unit ("" where it has none) and what it says."""

    name: str
    kind: ColumnKind
    unit: str
    says: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its name, what a row is, and its columns."""

    name: TableName
    row: str
    columns: tuple[TableColumn, ...]

    @property
    def schema(self) -> pa.Schema:
        """Return it as Arrow knows it; unit and meaning are in each field's metadata."""
        return pa.schema(
            [
                pa.field(c.name, _KINDS[c.kind], metadata={"unit": c.unit, "says": c.says})
                for c in self.columns
            ]
        )


def time_columns(name: str, says: str) -> tuple[TableColumn, TableColumn]:
    """Return the two columns of a time: as milliseconds, and as a time."""
    return (
        TableColumn(f"{name}_ms", "whole", "ms since 1970 UTC", says),
        TableColumn(name, "time", "UTC", says),
    )


_TIME = time_columns("time", "the bar's open time")
_SYMBOL = TableColumn("symbol", "text", "", "the symbol, as the run names it")
_PRICE, _BASE, _QUOTE, _SHARE = "quote per base", "base currency", "quote currency", "fraction"


def _numbers(unit: str, **says: str) -> tuple[TableColumn, ...]:
    return tuple(TableColumn(name, "number", unit, text) for name, text in says.items())


def _flags(**says: str) -> tuple[TableColumn, ...]:
    return tuple(TableColumn(name, "flag", "", text) for name, text in says.items())


BARS = Shape(
    "bars", "a bar and a symbol, as the bot saw it, those before the start included",
    (
        *_TIME, _SYMBOL,
        *_numbers(_PRICE, open="first price", high="highest price", low="lowest price",
                  close="last price"),
        *_numbers(_BASE, volume="traded; in quote currency where the contract is inverse"),
        *_numbers(_QUOTE, turnover="traded; in base currency where the contract is inverse"),
        *_numbers(_PRICE, fill_bid="what a sale met at the open", fill_ask="what a purchase met at the open"),
        *_numbers(_SHARE, funding_rate="paid by longs on the position's value at the open; 0 where none was due"),
        *_numbers(_PRICE, mark="mark price at the open"),
        *_flags(valid="the symbol has this bar", in_session="its venue trades in this bar",
                tradable="the close came in time to decide on", fillable="the open was seen in time to fill at"),
        *_numbers("quote per base", funding_inside="paid by each unit held long for settlements inside the bar"),
        *_numbers("settlements", funding_inside_unknown="those inside the bar whose rate is not known"),
        *_numbers(_PRICE, refused="close of a candle that was refused as implausible",
                  mark_high="highest mark price", mark_low="lowest mark price"),
        *_numbers(_BASE, bid_size="what the quote had for a sale", ask_size="what the quote had for a purchase"),
        *_flags(leaving="nothing may be opened from this close on"),
        *_numbers(_PRICE, settlement_price="at which what is held is settled in this bar"),
        *_numbers("squared log return", realised_variance="sum of squared log returns of shorter candles inside the bar"),
    ),
)  # fmt: skip
DECISIONS = Shape(
    "decisions", "a bar's close and a symbol, from the start on",
    (
        *_TIME, _SYMBOL,
        *_numbers(_SHARE, signal="predicted return times the direction's factor",
                  weight="target, of the equity, negative when short"),
        *_numbers(_BASE, order_quantity="ordered at this close, negative for a sale"),
        TableColumn("refusal", "text", "", "why it is not what the signal asked for"),
        *_numbers(_SHARE, edge="the return that was expected over the horizon",
                  hurdle="what it had to exceed"),
        *_numbers("bars", age="closes since the side was decided"),
        *_numbers("", slope="what past signals were worth", slope_error="its standard error"),
        *_numbers(_BASE, position="held at this close, negative when short"),
    ),
)  # fmt: skip
FILLS = Shape(
    "fills", "a fill, in the order of booking, those of a bar that is still open included",
    (
        *_TIME, _SYMBOL, TableColumn("side", "text", "", "buy or sell"),
        *_numbers(_BASE, quantity="bought, negative when sold"),
        *_numbers(_PRICE, price="paid, half spread and slippage included"),
        *_numbers(_QUOTE, notional="the size of quantity times price; of inverse contracts, their number", fee="paid",
                  spread="what the half spread cost", slippage="what slippage and impact cost"),
        TableColumn("reason", "text", "", "what it carried out: signal, stop_loss, halt, …"),
    ),
)  # fmt: skip
TRADES = Shape(
    "trades", "a closed round trip, from flat or a flip to flat or a flip, by the time it ended",
    (
        _SYMBOL, TableColumn("side", "text", "", "long or short"),
        *time_columns("entry_time", "open time of the bar that opened it"),
        *time_columns("exit_time", "open time of the bar that closed it"),
        TableColumn("bars_held", "whole", "bars", "from the one to the other"),
        *_numbers(_BASE, quantity="the largest held at a close; of a trip inside one bar, in it"),
        *_numbers(_PRICE, entry_price="mean price of the fills that opened it",
                  exit_price="mean price of the fills that closed it"),
        *_numbers(_QUOTE, profit="net of fees and funding", fees="paid in it",
                  funding="paid in it, negative when received"),
        *_numbers(_SHARE, profit_fraction="of the equity before it was opened"),
        TableColumn("exit_reason", "text", "", "what its last fill carried out"),
    ),
)  # fmt: skip
POSITIONS = Shape(
    "positions",
    "a bar's close and a symbol that is held there",
    (*_TIME, _SYMBOL, *_numbers(_BASE, quantity="held at this close, negative when short")),
)
EQUITY = Shape(
    "equity", "a bar's close, from the start on",
    (
        *_TIME,
        *_numbers(_QUOTE, equity="at the bar's close", cash="of it not in positions and coins",
                  fees="paid in the bar", funding="paid in the bar, negative when received",
                  spread="what half spreads cost in the bar", slippage="what slippage cost in the bar"),
        TableColumn("return", "number", _SHARE, "of the equity at the close before"),
        TableColumn("drawdown", "number", _SHARE, "fall from the highest equity so far, at least 0"),
    ),
)  # fmt: skip
MODELS = Shape(
    "models", "a model of the schedule, in the order in which they took effect",
    (
        TableColumn("model_id", "text", "", "its name in the run's folder of models"),
        *time_columns("effective_from", "open time of the first bar that it decided on"),
        *time_columns("due", "open time of the bar at whose close its training was due"),
        TableColumn("late", "flag", "", "it took effect later than planned"),
    ),
)  # fmt: skip

_FIXED = {s.name: s for s in (BARS, DECISIONS, FILLS, TRADES, POSITIONS, EQUITY, MODELS)}
_HEADS = {
    "return": (_SHARE, "the return over the horizon"),
    "direction": ("probability", "that the price rises over the horizon"),
    "volatility": (_SHARE, "the standard deviation of the bars' returns over the horizon"),
    "volume": ("log ratio", "the volume over the horizon beside its recent mean"),
}


def shape_of(name: TableName, tasks: Sequence[Task] = ()) -> Shape:
    """Return the shape of a table; forecasts have a column a head.

    >>> [c.name for c in shape_of("forecasts", [Task("return", 5)]).columns]
    ['time_ms', 'time', 'symbol', 'model_id', 'return_5']
    """
    if name != "forecasts":
        return _FIXED[name]
    heads = [
        TableColumn(
            task.name, "number", unit, f"forecast: {says}; {counted(task.horizon, 'bar')} ahead"
        )
        for task in tasks
        for unit, says in [_HEADS.get(task.kind, ("the head's own", task.kind))]
    ]
    model = TableColumn("model_id", "text", "", "the model that said so")
    return Shape(
        "forecasts", "a bar's close and a symbol that has one, rehearsal included",
        (*_TIME, _SYMBOL, model, *heads),
    )  # fmt: skip
