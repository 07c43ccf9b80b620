"""Networks that know the symbols: one for each at inference, shared parts for those not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from bot.adapters.files.models import load_model, save_model
from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.errors import DataError
from bot.model.dataset import Dataset
from bot.model.networks.by_symbol import BySymbol
from bot.model.networks.own_heads import UNKNOWN, OwnHeads
from bot.model.predict import Predictor
from bot.model.trained import ModelSpec, TrainedModel, weights_of
from bot.model.training.train import train

MakeDataset = Callable[..., Dataset]
SYMBOLS = ("A", "B", "C")
TASKS = tuple(Task(kind, 5) for kind in ("return", "direction", "volatility", "volume"))
SMALL = Model(members=1, hidden=(12, 8), head_hidden=4, experts=2, lookback=3)
KNOWING = [
    {"heads": "per_symbol"},
    {"symbol_embedding": 3},
    {"heads": "per_symbol", "symbol_embedding": 2, "members": 2},
]
NETWORKS = [
    {"architecture": name}
    for name in ("shared_bottom", "soft", "cross_stitch", "mmoe", "ple", "hierarchical")
] + [{"encoder": "gru"}]


def stirred(settings: Model) -> BySymbol:
    """Return a network whose symbols differ, in eval mode."""
    torch.manual_seed(3)
    network = ModelSpec(settings, 6, TASKS, SYMBOLS).build()
    assert isinstance(network, BySymbol)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".own." in name or name == "embedding":
                parameter.normal_(std=0.5)
    return network.eval()


def trained_by_symbol(make: MakeDataset, update: dict[str, object]) -> TrainedModel:
    dataset = replace(make(n_bars=150), symbols=SYMBOLS)
    model = Model(members=1, hidden=(16, 8), head_hidden=4).model_copy(update=update)
    training = Training(weights={}, epochs=3, batch_size=64, min_rows=10, learning_rate=0.02)
    return train(dataset, model, training, seed=5)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda u: next(iter(u.values())))
@pytest.mark.parametrize("knowing", KNOWING[:2], ids=lambda u: next(iter(u)))
def test_the_plain_network_of_a_symbol_says_what_the_whole_says(
    network: dict[str, object], knowing: dict[str, object]
) -> None:
    whole = stirred(SMALL.model_copy(update={**network, **knowing}))
    lookback = 3 if network.get("encoder") else 0
    x = torch.randn(16, *([lookback] if lookback else []), 6)
    outputs = []
    for place in (0, 2, UNKNOWN):
        column = torch.full((*x.shape[:-1], 1), float(place))
        with torch.no_grad():
            mixed = whole(torch.cat([x, column], dim=-1))
            alone = whole.fold_for(place, 16)(x).clone()
        assert torch.allclose(mixed, alone, atol=1e-5)
        outputs.append(alone)
    assert not torch.allclose(outputs[0], outputs[1], atol=1e-3)
    assert not torch.allclose(outputs[0], outputs[2], atol=1e-3)


def test_rows_of_many_symbols_get_what_each_gets_alone() -> None:
    torch.manual_seed(1)
    own = OwnHeads(3, 2, 4, 5)
    with torch.no_grad():
        for parameter in own.parameters():
            parameter.normal_()
    h, places = torch.randn(20, 5), torch.randint(-1, 3, (20,))
    together, apart = own.first(h, places), own.first_apart(h.expand(2, 20, 5), places)
    for row, place in enumerate(places.tolist()):
        expected = torch.zeros(8)
        if place != UNKNOWN:
            expected = own.first_weight[place] @ h[row] + own.first_bias[place]
        assert torch.allclose(together[row], expected, atol=1e-5)
        assert torch.allclose(apart[:, row].flatten(), expected, atol=1e-5)


def test_symbols_start_from_the_shared_part() -> None:
    torch.manual_seed(7)
    settings = SMALL.model_copy(update={"heads": "per_symbol"})
    plain = ModelSpec(SMALL, 6, TASKS).build()
    torch.manual_seed(7)
    knowing = ModelSpec(settings, 6, TASKS, SYMBOLS).build()
    x = torch.randn(16, 6)
    with torch.no_grad():
        expected = plain.eval().fold(16)(x)
        assert isinstance(knowing, BySymbol)
        for place in (0, 1, 2, UNKNOWN):
            assert torch.equal(knowing.eval().fold_for(place, 16)(x), expected)


@pytest.mark.parametrize("update", KNOWING, ids=str)
def test_the_same_bits_again_and_after_saving(
    make_dataset: MakeDataset, update: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    trained = trained_by_symbol(make_dataset, update)
    assert trained.model_id == trained_by_symbol(make_dataset, update).model_id
    folder = tmp_path_factory.mktemp("models")
    model_id = save_model(folder, trained, {"features": list("abcdef")})
    again, _ = load_model(folder, model_id)
    assert again.spec.symbols == SYMBOLS
    x, ready = np.random.default_rng(0).normal(size=(40, 3, 6)), np.ones((40, 3), dtype=np.bool_)
    places = trained.spec.places(SYMBOLS)
    first, second = (Predictor(m).predict(x, ready, None, places) for m in (trained, again))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("update", KNOWING, ids=str)
def test_forecasts_follow_the_names_however_blocks_are_cut(
    make_dataset: MakeDataset, update: dict[str, object]
) -> None:
    trained = trained_by_symbol(make_dataset, update)
    predictor = Predictor(trained)
    rng = np.random.default_rng(1)
    x, ready = rng.normal(size=(300, 3, 6)) + 3.0, rng.random((300, 3)) < 0.9
    places = trained.spec.places(SYMBOLS)
    whole = predictor.predict(x, ready, None, places)
    parts = [
        predictor.predict(x[a:b], ready[a:b], None, places)
        for a, b in [(0, 1), (1, 2), (2, 150), (150, 300)]
    ]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    order = [2, 0, 1]
    turned = predictor.predict(
        x[:, order], ready[:, order], None, trained.spec.places([SYMBOLS[s] for s in order])
    )
    assert np.ascontiguousarray(turned).tobytes() == whole[:, order].tobytes()
    same = np.repeat(x[:, :1], 3, axis=1)
    apart = predictor.predict(same, np.ones_like(ready), None, places)
    assert not np.allclose(apart[:, 0], apart[:, 1])


def test_a_symbol_added_later_gets_the_shared_part(make_dataset: MakeDataset) -> None:
    trained = trained_by_symbol(make_dataset, {"heads": "per_symbol"})
    places = trained.spec.places(("C", "NEW", "A"))
    assert places.tolist() == [2, UNKNOWN, 0]
    x, ready = np.random.default_rng(2).normal(size=(5, 3, 6)), np.ones((5, 3), dtype=np.bool_)
    found = Predictor(trained).predict(x, ready, None, places)[:, 1]
    shared = {k.removeprefix("inner."): v for k, v in trained.weights.items() if ".own." not in k}
    plain = replace(
        trained,
        spec=ModelSpec(trained.spec.settings.model_copy(update={"heads": "shared"}), 6, TASKS),
        weights=shared,
    )
    assert weights_of(plain.network()).keys() == shared.keys()
    assert found.tobytes() == Predictor(plain).predict(x, ready)[:, 1].tobytes()


def test_own_heads_find_what_differs_between_symbols(make_dataset: MakeDataset) -> None:
    """The return follows feature 0 upwards in A and B, and downwards in C."""
    dataset = make_dataset(n_bars=600)
    y = dataset.y.copy()
    y[dataset.symbol == 2, 0] *= -1.0
    dataset = replace(dataset, y=y[:, :1], tasks=TASKS[:1], symbols=SYMBOLS)
    training = Training(
        weights={}, epochs=12, batch_size=128, min_rows=10, learning_rate=0.01, patience=12
    )
    losses = {}
    for heads in ("shared", "per_symbol"):
        model = Model(members=1, hidden=(16, 8), head_hidden=8, heads=heads)
        losses[heads] = train(dataset, model, training, 1).metrics["loss_validation"]["return_5"]
    embedded = Model(members=1, hidden=(16, 8), head_hidden=8, symbol_embedding=4)
    losses["embedded"] = train(dataset, embedded, training, 1).metrics["loss_validation"][
        "return_5"
    ]
    assert losses["per_symbol"] < 0.6 * losses["shared"]
    assert losses["embedded"] < 0.6 * losses["shared"]


def test_rows_must_name_their_symbols(make_dataset: MakeDataset) -> None:
    with pytest.raises(DataError, match="do not name theirs"):
        train(
            make_dataset(),
            Model(members=1, symbol_embedding=2),
            Training(weights={}, min_rows=10),
            1,
        )
