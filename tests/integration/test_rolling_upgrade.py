"""Orchestrators of two versions on one real database: the older one leaves alone what it cannot read, and says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import pytest

from jada_orchestrator.adapters.journal.codec import SINCE, RecordCodec
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.journal import PostgresJournal
from jada_orchestrator.adapters.journal.postgres.ownership import LeaseTerms
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.ports.planner import PlannerQuestion
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.testing.catalogues import proposal, task
from jada_orchestrator.testing.postgres_server import PostgresServer
from jada_orchestrator.testing.quiet import QuietLog
from tests.unit.runtime.house import OWN, REPLIES, House

SCHEMA: Final = "rolling"
LEASE_MS: Final = 3_000
OLD: Final = RecordCodec()
NEW: Final = RecordCodec(
    versions={"attempt_started": 2},
    upcasters={("attempt_started", 1): lambda fields: fields},
    since={**SINCE, "attempt_started": OLD.format + 1},
)
"""The next version, which writes the start of an attempt in another way."""


def plan(_question: PlannerQuestion) -> JsonObject:
    """One call of a queue worker."""
    return proposal(task("check", "checks.request", day="Monday"))


class Instance:
    """One running orchestrator of a version."""

    def __init__(self, journal: PostgresJournal, orchestrator: Orchestrator, log: QuietLog) -> None:
        self.journal = journal
        self.orchestrator = orchestrator
        self.log = log


class Yard:
    """A house whose store is the database."""

    def __init__(self, server: PostgresServer) -> None:
        self.house = House(plan)
        self._answered = 0
        self._address = Address.of(f"{server.url()}?schema={SCHEMA}")

    @asynccontextmanager
    async def instance(self, codec: RecordCodec, *, requests: bool = True) -> AsyncIterator[Instance]:
        """Run one; at the end it leaves what it has under way."""
        journal = PostgresJournal(self._address, terms=LeaseTerms.of(LEASE_MS), codec=codec)
        house, log = self.house, QuietLog()
        world = replace(house.world(), journal=journal, ownership=journal.ownership, log=log)
        if not requests:
            world = replace(world, requests=house.queues.source(OWN))
        await journal.open()
        orchestrator = Orchestrator(world, house.tunables())
        running = asyncio.create_task(orchestrator.run())
        try:
            await asyncio.wait({running, asyncio.create_task(orchestrator.ready())}, return_when="FIRST_COMPLETED")
            yield Instance(journal, orchestrator, log)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await journal.close()

    async def answer(self, *outcomes: tuple[str, str]) -> None:
        """Have workers answer every task that lies in their queue, until frontends were told exactly this."""

        def answered() -> bool:
            for message in self.house.queues.messages("jada-checks")[self._answered :]:
                self._answered += 1
                self.house.queues.put(REPLIES, json.dumps({**json.loads(message.body), "output": {"valid": True}}))
            return sorted(self.house.outcomes()) == sorted(outcomes)

        await self.house.until(answered, within_s=30)


@pytest.fixture
async def yard(postgres_server: PostgresServer) -> Yard:
    """An empty schema, and a house around it."""
    postgres_server.sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return Yard(postgres_server)


async def test_an_older_version_leaves_what_it_cannot_read_to_newer_ones(yard: Yard) -> None:
    """Beside an older instance a newer one ends: the older one says what is left, and does its own work as ever.

    A newer one that comes later takes the booking up, and it ends once.
    """
    house = yard.house
    async with yard.instance(OLD, requests=False) as old:
        async with yard.instance(NEW):
            house.send("web-new")
            await house.until(lambda: house.queues.messages("jada-checks"), within_s=30)
        await house.until(lambda: "workflows.left" in old.log.events(), within_s=30)
        assert old.orchestrator.snapshot().left_for_newer == 1
        assert "1 LEFT FOR A NEWER VERSION" in old.orchestrator.status_line()
        async with yard.instance(OLD):
            house.send("web-old")
            await yard.answer(("web-old", "completed"))
        async with yard.instance(NEW, requests=False):
            await yard.answer(("web-new", "completed"), ("web-old", "completed"))
            await house.until(lambda: "workflows.not_left" in old.log.events(), within_s=30)
        assert old.orchestrator.snapshot().left_for_newer == 0


async def test_a_newer_version_goes_on_with_what_an_older_one_began(yard: Yard) -> None:
    """What an old instance left is an ordinary takeover for a new one."""
    house = yard.house
    async with yard.instance(OLD):
        house.send("web-1")
        await house.until(lambda: house.queues.messages("jada-checks"), within_s=30)
    async with yard.instance(NEW):
        await yard.answer(("web-1", "completed"))
