"""What quantities of symbols are in the quote currency, for whole arrays of them.

Rules: of a linear symbol a quantity is in the base currency, of an inverse one it is a number of contracts of
one unit of the quote currency each. The same as `kernel/contracts.py` knows of one quantity.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bot.blocks import F64, Bool


def value_of(quantity: F64, price: F64, inverse: Bool | None) -> F64:
    """Return the value of quantities at their prices, signed as they are.

    Args:
        quantity, price: float64[..., S].
        inverse: bool[..., S], which symbols are held in contracts; None for none.

    >>> value_of(np.array([2.0, 2.0]), np.array([10.0, 10.0]), np.array([False, True])).tolist()
    [20.0, 2.0]
    """
    linear: F64 = quantity * price
    return linear if inverse is None else np.where(inverse, quantity, linear)


def values_of_fills(fills: npt.NDArray[np.void], inverse: Bool | None) -> F64:
    """Return what each fill traded, positive where it bought.

    Args:
        fills: of dtype FILL.
        inverse: bool[S], as above.
    """
    of_each = None if inverse is None else inverse[fills["symbol"]]
    return value_of(fills["quantity"], fills["price"], of_each)
