"""The settings of what is learned: features, targets, model, training and when to retrain.

Rules: those of `sections.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from bot.config.section import PartSettings, Section, chosen, settings_of_parts
from bot.parts.registry import part
from bot.parts.sets import CORE, written_out

BASE_KINDS = ("return", "direction", "volatility", "volume")


def reads_window(encoder: str) -> bool:
    """Return whether an encoder reads a window of bars, and not one bar."""
    return encoder != "mlp" and bool(part("encoder", encoder).facts["window"])


class Features(Section):
    """What the model sees."""

    names: tuple[str, ...] = Field(
        CORE,
        min_length=1,
        description="Features, in order, or a set's name: 'core' (this list) or 'wide' (these, and seasonality, "
        "volatilities, the market). Those of the cross-section need two symbols.",
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
        "(single). Measured: no way of sharing is shown better than shared_bottom; single is shown better "
        "for direction, and for volatility worse only with match_parameters (docs/findings.md).",
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
    dropout: float = Field(0.1, ge=0.0, lt=1.0, description="Dropout after each encoder layer.")
    batch_norm: bool = Field(True, description="BatchNorm in mlp and tcn.")
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
        1, ge=1, le=64, description="Networks of an ensemble; forecasts are their mean."
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


class Training(Section):
    """How a model is fitted; every training is fresh, seeded, and uses one thread."""

    epochs: int = Field(20, ge=1, le=10_000, description="Maximum passes over the training rows.")
    batch_size: int = Field(1024, ge=2, le=1_000_000, description="Rows per step.")
    learning_rate: float = Field(0.001, gt=0.0, le=1.0, description="Adam's step size.")
    weight_decay: float = Field(
        0.0001, ge=0.0, le=1.0, description="Decoupled weight decay (AdamW); 0: Adam."
    )
    clip_norm: float = Field(1.0, gt=0.0, description="Gradients are clipped to this norm.")
    patience: int = Field(
        4, ge=1, le=10_000, description="Epochs without a better validation loss before stopping."
    )
    validation_fraction: float = Field(
        0.2,
        gt=0.0,
        lt=0.9,
        description="Fraction of the window, its latest part, held out for early stopping.",
    )
    embargo_bars: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Embargo between training and validation rows; never less than "
        "the longest horizon.",
    )
    min_rows: int = Field(
        2000, ge=10, description="Minimum number of labelled rows for a training."
    )
    window: Literal["rolling", "expanding"] = Field(
        "rolling", description="Train on the last window_bars bars, or on all."
    )
    window_bars: int = Field(8760, ge=10, le=10_000_000, description="Bars of the rolling window.")
    weighting: str = Field(
        "fixed",
        description="Weights of the tasks' losses: given, or learned (Kendall 2018), by their descent "
        "(Liu 2019), by gradient norms (Chen 2018), for equal progress (FAMO 2023), towards the worst "
        "(smooth Tchebycheff 2024). Measured: none shown better than fixed (docs/findings.md).",
        json_schema_extra=chosen("weighting"),
    )
    uncertainty_variant: Literal["paper", "document"] = Field(
        "paper",
        description="'paper': Kendall's equations, by kind of loss; 'document': "
        "e^(-2s)L + s for every task.",
    )
    weights: dict[str, Annotated[float, Field(ge=0.0)]] = Field(
        default_factory=dict,
        description="Weights for 'fixed', by kind of task; 1 where not named, and a thousandth of the "
        "largest at least for heads that the account reads. Example: {volume = 0.5}",
    )
    dwa_temperature: float = Field(
        2.0, gt=0.0, le=1000.0, description="Temperature T of dwa; large is equal weights."
    )
    gradnorm_alpha: float = Field(
        0.12, ge=0.0, le=10.0, description="How strongly gradnorm pulls towards equal progress."
    )
    gradnorm_variant: Literal["paper", "document"] = Field(
        "paper",
        description="'paper': Chen's algorithm; 'document': w·(norm / mean)^alpha, rescaled to sum to K.",
    )
    weighting_rate: float = Field(
        0.025,
        gt=0.0,
        le=1.0,
        description="Adam's step size for learned weights (uncertainty, gradnorm, famo).",
    )
    weighting_every: int = Field(
        5,
        ge=1,
        le=1000,
        description="Steps between updates of the weights (gradnorm, famo); each update is scaled up by "
        "as much, and 1 follows the papers.",
    )
    stch_mu: float = Field(
        0.5, gt=0.0, le=100.0, description="Smoothing of stch; near 0 only the worst task counts."
    )
    gradients: str = Field(
        "sum",
        description="How the tasks' gradients are combined. Measured: none shown better than sum "
        "(docs/findings.md).",
        json_schema_extra=chosen("gradient_method"),
    )
    gradients_on: Literal["parameters", "features"] = Field(
        "parameters",
        description="Combine them on the shared parameters or, cheaper, on the shared features.",
    )
    curriculum: Literal["none", "direction_return_all", "stages"] = Field(
        "none",
        description="Train all tasks from the start, in a built-in order, or as training.stages says.",
    )
    stages: tuple[
        Annotated[
            str, Field(pattern=r"^[a-z_]+(\+[a-z_]+)*( for [1-9]\d*| until plateau [1-9]\d*)?$")
        ],
        ...,
    ] = Field(
        (),
        description="Stages of the curriculum: which kinds of task to train, and when to move on. The "
        "last stage trains every head that the account reads. "
        "Example: ['direction for 3', 'direction+return until plateau 2', 'all'].",
    )
    log_targets: bool = Field(
        False,
        description="Learn targets above zero (volatility, range) as their logarithms; forecasts are in "
        "the target's own units all the same.",
    )
    best_epoch: Literal["shared", "per_head"] = Field(
        "shared",
        description="Keep the epoch that is best for all heads together, or a snapshot of the network for "
        "each head at its own best epoch.",
    )
    shrinkage: bool = Field(
        True,
        description="Fit on the validation rows how much of the return and direction forecasts to believe, "
        "and tell them shrunk by it. The signal is made of the forecasts as they are.",
    )
    return_loss: Literal["mse", "huber"] = Field("mse", description="Loss of the return head.")
    interpret: bool = Field(
        True,
        description="Record with each model its feature importance, gate weights and gradient cosines.",
    )
    workers: int = Field(2, ge=1, le=64, description="Trainings in parallel in a backtest.")
    time_limit_s: float = Field(
        3600.0, gt=0.0, le=1e6, description="Seconds after which a training is stopped."
    )
    memory_limit_mb: int = Field(
        4096, ge=512, le=1_000_000, description="Maximum memory of a training process, in MiB."
    )
    settings: PartSettings = settings_of_parts("training")


class Retrain(Section):
    """When a new model is trained; evaluated at bar closes, in UTC, without jitter."""

    trigger: Literal["cron", "interval", "every_bars", "never"] = Field(
        "cron",
        description="On a cron schedule, every retrain.hours, every retrain.every_bars, or never "
        "(except at_start).",
    )
    cron: str = Field("0 0 1 * *", description="Minute hour day month weekday, in UTC.")
    hours: int = Field(168, ge=1, le=100_000, description="Hours between trainings ('interval').")
    start: str = Field(
        "2020-01-01", description="UTC date from which 'interval' and 'every_bars' count."
    )
    every_bars: int = Field(
        720,
        ge=1,
        le=10_000_000,
        description="Bars between trainings, by the clock: closed days count too.",
    )
    at_start: bool = Field(
        True,
        description="If no scheduled training has given a model by the start of the run, train one there, "
        "or at the first later bar with training.min_rows labelled rows.",
    )
    latency_bars: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Bars between the bar at which a training is due and the first one that its "
        "model decides on.",
    )
