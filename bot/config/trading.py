"""The settings of what is traded: signal, sizes, account, costs.

Rules: those of `sections.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bot.config.section import Bps, PartSettings, Section, chosen, settings_of_parts


class Conviction(Section):
    """From forecast to signal: predicted return × direction factor, or the decision head."""

    source: Literal["return_x_direction", "decision"] = Field(
        "return_x_direction",
        description="Predicted return × factor, or the decision head's p(+1) - p(-1); the threshold "
        "is then a position in 0 … 1 instead of a return.",
    )
    horizons: Literal["inverse_variance", "mean", "first"] = Field(
        "inverse_variance",
        description="How several horizons are combined: their returns per bar, weighted by the inverse "
        "of the predicted variance or equally, or the first horizon alone.",
    )

    factor: Literal["confidence", "probability"] = Field(
        "confidence",
        description="p_up for longs and 1 - p_up for shorts, or p_up whatever the sign.",
    )
    threshold: float = Field(
        0.001, ge=0.0, le=1.0, description="Long above it, short below its negative, else flat."
    )


class Policy(Section):
    """From signal to side."""

    kind: str = Field(
        "edge",
        description="When a signal is traded. edge: where its calibrated edge exceeds its cost, held for "
        "the horizon; threshold: beyond signal.threshold, at every bar; hysteresis: in beyond "
        "signal.threshold, out within policy.exit_threshold; momentum: the sign of the last bars, "
        "no model; or a policy of your own (docs/extending.md).",
        json_schema_extra=chosen("policy"),
    )
    cost_multiple: float = Field(
        1.0,
        ge=0.0,
        le=100.0,
        description="How many times its cost an edge must exceed (k of 'edge').",
    )
    confidence: float = Field(
        1.0,
        ge=0.0,
        le=10.0,
        description="Standard errors taken off the calibrated slope (z of 'edge', 'kelly' and "
        "'mean_variance').",
    )
    hold_bars: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Bars for which 'edge' holds a position; 0: the horizon, the first of "
        "targets.horizons.",
    )
    min_calibration_days: int = Field(
        90,
        ge=2,
        le=10_000,
        description="Days of scored signals before 'edge', 'kelly' and 'mean_variance' trade on them.",
    )
    rehearse: bool = Field(
        True,
        description="Before the start of a run, walk forward over the history with the trainings due "
        "there, so that 'edge' has its scored signals, and a model, from the first bar; --no-rehearsal "
        "turns it off, and the run calibrates itself as it goes.",
    )
    exit_threshold: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="'hysteresis' closes a position when its signal falls to this; 0: when it turns.",
    )
    momentum_bars: int = Field(
        720, ge=1, le=100_000, description="Bars over which 'momentum' takes the return."
    )
    settings: PartSettings = settings_of_parts("policy")


class Sizing(Section):
    """From signal to weight."""

    method: str = Field(
        "fixed",
        description="How large a position is. fixed: a share of equity; proportional: the signal over "
        "the predicted volatility; kelly: a fraction of the calibrated edge over the variance; "
        "volatility_target: all positions together, to a volatility of the account; mean_variance: all "
        "together, by edge, covariance and the cost of getting there.",
        json_schema_extra=chosen("sizing"),
    )
    fraction: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="Share of equity per symbol ('fixed'); 0 means 1/S, of the S "
        "symbols that may be held at once.",
    )
    scale: float = Field(
        0.1,
        gt=0.0,
        le=100.0,
        description="Weight when the signal equals the predicted volatility ('proportional').",
    )
    max_weight: float = Field(
        0.5,
        gt=0.0,
        le=10.0,
        description="Largest weight of all methods but 'fixed', before the caps of risk.",
    )
    rebalance_band: float = Field(
        0.05,
        ge=0.0,
        le=10.0,
        description="Smallest change of a weight that is traded; 'fixed' trades a change of side only.",
    )
    kelly_fraction: float = Field(
        0.25,
        gt=0.0,
        le=1.0,
        description="Share of the full Kelly weight E/(sigma² h) that 'kelly' takes; edge and variance "
        "are estimates, and betting too much costs more than betting too little.",
    )
    volatility_target: float = Field(
        0.2,
        gt=0.0,
        le=10.0,
        description="Predicted volatility of the whole account that 'volatility_target' aims at, "
        "annualised, a fraction.",
    )
    risk_aversion: float = Field(
        4.0,
        gt=0.0,
        le=1000.0,
        description="Weight of the variance in 'mean_variance'; without costs and correlation, 4 is a "
        "quarter of Kelly.",
    )
    correlation_bars: int = Field(
        720,
        ge=20,
        le=100_000,
        description="Span, in bars, of the moving average that measures the correlation "
        "('volatility_target', 'mean_variance').",
    )
    disagreement_penalty: float = Field(
        0.0,
        ge=0.0,
        le=1000.0,
        description="Shrinks a weight by |r| / (|r| + penalty * d), where r is the "
        "predicted return and d its standard deviation over the members of the ensemble; 0 turns "
        "it off, more needs model.members > 1.",
    )
    allow_short: bool = Field(
        True,
        description="Allow short positions where the venue has them; spot and cash venues have none.",
    )


class Portfolio(Section):
    """The paper account."""

    initial_capital: float = Field(
        100_000.0, gt=0.0, le=1e15, description="Starting cash, in portfolio.currency."
    )
    currency: str = Field(
        "USD",
        pattern=r"^[A-Z0-9]{2,10}$",
        description="Currency of the account: all symbols must be quoted and settled in it. USD and "
        "the coins that stand for one dollar (USDT, USDC, …) count as one currency.",
    )
    margin_mode: Literal["cross", "isolated", "none"] = Field(
        "cross",
        description="What stands for the losses of a contract: the whole account (cross) or the margin "
        "of its position (isolated); when it is used up, the position is liquidated. none: the exchange "
        "gives credit without limit, which none does.",
    )
    leverage: float = Field(
        10.0,
        ge=1.0,
        le=200.0,
        description="Value of a contract's position over its initial margin, at most that of its "
        "tier. It limits what can be opened, and under isolated margin how much is lost.",
    )
    leverages: dict[str, Annotated[float, Field(ge=1.0, le=200.0)]] = Field(
        {},
        description="Leverage of single symbols, for example {BTCUSDT = 5}.",
    )
    borrow: bool = Field(
        False,
        description="Let cash fall below zero to buy what is paid in full (spot, stocks), at "
        "portfolio.borrow_rate; else such orders shrink to the cash there is.",
    )
    borrow_rate: float = Field(
        0.1, ge=0.0, le=10.0, description="Interest a year on cash below zero, a fraction."
    )


class Costs(Section):
    """What a trade costs. Defaults are those of a Bybit taker, on the cautious side."""

    scheme: str = Field(
        "taker",
        description="What a fill costs: a taker's spread, slippage and fee, or a scheme of your own "
        "(docs/extending.md).",
        json_schema_extra=chosen("cost_scheme"),
    )
    taker_fee: float = Field(
        -1.0,
        ge=-1.0,
        le=0.1,
        description="Fraction of the notional; -1: the venue's (0.00055 perpetuals, 0.001 spot).",
    )
    maker_fee: float = Field(
        -1.0,
        ge=-1.0,
        le=0.1,
        description="Fraction of the notional for limit orders that rest; -1: the venue's (0.0002 "
        "perpetuals, 0.001 spot).",
    )
    half_spread_bps: Bps = Field(
        1.0, description="Half the bid-ask spread where no quote is known."
    )
    slippage_bps: Bps = Field(1.0, description="Slippage beyond the quote, on every fill.")
    impact: float = Field(
        1.0,
        ge=0.0,
        le=10.0,
        description="Market impact Y x sigma x sqrt(q / V): of an order of q, where a bar trades V and its "
        "return deviates by sigma; measured values of Y are about 1, 0 is none.",
    )
    funding: bool = Field(True, description="Charge funding on contracts.")
    reference: bool = Field(
        False, description="The reference backtest: taker_fee per change of position, nothing else."
    )
    settings: PartSettings = settings_of_parts("costs")
