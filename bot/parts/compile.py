"""A user's function to machine code of a fixed signature, called by pointer from the kernels.

A function that is called by pointer leaves the kernels as they are compiled for the shipped parts,
so that a run without parts of a user's own is not slower, and one with them compiles only these.
Rule: what does not compile is told by file and line. Must not know what a function is for.
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from numba import types
from numba.core.errors import NumbaError

from bot.compiled import cfunc
from bot.errors import ConfigError
from bot.parts.registry import Part
from bot.parts.sections import section_of

COLUMNS = ("open", "high", "low", "close", "volume", "turnover")
"""What a bar is to a user's part, in this order."""

ROW = types.Array(types.float64, 1, "C", readonly=True)
TABLE = types.Array(types.float64, 2, "C", readonly=True)
OUTPUT = types.Array(types.float64, 1, "C")
"""Rows and tables of what is read, which nothing may write to, and a row to write to."""

NUMBER = types.float64
NOTHING = types.void


@dataclass(frozen=True, slots=True)
class Signature:
    """What a compiled part takes and returns: names in order, their types, and the result's."""

    names: tuple[str, ...]
    types: tuple[Any, ...]
    result: Any = NUMBER

    def __str__(self) -> str:
        said = {
            NUMBER: "a number", ROW: "float64[L]", TABLE: "float64[L, S]", OUTPUT: "to write to",
        }  # fmt: skip
        return ", ".join(f"{n}: {said[t]}" for n, t in zip(self.names, self.types, strict=True))


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled function, and how long compiling it took.

    Attributes:
        call: numba's first-class function, for the kernels.
        python: the function as it was written.
    """

    call: Any
    python: Callable[..., Any]
    took_s: float


def compile_part(function: Any, signature: Signature, what: str) -> Compiled:
    """Compile a function for exactly this signature.

    Args:
        what: its kind and name, for errors.

    Raises:
        ConfigError: it takes other arguments, or numba cannot compile it; with file and line.
    """
    python = getattr(function, "py_func", function)
    where = place_of(python)
    taken = tuple(inspect.signature(python).parameters)
    if len(taken) != len(signature.names):
        raise ConfigError(
            f"{where}: {what} takes ({', '.join(taken)}), expected {len(signature.names)} arguments: "
            f"{signature}"
        )
    began = time.perf_counter()
    try:
        call = cfunc(signature.result(*signature.types), error_model="numpy")(python)
    except NumbaError as error:
        raise ConfigError(
            f"{where}: {what} does not compile for ({signature}): {_first_lines(error)}; use numbers, "
            "numpy arrays, loops and math only, and return a number"
        ) from None
    return Compiled(call, python, time.perf_counter() - began)


def place_of(function: Any) -> str:
    """Return 'file, line n' of a function or class."""
    try:
        path, (_, line) = inspect.getsourcefile(function), inspect.getsourcelines(function)
    except (OSError, TypeError):
        return repr(function)
    return f"{path}, line {line}"


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Failed in", "During: resolving"))]
    return " ".join(told[:3])[:400]


def compiled_part(part: Part, given: Mapping[str, Any], signature: Signature) -> Compiled:
    """Compile a part, once for each of its settings.

    Args:
        given: its section, as it stands in the settings.

    Raises:
        ConfigError: its settings are refused, or it does not compile.
    """
    return _compiled(part, json.dumps(given, sort_keys=True), signature)


@cache
def _compiled(part: Part, given: str, signature: Signature) -> Compiled:
    section = section_of(part, json.loads(given))
    function = part.made if section is None else part.made(section)
    return compile_part(function, signature, f"{part.kind.replace('_', ' ')} '{part.name}'")
