"""Everything outside that the runtime is given: ports, codecs of the wire, and its own few settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from jada_orchestrator.capacity.budgets import Budgets
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import ControlArrived, RequestArrived, RequestRefused
from jada_orchestrator.domain.ids import RequestId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import OutcomeType
from jada_orchestrator.domain.request import BookingRequest, Message
from jada_orchestrator.ports.agents import FunctionCaller, WorkerSender
from jada_orchestrator.ports.host import Clock, Watcher
from jada_orchestrator.ports.journal import Journal
from jada_orchestrator.ports.log import Log
from jada_orchestrator.ports.ownership import Ownership
from jada_orchestrator.ports.payloads import PayloadStore
from jada_orchestrator.ports.planner import AlwaysOpen, Planner, PlanningGate
from jada_orchestrator.ports.queues import AgentReply, MessageSource, OutcomeSink, UnreadableReply
from jada_orchestrator.ports.tracing import NoTracing, Tracing
from jada_orchestrator.runtime.governed import Governing
from jada_orchestrator.runtime.templated import TemplatedPlanner, TemplateUse

Control: TypeAlias = tuple[RequestId, ControlArrived]
ParsedRequest: TypeAlias = RequestArrived | RequestRefused | Control


@dataclass(frozen=True, slots=True)
class Wire:
    """How messages are read and written; the formats are the contract's, and are not the runtime's business."""

    parse_request: Callable[[Message, str], ParsedRequest]
    """From a message and the model that a workflow begun now would plan with."""
    parse_reply: Callable[[str], AgentReply | UnreadableReply]
    encode_outcome: Callable[[str, OutcomeType, UtcMs, JsonObject], str]
    """From id, type, time and content to a CloudEvents JSON text."""


@dataclass(frozen=True, slots=True)
class World:
    """The ports. The runtime uses them and does not close them: whoever opened them does."""

    journal: Journal
    planner: Planner
    functions: FunctionCaller
    workers: WorkerSender
    requests: MessageSource
    replies: MessageSource
    outcomes: OutcomeSink
    clock: Clock
    log: Log
    watcher: Watcher
    wire: Wire
    ownership: Ownership | None = None
    """What is ours of a store that several instances share; None: the whole journal is."""
    budgets: Budgets | None = None
    """The day's budgets, where they hold for all instances of a store together; None: each has its own, or none."""
    templates: TemplatedPlanner | None = None
    """Who keeps templates, if anybody; the planner itself, in the daemon."""
    planning: PlanningGate = field(default_factory=AlwaysOpen)
    """Whether plans can be made at all; the governed planner itself, in the daemon."""
    tracing: Tracing = field(default_factory=NoTracing)
    payloads: PayloadStore | None = None
    """Where what is too large for a message is kept; None: nowhere."""


@dataclass(slots=True)
class Tunables:
    """What the runtime may be told to do differently; replaced as a whole on reload."""

    catalogue: Catalogue
    model: str
    outcome_queue: str
    reply_to_allowed: frozenset[str]
    calls_in_flight_max: int
    workflows_in_flight_max: int
    receivers: int
    drain_ms: int
    tenant_weights: Mapping[str, float] = field(default_factory=dict)
    """How tenants share agents; 1.0 for those that are not named."""
    files_open: Callable[[], int] | None = None
    """How many files the process has open now; None: nobody counts."""
    files_max: int = 0
    """How many it may have open; used with `files_open` only."""
    models_of: Callable[[BookingRequest], tuple[str, ...]] | None = None
    """The ladder of models that a request begun now is planned with; None: `model` alone."""
    retention_ms: int = 0
    """How long what has ended is kept whole; 0: for ever."""
    read_plans_ahead: bool = True
    """Whether reads of a plan that is still arriving are started before it is there."""
    templates: TemplateUse = field(default_factory=TemplateUse)
    """When a template is used instead of a model."""
    governing: Governing = field(default_factory=Governing)
    """Budgets, and which other models may be asked when."""
