"""Changing and showing settings: what `jada config` does."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.settings_tiers import (
    BUILT_IN,
    LoadedSettings,
    Origin,
    SettingsMistakesError,
    flattened,
    keys,
    masked,
    read_settings_file,
    similar,
)


def values_of(loaded: LoadedSettings) -> dict[str, tuple[Json, Origin]]:
    """Return every setting by dotted key: its value as JSON, passwords in URLs masked, and where it came from."""
    values = flattened(loaded.settings.model_dump(mode="json"))
    return {key: (_masked(values[key]), loaded.origins.get(key, BUILT_IN)) for key in keys()}


def check_key(key: str) -> None:
    """Refuse what is no setting. Raises: SettingsMistakesError, with the nearest key."""
    if key not in keys():
        message = f"there is no setting of this name{similar(key, keys())}: `jada config show` lists them all"
        raise SettingsMistakesError((Fault("SETTING_UNKNOWN", key, message),))


def read_value(text: str) -> Json:
    """Return a value as it was typed: JSON where it is JSON (numbers, true, lists), else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def set_value(path: Path, key: str, text: str) -> Json:
    """Write one setting into a settings.json, keep everything else in it, and return the value that stands there now.

    The value is checked before the file is touched; a reader sees the old file or the new one, and the new one
    survives power loss once this returns.

    Raises: SettingsMistakesError, OSError.
    """
    check_key(key)
    content = read_settings_file(path) if path.exists() else {}
    value = _checked(key, text)
    _put(content, key, value)
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return value


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content so that no reader ever sees half of it. Raises: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), target.stat().st_mode & 0o7777 if target.exists() else 0o644)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            Path(name).unlink()
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _checked(key: str, text: str) -> Json:
    """Return what was typed as the setting's value: JSON if that is accepted, else the text (a model named 4).

    Raises: SettingsMistakesError, which speaks of the first reading.
    """
    first: SettingsMistakesError | None = None
    for value in (read_value(text), text):
        try:
            Settings(**_nested(key, value))
        except ValidationError as error:
            reason = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
            fault = Fault("SETTING_INVALID", key, f"{masked(json.dumps(value))} cannot be its value: {reason}")
            first = first or SettingsMistakesError((fault,))
        else:
            return value
    assert first is not None
    raise first


def _nested(key: str, value: Json) -> JsonObject:
    *parents, name = key.split(".")
    content: JsonObject = {name: value}
    for parent in reversed(parents):
        content = {parent: content}
    return content


def _put(content: JsonObject, key: str, value: Json) -> None:
    *parents, name = key.split(".")
    place = content
    for parent in parents:
        inner = place.setdefault(parent, {})
        if not isinstance(inner, dict):
            fault = Fault("SETTING_INVALID", parent, "it has to be an object before something can be set in it")
            raise SettingsMistakesError((fault,))
        place = inner
    place[name] = value


def _masked(value: Json) -> Json:
    return masked(value) if isinstance(value, str) else value
