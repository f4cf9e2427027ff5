"""The only place that knows which adapter is which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from functools import partial

from jada_orchestrator.adapters.aws.clients import Connections, open_clients
from jada_orchestrator.adapters.aws.errors import is_missing_queue
from jada_orchestrator.adapters.aws.fast_invoke import FastInvoker
from jada_orchestrator.adapters.aws.fast_queues import FastQueues
from jada_orchestrator.adapters.aws.lambda_functions import LambdaFunctions
from jada_orchestrator.adapters.aws.model_places import AwsPlaces
from jada_orchestrator.adapters.aws.payloads import S3Payloads
from jada_orchestrator.adapters.aws.queues import SqsOutcomes, SqsSource
from jada_orchestrator.adapters.aws.referring import WholeReplies
from jada_orchestrator.adapters.aws.sending import SqsSender
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.adapters.aws.worker_queues import SqsWorkers
from jada_orchestrator.adapters.claude.lifecycle import is_known
from jada_orchestrator.adapters.claude.models import KnownModels
from jada_orchestrator.adapters.claude.planner import ClaudePlanner
from jada_orchestrator.adapters.host.clock import SystemClock
from jada_orchestrator.adapters.host.descriptors import OpenFiles
from jada_orchestrator.adapters.journal.opening import open_reader, open_store
from jada_orchestrator.capacity.budgets import DAY_MS, BudgetLimits, Budgets
from jada_orchestrator.capacity.descriptors import DescriptorBudget
from jada_orchestrator.capacity.governor import Governor, GovernorSettings
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.host import Watcher
from jada_orchestrator.ports.log import Log
from jada_orchestrator.ports.payloads import PayloadStore
from jada_orchestrator.ports.queues import QueueError
from jada_orchestrator.ports.tracing import Tracing
from jada_orchestrator.runtime.governed import GovernedPlanner, Governing
from jada_orchestrator.runtime.templated import TemplatedPlanner, TemplateUse
from jada_orchestrator.runtime.world import Tunables, Wire, World
from jada_orchestrator.service.ladder import models_of
from jada_orchestrator.service.model_access import open_model
from jada_orchestrator.service.settings import Settings, weight_of
from jada_orchestrator.wire import outcomes, replies, requests, tasks

_SOURCE = "jada-orchestrator"
"""The CloudEvents ``source`` of every outcome."""
_POLL_SHARE = 4
"""Of the connections to SQS, every fourth may be held by a long poll; the others send, delete and look up."""
_LOOK_UPS = 1
"""Connections that the client itself keeps to look up queues, where messages go the short way."""
_REPLY_VISIBILITY_S = 10
"""A reply that a killed process had received comes again before the call's own timeout is over, so it is not made
again; one that comes again too early is fenced by its attempt."""
_PAYLOADS_AT_ONCE = 8
"""Payloads on their way to or from the bucket: rare ones, of some megabytes each."""
_FIND_QUEUES_S = 3.0
"""How long a start looks for its queues: with the service away, what is in flight must still move within seconds."""


async def _find_queues(sqs: SqsService, settings: Settings) -> None:
    """Refuse to start without a queue that certainly is not there; a service that does not answer is waited for later.

    A wrong name would otherwise be a daemon that looks well and never receives anything. An outage is another thing:
    it passes, and a daemon that ended by it would have to be started again by somebody.

    Raises: QueueError, naming every queue that is missing.
    """
    variables = {
        settings.request_queue: "JADA_REQUEST_QUEUE",
        settings.dead_letter_queue: "JADA_DEAD_LETTER_QUEUE",
        settings.outcome_queue: "JADA_OUTCOME_QUEUE",
        settings.reply_queue: "JADA_REPLY_QUEUE",
    }

    async def missing(queue: str) -> bool:
        try:
            async with asyncio.timeout(_FIND_QUEUES_S):
                await sqs.find(queue)
        except Exception as error:  # noqa: BLE001 - whatever else it is, the receivers and senders tell it and go on
            return is_missing_queue(error)
        return False

    answers = await asyncio.gather(*map(missing, variables))
    lost = [queue for queue, is_missing in zip(variables, answers, strict=True) if is_missing]
    if lost:
        create = "; ".join(f"aws sqs create-queue --queue-name {queue}" for queue in lost)
        names = ", ".join(f"{queue} ({variables[queue]})" for queue in lost)
        raise QueueError(f"no such queue in this account and region: {names}. Correct the name, or create it: {create}")


@asynccontextmanager
async def open_world(
    settings: Settings, budget: DescriptorBudget, log: Log, watcher: Watcher, tracing: Tracing
) -> AsyncIterator[tuple[World, ClaudePlanner]]:
    """Open every adapter inside the running loop, and close all of them in every case, the journal last.

    Raises: JournalError, AwsSetupError, ModelConfigurationError, PriceListError, QueueError (a queue that must exist
    does not).
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = open_store(settings.store, lease_ms=settings.lease)
        journal = store.journal
        stack.push_async_callback(journal.close)
        await journal.open()
        at_bucket = payload_connections(settings, budget)
        of_functions = budget.functions - at_bucket
        wanted = Connections(of_functions, budget.queues, objects=at_bucket)
        clients = await stack.enter_async_context(open_clients(wanted))
        payloads: PayloadStore | None = None
        if at_bucket:
            place = settings.offload
            payloads = S3Payloads(clients.objects, bucket=place.bucket, prefix=place.prefix, connections=at_bucket)
        planner = await stack.enter_async_context(open_model(settings, budget.model))
        # Where instances share a store, each tells what it has spent, and what ended ones told counts as well.
        shared = store.ownership is not None
        budgets = Budgets(governing_of(settings).limits) if shared else await _budgets(settings, clock.now())
        governed = GovernedPlanner(
            planner,
            planner,
            Governor(GovernorSettings(connections=budget.model)),
            budgets,
            clock=clock,
            log=log,
            governing=governing_of(settings),
        )
        templated = TemplatedPlanner(governed, governed, journal, clock=clock, log=log)
        templated.use = template_use_of(settings)
        stack.push_async_callback(templated.close)
        polls = max(2, min(2 * settings.receivers, budget.queues // _POLL_SHARE))
        fast_queues = FastQueues(clients.queues, clients.session, connections=budget.queues - _LOOK_UPS)
        stack.push_async_callback(fast_queues.close)
        sqs = SqsService(
            clients.queues,
            polls=polls,
            requests=max(1, budget.queues - polls - (_LOOK_UPS if settings.fast_invoke else 0)),
            fast=fast_queues if settings.fast_invoke else None,
        )
        await _find_queues(sqs, settings)
        sender = SqsSender(sqs)
        stack.push_async_callback(sender.close)
        encode = partial(tasks.encode, reply_to=settings.reply_queue, offload=offload_of(settings))
        fast = FastInvoker(clients.functions, clients.session, connections=of_functions)
        functions = LambdaFunctions(
            clients.functions,
            connections=of_functions,
            encode=partial(tasks.encode, reply_to=None, offload=offload_of(settings)),
            read=replies.read_payload,
            fast=fast if settings.fast_invoke else None,
            payloads=payloads,
        )
        stack.push_async_callback(fast.close)
        stack.push_async_callback(functions.close)
        own_replies = SqsSource(sqs, settings.reply_queue, clock=clock, visibility_s=_REPLY_VISIBILITY_S)
        world = World(
            journal=journal,
            planner=templated,
            templates=templated,
            functions=functions,
            workers=SqsWorkers(sender, encode=encode, payloads=payloads),
            requests=SqsSource(sqs, settings.request_queue, clock=clock),
            replies=own_replies if payloads is None else WholeReplies(own_replies, payloads),
            outcomes=SqsOutcomes(sender, dead_letter_queue=settings.dead_letter_queue),
            clock=clock,
            log=log,
            watcher=watcher,
            wire=Wire(
                parse_request=lambda message, model: requests.parse(message, model=model),
                parse_reply=replies.parse,
                encode_outcome=partial(outcomes.encode, source=_SOURCE),
            ),
            ownership=store.ownership,
            budgets=budgets if shared else None,
            planning=governed,
            tracing=tracing,
            payloads=payloads,
        )
        yield world, planner


def tunables_of(settings: Settings, catalogue: Catalogue, budget: DescriptorBudget) -> Tunables:
    """Return what a reload may change."""
    return Tunables(
        catalogue=catalogue,
        model=settings.model,
        outcome_queue=settings.outcome_queue,
        retention_ms=retention_ms_of(settings),
        read_plans_ahead=settings.read_plans_ahead,
        reply_to_allowed=frozenset({*settings.reply_to_allowed, settings.outcome_queue}),
        calls_in_flight_max=min(settings.calls_in_flight, budget.functions),
        workflows_in_flight_max=settings.workflows_in_flight,
        receivers=settings.receivers,
        drain_ms=round(settings.drain_seconds * 1_000),
        tenant_weights=dict(map(weight_of, settings.tenant_weights)),
        files_open=OpenFiles(),
        files_max=budget.limit,
        models_of=partial(models_of, settings),
        templates=template_use_of(settings),
        governing=governing_of(settings),
    )


def retention_ms_of(settings: Settings) -> int:
    """Return how long what has ended is kept whole; 0: for ever."""
    return round(settings.retention_days * DAY_MS)


def payload_connections(settings: Settings, budget: DescriptorBudget) -> int:
    """Return how many of the functions' connections go to the bucket; none where none is configured."""
    return max(1, min(_PAYLOADS_AT_ONCE, budget.functions // 4)) if settings.offload.bucket else 0


def offload_of(settings: Settings) -> JsonObject | None:
    """Return what a task tells its agent of the bucket."""
    place = settings.offload
    return {"bucket": place.bucket, "prefix": place.prefix} if place.bucket else None


def template_use_of(settings: Settings) -> TemplateUse:
    """Return when a template is used instead of a model."""
    return TemplateUse(settings.templates.use, settings.templates.after, settings.budgets.when_short == "template")


def governing_of(settings: Settings) -> Governing:
    """Return the budgets, and which other models may be asked when."""
    budgets = settings.budgets
    return Governing(
        fallback_model=settings.models.fallback,
        when_short=budgets.when_short,
        cheaper_model=settings.models.cheaper,
        limits=BudgetLimits(budgets.booking_usd, budgets.tenant_day_usd, budgets.day_usd),
    )


def known_models() -> KnownModels:
    """Return what is known of models without asking anybody."""
    return KnownModels.shipped()


def is_known_model(model: str) -> bool:
    """Tell whether any table that came with this version has a model."""
    return is_known(model)


@asynccontextmanager
async def open_places() -> AsyncIterator[AwsPlaces]:
    """Open what reads and writes agents' models at AWS. Raises: AwsSetupError."""
    async with open_clients(Connections(functions=8, queues=1, parameters=8)) as clients:
        yield AwsPlaces(clients)


async def _budgets(settings: Settings, now: UtcMs) -> Budgets:
    """Return the budgets with what the journal knows of the present day. Raises: JournalError."""
    budgets = Budgets(governing_of(settings).limits)
    if budgets.limits.any:
        reader = open_reader(settings.store)
        try:
            calls = await reader.model_calls(since=UtcMs(now - now % DAY_MS))
        finally:
            await reader.close()
        budgets.restore(((call.tenant, Decimal(call.usage.usd)) for call in calls if call.usage.usd is not None), now)
    return budgets
