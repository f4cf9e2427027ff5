"""What follows from a turn: worked out while its commit is under way, and begun once that is durable.

A turn that waits for the disk has nothing else to do, and what should be in flight is known by then. So all that is
left to do after the commit is to begin it: what a lone booking takes beyond its commits is a tenth less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.commands import Command, PublishOutcome, SendToDeadLetter, WaitUntil
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import outstanding
from jada_orchestrator.runtime.perform import Performer, Wanted
from jada_orchestrator.runtime.timers import Timers

_TELLING = (PublishOutcome, SendToDeadLetter)


class _Followup(Struct):
    """What is to be in flight of one workflow, and when it has something to decide by itself."""

    wanted: Wanted
    instant: UtcMs | None


class Following:
    """Begins and ends what is in flight, and sets timers, as the state of workflows wants it.

    A workflow must not change between `work_out` and `carry_out`: they belong to one turn.
    """

    def __init__(
        self,
        performer: Performer,
        timers: Timers,
        catalogue_of: Callable[[Workflow], Catalogue],
        is_draining: Callable[[], bool],
    ) -> None:
        """Begin with nothing worked out; while `is_draining`, nothing new is begun but telling."""
        self._performer = performer
        self._timers = timers
        self._catalogue_of = catalogue_of
        self._is_draining = is_draining
        self._was_draining = False
        self._worked_out: dict[WorkflowId, _Followup] = {}

    def work_out(self, workflows: Iterable[Workflow]) -> None:
        """Find out what follows for the workflows of a turn. Begins nothing."""
        self._was_draining = self._is_draining()
        self._worked_out = {workflow.workflow_id: self._followup(workflow) for workflow in workflows}

    def carry_out(self, workflow: Workflow) -> None:
        """Begin what is to be in flight and is not, and end what is and is to be no more."""
        followup = self._worked_out.pop(workflow.workflow_id, None)
        if followup is None or self._was_draining is not self._is_draining():
            followup = self._followup(workflow)
        self._performer.reconcile(workflow, followup.wanted, self._catalogue_of(workflow))
        self._timers.set(workflow.workflow_id, followup.instant)

    def _followup(self, workflow: Workflow) -> _Followup:
        draining = self._is_draining()
        instant: UtcMs | None = None
        wanted: list[Command] = []
        for command in outstanding(workflow):
            if isinstance(command, WaitUntil):
                instant = command.instant
            elif (
                not draining
                or isinstance(command, _TELLING)
                or self._performer.is_in_flight(workflow.workflow_id, command)
            ):
                wanted.append(command)
        return _Followup(self._performer.work_out(workflow, wanted, self._catalogue_of(workflow)), instant)
