"""A symbol's decision at a close as the log says it: from the forecast to the reason.

Must not decide: the numbers are those that decided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bot.engine import StepResult
from bot.portfolio.reasons import FILL_REASON, REFUSAL
from bot.report.why import why


def decision_of(
    result: StepResult, s: int, fills: Sequence[Any], days_needed: int
) -> dict[str, Any]:
    """Return the fields of the event, of a block of one bar.

    Args:
        s: the symbol.
        fills: of the symbol in this bar.
        days_needed: of scored signals, before any is traded.
    """
    bars, trace, forecast, known = result.bars, result.trace, result.forecast, result.calibrated
    return {
        "bar": int(bars.open_time[0]),
        "close": float(bars.close[0, s]),
        "forecast": {
            task.name: known_number(forecast.value[0, s, k]) for k, task in enumerate(forecast.tasks)
        },
        "signal": known_number(result.signal[0, s]),
        "slope": known_number(known.slope[0]),
        "slope_error": known_number(known.error[0]),
        "edge": known_number(trace.edge[0, s]),
        "hurdle": known_number(trace.hurdle[0, s]),
        "age": known_number(trace.age[0, s]),
        "why": why(
            refusal=int(trace.refusal[0, s]),
            edge=float(trace.edge[0, s]),
            hurdle=float(trace.hurdle[0, s]),
            age=float(trace.age[0, s]),
            order=float(trace.order[0, s]),
            position=float(trace.quantity[0, s]),
            days=int(known.days[0]),
            days_needed=days_needed,
        ),
        "target": known_number(trace.weight[0, s]),
        "order": known_number(trace.order[0, s]),
        "refusal": REFUSAL[int(trace.refusal[0, s])],
        "fill": [
            {"quantity": float(f["quantity"]), "price": float(f["price"]),
             "reason": FILL_REASON[int(f["reason"])]}
            for f in fills
        ],
        "costs": float(sum(f["fee"] + f["spread"] + f["slippage"] for f in fills)),
        "position": float(trace.quantity[0, s]),
    }  # fmt: skip


def known_number(value: Any) -> float | None:
    """Return a number, None for NaN, which JSON does not have."""
    number = float(value)
    return None if math.isnan(number) else number
