"""Making the world match what is outstanding.

Each command that is outstanding and not yet in flight gets a task of its own, but for calls that a worker can be given
at once; one that is in flight and no longer outstanding is cancelled. What comes of it is reported by an event in the
inbox; no task changes state itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import Any, TypeAlias, assert_never

from msgspec import structs

from jada_orchestrator.domain.catalogue import Catalogue, LambdaTransport, SqsTransport
from jada_orchestrator.domain.commands import (
    AskChoice,
    AskPlanner,
    Command,
    Dispatch,
    PublishOutcome,
    SendToDeadLetter,
    WaitUntil,
)
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import (
    AttemptEnded,
    ChoiceEnded,
    DeadLettered,
    Event,
    Lost,
    OutcomePublished,
    PlannerFailed,
    ProposalReceived,
    TaskProposed,
)
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import WorkflowAccepted, WorkflowRejected
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import PendingOutcome, Workflow
from jada_orchestrator.engine.asking import attempt_of, purpose_of
from jada_orchestrator.engine.house import choice_of
from jada_orchestrator.engine.keys import attempt_key, terms_of_call
from jada_orchestrator.engine.retry import OUTCOMES, backoff_ms
from jada_orchestrator.engine.revising import past_of
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.payloads import PayloadError
from jada_orchestrator.ports.planner import PlannerError, PlannerQuestion, TaskListener
from jada_orchestrator.ports.queues import OutcomeMessage, QueueError
from jada_orchestrator.runtime.outcome_text import outcome_text
from jada_orchestrator.runtime.world import World

_OUTCOME_COMPLAIN_AFTER = 3
"""A queue that fails once or twice is weather; from the third time on the operator is told."""


Attempt: TypeAlias = tuple[LambdaTransport | SqsTransport, AgentCall]
"""A call that may be made, and to whom."""
Wanted: TypeAlias = dict[Command, Attempt | None]
"""What is to be in flight, in the order in which it is started: no run could be replayed that depended on hashes."""


class Performer:
    """Starts and stops what is in flight. It reads of a state in `work_out` and `reconcile`, and nowhere else."""

    def __init__(
        self,
        world: World,
        report: Callable[[WorkflowId, Event], None],
        outcome_queue: Callable[[], str],
        may_act: Callable[[], bool],
        reads_ahead: Callable[[], bool],
    ) -> None:
        """Report events through `report`; `outcome_queue` and `reads_ahead` tell what is set now.

        `may_act` is asked at the last moment before anything leaves: once false, nothing does any more.
        """
        self._may_act = may_act
        self._reads_ahead = reads_ahead
        self._world = world
        self._report = report
        self._outcome_queue = outcome_queue
        self._in_flight: dict[WorkflowId, dict[Command, asyncio.Future[Any] | None]] = {}
        """None for what is in flight without anything of ours: a worker has it, and answers by the reply queue."""

    @property
    def calls_in_flight(self) -> int:
        """Commands under way that talk to the outside."""
        running = (task for tasks in self._in_flight.values() for task in tasks.values())
        return sum(task is not None and not task.done() for task in running)

    def busy(self) -> set[WorkflowId]:
        """Return the workflows of which anything is under way that leaving them would cut off.

        A question that only waits for leave to be put is nothing of that kind.
        """
        waiting = self._world.planning.waiting_for()
        return {
            workflow_id
            for workflow_id, running in self._in_flight.items()
            if workflow_id not in waiting or any(not isinstance(command, AskPlanner) for command in running)
        }

    def is_in_flight(self, workflow_id: WorkflowId, command: Command) -> bool:
        """Tell whether a command was started in this process, and not cancelled."""
        return command in self._in_flight.get(workflow_id, {})

    def work_out(self, workflow: Workflow, commands: Iterable[Command], catalogue: Catalogue) -> Wanted:
        """Return the commands with what those of them need that are calls and not in flight. Starts nothing.

        Waits are the timers' business and are not among `commands`.
        """
        running: Collection[Command] = self._in_flight.get(workflow.workflow_id, ())
        now = self._world.clock.now()
        return {
            command: _attempt(workflow, command, catalogue, now)
            if isinstance(command, Dispatch) and command not in running
            else None
            for command in commands
        }

    def reconcile(self, workflow: Workflow, wanted: Wanted, catalogue: Catalogue) -> None:
        """Start what is wanted and not in flight; cancel what is in flight and no longer wanted.

        `wanted` was worked out of this very state.
        """
        running = self._in_flight.get(workflow.workflow_id) or {}
        if running:
            for command in [command for command in running if command not in wanted]:
                _cancel(running.pop(command))
        for command, attempt in wanted.items():
            if command not in running:
                running[command] = self._start(workflow, command, attempt, catalogue)
        if running:
            self._in_flight[workflow.workflow_id] = running
        else:
            self._in_flight.pop(workflow.workflow_id, None)

    def forget(self, workflow_id: WorkflowId) -> None:
        """Cancel everything of a workflow that is set aside."""
        for task in self._in_flight.pop(workflow_id, {}).values():
            _cancel(task)

    def halt(self) -> None:
        """Cancel everything, without waiting, and let nothing more begin."""
        self._may_act = _never
        for running in self._in_flight.values():
            for task in running.values():
                _cancel(task)

    async def close(self) -> None:
        """Cancel everything and wait until it has ended."""
        tasks = [task for running in self._in_flight.values() for task in running.values() if task is not None]
        self._in_flight.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(
        self, workflow: Workflow, command: Command, attempt: Attempt | None, catalogue: Catalogue
    ) -> asyncio.Future[Any]:
        match command:
            case Dispatch():  # most are
                assert attempt is not None, "a call that was not in flight was worked out"
                target, call = attempt
                left_ms = max(0, call.deadline - self._world.clock.now())
                if left_ms != call.timeout_ms:  # a commit lies between
                    call = structs.replace(call, timeout_ms=left_ms)
                context = self._world.tracing.context_of(workflow.workflow_id, command.task_id)
                if context is not None:
                    call = structs.replace(call, traceparent=context)
                if isinstance(target, SqsTransport) and (posted := self._post(command, target, call)) is not None:
                    return posted
                work = self._dispatch(command, target, call)
            case AskPlanner():
                work = self._ask(command, _question(workflow, catalogue, self._world.clock.now()))
            case AskChoice():
                work = self._choose(command, _choice(workflow, command, catalogue, self._world.clock.now()))
            case PublishOutcome():
                pending = next(o for o in workflow.outcomes if o.outcome_id == command.outcome_id)
                work = self._publish(command, workflow, pending)
            case SendToDeadLetter():
                failure = workflow.dead_letter_failure or Failure("UNKNOWN", "no reason was kept")
                work = self._send_to_dead_letter(command, failure)
            case WaitUntil():
                msg = "waits are the timers' business"
                raise AssertionError(msg)
            case _:
                assert_never(command)
        return asyncio.get_running_loop().create_task(work)

    async def _ask(self, command: AskPlanner, question: PlannerQuestion) -> None:
        event: Event
        if not self._may_act():
            return
        try:
            answer = await self._world.planner.propose(question, self._task_listener(command))
        except PlannerError as error:
            event = PlannerFailed(
                command.call,
                error.kind,
                error.failure,
                error.retry_after_ms,
                error.model or question.model,
                error.usage,
                error.latency_ms,
                error.first_token_ms,
                error.stop_reason,
            )
        except Exception as error:  # noqa: BLE001 - a fault in the adapter must not strand the booking: it is asked again, and told
            failure = Failure("PLANNER_ADAPTER_FAULT", f"{type(error).__name__}: {error}")
            event = PlannerFailed(command.call, "bad_answer", failure, None, question.model, Usage())
        else:
            event = ProposalReceived(
                command.call,
                answer.text,
                answer.model,
                answer.usage,
                answer.latency_ms,
                answer.first_token_ms,
                answer.waited_ms,
            )
        self._report(command.workflow_id, event)

    async def _choose(self, command: AskChoice, question: PlannerQuestion) -> None:
        """Have the model choose; whatever keeps it from that, the task goes on with the first option."""
        if not self._may_act():
            return
        try:
            answer = await self._world.planner.propose(question)
        except PlannerError as error:
            event = ChoiceEnded(
                command.task_id,
                command.revision,
                "",
                error.failure,
                error.model or question.model,
                error.usage,
                error.latency_ms,
                error.first_token_ms,
            )
        except Exception as error:  # noqa: BLE001 - a fault in the adapter must not strand the booking
            failure = Failure("PLANNER_ADAPTER_FAULT", f"{type(error).__name__}: {error}")
            event = ChoiceEnded(command.task_id, command.revision, "", failure, question.model, Usage())
        else:
            event = ChoiceEnded(
                command.task_id,
                command.revision,
                answer.text,
                None,
                answer.model,
                answer.usage,
                answer.latency_ms,
                answer.first_token_ms,
            )
        self._report(command.workflow_id, event)

    def _task_listener(self, command: AskPlanner) -> TaskListener | None:
        """Return what reports the tasks of an answer that is still arriving, if they are to be started early."""
        if not self._reads_ahead():
            return None
        return lambda text: self._report(command.workflow_id, TaskProposed(command.call, text))

    def _post(self, command: Dispatch, target: SqsTransport, call: AgentCall) -> asyncio.Future[Any] | None:
        """Give a call to a worker without a task of its own, where that can be done."""
        if not self._may_act():
            return None
        posted: asyncio.Future[CallEnded | None] | None
        try:
            posted = self._world.workers.post(target, call)
        except Exception as error:  # noqa: BLE001 - it must not strand the booking: nobody knows what it did
            posted = asyncio.get_running_loop().create_future()
            posted.set_exception(error)
        if posted is not None:
            posted.add_done_callback(partial(self._posted, command))
        return posted

    def _posted(self, command: Dispatch, posted: asyncio.Future[CallEnded | None]) -> None:
        if posted.cancelled():
            return
        error = posted.exception()
        if error is not None:
            self._ended(command, _adapter_fault(error))
        elif (ended := posted.result()) is not None:
            self._ended(command, ended)
        else:
            self._left(command, posted)

    def _left(self, command: Dispatch, by: asyncio.Future[Any] | None) -> None:
        """Keep in mind that a worker has it: its answer comes by the reply queue, or the deadline passes."""
        running = self._in_flight.get(command.workflow_id)
        if running is not None and running.get(command) is by:
            running[command] = None

    def _ended(self, command: Dispatch, ended: CallEnded) -> None:
        event = AttemptEnded(
            command.task_id,
            command.side,
            command.purpose,
            command.number,
            command.revision,
            ended.result,
            ended.usage,
        )
        self._report(command.workflow_id, event)

    async def _dispatch(self, command: Dispatch, target: LambdaTransport | SqsTransport, call: AgentCall) -> None:
        if not self._may_act():
            return
        ended: CallEnded | None
        try:
            if isinstance(target, LambdaTransport):
                ended = await self._world.functions.call(target, call)
            else:
                ended = await self._world.workers.send(target, call)
        except Exception as error:  # noqa: BLE001 - a fault in the adapter must not strand the booking: nobody knows what it did
            ended = _adapter_fault(error)
        if ended is None:
            self._left(command, asyncio.current_task())
        else:
            self._ended(command, ended)

    async def _publish(self, command: PublishOutcome, workflow: Workflow, pending: PendingOutcome) -> None:
        request = workflow.request
        reply_to = request.reply_to if request is not None else workflow.rejected_reply_to
        queue, group = reply_to or self._outcome_queue(), workflow.tenant
        traceparent = request.traceparent if request is not None else None

        def write(content: JsonObject) -> str:
            return self._world.wire.encode_outcome(pending.outcome_id, pending.type, pending.at, content)

        def tell_shortened(why: str) -> None:
            message = f"outcome {pending.outcome_id} goes without what agents answered: it {why}"
            self._world.log.emit("warning", "outcome.shortened", message, workflow_id=command.workflow_id)

        body: str | None = None

        async def publish() -> None:
            nonlocal body
            if body is None:
                body = await outcome_text(pending.content, write, self._world.payloads, tell_shortened)
            await self._world.outcomes.publish(OutcomeMessage(queue, body, traceparent, group))

        await self._until_taken(command.workflow_id, f"outcome {pending.outcome_id}", publish)
        self._report(command.workflow_id, OutcomePublished(command.outcome_id))

    async def _send_to_dead_letter(self, command: SendToDeadLetter, failure: Failure) -> None:
        async def send() -> None:
            message = await self._message_of(command.workflow_id)
            await self._world.outcomes.dead_letter(message, failure)

        await self._until_taken(command.workflow_id, "dead letter", send)
        self._report(command.workflow_id, DeadLettered())

    async def _message_of(self, workflow_id: WorkflowId) -> Message:
        """Return the message that a workflow began with: it is seldom wanted, and so kept by the store alone."""
        stored = (await self._world.journal.load([workflow_id]))[workflow_id]
        first = stored.entries[0].record
        assert isinstance(first, WorkflowAccepted | WorkflowRejected), "every workflow begins with its message"
        return first.message

    async def _until_taken(self, workflow_id: WorkflowId, what: str, send: Callable[[], Awaitable[None]]) -> None:
        """Send until the queue has it; only the end of the process, or of the need, stops this."""
        tries = 0
        while True:
            if not self._may_act():
                await asyncio.Event().wait()  # until it is cancelled, which is about to happen
            try:
                await send()
            except Exception as error:  # noqa: BLE001 - also a fault in the adapter must not keep the frontend untold
                tries += 1
                if tries >= _OUTCOME_COMPLAIN_AFTER or not isinstance(error, QueueError | PayloadError):
                    self._world.log.emit(
                        "error",
                        "outcome.stuck",
                        f"{what} cannot be sent: {error}",
                        workflow_id=workflow_id,
                        tries=tries,
                    )
                await asyncio.sleep(backoff_ms(OUTCOMES, tries, f"{workflow_id}/{what}") / 1_000)
            else:
                return


def _adapter_fault(error: BaseException) -> CallEnded:
    return CallEnded(Lost(Failure("ADAPTER_FAULT", f"{type(error).__name__}: {error}")))


def _cancel(task: asyncio.Future[Any] | None) -> None:
    if task is not None:
        task.cancel()


def _never() -> bool:
    return False


def _question(workflow: Workflow, catalogue: Catalogue, now: UtcMs) -> PlannerQuestion:
    assert workflow.request is not None, "only accepted requests are planned"
    planning = workflow.planning
    return PlannerQuestion(
        workflow_id=workflow.workflow_id,
        request=workflow.request,
        catalogue=catalogue,
        model=workflow.model,
        now=now,
        exchanges=planning.exchanges,
        clarifications=tuple(c for c in planning.clarifications if c.answer is not None),
        purpose=purpose_of(workflow),
        attempt=attempt_of(workflow),
        billed_failures=planning.billed_failures,
        spent=workflow.usage,
        past=past_of(workflow, catalogue),
    )


def _choice(workflow: Workflow, command: AskChoice, catalogue: Catalogue, now: UtcMs) -> PlannerQuestion:
    assert workflow.request is not None, "only accepted requests have tasks"
    return PlannerQuestion(
        workflow_id=workflow.workflow_id,
        request=workflow.request,
        catalogue=catalogue,
        model=workflow.model,
        now=now,
        exchanges=(),
        clarifications=(),
        purpose="choice",
        spent=workflow.usage,
        choice=choice_of(workflow.tasks[command.task_id]),
    )


def _attempt(workflow: Workflow, command: Dispatch, catalogue: Catalogue, now: UtcMs) -> Attempt:
    request = workflow.request
    assert request is not None, "only accepted requests have tasks"
    task = workflow.tasks[command.task_id]
    call = task.call(command.side)
    terms = terms_of_call(workflow, task, command.side, command.purpose)
    key = attempt_key(workflow, task, command.side, command.purpose, command.number)
    agent = catalogue.agents[terms.agent]
    attempt = AgentCall(
        workflow_id=workflow.workflow_id,
        request_id=request.request_id,
        tenant=request.tenant,
        task_id=command.task_id,
        # A lookup has a key of its own each time, so it is always the first attempt under its key.
        attempt=command.number if command.purpose == "call" else 1,
        idempotency_key=key,
        action=terms.action,
        input=(call.input or {})
        if command.purpose == "call"
        else {"idempotency_key": attempt_key(workflow, task, command.side, "call", 0)},
        deadline=call.deadline,
        timeout_ms=max(0, call.deadline - now),
        model=agent.model.value if agent.model.kind == "id" else None,
        traceparent=request.traceparent,
    )
    return agent.transport, attempt
