"""The planner that asks for leave: one governor and one set of budgets in front of whoever calls the model.

Questions wait here, together and in order, and not each by itself: a wait in here leaves nothing in the journal, and
the end of a closure lets one probe go and not a herd. What cannot wait in here (a budget that is used up) is told as a
`PlannerError`, so that the engine decides and records it: the engine never sees the governor, and replay needs it not.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from jada_orchestrator.capacity.budgets import BudgetLimits, Budgets, Busy, NearlySpent, Price, Reservation, Short
from jada_orchestrator.capacity.governor import Change, Governor, Ticket, Wait
from jada_orchestrator.capacity.pacing import Load
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.log import Log
from jada_orchestrator.ports.planner import (
    CallEstimate,
    Estimator,
    Planner,
    PlannerAnswer,
    PlannerError,
    PlannerQuestion,
    TaskListener,
)

_CACHE_WARM_S = 240.0
"""The prompt cache lives for five minutes after its last use; with a minute to spare it must be warm."""
_COLD_ANSWERS = 5
_TOLD_MAX = 1_000
"""Shortages that are remembered as told; with more tenants than that some are told of twice."""
_SCOPES = {"booking": "the booking's", "tenant_day": "the tenant's daily", "day": "the daily"}


@dataclass(frozen=True, slots=True)
class Governing:
    """What the operator set; replaced as a whole on reload."""

    fallback_model: str = ""
    """Asked while the question's own model is overloaded; empty: wait."""
    when_short: Literal["wait", "cheaper", "template", "attention"] = "wait"
    """What becomes of a question that a budget does not suffice for."""
    cheaper_model: str = ""
    """What `cheaper` asks instead."""
    limits: BudgetLimits = field(default_factory=BudgetLimits)


@dataclass(slots=True)
class _Waiting:
    """A question that waits for leave."""

    question: PlannerQuestion
    leave: asyncio.Future[_Leave]
    since: float
    short: PlannerError | None = None


@dataclass(slots=True)
class _Leave:
    """Everything that was taken for one call."""

    question: PlannerQuestion
    """With the model that is asked in truth."""
    ticket: Ticket
    reservation: Reservation | None


@dataclass(slots=True)
class Tally:
    """What the governed planner did, for status and reports."""

    calls: int = 0
    billed_failures: int = 0
    probes_at_once_max: int = 0
    usage: Usage = field(default_factory=Usage)


class GovernedPlanner:
    """Implements `ports.planner.Planner` and `ports.planner.PlanningGate` around another planner."""

    def __init__(
        self,
        planner: Planner,
        estimator: Estimator,
        governor: Governor,
        budgets: Budgets,
        *,
        clock: Clock,
        log: Log,
        governing: Governing | None = None,
    ) -> None:
        """Take what is governed, and by what."""
        self._planner = planner
        self._estimator = estimator
        self._governor = governor
        self._budgets = budgets
        self._clock = clock
        self._log = log
        self._governing = governing or Governing(limits=budgets.limits)
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = 0
        self._timer: asyncio.TimerHandle | None = None
        self._out_of_money: tuple[str, UtcMs] | None = None
        """Why the day's budget stops all planning, and until when."""
        self._told_short: set[str] = set()
        self._cache: dict[str, tuple[float, int]] = {}
        """Of each model: when it last answered, and how many answers in a row read nothing from a warm cache."""
        self.tally = Tally()

    # --- PlanningGate ---------------------------------------------------------------------------------------------

    def stopped(self) -> str | None:
        """Return why no plans can be made now, or None; see `ports.planner.PlanningGate`."""
        if self._out_of_money is not None and self._clock.now() >= self._out_of_money[1]:
            self._out_of_money = None
        return self._governor.stopped() or (None if self._out_of_money is None else self._out_of_money[0])

    def wants_a_probe(self) -> bool:
        """Tell whether a question would be put although planning is stopped; see `ports.planner.PlanningGate`."""
        return self._out_of_money is None and self._governor.wants_a_probe(self._now())

    @property
    def waiting(self) -> int:
        """Questions that wait for leave."""
        return len(self._waiting)

    def waiting_for(self) -> frozenset[WorkflowId]:
        """Return whose questions wait for leave."""
        return frozenset(waiting.question.workflow_id for waiting in self._waiting.values())

    # --- Planner --------------------------------------------------------------------------------------------------

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Wait for leave, ask, and tell the governor what came of it; see `ports.planner.Planner`.

        Raises: PlannerError, also with the codes BUDGET_BOOKING, BUDGET_TENANT_DAY, BUDGET_DAY and
        BUDGET_PRICE_UNKNOWN, which were never sent and cost nothing. When cancelled while waiting, nothing was sent.
        """
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        leave = await self._leave_for(question)
        waited_ms = round((loop.time() - arrived) * 1_000)
        self.tally.calls += 1
        self.tally.probes_at_once_max = max(self.tally.probes_at_once_max, self._governor.probes_under_way)
        try:
            answer = await self._planner.propose(leave.question, on_task)
        except PlannerError as error:
            self._failed(leave, error)
            raise
        except BaseException:
            self._abandoned(leave)
            raise
        else:
            self._answered(leave, answer)
            return replace(answer, waited_ms=waited_ms)
        finally:
            self._pump()

    def retune(self, governing: Governing) -> None:
        """Take new settings; what they allow goes on at once."""
        self._governing = governing
        self._budgets.limits = governing.limits
        self._out_of_money = None
        self._told_short.clear()
        self._pump()

    async def close(self) -> None:
        """Stop the timer and close the planner. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._planner.close()

    # --- Leave ----------------------------------------------------------------------------------------------------

    async def _leave_for(self, question: PlannerQuestion) -> _Leave:
        loop = asyncio.get_running_loop()
        self._numbers += 1
        number = self._numbers
        waiting = _Waiting(question, loop.create_future(), loop.time())
        self._waiting[number] = waiting
        self._pump()
        try:
            return await waiting.leave
        except asyncio.CancelledError:
            if waiting.leave.done() and not waiting.leave.cancelled() and waiting.leave.exception() is None:
                self._abandoned(waiting.leave.result())
                self._pump()
            raise
        finally:
            self._waiting.pop(number, None)

    def _pump(self) -> None:
        """Give leave to whoever may go, first come first served for each model, and set the timer for the rest."""
        now = self._now()
        blocked: set[str] = set()
        next_at: int | None = None
        for number, waiting in list(self._waiting.items()):
            if waiting.leave.done():
                continue
            try:
                outcome = self._try(waiting.question, blocked, now)
            except PlannerError as error:
                del self._waiting[number]
                waiting.leave.set_exception(error)
                continue
            if isinstance(outcome, _Leave):
                del self._waiting[number]
                waiting.leave.set_result(outcome)
            elif outcome is not None and outcome.until is not None:
                next_at = outcome.until if next_at is None else min(next_at, outcome.until)
        self._set_timer(next_at, now)

    def _try(self, question: PlannerQuestion, blocked: set[str], now: int) -> _Leave | Wait | None:
        """Take everything that a question needs, or say what it waits for; None when somebody before it waits too.

        Raises: PlannerError, when a budget does not suffice.
        """
        governing = self._governing
        model = question.model
        if governing.fallback_model and self._governor.is_overloaded(model) and not self._may_probe(question, now):
            model = governing.fallback_model
        if model in blocked:
            return None
        asked, price, estimate = self._affordable(replace(question, model=model), governing)
        if asked is None or asked.model in blocked:
            return None  # woken by the end of a call under way, whose money may become free
        load = Load(estimate.input_tokens, estimate.output_tokens)
        ticket = self._governor.ask(asked.model, load, now, retry=question.billed_failures > 0)
        if isinstance(ticket, Wait):
            if not ticket.own:
                blocked.add(asked.model)
            return ticket
        reservation = (
            None
            if price is None
            else self._budgets.reserve(question.request.tenant, price, booking=question.workflow_id)
        )
        return _Leave(asked, ticket, reservation)

    def _may_probe(self, question: PlannerQuestion, now: int) -> bool:
        return self._governor.may_go(question.model, Load(), now)

    # --- Money ----------------------------------------------------------------------------------------------------

    def _affordable(
        self, question: PlannerQuestion, governing: Governing
    ) -> tuple[PlannerQuestion | None, Price | None, CallEstimate]:
        """Return the question as it can be afforded (perhaps of a cheaper model), None while money may become free.

        Raises: PlannerError.
        """
        estimate = self._estimator.estimate(question)
        if not self._budgets.limits.any:
            return question, None, estimate
        verdict = self._look(question, estimate)
        cheaper = governing.cheaper_model
        if isinstance(verdict, Short) and governing.when_short == "cheaper" and cheaper not in {"", question.model}:
            question = replace(question, model=cheaper)
            estimate = self._estimator.estimate(question)
            verdict = self._look(question, estimate)
        match verdict:
            case Price():
                return question, verdict, estimate
            case Busy():
                return None, None, estimate
            case Short():
                raise self._short_of_money(question, verdict, governing)

    def _look(self, question: PlannerQuestion, estimate: CallEstimate) -> Price | Busy | Short:
        spent = question.spent.usd
        if estimate.expected_usd is None or estimate.worst_usd is None or spent is None:
            message = (
                f"there is a budget, and the price of {question.model} is not known: "
                "add it to the price list, or configure a model whose price is known"
            )
            raise PlannerError("stopped", Failure("BUDGET_PRICE_UNKNOWN", message))
        price = Price(estimate.expected_usd, max(estimate.expected_usd, estimate.worst_usd))
        refused = self._budgets.look(
            question.request.tenant, Decimal(spent), price, self._clock.now(), booking=question.workflow_id
        )
        return price if refused is None else refused

    def _short_of_money(self, question: PlannerQuestion, short: Short, governing: Governing) -> PlannerError:
        code = f"BUDGET_{short.scope.upper()}"
        message = f"{_SCOPES[short.scope]} budget of ${short.limit} does not suffice: ${short.spent:.4f} are spent"
        if short.until is None or governing.when_short == "attention":
            return PlannerError("attention", Failure(code, message))
        if short.scope == "day":
            self._out_of_money = (message, short.until)
        who = question.request.tenant if short.scope == "tenant_day" else ""
        told = f"{code} {who} {short.until}"
        if told not in self._told_short:
            if len(self._told_short) >= _TOLD_MAX:
                self._told_short.clear()
            self._told_short.add(told)
            whose = f" for {who}" if who else ""
            sentence = f"Planning waits{whose} until {format_instant(short.until)}: {message}"
            self._log.emit("error", "budget.spent", sentence, code=code)
        retry_after_ms = max(0, short.until - self._clock.now())
        failure = Failure(code, f"{message}; planning waits until {format_instant(short.until)}")
        return PlannerError("stopped", failure, retry_after_ms=retry_after_ms)

    def _settle(self, leave: _Leave, usage: Usage) -> None:
        self.tally.usage += usage
        if leave.reservation is None:
            return
        # A price that became unknown meanwhile counts as the worst: never silently over.
        cost = leave.reservation.price.worst if usage.usd is None else Decimal(usage.usd)
        for warning in self._budgets.settle(leave.reservation, cost, self._clock.now()):
            self._warn(warning)
        self._count_on_booking(leave.reservation.booking, cost)

    def _count_on_booking(self, booking: str, cost: Decimal) -> None:
        """Have the booking's other questions that wait know what was spent on it since they came."""
        for waiting in self._waiting.values():
            if waiting.question.workflow_id == booking:
                spent = waiting.question.spent + Usage(usd=format(cost, "f"))
                waiting.question = replace(waiting.question, spent=spent)

    def _warn(self, warning: NearlySpent) -> None:
        who = f" of {warning.tenant}" if warning.tenant else ""
        share = f"${warning.spent:.2f} of ${warning.limit}"
        message = f"{share} are spent of {_SCOPES[warning.scope]} budget{who}"
        self._log.emit("warning", "budget.nearly_spent", message, scope=warning.scope)

    # --- How calls end --------------------------------------------------------------------------------------------

    def _answered(self, leave: _Leave, answer: PlannerAnswer) -> None:
        self._watch_cache(leave, answer.usage)
        self._settle(leave, answer.usage)
        self._tell(self._governor.answered(leave.ticket, self._now(), answer.limits))

    def _watch_cache(self, leave: _Leave, usage: Usage) -> None:
        """Warn once when answer after answer reads nothing from the prompt cache although it must be warm.

        It is warm for a call that was sent after another one's answer, and not long after it.
        """
        model = leave.question.model
        now_s = asyncio.get_running_loop().time()
        last_s, cold = self._cache.get(model, (-_CACHE_WARM_S, 0))
        if usage.cache_read_tokens:
            cold = 0
        elif last_s < leave.ticket.sent_at / 1_000 < last_s + _CACHE_WARM_S:
            cold += 1
        self._cache[model] = (now_s, cold)
        if cold == _COLD_ANSWERS and not usage.cache_read_tokens:
            message = (
                f"{cold} answers of {model} in a row read nothing from the prompt cache, each within five minutes of "
                "the one before: the prompt is too short for this model's cache, or changes with every call"
            )
            self._log.emit("warning", "cache.cold", message, model=model)

    def _failed(self, leave: _Leave, error: PlannerError) -> None:
        if error.usage.total_input_tokens:
            self.tally.billed_failures += 1
        self._settle(leave, error.usage)
        if error.kind == "bad_answer" and error.signal == "overloaded":
            # It broke off because the service is in trouble, which is not to cost the booking: breaker and retry budget
            # bound the money, and a day of waiting bounds the time.
            error.kind = "wait"
        changes = self._governor.failed(
            leave.ticket,
            error.signal,
            self._now(),
            why=f"{error.failure.code}: {error.failure.message}",
            retry_after_ms=error.retry_after_ms,
            limits=error.limits,
        )
        self._tell(changes)

    def _abandoned(self, leave: _Leave) -> None:
        """Count an abandoned call as expected: whether it was billed cannot be known."""
        if leave.reservation is not None:
            cost = leave.reservation.price.expected
            self._budgets.settle(leave.reservation, cost, self._clock.now())
            self._count_on_booking(leave.reservation.booking, cost)
        self._governor.left(leave.ticket, self._now())

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            if not change.closed:
                message = f"Back to full rate after {change.lasted_ms / 1_000:.0f} s ({change.why})"
                self._log.emit("warning", "planning.resumed", message, model=change.model, gate=change.gate)
            elif change.gate == "spend":
                message = f"Planning is stopped: {change.why}. Requests wait in the queue; planned bookings go on"
                self._log.emit("critical", "planning.stopped", message, gate=change.gate)
            elif change.gate == "rate":
                self._log.emit(
                    "warning", "planning.slowed", f"All questions wait once: {change.why}", model=change.model
                )
            else:
                message = f"{change.model} is left alone for a while: {change.why}"
                self._log.emit("error", "planning.interrupted", message, model=change.model, gate=change.gate)

    # --- Time -----------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000)

    def _set_timer(self, at: int | None, now: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            wait_s = max(1, at - now) / 1_000
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._pump)
