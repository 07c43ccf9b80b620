"""What the server of trainings does before it is forked from."""

from __future__ import annotations

import subprocess
import sys

FORBIDDING = """
import torch

def refuse(*args, **kwargs):
    raise AssertionError("autograd was used in the process that trainings are forked from")

torch.autograd.backward = torch.autograd.grad = torch.Tensor.backward = refuse
import bot.app.training.preload
print("warm")
"""


def test_the_server_never_differentiates_by_torch() -> None:
    """Where torch sees a GPU, autograd works in no fork of a process that has used it."""
    done = subprocess.run(
        [sys.executable, "-c", FORBIDDING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "warm\n"), done.stderr
