"""The settings of risk: what says no, and what is closed before it costs more.

Rules: those of `section.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.config.section import Fraction, Section


class Risk(Section):
    """What says no: caps, halts, stages, cool-downs, distrust of a model; 0 turns one off."""

    max_symbol_weight: float = Field(1.0, ge=0.0, le=100.0, description="Cap on a symbol's weight.")
    max_gross: float = Field(2.0, ge=0.0, le=100.0, description="Cap on the sum of the weights.")
    max_net: float = Field(
        0.0, ge=0.0, le=100.0, description="Cap on longs less shorts, and on shorts less longs."
    )
    max_leverage: float = Field(
        0.0,
        ge=0.0,
        le=200.0,
        description="Cap on the value of all contracts over equity; what is paid in full does not count.",
    )
    cap_tolerance: Fraction = Field(
        0.05,
        description="How far prices may carry a cap before positions are reduced to it, a share of the "
        "cap: a position at its cap would else be traded at every bar. 0: caps limit increases only, and "
        "nothing is reduced.",
    )
    max_daily_loss: Fraction = Field(
        0.0, description="Loss in a UTC day at which all positions are closed until the next day."
    )
    halve_drawdown: Fraction = Field(
        0.0,
        description="Drawdown at which positions and sizes are halved, until equity is at a new peak.",
    )
    flatten_drawdown: Fraction = Field(
        0.0,
        description="Drawdown at which all positions are closed; after risk.cool_down_bars trading begins "
        "anew, and the peak of both stages with it.",
    )
    max_drawdown: Fraction = Field(
        0.0, description="Drawdown at which all positions are closed, until 'bot resume'."
    )
    stop_loss: Fraction = Field(
        0.0,
        description="Loss from the average entry at which a position is closed inside the bar, a fraction of "
        "the price. The side is opened again only after the policy has let go of it.",
    )
    take_profit: float = Field(
        0.0,
        ge=0.0,
        le=100.0,
        description="Gain from the average entry at which it is closed likewise; where a bar reaches stop and "
        "profit, the stop was first.",
    )
    trailing_stop: Fraction = Field(
        0.0, description="Fall from the best price since the entry at which it is closed likewise."
    )
    cool_down_bars: int = Field(
        24,
        ge=0,
        le=100_000,
        description="Closes at which nothing is opened or increased: of a symbol after its stop or "
        "liquidation, of all after risk.flatten_drawdown or risk.max_losses. The default is a day of "
        "hourly bars.",
    )
    max_losses: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Round trips lost in a row, of the whole account, after which it cools down.",
    )
    max_stale_bars: int = Field(
        24,
        ge=0,
        le=100_000,
        description="Bars in session that a symbol may lack in a row. One that lacks as many is not opened "
        "before its second bar is back; where the data of a file end for good, what is held is settled "
        "then, at the last close. The default is a day of hourly bars: outages are mostly shorter, and a "
        "delisting is for good.",
    )
    max_model_age_bars: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Bars after which a model is too old to open a position on, counted from the bar "
        "that it decides from: a training that fails, or a schedule that ends, then stops trading.",
    )
    max_disagreement: float = Field(
        0.0,
        ge=0.0,
        le=1000.0,
        description="Standard deviation of the members' forecasts over the size of their mean, above "
        "which nothing is opened; needs model.members > 1.",
    )
    max_distance: float = Field(
        0.0,
        ge=0.0,
        le=1000.0,
        description="Distance of a bar's features from the training rows above which nothing is opened, in "
        "times of the one that 99.9 % of these rows stay below: 1 refuses what the model has seen once in a "
        "thousand rows.",
    )
    leaving_hours: float = Field(
        24.0,
        ge=0.0,
        le=8760.0,
        description="Hours before a symbol's delivery or delisting, as the exchange announces it to a live "
        "run, from which on it is leaving; so it is while the exchange does not trade it. 0: only once it "
        "has ended. The default leaves time to close at a price that is still a market's.",
    )
    on_leaving: Literal["flatten", "hold"] = Field(
        "flatten",
        description="A position in a symbol that is about to be delisted, or is of the universe no more. "
        "flatten: closed; hold: kept until the policy closes it, or it is settled. Nothing is opened in it "
        "either way.",
    )
