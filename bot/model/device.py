"""Where a training computes: on the CPU, or on a GPU that torch finds.

Owns `device_of` and what a model's manifest says of it. Rules: the CPU is the reference, which the same
rows and seed give the same bits on; whatever is drawn at random is drawn by CPU generators and moved.
Forecasts are no matter of this: they are always made on the CPU.
"""

from __future__ import annotations

from typing import Any

import torch

from bot.errors import ConfigError

CPU = torch.device("cpu")


def device_of(setting: str) -> torch.device:
    """Return where a training with this training.device computes on this machine.

    Args:
        setting: 'cpu'; 'cuda'; or 'auto', a GPU where torch finds one, else the CPU.

    Raises:
        ConfigError: 'cuda', and torch finds no GPU.
    """
    if setting == "cpu":
        return CPU
    if torch.cuda.is_available():
        return torch.device("cuda")
    if setting == "auto":
        return CPU
    built = torch.version.cuda
    if built is None:
        found = f"torch {torch.__version__} is built without CUDA; install a build of torch with it"
    else:
        found = (
            f"torch {torch.__version__} is built for CUDA {built} and finds no GPU; look at "
            "'nvidia-smi' and CUDA_VISIBLE_DEVICES"
        )
    raise ConfigError(
        f"training.device = 'cuda': {found}, or set training.device = 'cpu' (or 'auto', which takes "
        "a GPU where there is one)"
    )


def check_device(setting: str) -> None:
    """Refuse a training.device that this machine does not have, before anything is trained.

    Raises:
        ConfigError: with what was found, and the fix.
    """
    device_of(setting)


def facts_of(device: torch.device) -> dict[str, Any]:
    """Return what a model's manifest says of where it was trained, as JSON values.

    >>> facts_of(CPU)
    {'device': 'cpu'}
    """
    if device.type == "cpu":
        return {"device": "cpu"}
    return {
        "device": device.type,
        "name": torch.cuda.get_device_name(device),
        "cuda": torch.version.cuda,
    }
