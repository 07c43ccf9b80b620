"""Mutations are one change each, named for good, and run without touching a file."""

from __future__ import annotations

import ast
import importlib
import signal
import time
from pathlib import Path

import pytest

from scripts.mutating.covering import Covering
from scripts.mutating.equivalents import equivalents
from scripts.mutating.mutations import Mutation, mutations_of
from scripts.mutating.patching import patch_of
from scripts.mutating.record import Record
from scripts.mutating.running import Fork, let_compute
from scripts.mutating.subjects import SUBJECTS

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

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


FAULTY = """
LIMIT = 3

def f(x, least=1):
    return max(x, least) + 5

class Limit:
    def above(self, x):
        return x > 7

    @property
    def most(self):
        return 9
"""


def test_a_fault_is_put_where_a_function_was_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "put_into.py").write_text(FAULTY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("put_into")
    f, above = module.f, module.Limit().above

    def answers() -> tuple[int, int, bool]:
        return f(0), f(3), above(7)

    found = {}
    for mutation in mutations_of(FAULTY):
        patch = patch_of("put_into", mutation)
        if patch is not None:
            back = type(patch)(patch.standing, type(f)(patch.standing.__code__, {}))
            back.changed.__defaults__ = patch.standing.__defaults__
            patch.put()
            found[mutation.key] = answers()
            back.put()
    assert answers() == (6, 8, False)
    assert found == {
        "f: 1 -> 2": (7, 8, False),
        "f: max(x, least) + 5 -> max(x, least) - 5": (-4, -2, False),
        "f: max(x, least) -> min(x, least)": (5, 6, False),
        "f: 5 -> 6": (7, 9, False),
        "Limit.above: x > 7 -> x >= 7": (6, 8, True),
        "Limit.above: 7 -> 8": (6, 8, False),
    }


def test_a_fault_is_shown_to_the_tests_that_run_its_function_the_quickest_first() -> None:
    seconds = {"slow": 9.0, "quick": 0.1, "middle": 1.0}
    of_f = frozenset({"slow", "quick"})
    covering = Covering(
        seconds, {("m.py", "f"): of_f, ("m.py", "g"): of_f}, frozenset({("m.py", "g")})
    )
    assert covering.of("m.py", "f") == ["quick", "slow"]
    assert covering.of("m.py", "g") == ["quick", "middle", "slow"]  # run by an import too
    assert covering.of("m.py", "module") == ["quick", "middle", "slow"]


def test_a_record_holds_for_the_code_it_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bot").mkdir()
    code = tmp_path / "bot" / "one.py"
    code.write_text("x = 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "record.jsonl"
    Record(file).keep("one: 1 -> 2", 1)
    assert Record(file).code_of("one: 1 -> 2") == 1
    assert Record(file).code_of("one: 1 -> 3") is None
    code.write_text("x = 3\n", encoding="utf-8")
    assert Record(file).code_of("one: 1 -> 2") is None


def test_a_run_is_ended_by_what_it_computes_and_not_by_the_clock() -> None:
    def endless() -> int:
        while True:
            pass

    def slow() -> int:
        time.sleep(1.1)  # as on a machine that others use
        return 3

    def endless_in_its_second_test() -> int:
        let_compute(30.0)
        let_compute(1.0)
        return endless()

    def slow_after_the_first() -> int:
        let_compute(0.0)
        let_compute(30.0)
        end = time.process_time() + 1.2
        while time.process_time() < end:
            pass
        return 4

    running = [
        Fork(endless, 1.0), Fork(slow, 1.0), Fork(endless_in_its_second_test, 60.0),
        Fork(slow_after_the_first, 60.0), Fork(endless_in_its_second_test, 1.0),
    ]  # fmt: skip
    assert [fork.wait() for fork in running] == [-9, 3, -signal.SIGXCPU, 4, -9]
