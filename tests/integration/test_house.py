"""Waiting and asking a person: the real daemon, with plans that the stand-in was told to propose."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.model import Fault, FaultKind
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from tests.integration.surroundings import Surroundings, a_control, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")


def propose(around: Surroundings, request_id: str, *tasks: Any, result: dict[str, str] | None = None) -> None:
    """Have the stand-in for the model propose exactly this for a request."""
    text = json.dumps(proposal(*tasks, result=result))
    around.model.faults.order(Fault(FaultKind.TEXT, match=request_id, text=text))


async def the_end(around: Surroundings, request_id: str) -> Any:
    """The outcome that is no question; questions may be told twice, when the daemon is killed."""

    def look_for_it() -> Any:
        ended = [each for each in around.outcomes.about(request_id) if "awaiting" not in each["type"]]
        return ended[0] if ended else None

    # The stand-in may have given the answer to the long poll of a daemon that was killed: it comes again after 60 s.
    return await until(look_for_it, f"the end of {request_id}", within_s=120)


def look(name: str, **more: Any) -> Any:
    """A task that looks an airport up."""
    return task(name, "places.airports", query="Lisbon", **more)


async def test_a_question_outlasts_a_kill(alone: Surroundings) -> None:
    """A person is asked, the daemon is killed with -9 and started again, the answer comes, and the plan goes on."""
    agree = task("agree", "jada.approve", question="Shall we look?")
    propose(
        alone, "house-1", agree, look("find", when="agree.approved"), result={"by": "agree.by", "code": "find.code"}
    )
    async with alone.daemon() as daemon:
        await alone.send(a_request("house-1"))
        asked = await alone.outcomes.outcome("house-1")
        assert asked["type"] == "jada.booking.awaiting_approval", asked
        assert asked["data"]["approval"]["task_id"] == "agree"
        assert asked["data"]["approval"]["worded_by"] == "plan"
        await daemon.kill()
        await daemon.start()
        await alone.send(a_control("house-1", "approve", by="anna", task_id="agree"))
        outcome = await the_end(alone, "house-1")
    assert outcome["type"] == "jada.booking.completed", outcome["data"]["error"]
    assert outcome["data"]["result"] == {"by": "anna", "code": "LIS"}


async def test_two_questions_are_told_apart(alone: Surroundings) -> None:
    """Each is told by an outcome of its own; one is denied by name, and what depends on it is not done."""
    tasks = [task(name, "jada.approve", question=f"{name}?") for name in ("first", "second")]
    propose(alone, "house-2", *tasks, look("find", when="second.approved"), result={"code": "find.code"})
    async with alone.daemon():
        await alone.send(a_request("house-2"))
        await until(lambda: len(alone.outcomes.about("house-2")) == 2, "two questions")
        await alone.send(a_control("house-2", "deny", task_id="second"))
        await alone.send(a_control("house-2", "approve", task_id="first"))
        outcome = await the_end(alone, "house-2")
    assert outcome["type"] == "jada.booking.completed", outcome["data"]["error"]
    statuses = {each["id"]: each["status"] for each in outcome["data"]["tasks"]}
    assert (statuses["first"], statuses["second"], statuses["find"]) == ("succeeded", "succeeded", "skipped")


async def test_a_wait_goes_on_after_a_kill(alone: Surroundings) -> None:
    """Killed while it waits, the plan goes on after the restart once the time has come, and not before."""
    rest = task("rest", "jada.wait", seconds=6)
    propose(alone, "house-3", rest, look("find", after=["rest"]), result={"code": "find.code"})
    loop = asyncio.get_running_loop()
    async with alone.daemon() as daemon:
        await alone.send(a_request("house-3"))
        await daemon.told("task.awaiting", request_id="house-3")
        began = loop.time()
        await daemon.kill()
        await daemon.start()
        outcome = await alone.outcomes.outcome("house-3")
    assert outcome["type"] == "jada.booking.completed", outcome["data"]["error"]
    assert loop.time() - began > 5
    assert outcome["data"]["result"] == {"code": "LIS"}


async def test_the_model_chooses_among_what_an_agent_found(alone: Surroundings) -> None:
    """The option that fits the words is taken by the model, and the ledger knows the call as a choice."""
    find = [task(f"find_{code.lower()}", "places.airports", query=code) for code in ("Lisbon", "Porto")]
    pick = task("pick", "jada.choose", options=Ref("[find_lisbon, find_porto]"), criteria="Porto, please")
    propose(alone, "house-4", *find, pick, result={"code": "pick.option.code", "by": "pick.by"})
    async with alone.daemon() as daemon:
        await alone.send(a_request("house-4"))
        outcome = await the_end(alone, "house-4")
        assert outcome["type"] == "jada.booking.completed", outcome["data"]["error"]
        assert outcome["data"]["result"] == {"code": "OPO", "by": "model"}
        assert len(daemon.events("choice.answered")) == 1
