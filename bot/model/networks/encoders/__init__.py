"""What reads the features: encoders by name, one module each.

A new one is a subclass of `Encoder`, a line in `ENCODERS`, and a name in the config.

base            what every encoder is
mlp             reads one bar's features
gru             reads the window bar by bar
tcn             causal dilated convolutions over the window
"""

from __future__ import annotations

from bot.config.schema import Model
from bot.model.networks.encoders.base import Dropout, Encoder, Layer, newest
from bot.model.networks.encoders.mlp import Mlp
from bot.parts.registry import part
from bot.parts.sections import own_section

__all__ = ["Dropout", "Encoder", "Layer", "Mlp", "build_encoder", "newest"]


def build_encoder(settings: Model, n_features: int) -> Encoder:
    """Build what model.encoder names.

    Raises:
        ConfigError: there is none of that name.
    """
    chosen = part("encoder", settings.encoder)
    encoder: Encoder = chosen.made(settings, n_features, *own_section(chosen, settings.settings))
    return encoder
