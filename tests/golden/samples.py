"""Sample records made from the types of their fields: for each class one with everything in it and one with nothing."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from jada_orchestrator.adapters.journal.codec import KINDS
from jada_orchestrator.domain.documents import JsonObject, Packed, packed
from jada_orchestrator.domain.records import Record


def samples_of(kind: str) -> tuple[Record, ...]:
    """A full and a bare sample of a kind; one only where both are the same."""
    full: Record = _value_of(KINDS[kind], bare=False)
    bare: Record = _value_of(KINDS[kind], bare=True)
    return (full,) if full == bare else (full, bare)


def _value_of(cls: type[Any], *, bare: bool) -> Any:
    hints = get_type_hints(cls)
    return cls(**{name: _value(hints[name], name, bare=bare) for name in fields_of(cls) or ()})


def fields_of(hint: Any) -> tuple[str, ...] | None:
    """The fields of a class of values, a dataclass or one of msgspec's, in their order; None for any other type."""
    if not isinstance(hint, type):
        return None
    if issubclass(hint, Struct):
        return hint.__struct_fields__
    return tuple(field.name for field in fields(hint)) if is_dataclass(hint) else None


def _value(hint: Any, name: str, *, bare: bool) -> Any:
    if isinstance(hint, NewType):
        return _value(hint.__supertype__, name, bare=bare)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return arguments[-1 if bare else 0]
    if origin in {Union, types.UnionType}:
        choices = [each for each in arguments if each is not types.NoneType]
        return None if bare and len(choices) < len(arguments) else _value(choices[0], name, bare=bare)
    if origin is tuple:
        return () if bare else (_value(arguments[0], name, bare=False),)
    if origin is dict:
        return {} if bare else {f"{name}_key": _value(arguments[1], name, bare=False)}
    if hint is Packed:
        return packed(_value(JsonObject, name, bare=bare))
    if fields_of(hint) is not None:
        return _value_of(hint, bare=bare)
    return _plain(hint, name, bare=bare)


def _plain(hint: Any, name: str, *, bare: bool) -> Any:
    if hint is Any:
        return (
            None if bare else {"text": "Lisboa, à beira do Tejo", "numbers": [1, 2.5, -3], "yes": True, "nothing": None}
        )
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)[-1 if bare else 0]
    plain = {
        bool: not bare,
        int: 0 if bare else 1_800_000_000_000,
        str: "" if bare else f"a {name}",
        float: 0.0 if bare else 2.5,
        Decimal: Decimal("0.00" if bare else "1234.50"),
    }
    return plain[hint]
