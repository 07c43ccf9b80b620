"""The encoders against their papers' equations, written straight or by torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.encoders import build_encoder
from bot.model.networks.encoders.gru import Gru
from bot.model.networks.encoders.tcn import Tcn, kernel_size
from bot.model.networks.parameter_matching import count_parameters
from bot.model.trained import ModelSpec
from bot.parts.registry import parts

F, ROWS = 5, 16
TASKS = (Task("return", 5), Task("decision", 5), Task("direction", 5), Task("volume", 5))


def settings(encoder: str, **given: object) -> Model:
    usual = Model(members=1, hidden=(12, 7), head_hidden=3, experts=3, dropout=0.0, lookback=9)
    return usual.model_copy(update={"encoder": encoder, **given})


def test_gru_is_torchs() -> None:
    torch.manual_seed(2)
    encoder = build_encoder(settings("gru"), F).eval()
    assert isinstance(encoder, Gru)
    x = torch.randn(ROWS, 9, F)
    h = x
    layers: Any = encoder.layers
    for layer in layers:
        oracle = nn.GRU(h.shape[2], layer.width, batch_first=True)
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        own = (layer.input.weight, layer.hidden.weight, layer.input.bias, layer.hidden.bias)
        oracle.load_state_dict(dict(zip(names, own, strict=True)))
        h, _ = oracle(h)
    torch.testing.assert_close(encoder(x), h[:, -1])


@pytest.mark.parametrize(
    ("lookback", "hidden"), [(9, (12, 7)), (24, (6, 6)), (2, (4,)), (30, (4, 4, 3))]
)
def test_tcn_is_a_stack_of_dilated_causal_convolutions(
    lookback: int, hidden: tuple[int, ...]
) -> None:
    torch.manual_seed(2)
    encoder = build_encoder(settings("tcn", lookback=lookback, hidden=hidden), F)
    assert isinstance(encoder, Tcn)
    x = torch.randn(ROWS, lookback, F)
    for _ in range(3):
        encoder(torch.randn(64, lookback, F) * 2 + 1)  # running statistics that are not the start's
    encoder.eval()
    kernel = kernel_size(lookback, len(hidden))
    assert 1 + 2 * (kernel - 1) * (2 ** len(hidden) - 1) >= lookback
    # the paper's layers at every step, after enough zeros that none reaches beyond them
    h = functional.pad(x, (0, 0, 4 * kernel * 2 ** len(hidden), 0)).transpose(1, 2)
    blocks: Any = encoder.blocks
    for n, (read, write) in enumerate(pairwise([F, *hidden])):
        block, dilation, state = blocks[n], 2**n, h
        for conv, width in ((block.first, read), (block.second, write)):
            weight = conv.linear.weight.view(write, kernel, width).transpose(1, 2)
            past = functional.pad(state, ((kernel - 1) * dilation, 0))
            state = functional.conv1d(past, weight, conv.linear.bias, dilation=dilation)
            state = torch.relu(conv.norm(state))
        if isinstance(block.residual, nn.Linear):
            h = functional.conv1d(h, block.residual.weight[:, :, None], block.residual.bias)
        h = torch.relu(h + state)
    torch.testing.assert_close(encoder(x), h[:, :, -1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["gru", "tcn"])
def test_every_bar_of_the_window_reaches_the_output(encoder: str) -> None:
    torch.manual_seed(2)
    x = torch.randn(ROWS, 9, F, requires_grad=True)
    build_encoder(settings(encoder), F)(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=(0, 2)) > 0).all()


@pytest.mark.parametrize("architecture", list(parts("architecture")))
@pytest.mark.parametrize("encoder", list(parts("encoder")))
def test_matched_parameters(encoder: str, architecture: str) -> None:
    given = Model(
        members=1, encoder=encoder, architecture=architecture, match_parameters=True, lookback=9
    )
    bottom = given.model_copy(update={"architecture": "shared_bottom"})
    wanted = count_parameters(bottom, 22, TASKS)
    network = ModelSpec(given, 22, TASKS).build()
    assert wanted * 0.93 <= sum(p.numel() for p in network.parameters()) <= wanted


def test_a_lookback_is_written_only_where_it_is_not_the_usual() -> None:
    usual = ModelSpec(Model(members=1, encoder="gru"), F, TASKS)
    assert "lookback" not in usual.to_json()["settings"]
    other = ModelSpec(Model(members=1, encoder="gru", lookback=9), F, TASKS)
    assert other.to_json()["settings"]["lookback"] == 9
    assert ModelSpec.from_json(other.to_json()) == other
    assert (Model(members=1).bars_read, Model(members=1, lookback=9).bars_read) == (1, 1)
    assert (other.settings.bars_read, usual.settings.bars_read) == (9, 24)
