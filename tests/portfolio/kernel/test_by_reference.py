"""Named tuples by reference: their attributes are those of the tuple, nested ones included."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numba.core.errors import TypingError

from bot.blocks import F64
from bot.portfolio.kernel.by_reference import by_reference
from bot.portfolio.kernel.compiling import cold


class _Inner(NamedTuple):
    rate: float
    table: F64


class _Outer(NamedTuple):
    is_on: bool
    number: int
    values: F64
    inner: _Inner


@cold
def _add_up(outer: _Outer, other: _Inner | None) -> float:
    total: float = outer.inner.rate * outer.inner.table[1, 0] + outer.values[0] + outer.number
    if other is not None:
        total += other.rate
    outer.values[0] -= 1.0
    return total if outer.is_on else -total


@cold
def _through_reference(outer: _Outer, other: _Inner | None) -> float:
    outer, other = by_reference(outer), by_reference(other)
    total = 0.0
    for _ in range(3):
        total += _add_up(outer, other)
    return total


@cold
def _size(inner: _Inner) -> int:
    return by_reference(inner).table.size


@cold
def _asks_for_nothing(outer: _Outer) -> float:
    return by_reference(outer).absent  # type: ignore[attr-defined,no-any-return]


def _outer(is_on: bool) -> _Outer:
    return _Outer(is_on, 7, np.array([1.0, 2.0]), _Inner(0.5, np.array([[3.0], [4.0]])))


@pytest.mark.parametrize("is_on", [False, True])
@pytest.mark.parametrize("other", [None, _Inner(10.0, np.zeros((1, 1)))])
def test_is_read_and_its_arrays_are_written_as_the_tuple_itself(
    is_on: bool, other: _Inner | None
) -> None:
    outer, alike = _outer(is_on), _outer(is_on)

    total = _through_reference(outer, other)

    assert total == sum(_add_up.py_func(alike, other) for _ in range(3))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(outer.values, alike.values)


def test_two_shapes_of_one_tuple_are_two_types() -> None:
    line = np.array([3.0, 4.0])

    assert _size(_Inner(0.5, line)) == 2
    assert _size(_Inner(0.5, line.reshape(1, 2))) == 2


def test_an_attribute_that_is_not_there_is_refused_at_compiling() -> None:
    with pytest.raises(TypingError, match="absent"):
        _asks_for_nothing(_outer(True))
