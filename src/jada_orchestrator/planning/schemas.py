"""JSON Schema checks: every fault at once, bounded, with validators kept per schema.

Drafts are recognised by ``$schema``, 2020-12 without one; ``format`` is checked; no schema is ever fetched.
"""

from __future__ import annotations

from typing import Final

import jsonschema_rs

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.limits import COMPILED_CACHE_MAX, SCHEMA_FAULTS_MAX

UNCHECKABLE: Final = "UNCHECKABLE"
"""The code for a value that no schema can be held against."""
_HIDDEN: Final = "the value"
"""What stands in a message for a value that may be a secret."""

_validators: dict[int, tuple[JsonObject, jsonschema_rs.Validator]] = {}
"""By the identity of the schema object, which is kept beside its validator so that its identity is not used again."""


class SchemaError(ValueError):
    """A schema is no JSON Schema, or points to another document.

    Raised by everything here that takes a schema. A catalogue that was loaded has none such: its loader checks. The
    operator mends the catalogue.
    """


def faults_in(schema: JsonObject, value: Json, where: str, *, code: str = "SCHEMA_MISMATCH") -> tuple[Fault, ...]:
    """Return what is wrong with a value, at most `SCHEMA_FAULTS_MAX`; each fault's place begins with `where`.

    Values are left out of the messages: they hold names and numbers that belong in no log. A value that is no JSON
    (infinite numbers, halves of characters) or is nested too deep is one fault, UNCHECKABLE. Raises: SchemaError.
    """
    validator = _validator(schema)
    try:
        if validator.is_valid(value):
            return ()
        faults: list[Fault] = []
        for error in validator.iter_errors(value):
            place = ".".join([where, *map(str, error.instance_path)])
            faults.append(Fault(code, place, _shortened(error.message)))
            if len(faults) == SCHEMA_FAULTS_MAX:
                break
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return (Fault(UNCHECKABLE, where, f"is no JSON value that can be checked ({type(error).__name__})"),)
    return tuple(faults)


def is_valid(schema: JsonObject, value: Json) -> bool:
    """Tell whether a value satisfies a schema. Raises: SchemaError."""
    try:
        return _validator(schema).is_valid(value)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, SchemaError):
            raise
        return False


def check_schema(schema: Json) -> None:
    """Raise `SchemaError` unless the value is a JSON Schema that can be used here."""
    if not isinstance(schema, dict):
        raise SchemaError("a schema is an object such as {type: object, properties: {...}}")
    _build(schema)


def _validator(schema: JsonObject) -> jsonschema_rs.Validator:
    key = id(schema)
    known = _validators.get(key)
    if known is not None:
        return known[1]
    validator = _build(schema)
    while len(_validators) >= COMPILED_CACHE_MAX:
        _validators.pop(next(iter(_validators)), None)
    _validators[key] = (schema, validator)
    return validator


def _build(schema: JsonObject) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(schema, validate_formats=True, retriever=_refuse_to_fetch, mask=_HIDDEN)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise SchemaError(_shortened(str(error).partition("\n")[0])) from error


def _refuse_to_fetch(uri: str) -> Json:
    raise ValueError(f"schemas are self-contained; {uri} is not fetched")


def _shortened(message: str) -> str:
    return message if len(message) <= 300 else f"{message[:300]}..."
