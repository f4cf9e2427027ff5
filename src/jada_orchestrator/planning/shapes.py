"""Shapes: what is known of a value before it exists, from the JSON Schema of whoever makes it.

A `Shape` is one of a few forms; everything asked of one answers "as far as it can be known", so that only certain
mistakes become faults. Understood: type, properties, required, additionalProperties, items, prefixItems, minItems,
maxItems, enum, const, format, anyOf, oneOf, allOf (where one branch knows), and ``$ref`` within the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import Final, TypeAlias

from msgspec import Struct

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.limits import COMPILED_CACHE_MAX

EVERY_TYPE: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_TYPES_NAMED: Final = {name: frozenset({name}) for name in EVERY_TYPE} | {"number": frozenset({"number", "integer"})}
"""What a value may be under a schema that names one type: a whole number is a number, too."""
_REFERENCES_FOLLOWED_MAX: Final = 16
"""A `$ref` that leads to a `$ref` and so on: more than this is a circle."""
_ALTERNATIVES_MAX: Final = 32
"""Of a value with more alternatives than these, nothing is known: to follow some only would tell of false mistakes."""
_VALUE_LEVELS_MAX: Final = 32
_ALTERNATIVES_NESTED_MAX: Final = 6
"""Alternatives inside alternatives; a schema that contains itself would go on for ever."""
_SAYS_ITSELF: Final = frozenset({"type", "properties", "enum", "const", "items"})


class Described(Struct, frozen=True, gc=False):
    """What a schema says; `document` is the whole that its local references point into."""

    schema: JsonObject
    document: JsonObject


class Listed(Struct, frozen=True, gc=False):
    """A list that a reference builds: every item has the shape `item`; `length` is known for ``[a, b]``."""

    item: Shape
    length: int | None = None


class Made(Struct, frozen=True, gc=False):
    """An object that a reference builds, with exactly these fields."""

    fields: Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several shapes, nobody knows which."""

    options: tuple[Shape, ...]


Shape: TypeAlias = Described | Listed | Made | OneOf

ANY: Final = Described({}, {})
"""Nothing is known."""


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer to "what is there?": the shape, whether it is there for certain, or why it cannot be there."""

    shape: Shape = ANY
    certain: bool = False
    trouble: str = ""


def of_type(*types: str) -> Shape:
    """Return the shape of which only the type is known."""
    return Described({"type": list(types)}, {})


def described(schema: Json, document: JsonObject, level: int = 0) -> Shape:
    """Return the shape that a schema describes, with its local references followed and alternatives taken apart."""
    resolved = _followed(schema, document)
    if level > _ALTERNATIVES_NESTED_MAX:
        return ANY
    for keyword in ("anyOf", "oneOf"):
        branches = resolved.get(keyword)
        if isinstance(branches, list) and branches and not _SAYS_ITSELF & set(resolved):
            return one_of(tuple(described(branch, document, level + 1) for branch in branches))
    return Described(resolved, document)


@dataclass(frozen=True, slots=True)
class _Whole:
    """A schema of the catalogue: its shape, and the fields that were asked for so far."""

    schema: JsonObject
    shape: Shape
    fields: dict[str, Looked]


_wholes: dict[int, _Whole] = {}
"""By the identity of the schema object, which is kept beside its shape so that its identity is not used again."""


def of_schema(schema: JsonObject) -> Shape:
    """Return the shape of a catalogue's schema, from a bounded cache. Nobody changes a schema."""
    return _whole(schema).shape


def field_of_schema(schema: JsonObject, name: str) -> Looked:
    """Return what the field of a catalogue's schema is; that it is there is remembered."""
    whole = _whole(schema)
    looked = whole.fields.get(name)
    if looked is None:
        looked = field_of(whole.shape, name)
        if not looked.trouble and len(whole.fields) < COMPILED_CACHE_MAX:  # what a model misspells is kept nowhere
            whole.fields[name] = looked
    return looked


def _whole(schema: JsonObject) -> _Whole:
    key = id(schema)
    known = _wholes.get(key)
    if known is not None:
        return known
    while len(_wholes) >= COMPILED_CACHE_MAX:
        _wholes.pop(next(iter(_wholes)), None)
    whole = _wholes[key] = _Whole(schema, described(schema, schema), {})
    return whole


def of_value(value: Json, level: int = 0) -> Shape:
    """Return the shape of a value that is known already."""
    if level > _VALUE_LEVELS_MAX:
        return ANY
    match value:
        case dict():
            return Made({name: of_value(part, level + 1) for name, part in value.items()})
        case list() if len(value) <= _ALTERNATIVES_MAX:
            return Listed(one_of(tuple(of_value(part, level + 1) for part in value)), len(value))
        case list():
            return Listed(ANY, len(value))
        case _:
            return Described({"enum": [value]}, {})


def one_of(shapes: tuple[Shape, ...]) -> Shape:
    """Return the shape of a value that has one of these; ANY of none, and of too many."""
    flat = tuple(islice((option for shape in shapes for option in alternatives(shape)), _ALTERNATIVES_MAX + 1))
    if not flat or len(flat) > _ALTERNATIVES_MAX:
        return ANY
    return flat[0] if len(flat) == 1 else OneOf(flat)


def alternatives(shape: Shape) -> Iterator[Shape]:
    """Yield what a value of this shape may be, with nested alternatives taken apart."""
    if isinstance(shape, OneOf):
        for option in shape.options:
            yield from alternatives(option)
    else:
        yield shape


def types_of(shape: Shape) -> frozenset[str]:
    """Return the JSON types that a value may have; ``number`` stands for itself and beside it ``integer``."""
    match shape:
        case Listed():
            return frozenset({"array"})
        case Made():
            return frozenset({"object"})
        case OneOf(options):
            return frozenset[str]().union(*map(types_of, options))
        case Described(schema, document):
            return _types_of_schema(schema, document)


def field_of(shape: Shape, name: str) -> Looked:
    """Return what the field of a value is."""
    return _first_known([_field_of_one(option, name) for option in alternatives(shape)])


def item_of(shape: Shape, index: int | None = None) -> Looked:
    """Return what an item of a list is; `index` None for any of them."""
    return _first_known([_item_of_one(option, index) for option in alternatives(shape)])


def names_of(shape: Shape) -> tuple[str, ...]:
    """Return the fields that are known of, for messages."""
    found: dict[str, None] = {}
    for option in alternatives(shape):
        if isinstance(option, Made):
            found.update(dict.fromkeys(option.fields))
        elif isinstance(option, Described):
            found.update(dict.fromkeys(_properties(option)))
    return tuple(found)


def enum_of(shape: Shape) -> tuple[Json, ...] | None:
    """Return the only values that there can be, or None when they are not known."""
    if not isinstance(shape, Described):
        return None
    if "const" in shape.schema:
        return (shape.schema["const"],)
    values = shape.schema.get("enum")
    return tuple(values) if isinstance(values, list) else None


def keyword_of(shape: Shape, keyword: str) -> Json:
    """Return what a schema says under a keyword, or None."""
    return shape.schema.get(keyword) if isinstance(shape, Described) else None


def article(types: frozenset[str]) -> str:
    """Return types for people: ``a string``, ``an object or null``."""
    if types >= EVERY_TYPE:
        return "anything"
    names = sorted(types - {"integer"} if "number" in types else types)
    return (
        " or ".join(("null" if name == "null" else f"{'an' if name[0] in 'aio' else 'a'} {name}") for name in names)
        or "nothing"
    )


def _followed(schema: Json, document: JsonObject) -> JsonObject:
    """Follow `$ref` within the document; what cannot be followed is the schema that says nothing."""
    for _ in range(_REFERENCES_FOLLOWED_MAX):
        if not isinstance(schema, dict):
            return {}
        target = schema.get("$ref")
        if target is None:
            return schema
        if not isinstance(target, str) or not target.startswith("#"):
            return {}
        steps = [step.replace("~1", "/").replace("~0", "~") for step in target[1:].split("/")[1:]]
        schema = reduce(_stepped, steps, document)
    return {}


def _stepped(value: Json, step: str) -> Json:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    return None


def _types_of_schema(schema: JsonObject, document: JsonObject) -> frozenset[str]:
    named = schema.get("type")
    if isinstance(named, str):
        return _TYPES_NAMED.get(named, frozenset())
    if isinstance(named, list):
        types = frozenset(name for name in named if isinstance(name, str)) & EVERY_TYPE
        return types | {"integer"} if "number" in types else types
    values = enum_of(Described(schema, document))
    if values is not None:
        return frozenset().union(*(type_names(value) for value in values))
    return EVERY_TYPE


def type_names(value: Json) -> frozenset[str]:
    """Return the types that a value counts as: a whole number is an integer and a number."""
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case int():
            return frozenset({"integer"})
        case float():
            return frozenset({"integer", "number"}) if value.is_integer() else frozenset({"number"})
        case str():
            return frozenset({"string"})
        case list():
            return frozenset({"array"})
        case _:
            return frozenset({"object"})


def _properties(shape: Described) -> JsonObject:
    properties = shape.schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _field_of_one(shape: Shape, name: str) -> Looked:
    if isinstance(shape, Made):
        found = shape.fields.get(name)
        return Looked(found, certain=True) if found is not None else Looked(trouble=_no_field(shape, name))
    types = types_of(shape)
    if "object" not in types:
        hint = "; take an item of it first, as in [0]" if types == {"array"} else ""
        return Looked(trouble=f"{article(types)} has no field `{name}`{hint}")
    if not isinstance(shape, Described):
        return Looked()
    properties, required = _properties(shape), shape.schema.get("required")
    if name in properties:
        certain = types == {"object"} and isinstance(required, list) and name in required
        return Looked(described(properties[name], shape.document), certain=certain)
    more = shape.schema.get("additionalProperties", not properties)
    if {"allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas", "$dynamicRef"} & set(shape.schema):
        return _field_of_branches(shape, name)
    if more is False:  # also where nothing is said: an output that lists its fields is taken to have no others
        return Looked(trouble=_no_field(shape, name))
    return Looked(described(more, shape.document)) if isinstance(more, dict) else Looked()


def _field_of_branches(shape: Described, name: str) -> Looked:
    branches = shape.schema.get("allOf")
    for branch in branches if isinstance(branches, list) else ():
        option = described(branch, shape.document)
        if name in names_of(option):
            return field_of(option, name)
    return Looked()


def may_lack(shape: Shape, name: str) -> bool:
    """Tell whether an object that is there may leave out a field that its schema lists: it does not require it."""
    if not isinstance(shape, Described):
        return False
    properties, required = shape.schema.get("properties"), shape.schema.get("required", [])
    listed = isinstance(properties, dict) and name in properties
    return listed and isinstance(required, list) and name not in required


def _no_field(shape: Shape, name: str) -> str:
    names = names_of(shape)
    return f"there is no field `{name}`" + (f"; there is {', '.join(names[:30])}" if names else "")


def _item_of_one(shape: Shape, index: int | None) -> Looked:
    if isinstance(shape, Listed):
        if index is not None and shape.length is not None and not -shape.length <= index < shape.length:
            return Looked(trouble=f"the list has {shape.length} items; there is no [{index}]")
        return Looked(shape.item, certain=index is not None and shape.length is not None)
    types = types_of(shape)
    if "array" not in types:
        return Looked(trouble=f"{article(types)} has no items")
    if not isinstance(shape, Described):
        return Looked()
    schema = shape.schema
    prefix = schema.get("prefixItems")
    at_least, at_most = schema.get("minItems", 0), schema.get("maxItems")
    needed = 0 if index is None else index + 1 if index >= 0 else -index
    if index is not None and isinstance(at_most, int) and needed > at_most:
        return Looked(trouble=f"the list has at most {at_most} items; there is no [{index}]")
    certain = index is not None and types == {"array"} and isinstance(at_least, int) and needed <= at_least
    if isinstance(prefix, list) and prefix:
        if index is not None and 0 <= index < len(prefix):
            return Looked(described(prefix[index], shape.document), certain=certain)
        return Looked(certain=certain)
    return Looked(described(schema.get("items", {}), shape.document), certain=certain)


def _first_known(answers: list[Looked]) -> Looked:
    """Put the answers of alternatives together: trouble only if all of them have it."""
    good = [answer for answer in answers if not answer.trouble]
    if not good:
        return answers[0] if answers else Looked()
    certain = len(good) == len(answers) and all(answer.certain for answer in good)
    return Looked(one_of(tuple(answer.shape for answer in good)), certain=certain)
