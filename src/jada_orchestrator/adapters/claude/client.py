"""The one client of the Messages API: made inside the running loop, bounded, without retries of its own.

The SDK takes a second and a half of processor time to load, more than all the rest of the daemon. So in this package it
is imported where it is used, and `late_client` decides when that is: recovery must not wait for it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from jada_orchestrator.adapters.claude.providers import Provider

if TYPE_CHECKING:
    import anthropic
    import httpx2

    ModelClient: TypeAlias = anthropic.AsyncAnthropic | anthropic.AsyncAnthropicBedrock

KEY_VARIABLE: Final = "ANTHROPIC_API_KEY"
CREDENTIAL_NAME: Final = "anthropic_api_key"
"""The file below `$CREDENTIALS_DIRECTORY` that systemd makes of ``LoadCredential=anthropic_api_key:...``."""
DEFAULT_BASE_URL: Final = "https://api.anthropic.com"
_HOW_TO_GIVE_A_KEY: Final = (
    f"Set {KEY_VARIABLE}, or give the service the systemd credential {CREDENTIAL_NAME}; "
    "without any key, `jada sandbox` and `jada demo` use a stand-in."
)


class ModelConfigurationError(Exception):
    """The model's API cannot be used as things are set.

    Raised by `create_client`, before anything is sent. It means that no key was found, or that the key's file or the
    base URL is unusable; the operator does what the message says and starts again.
    """


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How many connections there may be and how long each step of a call may take.

    `connections` comes from the budget of file descriptors. The read timeout is per chunk, and pings count: it
    notices a dead connection, the deadline of the call notices a slow answer.
    """

    connections: int
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0
    write_timeout_s: float = 30.0
    pool_timeout_s: float = 2.0
    """The planner admits no more calls than there are connections, so waiting for one is a mistake to be seen early."""
    keepalive_s: float = 30.0
    """Longer than the SDK's 5 s: planning comes in bursts, and a TLS handshake costs two round trips."""


def create_client(settings: ClientSettings, environ: Mapping[str, str] | None = None) -> anthropic.AsyncAnthropic:
    """Return the client of this process; call it inside the loop that will use it, and close it in `finally`.

    Key and address come from the SDK's own names (`ANTHROPIC_API_KEY`, `ANTHROPIC_AUTH_TOKEN`, `ANTHROPIC_BASE_URL`,
    its profiles), except that a systemd credential `anthropic_api_key` comes first. `environ` is for tests.

    Raises:
        ModelConfigurationError: there is no key, or key or address cannot be used.
        RuntimeError: no loop is running; a client that crosses loops hangs for minutes.
    """
    asyncio.get_running_loop()
    import anthropic

    names = os.environ if environ is None else environ
    key = api_key(names)
    address = base_url(names)
    try:
        client = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=address,
            timeout=_timeout(settings),
            max_retries=0,  # retry policy is the engine's: two loops multiply
            open_telemetry=False,
            http_client=_http_client(settings),
        )
    except anthropic.AnthropicError as error:
        raise ModelConfigurationError(f"{error} {_HOW_TO_GIVE_A_KEY}") from error
    if client.api_key is None and client.auth_token is None and client.credentials is None:
        raise ModelConfigurationError(f"There is no key for the model's API. {_HOW_TO_GIVE_A_KEY}")
    return client


def create_bedrock_client(settings: ClientSettings, provider: Provider) -> anthropic.AsyncAnthropicBedrock:
    """Return the client of this process for AWS Bedrock; as `create_client`.

    Credentials are the host's own, in botocore's order, or a bearer token (`AWS_BEARER_TOKEN_BEDROCK`); the address may
    be given by `ANTHROPIC_BEDROCK_BASE_URL`.

    Raises:
        ModelConfigurationError: there is no region, or what signs requests is not installed.
        RuntimeError: no loop is running.
    """
    asyncio.get_running_loop()
    if not os.environ.get("AWS_BEARER_TOKEN_BEDROCK") and importlib.util.find_spec("boto3") is None:
        raise ModelConfigurationError(
            "Bedrock's requests are signed by boto3, which is not installed: install jada-orchestrator[bedrock], "
            "or set AWS_BEARER_TOKEN_BEDROCK"
        )
    import anthropic

    try:
        return anthropic.AsyncAnthropicBedrock(
            aws_region=provider.region,
            timeout=_timeout(settings),
            max_retries=0,
            open_telemetry=False,
            http_client=_http_client(settings),
        )
    except ValueError as error:
        raise ModelConfigurationError(f"{error} Set AWS_REGION.") from error


def _http_client(settings: ClientSettings) -> anthropic.DefaultAsyncHttpxClient:
    import anthropic
    import httpx2

    limits = httpx2.Limits(
        max_connections=settings.connections,
        max_keepalive_connections=settings.connections,
        keepalive_expiry=settings.keepalive_s,
    )
    # The SDK's own class keeps its TCP keep-alive. No redirects: a POST with the key goes where it was sent.
    return anthropic.DefaultAsyncHttpxClient(limits=limits, timeout=_timeout(settings), follow_redirects=False)


def _timeout(settings: ClientSettings) -> httpx2.Timeout:
    import httpx2

    return httpx2.Timeout(
        connect=settings.connect_timeout_s,
        read=settings.read_timeout_s,
        write=settings.write_timeout_s,
        pool=settings.pool_timeout_s,
    )


def api_key(names: Mapping[str, str]) -> str | None:
    """Return the key from the systemd credential or the environment; None leaves it to the SDK's other ways.

    Raises: ModelConfigurationError, when the credential is there and cannot be read or is empty.
    """
    folder = names.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / CREDENTIAL_NAME if folder else None
    if path is not None and path.exists():
        try:
            key = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ModelConfigurationError(f"the systemd credential {path} cannot be read: {error}") from error
        if not key:
            raise ModelConfigurationError(f"the systemd credential {path} is empty: put the key into it")
        return key
    return names.get(KEY_VARIABLE, "").strip() or None


def base_url(names: Mapping[str, str]) -> str:
    """Return the address of the API; an empty variable counts as unset. Raises: ModelConfigurationError."""
    url = names.get("ANTHROPIC_BASE_URL", "").strip() or DEFAULT_BASE_URL
    if not url.startswith(("http://", "https://")):
        raise ModelConfigurationError(f"ANTHROPIC_BASE_URL is {url!r}; it has to begin with http:// or https://")
    return url
