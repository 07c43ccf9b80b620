"""The small faults: one change of one expression or statement of a module at a time.

Owns what a mutation is, and its name. Rules: a mutation never touches docstrings, annotations,
decorators, messages of errors or names; its key says where it is in words that survive unrelated
edits (function, the code before and after, and which of several alike). Must not run anything.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Add, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
_CALLS = {
    "min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum",
    "maximum": "minimum", "floor": "ceil", "nanmean": "nansum", "mean": "sum", "isnan": "isfinite",
    "isfinite": "isnan", "abs": "float", "flatnonzero": "flatnonzero", "argmax": "argmin",
    "logical_or": "logical_and", "logical_and": "logical_or",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault: the function it is in, its line, the code before and after, how many alike.

    `statement` is the code of the function, or of the module's other statement, with the fault in
    it; `source` that of the whole module. Both are made when they are asked for.
    """

    function: str
    line: int
    before: str
    after: str
    nth: int
    statement: Callable[[], str] = field(repr=False, compare=False)
    source: Callable[[], str] = field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """Return its name: `function: before -> after`, numbered where there are several."""
        number = f" #{self.nth}" if self.nth else ""
        return f"{self.function}: {self.before} -> {self.after}{number}"


def mutations_of(source: str) -> list[Mutation]:
    """Return every mutation of a module's source, in the order of its lines.

    >>> [m.key for m in mutations_of("def f(x):\\n    return x + 1")]
    ['f: x + 1 -> x - 1', 'f: 1 -> 2']
    """
    tree = ast.parse(source)
    found: list[Mutation] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for place in _places(tree):
        for after in _variants(place.node):
            before = ast.unparse(place.node)
            shown = ast.unparse(after) if after is not None else "(nothing)"
            name = (place.function, _short(before), _short(shown))
            made = (partial(_written, part, place, after) for part in (place.statement, tree))
            found.append(Mutation(*name[:1], place.line, *name[1:], seen[name], *made))
            seen[name] += 1
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """A node, where its parent keeps it, and the statement and function it stands in."""

    node: ast.AST
    parent: ast.AST
    name: str
    index: int | None
    statement: ast.AST
    function: str
    line: int


def _places(tree: ast.Module) -> Iterator[_Place]:
    yield from _below(tree, tree, "module", 0)


def _below(node: ast.AST, statement: ast.AST, function: str, line: int) -> Iterator[_Place]:
    """Yield what is below a node, each with the outermost statement not a class it stands in."""
    outside = isinstance(node, ast.Module | ast.ClassDef)
    for name, value in ast.iter_fields(node):
        if _untouched(node, name):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _left_out(child):
                continue
            at = getattr(child, "lineno", line)
            own = child if outside and isinstance(child, ast.stmt) else statement
            yield _Place(child, node, name, index, own, function, at)
            inside = function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = child.name if function == "module" else f"{function}.{child.name}"
            yield from _below(child, own, inside, at)


def _untouched(node: ast.AST, field: str) -> bool:
    """Tell whether a field says nothing at run time that a test should notice."""
    return field in {"annotation", "returns", "decorator_list", "bases", "keywords_of_class"} or (
        isinstance(node, ast.Raise) or (isinstance(node, ast.Assert) and field == "msg")
    )


def _left_out(node: ast.AST) -> bool:
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    checking = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return text or checking or isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr)


def _variants(node: ast.AST) -> list[ast.AST | None]:
    """Return what stands in place of a node, one fault each; None takes a statement away."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        other = copy.deepcopy(node)
        other.ops = [_COMPARE[type(node.ops[0])]()]
        return [other]
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _BINARY:
        changed = copy.deepcopy(node)
        changed.op = _BINARY[type(node.op)]()
        return [changed]
    if isinstance(node, ast.BoolOp):
        joined = copy.deepcopy(node)
        joined.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return [joined]
    if isinstance(node, ast.UnaryOp):
        return [copy.deepcopy(node.operand)]
    if isinstance(node, ast.Constant):
        return _constants(node)
    if isinstance(node, ast.Call):
        return _calls(node)
    if isinstance(node, ast.IfExp):
        return [copy.deepcopy(node.body), copy.deepcopy(node.orelse)]
    if isinstance(node, ast.Continue):
        return [ast.Break()]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return [None]
    return []


def _constants(node: ast.Constant) -> list[ast.AST | None]:
    value = node.value
    if isinstance(value, bool):
        return [ast.Constant(not value)]
    if isinstance(value, int):
        return [ast.Constant(value + 1)]
    if isinstance(value, float):
        return [ast.Constant(1.0 if value == 0.0 else value * 2.0)]
    return []


def _calls(node: ast.Call) -> list[ast.AST | None]:
    called = node.func
    name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
    other = _CALLS.get(name, name)
    if other == name:
        return []
    changed = copy.deepcopy(node)
    if isinstance(changed.func, ast.Name):
        changed.func.id = other
    elif isinstance(changed.func, ast.Attribute):
        changed.func.attr = other
    return [changed]


def _written(part: ast.AST, place: _Place, after: ast.AST | None) -> str:
    """Return the code of a part of the module while another node, or none, is in a place."""
    there = ast.Pass() if after is None else after
    _put(place, there)
    try:
        return ast.unparse(there if part is place.node else part)
    finally:
        _put(place, place.node)


def _put(place: _Place, node: ast.AST) -> None:
    if place.index is None:
        setattr(place.parent, place.name, node)
    else:
        getattr(place.parent, place.name)[place.index] = node


def _short(code: str) -> str:
    line = " ".join(code.split())
    return line if len(line) <= 90 else line[:87] + "..."
