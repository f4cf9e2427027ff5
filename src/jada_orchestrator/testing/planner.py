"""A planner that answers by a function: for tests and the simulator."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.planner import PlannerAnswer, PlannerError, PlannerQuestion, TaskListener

AnswerOf: TypeAlias = Callable[[PlannerQuestion], str | JsonObject | PlannerAnswer]
"""What is said to a question: a proposal, its text, or a whole answer with usage and times. May raise PlannerError."""


def tasks_in(text: str) -> list[str]:
    """Return the texts of the tasks of a proposal; none, where it is none."""
    try:
        document = json.loads(text)
        return [json.dumps(task) for task in document["tasks"]]
    except (ValueError, KeyError, TypeError):
        return []


FAKE_USAGE = Usage(input_tokens=1_000, output_tokens=100, usd="0.0045")


class ScriptedPlanner:
    """Implements `ports.planner.Planner` in memory.

    `questions` lists what was asked, in order of arrival, also what failed or was abandoned. `fail` makes the next
    questions fail; `hold` keeps questions waiting until `release`. Takes no time of its own: latencies are 0.
    """

    def __init__(
        self, answer: AnswerOf, *, connections: int = 1_000, streams: bool = False, remembers: bool = True
    ) -> None:
        """Take the function that answers, how many questions are worked on at once, and whether tasks are told.

        One that does not remember lists no questions: where memory is measured, its own must not count.
        """
        self._answer = answer
        self._remembers = remembers
        self._streams = streams
        self._free = asyncio.Semaphore(connections)
        self._failures: deque[PlannerError] = deque()
        self._open = asyncio.Event()
        self._open.set()
        self._changed = asyncio.Event()
        self.questions: list[PlannerQuestion] = []
        self.in_flight = 0
        """Questions that have a connection and no answer yet."""
        self.in_flight_max = 0
        self.closed = False

    def fail(self, *failures: PlannerError) -> None:
        """Let the next questions fail so, one each, first come first served."""
        self._failures.extend(failures)

    def hold(self) -> None:
        """Keep every question that comes from now on, and those in flight, until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Let held questions be answered."""
        self._open.set()

    async def wait_until_asked(self, count: int) -> None:
        """Return when at least so many questions have got a connection; bound it with `asyncio.timeout`."""
        while len(self.questions) < count:
            await self._changed.wait()

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Answer by the function, or fail as ordered.

        When it streams, each task of a proposal is told first, with a round of the loop after each.
        """
        async with self._free:
            if self._remembers:
                self.questions.append(question)
            self.in_flight += 1
            self.in_flight_max = max(self.in_flight_max, self.in_flight)
            self._changed.set()
            self._changed = asyncio.Event()
            failure = self._failures.popleft() if self._failures else None
            try:
                await self._open.wait()
                # Once round the loop in every case, as a real planner does: an answer never comes within the call.
                await asyncio.sleep(0)
            finally:
                self.in_flight -= 1
            if failure is not None:
                raise failure
            answer = self._as_answer(question)
            await self._tell_tasks(answer.text, on_task)
            return answer

    async def _tell_tasks(self, text: str, on_task: TaskListener | None) -> None:
        if on_task is None or not self._streams:
            return
        for told in tasks_in(text):
            on_task(told)
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _as_answer(self, question: PlannerQuestion) -> PlannerAnswer:
        said = self._answer(question)
        if isinstance(said, PlannerAnswer):
            return said
        text = said if isinstance(said, str) else json.dumps(said)
        return PlannerAnswer(text=text, model=question.model, usage=FAKE_USAGE, latency_ms=0, first_token_ms=0)
