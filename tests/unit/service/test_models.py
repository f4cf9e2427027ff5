"""Which model each agent uses: places, what is in force, drift; and setting one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jada_orchestrator.adapters.aws.model_places import PlaceAbsentError, PlaceError
from jada_orchestrator.adapters.claude.lifecycle import lifecycle_of
from jada_orchestrator.domain.catalogue import Catalogue, ModelSource
from jada_orchestrator.domain.ids import AgentName
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.service import models
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.testing.catalogues import travel_catalogue

NOW = parse_instant("2026-11-23T10:00:00Z")
HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-6"


class FakePlaces:
    """AWS in memory."""

    def __init__(self) -> None:
        self.functions: dict[str, dict[str, str]] = {}
        self.parameters: dict[str, str] = {}

    async def environment_of(self, function: str, qualifier: str = "") -> dict[str, str]:
        if function not in self.functions:
            raise PlaceError(f"function {function}: denied [AccessDeniedException]")
        return self.functions[function]

    async def parameter(self, name: str) -> str:
        if name not in self.parameters:
            raise PlaceAbsentError(f"parameter {name}: absent [ParameterNotFound]")
        return self.parameters[name]

    async def put_parameter(self, name: str, value: str) -> None:
        self.parameters[name] = value


def catalogue(**sources: ModelSource) -> Catalogue:
    """The travel catalogue's agents of these names only, with these sources of models."""
    whole = travel_catalogue()
    agents = {AgentName(name): replace(whole.agents[AgentName(name)], model=source) for name, source in sources.items()}
    return replace(whole, agents=agents)


async def one(
    places: FakePlaces, agent: str, source: ModelSource, files: str = "/nowhere/*/config.json"
) -> models.AgentModel:
    """What is said of one agent."""
    found = await models.survey(Settings(), catalogue(**{agent: source}), places, NOW, lambda_files=files)
    assert [each.agent for each in found] == ["orchestrator", agent]
    return found[1]


async def test_an_id_in_the_catalogue_against_the_functions_own_environment() -> None:
    """The catalogue's id is in force; a function that says otherwise has drifted."""
    places = FakePlaces()
    places.functions["jada-rooms"] = {"JADA_MODEL": SONNET}
    found = await one(places, "rooms", ModelSource("id", HAIKU))
    assert (found.in_force, found.source) == (HAIKU, "catalogue: agent rooms")
    assert found.flags["drift"] == f"catalogue: agent rooms says {HAIKU}, but function jada-rooms says {SONNET}"
    places.functions["jada-rooms"] = {"ANTHROPIC_MODEL": HAIKU}
    assert (await one(places, "rooms", ModelSource("id", HAIKU))).flags == {}


async def test_a_config_file_found_where_functions_are_deployed_from(tmp_path: Path) -> None:
    """An agent that inherits has the model of its function's config.json; the folder is the agent's or function's."""
    for folder in ("rooms", "jada-seats"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config.json").write_text(json.dumps({"model": HAIKU}))
    places = FakePlaces()
    places.functions = {"jada-rooms": {}, "jada-seats": {"MODEL": SONNET}}
    files = str(tmp_path / "*" / "config.json")
    assert (await one(places, "rooms", ModelSource("inherit"), files)).in_force == HAIKU
    seats = await one(places, "seats", ModelSource("inherit"), files)
    assert seats.in_force == SONNET
    assert "drift" in seats.flags


async def test_a_workers_parameter_and_environment_file(tmp_path: Path) -> None:
    """A worker's model comes from the declared parameter or file; the conventional parameter is looked at as well."""
    places = FakePlaces()
    places.parameters["/jada/agents/checks/model"] = HAIKU
    assert (await one(places, "checks", ModelSource("ssm", "/jada/agents/checks/model"))).in_force == HAIKU
    file = tmp_path / "checks.env"
    file.write_text(f"# the worker\nexport JADA_MODEL='{SONNET}'\n")
    found = await one(places, "checks", ModelSource("file", str(file)))
    assert (found.in_force, set(found.flags)) == (SONNET, {"drift"})


async def test_what_cannot_be_read_is_flagged() -> None:
    """A missing declared parameter, a denied function and a missing file are unreadable, and say why."""
    places = FakePlaces()
    assert "ParameterNotFound" in (await one(places, "checks", ModelSource("ssm", "/x"))).flags["unreadable"]
    assert "AccessDenied" in (await one(places, "rooms", ModelSource("inherit"))).flags["unreadable"]
    assert "cannot be read" in (await one(places, "checks", ModelSource("file", "/nowhere/x.env"))).flags["unreadable"]


@pytest.mark.parametrize(
    ("model", "state"),
    [
        (SONNET, "active"),
        ("claude-haiku-4-5-20251001", "active"),
        ("eu.anthropic.claude-sonnet-4-6", "active"),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", "active"),
        ("claude-sonnet-4-5", "deprecated"),
        ("claude-2.1", "deprecated"),
        ("claude-sonet-4-6", "unknown"),
    ],
)
def test_models_end_and_slips_are_seen(model: str, state: str) -> None:
    """Known, deprecated and unknown ids are told apart, in the API's and in Bedrock's form."""
    assert lifecycle_of(model, NOW)[0] == state


def test_a_model_past_its_end_is_retired() -> None:
    """After its last day a model is retired."""
    assert lifecycle_of("claude-sonnet-4-5", parse_instant("2026-12-01T00:00:00Z"))[0] == "retired"


async def test_setting_writes_where_the_truth_is(tmp_path: Path) -> None:
    """An id is changed in its one line of the catalogue, a file and a parameter in place; `inherit` is refused."""
    places = FakePlaces()
    text = "# Rooms\nagent: rooms\nmodel: claude-haiku-4-5   # small\nactions: {}\n"
    (tmp_path / "rooms.yaml").write_text(text)
    config, env = tmp_path / "config.json", tmp_path / "checks.env"
    config.write_text('{"timeout": 5, "model": "claude-haiku-4-5"}')
    env.write_text("A=1\nMODEL=claude-haiku-4-5\nB=2\n")
    settings = Settings(catalogue=tmp_path)
    sources = {
        "rooms": ModelSource("id", HAIKU),
        "seats": ModelSource("file", str(config)),
        "checks": ModelSource("file", str(env)),
        "mail": ModelSource("ssm", "/jada/agents/mail/model"),
        "cards": ModelSource("inherit"),
    }
    for agent in ("rooms", "seats", "checks", "mail"):
        change = await models.change_of(settings, catalogue(**sources), places, agent, SONNET)
        assert change.after == SONNET
        await models.make(change, places)
    assert (tmp_path / "rooms.yaml").read_text() == text.replace(HAIKU, SONNET)
    assert json.loads(config.read_text()) == {"timeout": 5, "model": SONNET}
    assert env.read_text() == f"A=1\nMODEL={SONNET}\nB=2\n"
    assert places.parameters == {"/jada/agents/mail/model": SONNET}
    with pytest.raises(models.CannotSetError, match="inherit"):
        await models.change_of(settings, catalogue(**sources), places, "cards", SONNET)
    with pytest.raises(models.NoSuchAgentError):
        await models.change_of(settings, catalogue(**sources), places, "boats", SONNET)
