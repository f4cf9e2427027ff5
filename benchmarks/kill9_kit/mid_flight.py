"""A journal full of workflows in mid-flight: made by the real engine and the real journal, from one real booking."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mail import open_post
from jada_orchestrator.adapters.journal.opening import open_journal, store_path
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import (
    AttemptEnded,
    ProposalReceived,
    RequestArrived,
    SlotGranted,
    Succeeded,
)
from jada_orchestrator.domain.ids import RequestId, workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry, PlannerAnswered, TaskSucceeded
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import step
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.ports.journal import Append
from jada_orchestrator.runtime.heads import head_of
from jada_orchestrator.sandbox.booth import Sandbox
from jada_orchestrator.service.settings import reference_catalogue
from jada_orchestrator.wire import requests

TEXT: Final = "Two of us, Boston to Lisbon 3-10 May, a hotel near Alfama, under $5,000 all in."
MODEL: Final = "claude-sonnet-4-6"
_BOOKING_S_MAX: Final = 180.0
_COMMIT: Final = 500
_UNBOUNDED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Pattern:
    """What one real booking said and answered: the plan's text, and each task's output."""

    proposal: str
    outputs: Mapping[str, JsonObject]


def a_request(request_id: str) -> dict[str, Any]:
    """Return the request that all of them are."""
    return {"request_id": request_id, "text": TEXT, "booking": {"customer_id": "c-1", "travellers": 2}}


async def book_once(folder: Path) -> Pattern:
    """Run one booking through the real daemon in a sandbox, and return what its journal says."""
    async with Sandbox(folder) as sandbox, open_post(sandbox.environment) as post:
        async with post.mailbox(sandbox.queues.outcomes) as outcomes, Daemon(folder, sandbox.environment) as daemon:
            await post.send(sandbox.queues.requests, a_request("pattern"))
            outcome = await outcomes.outcome("pattern", within_s=_BOOKING_S_MAX)
            assert outcome["data"]["status"] == "completed", outcome
            await daemon.stop()
        journal = open_journal(sandbox.store)
        await journal.open()
        workflow_id = workflow_id_of(RequestId("pattern"))
        stored = (await journal.load([workflow_id]))[workflow_id]
        await journal.close()
    records = [entry.record for entry in stored.entries]
    [proposal] = [record.text for record in records if isinstance(record, PlannerAnswered)]
    outputs = {str(r.task_id): r.output.opened() for r in records if isinstance(r, TaskSucceeded)}
    return Pattern(proposal, outputs)


def catalogue_without_bounds(folder: Path) -> Path:
    """Copy the reference catalogue with agents that bear everything: their own limits would be what is measured."""
    shutil.copytree(reference_catalogue(), folder, dirs_exist_ok=True)
    yaml = YAML()
    for path in sorted(folder.glob("*.yaml")):
        agent = yaml.load(path.read_text("utf-8"))
        agent["limits"] = {"concurrency": _UNBOUNDED}
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(agent, file)
    return folder


async def fill(store: str, workflows: int, pattern: Pattern, catalogue: Catalogue, seed: int) -> list[str]:
    """Write so many workflows, each stopped with calls in flight at some random place of its plan; return their ids."""
    dice = random.Random(seed)
    now = UtcMs(int(time.time() * 1_000))
    store_path(store).parent.mkdir(parents=True, exist_ok=True)
    journal = open_journal(store)
    await journal.open()
    await journal.put_catalogue(catalogue)
    ids: list[str] = []
    batch: list[Append] = []
    for number in range(workflows):
        workflow, entries = _in_mid_flight(f"load-{number:06d}", pattern, catalogue, now, dice)
        ids.append(str(workflow.workflow_id))
        batch.append(Append(workflow.workflow_id, tuple(entries), head_of(workflow)))
        if len(batch) == _COMMIT or number == workflows - 1:
            await journal.append(batch)
            batch = []
    await journal.close()
    return ids


def _in_mid_flight(
    request_id: str, pattern: Pattern, catalogue: Catalogue, now: UtcMs, dice: random.Random
) -> tuple[Workflow, list[Entry]]:
    arrived = requests.parse(Message(json.dumps(a_request(request_id)), {}), model=MODEL)
    assert isinstance(arrived, RequestArrived), arrived
    workflow = Workflow(workflow_id_of(arrived.request.request_id))
    entries = step(workflow, arrived, now, catalogue)
    entries += step(workflow, ProposalReceived(1, pattern.proposal, MODEL, Usage(), 2_000, 500), now, catalogue)
    ended = dice.randrange(len(pattern.outputs) - 4)
    while True:
        for (task_id, side), _ in list(claimable(workflow)):
            entries += step(workflow, SlotGranted(task_id, side), now, catalogue)
        in_flight = [task_id for task_id, _ in workflow.active]
        # A call of a worker is still under way after a restart: its workflow would have nothing to move.
        interrupted = any(workflow.tasks[task_id].terms.via == "lambda" for task_id in in_flight)
        if not in_flight or (ended <= 0 and interrupted):
            break
        ended -= 1
        task_id = dice.choice(sorted(in_flight))
        result = Succeeded(pattern.outputs[str(task_id)])
        entries += step(workflow, AttemptEnded(task_id, "do", "call", 1, 1, result), now, catalogue)
    assert not workflow.is_terminal, workflow.status
    return workflow, entries
