"""Parts of your own: an example of each kind, in one file.

`examples/config.toml` names it, and docs/extending.md explains it. Try it:
bot backtest --config examples/config.toml
"""

# [header]
from itertools import pairwise

import numpy as np
import torch
from pydantic import BaseModel, Field
from torch import nn

from bot.model.networks.encoders.base import Encoder
from bot.model.networks.tile_invariant_linear import SteadyLinear
from bot.model.training.weighting.base import Weighting
from bot.parts import cost_scheme, cross_feature, encoder, feature, policy, target, weighting


# [feature]
@feature("atr_14", bars=15)
def atr_14(open, high, low, close, volume, turnover):
    """Average true range over 14 bars, over the close; a fraction (Wilder 1978, simple mean)."""
    total = 0.0
    for t in range(1, len(close)):
        total += max(high[t], close[t - 1]) - min(low[t], close[t - 1])
    return total / (len(close) - 1) / close[-1]


# [cross-feature]
class RankSettings(BaseModel, extra="forbid"):
    """Settings of return_rank: [features.settings.return_rank]."""

    bars: int = Field(24, ge=1, le=1000, description="Bars over which the return is taken.")


@cross_feature("return_rank", bars=lambda settings: settings.bars + 1, settings=RankSettings)
def return_rank(settings):
    """Rank of a symbol's return among all symbols, from -0.5 (lowest) to 0.5 (highest)."""

    def ranks(open, high, low, close, volume, turnover, values):
        change = close[-1] / close[0] - 1.0  # float64[S], NaN where a symbol lacks a bar
        present = np.sum(np.isfinite(change))
        for s in range(len(values)):
            if np.isfinite(change[s]) and present > 1:
                values[s] = np.sum(change < change[s]) / (present - 1) - 0.5

    return ranks


# [target]
class DipSettings(BaseModel, extra="forbid"):
    """Settings of dip: [targets.settings.dip]."""

    depth: float = Field(0.01, gt=0, lt=1, description="Fall from the close that counts as a dip.")


@target("dip", output="probability", settings=DipSettings)
def dip(settings):
    """1 where the low of the next h bars lies at least `depth` below the close, else 0."""
    depth = settings.depth

    def label(open, high, low, close, volume, turnover):
        return 1.0 if np.min(low[1:]) <= close[0] * (1.0 - depth) else 0.0

    return label


# [policy]
class PatientSettings(BaseModel, extra="forbid"):
    """Settings of patient: [policy.settings.patient]."""

    cost_multiple: float = Field(1.0, ge=0, le=100, description="Costs that a signal must exceed.")
    hold_bars: int = Field(5, ge=1, le=1000, description="Bars held after the last such signal.")


@policy("patient", state=1, settings=PatientSettings)
def patient(settings):
    """Enter where the signal exceeds its round trip's cost, and hold for the horizon."""
    multiple, hold = settings.cost_multiple, settings.hold_bars

    def side(bar, state):
        state[0] += 1.0  # bars since the last signal that was worth its cost
        if abs(bar.signal) > multiple * bar.cost:
            state[0] = 0.0
            return np.sign(bar.signal)
        return bar.side if state[0] < hold else 0.0

    return side


# [cost-scheme]
@cost_scheme("tiered")
def tiered(fill, state):
    """A taker's fee of 5.5 bp, and 4 bp once the account has traded 500,000."""
    rate = 0.00055 if fill.turnover < 500_000 else 0.0004
    fill.fee = rate * abs(fill.quantity) * fill.price


# [weighting]
@weighting("random")
class RandomLoss(Weighting):
    """Random loss weighting: new weights at every step (Lin, Ye, Zhang & Tsang 2022).

    λ = K softmax(z) with z standard normal; K keeps the sum at that of equal weights. It is a
    baseline: a weighting that does not beat it has gained nothing from looking at the losses.
    """

    def __init__(self, given):
        self.drawn = torch.ones(len(given.tasks), device=given.device)

    def terms(self, losses, present):
        """Return λ_k L_k for the tasks present."""
        z = torch.randn(len(losses)).to(losses.device).masked_fill(~present, -torch.inf)
        self.drawn = present.sum() * torch.softmax(z, dim=0)
        return self.drawn * losses * present

    def weights(self):
        """Return the weights of the last step."""
        return self.drawn


# [encoder]
@encoder("gated")
class Gated(Encoder):
    """A gated linear unit a layer: (Wx + b) σ(Vx + c) (Dauphin, Fan, Auli & Grangier 2017, eq. 1)."""

    def __init__(self, settings, n_features):
        super().__init__()
        widths = [n_features, *settings.hidden]
        self.width = widths[-1]
        self.layers = nn.ModuleList(
            SteadyLinear(read, 2 * write) for read, write in pairwise(widths)
        )

    def forward(self, x):
        """Map float32[B, F] to float32[B, width]."""
        for layer in self.layers:
            x = nn.functional.glu(layer(x))
        return x

    def stages(self):
        """Return the layers; cross_stitch mixes the tasks' towers between them."""
        return [nn.Sequential(layer, nn.GLU()) for layer in self.layers]

    def last_weight(self):
        """Return the weight of the last layer."""
        return self.layers[-1].weight
