"""The shape of the code: modules and functions that one can read, and calls that say what they pass."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "bot").rglob("*.py"))
MOST_LINES = 300
MOST_FUNCTION_LINES = 65
MOST_UNNAMED = 5
_COMPILERS = ("njit", "hot", "cold")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short_or_says_why_not(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    lines, header = len(source.splitlines()), ast.get_docstring(ast.parse(source)) or ""
    told = any(line.startswith("Over 300 lines: ") for line in header.splitlines())
    assert lines <= MOST_LINES or told, (
        f"{lines} lines: split it, or say in its header why not ('Over 300 lines: …')"
    )
    assert lines > MOST_LINES or not told, "its header says that it is over 300 lines; it is not"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_function_fits_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MOST_FUNCTION_LINES, f"{node.name} has {lines} lines"


def is_compiled(function: Function) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id in _COMPILERS
        for decorator in function.decorator_list
        for node in ast.walk(decorator)
    )


def takes_any_number(function: Function) -> bool:
    return function.args.vararg is not None


def callables() -> dict[str, bool]:
    """Return the names of the functions and classes, and whether any of them may be called unnamed."""
    found: dict[str, bool] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, False)
            elif isinstance(node, Function):
                unnamed = is_compiled(node) or takes_any_number(node)
                found[node.name] = found.get(node.name, False) or unnamed
    return found


def calls_of_uncompiled(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of a module that no compiled function makes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function) and is_compiled(node):
            continue
        if isinstance(node, ast.Call):
            yield node
        yield from calls_of_uncompiled(node)


def faults(source: str, unnamed_allowed: dict[str, bool]) -> list[str]:
    """Return the calls of ours, or of a class by `cls` or `type(self)`, with too many unnamed."""
    found = []
    for call in calls_of_uncompiled(ast.parse(source)):
        match call.func:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                ours = name == "cls" or not unnamed_allowed.get(name, True)
            case other:
                name = ast.unparse(other)
                ours = name == "type(self)"
        if ours and len(call.args) > MOST_UNNAMED:
            found.append(f"line {call.lineno}: {name} is given {len(call.args)} unnamed values")
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_call_names_what_it_passes(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8"), KNOWN) == []


KNOWN = callables()


def test_the_check_of_calls_finds_what_it_should() -> None:
    known = {"ours": False, "kernel": True}
    assert (
        faults("ours(1, 2, 3, 4, 5, f=6)\nkernel(1, 2, 3, 4, 5, 6)\nzip(1, 2, 3, 4, 5, 6)", known)
        == []
    )
    assert len(faults("x.ours(1, 2, 3, 4, 5, *rest)", known)) == 1
    assert len(faults("class C:\n def f(self):\n  return type(self)(1, 2, 3, 4, 5, 6)", known)) == 1
    assert faults("@njit(cache=True)\ndef k():\n ours(1, 2, 3, 4, 5, 6)", known) == []


def types_defined(source: str) -> Iterator[str]:
    """Yield the names of classes, and of the aliases and type variables of a module."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and re.fullmatch(r"_?[A-Z][a-z]\w*", target.id):
            yield target.id


def test_a_name_of_a_type_is_one_thing() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for name in types_defined(path.read_text(encoding="utf-8")):
            found[name].append(name_of(path))
    twice = {name: places for name, places in found.items() if len(places) > 1}
    assert twice == {}, "give each thing a word of its own"


def test_the_check_of_names_finds_classes_and_aliases() -> None:
    source = (
        "A = 1\nPrice = dict[str, float]\nBar: TypeAlias = int\nMADE = 2\nlow = Price()\n"
        "class Book:\n class Row:\n  pass\n"
    )
    assert sorted(types_defined(source)) == ["Bar", "Book", "Price", "Row"]


TESTS = sorted((ROOT / "tests").rglob("*.py"))
_OF_TUPLES = {"_replace", "_fields", "_asdict"}  # public, whatever they look like
_OF_OTHERS = {
    ("tests/app/training/test_pool.py", "os._exit"),
    ("tests/model/training/test_weighting_family.py", "theirs._w"),  # torchjd's
    ("tests/test_shape.py", "bot.app.fetch._ROWS"),  # an example, below
}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in _OF_TUPLES


def private_names(source: str) -> Iterator[str]:
    """Yield what a test reaches that is private to something else than itself."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                if module.split(".")[0] == "bot":
                    named = [part for name in names for part in (*module.split("."), name.name)]
                    yield from (f"{module}: {part}" for part in named if is_private(part))
            case ast.Attribute(value=value, attr=attr) if is_private(attr):
                if ast.unparse(value) not in ("self", "cls", "super()"):
                    yield ast.unparse(node)
            case ast.Constant(value=str(text)) if re.fullmatch(r"bot(\.\w+)+", text):
                yield from (text for part in text.split(".") if is_private(part))
            case ast.Call(func=ast.Name(id="getattr" | "setattr") | ast.Attribute(attr="setattr")):
                for given in node.args[:2]:
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        yield from [given.value] if is_private(given.value) else []


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_a_test_reaches_no_private_name(path: Path) -> None:
    found = {(name_of(path), name) for name in private_names(path.read_text(encoding="utf-8"))}
    assert found - _OF_OTHERS == set(), "test what it does, or give the name no underscore"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from bot.compiled import _places", ["bot.compiled: _places"]),
        ("from bot._hidden import places", ["bot._hidden: _hidden"]),
        ("network._layers", ["network._layers"]),
        ("a.b()._rows = 1", ["a.b()._rows"]),
        ("patch.setattr('bot.app.fetch._ROWS', 1)", ["bot.app.fetch._ROWS"]),
        ("patch.setattr(Predictor, '_steady', f)", ["_steady"]),
        ("getattr(journal, '_db')", ["_db"]),
        ("self._own + rules._replace(a=1) + x.__name__ + '_text'", []),
        ("from bot.parts import feature\nfrom numpy import _core", []),
    ],
)
def test_the_check_of_private_names_finds_them(source: str, found: list[str]) -> None:
    assert list(private_names(source)) == found
