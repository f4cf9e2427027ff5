"""The Message Batches API: many questions at once, at half the price, answered within a day.

Not for live planning. Questions are gathered until nobody has put one for a moment, and go as one batch, whose id is
on disk as soon as it is known: whoever was interrupted waits for the same batch, and pays for nothing twice.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeAlias

import anthropic
from anthropic.types import Message

from jada_orchestrator.adapters.claude import errors
from jada_orchestrator.adapters.claude.planner import ClaudePlanner
from jada_orchestrator.domain.events import PlannerFailureKind
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.planner import PlannerAnswer, PlannerError, PlannerQuestion, TaskListener

GATHER_S: Final = 1.0
POLL_S: Final = 10.0
HALF: Final = Decimal("0.5")
BATCH_MAX: Final = 10_000
"""The service takes ten times as many; a rehearsal of more is cut into several batches."""
BATCH_BYTES_MAX: Final = 100 * 1024 * 1024
"""The service takes 256 MB, and every question has the whole prompt in it."""

_Gathered: TypeAlias = "dict[str, tuple[PlannerQuestion, asyncio.Future[PlannerAnswer], int]]"
"""Questions by their names, each with who waits for its answer and its size in bytes."""


class BatchPlanner:
    """Implements `ports.planner.Planner` by batches. Latencies are not measured: a batch has none worth telling."""

    def __init__(
        self,
        planner: ClaudePlanner,
        state: Path,
        *,
        gather_s: float = GATHER_S,
        poll_s: float = POLL_S,
        bytes_max: int = BATCH_BYTES_MAX,
    ) -> None:
        """Take the planner whose client, prompt and prices are used, and the file that keeps open batches."""
        self._planner = planner
        self._state = state
        self._gather_s = gather_s
        self._poll_s = poll_s
        self._bytes_max = bytes_max
        self._pending: _Gathered = {}
        self._gathering: asyncio.TimerHandle | None = None
        self._batches: set[asyncio.Task[None]] = set()

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Put the question with the next batch and wait for its end; see `ports.planner.Planner`.

        A batch's answers come whole, so nobody is told of tasks.
        """
        del on_task
        loop = asyncio.get_running_loop()
        written = _written(self._planner.batch_params(question))
        name = sha256(written).hexdigest()
        if name in self._pending:
            return await asyncio.shield(self._pending[name][1])
        future: asyncio.Future[PlannerAnswer] = loop.create_future()
        self._pending[name] = (question, future, len(written))
        if self._gathering is not None:
            self._gathering.cancel()
        self._gathering = loop.call_later(self._gather_s, self._send)
        return await future

    async def close(self) -> None:
        """Stop waiting for batches, which go on at the service, and close the planner. May be called twice."""
        if self._gathering is not None:
            self._gathering.cancel()
        for task in self._batches:
            task.cancel()
        await asyncio.gather(*self._batches, return_exceptions=True)
        await self._planner.close()

    def _send(self) -> None:
        """Send all that was gathered, in as many batches as it takes."""
        while self._pending:
            gathered: _Gathered = {}
            size = 0
            for name, (_, _, length) in self._pending.items():
                size += length
                if gathered and (len(gathered) == BATCH_MAX or size > self._bytes_max):
                    break
                gathered[name] = self._pending[name]
            for name in gathered:
                del self._pending[name]
            task = asyncio.get_running_loop().create_task(self._run(gathered))
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)

    async def _run(self, gathered: _Gathered) -> None:
        try:
            answered = await self._answers(gathered)
        except Exception as error:  # noqa: BLE001 - each question meets the port's error, whatever the SDK raised
            known = isinstance(error, PlannerError)
            classified = error if known else errors.classify(error, begun=False, usage=Usage())
            for _, future, _ in gathered.values():
                if not future.done():
                    future.set_exception(classified)
            return
        for name, (question, future, _) in gathered.items():
            if future.done():
                continue
            result = answered.get(name)
            outcome = self._answer(question, result)
            if isinstance(outcome, PlannerError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    async def _answers(self, gathered: _Gathered) -> dict[str, Message | str]:
        """Return each question's message, or the type of its failure; from batches that are open already first.

        A question that brought no message is not waited for again in that batch: whoever asks it next sends it anew.

        Raises: PlannerError; what the SDK raises.
        """
        client = await self._planner.client()
        if not isinstance(client, anthropic.AsyncAnthropic):
            failure = Failure("MODEL_WITHOUT_BATCHES", "Bedrock has no batches: rehearse without --batch")
            raise PlannerError("stopped", failure)
        known = self._read()
        batch_ids = list(dict.fromkeys(known[name] for name in gathered if name in known))
        fresh = [name for name in gathered if name not in known]
        if fresh:
            requests: Any = [
                {"custom_id": name, "params": self._planner.batch_params(gathered[name][0])} for name in fresh
            ]
            batch = await client.messages.batches.create(requests=requests)
            # Read again: another batch may have been sent meanwhile.
            self._write({**self._read(), **dict.fromkeys(fresh, batch.id)})
            batch_ids.append(batch.id)
        found: dict[str, Message | str] = {}
        for batch_id in batch_ids:
            while (await client.messages.batches.retrieve(batch_id)).processing_status != "ended":  # noqa: ASYNC110 - the other side is a service
                await asyncio.sleep(self._poll_s)
            async for line in await client.messages.batches.results(batch_id):
                result = line.result
                found[line.custom_id] = result.message if result.type == "succeeded" else result.type
        failed = {name for name in gathered if not isinstance(found.get(name), Message)}
        if failed:
            self._write({name: batch_id for name, batch_id in self._read().items() if name not in failed})
        return found

    def _answer(self, question: PlannerQuestion, result: Message | str | None) -> PlannerAnswer | PlannerError:
        if not isinstance(result, Message):
            # What expired or was cancelled has cost nothing and can be asked again; what is an error is the question's.
            kind: PlannerFailureKind = "permanent" if result == "errored" else "stopped"
            return PlannerError(kind, Failure("MODEL_BATCH_FAILED", f"the batch brought no answer: {result}"))
        used = self._planner.bill_message(question, result)
        usage = replace(used, usd=None if used.usd is None else format((Decimal(used.usd) * HALF).normalize(), "f"))
        if result.stop_reason != "end_turn":
            return errors.stopped_by(str(result.stop_reason), "", usage)
        text = "".join(block.text for block in result.content if block.type == "text")
        return PlannerAnswer(text, str(result.model), usage, 0, 0)

    def _read(self) -> dict[str, str]:
        try:
            loaded: dict[str, str] = json.loads(self._state.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # no batch yet
            return {}
        return loaded

    def _write(self, batches: dict[str, str]) -> None:
        """Replace the file in one step: half of it would be batches that are paid for and never fetched."""
        new = self._state.with_name(self._state.name + ".new")
        new.write_text(json.dumps(batches), encoding="utf-8")
        new.replace(self._state)


def _written(params: dict[str, Any]) -> bytes:
    """Return what a question is as it is sent; the digest of it is its ``custom_id`` (64 of ``[a-zA-Z0-9_-]``)."""
    return json.dumps(params, sort_keys=True).encode()
