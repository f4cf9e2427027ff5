"""What goes with a call: the context of the attempt where it is traced, else what the frontend sent."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.ports.tracing import NoTracing, Tracing
from jada_orchestrator.testing.catalogues import proposal, task
from jada_orchestrator.testing.virtual_time import run_virtually
from tests.unit.runtime.house import House

SEARCH = proposal(task("rooms", "trips.search", city="Lisbon"))


class Traced:
    """Traces everything, each task in a context of its own."""

    def context_of(self, workflow_id: WorkflowId, task_id: TaskId) -> str | None:
        """Return a context that shows what it is of."""
        return f"{workflow_id}/{task_id}"


@pytest.mark.parametrize(("tracing", "is_traced"), [(Traced(), True), (NoTracing(), False)])
def test_a_call_carries_the_context_of_its_attempt(tracing: Tracing, is_traced: bool) -> None:
    """With tracing, an agent gets its own attempt's context; without, the frontend's, which is none here."""

    async def main() -> None:
        house = House(lambda _: SEARCH)
        async with house.process(house.world(tracing=tracing)):
            house.send()
            await house.until(house.outcomes)
        workflow = house.durable()
        assert workflow is not None
        [(_, call)] = house.functions.calls
        assert call.traceparent == (f"{workflow.workflow_id}/rooms" if is_traced else None)

    run_virtually(main())
