"""What each kind of records looks like in the format of records in which it came, or got its present form.

Programs of several versions share a store (docs/scaling.md), and an older one is given nothing of a format that it does
not know. So whatever it would read wrongly has to raise the format, a field with a default included: an older program
would ignore it, and do what the field was to prevent.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import msgspec

from jada_orchestrator.adapters.journal.codec import KINDS, SINCE, VERSIONS
from jada_orchestrator.domain.documents import Packed

FOLDER: Final = Path(__file__).parent / "formats"
"""``format-N.json`` has the kinds of format N; one that a release had is never changed."""
CLOSED: Final = 1
"""The newest format to which no kind and no field is added any more."""


def shape_of(kind: str) -> str:
    """Return a digest of everything that a record of a kind can hold, by names and types."""
    schemas, components = msgspec.json.schema_components([KINDS[kind]], schema_hook=_as_objects, ref_template="{name}")
    told = json.dumps(_without_words([VERSIONS.get(kind, 1), list(schemas), components]), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def recorded(number: int) -> dict[str, str]:
    """Return by kind the shapes of a format; empty, where nothing is recorded of it."""
    path = FOLDER / f"format-{number}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def record(kind: str) -> bool:
    """Record the shape of a kind in its format, if it is not there and the format is open; tell whether it was."""
    number = SINCE.get(kind, 1)
    known = recorded(number)
    if kind in known or number <= CLOSED:
        return False
    known[kind] = shape_of(kind)
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(dict(sorted(known.items())), indent=1)
    (FOLDER / f"format-{number}.json").write_text(text + "\n", encoding="utf-8")
    return True


def _as_objects(cls: type) -> dict[str, Any]:
    """Describe what is kept as its text: it is stored as the object that it is."""
    if cls is not Packed:
        raise NotImplementedError
    return {"type": "object"}


def _without_words(schema: Any) -> Any:
    """Return a schema without what only people read."""
    if isinstance(schema, dict):
        return {name: _without_words(value) for name, value in schema.items() if name not in {"description", "title"}}
    return [_without_words(each) for each in schema] if isinstance(schema, list) else schema
