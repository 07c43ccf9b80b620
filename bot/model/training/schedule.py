"""The learning rate over the steps of a training, as a factor on training.learning_rate.

Owns `rate_factor`. Rule: it depends on the step alone, counted over all training.epochs, so a training
that stops early has seen the first part of its schedule. What a weighting learns keeps its own rate.
"""

from __future__ import annotations

import math

from bot.config.schema import Training

_CYCLES = 4


def rate_factor(training: Training, step: int, steps_an_epoch: int) -> float:
    """Return the factor of a step, counted from 0.

    With "coslog4" it is (1 − cos(2π log2(1 + 15 t))) / 2 with t the share of all steps that are done:
    four cycles, each twice as long as the one before (Holzmüller, Grinsztajn & Steinwart 2024, RealMLP).

    >>> t = Training(schedule="coslog4", epochs=15)
    >>> [round(rate_factor(t, step, 1), 3) for step in (0, 1, 3, 7)]
    [0.0, 0.0, 0.0, 0.0]
    >>> round(rate_factor(t, 2, 1), 3), rate_factor(Training(), 9, 4)
    (0.93, 1.0)
    """
    if training.schedule == "constant":
        return 1.0
    done = step / (training.epochs * steps_an_epoch)
    turns = math.log2(1.0 + (2**_CYCLES - 1) * done)
    return 0.5 * (1.0 - math.cos(2.0 * math.pi * turns))
