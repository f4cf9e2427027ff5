"""Claude behind the planner's port: one streamed call for each question, measured, billed and classified."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jada_orchestrator.adapters.claude import errors
from jada_orchestrator.adapters.claude.client import (
    ClientSettings,
    api_key,
    base_url,
    create_bedrock_client,
    create_client,
)
from jada_orchestrator.adapters.claude.estimating import Experience, Size
from jada_orchestrator.adapters.claude.late_client import LateClient, load_sdk
from jada_orchestrator.adapters.claude.models import Effort, KnownModels, ModelFacts, learn
from jada_orchestrator.adapters.claude.prices import PriceList
from jada_orchestrator.adapters.claude.prompt import estimate_tokens, messages_of, system_blocks, system_text
from jada_orchestrator.adapters.claude.providers import Provider
from jada_orchestrator.adapters.claude.rate_headers import limits_of
from jada_orchestrator.adapters.claude.reading_ahead import TasksAhead
from jada_orchestrator.adapters.claude.schema import PROPOSAL_SCHEMA, choice_schema
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import CatalogueVersion
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import PROPOSAL_BYTES_MAX
from jada_orchestrator.domain.usage import RateLimit, Usage
from jada_orchestrator.ports.planner import CallEstimate, PlannerAnswer, PlannerError, PlannerQuestion, TaskListener

if TYPE_CHECKING:
    import anthropic
    from anthropic.types import OutputConfigParam
    from anthropic.types import Usage as ApiUsage

    from jada_orchestrator.adapters.claude.client import ModelClient

_PROMPTS_KEPT: Final = 4
"""Prompts of catalogue versions held at once: the present one, and those of workflows that began before a reload."""


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """How a question is put.

    `deadline_ms` bounds one call from its sending to its last byte, pings or no pings; waiting for a free connection
    does not count. `max_tokens` bounds what one answer may cost (the largest plan has about 15,000 tokens); a model
    that can do less is asked for less. `effort` None leaves the model its own default.
    """

    deadline_ms: int = 120_000
    max_tokens: int = 16_000
    effort: Effort | None = "medium"


class _Stream:
    """What has come of one streamed answer so far; complete or not, it can be billed."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.first_token_at: float | None = None
        self.begun = False
        self.message_model = ""
        self.stop_reason: str | None = None
        self.stop_detail = ""
        self.usage: ApiUsage | None = None
        self.limits: tuple[RateLimit, ...] = ()
        self.parts: list[str] = []
        self.size_bytes = 0

    def take_text(self, text: str, at: float) -> None:
        """Append a piece of the answer's text."""
        if self.first_token_at is None:
            self.first_token_at = at
        self.parts.append(text)
        self.size_bytes += len(text.encode("utf-8", "replace"))

    def take_message(self, message: anthropic.types.Message) -> None:
        """Take what the message says of itself by now; counts in it are cumulative."""
        self.message_model = str(message.model or "")
        self.stop_reason = message.stop_reason
        self.usage = message.usage
        details = message.stop_details
        self.stop_detail = (getattr(details, "explanation", None) or "") if details is not None else ""

    def tokens(self) -> Usage:
        """Return what was used, without its price.

        The final count of output comes with the stop reason. When the stream broke off before, what was received is
        counted at four characters a token: nearer to the bill than the 1 of `message_start`.
        """
        if self.usage is None:
            return Usage()
        output = self.usage.output_tokens or 0
        if self.stop_reason is None:
            output = max(output, estimate_tokens("".join(self.parts)))
        return Usage(
            input_tokens=self.usage.input_tokens or 0,
            output_tokens=output,
            cache_read_tokens=self.usage.cache_read_input_tokens or 0,
            cache_write_tokens=self.usage.cache_creation_input_tokens or 0,
        )


class ClaudePlanner:
    """Asks Claude. Belongs to the loop in which its client was made.

    At most `connections` calls are in flight; further ones wait their turn. Nothing is retried.
    """

    def __init__(
        self,
        client: ModelClient | LateClient,
        *,
        connections: int,
        settings: PlannerSettings | None = None,
        prices: PriceList | None = None,
        known: KnownModels | None = None,
        provider: Provider | None = None,
    ) -> None:
        """Take the client, which the planner then owns, and how many connections it has."""
        self._client = client if isinstance(client, LateClient) else LateClient(lambda: client, client)
        self._free = asyncio.Semaphore(connections)
        self._settings = settings or PlannerSettings()
        self._prices = prices or PriceList.shipped()
        self._known = known or KnownModels.shipped()
        self._provider = provider or Provider()
        self._learnt: dict[str, ModelFacts] = {}
        self._experience: dict[str, Experience] = {}
        self._prompts: dict[CatalogueVersion, str] = {}

    async def learn(self, model: str, now: UtcMs, catalogue: Catalogue | None = None) -> tuple[Fault, ...]:
        """Ask the service about a model and keep what it says; return what the operator should be warned of.

        With a catalogue, also warns when its prompt is too short for the model's prompt cache. Call it at start and
        when another model is configured. Raises nothing but cancellation.
        """
        facts = self._known.facts_of(model)
        warnings: tuple[Fault, ...] = ()
        if self._provider.knows_models:
            facts, warnings = await learn(self._client.get, model, self._known, now)
        self._learnt[model] = facts
        effort = self._settings.effort
        if facts.efforts and effort is not None and effort not in facts.efforts:
            warnings += (
                Fault("EFFORT_UNSUPPORTED", "effort", f"{model} has no effort {effort!r}; its default is used"),
            )
        minimum = facts.cache_minimum_tokens
        if catalogue is not None and minimum is not None:
            tokens = estimate_tokens(self._prompt(catalogue))
            if tokens < minimum:
                message = f"the prompt has about {tokens} tokens; {model} caches prompts of {minimum} or more only"
                warnings += (Fault("PROMPT_NOT_CACHED", "catalogue", message),)
        return warnings

    def facts_of(self, model: str) -> ModelFacts:
        """Return what is known of a model: what the service said, else the shipped table."""
        return self._learnt.get(model) or self._known.facts_of(model)

    async def client(self) -> ModelClient:
        """Return the client that the planner owns. Raises: ModelConfigurationError."""
        return await self._client.get()

    def batch_params(self, question: PlannerQuestion) -> dict[str, Any]:
        """Return a question as the Batches API takes it: what `propose` would send, without a stream."""
        return {
            "model": question.model,
            "max_tokens": self._max_tokens(question.model),
            "system": system_blocks(self._prompt(question.catalogue)),
            "messages": messages_of(question),
            "output_config": self._output_config(question, self.facts_of(question.model)),
        }

    def bill_message(self, question: PlannerQuestion, message: anthropic.types.Message) -> Usage:
        """Return what a whole message used, at the full price of the day."""
        stream = _Stream(0.0)
        stream.take_message(message)
        return self._bill(question, stream)

    def estimate(self, question: PlannerQuestion) -> CallEstimate:
        """Return what a question will probably use and cost; see `ports.planner.Estimator`."""
        price = self._prices.price_of(question.model, _day_of(question))
        experience = self._experience.setdefault(question.model, Experience())
        return experience.estimate(self._size(question), price, self._max_tokens(question.model))

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Return the model's complete answer; see `ports.planner.Planner`.

        Raises: PlannerError, classified by `errors`. When cancelled, the connection is closed and the answer, which
        may still be billed, is lost.
        """
        async with self._free:
            loop = asyncio.get_running_loop()
            stream = _Stream(loop.time())
            try:
                client = await self._client.get()
                stream.started = loop.time()
                async with asyncio.timeout(self._settings.deadline_ms / 1_000):
                    await self._receive(client, question, stream, None if on_task is None else TasksAhead(on_task))
                return self._finish(question, stream, loop.time())
            except PlannerError as error:
                _tell_of_call(error, question, stream, loop.time())
                raise
            except Exception as error:
                # Broad, because the SDK checks little of what a server sends and then raises whatever breaks first;
                # the port promises that callers meet PlannerError only.
                classified = errors.classify(error, begun=stream.begun, usage=self._bill(question, stream))
                stream.limits = limits_of(errors.headers_of(error)) or stream.limits
                _tell_of_call(classified, question, stream, loop.time())
                raise classified from error

    async def close(self) -> None:
        """Release connections. May be called twice."""
        await self._client.close()

    async def _receive(
        self, client: ModelClient, question: PlannerQuestion, stream: _Stream, ahead: TasksAhead | None
    ) -> None:
        """Make the call and read the answer to its end into `stream`, its tasks ahead of the rest."""
        loop = asyncio.get_running_loop()
        facts = self.facts_of(question.model)
        async with client.messages.stream(
            model=self._provider.wire_model(question.model),
            max_tokens=self._max_tokens(question.model),
            system=system_blocks(self._prompt(question.catalogue)),
            messages=messages_of(question),
            output_config=self._output_config(question, facts),
            extra_body=self._provider.extra_body(question.model),
        ) as events:
            stream.limits = limits_of(events.response.headers)
            async for event in events:
                match event.type:
                    case "text":
                        stream.take_text(event.text, loop.time())
                        if stream.size_bytes > PROPOSAL_BYTES_MAX:
                            message = f"the answer has more than {PROPOSAL_BYTES_MAX} bytes"
                            raise errors.unusable("MODEL_ANSWER_TOO_LARGE", message, self._bill(question, stream))
                        if ahead is not None:
                            ahead.take(event.text)
                    case "message_start":
                        stream.begun = True
                        stream.take_message(events.current_message_snapshot)
                    case "message_delta" | "message_stop" if stream.begun:
                        stream.take_message(events.current_message_snapshot)
                    case _:
                        pass  # unknown kinds of events are to be expected; blocks other than text are no proposal

    def _finish(self, question: PlannerQuestion, stream: _Stream, ended: float) -> PlannerAnswer:
        """Return the answer if it is complete. Raises: PlannerError."""
        usage = self._bill(question, stream)
        if stream.stop_reason is None:
            what = "the stream ended before the answer did"
            raise errors.broke_off(errors.NO_END, what, begun=stream.begun, usage=usage)
        if stream.stop_reason != "end_turn":
            raise errors.stopped_by(stream.stop_reason, stream.stop_detail, usage)
        text = "".join(stream.parts)
        if not text.strip():
            raise errors.unusable("MODEL_EMPTY_ANSWER", "the answer has no text", usage)
        self._experience.setdefault(question.model, Experience()).learn(self._size(question), usage)
        first_token_at = stream.started if stream.first_token_at is None else stream.first_token_at
        return PlannerAnswer(
            # Lone surrogates would stop the journal, which is UTF-8.
            text=text.encode("utf-8", "replace").decode("utf-8"),
            model=stream.message_model or question.model,
            usage=usage,
            latency_ms=round((ended - stream.started) * 1_000),
            first_token_ms=round((first_token_at - stream.started) * 1_000),
            limits=stream.limits,
        )

    def _bill(self, question: PlannerQuestion, stream: _Stream) -> Usage:
        """Return what the call used, with its price on the day of the question."""
        usage = stream.tokens()
        if usage == Usage():
            return usage
        return replace(usage, usd=self._prices.cost_of(question.model, usage, _day_of(question)))

    def _max_tokens(self, model: str) -> int:
        return min(self._settings.max_tokens, self.facts_of(model).max_tokens or self._settings.max_tokens)

    def _size(self, question: PlannerQuestion) -> Size:
        prompt = self._prompt(question.catalogue)
        messages = "".join(str(message["content"]) for message in messages_of(question))
        # Escapes and the fields around the texts are counted too, generously.
        total_bytes = len(prompt.encode()) + 2 * len(messages.encode("utf-8", "replace")) + 2_000
        return Size(len(prompt), len(messages), total_bytes)

    def _output_config(self, question: PlannerQuestion, facts: ModelFacts) -> OutputConfigParam:
        choice = question.choice
        schema = PROPOSAL_SCHEMA if choice is None else choice_schema(len(choice.options))
        config: OutputConfigParam = {"format": {"type": "json_schema", "schema": schema}}
        if self._settings.effort in facts.efforts:
            config["effort"] = self._settings.effort
        return config

    def _prompt(self, catalogue: Catalogue) -> str:
        """Return the system prompt of a catalogue, made once for each version."""
        text = self._prompts.get(catalogue.version)
        if text is None:
            text = system_text(catalogue)
            while len(self._prompts) >= _PROMPTS_KEPT:
                del self._prompts[next(iter(self._prompts))]
            self._prompts[catalogue.version] = text
        return text


def _day_of(question: PlannerQuestion) -> date:
    return datetime.fromtimestamp((question.billed_at or question.now) / 1_000, UTC).date()


def _tell_of_call(error: PlannerError, question: PlannerQuestion, stream: _Stream, ended: float) -> None:
    """Write the call's own facts into its error: which model, how long it took, why it stopped, what limits it told."""
    error.model = stream.message_model or question.model
    error.latency_ms = round((ended - stream.started) * 1_000)
    if stream.first_token_at is not None:
        error.first_token_ms = round((stream.first_token_at - stream.started) * 1_000)
    error.stop_reason = stream.stop_reason or ""
    error.limits = stream.limits


def _has_key(names: Mapping[str, str]) -> bool:
    """Tell whether key and address are given in ways that need no SDK. Raises: ModelConfigurationError."""
    base_url(names)
    return api_key(names) is not None


@asynccontextmanager
async def open_planner(
    client_settings: ClientSettings,
    settings: PlannerSettings | None = None,
    environ: Mapping[str, str] | None = None,
    provider: Provider | None = None,
    prices: PriceList | None = None,
) -> AsyncIterator[ClaudePlanner]:
    """Make the planner inside the running loop, with a client of its own, and close both in every case.

    What can be wrong with the configuration is seen here. The client itself is made by the first question, except
    where only the SDK can tell whether there are credentials.

    Raises: ModelConfigurationError, before anything is sent.
    """
    client: ModelClient | LateClient
    if provider is not None and provider.kind == "bedrock":
        await load_sdk()
        client = create_bedrock_client(client_settings, provider)
    elif _has_key(os.environ if environ is None else environ):
        client = LateClient(partial(create_client, client_settings, environ))
    else:
        await load_sdk()
        client = create_client(client_settings, environ)
    planner = ClaudePlanner(
        client, connections=client_settings.connections, settings=settings, provider=provider, prices=prices
    )
    try:
        yield planner
    finally:
        await planner.close()
