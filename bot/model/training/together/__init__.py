"""The members of an ensemble trained at the same time, by steps written out by hand.

chosen          whether a training can go this way
descent         the epochs of all members
flat            a module's parameters and gradients, each in one row of memory
tower           an encoder and its heads: forward and backward through one batch
losses          the losses of the tasks with their gradients
kernels         what lies between the matrix products, compiled
"""

from __future__ import annotations

from bot.model.training.together.chosen import why_one_by_one
from bot.model.training.together.descent import descend_together

__all__ = ["descend_together", "why_one_by_one"]
