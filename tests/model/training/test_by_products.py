"""Our own aggregators against torchjd's of the same name, draw for draw, and by what they promise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchjd import aggregation

from bot.model.training.gradients.by_products import GradientVaccine, config, mgda
from bot.model.training.gradients.graddrop import GradDrop

OURS: dict[str, Callable[[int], Callable[[Tensor], Tensor]]] = {
    "MGDA": lambda _: mgda,
    "ConFIG": lambda _: config,
    "GradDrop": lambda _: GradDrop(),
    "GradVac": GradientVaccine,
}


def drawn(seed: int, k: int, p: int, conflict: float) -> Tensor:
    """K gradients, of unlike sizes, that have a part in common with changing signs."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(k, p, generator=generator, dtype=torch.float64)
    common = torch.randn(p, generator=generator, dtype=torch.float64)
    signs = torch.tensor([(-1.0) ** i for i in range(k)], dtype=torch.float64)
    sizes = 10.0 ** torch.linspace(-1, 1, k, dtype=torch.float64)
    return (rows + conflict * signs[:, None] * common) * sizes[:, None]


@pytest.mark.parametrize("name", list(OURS))
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(2, 6),
    p=st.sampled_from([7, 200]),
    conflict=st.sampled_from([0.0, 1.0, 3.0]),
)
def test_it_is_torchjds(name: str, seed: int, k: int, p: int, conflict: float) -> None:
    ours, theirs = OURS[name](k), getattr(aggregation, name)()
    for step in range(3):  # some keep a state
        rows = drawn(seed + step, k, p, conflict)
        torch.manual_seed(seed)
        found = ours(rows)
        torch.manual_seed(seed)
        expected = theirs(rows)
        assert torch.allclose(found, expected, rtol=1e-6, atol=1e-8 * float(rows.norm()))


@pytest.mark.parametrize("name", list(OURS))
def test_nothing_comes_of_nothing(name: str) -> None:
    assert OURS[name](3)(torch.zeros(3, 5)).tolist() == [0.0] * 5


@given(seed=st.integers(0, 10_000), k=st.integers(2, 6))
def test_config_has_the_same_cosine_with_each(seed: int, k: int) -> None:
    rows = drawn(seed, k, 50, 1.0)
    found = config(rows)
    cosines = torch.nn.functional.cosine_similarity(rows, found[None], dim=1)
    assert torch.allclose(cosines, cosines[:1].expand(k), atol=1e-6)


def test_gradients_that_lie_on_one_line_do_no_harm() -> None:
    row = torch.linspace(-1.0, 1.0, 64)
    assert torch.isfinite(config(torch.stack([row, 2.0 * row, -row]))).all()
    assert torch.isfinite(mgda(torch.stack([row, 2.0 * row, -row]))).all()
