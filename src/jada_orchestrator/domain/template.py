"""A template: the skeleton of a plan that completed, for requests of the same shape, without any value of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import CatalogueVersion
from jada_orchestrator.domain.instants import UtcMs

TEMPLATE_MODEL: Final = "template"
"""What stands in the place of a model's name where a template was used instead of one."""


@dataclass(frozen=True, slots=True)
class Template:
    """A skeleton and the requests that it is for.

    `shape` maps the path of each field that the request gives to its kind (``{"booking.origin": "text"}``). `reads`
    are the paths whose values the skeleton takes from whatever request it is used for. `key` is a digest of catalogue
    version, shape and the values of all other fields: these may decide what is planned, so they must be the same.
    """

    key: str
    catalogue_version: CatalogueVersion
    shape: JsonObject
    reads: tuple[str, ...]
    proposal: str
    """The JSON text of a proposal whose arguments read the request."""
    learnt_at: UtcMs
    pinned: bool = False
    """An operator wants it kept, and used as if it were policy."""
