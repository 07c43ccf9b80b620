"""How many threads torch computes with.

Owns the one rule: a training and a worker process use one thread, and processes run side by side
instead; two threads are slower on a shared machine, and sums may then come out in another order.
Nothing is set by importing this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def single_thread() -> None:
    """Let torch compute on one thread for the rest of this process (workers call it first)."""
    torch.set_num_threads(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block, and on as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
