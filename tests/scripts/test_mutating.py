"""Mutations are one change each, named for good, and run without touching a file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.mutating.equivalents import equivalents
from scripts.mutating.mutations import Mutation, mutations_of
from scripts.mutating.subjects import SUBJECTS

SOURCE = '''
"""Header."""
LIMIT: int = 3

def f(x: int, *, on: bool = True) -> int:
    """Say 1 + 1."""
    if x < LIMIT and on:
        note(x)
        return -x
    if x < 0:
        raise ValueError(f"{x + 1} is too small")
    return max(x, 2)

class Limit:
    size: int = 5

    def above(self, x: int) -> bool:
        return x > self.size

note(LIMIT)
'''


def test_every_kind_of_change_is_made() -> None:
    assert [mutation.key for mutation in mutations_of(SOURCE)] == [
        "module: 3 -> 4",
        "f: True -> False",
        "f: x < LIMIT and on -> x < LIMIT or on",
        "f: x < LIMIT -> x <= LIMIT",
        "f: note(x) -> (nothing)",
        "f: -x -> x",
        "f: x < 0 -> x <= 0",
        "f: 0 -> 1",
        "f: max(x, 2) -> min(x, 2)",
        "f: 2 -> 3",
        "Limit: 5 -> 6",
        "Limit.above: x > self.size -> x >= self.size",
        "module: note(LIMIT) -> (nothing)",
    ]


def _statements(source: str) -> list[str]:
    """Return the code of each function or other statement of a module and of its classes."""
    return [
        ast.unparse(statement)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef)
        for statement in node.body
        if not isinstance(statement, ast.ClassDef)
    ]


def _changed(mutation: Mutation, plain: list[str]) -> list[str]:
    return [code for code in _statements(mutation.source()) if code not in plain]


def test_a_mutated_module_differs_in_the_one_statement() -> None:
    plain = _statements(SOURCE)
    for mutation in mutations_of(SOURCE):
        assert _changed(mutation, plain) == [mutation.statement()]


MODULES = [path for subject in SUBJECTS for path in subject.modules]


@pytest.mark.parametrize("path", MODULES)
def test_mutations_of_the_subjects(path: str) -> None:
    source = Path(path).read_text("utf-8")
    plain = _statements(source)
    found = mutations_of(source)
    assert len({mutation.key for mutation in found}) == len(found)
    for mutation in found:
        assert mutation.statement() not in plain, mutation.key
        compile(mutation.statement(), path, "exec")
    one = found[len(found) // 2]  # a whole module takes long to write out
    assert _changed(one, plain) == [one.statement()]


def test_the_list_of_equivalents_does_not_outlive_the_code() -> None:
    for path, reasons in equivalents().items():
        assert path in MODULES
        keys = {mutation.key for mutation in mutations_of(Path(path).read_text("utf-8"))}
        assert set(reasons) <= keys, f"{path}: {set(reasons) - keys}"
        assert all(len(reason) > 10 for reason in reasons.values())


def test_the_tests_of_the_subjects_exist() -> None:
    for subject in SUBJECTS:
        assert all(Path(test.partition("::")[0]).exists() for test in subject.tests), subject.name
