"""What is said of stretches that another build made."""

from __future__ import annotations

import pytest

from bot.adapters.record.difference import Difference
from bot.app.verify.stretches import Unproved
from bot.timegrid import HOUR_MS

DIFFERENCE = Difference("ledger", "cash", HOUR_MS, None, 1.0, 2.0)


@pytest.mark.parametrize(
    ("after", "to", "model_id", "said"),
    [
        (None, None, None, "all bars were made by X"),
        (HOUR_MS, None, None, "the bars after 1970-01-01 01:00 were made by X"),
        (None, HOUR_MS, None, "the bars up to 1970-01-01 01:00 were made by X"),
        (0, HOUR_MS, None, "the bars after 1970-01-01 00:00 up to 1970-01-01 01:00 were made by X"),
        (0, None, "m", "the training rows of model m, due at 1970-01-01 00:00, were made by X"),
        (None, None, "m", "the training rows of model m were made by X"),
    ],
)
def test_an_end_that_is_open_is_said_in_words(
    after: int | None, to: int | None, model_id: str | None, said: str
) -> None:
    of = Unproved("X", after, to, DIFFERENCE, model_id)
    assert str(of).startswith(f"{said}, which proves them; here ")
