"""The shape of a request: which fields it gives, and of what kind; never their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from jada_orchestrator.domain.documents import Json, JsonObject, canonical_json, digest_of_text
from jada_orchestrator.domain.ids import CatalogueVersion
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.planning.inputs import request_document

ROOTS: Final = ("booking", "constraints")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""Names of fields that a reference can read without quoting; one that is no name may be a value in disguise."""
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ].*)?")
_CODE: Final = re.compile(r"[A-Z]{2,4}")


def shape_of(request: BookingRequest) -> JsonObject | None:
    """Return the paths of a request's fields with their kinds; None for a request that no template can be for.

    That is one with a text (nobody but the model understands it), without a booking, or with a field whose name is
    no name.
    """
    if request.text or request.booking is None:
        return None
    if not all(_NAME.fullmatch(name) for name in _names_in(request.booking)):
        return None
    return {path: _kind_of(value) for path, value in leaves_of(request)}


def leaves_of(request: BookingRequest) -> Iterator[tuple[str, Json]]:
    """Yield every value that the request gives below `ROOTS`, with its path; empty lists and objects are values."""
    document = request_document(request)
    for root in ROOTS:
        if document.get(root):
            yield from _leaves(root, document[root])


def nodes_of(request: BookingRequest) -> Iterator[tuple[str, Json]]:
    """Yield every value and every object and list below `ROOTS`, with its path."""
    document = request_document(request)
    for root in ROOTS:
        if document.get(root):
            yield from _nodes(root, document[root])


def key_of(version: CatalogueVersion, request: BookingRequest, shape: JsonObject, reads: Iterable[str]) -> str:
    """Return the key of the template that reads these paths and is for this request.

    Every other value of the booking is part of it, all of them in one digest: a template is used for them alone. What
    the constraints say is enforced when the plan runs, whatever they are, so only their kinds are.
    """
    taken = tuple(reads)
    rest = {
        path: value
        for path, value in leaves_of(request)
        if path.startswith("booking") and not any(_is_within(path, each) for each in taken)
    }
    return digest_of_text(canonical_json([version, shape, sorted(taken), rest]))[:16]


def _is_within(path: str, whole: str) -> bool:
    return path == whole or path.startswith((f"{whole}.", f"{whole}["))


def _leaves(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    below = list(_below(path, value))
    if not below:
        yield path, value
    for inner, part in below:
        yield from _leaves(inner, part)


def _nodes(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    yield path, value
    for inner, part in _below(path, value):
        yield from _nodes(inner, part)


def _names_in(value: Json) -> Iterator[str]:
    """Yield the names of all fields in a value."""
    match value:
        case dict():
            for name, part in value.items():
                yield name
                yield from _names_in(part)
        case list():
            for part in value:
                yield from _names_in(part)
        case _:
            pass


def _below(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    match value:
        case dict():
            yield from ((f"{path}.{name}", part) for name, part in value.items())
        case list():
            yield from ((f"{path}[{place}]", part) for place, part in enumerate(value))
        case _:
            pass


def _kind_of(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "whole number"
        case float():
            return "number"
        case str():
            return "date" if _DATE.fullmatch(value) else "code" if _CODE.fullmatch(value) else "text"
        case list():
            return "empty list"
        case _:
            return "empty object"
