"""The AWS clients of the process: one session, and one client for each service.

A client costs 47 ms and its own connection pool, so there is exactly one of each; botocore's retries are off, because
they would run a function again behind our back (docs/failure-matrix.md).
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore import exceptions as boto

from jada_orchestrator.adapters.aws.errors import AwsSetupError
from jada_orchestrator.domain.limits import ACTION_TIMEOUT_MAX_MS

if TYPE_CHECKING:
    from types_aiobotocore_lambda import LambdaClient
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_ssm import SSMClient

CONNECT_TIMEOUT_S: Final = 5.0
"""A connection inside a region is made in milliseconds; a refusal to answer is known after this."""
LAMBDA_READ_TIMEOUT_S: Final = ACTION_TIMEOUT_MAX_MS / 1000 + 60
"""Above every action's own timeout, so that it is always ours that ends a call, never the client's."""
QUEUE_READ_TIMEOUT_S: Final = 60.0
"""Above the longest poll (20 s) and our own timeouts."""
_TCP_KEEPALIVE_S: Final = 60
"""A quiet connection is forgotten by NAT gateways after 350 s, and a function may work for 15 minutes."""

_REGION_HELP: Final = (
    "no AWS region is set. Set AWS_REGION (for instance AWS_REGION=eu-west-1), or `region` in the profile that "
    "AWS_PROFILE names. For the local sandbox, use the lines that `jada sandbox` prints."
)
_CREDENTIALS_HELP: Final = (
    "no AWS credentials were found. Give the host a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY. For the local sandbox, use the lines that `jada sandbox` prints."
)


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections each client may hold: each is a file descriptor (law 9)."""

    functions: int
    """Lambda calls at once."""
    queues: int
    """Long polls and everything else on SQS at once."""
    parameters: int = 2
    """SSM, at start and on reload only."""


@dataclass(frozen=True, slots=True)
class AwsClients:
    """The clients, for as long as `open_clients` is open."""

    functions: LambdaClient
    queues: SQSClient
    parameters: SSMClient


@asynccontextmanager
async def open_clients(connections: Connections, environ: Mapping[str, str] | None = None) -> AsyncIterator[AwsClients]:
    """Open the clients inside the running loop; region, credentials and endpoint come by botocore's own names.

    `environ` defaults to the process's own; only ``AWS_REGION`` is read from it, which all AWS SDKs know but botocore.
    Nothing is sent, except where the credentials' own source is a service.

    Raises: AwsSetupError, naming what to set.
    Guarantees: connections are closed when the context ends, also by cancellation.
    """
    region = (os.environ if environ is None else environ).get("AWS_REGION") or None
    session = get_session()
    async with AsyncExitStack() as stack:
        try:
            await _check_credentials(session)
            clients = AwsClients(
                functions=await _client(stack, session, "lambda", region, connections.functions, LAMBDA_READ_TIMEOUT_S),
                queues=await _client(stack, session, "sqs", region, connections.queues, QUEUE_READ_TIMEOUT_S),
                parameters=await _client(stack, session, "ssm", region, connections.parameters, QUEUE_READ_TIMEOUT_S),
            )
        except boto.NoRegionError as error:
            raise AwsSetupError(_REGION_HELP) from error
        except (boto.BotoCoreError, ValueError) as error:
            # ValueError is how botocore refuses an endpoint that is no URL.
            raise AwsSetupError(f"the AWS clients cannot be opened: {error}. Check the AWS_* variables.") from error
        yield clients


async def _check_credentials(session: AioSession) -> None:
    """Refuse to start without credentials, rather than fail at the first booking."""
    if await session.get_credentials() is None:
        raise AwsSetupError(_CREDENTIALS_HELP)


async def _client(
    stack: AsyncExitStack,
    session: AioSession,
    service: str,
    region: str | None,
    connections: int,
    read_timeout_s: float,
) -> Any:  # noqa: ANN401 - the one place where a client's type is only known by the service's name
    """Open one client, closed with the stack."""
    config = AioConfig(
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=connections,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        connector_args={"socket_factory": _socket_with_keepalive},
    )
    # Parameter validation stays on: it costs under 5 % of a call and turns a wrong one into a clear refusal, unsent.
    creating: Any = session.create_client
    return await stack.enter_async_context(creating(service, region_name=region, config=config))


def _socket_with_keepalive(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket that probes a quiet connection; aiobotocore ignores botocore's own ``tcp_keepalive``."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # Linux; elsewhere the system's own, longer, times hold
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _TCP_KEEPALIVE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _TCP_KEEPALIVE_S)
    return made
