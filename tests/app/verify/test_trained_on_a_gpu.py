"""`bot verify` of a run whose models were trained on a GPU, where there is none.

The run is made by the project's own writer, told that a GPU trained; what it trained on is the CPU.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from bot.adapters.files.manifests import load_manifest, trained_on
from bot.app.runs.folder import RunFolder
from bot.app.verify.proof import Result, verify
from bot.model.training import train as train_module

if TYPE_CHECKING:
    from tests.conftest import Cli, RunIt

TINY = [
    "synthetic.symbols=2", "synthetic.bars=110", "features.window=5",
    "features.medium_window=6", "features.long_window=8", "features.correlation_window=6",
    "model.hidden=[4]", "model.head_hidden=2", "training.min_rows=20", "training.window_bars=60",
    "training.batch_size=32", "retrain.every_bars=30", "signal.threshold=0.0",
    "data.start=2023-01-03",
]  # fmt: skip
GPU = {"device": "cuda", "name": "NVIDIA H100 80GB HBM3", "cuda": "13.0"}


@pytest.fixture(scope="module")
def on_a_gpu(run_it: RunIt) -> RunFolder:
    """The first training is the CPU's, all others are a GPU's."""
    told = iter([{"device": "cpu"}])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "facts_of", lambda device: next(told, GPU))
        return run_it(*TINY).folder


def names_of(folder: RunFolder, device: str) -> list[str]:
    manifests = [load_manifest(folder.models, path.stem) for path in folder.models.glob("*.json")]
    return sorted(m["model_id"] for m in manifests if trained_on(m)["device"] == device)


def test_the_ledger_is_proved_and_the_training_is_named_as_unproved(
    on_a_gpu: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    by_gpu, by_cpu = names_of(on_a_gpu, "cuda"), names_of(on_a_gpu, "cpu")
    assert len(by_gpu) >= 2
    assert len(by_cpu) == 1
    verdict = verify(on_a_gpu)
    assert verdict.result is Result.IDENTICAL, verdict
    told = [each for each in verdict.unproved if each[0].startswith("the training of ")]
    assert told == [
        (
            f"the training of {', '.join(by_gpu)}",
            "it was on a GPU (NVIDIA H100 80GB HBM3, CUDA 13.0), which need not give the same bits again",
        )
    ]
    assert f"never proved: {told[0][0]}; {told[0][1]}" in str(verdict)


def test_the_command_says_so_too_and_its_exit_code_is_of_the_ledger(
    on_a_gpu: RunFolder, cli: Cli
) -> None:
    said = cli("verify", str(on_a_gpu.path), "--json")
    assert said.code == 0
    assert said.json["result"] == "identical"
    named = [each for each in said.json["unproved"] if each["what"].startswith("the training of ")]
    assert [each["what"] for each in named] == [
        f"the training of {', '.join(names_of(on_a_gpu, 'cuda'))}"
    ]


def test_a_manifest_that_was_made_to_say_the_cpu_is_found(on_a_gpu: RunFolder) -> None:
    path = on_a_gpu.models / f"{names_of(on_a_gpu, 'cuda')[0]}.json"
    content = path.read_text("utf-8")
    path.write_text(json.dumps(json.loads(content) | {"trained_on": {"device": "cpu"}}), "utf-8")
    assert verify(on_a_gpu).result is Result.DIFFERENT
    path.write_text(content, "utf-8")
    assert verify(on_a_gpu).result is Result.IDENTICAL
