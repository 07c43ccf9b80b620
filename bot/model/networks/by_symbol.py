"""One network over all symbols that knows which symbol a row is of.

Owns `BySymbol`. Rules: in training the place of a row's symbol follows its features as one more
column; for a forecast the network is made into a plain one for each symbol, so nothing of a symbol
depends on the others in a block. A symbol that the network was not trained on (place -1) gets the
shared heads and the mean of the embeddings.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from bot.config.schema import Model
from bot.model.networks.architectures.base import (
    Architecture,
    Gate,
    SharedRepresentation,
    TileForward,
)
from bot.model.networks.encoders import newest
from bot.model.networks.heads import Heads
from bot.model.networks.own_heads import UNKNOWN


class BySymbol(Architecture):
    """A network whose input is widened by an embedding of the symbol, or whose heads are its own.

    The embedding starts at zero, which is its mean too: symbols start alike.
    """

    def __init__(
        self, inner: Architecture, settings: Model, n_features: int, n_symbols: int
    ) -> None:
        super().__init__()
        self.inner = inner
        self.embedding: nn.Parameter | None = None
        if settings.symbol_embedding:
            self.embedding = nn.Parameter(torch.zeros(n_symbols, settings.symbol_embedding))
        self._n_features = n_features
        self._heads = _heads_of(inner) if settings.heads == "per_symbol" else []
        for heads in self._heads:
            heads.give_own(n_symbols)

    def forward(self, x: Tensor) -> Tensor:
        """Map float32[B, F + 1] or float32[B, L, F + 1] to float32[B, C]."""
        output: Tensor = self.inner(self.enter(x))
        return output

    def enter(self, x: Tensor) -> Tensor:
        """Tell the heads whose rows come, and return what the inner network reads of them."""
        places = newest(x)[:, self._n_features].long()
        for heads in self._heads:
            heads.places = places
        features = x[..., : self._n_features]
        if self.embedding is None:
            return features
        return _widened(features, self._table()[places])

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return those of the inner network, and the embedding."""
        groups = self.inner.parameter_groups(learning_rate, weight_decay)
        own = [] if self.embedding is None else [self.embedding]
        return [*groups, {"params": own, "lr": learning_rate, "weight_decay": weight_decay}]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the embedding, which all tasks read, and what the inner network shares."""
        own = [] if self.embedding is None else [self.embedding]
        return [*own, *self.inner.shared_parameters()]

    def last_shared(self) -> list[Tensor]:
        """Return the inner network's."""
        return self.inner.last_shared()

    def apart(self) -> list[nn.Module]:
        """Return the inner network's; none where all read the embedding."""
        return [] if self.embedding is not None else self.inner.apart()

    def penalty(self) -> Tensor | None:
        """Return the inner network's."""
        return self.inner.penalty()

    def gate_use(self, x: Tensor) -> list[Gate]:
        """Return what the inner network's gates do."""
        return self.inner.gate_use(self.enter(x))

    def fold(self, tile_rows: int) -> TileForward:
        """Return the forward pass for a symbol that is not known, on float32[T, F]."""
        return self.fold_for(UNKNOWN, tile_rows)

    def fold_for(self, place: int, tile_rows: int) -> TileForward:
        """Return the forward pass for one symbol, on float32[T, F] or float32[T, L, F]."""
        inner = copy.deepcopy(self.inner)
        for heads in _heads_of(inner):
            heads.settle(place)
        forward = inner.fold(tile_rows)
        if self.embedding is None:
            return forward
        own = self._table()[place].detach()
        return lambda x: forward(_widened(x, own.expand(len(x), -1)))

    def _table(self) -> Tensor:
        """Return the embeddings, and behind them their mean, where place -1 points to."""
        assert self.embedding is not None
        return torch.cat([self.embedding, self.embedding.mean(dim=0, keepdim=True)])


class SharedBySymbol(BySymbol, SharedRepresentation):
    """The same where the tasks of the inner network meet in one representation."""

    inner: SharedRepresentation

    @property
    def n_tasks(self) -> int:  # type: ignore[override]
        """Return K."""
        return self.inner.n_tasks

    @property
    def decode_shares(self) -> bool:
        """Tell whether the inner network's gates read the embedding."""
        return self.embedding is not None and self.inner.decode_reads_x

    def encode(self, x: Tensor) -> Tensor:
        """Return the inner network's representation."""
        return self.inner.encode(self.enter(x))

    def decode(self, x: Tensor, copies: Tensor) -> Tensor:
        """Read the copies as the inner network does."""
        return self.inner.decode(self.enter(x), copies)


def by_symbol(
    inner: Architecture, settings: Model, n_features: int, n_symbols: int
) -> Architecture:
    """Return a network that knows the symbols, around one that reads what it enters into it."""
    kind = SharedBySymbol if isinstance(inner, SharedRepresentation) else BySymbol
    return kind(inner, settings, n_features, n_symbols)


def _heads_of(network: Architecture) -> list[Heads]:
    return [module for module in network.modules() if isinstance(module, Heads)]


def _widened(x: Tensor, own: Tensor) -> Tensor:
    """Return rows or windows x with float32[B, E] behind the features of each bar."""
    if x.dim() == 3:
        own = own[:, None].expand(-1, x.shape[1], -1)
    return torch.cat([x, own], dim=-1)
