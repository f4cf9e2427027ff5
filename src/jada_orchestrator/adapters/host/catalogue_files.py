"""The catalogue's files: one YAML file an agent, read whole or not at all.

Every mistake in every file is told at once, each with its file and line. What concerns one file's form is settled here;
what concerns several actions together is settled by an `Audit`, which the service gives (``planning`` has it).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from jada_orchestrator.adapters.host.catalogue_reading import Mistakes, Place, agent_of
from jada_orchestrator.domain.catalogue import Action, Agent, Catalogue
from jada_orchestrator.domain.documents import Json, JsonObject, digest_of
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import ActionName, AgentName, CatalogueVersion

Audit: TypeAlias = Callable[[Catalogue], tuple[Fault, ...]]
"""Tells what is wrong with a catalogue as a whole; places are ``action/field/...``."""

_FILE_BYTES_MAX: Final = 1024 * 1024
"""The largest reference agent has 10 KiB."""
_NODES_MAX: Final = 100_000
"""Aliases of aliases can make a small file endless."""
_LEVELS_MAX: Final = 64


class CatalogueError(Exception):
    """The catalogue has mistakes; nothing of it is used.

    Raised by `load_catalogue`, at start and on reload; `faults` holds every mistake with its file and line. The
    operator mends the files; on reload the daemon goes on with the catalogue that it had.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        count = "a mistake" if len(faults) == 1 else f"{len(faults)} mistakes"
        super().__init__("\n".join([f"the catalogue has {count}:", *(f"  {fault}" for fault in faults)]))
        self.faults = faults


def load_catalogue(folder: Path, *, audit: Audit) -> Catalogue:
    """Return the catalogue that a folder's ``*.yaml`` files make.

    Its version depends on the content alone, not on comments, layout or the names of files.
    Raises: CatalogueError, with all mistakes at once.
    """
    mistakes = Mistakes()
    agents: dict[AgentName, Agent] = {}
    actions: dict[ActionName, Action] = {}
    sources: dict[AgentName, Place] = {}
    contents: dict[str, Json] = {}
    for path in _files(folder, mistakes):
        document = _read(path, mistakes)
        read = agent_of(*document, mistakes) if document is not None else None
        if document is None or read is None:
            mistakes.is_incomplete = True
            continue
        place, content = document
        agent, own = read
        if agent.name in sources:
            first = sources[agent.name].where("agent")
            mistakes.add("DUPLICATE_AGENT", place.where("agent"), f"agent {agent.name} is described in {first} already")
            continue
        sources[agent.name] = place
        agents[agent.name] = agent
        actions.update(own)
        contents[agent.name] = content
    catalogue = Catalogue(CatalogueVersion(digest_of(contents)[:16]), agents, actions)
    faults = [_placed(fault, catalogue, sources) for fault in audit(catalogue) if _is_news(fault, catalogue, mistakes)]
    if mistakes.faults or faults:
        raise CatalogueError((*mistakes.faults, *faults))
    return catalogue


def _is_news(fault: Fault, catalogue: Catalogue, mistakes: Mistakes) -> bool:
    """Tell whether a fault of the whole is one of its own, and does not only follow from a mistake told already."""
    if mistakes.is_incomplete and fault.code == "UNKNOWN_ACTION":
        return False
    name = fault.where.partition("/")[0]
    action = catalogue.actions.get(ActionName(name))
    about = {name}
    if action is not None:
        about |= {str(action.lookup), str(action.compensate.action) if action.compensate is not None else ""}
    return not about & mistakes.actions


def _files(folder: Path, mistakes: Mistakes) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
    except OSError as error:
        mistakes.add("NO_CATALOGUE", str(folder), f"the folder of the agents' files cannot be read: {error.strerror}")
        return []
    if not paths:
        mistakes.add("NO_CATALOGUE", str(folder), "there is no agent: the folder holds no *.yaml file")
    return paths


def _read(path: Path, mistakes: Mistakes) -> tuple[Place, JsonObject] | None:
    """Return one file as YAML with its lines and as plain JSON, or None."""
    try:
        data = path.read_bytes()
    except OSError as error:
        mistakes.add("UNREADABLE", str(path), f"cannot be read: {error.strerror}")
        return None
    if len(data) > _FILE_BYTES_MAX:
        mistakes.add("TOO_LARGE", str(path), f"has {len(data)} bytes; an agent's file has at most {_FILE_BYTES_MAX}")
        return None
    try:
        content = YAML(typ="rt").load(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        mistakes.add("BAD_YAML", f"{path}:{line}", "is not UTF-8 text")
        return None
    except (YAMLError, ValueError, RecursionError) as error:
        mistakes.add("BAD_YAML", f"{path}:{_line_of(error)}", f"is no YAML: {_reason_of(error)}")
        return None
    if not isinstance(content, CommentedMap):
        mistakes.add(
            "BAD_SHAPE", f"{path}:1", "an agent's file is a mapping: agent, description, transport, ..., actions"
        )
        return None
    place = Place(str(path), content)
    try:
        return place, _Plain().mapping(content, ())
    except _NoJsonError as error:
        mistakes.add("BAD_SHAPE", place.where(*error.steps), str(error))
        return None


def _line_of(error: Exception) -> int:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    return mark.line + 1 if mark is not None else 1


def _reason_of(error: Exception) -> str:
    reason = error.problem if isinstance(error, MarkedYAMLError) else None
    return " ".join((reason or str(error) or type(error).__name__).split())[:200]


def _placed(fault: Fault, catalogue: Catalogue, sources: dict[AgentName, Place]) -> Fault:
    """Return the audit's fault with file and line, its place in words kept in the message."""
    name, *steps = fault.where.split("/")
    action = catalogue.actions.get(ActionName(name))
    if action is None or action.agent not in sources:
        return fault
    where = sources[action.agent].where("actions", name, *steps)
    return Fault(fault.code, where, f"{'.'.join([name, *steps])}: {fault.message}")


class _NoJsonError(Exception):
    """A value of the file has no counterpart in JSON. Raised and caught in this module; becomes a fault."""

    def __init__(self, message: str, steps: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.steps = steps


class _Plain:
    """Turns YAML with its positions into plain JSON; aliases become copies."""

    def __init__(self) -> None:
        self._nodes = 0

    def mapping(self, content: CommentedMap, steps: tuple[str | int, ...]) -> JsonObject:
        plain: JsonObject = {}
        for name, item in content.items():
            if not isinstance(name, str):
                raise _NoJsonError(f"the name {name!r} is no text; put it in quotes", steps)
            plain[str(name)] = self.value(item, (*steps, str(name)))
        return plain

    def value(self, item: Json, steps: tuple[str | int, ...]) -> Json:
        self._nodes += 1
        if self._nodes > _NODES_MAX or len(steps) > _LEVELS_MAX:
            raise _NoJsonError("the file is nested without end; an alias contains itself, or too many others", ())
        match item:
            case None | bool():
                return item
            case CommentedMap():
                return self.mapping(item, steps)
            case list():
                return [self.value(part, (*steps, place)) for place, part in enumerate(item)]
            case TaggedScalar() | date():
                raise _NoJsonError("is neither text, number, boolean, list nor mapping; put it in quotes", steps)
            case str():
                return str(item)
            case int():
                return int(item)
            case float() if math.isfinite(item):
                return float(item)
            case _:
                raise _NoJsonError("is neither text, number, boolean, list nor mapping", steps)
