"""Training steps written out by hand: less than half the time of autograd's, for some networks.

chosen          whether a training can go this way
steps           the steps of one network
flat            a module's parameters in one row of memory, and AdamW
tower           an encoder and its heads: forward and backward through one batch
losses          the losses of the tasks with their gradients
kernels         what lies between the matrix products, compiled
"""

from __future__ import annotations

from bot.model.training.by_hand.chosen import why_autograd
from bot.model.training.by_hand.steps import StepsByHand, folded

__all__ = ["StepsByHand", "folded", "why_autograd"]
