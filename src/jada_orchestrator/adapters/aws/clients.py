"""The AWS clients of the process: one session, and one client for each service.

A client costs 47 ms and its own connection pool, so there is exactly one of each; botocore's retries are off, because
they would run a function again behind our back (docs/failure-matrix.md).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore import exceptions as boto

from jada_orchestrator.adapters.aws.errors import AwsSetupError
from jada_orchestrator.adapters.aws.sockets import (
    CONNECT_TIMEOUT_S,
    LAMBDA_READ_TIMEOUT_S,
    OBJECT_READ_TIMEOUT_S,
    QUEUE_READ_TIMEOUT_S,
    socket_with_keepalive,
)

if TYPE_CHECKING:
    from types_aiobotocore_lambda import LambdaClient
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_ssm import SSMClient

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
    objects: int = 0
    """S3, where a bucket is configured; 0: no client of it is made."""


@dataclass(frozen=True, slots=True)
class AwsClients:
    """The clients, for as long as `open_clients` is open."""

    functions: LambdaClient
    queues: SQSClient
    parameters: SSMClient
    session: AioSession
    """Whose credentials they use."""
    objects: Any = None
    """S3; None where no connections are wanted."""


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
                session=session,
                objects=await _objects(stack, session, region, connections.objects),
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


async def _objects(stack: AsyncExitStack, session: AioSession, region: str | None, connections: int) -> Any:  # noqa: ANN401 - as below
    """Open the client of S3, where it is wanted: loading what botocore knows of S3 takes a tenth of a second."""
    if not connections:
        return None
    return await _client(stack, session, "s3", region, connections, OBJECT_READ_TIMEOUT_S)


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
        connector_args={"socket_factory": socket_with_keepalive},
    )
    # Parameter validation stays on: it costs under 5 % of a call and turns a wrong one into a clear refusal, unsent.
    creating: Any = session.create_client
    return await stack.enter_async_context(creating(service, region_name=region, config=config))
