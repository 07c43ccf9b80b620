"""What arrays of quantities are in the quote currency: of each by plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from bot.blocks import FILL
from bot.portfolio.worth import value_of, values_of_fills

QUANTITY = np.array([[2.0, 300.0], [-4.0, -50.0]])
PRICE = np.array([[10.0, 100.0], [20.0, 125.0]])


@pytest.mark.parametrize(
    ("inverse", "expected"),
    [
        (None, [[20.0, 30_000.0], [-80.0, -6_250.0]]),
        ([False, True], [[20.0, 300.0], [-80.0, -50.0]]),
        ([True, False], [[2.0, 30_000.0], [-4.0, -6_250.0]]),
    ],
)
def test_contracts_are_worth_their_number_and_coins_their_price(
    inverse: list[bool] | None, expected: list[list[float]]
) -> None:
    held = None if inverse is None else np.array(inverse)
    assert value_of(QUANTITY, PRICE, held).tolist() == expected
    fills = np.zeros(4, dtype=FILL)
    fills["symbol"] = [0, 1, 0, 1]
    fills["quantity"], fills["price"] = QUANTITY.ravel(), PRICE.ravel()
    assert values_of_fills(fills, held).tolist() == np.ravel(expected).tolist()
