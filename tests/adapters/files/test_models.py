from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.files.manifests import load_manifest, sealed, trained_on
from bot.adapters.files.models import load_model, save_model
from bot.blocks import Task
from bot.config.schema import Model, Training
from bot.errors import ModelError
from bot.model.dataset import Dataset
from bot.model.predict import Predictor
from bot.model.training.train import TrainedModel, train

TASKS = tuple(Task(kind, 2) for kind in ("return", "direction", "volatility", "volume"))
EXTRA: dict[str, Any] = {"features": ["a", "b", "c"], "due_ms": 1_700_000_000_000, "parent": None}


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    rng = np.random.default_rng(1)
    n = 300
    y = rng.normal(size=(n, 4))
    y[:, 1] = y[:, 0] > 0
    y[:, 2] = np.abs(y[:, 2])
    dataset = Dataset(
        rng.normal(size=(n, 3)) / 3.0, y, np.arange(n), np.zeros(n, dtype=np.int64), TASKS
    )
    return train(
        dataset,
        Model(members=1, hidden=(8,), head_hidden=4),
        Training(weights={}, epochs=2, min_rows=10),
        4,
    )


@pytest.fixture(scope="module")
def saved(
    trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("models")
    model_id = save_model(folder, trained, EXTRA)
    return folder, model_id, {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(tmp_path: Path, model_id: str, files: dict[str, bytes], name: str) -> None:
    """Expect that loading these files is refused with the name of the bad one."""
    for other, content in files.items():
        (tmp_path / other).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        load_model(tmp_path, model_id)


def test_round_trip_gives_the_same_forecasts(
    saved: tuple[Path, str, dict[str, bytes]], trained: TrainedModel
) -> None:
    folder, model_id, files = saved
    again, manifest = load_model(folder, model_id)
    assert again.model_id == model_id == trained.model_id
    assert (again.spec, again.history, again.seed) == (trained.spec, trained.history, trained.seed)
    assert (again.metrics, again.baselines) == (trained.metrics, trained.baselines)
    for name in ("feature_mean", "feature_std", "target_mean", "target_std"):
        assert getattr(again.scaler, name).tobytes() == getattr(trained.scaler, name).tobytes()
    x = np.random.default_rng(2).normal(size=(50, 2, 3))
    ready = np.ones((50, 2), dtype=np.bool_)
    forecasts = [Predictor(model).predict(x, ready).tobytes() for model in (trained, again)]
    assert forecasts[0] == forecasts[1]
    assert {key: manifest[key] for key in EXTRA} == EXTRA
    assert manifest == load_manifest(folder, model_id)
    assert sorted(files) == [f"{model_id}.json", f"{model_id}.safetensors"]


def test_saving_twice_changes_nothing(
    saved: tuple[Path, str, dict[str, bytes]], trained: TrainedModel
) -> None:
    folder, model_id, files = saved
    assert save_model(folder, trained, EXTRA) == model_id
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_another_model_has_another_id(trained: TrainedModel, tmp_path: Path) -> None:
    name, array = next(iter(trained.weights.items()))
    nudged = array.copy()
    nudged.flat[0] = np.nextafter(nudged.flat[0], np.float32(9.0))
    scaler = replace(trained.scaler, target_mean=trained.scaler.target_mean + 1e-9)
    others = [
        replace(trained, weights={**trained.weights, name: nudged}),
        replace(trained, scaler=scaler),
    ]
    ids = [save_model(tmp_path, model, EXTRA) for model in (trained, *others)]
    assert len(set(ids)) == 3
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == sorted(ids)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_one_flipped_bit_is_refused(
    saved: tuple[Path, str, dict[str, bytes]], tmp_path: Path, data: st.DataObject
) -> None:
    _, model_id, files = saved
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    bit = data.draw(st.integers(0, 7))
    bad = bytearray(files[name])
    bad[at] ^= 1 << bit
    refused(tmp_path, model_id, {**files, name: bytes(bad)}, name)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_truncated_file_is_refused(
    saved: tuple[Path, str, dict[str, bytes]], tmp_path: Path, data: st.DataObject
) -> None:
    _, model_id, files = saved
    name = data.draw(st.sampled_from(sorted(files)))
    keep = data.draw(st.integers(0, len(files[name]) - 1))
    refused(tmp_path, model_id, {**files, name: files[name][:keep]}, name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"version": 1}', "is no model of this bot"),
        (b"[1, 2]", "is no model of this bot"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"format": "mtl-paper-bot/model", "version": 99}', "format version 99"),
        (b'{"format": "mtl-paper-bot/model", "version": 1, "x": NaN}', "does not match its own"),
    ],
)
def test_a_foreign_manifest_is_refused(
    saved: tuple[Path, str, dict[str, bytes]], tmp_path: Path, content: bytes, words: str
) -> None:
    _, model_id, files = saved
    refused(tmp_path, model_id, {**files, f"{model_id}.json": content}, words)


def test_missing_files_and_renamed_models_are_refused(
    saved: tuple[Path, str, dict[str, bytes]], tmp_path: Path
) -> None:
    _, model_id, files = saved
    with pytest.raises(ModelError, match="is missing"):
        load_model(tmp_path, model_id)
    (tmp_path / f"{model_id}.json").write_bytes(files[f"{model_id}.json"])
    with pytest.raises(ModelError, match=r"safetensors: is missing"):
        load_model(tmp_path, model_id)
    other = "0" * 16
    renamed = {name.replace(model_id, other): content for name, content in files.items()}
    refused(tmp_path, other, renamed, "model_id is not that of its content")


def test_weights_that_do_not_fit_the_network_are_refused(
    trained: TrainedModel, tmp_path: Path
) -> None:
    unfit = replace(trained, weights={"elsewhere": np.zeros(3, dtype=np.float32)})
    model_id = save_model(tmp_path, unfit, EXTRA)
    with pytest.raises(ModelError, match=r"json: the weights do not fit.*elsewhere"):
        load_model(tmp_path, model_id)


def test_the_manifest_names_its_features_and_keeps_its_own_keys(
    trained: TrainedModel, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="3 features"):
        save_model(tmp_path, trained, {"features": ["a"]})
    with pytest.raises(ModelError, match="seed may not be given"):
        save_model(tmp_path, trained, {**EXTRA, "seed": 1})
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_is_json_that_a_person_can_read(
    saved: tuple[Path, str, dict[str, bytes]],
) -> None:
    _, model_id, files = saved
    manifest = json.loads(files[f"{model_id}.json"])
    assert manifest["tasks"] == ["return_2", "direction_2", "volatility_2", "volume_2"]
    assert manifest["metrics"]["epochs"] == len(manifest["history"]) == 2


def test_a_manifest_says_where_the_model_was_trained(
    trained: TrainedModel, tmp_path: Path, saved: tuple[Path, str, dict[str, bytes]]
) -> None:
    folder, model_id, _ = saved
    assert trained_on(load_manifest(folder, model_id)) == {"device": "cpu"}
    gpu = {"device": "cuda", "name": "a GPU", "cuda": "13.0"}
    assert save_model(tmp_path, replace(trained, trained_on=gpu), EXTRA) == model_id
    again, manifest = load_model(tmp_path, model_id)
    assert again.trained_on == trained_on(manifest) == gpu


def test_a_model_of_before_was_trained_on_the_cpu(trained: TrainedModel, tmp_path: Path) -> None:
    model_id = save_model(tmp_path, trained, EXTRA)
    path = tmp_path / f"{model_id}.json"
    manifest = load_manifest(tmp_path, model_id)
    del manifest["trained_on"]
    path.write_bytes(sealed(manifest))
    assert load_model(tmp_path, model_id)[0].trained_on == {"device": "cpu"}
    for told in ("cpu", {}, {"device": None}):
        path.write_bytes(sealed(manifest | {"trained_on": told}))
        with pytest.raises(ModelError, match="does not say where the model was trained"):
            load_model(tmp_path, model_id)
