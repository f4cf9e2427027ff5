"""What the tests of the real process share: the sandbox around it, the frontend's queues, and ordinary requests."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.kill9_kit.daemon import Daemon, daemon_environment
from benchmarks.kill9_kit.mail import Mailbox, Post, open_post
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.aws_local import LocalAws
from jada_orchestrator.sandbox.booth import Sandbox
from jada_orchestrator.sandbox.inventory import Books, faults
from jada_orchestrator.sandbox.inventory.audit import Findings, HalfMade, audit
from jada_orchestrator.sandbox.model import ScriptedModel

TRIP: Final = "Two of us, Boston to Lisbon {depart} to {back}, a hotel, under $8,000 all in."
_FIRST_DAY: Final = datetime.now(UTC).date() + timedelta(days=90)
_DAYS: Final = 500
"""Days of departure, all ahead and within what the agents sell, whenever the tests are run."""


def a_request(request_id: str, text: str = TRIP, **fields: object) -> dict[str, Any]:
    """Return a request that can be planned; `fields` replace or add.

    Each id travels on days of its own: tests share one inventory, whose rooms and seats are as few as real ones.
    """
    depart = _FIRST_DAY + timedelta(days=zlib.crc32(request_id.encode()) % _DAYS)
    text = text.replace("{depart}", depart.isoformat()).replace("{back}", (depart + timedelta(days=7)).isoformat())
    return {
        "schema": "jada.request/1",
        "request_id": request_id,
        "text": text,
        "booking": {"customer_id": f"c-{request_id}"},
        **fields,
    }


def a_control(request_id: str, command: str, **fields: object) -> dict[str, Any]:
    """Return a control message."""
    return {"schema": "jada.control/1", "request_id": request_id, "command": command, **fields}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The stand-ins around a daemon, and the mailboxes that take what comes out of it."""

    folder: Path
    name: str
    sandbox: Sandbox
    aws: LocalAws
    model: ScriptedModel
    post: Post
    outcomes: Mailbox
    dead_letters: Mailbox
    extra: Mailbox

    @property
    def requests(self) -> str:
        """The request queue."""
        return f"{self.name}-requests"

    @property
    def environment(self) -> dict[str, str]:
        """What a daemon needs."""
        return {
            **self.sandbox.environment,
            "JADA_STORE": f"sqlite://{self.folder / 'journal.db'}",
            "JADA_REQUEST_QUEUE": self.requests,
            "JADA_DEAD_LETTER_QUEUE": self.dead_letters.queue,
            "JADA_OUTCOME_QUEUE": self.outcomes.queue,
            "JADA_REPLY_QUEUE": f"{self.name}-replies",
            "JADA_REPLY_TO_ALLOWED": self.extra.queue,
        }

    async def send(self, body: object, **attributes: str) -> None:
        """Send a message to the daemon."""
        await self.post.send(self.requests, body, **attributes)

    def daemon(self, environment: Mapping[str, str] | None = None, *arguments: str) -> Daemon:
        """Return a daemon for these surroundings, not started yet."""
        return Daemon(self.folder, {**self.environment, **(environment or {})}, *arguments)

    async def order_fault(self, action: str, mode: str, argument: str | None = None, **more: Any) -> None:
        """Have the agents misbehave; see `inventory.faults`."""

        def order() -> None:
            books = Books(self.sandbox.inventory)
            faults.order(books, action, mode, argument, **more)
            books.close()

        await asyncio.to_thread(order)

    async def books(self) -> Findings:
        """Read what the agents really did."""
        return await asyncio.to_thread(audit, self.sandbox.inventory)

    async def half_made(self, outcomes: Mapping[str, str]) -> list[HalfMade]:
        """Return which of these requests' statuses (by id) the books do not bear out."""
        return [each for each in (await self.books()).half_made(outcomes) if each.request_id in outcomes]

    async def held(self, request_id: str) -> None:
        """Wait until the model holds the question about a request (ordered before, as `FaultKind.HOLD`)."""
        calls = self.model.calls
        await until(
            lambda: any(call.booking_request_id == request_id and call.state == "held" for call in calls),
            f"the model holds {request_id}",
        )


@asynccontextmanager
async def surroundings(sandbox: Sandbox, folder: Path, name: str) -> AsyncIterator[Surroundings]:
    """Make queues whose names begin with `name`, and empty those that come out of a daemon."""
    aws, model = sandbox.aws, sandbox.model
    assert aws is not None
    assert model is not None
    await aws.create_queue(f"{name}-requests", dead_letter=f"{name}-dlq", receives_max=10)
    for queue in ("outcomes", "extra", "replies"):
        await aws.create_queue(f"{name}-{queue}")
    async with (
        open_post(sandbox.environment) as post,
        post.mailbox(f"{name}-outcomes") as outcomes,
        post.mailbox(f"{name}-dlq") as dead_letters,
        post.mailbox(f"{name}-extra") as extra,
    ):
        yield Surroundings(folder, name, sandbox, aws, model, post, outcomes, dead_letters, extra)


async def run_command(around: Surroundings, store: str, *arguments: str) -> str:
    """Run a command of the program on the store and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jada_orchestrator", *arguments,
        env={**daemon_environment(around.folder, around.environment), "JADA_STORE": store, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return printed.decode()
