"""Which settings make no sense together in a sweep: refused before the first is tried.

Rules: a refusal names the key and what would make it of use. Must not replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.app.sweep.grid import Axis
from bot.app.sweep.source import SweepSource
from bot.config import Config, flatten
from bot.config.advice import reader_missing
from bot.config.needed_heads import needed_heads, needs_model
from bot.errors import ConfigError

OF_INSTRUMENTS = ("execution.quantity_step", "execution.min_notional")
"""Read of symbols only whose instrument is not known."""


def check_heads(source: SweepSource, config: Config) -> None:
    """Refuse a setting that reads what these forecasts have not.

    Raises:
        ConfigError: a head is missing.
    """
    if not needs_model(config):
        return
    there = source.heads
    kinds = {kind for kind, _ in there}
    for kind, horizon in needed_heads(config):
        if kind not in kinds or (len(there) > len(kinds) and (kind, horizon) not in there):
            raise ConfigError(
                f"policy.kind = '{config.policy.kind}', sizing.method = '{config.sizing.method}': they read "
                f"the {kind} head, and {source.name} has no forecast of it"
            )


def check_differ(axes: Sequence[Axis], settings: Sequence[Mapping[str, Any]]) -> None:
    """Refuse one value in two spellings: it would count as two trials.

    Args:
        settings: the values of each combination by key.

    Raises:
        ConfigError: an axis has such a value.
    """
    for axis in axes:
        meant = {str(own[axis.key]) for own in settings}
        if len(meant) < len(axis.values):
            raise ConfigError(
                f"--vary {axis.key}: of {', '.join(axis.values)}, only {len(meant)} differ; name each "
                "value once"
            )


def check_read(keys: Sequence[str], configs: Sequence[Config], source: SweepSource) -> None:
    """Refuse a key that none of the combinations reads: all its values would come to the same.

    Raises:
        ConfigError: with what would have to be chosen for it to be read.
    """
    for key in dict.fromkeys(keys):
        if key in OF_INSTRUMENTS and all(s in source.instruments for s in source.symbols):
            raise ConfigError(
                f"{key}: the instruments of all symbols are known, and their own steps and minima are "
                "taken; leave it out"
            )
        conditions = set()
        for config in configs:
            condition = reader_missing(key, flatten(config))
            if not condition:
                break
            conditions.add(condition)
        else:
            raise ConfigError(
                f"{key}: no setting of this sweep reads it: it is read with {'; '.join(sorted(conditions))} "
                "only. Name that with --vary or --set, or leave this key out"
            )
