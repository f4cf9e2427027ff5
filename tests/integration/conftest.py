"""One sandbox for all tests of the real process: it takes seconds to start; each file has its own queues in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from jada_orchestrator.sandbox.booth import Sandbox
from tests.integration.surroundings import Surroundings, surroundings


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """The local AWS with the reference agents, their inventory, and the scripted model."""
    async with Sandbox(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def around(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Surroundings]:
    """Queues, mailboxes and a folder for the daemons of one file."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    async with surroundings(sandbox, tmp_path_factory.mktemp(name), name) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def alone(sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Surroundings]:
    """The same for one test: a long poll that a stopped daemon left behind in the stand-in takes nobody's message."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:60]
    async with surroundings(sandbox, tmp_path, name) as made:
        yield made
