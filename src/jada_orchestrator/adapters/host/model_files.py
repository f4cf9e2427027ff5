"""Files that say which model an agent uses: a Lambda's config.json, and a worker's environment file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jada_orchestrator.domain.documents import JsonObject

MODEL_VARIABLES: Final = ("JADA_MODEL", "ANTHROPIC_MODEL", "CLAUDE_MODEL", "MODEL", "MODEL_ID")
"""The variables that name a model, the first that is set wins."""
_ASSIGNMENT: Final = re.compile(r"^(?P<before>\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*)(?P<value>.*?)\s*$")


class ModelFileError(Exception):
    """A file cannot be read, or names no model. Raised by this module; the message names the file and what to mend."""


def model_in_environment(names: Mapping[str, str]) -> str | None:
    """Return the model that an environment names, or None."""
    return next((names[name] for name in MODEL_VARIABLES if names.get(name)), None)


def read_model(path: Path) -> str:
    """Return the model that a file names: JSON with a `model`, else an environment file. Raises: ModelFileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}") from error
    if path.suffix != ".json":
        found = model_in_environment(_variables(text))
        if found is None:
            raise ModelFileError(f"{path} sets none of {', '.join(MODEL_VARIABLES)}")
        return found
    model = _json(path, text).get("model")
    if not isinstance(model, str) or not model:
        raise ModelFileError(f'{path} has no "model"')
    return model


def with_model(path: Path, model: str) -> str:
    """Return a file's text with another model in it, everything else as it is. Raises: ModelFileError."""
    if path.suffix == ".json":
        content = _json(path, path.read_text(encoding="utf-8")) if path.exists() else {}
        content["model"] = model
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for wanted in MODEL_VARIABLES:
        for number, line in enumerate(lines):
            found = _ASSIGNMENT.match(line)
            if found is not None and found["name"] == wanted:
                lines[number] = f"{found['before']}{model}"
                return "\n".join(lines) + "\n"
    return "\n".join([*lines, f"{MODEL_VARIABLES[0]}={model}"]) + "\n"


def catalogue_file_of(folder: Path, agent: str) -> Path | None:
    """Return the catalogue's file that declares an agent, or None."""
    declared = re.compile(rf"^agent:\s*['\"]?{re.escape(agent)}['\"]?\s*(?:#.*)?$", re.MULTILINE)
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return next((path for path in files if declared.search(path.read_text(encoding="utf-8"))), None)


def with_catalogue_model(path: Path, model: str) -> str:
    """Return a catalogue file's text with another model id; only its line changes. Raises: ModelFileError."""
    text = path.read_text(encoding="utf-8")
    changed, count = re.subn(r"(?m)^(model:\s*)[^\s{#][^\n#]*?(\s*(?:#[^\n]*)?)$", rf"\g<1>{model}\g<2>", text)
    if count != 1:
        raise ModelFileError(f"{path} has no single line `model: ID`; change it by hand")
    return changed


def _json(path: Path, text: str) -> JsonObject:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ModelFileError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} has to hold one JSON object")
    return content


def _variables(text: str) -> dict[str, str]:
    """Return what an environment file sets, as systemd reads it: quotes around a value are left out."""
    found = {}
    for line in text.splitlines():
        match = _ASSIGNMENT.match(line)
        if match is not None:
            value = match["value"]
            quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
            found[match["name"]] = value[1:-1] if quoted else value
    return found
