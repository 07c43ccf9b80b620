"""Every knob of the bot: name, unit, default, bounds and one line of explanation.

Rules: sections are frozen; a bound that one key can check stands here, a combination of keys in
`checks.py`. Times are UTC. The description of a field is what `config.example.toml` prints above it.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Bps = Annotated[float, Field(ge=0.0, le=1000.0)]

TaskKind = Literal[
    "return", "direction", "volatility", "volume", "decision", "range", "skew", "trend", "regime",
    "barrier", "barrier_time", "imbalance", "gap", "residual",
]  # fmt: skip
BASE_KINDS: tuple[TaskKind, ...] = ("return", "direction", "volatility", "volume")
TASK_KINDS: tuple[TaskKind, ...] = get_args(TaskKind)


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


class Run(Section):
    """Where a run is kept and what makes it repeatable."""

    runs_dir: str = Field("runs", description="Folder that holds the runs.")
    seed: int = Field(7, ge=0, le=2**31 - 1, description="Seed of everything random in a run.")
    block_bars: int = Field(
        4096, ge=1, le=1_000_000, description="Most bars in a block; never changes a result."
    )
    record: Literal["full", "ledger"] = Field(
        "full",
        description="The journal keeps everything (skill, verify), or bars, fills and ledger only.",
    )


class Market(Section):
    """What is traded."""

    venue: str = Field(
        "bybit_linear",
        pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$",
        description="First part of a candle file's name: bybit_linear, bybit_spot, us, yahoo, …",
    )
    interval: Literal["1m", "5m", "15m", "1h", "1d"] = Field("1h", description="Length of a bar.")
    symbols: tuple[str, ...] = Field(
        ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT"),
        min_length=1,
        max_length=1000,
        description="Symbols, in the ledger's order; 'venue:SYMBOL' takes one from another venue.",
    )
    feed: Literal["stream", "poll"] = Field(
        "stream", description="Live bars by the exchange's stream, or by asking every poll_s."
    )


class Data(Section):
    """Where history comes from. A backtest's --data, --from and --to set these."""

    root: str = Field(
        "data",
        description="Folder with candles/, funding/, mark/ in it, or the candles' own folder.",
    )
    source: Literal["files", "synthetic"] = Field(
        "files", description="Candle files, or the built-in synthetic market."
    )
    start: str = Field(
        "",
        description="First day or UTC time traded (ISO 8601), bars before it train the first model; "
        "empty: all bars.",
    )
    end: str = Field("", description="Last day or UTC time, inclusive; empty: all there is.")
    history_bars: int = Field(
        2000, ge=50, le=10_000_000, description="Bars that the daemon fetches before it starts."
    )
    history_start: str = Field(
        "", description="Bars before this UTC time are not read at all; empty: read all."
    )


class Synthetic(Section):
    """The built-in market: a common factor, clustered volatility, a daily rhythm of volume."""

    symbols: int = Field(
        5, ge=1, le=500, description="Number of symbols, named SYN0USDT, SYN1USDT, …"
    )
    bars: int = Field(6000, ge=100, le=20_000_000, description="Number of bars.")
    seed: int = Field(
        1, ge=0, le=2**31 - 1, description="Seed of the market, apart from the run's."
    )
    signal_strength: float = Field(
        0.09,
        ge=0.0,
        le=0.5,
        description="Share of a bar's standard deviation that past returns tell; 0: none at all.",
    )
    volatility: float = Field(
        0.006, gt=0.0, le=0.1, description="Root mean square of a bar's return."
    )
    missing: float = Field(
        0.0, ge=0.0, le=0.5, description="Share of a symbol's bars that are missing."
    )


class Features(Section):
    """What the model sees."""

    names: tuple[str, ...] = Field(
        (
            "return_1", "return_5", "return_10", "sma_ratio", "ema_ratio", "volatility",
            "momentum", "rsi", "macd", "bb_position", "volume_ratio", "volume_change", "range",
            "close_location", "volatility_medium", "volatility_long", "cross_correlation",
            "cross_return", "hour_sin", "hour_cos", "weekday_sin", "weekday_cos",
        ),
        min_length=1,
        description="Features, in order; those of the cross-section need two symbols.",
    )  # fmt: skip
    window: int = Field(20, ge=2, le=1000, description="Bars of the rolling windows.")
    medium_window: int = Field(72, ge=3, le=2000, description="Bars of volatility_medium.")
    long_window: int = Field(168, ge=4, le=5000, description="Bars of volatility_long.")
    correlation_window: int = Field(72, ge=3, le=2000, description="Bars of cross_correlation.")


class Targets(Section):
    """What the model predicts."""

    kinds: tuple[TaskKind, ...] = Field(
        BASE_KINDS,
        min_length=1,
        description="Heads of the model; a signal needs return and direction, or decision. Further "
        "ones help to learn: decision, range, skew, trend, regime, barrier, barrier_time, imbalance, "
        "gap, residual.",
    )
    horizons: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        (5,),
        min_length=1,
        max_length=16,
        description="Bars ahead; a head for each kind and horizon. The first is the account's.",
    )
    decision_cost: float = Field(
        0.0015,
        ge=0.0,
        le=0.1,
        description="Return that a 'decision' must exceed: a round trip's fees, spread and slippage.",
    )


class Model(Section):
    """The network."""

    architecture: Literal[
        "shared_bottom", "soft", "cross_stitch", "mmoe", "ple", "hierarchical", "single"
    ] = Field(
        "shared_bottom",
        description="How the tasks share: one encoder (shared_bottom), towers drawn together (soft) or "
        "mixed (cross_stitch), experts (mmoe, ple), heads that feed heads (hierarchical), not at all "
        "(single). Measured: none better for return; mmoe a little for direction at twice the time of "
        "training, and shared_bottom best or equal for volatility (docs/findings.md).",
    )
    encoder: Literal["mlp", "gru", "tcn"] = Field(
        "mlp",
        description="What reads the features: of the bar (mlp), or of the last lookback bars, by gated "
        "recurrent units (Cho 2014) or causal convolutions (Bai 2018).",
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
        description="One set of heads for all symbols, or what each symbol's own add to it.",
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

    @property
    def knows_symbols(self) -> bool:
        """Return whether the network is told which symbol a row is of."""
        return self.heads == "per_symbol" or self.symbol_embedding > 0

    @property
    def bars_read(self) -> int:
        """Return the bars that a forecast is made of: lookback, or 1 of an mlp."""
        return 1 if self.encoder == "mlp" else self.lookback


class Training(Section):
    """How a model is fitted; every training is fresh, seeded, and uses one thread."""

    epochs: int = Field(20, ge=1, le=10_000, description="Most passes over the training rows.")
    batch_size: int = Field(1024, ge=2, le=1_000_000, description="Rows of a step.")
    learning_rate: float = Field(0.001, gt=0.0, le=1.0, description="Adam's step size.")
    weight_decay: float = Field(0.0001, ge=0.0, le=1.0, description="Decoupled (AdamW); 0 is Adam.")
    clip_norm: float = Field(1.0, gt=0.0, description="Largest norm of the gradient.")
    patience: int = Field(
        4, ge=1, le=10_000, description="Epochs without a better validation loss before stopping."
    )
    validation_fraction: float = Field(
        0.2, gt=0.0, lt=0.9, description="Last share of the window that decides when to stop."
    )
    embargo_bars: int = Field(
        0, ge=0, le=10_000, description="Bars left out between the parts; at least the horizon is."
    )
    min_rows: int = Field(
        2000, ge=10, description="Labelled rows without which nothing is trained."
    )
    window: Literal["rolling", "expanding"] = Field(
        "rolling", description="Train on the last window_bars bars, or on all."
    )
    window_bars: int = Field(8760, ge=10, le=10_000_000, description="Bars of the rolling window.")
    weighting: Literal["fixed", "uncertainty", "dwa", "gradnorm", "famo", "stch"] = Field(
        "fixed",
        description="Weights of the tasks' losses: given, or learned (Kendall 2018), by their descent "
        "(Liu 2019), by gradient norms (Chen 2018), for equal progress (FAMO 2023), towards the worst "
        "(smooth Tchebycheff 2024). Measured: none better than fixed (docs/findings.md).",
    )
    uncertainty_variant: Literal["paper", "document"] = Field(
        "paper", description="Kendall's equations, or e^(-2s)L + s for every task."
    )
    weights: dict[str, Annotated[float, Field(ge=0.0)]] = Field(
        default_factory=dict,
        description="Weights for 'fixed', by kind of task; 1 where not named. Example: {volume = 0.5}",
    )
    dwa_temperature: float = Field(
        2.0, gt=0.0, le=1000.0, description="Temperature T of dwa; large is equal weights."
    )
    gradnorm_alpha: float = Field(
        0.12, ge=0.0, le=10.0, description="How strongly gradnorm pulls towards equal progress."
    )
    gradnorm_variant: Literal["paper", "document"] = Field(
        "paper",
        description="Chen's algorithm, or w·(norm / mean)^alpha, brought back to a sum of K.",
    )
    weighting_rate: float = Field(
        0.025, gt=0.0, le=1.0, description="Adam's step size for the weights (gradnorm, famo)."
    )
    weighting_every: int = Field(
        5,
        ge=1,
        le=1000,
        description="Steps between updates of the weights (gradnorm, famo), which then move so much "
        "further; 1 is the papers'.",
    )
    stch_mu: float = Field(
        0.5, gt=0.0, le=100.0, description="Smoothing of stch; small is the worst task alone."
    )
    gradients: Literal[
        "sum", "pcgrad", "cagrad", "nash_mtl", "aligned_mtl", "mgda", "imtl_g", "upgrad",
        "dualproj", "graddrop", "config", "gradvac", "fairgrad", "excess_mtl",
    ] = Field(
        "sum",
        description="How the tasks' gradients become one. Measured: none better than sum by what "
        "matters (docs/findings.md).",
    )  # fmt: skip
    gradients_on: Literal["parameters", "features"] = Field(
        "parameters",
        description="Whether they do so on the shared parameters or, cheaper, on the shared features.",
    )
    curriculum: Literal["none", "direction_return_all", "stages"] = Field(
        "none", description="All tasks from the start, a ready order of them, or training.stages."
    )
    stages: tuple[
        Annotated[
            str, Field(pattern=r"^[a-z_]+(\+[a-z_]+)*( for [1-9]\d*| until plateau [1-9]\d*)?$")
        ],
        ...,
    ] = Field(
        (),
        description="Stages of the curriculum: kinds of task, and what ends it but for the last. "
        "Example: ['direction for 3', 'direction+return until plateau 2', 'all'].",
    )
    return_loss: Literal["mse", "huber"] = Field("mse", description="Loss of the return head.")
    interpret: bool = Field(
        True,
        description="Keep with each model what it looks at: gradient cosines, gates, importance.",
    )
    workers: int = Field(2, ge=1, le=64, description="Trainings side by side in a backtest.")
    time_limit_s: float = Field(
        3600.0, gt=0.0, le=1e6, description="Seconds after which the daemon ends a training."
    )
    memory_limit_mb: int = Field(
        4096, ge=512, le=1_000_000, description="Most memory of a training's process, in MiB."
    )


class Retrain(Section):
    """When a model is trained anew; asked at bar closes, in UTC, without jitter."""

    trigger: Literal["cron", "interval", "every_bars", "never"] = Field(
        "cron", description="By a cron line, every so many hours, every so many bars, or never."
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
    latency_bars: int = Field(
        1, ge=1, le=10_000, description="Bars after the due one at which the new model decides."
    )


class Conviction(Section):
    """From forecast to signal: predicted return × direction factor, or the decision head."""

    source: Literal["return_x_direction", "decision"] = Field(
        "return_x_direction",
        description="Predicted return × factor, or the decision head's p(+1) - p(-1); the threshold "
        "is then a position in 0 … 1 instead of a return.",
    )
    horizons: Literal["inverse_variance", "mean", "first"] = Field(
        "inverse_variance",
        description="How several horizons make one signal: their returns a bar weighted by the inverse "
        "of the predicted variance, or equally, or the first horizon alone.",
    )

    factor: Literal["confidence", "probability"] = Field(
        "confidence",
        description="p_up for longs and 1 - p_up for shorts, or p_up whatever the sign.",
    )
    threshold: float = Field(
        0.001, ge=0.0, le=1.0, description="Long above it, short below its negative, else flat."
    )


class Sizing(Section):
    """From signal to weight."""

    method: Literal["fixed", "proportional"] = Field(
        "fixed", description="A fraction of equity, or signal over predicted volatility."
    )
    fraction: float = Field(
        0.0, ge=0.0, le=10.0, description="Share of equity a symbol ('fixed'); 0 means 1/S."
    )
    scale: float = Field(
        0.1, gt=0.0, le=100.0, description="Weight at a signal of one volatility ('proportional')."
    )
    max_weight: float = Field(
        0.5, gt=0.0, le=10.0, description="Largest weight that 'proportional' asks for."
    )
    rebalance_band: float = Field(
        0.05,
        ge=0.0,
        le=10.0,
        description="Move of the weight that is worth a trade ('proportional').",
    )
    spread_penalty: float = Field(
        0.0,
        ge=0.0,
        le=1000.0,
        description="Shrinks a weight by |r| / (|r| + penalty * spread) of the members' predicted "
        "returns; 0 is off, more needs model.members.",
    )
    allow_short: bool = Field(
        True, description="Shorts, where the venue has them; spot and cash venues have none."
    )


class Risk(Section):
    """Caps and halts; 0 turns one off."""

    max_symbol_weight: float = Field(1.0, ge=0.0, le=100.0, description="Cap on a symbol's weight.")
    max_gross: float = Field(2.0, ge=0.0, le=100.0, description="Cap on the sum of the weights.")
    max_daily_loss: Fraction = Field(
        0.0, description="Loss of a UTC day that closes all positions until the next."
    )
    max_drawdown: Fraction = Field(
        0.0, description="Fall from the highest equity that closes all positions for good."
    )


class Portfolio(Section):
    """The paper account."""

    initial_capital: float = Field(
        100_000.0, gt=0.0, le=1e15, description="Starting cash, in the quote currency."
    )


class Costs(Section):
    """What a trade costs. Defaults are a sober Bybit taker's."""

    taker_fee: float = Field(
        -1.0,
        ge=-1.0,
        le=0.1,
        description="Fraction of the notional; -1: the venue's (0.00055 perpetuals, 0.001 spot).",
    )
    half_spread_bps: Bps = Field(
        1.0, description="Half the bid-ask spread where no quote is known."
    )
    slippage_bps: Bps = Field(1.0, description="Beyond the quote, on every fill.")
    funding: bool = Field(True, description="Charge funding on contracts.")
    reference: bool = Field(
        False, description="The reference backtest: taker_fee per change of position, nothing else."
    )


class Execution(Section):
    """How orders meet the market."""

    fill: Literal["next_open", "next_close"] = Field(
        "next_open", description="Where an order decided at a close is filled."
    )
    price: Literal["quote", "open"] = Field(
        "quote", description="Live: fill at the first quote after the decision, or the bar's open."
    )
    late_policy: Literal["hold", "cancel", "flatten"] = Field(
        "cancel", description="What becomes of an order whose bar could not be filled."
    )
    quantity_step: float = Field(
        0.0, ge=0.0, description="Step of quantities where the instrument's is not known; 0: none."
    )
    min_notional: float = Field(
        5.0,
        ge=0.0,
        description="Smallest order in quote currency where the instrument's is not known.",
    )


class Exchange(Section):
    """Where live market data comes from, and how long the daemon waits for what."""

    source: Literal["bybit", "practice"] = Field(
        "bybit", description="Bybit, or the practice exchange of 'bot exchange'."
    )
    rest_url: str = Field(
        "",
        pattern=r"^(https?://[^\s{}]+)?$",
        description="Base of the requests, for example http://127.0.0.1:9000; empty: Bybit's.",
    )
    stream_url: str = Field(
        "",
        pattern=r"^(wss?://[^\s{}]+)?$",
        description="Base of the stream, for example ws://127.0.0.1:9000; empty: Bybit's.",
    )
    testnet: bool = Field(False, description="Bybit's testnet, where no URL is given.")
    speed: float = Field(
        1.0,
        gt=0.0,
        le=1e6,
        description="Seconds of the exchange's time in one of ours; 1 but for a practice exchange.",
    )
    requests_per_second: float = Field(
        10.0, gt=0.0, le=100.0, description="Most requests a second; Bybit bars above 120."
    )
    request_timeout_s: int = Field(10, ge=1, le=60, description="Patience with one request.")
    request_tries: int = Field(
        4, ge=1, le=20, description="Tries of a request before it counts as failed."
    )
    reconnect_first_s: float = Field(
        0.5, gt=0.0, le=60.0, description="Wait before the first new try; it doubles each time."
    )
    reconnect_longest_s: float = Field(
        60.0, gt=0.0, le=3600.0, description="Longest wait between two tries."
    )
    stale_after_s: float = Field(
        120.0, ge=1.0, le=3600.0, description="Silence of one symbol that makes us connect anew."
    )
    clock_check_s: float = Field(
        300.0, ge=1.0, le=86_400.0, description="Time between looks at the exchange's clock."
    )
    poll_s: float = Field(
        5.0,
        ge=0.1,
        le=3600.0,
        description="Time between questions for quotes (market.feed = 'poll').",
    )
    close_deadline_s: float = Field(
        5.0,
        ge=0.0,
        le=55.0,
        description="After a bar's end, the wait before missing candles are asked.",
    )
    decide_within_s: float = Field(
        30.0,
        gt=0.0,
        le=55.0,
        description="A bar closed later than this after its end is not decided on.",
    )
    quote_timeout_s: float = Field(
        10.0,
        gt=0.0,
        le=3600.0,
        description="After a decision, the wait for the quotes that fill it.",
    )


class Report(Section):
    """How results are judged."""

    periods_per_year: int = Field(
        0, ge=0, le=600_000, description="Bars a year; 0: by the calendar of venue and interval."
    )
    bootstrap_samples: int = Field(
        1000, ge=100, le=100_000, description="Resamples behind an interval."
    )
    trials: int = Field(
        1, ge=1, le=1_000_000, description="Configurations tried before this one (deflated Sharpe)."
    )


class Practice(Section):
    """The practice exchange that 'bot run --practice' starts inside."""

    speed: float = Field(
        7200.0, gt=0.0, le=1e6, description="Exchange seconds a wall second; 7200: two hours."
    )
    half_spread_bps: Bps = Field(1.0, description="Half the spread of its quotes.")
    ticks_per_bar: int = Field(6, ge=1, le=1000, description="Pushes of a forming candle.")


class Log(Section):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important event that is written."
    )
    heartbeat_s: float = Field(
        30.0, gt=0.0, le=3600.0, description="Seconds between heartbeats of the daemon."
    )
    max_mb: float = Field(
        64.0, gt=0.0, le=100_000.0, description="Size at which log.jsonl is set aside, 10^6 bytes."
    )
    keep: int = Field(5, ge=1, le=1000, description="Old log files kept in a run's folder.")
