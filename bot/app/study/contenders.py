"""The contenders of `bot compare`: settings by name, from files or from a preset.

Rules: the first contender is the one the others are held against. All of them have the same bars,
horizons and window. A preset changes the model and its training, or how forecasts are traded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.app.study.walk import READ_BY
from bot.config import Config, load_config
from bot.errors import ConfigError
from bot.model.device import check_device
from bot.model.plain_learners import require_scikit_learn
from bot.model.training.gradients import check_solver
from bot.parts.registry import parts, shipped

ContenderKind = Literal["network", "shuffled", "linear", "trees"]


@dataclass(frozen=True)
class Contender:
    """A way to make forecasts and to trade them.

    Attributes:
        kind: a network as the settings say; the same with shuffled labels of the auxiliary tasks;
            a linear model or boosted trees a task.
    """

    name: str
    kind: ContenderKind
    config: Config

    @property
    def seeded(self) -> bool:
        """Tell whether another seed gives another model."""
        return self.kind in ("network", "shuffled")


def check_packages(contenders: Sequence[Contender]) -> None:
    """Refuse contenders whose optional packages or device are missing, before anything is trained.

    Raises:
        ConfigError: naming the extra that brings the package, or the device.
    """
    for contender in contenders:
        if contender.kind in ("linear", "trees"):
            require_scikit_learn()
        else:
            check_solver(contender.config.training.gradients)
            check_device(contender.config.training.device)


Entry = tuple[str, ContenderKind, tuple[str, ...]]

_SINGLE = "model.members=1"
"""The seeds of a study are its ensemble; networks of several members are asked for with --set."""

_MATCHED = "model.match_parameters=true"


def _built(*names: str) -> tuple[Entry, ...]:
    return tuple((f"{n}, matched", "network", (f"model.architecture={n}", _MATCHED)) for n in names)


def _weighted(*names: str) -> tuple[Entry, ...]:
    return tuple((n, "network", (f"training.weighting={n}",)) for n in names)


def _combined(*names: str) -> tuple[Entry, ...]:
    on = "training.gradients_on=features"
    return tuple((n, "network", (f"training.gradients={n}", on)) for n in names)


def _mtl_vs_single() -> tuple[Entry, ...]:
    """The multi-task network against a network a task, linear models and trees."""
    return (
        ("multi-task", "network", ()),
        ("single", "network", ("model.architecture=single",)),
        ("single, matched", "network", ("model.architecture=single", _MATCHED)),
        ("shuffled auxiliaries", "shuffled", ()),
        ("uncertainty", "network", ("training.weighting=uncertainty",)),
        ("linear", "linear", ()),
        ("boosted trees", "trees", ()),
    )


def _architectures() -> tuple[Entry, ...]:
    """The shared bottom against every other architecture, of as many parameters."""
    others = [name for name in parts("architecture") if name != "shared_bottom"]
    first: Entry = ("shared_bottom", "network", ("model.architecture=shared_bottom",))
    return (first, *_built(*others))


def _weightings() -> tuple[Entry, ...]:
    """Fixed weights against every other weighting, and two gradient methods."""
    others = [name for name in parts("weighting") if name != "fixed"]
    return (("fixed", "network", ()), *_weighted(*others), *_combined("pcgrad", "aligned_mtl"))


def _heads() -> tuple[Entry, ...]:
    """Today's defaults, each of them taken back alone, and what they were before."""
    before = (
        "features.names=core", "training.log_targets=false", "training.weights={}",
        "model.dropout=0.1", "training.return_loss=mse", "training.window_bars=8760",
    )  # fmt: skip
    return (
        ("default", "network", ()),
        ("before", "network", before),
        ("core features", "network", ("features.names=core",)),
        ("volatility not as a logarithm", "network", ("training.log_targets=false",)),
        ("equal weights", "network", ("training.weights={}",)),
        ("squared error of return", "network", ("training.return_loss=mse",)),
        ("one year", "network", ("training.window_bars=8760",)),
        ("dropout 0.1", "network", ("model.dropout=0.1",)),
        ("an epoch a head", "network", ("training.best_epoch=per_head",)),
    )


def _tricks() -> tuple[Entry, ...]:
    """What other tabular networks are trained with, each put on the defaults alone."""
    return (
        ("default", "network", ()),
        ("half-life of a year", "network", ("training.half_life_bars=8760",)),
        ("half-life of a quarter", "network", ("training.half_life_bars=2190",)),
        ("coslog4", "network", ("training.schedule=coslog4", "training.patience=20")),
        ("robust features", "network", ("model.scaling=robust",)),
        ("smoothed labels", "network", ("training.label_smoothing=0.2",)),
        ("large batches", "network",
         ("training.batch_size=4096", "training.learning_rate=0.002")),
        ("with scaled returns", "network",
         ("targets.kinds=return,direction,volatility,volume,scaled_return",)),
    )  # fmt: skip


def _policies() -> tuple[Entry, ...]:
    """The edge policy against every other one, and itself without a margin for error."""
    others = [name for name in parts("policy") if name != "edge"]
    made: list[Entry] = [(name, "network", (f"policy.kind={name}",)) for name in ("edge", *others)]
    return (*made, ("edge, z = 0", "network", ("policy.kind=edge", "policy.confidence=0")))


PRESETS: dict[str, Callable[[], tuple[Entry, ...]]] = {
    "mtl-vs-single": _mtl_vs_single,
    "architectures": _architectures,
    "weightings": _weightings,
    "policies": _policies,
    "heads": _heads,
    "tricks": _tricks,
}
"""By name: what makes contenders as (name, kind, settings over the base), a user's own parts among
them. A name means the same in all."""

AGAINST_FIRST = frozenset({"heads", "tricks"})
"""Presets whose contenders are held against the first alone, not each against each."""

for _name, _entries in PRESETS.items():
    shipped("contender", _name)(_entries)


def preset(name: str, config: str | None, sets: Sequence[str]) -> list[Contender]:
    """Return a preset's contenders over the base settings.

    Raises:
        ConfigError: there is no such preset, or its settings and the base's exclude one another.
    """
    if name not in PRESETS:
        raise ConfigError(f"--preset {name}: there is none; choose from {', '.join(PRESETS)}")
    load_config(config, sets)  # a user's own parts compete too
    return [
        Contender(entry, kind, load_config(config, [_SINGLE, *sets, *over]))
        for entry, kind, over in PRESETS[name]()
    ]


def from_files(files: Sequence[str], sets: Sequence[str]) -> list[Contender]:
    """Return a contender a settings file, named by the file; a config.toml, which runs and trials have, by its folder.

    Raises:
        ConfigError: fewer than two, two of one name, or what must be alike differs.
    """
    if len(files) < 2:
        raise ConfigError("compare: give two settings files or more, or --preset NAME")
    contenders = [Contender(_name_of(Path(f)), "network", load_config(f, sets)) for f in files]
    names = [c.name for c in contenders]
    if len(set(names)) != len(names):
        raise ConfigError(f"compare: the files' names must differ, they are {', '.join(names)}")
    check_alike(contenders)
    return contenders


def _name_of(path: Path) -> str:
    """Return what a file is called.

    >>> _name_of(Path("a/wide.toml")), _name_of(Path("trials/003/config.toml")), _name_of(Path("config.toml"))
    ('wide', '003', 'config')
    """
    return path.parent.name or path.stem if path.name == "config.toml" else path.stem


# a window, a cost and a target's own settings are part of labels
_ALIKE = (
    "market.venue", "market.interval", "market.symbols", "data", "synthetic", "targets.horizons",
    "targets.decision_cost", "targets.settings", "features.window",
    "retrain.latency_bars", "run.seed",
    "portfolio.currency", "execution.price",
)  # fmt: skip


_LIVE_ONLY = "execution.price"
"""Only a live run has quotes to fill at, so a comparison cannot tell its values apart."""


def check_alike(contenders: Sequence[Contender]) -> None:
    """Refuse contenders that would not be judged on the same bars and horizons.

    Raises:
        ConfigError: with the keys that differ.
    """
    first = contenders[0]
    for other in contenders[1:]:
        for key in _ALIKE:
            ours, theirs = (_value(c.config, key) for c in (first, other))
            if ours != theirs:
                why = "only a live run reads it; " if key == _LIVE_ONLY else ""
                raise ConfigError(
                    f"compare: {key} differs between {first.name} and {other.name} ({ours} and "
                    f"{theirs}); {why}contenders may differ in features, targets.kinds, model, training, "
                    "signal, policy, sizing, costs, risk, execution and portfolio.initial_capital only"
                )


def check_cadence(contenders: Sequence[Contender], *, inside: bool) -> None:
    """Refuse contenders that differ in when they are trained, where a fold has one training for all.

    One that is never trained by its settings, as what trades without a model, is trained like the others.

    Args:
        inside: whether models are trained inside folds too.

    Raises:
        ConfigError: with the key that differs.
    """
    trained = [] if inside else [c for c in contenders if c.config.retrain.trigger != "never"]
    for other in trained[1:]:
        for key in ("retrain.trigger", READ_BY[trained[0].config.retrain.trigger]):
            ours, theirs = (_value(c.config, key) for c in (trained[0], other))
            if ours != theirs:
                raise ConfigError(
                    f"compare: {key} differs between {trained[0].name} and {other.name} ({ours} and {theirs}), and a "
                    "fold has one training, at its first bar; add --retrain-inside, or give both the same"
                )


def _value(config: Config, key: str) -> object:
    value: object = config
    for part in key.split("."):
        value = getattr(value, part)
    return value
