"""The planner that knows templates: it asks a model where it can, and knows what to do where it cannot.

A template's answer goes the way of a model's: it is recorded, and compiled afresh against the request that there is.
Nothing in the engine knows where it came from, but for its name in the place of a model's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Literal

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.limits import TEMPLATE_FAILURES_MIN, TEMPLATES_MAX
from jada_orchestrator.domain.template import TEMPLATE_MODEL, Template
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine.templating import learnt_from, template_for
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.journal import Journal, JournalError
from jada_orchestrator.ports.log import Log
from jada_orchestrator.ports.planner import (
    Planner,
    PlannerAnswer,
    PlannerError,
    PlannerQuestion,
    PlanningGate,
    TaskListener,
)


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """What the operator set; replaced as a whole on reload."""

    when: Literal["never", "fallback", "prefer"] = "fallback"
    """`fallback`: while the model is out of reach, overloaded or spent; `prefer`: for every known shape at once."""
    after_ms: int = 60_000
    """How long nothing of an answer must have come before the model counts as out of reach."""
    for_money: bool = False
    """Also where a budget does not suffice."""


class TemplatedPlanner:
    """Implements `ports.planner.Planner` around another planner; keeps and learns templates."""

    def __init__(self, planner: Planner, gate: PlanningGate, journal: Journal, *, clock: Clock, log: Log) -> None:
        """Take who is asked otherwise, who knows whether plans can be made at all, and where templates are kept."""
        self.use = TemplateUse()
        self._planner = planner
        self._gate = gate
        self._journal = journal
        self._clock = clock
        self._log = log
        self._known: dict[str, Template] = {}
        self._unkept: dict[str, Template] = {}
        """Learnt here, and being written."""
        self._changes = 0
        """How often this process itself changed what is kept."""
        self._writing: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Take in what is kept, in place of what was known. Raises: JournalError."""
        while True:
            changes = self._changes
            kept = {template.key: template for template in await self._journal.templates()}
            if self._changes == changes:  # else what was read is older than what this process itself changed meanwhile
                self._known = {**kept, **self._unkept}
                return

    # --- Planner --------------------------------------------------------------------------------------------------

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Answer by a template where that is policy or there is no other way, else by the model; see the port.

        Raises: PlannerError. When cancelled, the model's call is abandoned.
        """
        template = self._template_for(question)
        if template is None:
            return await self._planner.propose(question, on_task)
        if self.use.when == "prefer" or template.pinned:
            return self._answer(template, question, "it is policy for requests of this shape")
        return await self._ask_or_use(template, question, on_task)

    async def close(self) -> None:
        """End what is being written, and close the planner. May be called twice."""
        for task in self._writing:
            task.cancel()
        await asyncio.gather(*self._writing, return_exceptions=True)
        await self._planner.close()

    def _template_for(self, question: PlannerQuestion) -> Template | None:
        """Return the template for a first question; corrections and answers of travellers are for the model."""
        if self.use.when == "never" or question.exchanges or question.clarifications or question.purpose != "plan":
            return None
        return template_for(self._known.values(), question.request, question.catalogue)

    async def _ask_or_use(
        self, template: Template, question: PlannerQuestion, on_task: TaskListener | None
    ) -> PlannerAnswer:
        arriving = asyncio.Event()

        def listen(text: str) -> None:
            arriving.set()
            if on_task is not None:
                on_task(text)

        # Somebody has to find out that planning goes on again: where all shapes are known, nobody else asks.
        stopped = None if self._gate.wants_a_probe() else self._gate.stopped()
        asking = asyncio.get_running_loop().create_task(self._planner.propose(question, listen))
        try:
            await asyncio.wait({asking}, timeout=0 if stopped is not None else self.use.after_ms / 1_000)
            if asking.done() or arriving.is_set():
                return await asking
            why = stopped or f"nothing came of an answer within {self.use.after_ms / 1_000:g} s"
        except PlannerError as error:
            if not self._is_out_of_reach(question, error):
                raise
            why = error.failure.message
        finally:
            asking.cancel()
            await asyncio.wait({asking})
        return self._answer(template, question, why)

    def _is_out_of_reach(self, question: PlannerQuestion, error: PlannerError) -> bool:
        if error.failure.code.startswith("BUDGET_"):
            return self.use.for_money
        return error.kind == "stopped" or (error.kind == "wait" and question.attempt >= TEMPLATE_FAILURES_MIN)

    def _answer(self, template: Template, question: PlannerQuestion, why: str) -> PlannerAnswer:
        self._log.emit(
            "info",
            "template.used",
            f"Template {template.key} is used instead of a model: {why}",
            workflow_id=question.workflow_id,
            request_id=question.request.request_id,
            tenant=question.request.tenant,
            template=template.key,
        )
        return PlannerAnswer(template.proposal, TEMPLATE_MODEL, Usage(usd="0"), latency_ms=0, first_token_ms=0)

    # --- What is kept ---------------------------------------------------------------------------------------------

    def learn(self, workflow: Workflow, catalogue: Catalogue) -> None:
        """Learn from a workflow that completed, if it teaches anything new; what cannot be kept is told and let go."""
        if self.use.when == "never":
            return
        template = learnt_from(workflow, catalogue, self._clock.now())
        if template is None or template.key in self._known:
            return
        self._known[template.key] = self._unkept[template.key] = template
        self._write(self._keep(template))

    async def pin(self, key: str, *, pinned: bool) -> Template | None:
        """Have a template used as policy for its shape, or no longer; None: there is none. Raises: JournalError."""
        template = self._known.get(key)
        if template is None:
            return None
        template = replace(template, pinned=pinned)
        await self._journal.put_template(template)
        self._changes += 1
        self._known[key] = template
        return template

    async def forget(self, key: str) -> bool:
        """Let a template go; tell whether there was one. Raises: JournalError."""
        if key not in self._known:
            return False
        await self._drop(key)
        return True

    async def _drop(self, key: str) -> None:
        await self._journal.drop_template(key)
        self._changes += 1
        self._known.pop(key, None)

    async def _keep(self, template: Template) -> None:
        try:
            await self._journal.put_template(template)
            self._changes += 1
            while (oldest := self._one_too_many()) is not None:
                await self._drop(oldest.key)
        except JournalError as error:
            self._known.pop(template.key, None)
            self._log.emit("warning", "template.not_kept", f"A template could not be kept: {error}")
        else:
            self._log.emit(
                "info", "template.learnt", f"Template {template.key} was learnt: {', '.join(sorted(template.shape))}"
            )
        finally:
            self._unkept.pop(template.key, None)

    def _one_too_many(self) -> Template | None:
        if len(self._known) <= TEMPLATES_MAX:
            return None
        return min((t for t in self._known.values() if not t.pinned), key=lambda t: t.learnt_at, default=None)

    def _write(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
