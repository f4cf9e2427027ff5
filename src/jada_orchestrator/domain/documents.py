"""JSON as Python sees it, its canonical text, and its digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A JSON value. `Any`, because Python's types cannot say "JSON" without a cast at every step."""
JsonObject: TypeAlias = dict[str, Any]


def canonical_json(value: Json) -> str:
    """Return the one text of a JSON value: sorted keys, no spaces, no escapes beyond what JSON demands."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Json) -> str:
    """Return the SHA-256 of a JSON value's canonical text, in hexadecimal."""
    return digest_of_text(canonical_json(value))


def digest_of_text(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal (lone surrogates are allowed: the text may be anybody's)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
