"""Which model each agent uses in truth, where that is written, and where the places disagree.

Four kinds of places are looked into: the catalogue's id, files (a Lambda's ``config.json``, a worker's environment
file), the function's own environment at AWS, and SSM parameters. The catalogue says which place is the truth; whatever
else names another model has drifted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

from jada_orchestrator.domain.catalogue import Agent, Catalogue, LambdaTransport
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import AgentName
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.service.ladder import ladder_of
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.settings_editing import write_atomically

PlaceKind: TypeAlias = Literal["settings", "catalogue", "file", "function", "parameter"]
Flag: TypeAlias = Literal["drift", "unknown", "deprecated", "retired", "unreadable"]

ORCHESTRATOR: Final = "orchestrator"
LAMBDA_FILES: Final = "/opt/jada/lambda/*/config.json"
"""Where Lambda functions that are deployed from this host keep their settings; the folder is the agent or function."""
PARAMETER: Final = "/jada/agents/{agent}/model"
"""The SSM parameter of a worker's model, by convention."""


class NoSuchAgentError(Exception):
    """The catalogue has no agent of this name. Raised by `change_of`; the operator looks it up with ``jada models``."""


class CannotSetError(Exception):
    """The model cannot be set there. Raised by `change_of` and `make`; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one place says; `model` is empty where it cannot be read, and `trouble` says why."""

    kind: PlaceKind
    place: str
    model: str = ""
    trouble: str = ""
    declared: bool = False
    """The catalogue says that this place is the truth."""

    def to_json(self) -> JsonObject:
        """Return the sighting for programs."""
        return {
            "kind": self.kind,
            "place": self.place,
            "model": self.model or None,
            "error": self.trouble or None,
            "declared": self.declared,
        }


@dataclass(slots=True)
class AgentModel:
    """One agent (or the orchestrator), what is in force, and what is wrong with it."""

    agent: str
    in_force: str = ""
    """Empty: nobody says; the agent's own code decides."""
    source: str = ""
    """Where what is in force comes from."""
    sightings: list[Sighting] = field(default_factory=list)
    flags: dict[Flag, str] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """Return the line of ``jada models --json``."""
        return {
            "agent": self.agent,
            "model": self.in_force or None,
            "source": self.source,
            "places": [sighting.to_json() for sighting in self.sightings],
            "flags": [{"flag": flag, "message": message} for flag, message in self.flags.items()],
        }


class Places(Protocol):
    """The places at AWS; `adapters.aws.model_places` has the real ones."""

    async def environment_of(self, function: str, qualifier: str = "") -> dict[str, str]:
        """Return a function's environment."""

    async def parameter(self, name: str) -> str:
        """Return a parameter."""

    async def put_parameter(self, name: str, value: str) -> None:
        """Write a parameter."""


async def survey(
    settings: Settings, catalogue: Catalogue, places: Places | None, now: UtcMs, *, lambda_files: str = LAMBDA_FILES
) -> list[AgentModel]:
    """Return the orchestrator's models and every agent's, all looked up at once. `places` None: AWS is not asked."""
    files = _files_by_folder(lambda_files)
    own = [
        AgentModel(ORCHESTRATOR, model, "settings", [Sighting("settings", "models.plan", model, declared=True)])
        for model in ladder_of(settings)
    ]
    agents = await asyncio.gather(*(_agent(agent, files, places) for _, agent in sorted(catalogue.agents.items())))
    found = [*own, *agents]
    for each in found:
        _judge(each, now)
    return found


def _files_by_folder(pattern: str) -> dict[str, Path]:
    anchor, _, rest = pattern.partition("*")
    base = Path(anchor if anchor.endswith("/") else anchor.rpartition("/")[0] or "/")
    return {path.parent.name: path for path in sorted(base.glob("*" + rest))} if base.is_dir() else {}


async def _agent(agent: Agent, files: Mapping[str, Path], places: Places | None) -> AgentModel:
    found = AgentModel(agent.name)
    declared = agent.model
    if declared.kind == "id":
        found.sightings.append(Sighting("catalogue", f"catalogue: agent {agent.name}", declared.value, declared=True))
    elif declared.kind == "file":
        found.sightings.append(_file(Path(declared.value), declared=True))
    transport = agent.transport
    names = [agent.name, transport.function] if isinstance(transport, LambdaTransport) else [agent.name]
    path = next((files[name] for name in names if name in files), None)
    if path is not None and str(path) != declared.value:
        found.sightings.append(_file(path, declared=False))
    if places is not None:
        found.sightings += await _at_aws(agent, places)
    _decide(found, inherits=declared.kind == "inherit")
    return found


async def _at_aws(agent: Agent, places: Places) -> list[Sighting]:
    found = []
    declared = agent.model.value if agent.model.kind == "ssm" else ""
    if isinstance(agent.transport, LambdaTransport):
        seen = await _function(agent.transport, places)
        found += [seen] if seen is not None else []
    names = [declared] if declared else []
    if not isinstance(agent.transport, LambdaTransport):
        names.append(PARAMETER.format(agent=agent.name))
    for name in dict.fromkeys(names):
        seen = await _parameter(name, places, declared=name == declared)
        found += [seen] if seen is not None else []
    return found


async def _function(transport: LambdaTransport, places: Places) -> Sighting | None:
    from jada_orchestrator.adapters.aws.model_places import PlaceError
    from jada_orchestrator.adapters.host.model_files import model_in_environment

    place = f"function {transport.function}" + (f":{transport.qualifier}" if transport.qualifier else "")
    try:
        model = model_in_environment(await places.environment_of(transport.function, transport.qualifier))
    except PlaceError as error:
        return Sighting("function", place, trouble=str(error))
    return None if model is None else Sighting("function", place, model)


async def _parameter(name: str, places: Places, *, declared: bool) -> Sighting | None:
    from jada_orchestrator.adapters.aws.model_places import PlaceAbsentError, PlaceError

    try:
        return Sighting("parameter", f"ssm:{name}", await places.parameter(name), declared=declared)
    except PlaceAbsentError as error:
        # A parameter that only convention names need not exist.
        return Sighting("parameter", f"ssm:{name}", trouble=str(error), declared=True) if declared else None
    except PlaceError as error:
        return Sighting("parameter", f"ssm:{name}", trouble=str(error), declared=declared)


def _file(path: Path, *, declared: bool) -> Sighting:
    from jada_orchestrator.adapters.host.model_files import ModelFileError, read_model

    try:
        return Sighting("file", str(path), read_model(path), declared=declared)
    except ModelFileError as error:
        return Sighting("file", str(path), trouble=str(error), declared=declared)


def _decide(found: AgentModel, *, inherits: bool) -> None:
    """Say what is in force: what the catalogue declares; where it inherits, what the agent's own places say."""
    declared = next((each for each in found.sightings if each.declared), None)
    readable = [each for each in found.sightings if each.model]
    chosen = declared if declared is not None and declared.model else None
    if chosen is None and inherits and readable:
        order: Sequence[PlaceKind] = ("function", "file", "parameter", "catalogue", "settings")
        chosen = min(readable, key=lambda each: order.index(each.kind))
    if chosen is not None:
        found.in_force, found.source = chosen.model, chosen.place
    else:
        found.source = "inherited: the agent's own" if inherits else "not readable"
    others = [each for each in readable if each.model != found.in_force]
    if found.in_force and others:
        named = "; ".join(f"{each.place} says {each.model}" for each in others)
        found.flags["drift"] = f"{found.source} says {found.in_force}, but {named}"
    troubles = [each.trouble for each in found.sightings if each.trouble]
    if troubles:
        found.flags["unreadable"] = "; ".join(troubles)


def _judge(found: AgentModel, now: UtcMs) -> None:
    """Flag models that nobody knows, or that end."""
    from jada_orchestrator.adapters.claude.lifecycle import lifecycle_of

    for model in dict.fromkeys(each.model for each in found.sightings if each.model):
        state, message = lifecycle_of(model, now)
        if state != "active":
            found.flags[state] = message


# --- Setting a model ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """What setting a model will write, shown before it is made."""

    agent: str
    kind: PlaceKind
    place: str
    before: str
    after: str


async def change_of(
    settings: Settings, catalogue: Catalogue, places: Places | None, agent_name: str, model: str
) -> Change:
    """Return what is to be written so that an agent uses a model: at the place that the catalogue says is the truth.

    Raises: NoSuchAgentError, CannotSetError.
    """
    from jada_orchestrator.adapters.host.model_files import ModelFileError, catalogue_file_of, read_model

    agent = catalogue.agents.get(AgentName(agent_name))
    if agent is None:
        raise NoSuchAgentError(f"the catalogue has no agent {agent_name!r}; there are: {', '.join(catalogue.agents)}")
    declared = agent.model
    match declared.kind:
        case "id":
            path = catalogue_file_of(settings.catalogue, agent_name)
            if path is None:
                raise CannotSetError(f"no file in {settings.catalogue} declares the agent {agent_name}")
            return Change(agent_name, "catalogue", str(path), declared.value, model)
        case "file":
            try:
                before = read_model(Path(declared.value))
            except ModelFileError as error:
                before = f"({error})"
            return Change(agent_name, "file", declared.value, before, model)
        case "ssm":
            if places is None:
                raise CannotSetError(f"{declared.value} is a parameter of SSM, and AWS is not to be asked")
            seen = await _parameter(declared.value, places, declared=True)
            before = "" if seen is None else seen.model or f"({seen.trouble})"
            return Change(agent_name, "parameter", declared.value, before, model)
        case "inherit":
            raise CannotSetError(
                f"the catalogue lets {agent_name} decide by itself (model: inherit); "
                "name the place of the truth there first: an id, {file: ...} or {ssm: ...}"
            )


async def make(change: Change, places: Places | None) -> None:
    """Make a change: files are replaced atomically, parameters by SSM. Raises: CannotSetError."""
    from jada_orchestrator.adapters.aws.model_places import PlaceError
    from jada_orchestrator.adapters.host.model_files import ModelFileError, with_catalogue_model, with_model

    try:
        if change.kind == "parameter":
            assert places is not None, "a change of a parameter was made with AWS"
            await places.put_parameter(change.place, change.after)
            return
        path = Path(change.place)
        edit = with_catalogue_model if change.kind == "catalogue" else with_model
        write_atomically(path, edit(path, change.after))
    except (ModelFileError, PlaceError, OSError, UnicodeDecodeError) as error:
        raise CannotSetError(f"{change.place} cannot be written: {error}") from error
