"""Where the settings come from: built-in defaults < settings.json < environment ``JADA_*`` < command-line flags.

Every mistake of every tier is found before any is reported, with the place where it can be mended.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.service.settings import SYSTEM_FOLDER, Settings

Tier: TypeAlias = Literal["default", "file", "environment", "flag"]

SETTINGS_VARIABLE: Final = "JADA_SETTINGS"
NOT_SENT: Final = ("defaults.temperature", "defaults.top_p", "defaults.top_k")
"""Settings that people have in their files and that today's API refuses."""
_PASSWORD: Final = re.compile(r"""(?<=://)(?P<user>[^/\s"':@]*):[^\s"']*(?=@)|(?<=[?&]password=)[^&\s"']*""")
_OTHER_VARIABLES: Final = frozenset({SETTINGS_VARIABLE, "JADA_HYPOTHESIS", "JADA_STATE"})
"""Variables of this prefix that are no settings."""


class SettingsMistakesError(Exception):
    """The settings cannot be used. Raised by `load_settings` and `settings_file`, with every mistake at once.

    It means what its faults say; the operator mends the file, the variable or the flag that each names (exit status 2).
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Keep the faults."""
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: the tier, and in it the file, the variable or the flag."""

    tier: Tier
    source: str


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, where each value came from (by dotted key), and what the operator should know of them."""

    settings: Settings
    origins: dict[str, Origin]
    notices: tuple[str, ...]
    file: Path | None
    """The settings.json that was read, if there was one."""


BUILT_IN: Final = Origin("default", "built in")


def load_settings(flags: Mapping[str, object] | None = None, *, file: Path | None = None) -> LoadedSettings:
    """Read all tiers and return the checked settings.

    `flags` maps dotted keys (``defaults.max_tokens``) to values; those that are None were not given. `file` is the
    ``--settings`` flag and replaces the search for a file.

    Raises: SettingsMistakesError.
    """
    path = existing_settings_file(file)
    found = {} if path is None else read_settings_file(path)
    origins: dict[str, Origin] = {}
    merged: JsonObject = {}
    mistakes: list[Fault] = []
    _merge(merged, origins, found, lambda _: Origin("file", str(path)))
    try:
        _merge(merged, origins, _environment(), lambda key: Origin("environment", variable_of(key)))
    except SettingsError as error:
        mistakes.append(Fault("SETTING_UNREADABLE", "environment", f"{error}: {error.__cause__}"))
    given = _nested({key: value for key, value in (flags or {}).items() if value is not None})
    _merge(merged, origins, given, lambda key: Origin("flag", flag_of(key)))
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        mistakes += [_fault(each, origins, path) for each in error.errors()]
        raise SettingsMistakesError(tuple(mistakes)) from error
    if mistakes:
        raise SettingsMistakesError(tuple(mistakes))
    return LoadedSettings(settings, origins, _notices(settings, found, origins, path), path)


def keys() -> list[str]:
    """Return the dotted keys of all settings, in the order of their definition."""
    return list(_leaves(Settings, ""))


def variable_of(key: str) -> str:
    """Return the environment variable of a dotted key: ``JADA_DEFAULTS__MAX_TOKENS``."""
    return "JADA_" + key.upper().replace(".", "__")


def flag_of(key: str) -> str:
    """Return the command-line flag of a dotted key."""
    return "--" + key.replace(".", "-").replace("_", "-")


def similar(key: str, among: list[str]) -> str:
    """Return a hint such as ``; did you mean store?``, empty when nothing is near."""
    near = difflib.get_close_matches(key, among, n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def settings_file(file: Path | None = None) -> Path:
    """Return where settings.json is, or would be made: the flag, ``JADA_SETTINGS``, the system's, or the user's.

    Without any, it is the system's for root and the user's for everybody else.
    """
    found = existing_settings_file(file, must_exist=False)
    if found is not None:
        return found
    return SYSTEM_FOLDER / "settings.json" if os.geteuid() == 0 else user_settings_file()


def user_settings_file() -> Path:
    """Return the settings.json of the user's configuration folder (XDG Base Directory Specification)."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(folder) if folder else Path.home() / ".config") / "jada" / "settings.json"


def existing_settings_file(file: Path | None = None, *, must_exist: bool = True) -> Path | None:
    """Return the settings.json that counts, or None.

    Raises: SettingsMistakesError, when a file was named and is not there.
    """
    named = os.environ.get(SETTINGS_VARIABLE, "")
    chosen = file or (Path(named).expanduser() if named else None)
    if chosen is not None:
        if must_exist and not chosen.is_file():
            source = "--settings" if file is not None else SETTINGS_VARIABLE
            message = f"the file that {source} names is not there; make it, or leave {source} out"
            raise SettingsMistakesError((Fault("SETTINGS_MISSING", str(chosen), message),))
        return chosen
    return next((path for path in (SYSTEM_FOLDER / "settings.json", user_settings_file()) if path.is_file()), None)


def read_settings_file(path: Path) -> JsonObject:
    """Return the JSON object in a settings.json.

    Raises: SettingsMistakesError, with the line of a mistake in the syntax.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        fault = Fault("SETTINGS_NOT_JSON", f"{path}:{error.lineno}:{error.colno}", f"this is no JSON: {error.msg}")
        raise SettingsMistakesError((fault,)) from error
    except RecursionError as error:
        fault = Fault("SETTINGS_NOT_JSON", str(path), "it is nested deeper than any settings are")
        raise SettingsMistakesError((fault,)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsMistakesError((Fault("SETTINGS_UNREADABLE", str(path), f"cannot be read: {error}"),)) from error
    if not isinstance(content, dict):
        raise SettingsMistakesError((Fault("SETTINGS_NOT_JSON", str(path), "the file has to hold one JSON object"),))
    return content


def flattened(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested objects by dotted key; an empty object has none."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _environment() -> JsonObject:
    """Return what the variables say, nested; a variable that is set to nothing counts as not set."""
    return EnvSettingsSource(Settings, env_ignore_empty=True)()


def _merge(merged: JsonObject, origins: dict[str, Origin], tier: JsonObject, origin_of: Any) -> None:  # noqa: ANN401
    """Lay a higher tier over `merged`, leaf by leaf, and note where each leaf came from."""
    for key, value in flattened(tier).items():
        *parents, name = key.split(".")
        place = merged
        for parent in parents:
            inner = place.get(parent)
            if not isinstance(inner, dict):
                inner = place[parent] = {}
            place = inner
        place[name] = value
        origins[key] = origin_of(key)


def _nested(flat: Mapping[str, object]) -> JsonObject:
    nested: JsonObject = {}
    _merge(nested, {}, dict(flat), lambda _: BUILT_IN)
    return nested


def _leaves(model: type[BaseModel], prefix: str) -> list[str]:
    found: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += _leaves(inner, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
    return found


def _fault(error: ErrorDetails, origins: Mapping[str, Origin], path: Path | None) -> Fault:
    """Say one mistake of a value so that its author finds it."""
    key = ".".join(str(part) for part in error["loc"] if not isinstance(part, int))
    origin = origins.get(key) or next((origins[each] for each in origins if each.startswith(f"{key}.")), BUILT_IN)
    where = f"{path}{_line_of(key, path)}" if origin.tier == "file" else origin.source
    message = error["msg"].removeprefix("Value error, ")
    return Fault("SETTING_INVALID", where, f"{key} is {_shown(error['input'])}: {message}")


def masked(text: str) -> str:
    """Return a text without the passwords of URLs in it, before the host or in the query; it errs on hiding more."""
    return _PASSWORD.sub(lambda found: "***" if found["user"] is None else f"{found['user']}:***", text)


def _shown(value: object) -> str:
    text = masked(json.dumps(value, default=str))
    return text if len(text) <= 80 else text[:77] + "..."


def _line_of(key: str, path: Path | None) -> str:
    """Return ``:LINE`` of a key in the file, when its name stands there exactly once."""
    if path is None:
        return ""
    name = re.compile(rf'"{re.escape(key.rpartition(".")[2])}"\s*:')
    lines = [number for number, line in enumerate(path.read_text("utf-8").splitlines(), 1) if name.search(line)]
    return f":{lines[0]}" if len(lines) == 1 else ""


def _notices(
    settings: Settings, found: JsonObject, origins: Mapping[str, Origin], path: Path | None
) -> tuple[str, ...]:
    known = keys()
    sections = sorted({key.partition(".")[0] for key in known if "." in key})
    notices = [
        f"{key} ({origins[key].source}) is accepted and not sent: today's models refuse it"
        for key in NOT_SENT
        if key in origins and getattr(settings.defaults, key.rpartition(".")[2]) is not None
    ]
    notices += [
        f"{path}: {key} is no setting and is not used{similar(key, known + sections)}"
        for key in flattened(found)
        if key not in known and key not in sections
    ]
    variables = [variable_of(key) for key in known]
    for name in sorted(os.environ):
        hint = similar(name, variables) if name.startswith("JADA_") and name not in _OTHER_VARIABLES else ""
        if hint and name not in variables:
            notices.append(f"environment: {name} is no setting and is not used{hint}")
    return tuple(notices)
