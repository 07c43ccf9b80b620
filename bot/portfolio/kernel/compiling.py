"""How the kernel's functions are compiled: inlined for every bar, or called when something happens.

Must not know what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from bot.compiled import njit

# The functions read dozens of arrays out of tuples and allocate nothing: without reference counts
# on those arrays (_nrt=False) the loop is ten times as fast.
_OPTIONS: dict[str, Any] = {"cache": True, "_nrt": False, "no_cfunc_wrapper": True}
_Function = TypeVar("_Function", bound=Callable[..., Any])


def hot(function: _Function) -> _Function:
    """Compile what runs for every bar, inlined into the loop."""
    return cast(_Function, njit(forceinline=True, **_OPTIONS)(function))


def cold(function: _Function) -> _Function:
    """Compile the loop, and what runs when something happens, as a function that is called.

    It is said each time: a function that an inlined one calls would else be inlined too.
    """
    return cast(_Function, njit(forceinline=False, **_OPTIONS)(function))
