"""A mutated function in the place of the one that was imported, so that nothing is imported anew.

Rules: only a plain function is changed, in place, so that whoever has imported it runs the fault too;
what is more than that (a cached or compiled function, a property, a module's statement) is refused.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from scripts.mutating.mutations import Mutation


@dataclass(frozen=True, slots=True)
class Patch:
    """A function as it was imported, and as it is to be."""

    standing: FunctionType
    changed: FunctionType

    def put(self) -> None:
        """Give the function the code and the defaults of the changed one."""
        self.standing.__code__ = self.changed.__code__
        self.standing.__defaults__ = self.changed.__defaults__
        self.standing.__kwdefaults__ = self.changed.__kwdefaults__


def patch_of(module: str, mutation: Mutation) -> Patch | None:
    """Return what puts the mutation in place, None where it is of no plain function."""
    standing = _standing(module, mutation)
    if standing is None:
        return None
    tree = ast.parse(mutation.statement())
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef):
        return None
    function.decorator_list = []
    tree.body.insert(0, ast.parse("from __future__ import annotations").body[0])
    namespace = dict(vars(sys.modules[module]))
    try:
        exec(compile(tree, str(sys.modules[module].__file__), "exec"), namespace)
    except Exception:  # noqa: BLE001 - a default that cannot be worked out shows in a new import
        return None
    return Patch(standing, namespace[function.name])


def _standing(module: str, mutation: Mutation) -> FunctionType | None:
    """Return the outermost function of the mutation's name, or that behind a plain kernel."""
    found: Any = sys.modules.get(module)
    for name in mutation.function.split("."):
        found = vars(found).get(name) if hasattr(found, "__dict__") else None
        if not isinstance(found, type):
            break
    if not isinstance(found, FunctionType):
        return None
    inside = vars(found).get("py_func", found)
    return inside if isinstance(inside, FunctionType) and inside.__closure__ is None else None
