"""The settings of how orders meet the market: where, at which price, how much at a time.

Rules: those of `section.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.config.section import Fraction, Section


class Execution(Section):
    """How orders meet the market."""

    fill: Literal["next_open", "next_close"] = Field(
        "next_open", description="Where an order decided at a close is filled."
    )
    price: Literal["quote", "open"] = Field(
        "quote", description="Live: fill at the first quote after the decision, or the bar's open."
    )
    late_policy: Literal["hold", "cancel", "flatten"] = Field(
        "cancel",
        description="An order whose bar could not be filled. hold: keep it for the next fillable bar; cancel: drop it; flatten: close the position instead.",
    )
    style: Literal["market", "limit"] = Field(
        "market",
        description="Orders decided on a signal: at the market, or with a limit, which is filled only where a "
        "bar trades through it. What closes by a halt, a stop or a command is at the market.",
    )
    limit_offset_bps: float = Field(
        0.0,
        ge=-1000.0,
        le=1000.0,
        description="Distance of the limit from the close that it is decided on: better than it where "
        "positive, beyond it where negative.",
    )
    post_only: bool = Field(
        False,
        description="Drop a limit order that would meet the other side at the open, instead of paying the taker's fee.",
    )
    limit_bars: int = Field(1, ge=1, le=10_000, description="Bars for which a limit order stands.")
    limit_then: Literal["cancel", "cross"] = Field(
        "cancel", description="What becomes of it then: dropped, or filled at the market."
    )
    max_participation: Fraction = Field(
        0.02,
        description="Largest share of a bar's volume that is filled, and whether the size at the quote "
        "limits fills; an order at the open knows the volume of the bar before. 0: any size is filled.",
    )
    excess: Literal["wait", "drop", "split"] = Field(
        "wait",
        description="What becomes of the part of an order that a bar cannot fill. wait: it waits for the next "
        "bars; drop: it is dropped, unless it closes a position by a halt, a stop or a command; split: it "
        "waits, and every order is spread evenly over execution.split_bars.",
    )
    split_bars: int = Field(
        4, ge=2, le=10_000, description="Bars over which 'split' spreads an order."
    )
    quantity_step: float = Field(
        0.0, ge=0.0, description="Step of quantities where the instrument's is not known; 0: none."
    )
    min_notional: float = Field(
        5.0,
        ge=0.0,
        description="Smallest order in quote currency where the instrument's is not known.",
    )
