"""Named tuples handed from compiled function to compiled function as one pointer.

numba hands a named tuple over field by field, an array as nine numbers and more: what the kernel's
functions share came to 500 arguments a call, and half of its compile time. `by_reference` lays a tuple
into the caller's frame once; what it returns has the tuple's attributes, a nested tuple's included.

Rules: only the outermost compiled function calls it, for its frame is where the tuple lies; nothing
else of a tuple than its attributes can be had through a reference. Must not know what is in the tuples.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils, imputils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model

_Tuple = TypeVar("_Tuple")
_places: Any = cgutils
_borrowed: Any = imputils.impl_ret_borrowed


class Reference(types.Type):
    """The type of a pointer to a named tuple of this type; it has a short name, as it is in symbols' names."""

    def __init__(self, of: Any) -> None:
        self.of = of
        digest = hashlib.sha256(str(of).encode()).hexdigest()[:12]
        super().__init__(name=f"Reference({of.instance_class.__name__}, {digest})")

    @property
    def key(self) -> Any:
        """Return what makes two of these the same type."""
        return self.of


@register_model(Reference)
class _ReferenceModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Reference) -> None:
        super().__init__(manager, of, manager.lookup(of.of).get_value_type().as_pointer())  # type: ignore[no-untyped-call]


@infer_getattr
class _ReferenceAttributes(AttributeTemplate):
    key = Reference

    def generic_resolve(self, reference: Reference, name: str) -> Any:  # type: ignore[override]
        """Return the type of an attribute, None where the tuple has none of this name."""
        fields = reference.of.fields
        if name not in fields:
            return None
        field = reference.of[fields.index(name)]
        return Reference(field) if isinstance(field, types.BaseNamedTuple) else field


@lower_getattr_generic(Reference)  # type: ignore[no-untyped-call]
def _load_attribute(context: Any, builder: Any, reference: Reference, at: Any, name: str) -> Any:
    place = reference.of.fields.index(name)
    pointer = _places.gep_inbounds(builder, at, 0, place)
    field = reference.of[place]
    if isinstance(field, types.BaseNamedTuple):
        return pointer
    return _borrowed(context, builder, field, _load(builder, pointer))


def _load(builder: Any, pointer: Any) -> Any:
    """Load a value number by number, as the optimizer sees through numbers and not through records."""
    kind = pointer.type.pointee
    if not isinstance(kind, ir.Aggregate):
        loaded = builder.load(pointer)
        # nothing writes to a tuple, so that a loop need not load what is in it again and again
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
        return loaded
    value = ir.Constant(kind, ir.Undefined)
    for k in range(len(kind)):
        part = _load(builder, _places.gep_inbounds(builder, pointer, 0, k))
        value = builder.insert_value(value, part, k)
    return value


def _store(builder: Any, value: Any, pointer: Any) -> None:
    kind = pointer.type.pointee
    if not isinstance(kind, ir.Aggregate):
        builder.store(value, pointer)
        return
    for k in range(len(kind)):
        part = builder.extract_value(value, k)
        _store(builder, part, _places.gep_inbounds(builder, pointer, 0, k))


@intrinsic
def _by_reference(_typing: Any, of: Any) -> Any:
    if isinstance(of, types.NoneType):
        return of(of), lambda context, *_: context.get_dummy_value()
    if not isinstance(of, types.BaseNamedTuple):
        return None

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        slot = _places.alloca_once(builder, arguments[0].type)
        _store(builder, arguments[0], slot)
        # an empty instruction stands between what is written here and all that is loaded: "invariant"
        # would else allow the optimizer to load before it
        kind = ir.FunctionType(slot.type, [slot.type])
        return builder.asm(kind, "", "=r,0,~{memory}", [slot], side_effect=True)

    return Reference(of)(of), lower


def by_reference(of: _Tuple) -> _Tuple:
    """Return a tuple as one pointer that has its attributes; itself where nothing is compiled."""
    return of


if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    by_reference = _by_reference  # type: ignore[assignment]
