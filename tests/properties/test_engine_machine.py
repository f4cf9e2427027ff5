"""The engine as a state machine: whatever the world says, in whatever order, the laws hold, and everything can end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import AttemptResult, Side
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import IdempotencyKey, OutcomeId, TaskId, workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import Constraints, Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Status
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.house import open_approvals
from jada_orchestrator.engine.keys import attempt_key, call_key, terms_of_call
from jada_orchestrator.engine.outstanding import next_instant
from jada_orchestrator.engine.revising import past_of
from jada_orchestrator.planning import Adopted, compile_proposal
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.testing.catalogues import as_text, money, proposal, request, task, travel_catalogue
from jada_orchestrator.testing.revisions import revision_of
from jada_orchestrator.testing.simulated_agents import SimulatedAgents
from tests.properties.engine_plans import elsewhere, plans
from tests.properties.engine_watch import Watched

START: Final = UtcMs(1_800_000_000_000)
DAY_MS: Final = 86_400_000
MESSAGE: Final = Message("body", {})
CATALOGUE: Final = travel_catalogue()
ENDING_ROUNDS_MAX: Final = 2_000
FAILURE: Final = Failure("DRAWN", "hypothesis drew it")
SOLD_OUT: Final = Failure("SOLD_OUT", "another plan may get round it")

results: Final[st.SearchStrategy[AttemptResult]] = (
    st.just(e.Lost(FAILURE))
    | st.builds(
        e.Failed,
        st.just(FAILURE) | st.just(SOLD_OUT) | st.just(Failure("BAD_OUTPUT", "the agent's own kit found it")),
        retryable=st.booleans(),
        answered=st.booleans(),
        retry_after_ms=st.sampled_from([None, 0, 1, 5_000, 10**9]),
    )
    | st.sampled_from(
        [
            e.Succeeded({}),
            e.Succeeded({"state": "absent"}),
            e.Succeeded({"state": "pending"}),
            e.Succeeded({"state": "failed"}),
            e.Succeeded({"state": "failed", "error": {"code": "NO", "message": "no"}}),
            e.Succeeded({"state": "succeeded"}),
            e.Succeeded({"state": "succeeded", "output": {}}),
            e.Succeeded({"state": 7}),
        ]
    )
)
sides: Final[st.SearchStrategy[Side]] = st.sampled_from(["do", "undo"])
constraints: Final = st.builds(
    Constraints,
    max_total=st.sampled_from([None, None, "5000.00 USD", "150.00 USD", "500.00 EUR"]).map(money),
    approve_above=st.sampled_from([None, None, "50.00 USD", "50.00 EUR"]).map(money),
    deadline=st.sampled_from([None, None, UtcMs(START + 60_000), UtcMs(START + 10**9)]),
    on_failure=st.sampled_from(["undo_all", "undo_all", "keep_partial", "ask"]),
)


class WorkflowMachine(RuleBasedStateMachine):
    """One workflow; the rules are everything that the world can say, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.agents = SimulatedAgents(lambda: self.now)
        self.request = request()
        self.plan: JsonObject = {}
        self.watched = Watched(workflow_id_of(self.request.request_id), CATALOGUE)

    # --- The beginning --------------------------------------------------------------------------------------------

    @initialize(plan=plans(), bounds=constraints, lane=st.sampled_from([None, None, "customer"]), at_once=st.booleans())
    def begin(self, plan: JsonObject, bounds: Constraints, lane: str | None, at_once: bool) -> None:
        """Have a request arrive; mostly with its plan adopted at once, so that more of the rest is seen."""
        self.plan = plan
        self.request = replace(self.request, constraints=bounds, ordering_key=lane)
        self.feed(e.RequestArrived(self.request, "digest", MESSAGE, "model"))
        if at_once:
            self.feed(e.TurnCame())
            self.propose(0, "plan")

    def feed(self, event: e.Event) -> int:
        """Step through an event; return how many records it led to."""
        return len(self.watched.feed(event, self.now))

    # --- What is true ---------------------------------------------------------------------------------------------

    @precondition(lambda self: any(claimable(self.watched.workflow)))
    @rule(which=st.integers(0, 20), everybody=st.booleans())
    def grant(self, which: int, everybody: bool) -> None:
        """Grant a slot to a call that waits for one, or to all of them."""
        if everybody:
            self.grant_all()
            return
        refs = [ref for ref, _ in claimable(self.watched.workflow)]
        self.grant_one(*refs[which % len(refs)])

    def grant_one(self, task_id: TaskId, side: Side) -> None:
        """Grant a slot; whoever is granted one takes it, or it would be granted for ever."""
        assert self.feed(e.SlotGranted(task_id, side)) > 0

    def grant_all(self) -> None:
        """Grant slots until nobody waits for one."""
        while (ref := next((ref for ref, _ in claimable(self.watched.workflow)), None)) is not None:
            self.grant_one(*ref)

    @precondition(lambda self: self.watched.workflow.active)
    @rule(which=st.integers(0, 20), drawn=results, truly=st.integers(0, 3), silent=st.booleans())
    def answer(self, which: int, drawn: AttemptResult, truly: int, silent: bool) -> None:
        """End an attempt in flight: truly, or as drawn; an agent may have done it although nobody hears of it."""
        refs = list(self.watched.workflow.active)
        task_id, side = refs[which % len(refs)]
        result = drawn
        if truly or silent:
            output = self.agents.do(self.call_of(task_id, side))
            result = e.Lost(FAILURE) if silent and not truly else e.Succeeded(output)
        self.end(task_id, side, result)

    def end(self, task_id: TaskId, side: Side, result: AttemptResult) -> int:
        """End the attempt in flight of a call."""
        task = self.watched.workflow.tasks[task_id]
        call, revision = task.call(side), task.planned.revision
        return self.feed(e.AttemptEnded(task_id, side, call.purpose, call.number, revision, result, Usage(usd="0.01")))

    def call_of(self, task_id: TaskId, side: Side) -> AgentCall:
        """Return the attempt in flight as its agent gets it."""
        workflow = self.watched.workflow
        task_ = workflow.tasks[task_id]
        call = task_.call(side)
        lookup = call.purpose == "lookup"
        return AgentCall(
            workflow_id=workflow.workflow_id,
            request_id=self.request.request_id,
            tenant=self.request.tenant,
            task_id=task_id,
            attempt=call.number,
            idempotency_key=attempt_key(workflow, task_, side, call.purpose, call.number),
            action=terms_of_call(workflow, task_, side, call.purpose).action,
            input={"idempotency_key": call_key(workflow, task_, side)} if lookup else call.input or {},
            deadline=call.deadline,
            timeout_ms=0,
            model=None,
            traceparent=None,
        )

    @rule(ms=st.sampled_from([0, 1, 999, 30_000, 10**7]), back=st.integers(0, 5))
    def time_passes(self, ms: int, back: int) -> None:
        """Let time pass, sometimes back, and fire the timer, due or not."""
        self.now = UtcMs(self.now + (ms if back else -ms // 10))
        self.feed(e.TimerFired())

    @precondition(lambda self: next_instant(self.watched.workflow) is not None)
    @rule()
    def time_comes(self) -> None:
        """Let the instant come that the workflow waits for: then there is something to decide."""
        self.wait()

    def wait(self) -> None:
        """Let the next instant come."""
        instant = next_instant(self.watched.workflow)
        assert instant is not None
        self.now = max(self.now, instant)
        decided = self.feed(e.TimerFired())
        alive = not self.watched.workflow.is_terminal and self.watched.workflow.quarantined is None
        assert decided or not alive, "it asked to be woken for nothing, and would again"

    @rule()
    def process_dies(self) -> None:
        """Kill the process and begin anew on what is durable."""
        self.watched.begin_anew()
        self.feed(e.Resumed())

    @rule(
        command=st.sampled_from(
            ["cancel", "approve", "deny", "answer", "retry", "release", "retry", "release", "settle"]
        )
    )
    def somebody_says(self, command: Any) -> None:
        """Have a person say something, sensible or not."""
        self.feed(e.ControlArrived(command, "ann", "because"))

    @rule(
        which=st.lists(st.integers(0, 20), min_size=1, max_size=4),
        changed=st.sampled_from([False, False, True]),
        off=st.sampled_from([0, 0, 0, 1, -1]),
    )
    def tasks_arrive(self, which: list[int], changed: bool, off: int) -> None:
        """Have tasks of an answer arrive that is still under way, as the plan will have them or otherwise."""
        tasks = (elsewhere(self.plan) if changed else self.plan)["tasks"]
        call = self.watched.workflow.planning.call + off
        for number in which:
            self.feed(e.TaskProposed(call, json.dumps(tasks[number % len(tasks)])))

    @rule(
        off=st.sampled_from([0, 0, 0, 0, 1, -1]),
        what=st.sampled_from(["plan", "plan", "plan", "first", "changed", "clarify", "refuse", "faulty", "noise"]),
    )
    def propose(self, off: int, what: str) -> None:
        """Have the model answer a question, perhaps not the open one."""
        past = past_of(self.watched.workflow, CATALOGUE)
        texts = {
            "plan": as_text(self.plan if past is None else revision_of(past)),
            "first": as_text(self.plan),
            "changed": as_text(elsewhere(self.plan)),
            "clarify": as_text(proposal(outcome="clarify", reason="?", questions=["When?"])),
            "refuse": as_text(proposal(outcome="refuse", reason="No.")),
            "faulty": as_text(proposal(task("one", "rooms.unheard_of"))),
            "noise": "I would rather not",
        }
        call = self.watched.workflow.planning.call + off
        self.feed(e.ProposalReceived(call, texts[what], "model", Usage(usd="0.01"), 1, 1))

    @rule(kind=st.sampled_from(["wait", "stopped", "bad_answer", "permanent"]), after=st.sampled_from([None, 10_000]))
    def planner_fails(self, kind: Any, after: int | None) -> None:
        """Have the open question fail."""
        call = self.watched.workflow.planning.call
        self.feed(e.PlannerFailed(call, kind, FAILURE, after, "model", Usage(usd=None)))

    @rule()
    def told(self) -> None:
        """Have the queues take what is to be told."""
        for outcome in self.watched.workflow.outcomes:
            self.feed(e.OutcomePublished(outcome.outcome_id))
        self.feed(e.DeadLettered())

    @rule(times=st.integers(1, 30))
    def all_is_well(self, times: int) -> None:
        """Let the world answer truly for a while, so that the rest happens far along, too."""
        for _ in range(times):
            if self.watched.workflow.is_terminal or self.watched.workflow.quarantined is not None:
                return
            self.one_good_thing()

    @precondition(lambda self: self.watched.workflow.active)
    @rule(which=st.integers(0, 20), why=st.sampled_from([FAILURE, SOLD_OUT, SOLD_OUT]))
    def fails_for_good(self, which: int, why: Failure) -> None:
        """Have an agent refuse for good what it did not do, in a way that another plan may get round, or not."""
        refs = list(self.watched.workflow.active)
        task_id, side = refs[which % len(refs)]
        if self.watched.workflow.tasks[task_id].call(side).purpose == "call":
            self.end(task_id, side, e.Failed(why, retryable=False, answered=True))

    # --- What is late, doubled or untrue -----------------------------------------------------------------------------

    @rule(
        which=st.integers(0, 20),
        side=sides,
        purpose=st.sampled_from(["call", "lookup"]),
        off=st.integers(-2, 1),
        anew=st.integers(0, 1),
        result=results,
    )
    def straggler(self, which: int, side: Side, purpose: Any, off: int, anew: int, result: AttemptResult) -> None:
        """Have an attempt end that may not be in flight, be another one, or never have been."""
        names = [*self.watched.workflow.tasks, TaskId("nobody")]
        task_id = names[which % len(names)]
        known = self.watched.workflow.tasks.get(task_id)
        number = (known.call(side).attempts if purpose == "call" else known.call(side).lookups) if known else 1
        revision = (known.planned.revision if known else 1) - anew
        self.feed(e.AttemptEnded(task_id, side, purpose, number + off, revision, result))

    @rule(which=st.integers(0, 20), side=sides, off=st.integers(-1, 0), known=st.booleans(), result=results)
    def reply(self, which: int, side: Side, off: int, known: bool, result: AttemptResult) -> None:
        """Have a reply come by the queue, under a key of ours or another."""
        workflow = self.watched.workflow
        names = list(workflow.tasks)
        if not names:
            self.feed(e.ReplyArrived(TaskId("nobody"), 1, IdempotencyKey("jk-none"), result))
            return
        task_ = workflow.tasks[names[which % len(names)]]
        key = call_key(workflow, task_, side) if known else IdempotencyKey("jk-none")
        self.feed(e.ReplyArrived(task_.planned.id, task_.call(side).attempts + off, key, result))

    @rule(which=st.integers(0, 20), side=sides)
    def untrue_grant(self, which: int, side: Side) -> None:
        """Grant a slot to whoever may not want one."""
        names = [*self.watched.workflow.tasks, TaskId("nobody")]
        self.feed(e.SlotGranted(names[which % len(names)], side))

    @rule(number=st.integers(1, 3))
    def untrue_telling(self, number: int) -> None:
        """Have an outcome published that may not be ours, and a turn that did not come."""
        self.feed(e.OutcomePublished(OutcomeId(f"{self.watched.workflow.workflow_id}.{number}")))
        self.feed(e.TurnCame())

    @rule(digest=st.sampled_from(["digest", "another"]))
    def request_comes_again(self, digest: str) -> None:
        """Have the request arrive again, and a refusal for the same id."""
        self.feed(e.RequestArrived(self.request, digest, MESSAGE, "another model"))
        self.feed(e.RequestRefused(None, self.request.tenant, None, "NOT_JSON", (), MESSAGE))

    @rule(sure=st.integers(0, 9))
    def law_broken(self, sure: int) -> None:
        """Now and then, have it set aside."""
        if sure == 0:
            self.feed(e.LawBroken("the story"))

    # --- The end --------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """From wherever it is: if the world answers everything from now on, the workflow ends, and is done."""
        self.watched.begin_anew()
        if self.watched.workflow.exists:
            self.finish()

    def finish(self) -> None:
        """Answer everything truly until the workflow is done."""
        for _ in range(ENDING_ROUNDS_MAX):
            if self.watched.workflow.is_done and self.watched.workflow.quarantined is None:
                return
            self.one_good_thing()
        raise AssertionError(f"it does not end: {self.watched.workflow.status.value}")

    def one_good_thing(self) -> None:
        """Let whatever is open be answered."""
        workflow = self.watched.workflow
        if workflow.quarantined is not None:
            self.feed(e.ControlArrived("release", "ann"))
        if workflow.is_terminal:
            self.told()
        elif workflow.status is Status.ACCEPTED:
            self.feed(e.TurnCame())
        elif workflow.status is Status.PLANNING and workflow.planning.asking:
            self.propose(0, "plan")
        elif workflow.status is Status.NEEDS_CLARIFICATION:
            self.feed(e.ControlArrived("answer", "ann", "In May."))
        elif workflow.status is Status.AWAITING_APPROVAL:
            asking = open_approvals(workflow)
            self.feed(e.ControlArrived("approve", "ann", "", asking[0] if asking else None))
        elif any(claimable(workflow)):
            self.grant_all()
        elif workflow.active:
            for task_id, side in list(workflow.active):
                if (task_id, side) in workflow.active:
                    self.end(task_id, side, e.Succeeded(self.agents.do(self.call_of(task_id, side))))
        else:
            self.wait()


def test_the_laws_hold_whatever_the_world_says() -> None:
    """No order of events, true or not, breaks a law, makes the fold differ, or keeps the workflow from ending."""
    run_state_machine_as_test(
        WorkflowMachine, settings=settings(max_examples=settings().max_examples * 2 // 5, stateful_step_count=40)
    )


@given(plans())
@settings(max_examples=50)
def test_the_drawn_plans_are_plans(plan: JsonObject) -> None:
    """The shapes that the machine works on compile without a fault."""
    for one in (plan, elsewhere(plan)):
        assert isinstance(compile_proposal(as_text(one), CATALOGUE, request()), Adopted)
