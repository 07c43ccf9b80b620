"""A user's compiled functions, called by their address.

The kernel is compiled once and not for each user's function, and a number is what its caller is quick to
hand over: numba looks at a function object for a fifth of a millisecond at every call.

Rule: who is called was compiled for exactly these types. Must not know what it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_functions: dict[int, Any] = {}
"""By address; what is called from machine code must not be collected meanwhile."""


def address_of(function: Any) -> int:
    """Return the address of a compiled function, 0 of None."""
    if function is None:
        return 0
    address = int(function.address)
    _functions[address] = function
    return address


def caller(result: Any, of_asked: Any, of_state: Any) -> Callable[..., Any]:
    """Return what calls, from machine code, a function of these types: (address, asked, state).

    Args:
        result: numba's type of what is returned.
        of_asked, of_state: of its two arguments.
    """

    @intrinsic
    def call(_typing: Any, _address: Any, asked: Any, state: Any) -> Any:
        def lower(context: Any, builder: Any, _signature: Any, given: Any) -> Any:
            expected = of_asked, of_state
            kinds = [context.get_value_type(kind) for kind in expected]
            kind = ir.FunctionType(context.get_value_type(result), kinds).as_pointer()
            values = [
                context.cast(builder, value, have, want)
                for value, have, want in zip(given[1:], (asked, state), expected, strict=True)
            ]
            answer = builder.call(builder.inttoptr(given[0], kind), values)
            return context.get_dummy_value() if result is types.void else answer

        return result(types.int64, asked, state), lower

    def call_plainly(address: int, asked: Any, state: Any) -> Any:
        return _functions[address](asked, state)

    return call_plainly if numba.config.DISABLE_JIT else call  # type: ignore[attr-defined]
