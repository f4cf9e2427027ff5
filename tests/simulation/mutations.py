"""Small wrongs done to the real code, to see whether the simulator notices.

Everywhere else tests keep their hands off the inside of what they test. Here the inside is the point: each mutation is
a mistake that somebody could make in the runtime or the engine, and a simulator that does not find it is missing a
law. A mutation is put in place by replacing functions, and taken out again when its `with` block ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

from jada_orchestrator.capacity.slots import Slots
from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.events import OutcomePublished, Resumed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import IdempotencyKey, OutcomeId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import Phase
from jada_orchestrator.engine import attempts, branches, fold_branches, keys, lookups, money, planning_events
from jada_orchestrator.engine.fold_foreseen import next_revision
from jada_orchestrator.engine.lanes import Lanes
from jada_orchestrator.planning import foreseeing
from jada_orchestrator.ports.journal import JournalAmbiguousError, JournalSupersededError, JournalUnavailableError
from jada_orchestrator.ports.queues import QueueError
from jada_orchestrator.runtime import perform, turn
from jada_orchestrator.runtime.inbox import Inbox
from jada_orchestrator.runtime.intake import Intake
from jada_orchestrator.runtime.perform import Performer
from jada_orchestrator.runtime.turn import Turns
from jada_orchestrator.testing.journal import MemoryJournal
from jada_orchestrator.testing.simulated_fate import Odds

# The package gives its functions the names of these modules.
decide, settle = (import_module(f"jada_orchestrator.engine.{name}") for name in ("decide", "settle"))

USUAL: Final = Odds()
Replacement = tuple[Any, str, Any]
"""Where, which name, and what takes its place."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mistake; `caught_within` is how many seeds, from 0, the simulator may take to find it."""

    name: str
    replacements: tuple[Replacement, ...]
    odds: Odds = USUAL
    """Of the worlds in which it is looked for: the usual ones, or rougher where the mistake is a rare one."""
    caught_within: int = 60

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Make the mistake until the block ends."""
        before = [(owner, name, owner.__dict__[name]) for owner, name, _ in self.replacements]
        for owner, name, wrong in self.replacements:
            setattr(owner, name, wrong)
        try:
            yield
        finally:
            for owner, name, right in before:
                setattr(owner, name, right)


# --- Durability -------------------------------------------------------------------------------------------------------

_commit = Turns._commit  # noqa: SLF001
_put = Intake._put  # noqa: SLF001


async def _act_then_commit(self: Turns, turn: Any) -> None:
    for workflow in turn.touched.values():
        self._following.carry_out(workflow)
    await _commit(self, turn)


def _delete_then_decide(self: Intake, workflow_id: Any, event: Any, delivery: Any, settler: Any) -> None:
    settler.delete(delivery)
    _put(self, workflow_id, event, delivery, settler)


def _without_epoch(self: MemoryJournal) -> None:
    self._check_available()


async def _go_on_superseded(self: Turns, act: Callable[[], Any]) -> Any:
    while True:
        try:
            return await act()
        except (JournalUnavailableError, JournalAmbiguousError, JournalSupersededError):
            await asyncio.sleep(0.1)


# --- Calls ------------------------------------------------------------------------------------------------------------

_attempt_key = keys.attempt_key
_look_up_or_give_up = lookups.look_up_or_give_up
_failed = attempts._failed  # noqa: SLF001
_check_commit = money.check_commit


def _key_of_attempt(workflow: Any, task: Any, side: Any, purpose: Any, number: int) -> IdempotencyKey:
    key = _attempt_key(workflow, task, side, purpose, number)
    return IdempotencyKey(f"{key}-{number}") if number > 1 and purpose == "call" else key


def _any_answer_will_do(task: Any, event: e.AttemptEnded) -> bool:
    phase = task.call(event.side).phase
    return phase is (Phase.LOOKING_UP if event.purpose == "lookup" else Phase.CALLING)


def _lost_is_failed(workflow: Any, task: Any, side: Any, failure: Failure, now: UtcMs) -> Any:
    return _failed(workflow, task, side, e.Failed(failure, retryable=True, answered=True), None, now)


def _absent_is_true(workflow: Any, task: Any, side: Any, now: UtcMs) -> Any:
    call = task.call(side)
    before, call.settled_by = call.settled_by, UtcMs(0)
    try:
        return _found_absent(workflow, task, side, now)
    finally:
        call.settled_by = before


_found_absent = lookups._found_absent  # noqa: SLF001


def _no_approval(workflow: Any, task: Any, call_input: Any) -> Any:
    checked = _check_commit(workflow, task, call_input)
    return None if isinstance(checked, money.NeedsApproval) else checked


def _any_amount(workflow: Any, task: Any, call_input: Any) -> Any:
    checked = _check_commit(workflow, task, call_input)
    return None if isinstance(checked, Failure) and checked.code == "OVER_BUDGET" else checked


def _one_revision_for_all(workflow: Any, plan: Any, now: UtcMs) -> Any:
    del now
    return r.PlanAdopted(next_revision(workflow), plan)


# --- Undoing ----------------------------------------------------------------------------------------------------------

_undo = settle.undo


def _skip_authorizations(task: Any) -> Any:
    if task.planned.action == "cards.authorize":
        return r.TaskCompensated(task.planned.id, "call", 1)
    return _undo(task)


_settle_undoing = settle._settle_undoing  # noqa: SLF001


def _undo_all_at_once(workflow: Any, why: Failure) -> Any:
    wanting = [task for task in workflow.tasks.values() if settle.wants_undo(task)]
    return [_undo(task) for task in wanting] or _settle_undoing(workflow, why)


# --- The rest ---------------------------------------------------------------------------------------------------------

_inbox_put = Inbox.put


def _forget_the_recovered(self: Inbox, item: Any) -> None:
    if not isinstance(item.event, Resumed):
        _inbox_put(self, item)


def _keep_slots(self: Slots, holding: Any, ref: Any) -> None:
    del holding.held[ref]


async def _send_once(self: Performer, workflow_id: Any, what: str, send: Callable[[], Any]) -> None:
    try:
        await send()
    except QueueError:
        return


async def _say_it_is_dead(self: Performer, command: Any, message: Any, failure: Any) -> None:
    self._report(command.workflow_id, e.DeadLettered())


async def _publish_anew(self: Performer, command: Any, workflow: Any, pending: Any) -> None:
    pending = replace(pending, outcome_id=OutcomeId(f"{pending.outcome_id}-{workflow.seq}"))
    await _publish(self, command, workflow, pending)
    self._report(command.workflow_id, OutcomePublished(command.outcome_id))


_publish = Performer._publish  # noqa: SLF001


async def _know_only_the_newest(self: Turns, workflow: Any) -> None:
    self._catalogues.setdefault(workflow.catalogue_version, self._tunables.catalogue)


def _first_content_only(item: Any, known: Any) -> Any:
    return item.workflow_id, item.event


_ECHOES: Final = Odds(worker_twice=0.5, worker_late=0.1, refused=0.3, cancel=0.6)
_DELAYS: Final = Odds(runs_later=0.25, slow=0.15)
_STREAMS: Final = Odds(streamed=1.0, streamed_otherwise=0.5)
_ONE_REVISION: Final = (planning_events, "adopted", _one_revision_for_all)
_KILLS: Final = Odds(kills_per_run=20, slow=0.4, planner=0, bad_plan=0)

# --- Branches ---------------------------------------------------------------------------------------------------------


def _stand_on_the_list_alone(planned: Any, whole: Any, calls: Any) -> Any:
    del whole, calls
    return planned


def _stand_in_beside(workflow: Any, task: Any, first: Any) -> Any:
    return r.BranchTaken(task.planned.id, f"whatever became of {first.planned.id}")


MUTATIONS: Final = (
    Mutation("act before the commit", ((Turns, "_commit", _act_then_commit),)),
    Mutation("delete the message before the commit", ((Intake, "_put", _delete_then_decide),)),
    Mutation("append whatever the epoch is", ((MemoryJournal, "_check_ours", _without_epoch),)),
    Mutation("go on when superseded", ((Turns, "_through_trouble", _go_on_superseded),)),
    Mutation("make a call again under a new key", ((perform, "attempt_key", _key_of_attempt),)),
    Mutation("forget the attempt fence", ((attempts, "_is_current", _any_answer_will_do),), _ECHOES),
    Mutation("treat a lost call as failed", ((attempts, "_lost", _lost_is_failed),)),
    Mutation("believe `absent` at once", ((lookups, "_found_absent", _absent_is_true),), _DELAYS),
    Mutation("leave calls of the last process in flight", ((decide, "resumed", lambda workflow, now: []),), _KILLS),
    Mutation("ignore max_total", ((attempts, "check_commit", _any_amount),)),
    Mutation("ask nobody for approval", ((attempts, "check_commit", _no_approval),)),
    Mutation("commit on what ran out", ((attempts, "refresh_expired", lambda workflow, task, now: None),)),
    Mutation("skip one compensation", ((settle, "undo", _skip_authorizations),)),
    Mutation("start effects before the plan is there", ((foreseeing, "_may_be_early", lambda action: True),)),
    Mutation("use a key for what was read early, and for what the plan reads", (_ONE_REVISION,), _STREAMS),
    Mutation("undo in any order", ((settle, "_settle_undoing", _undo_all_at_once),)),
    Mutation("forget what was recovered", ((Inbox, "put", _forget_the_recovered),)),
    Mutation("never give a slot back", ((Slots, "_free", _keep_slots),)),
    Mutation("publish once and hope", ((Performer, "_until_taken", _send_once),), Odds(queue=0.15)),
    Mutation("tell the same under a new id", ((Performer, "_publish", _publish_anew),)),
    Mutation("drop dead letters", ((Performer, "_send_to_dead_letter", _say_it_is_dead),)),
    Mutation("let everyone in a lane go", ((Lanes, "join", lambda self, ordering_key, workflow_id: True),)),
    Mutation("use the newest catalogue", ((Turns, "_know_catalogue", _know_only_the_newest),)),
    Mutation("overlook conflicts", ((turn, "route", _first_content_only),)),
    Mutation("call a stand-in beside what it stands in for", ((branches, "_stand_in", _stand_in_beside),)),
    Mutation("stand on a list and not on its calls", ((fold_branches, "_behind", _stand_on_the_list_alone),)),
)
