"""One workflow under watch: every event is stepped through record by record, and the laws are checked at each."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final, get_args

from msgspec import Struct

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import canonical_json
from jada_orchestrator.domain.events import Event, Side
from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry, Record
from jada_orchestrator.domain.workflow import Phase, Workflow
from jada_orchestrator.engine import apply, decide, fold, outstanding, settle
from jada_orchestrator.engine.audit import breaches
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.keys import attempt_key, call_key
from jada_orchestrator.engine.transitions import CALL_ARROWS, WORKFLOW_ARROWS, Arrow

SIDES: Final[tuple[Side, ...]] = get_args(Side)
_OF_MANY: Final = (r.PlanAdopted, r.CompensationStarted, r.RetryStarted, r.RefreshStarted)
"""Records that move calls of tasks that they do not name."""

Phases = dict[tuple[TaskId, Side], Phase]


class Watched:
    """A workflow, its entries, and everything that was ever sent for it."""

    def __init__(self, workflow_id: WorkflowId, catalogue: Catalogue) -> None:
        self.workflow = Workflow(workflow_id)
        self.catalogue = catalogue
        self.entries: list[Entry] = []
        self.keys: dict[tuple[TaskId, int, Side], str] = {}
        self.inputs: dict[str, str] = {}

    def feed(self, event: Event, now: UtcMs) -> list[Record]:
        """Step through an event as `engine.step` does, under watch; return the new records."""
        added: list[Record] = []
        records = self._read_only(lambda: decide(self.workflow, event, now, self.catalogue))
        while records:
            for record in records:
                self._apply(record, now)
            added += records
            records = self._read_only(lambda: settle(self.workflow))
        self._check()
        return added

    def begin_anew(self) -> None:
        """Forget the state, and fold what is durable."""
        refolded = fold(self.workflow.workflow_id, self.entries)
        assert refolded == self.workflow, "folding at once and one by one must end equal"
        assert set(outstanding(refolded)) == set(outstanding(self.workflow))
        self.workflow = refolded

    def _read_only(self, act: Any) -> list[Record]:
        before = snapshot(self.workflow)
        records: list[Record] = act()
        assert snapshot(self.workflow) == before, "deciding must change nothing"
        return records

    def _apply(self, record: Record, now: UtcMs) -> None:
        before, status = self._phases(), self.workflow.status
        tasks = dict(self.workflow.tasks)
        existed = self.workflow.exists
        entry = Entry(self.workflow.seq + 1, UtcMs(max(now, self.workflow.at)), record)
        apply(self.workflow, entry)
        self.entries.append(entry)
        name = type(record).__name__
        if existed and self.workflow.status is not status:
            assert Arrow(status.value, name, self.workflow.status.value) in WORKFLOW_ARROWS
        if isinstance(record, r.PlanAdopted):  # what the plan does not take over of what was foreseen begins afresh
            before = {ref: was for ref, was in before.items() if self.workflow.tasks.get(ref[0]) is tasks[ref[0]]}
        for ref, phase in self._phases().items():
            was = before.get(ref, Phase.WAITING)
            if phase is not was:
                ours = isinstance(record, _OF_MANY) or getattr(record, "task_id", None) == ref[0]
                because = name if ours else "predecessors done"
                assert Arrow(was.value, because, phase.value) in CALL_ARROWS, f"{ref}: {was} {because} {phase}"
        if isinstance(record, r.AttemptStarted):
            self._check_attempt(record)

    def _phases(self) -> Phases:
        return {
            (task_id, side): task.call(side).phase for task_id, task in self.workflow.tasks.items() for side in SIDES
        }

    def _check_attempt(self, record: r.AttemptStarted) -> None:
        """Law 5: one key a call, one input a key, and every lookup with a key of its own."""
        task = self.workflow.tasks[record.task_id]
        key = attempt_key(self.workflow, task, record.side, record.purpose, record.number)
        if record.purpose == "lookup":
            assert key not in self.inputs, f"{key} is asked under a second time"
            sent = {"idempotency_key": call_key(self.workflow, task, record.side)}
        else:
            place = (record.task_id, task.planned.revision, record.side)
            assert self.keys.setdefault(place, key) == key
            sent = task.call(record.side).input or {}
        text = canonical_json(sent)
        assert self.inputs.setdefault(key, text) == text, f"two inputs under {key}"

    def _check(self) -> None:
        workflow = self.workflow
        before = snapshot(workflow)
        commands = list(outstanding(workflow))
        assert len(commands) == len(set(commands))
        list(claimable(workflow))
        assert snapshot(workflow) == before, "reading must change nothing"
        broken = breaches(workflow)
        assert not broken, broken
        if workflow.exists and not workflow.is_terminal and workflow.quarantined is None:
            at_rest = not commands and not any(claimable(workflow))
            waits_for_turn = workflow.status.value == "accepted"
            assert not at_rest or waits_for_turn, "nothing could ever happen again"


def snapshot(value: Any) -> Any:
    """Return a deep copy of what may change; frozen values (the plan, the request) are taken by identity."""
    if isinstance(value, dict):
        return [(key, snapshot(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [snapshot(each) for each in value]
    if isinstance(value, Struct):
        names = value.__struct_fields__
        return id(value) if value.__struct_config__.frozen else [snapshot(getattr(value, name)) for name in names]
    if isinstance(value, Enum) or not is_dataclass(value):
        return value
    if value.__dataclass_params__.frozen:  # type: ignore[union-attr] # every dataclass has it
        return id(value)
    return [snapshot(getattr(value, field.name)) for field in fields(value)]
