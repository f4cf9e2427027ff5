"""Catalogue files: the reference catalogue loads, and every mistake is named with its line."""

# ruff: noqa: E501 - a table reads best with one mistake a line

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from jada_orchestrator.adapters.host.catalogue_files import CatalogueError, load_catalogue
from jada_orchestrator.domain.catalogue import Binding, Catalogue, Effect, LambdaTransport, ModelSource, SqsTransport
from jada_orchestrator.domain.ids import ActionName, AgentName
from jada_orchestrator.planning import faults_in_catalogue

REFERENCE: Final = Path(__file__).parents[4] / "config" / "agents"

GOOD: Final = """\
agent: rooms
description: Rooms.
transport: {kind: lambda, function: jada-rooms}
model: {ssm: /jada/agents/rooms/model}
limits: {concurrency: 5, rate_per_second: 2}
actions:
  rooms.hold:
    description: Holds.
    effect: reserve
    input: {type: object, required: [offer_id], properties: {offer_id: {type: string}}}
    output: {type: object, required: [hold_id], properties: {hold_id: {type: string}}}
    compensate: {action: rooms.release, input: {hold_id: {from: output.hold_id}}}
    lookup: rooms.lookup
    timeout: 20s
    retry: {attempts: 4, first: 200ms, max: 10s}
  rooms.release:
    description: Releases.
    effect: commit
    irreversible: true
    input: {type: object, required: [hold_id], properties: {hold_id: {type: string}, why: {type: string}}}
    output: {type: object}
  rooms.pay:
    description: Pays.
    effect: commit
    input: {type: object, required: [total], properties: {total: &money {type: object, properties: {amount: {type: string}, currency: {type: string}}}}}
    output: {type: object, properties: {total: *money, hold_id: {type: string}}}
    compensate: {action: rooms.release, input: {hold_id: {from: key}, why: {const: undo}}}
    amount: {from: input.total}
    sources: {total: [user, rooms.pay.total]}
  rooms.lookup:
    description: Asks.
    effect: read
    input: {type: object, required: [idempotency_key], properties: {idempotency_key: {type: string}}}
    output: {type: object, required: [state], properties: {state: {type: string}}}
"""


def loaded(folder: Path) -> Catalogue:
    """The catalogue of a folder, audited."""
    return load_catalogue(folder, audit=faults_in_catalogue)


def mistakes(folder: Path, **files: str) -> list[tuple[str, str]]:
    """The mistakes of these files, as (code, file:line), without the folder."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        loaded(folder)
    return [(fault.code, fault.where.removeprefix(f"{folder}/")) for fault in caught.value.faults]


def test_the_reference_catalogue_loads() -> None:
    """The catalogue that is shipped has no mistake, and every agent of it has its transport."""
    catalogue = loaded(REFERENCE)
    assert catalogue.transport_of(ActionName("validator.policy")) == SqsTransport("jada-validator")
    assert catalogue.transport_of(ActionName("flights.hold")) == LambdaTransport("jada-flights", "live")
    assert {agent for agent, _, _ in (name.partition(".") for name in catalogue.actions)} == set(catalogue.agents)


def test_a_file_becomes_an_agent(tmp_path: Path) -> None:
    """Every field of a file arrives, durations in milliseconds, defaults where nothing is said."""
    (tmp_path / "rooms.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "README.md").write_text("not an agent", encoding="utf-8")
    catalogue = loaded(tmp_path)
    agent = catalogue.agents[AgentName("rooms")]
    assert (agent.model, agent.limits.concurrency, agent.limits.rate_per_second) == (
        ModelSource("ssm", "/jada/agents/rooms/model"),
        5,
        2.0,
    )
    hold = catalogue.actions[ActionName("rooms.hold")]
    assert (hold.effect, hold.timeout_ms, hold.retry.first_ms, hold.idempotent) == (Effect.RESERVE, 20_000, 200, True)
    assert hold.compensate is not None
    assert hold.compensate.bindings == {"hold_id": Binding("output.hold_id")}
    pay = catalogue.actions[ActionName("rooms.pay")]
    assert (pay.amount, pay.timeout_ms, pay.lookup) == (Binding("input.total"), 30_000, None)
    assert pay.sources == {"total": ("user", "rooms.pay.total")}
    assert pay.output_schema["properties"]["total"] == pay.input_schema["properties"]["total"]


def test_the_version_is_the_contents(tmp_path: Path) -> None:
    """Comments, layout and file names do not change the version; a schema does."""
    versions = []
    texts = [GOOD, "# A comment.\n" + GOOD.replace("{kind: lambda, ", "{ kind: lambda,   "), GOOD.replace("20s", "21s")]
    for number, text in enumerate(texts):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / f"agent{number}.yaml").write_text(text, encoding="utf-8")
        versions.append(loaded(folder).version)
    assert versions[0] == versions[1] != versions[2]
    assert len(versions[0]) == 16


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("agent: rooms", "agent: [rooms", [("BAD_YAML", 2)]),
        ("agent: rooms", "agent: rooms\nagent: rooms", [("BAD_YAML", 2)]),
        ("{kind: lambda, function: jada-rooms}", "*nobody", [("BAD_YAML", 3)]),
        ("agent: rooms", "agnt: rooms", [("UNKNOWN_FIELD", 1), ("MISSING_FIELD", 1), *[("BAD_ACTION_NAME", n) for n in (7, 16, 22, 30)]]),
        ("description: Rooms.\n", "", [("MISSING_FIELD", 1)]),
        ("description: Rooms.", "description: 7", [("BAD_TYPE", 2)]),
        ("description: Rooms.", "description: 2026-01-01", [("BAD_SHAPE", 2)]),
        ("kind: lambda", "kind: http", [("BAD_VALUE", 3)]),
        ("function: jada-rooms", "queue: jada-rooms", [("UNKNOWN_FIELD", 3), ("MISSING_FIELD", 3)]),
        ("kind: lambda", "kind: sqs", [("UNKNOWN_FIELD", 3), ("MISSING_FIELD", 3)]),
        ("{ssm: /jada/agents/rooms/model}", "{url: x}", [("BAD_VALUE", 4)]),
        ("concurrency: 5", "concurrency: 0", [("BAD_VALUE", 5)]),
        ("concurrency: 5", "concurency: 5", [("UNKNOWN_FIELD", 5)]),
        ("rate_per_second: 2", "rate_per_second: true", [("BAD_VALUE", 5)]),
        ("  rooms.hold:", "  seats.hold:", [("BAD_ACTION_NAME", 7)]),
        ("  rooms.hold:", "  rooms.Hold:", [("BAD_ACTION_NAME", 7)]),
        ("effect: reserve", "effect: reserves", [("BAD_VALUE", 9)]),
        ("{total: [user, rooms.pay.total]}", "[total]", [("BAD_TYPE", 29)]),
        ("[user, rooms.pay.total]", "[]", [("BAD_TYPE", 29)]),
        ("[user, rooms.pay.total]", "7", [("BAD_TYPE", 29)]),
        ("{total: [user", "{sum: [user", [("UNKNOWN_INPUT", 29)]),
        ("rooms.pay.total]", "anybody]", [("BAD_SOURCE", 29)]),
        ("rooms.pay.total]", "rooms.bill.total]", [("BAD_SOURCE", 29)]),
        ("rooms.pay.total]", "rooms.pay.total.net]", [("BAD_SOURCE", 29)]),
        ("effect: reserve", "efect: reserve", [("UNKNOWN_FIELD", 9), ("MISSING_FIELD", 7)]),
        ("    output: {type: object, required: [hold_id],", "    outputs: {type: object, required: [hold_id],", [("UNKNOWN_FIELD", 11), ("MISSING_FIELD", 7)]),
        ("offer_id: {type: string}", "offer_id: {type: sting}", [("BAD_SCHEMA", 10)]),
        ("input: {type: object, required: [offer_id]", "input: {type: array, required: [offer_id]", [("BAD_SCHEMA", 10)]),
        ("offer_id: {type: string}", "offer_id: {$ref: 'http://example.org/x'}", [("BAD_SCHEMA", 10)]),
        ("offer_id: {type: string}", "offer_id: {pattern: '('}", [("BAD_SCHEMA", 10)]),
        ("action: rooms.release, input: {hold_id: {from: output", "action: rooms.free, input: {hold_id: {from: output", [("UNKNOWN_ACTION", 12)]),
        ("action: rooms.release, input: {hold_id: {from: output", "action: rooms.lookup, input: {hold_id: {from: output", [("BAD_COMPENSATION", 12), ("MISSING_INPUT", 12), ("UNKNOWN_INPUT", 12)]),
        ("{hold_id: {from: output.hold_id}}", "{hold: {from: output.hold_id}}", [("MISSING_INPUT", 12), ("UNKNOWN_INPUT", 12)]),
        ("from: output.hold_id", "from: output.hold", [("BAD_REFERENCE", 12)]),
        ("from: output.hold_id", "from: hold.hold_id", [("BAD_REFERENCE", 12)]),
        ("from: output.hold_id", "from: 'output.['", [("BAD_REFERENCE", 12)]),
        ("from: output.hold_id", "from: output", [("BAD_REFERENCE", 12)]),
        ("{from: output.hold_id}", "output.hold_id", [("BAD_TYPE", 12)]),
        ("{const: undo}", "{const: 7}", [("BAD_INPUT", 27)]),
        ("    compensate: {action: rooms.release, input: {hold_id: {from: output.hold_id}}}\n", "", [("NO_COMPENSATION", 7)]),
        ("    irreversible: true\n", "", [("NO_COMPENSATION", 16)]),
        ("    irreversible: true\n", "    irreversible: yes please\n", [("BAD_TYPE", 19)]),
        ("    irreversible: true\n", "    irreversible: true\n    idempotent: false\n", [("BAD_COMPENSATION", 12), ("BAD_COMPENSATION", 28)]),
        ("    lookup: rooms.lookup", "    lookup: rooms.look", [("UNKNOWN_ACTION", 13)]),
        ("    lookup: rooms.lookup", "    lookup: rooms.pay", [("BAD_LOOKUP", 13)]),
        ("required: [idempotency_key], properties: {idempotency_key", "required: [key], properties: {key", [("BAD_LOOKUP", 13)]),
        ("required: [state]", "required: []", [("BAD_LOOKUP", 13)]),
        ("timeout: 20s", "timeout: 20", [("BAD_DURATION", 14)]),
        ("timeout: 20s", "timeout: 16m", [("BAD_DURATION", 14)]),
        ("attempts: 4", "attempts: 21", [("BAD_VALUE", 15)]),
        ("first: 200ms", "first: soon", [("BAD_DURATION", 15)]),
        ("first: 200ms", "first: 20s", [("BAD_VALUE", 15)]),
        ("from: input.total", "from: input.totals", [("BAD_REFERENCE", 28)]),
        ("from: input.total", "from: output.total", [("BAD_REFERENCE", 28)]),
        ("amount: {from: input.total}", "amount: {const: {amount: 5}}", [("BAD_AMOUNT", 28)]),
        ("    effect: read\n", "    effect: read\n    irreversible: true\n", [("CONTRADICTION", 30)]),
        ("    lookup: rooms.lookup\n", "    lookup: rooms.lookup\n    irreversible: true\n", [("CONTRADICTION", 14)]),
        ("    lookup: rooms.lookup\n", "    lookup: rooms.lookup\n    amount: {from: input.offer_id}\n", [("BAD_AMOUNT", 14)]),
        ("timeout: 20s", "replan_on: SOLD_OUT", [("BAD_TYPE", 14)]),
        ("timeout: 20s", "replan_on: [sold out]", [("BAD_TYPE", 14)]),
        ("timeout: 20s", "codes: SOLD_OUT", [("BAD_TYPE", 14)]),
        ("timeout: 20s", "codes: [SOLD_OUT, sold-out]", [("BAD_TYPE", 14)]),
        ("timeout: 20s", "codes: [SOLD_OUT]\n    replan_on:\n      - SOLD_OUT\n      - SOLDOUT", [("UNKNOWN_CODE", 17)]),
        ("timeout: 20s", "codes: []\n    replan_on: [HOLD_EXPIRED, FULL]", [("UNKNOWN_CODE", 15)]),
        ("offer_id: {type: string}", "offer_id: &loop {items: *loop}", [("BAD_SCHEMA", 10)]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, expected: list[tuple[str, int]]) -> None:
    """One change of a good file gives exactly these mistakes, each at its line."""
    assert GOOD.count(old) >= 1
    found = mistakes(tmp_path, rooms=GOOD.replace(old, new, 1))
    assert found == [(code, f"rooms.yaml:{line}") for code, line in expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [("", None), ("    replan_on: [SOLD_OUT, FULL]\n", ("SOLD_OUT", "FULL")), ("    replan_on: []\n", ())],
    ids=["the usual ones", "its own", "none"],
)
def test_an_action_names_what_another_plan_gets_round(
    tmp_path: Path, line: str, expected: tuple[str, ...] | None
) -> None:
    """Codes that the file names stand in the place of the usual ones, and an empty list is none at all."""
    (tmp_path / "rooms.yaml").write_text(GOOD.replace("    timeout: 20s\n", f"    timeout: 20s\n{line}", 1))
    assert loaded(tmp_path).actions[ActionName("rooms.hold")].replan_on == expected


def test_an_action_that_does_not_name_its_codes_may_fail_with_any(tmp_path: Path) -> None:
    """Without `codes` nothing can be said against a code; with them, those and the house's own are expected."""
    for line in ("replan_on: [ANYTHING]", "codes: [FULL]\n    replan_on: [FULL, OVER_BUDGET]"):
        (tmp_path / "rooms.yaml").write_text(GOOD.replace("timeout: 20s\n", f"timeout: 20s\n    {line}\n", 1))
        assert loaded(tmp_path).actions[ActionName("rooms.hold")].replan_on


def test_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """Form, schemas and links of several files are told together, and nothing that only follows from them."""
    bad = GOOD.replace("rooms", "seats").replace("20s", "20").replace("required: [state]", "required: state")
    found = mistakes(
        tmp_path, broken="agent: {", rooms=GOOD.replace("from: output.hold_id", "from: output.x"), seats=bad
    )
    assert found == [
        ("BAD_YAML", "broken.yaml:1"),
        ("BAD_DURATION", "seats.yaml:14"),
        ("BAD_REFERENCE", "rooms.yaml:12"),
        ("BAD_SCHEMA", "seats.yaml:34"),
    ]


def test_the_houses_name_is_taken(tmp_path: Path) -> None:
    """No file describes the agent `jada`, which every catalogue has."""
    found = mistakes(tmp_path, jada="agent: jada\ndescription: Mine.\ntransport: {kind: sqs, queue: q}\nactions: {}\n")
    assert ("RESERVED_NAME", "jada.yaml:1") in found


def test_an_agent_is_described_once(tmp_path: Path) -> None:
    """The second file of the same agent is told where the first one is."""
    assert mistakes(tmp_path, a=GOOD, b=GOOD) == [("DUPLICATE_AGENT", "b.yaml:1")]


def test_a_folder_without_agents_is_a_mistake(tmp_path: Path) -> None:
    """An empty folder, and one that is not there, are told as such."""
    assert mistakes(tmp_path) == [("NO_CATALOGUE", str(tmp_path))]
    with pytest.raises(CatalogueError, match="cannot be read"):
        loaded(tmp_path / "nowhere")


def test_text_that_is_not_utf8_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    """A file in another encoding is named, with the line of the first byte that is wrong."""
    (tmp_path / "rooms.yaml").write_bytes(GOOD.encode() + "# Zürich\n".encode("latin-1"))
    assert mistakes(tmp_path) == [("BAD_YAML", f"rooms.yaml:{GOOD.count(chr(10)) + 1}")]


def test_the_error_lists_every_mistake(tmp_path: Path) -> None:
    """What the operator reads has a line for each mistake, with what was expected."""
    (tmp_path / "rooms.yaml").write_text(GOOD.replace("20s", "x").replace("first: 200ms", "fist: 1s"), encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        loaded(tmp_path)
    told = str(caught.value).splitlines()
    assert told[0] == "the catalogue has 2 mistakes:"
    assert "rooms.yaml:14" in told[1]
    assert "did you mean first?" in told[2]
