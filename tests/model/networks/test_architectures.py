from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bot.blocks import Task
from bot.config.schema import Model
from bot.model.networks.architectures import Architecture
from bot.model.networks.architectures.shared_bottom import SharedBottom
from bot.model.networks.encoders import Dropout

ROWS = 16
TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "volume"))


def warmed(settings: Model) -> SharedBottom:
    """A network whose running statistics are not those of the start."""
    torch.manual_seed(3)
    network = SharedBottom(settings, 5, TASKS)
    for _ in range(20):
        network(torch.randn(64, 5) * 3 + 1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return network.eval()


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("hidden", [(7,), (12, 9, 6)])
def test_folded_equals_the_network(batch_norm: bool, hidden: tuple[int, ...]) -> None:
    network = warmed(
        Model(members=1, hidden=hidden, head_hidden=3, batch_norm=batch_norm, dropout=0.5)
    )
    x = torch.randn(ROWS, 5)
    with torch.inference_mode():
        folded = network.fold(ROWS)(x).clone()
        torch.testing.assert_close(folded, network(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            folded.double(), network.double()(x.double()), rtol=1e-5, atol=1e-5
        )


def test_heads_are_independent_two_layer_nets() -> None:
    network = warmed(Model(members=1, hidden=(6,), head_hidden=3))
    heads, h = network.heads, torch.randn(ROWS, 6)
    for k in range(4):
        first = heads.first.weight[3 * k : 3 * k + 3], heads.first.bias[3 * k : 3 * k + 3]
        alone = torch.relu(h @ first[0].T + first[1]) @ heads.weight[k] + heads.bias[k]
        torch.testing.assert_close(heads(h)[:, k], alone)
    gradient = torch.autograd.grad(heads(h)[:, 1].sum(), heads.first.weight)[0]
    assert (gradient[:3] == 0).all()
    assert (gradient[6:] == 0).all()


def test_an_architecture_without_a_fold_runs_in_eval_mode() -> None:
    class Plain(Architecture):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(5, 2), nn.Dropout(0.9))

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.layers(x)
            return output

    plain, x = Plain(), torch.randn(ROWS, 5)
    torch.testing.assert_close(plain.fold(ROWS)(x), plain.layers[0](x))
    (group,) = plain.parameter_groups(0.1, 0.2)
    assert (group["lr"], group["weight_decay"], len(group["params"])) == (0.1, 0.2, 2)


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.99])
def test_dropout_drops_its_share_and_keeps_the_mean(probability: float) -> None:
    torch.manual_seed(1)
    dropout, x = Dropout(probability), torch.ones(501, 401)
    y = dropout(x)
    n = x.numel()
    error = 4 * np.sqrt(probability * (1 - probability) / n)
    assert float((y == 0).float().mean()) == pytest.approx(probability, abs=error + 1e-9)
    assert set(y.unique().tolist()) <= {0.0, float(torch.tensor(dropout.scale))}
    assert dropout.scale * (1 - dropout.dropped / 65536) == pytest.approx(1.0)
    # neighbours, which share a 64-bit word, are not dropped together
    zero = (y == 0).float().flatten()[: n // 4 * 4].view(-1, 4)
    if 0 < probability < 1:
        correlation = np.corrcoef(zero.numpy().T)
        assert np.abs(correlation[np.triu_indices(4, 1)]).max() < 5 / np.sqrt(len(zero))
    assert torch.equal(dropout.eval()(x), x)


def test_dropout_passes_gradients_only_where_it_kept() -> None:
    x = torch.ones(1000, requires_grad=True)
    y = Dropout(0.5)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, y.detach())
