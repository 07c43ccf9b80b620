"""Widths with which an architecture has as many parameters as a shared bottom.

Owns how a network is assembled from settings, since what it counts is what is built. Rule: the
comparison of architectures is then one of sharing, not of size. Hidden widths and heads shrink or
grow by one common factor.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bot.blocks import Task
from bot.config.schema import Model
from bot.errors import ConfigError
from bot.model.networks.architectures import Architecture, build_architecture
from bot.model.networks.by_symbol import by_symbol


def assemble(
    settings: Model, n_features: int, tasks: Sequence[Task], n_symbols: int = 0
) -> Architecture:
    """Build a network, which knows the symbols where their number is given."""
    read = n_features + (settings.symbol_embedding if n_symbols else 0)
    network = build_architecture(settings, read, tasks)
    return by_symbol(network, settings, n_features, n_symbols) if n_symbols else network


def matched(settings: Model, n_features: int, tasks: Sequence[Task], n_symbols: int = 0) -> Model:
    """Return settings whose network has at most the parameters of the shared bottom.

    The shared bottom is the one with the same widths. The factor on the widths is found by
    bisection over the width of the widest layer: with a hundred units it comes within a few percent.
    Where even a width of 1 is more, that is what is returned; see `check_match`.
    """
    wanted = _wanted(settings, n_features, tasks, n_symbols)
    low, high = 1, 2 * max(settings.hidden)
    while low < high:
        middle = (low + high + 1) // 2
        scaled = _scaled(settings, middle)
        fits = count_parameters(scaled, n_features, tasks, n_symbols) <= wanted
        low, high = (middle, high) if fits else (low, middle - 1)
    return _scaled(settings, low)


def check_match(
    settings: Model, n_features: int, tasks: Sequence[Task], n_symbols: int = 0
) -> None:
    """Refuse a network that cannot be made as small as the shared bottom.

    Raises:
        ConfigError: layers of width 1 have more parameters.
    """
    if not settings.match_parameters:
        return
    wanted = _wanted(settings, n_features, tasks, n_symbols)
    least = count_parameters(
        matched(settings, n_features, tasks, n_symbols), n_features, tasks, n_symbols
    )
    if least > wanted:
        raise ConfigError(
            f"model.match_parameters: a shared bottom of widths {list(settings.hidden)} has {wanted} "
            f"parameters, and model.architecture = '{settings.architecture}' at least {least}; widen "
            "model.hidden or set match_parameters = false"
        )


def _wanted(settings: Model, n_features: int, tasks: Sequence[Task], n_symbols: int) -> int:
    shared = settings.model_copy(update={"architecture": "shared_bottom"})
    return count_parameters(shared, n_features, tasks, n_symbols)


def count_parameters(
    settings: Model, n_features: int, tasks: Sequence[Task], n_symbols: int = 0
) -> int:
    """Return how many parameters the network has; nothing random is drawn."""
    with torch.random.fork_rng(devices=[]):
        network = assemble(settings, n_features, tasks, n_symbols)
    return sum(p.numel() for p in network.parameters())


def _scaled(settings: Model, widest: int) -> Model:
    """Return the settings with a widest layer of this width and all others in proportion."""
    factor = widest / max(settings.hidden)
    hidden = tuple(max(1, round(width * factor)) for width in settings.hidden)
    head = max(1, round(settings.head_hidden * factor))
    return settings.model_copy(update={"hidden": hidden, "head_hidden": head})
