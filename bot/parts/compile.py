"""A user's function to machine code of a fixed signature, called by pointer from the kernels.

A function that is called by pointer leaves the kernels as they are compiled for the shipped parts,
so that a run without parts of a user's own is not slower, and one with them compiles only these.
Rule: what does not compile is reported by file and line. Must not know what a function is for.
"""

from __future__ import annotations

import dis
import inspect
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba import from_dtype, types
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


def record(dtype: np.dtype[np.void]) -> Any:
    """Return the type of one record, whose fields a part reads and writes by name."""
    return from_dtype(dtype)


_OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": True}
"""Division is numpy's, and an index outside an array is an error (`faults_of`)."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a compiled part takes and returns: names in order, their types, and the result's."""

    names: tuple[str, ...]
    types: tuple[Any, ...]
    result: Any = NUMBER

    def __str__(self) -> str:
        return ", ".join(
            f"{n}: {_type_in_words(t)}" for n, t in zip(self.names, self.types, strict=True)
        )


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
    raising = _raising_line(python)
    if raising:
        raise ConfigError(
            f"{where}: {what} raises at line {raising}, which machine code called by the bot "
            "cannot tell anyone; return NaN instead"
        )
    began = time.perf_counter()
    try:
        call = cfunc(signature.result(*signature.types), **_OPTIONS)(python)
    except KeyError as error:
        raise ConfigError(
            f"{where}: {what} does not compile for ({signature}): there is no field {error}"
        ) from None
    except NumbaError as error:
        given = "nothing" if signature.result is NOTHING else "a number"
        raise ConfigError(
            f"{where}: {what} does not compile for ({signature}): {_first_lines(error)}; use numbers, "
            f"numpy arrays, loops and math only, and return {given}"
        ) from None
    return Compiled(call, python, time.perf_counter() - began)


def _raising_line(function: Any) -> int:
    """Return the line at which a function raises or asserts, 0 where it does neither."""
    for instruction in dis.get_instructions(function):
        if instruction.opname == "RAISE_VARARGS" and instruction.positions is not None:
            return instruction.positions.lineno or 0
    return 0


@contextmanager
def faults_of(*calls: Any) -> Iterator[None]:
    """Raise what a user's function that is called by pointer meets, such as an index outside an array.

    Machine code cannot raise through a pointer: the fault reaches Python's hook for such, and the call
    returns 0. Indices are checked, so that nothing outside an array is ever read or written.

    Args:
        calls: the compiled functions that may be called meanwhile; None for shipped ones.

    Raises:
        ConfigError: the first fault, with the place of what was called.
    """
    own = [call for call in calls if call is not None]
    if not own:
        yield
        return
    met: list[BaseException] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda given: met.append(given.exc_value) if given.exc_value else None
    try:
        yield
    finally:
        sys.unraisablehook = before
    if met:
        raise ConfigError(
            f"{' or '.join(place_of(call.__wrapped__) for call in own)}: {type(met[0]).__name__}: {met[0]}; "
            "'bot parts check' tries it as plain Python, which says more"
        )


def place_of(function: Any) -> str:
    """Return 'file, line n' of a function or class."""
    if code := getattr(function, "__code__", None):
        return f"{code.co_filename}, line {code.co_firstlineno}"
    try:
        path, (_, line) = inspect.getsourcefile(function), inspect.getsourcelines(function)
    except (OSError, TypeError):
        return repr(function)
    return f"{path}, line {line}"


def _type_in_words(kind: Any) -> str:
    if isinstance(kind, types.Record):
        return f"a record of {', '.join(kind.fields)}"
    return {
        NUMBER: "a number", ROW: "float64[L]", TABLE: "float64[L, S]", OUTPUT: "to write to",
    }[kind]  # fmt: skip


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("Failed in", "During: resolving"))]
    return " ".join(kept[:3])[:400]


def compiled_part(part: Part, given: Mapping[str, Any], signature: Signature) -> Compiled:
    """Compile a part, once for each of its settings.

    Args:
        given: its section, as it stands in the settings.

    Raises:
        ConfigError: its settings are refused, or it does not compile.
    """
    return _compiled(part, json.dumps(given, sort_keys=True), signature)


_took_s: dict[str, float] = {}


def compile_times() -> dict[str, float]:
    """Return the seconds that each of a user's parts took to compile in this process, by its name."""
    return dict(_took_s)


@cache
def _compiled(part: Part, given: str, signature: Signature) -> Compiled:
    section = section_of(part, json.loads(given))
    function = part.made if section is None else part.made(section)
    what = f"{part.kind.replace('_', ' ')} '{part.name}'"
    compiled = compile_part(function, signature, what)
    _took_s[what] = compiled.took_s
    return compiled
