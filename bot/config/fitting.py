"""The settings of how models are fitted, and when.

Rules: those of `section.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bot.config.section import PartSettings, Section, chosen, settings_of_parts

WEIGHTS = {"return": 0.1, "direction": 0.2}
"""The default of training.weights."""


class Training(Section):
    """How a model is fitted; every training is fresh, seeded, and uses one thread."""

    epochs: int = Field(20, ge=1, le=10_000, description="Maximum passes over the training rows.")
    batch_size: int = Field(1024, ge=2, le=1_000_000, description="Rows per step.")
    learning_rate: float = Field(0.001, gt=0.0, le=1.0, description="Adam's step size.")
    schedule: Literal["constant", "coslog4"] = Field(
        "constant",
        description="The step size over the epochs: as it is, or four cycles, each twice as long as the one "
        "before (RealMLP 2024), over all training.epochs.",
    )
    half_life_bars: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="A training row so many bars older counts half; 0: all count alike.",
    )
    label_smoothing: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Draw the labels of directions towards a half by this share.",
    )
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
    window_bars: int = Field(
        17_520, ge=10, le=10_000_000, description="Bars of the rolling window."
    )
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
        default_factory=lambda: dict(WEIGHTS),
        description="Weights for 'fixed', by kind of task; 1 where not named, and a thousandth of the "
        "largest at least for heads that the account reads. What is mostly noise gets less. With another "
        "weighting, and for heads that targets.kinds lacks, the default has none.",
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
        True,
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
    return_loss: Literal["mse", "huber"] = Field("huber", description="Loss of the return head.")
    interpret: bool = Field(
        True,
        description="Record with each model its feature importance, gate weights and gradient cosines.",
    )
    device: Literal["cpu", "auto", "cuda"] = Field(
        "cpu",
        description="Where a training computes: on the CPU, the reference, which gives the same bits again; on "
        "the GPU that torch finds, if any (auto); or on that GPU or not at all (cuda). What a GPU has trained "
        "cannot be proved, and the model's manifest and 'bot verify' say so. Forecasts are made on the CPU.",
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
