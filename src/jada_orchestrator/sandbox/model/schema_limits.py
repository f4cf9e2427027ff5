"""What the structured-output grammar refuses in a JSON Schema (limits as documented in August 2026)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

OPTIONAL_PROPERTIES_MAX = 24
UNIONS_MAX = 16
_UNSUPPORTED = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties", "patternProperties", "oneOf", "not", "if", "then", "else",
)  # fmt: skip
_FORMATS = frozenset({"date", "date-time", "time", "duration", "email", "uri", "uuid", "ipv4", "ipv6", "hostname"})


def schema_faults(schema: dict[str, Any]) -> list[str]:
    """Return every reason why the API would answer 400 to this schema; an empty list when it is accepted."""
    faults = [fault for path, node in _nodes(schema, "schema") for fault in _node_faults(path, node)]
    if _recursive(schema):
        faults.append("recursive definitions are not supported")
    optional = sum(
        len(set(node["properties"]) - set(node.get("required", ())))
        for _, node in _nodes(schema, "schema")
        if isinstance(node.get("properties"), dict)
    )
    if optional > OPTIONAL_PROPERTIES_MAX:
        faults.append(f"Schema is too complex: {optional} optional properties, at most {OPTIONAL_PROPERTIES_MAX}")
    unions = sum(isinstance(node.get("type"), list) or "anyOf" in node for _, node in _nodes(schema, "schema"))
    if unions > UNIONS_MAX:
        faults.append(f"Schema is too complex: {unions} union types, at most {UNIONS_MAX}")
    return faults


def _node_faults(path: str, node: dict[str, Any]) -> Iterator[str]:
    for keyword in _UNSUPPORTED:
        if keyword in node:
            yield f"{path}: '{keyword}' is not supported"
    if node.get("minItems", 0) not in (0, 1):
        yield f"{path}: 'minItems' values other than 0 or 1 are not supported"
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        yield f"{path}: for 'object' type, 'additionalProperties' must be explicitly set to false"
    if "format" in node and node["format"] not in _FORMATS:
        yield f"{path}: format '{node['format']}' is not supported"
    reference = node.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        yield f"{path}: external '$ref' is not supported"
    if any("$ref" in part for part in node.get("allOf", ())):
        yield f"{path}: 'allOf' with '$ref' is not supported"


def _children(node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, object]] = [("items", node.get("items"))]
    for keyword in ("properties", "$defs", "definitions"):
        found.extend((f"{keyword}.{name}", child) for name, child in (node.get(keyword) or {}).items())
    for keyword in ("anyOf", "allOf", "prefixItems"):
        found.extend((f"{keyword}[{index}]", child) for index, child in enumerate(node.get(keyword) or ()))
    for name, child in found:
        if isinstance(child, dict):
            yield name, child


def _nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in _children(node):
        yield from _nodes(child, f"{path}.{name}")


def _recursive(schema: dict[str, Any]) -> bool:
    definitions = {
        f"#/{keyword}/{name}": child
        for keyword in ("$defs", "definitions")
        for name, child in (schema.get(keyword) or {}).items()
    }

    def visits(node: dict[str, Any], trail: frozenset[str]) -> bool:
        reference = node.get("$ref")
        if isinstance(reference, str):
            if reference == "#" or reference in trail:
                return True
            target = definitions.get(reference)
            if target is not None and visits(target, trail | {reference}):
                return True
        return any(
            visits(child, trail) for name, child in _children(node) if not name.startswith(("$defs", "definitions"))
        )

    return visits(schema, frozenset())
