"""What several suites share: an SQS that is not ours, and the real clients that reach it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from moto.server import ThreadedMotoServer

from jada_orchestrator.adapters.aws.clients import AwsClients, Connections, open_clients


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Moto's server on a free port, and the environment that points to it."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_REGION", "eu-west-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield f"http://{host}:{port}"
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(moto: str) -> AsyncIterator[AwsClients]:
    """The real clients, opened once since that is slow."""
    async with open_clients(Connections(functions=1, queues=6)) as opened:
        yield opened
