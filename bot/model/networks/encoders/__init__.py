"""What reads the features: encoders by name, one module each.

A new one is a subclass of `Encoder`, a line in `ENCODERS`, and a name in the config.

base            what every encoder is
mlp             reads one bar's features
gru             reads the window bar by bar
tcn             causal dilated convolutions over the window
"""

from __future__ import annotations

from collections.abc import Callable

from bot.config.schema import Model
from bot.model.networks.encoders.base import Dropout, Encoder, Layer, newest
from bot.model.networks.encoders.gru import Gru
from bot.model.networks.encoders.mlp import Mlp
from bot.model.networks.encoders.tcn import Tcn

__all__ = ["ENCODERS", "Dropout", "Encoder", "Layer", "Mlp", "build_encoder", "newest"]

ENCODERS: dict[str, Callable[[Model, int], Encoder]] = {"mlp": Mlp, "gru": Gru, "tcn": Tcn}
"""Builders by the name in model.encoder: (settings, number of features) to an encoder."""


def build_encoder(settings: Model, n_features: int) -> Encoder:
    """Build what model.encoder names."""
    return ENCODERS[settings.encoder](settings, n_features)
