"""The settings of what is learned, and by what: features, targets, model.

Rules: those of `section.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from bot.config.section import PartSettings, Section, chosen, settings_of_parts
from bot.parts.registry import part
from bot.parts.sets import SETS, written_out

BASE_KINDS = ("return", "direction", "volatility", "volume")


def reads_window(encoder: str) -> bool:
    """Return whether an encoder reads a window of bars, and not one bar."""
    return encoder != "mlp" and bool(part("encoder", encoder).facts["window"])


class Features(Section):
    """What the model sees."""

    names: tuple[str, ...] = Field(
        SETS["feature"]["wide"],
        min_length=1,
        description="Features, in order, or a set's name: 'wide' (this list) or 'core' (its first 22, ready after "
        "a week of hours and not a month). Those of the cross-section need two symbols.",
        json_schema_extra=chosen("feature"),
    )
    window: int = Field(20, ge=2, le=1000, description="Bars of the rolling windows.")
    medium_window: int = Field(72, ge=3, le=2000, description="Bars of volatility_medium.")
    long_window: int = Field(168, ge=4, le=5000, description="Bars of volatility_long.")
    correlation_window: int = Field(72, ge=3, le=2000, description="Bars of cross_correlation.")
    seasonal_bars: int = Field(
        5,
        ge=1,
        le=1000,
        description="Bars ahead that seasonal features look to; the first of targets.horizons, if not given.",
    )
    settings: PartSettings = settings_of_parts("features")

    @field_validator("names")
    @classmethod
    def _sets_written_out(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return written_out("feature", names)


class Targets(Section):
    """What the model predicts."""

    kinds: tuple[str, ...] = Field(
        BASE_KINDS,
        min_length=1,
        description="Heads of the model; a signal needs return and direction, or decision. Further "
        "ones help to learn.",
        json_schema_extra=chosen("target"),
    )
    horizons: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        (5,),
        min_length=1,
        max_length=16,
        description="Bars ahead; a head for each kind and horizon. The first horizon is the one reports and sizing use.",
    )
    decision_cost: float = Field(
        0.0015,
        ge=0.0,
        le=0.1,
        description="Return that a 'decision' must exceed: a round trip's fees, spread and slippage.",
    )
    settings: PartSettings = settings_of_parts("targets")


class Model(Section):
    """The network."""

    architecture: str = Field(
        "shared_bottom",
        description="How the tasks share: one encoder (shared_bottom), towers drawn together (soft) or "
        "mixed (cross_stitch), experts (mmoe, ple), heads that feed heads (hierarchical), not at all "
        "(single). Measured: no difference is shown between shared_bottom and any other, and single takes "
        "1.7 to 2.5 times the training (docs/findings.md).",
        json_schema_extra=chosen("architecture"),
    )
    encoder: str = Field(
        "mlp",
        description="What reads the features: of the bar (mlp), or of the last lookback bars, by gated "
        "recurrent units (Cho 2014) or causal convolutions (Bai 2018).",
        json_schema_extra=chosen("encoder"),
    )
    lookback: int = Field(
        24,
        ge=2,
        le=1000,
        description="Bars that gru and tcn read, a symbol's own, the newest last.",
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        (128, 64), min_length=1, max_length=8, description="Widths of the encoder's layers."
    )
    head_hidden: int = Field(32, ge=1, le=1024, description="Width of a head's hidden layer.")
    dropout: float = Field(0.2, ge=0.0, lt=1.0, description="Dropout after each encoder layer.")
    batch_norm: bool = Field(True, description="BatchNorm in mlp and tcn.")
    scaling: Literal["standard", "robust"] = Field(
        "standard",
        description="Features less their mean over their deviation, cut at 10; or less their median over their "
        "interquartile range, bent smoothly at 3 (RealMLP 2024).",
    )
    match_parameters: bool = Field(
        False,
        description="Scale the widths so that there are as many parameters as in shared_bottom.",
    )
    heads: Literal["shared", "per_symbol"] = Field(
        "shared",
        description="One set of heads for all symbols, or one plus an addition of each symbol's own.",
    )
    symbol_embedding: int = Field(
        0, ge=0, le=256, description="Width of a learned embedding of the symbol; 0: none."
    )
    members: int = Field(
        5, ge=1, le=64, description="Networks of an ensemble; forecasts are their mean."
    )
    soft_penalty: float = Field(
        0.001, ge=0.0, le=1000.0, description="Weight λ of the towers' squared distances (soft)."
    )
    stitch_rate: float = Field(
        10.0,
        gt=0.0,
        le=1000.0,
        description="Learning rate of the stitches over training.learning_rate (cross_stitch).",
    )
    experts: int = Field(4, ge=1, le=64, description="Shared experts (mmoe, ple).")
    own_experts: int = Field(1, ge=1, le=64, description="Experts of each task's own (ple).")
    extraction_layers: int = Field(2, ge=1, le=8, description="Layers of experts (ple).")
    settings: PartSettings = settings_of_parts("model")

    @property
    def knows_symbols(self) -> bool:
        """Return whether the network sees which symbol a row is of."""
        return self.heads == "per_symbol" or self.symbol_embedding > 0

    @property
    def bars_read(self) -> int:
        """Return the bars that a forecast is made of: lookback, or 1 of an mlp."""
        return self.lookback if reads_window(self.encoder) else 1
