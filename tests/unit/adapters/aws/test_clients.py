"""Opening the clients: one each, without retries, and with clear words where something is not set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jada_orchestrator.adapters.aws.clients import Connections, open_clients
from jada_orchestrator.adapters.aws.errors import AwsSetupError
from jada_orchestrator.adapters.aws.sockets import LAMBDA_READ_TIMEOUT_S
from jada_orchestrator.domain.limits import ACTION_TIMEOUT_MAX_MS

CONNECTIONS = Connections(functions=7, queues=9)


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No profile of the developer's own is read."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


async def test_without_credentials_it_says_what_to_set() -> None:
    """No credentials at all are found at start, not at the first booking."""
    with pytest.raises(AwsSetupError, match="AWS_ACCESS_KEY_ID"):
        async with open_clients(CONNECTIONS, {"AWS_REGION": "eu-west-1"}):
            pass


async def test_without_a_region_it_says_what_to_set(credentials: None) -> None:
    """A missing region is named."""
    with pytest.raises(AwsSetupError, match="AWS_REGION"):
        async with open_clients(CONNECTIONS, {}):
            pass


async def test_half_of_the_credentials_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key without its secret is reported as botocore says it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    with pytest.raises(AwsSetupError, match=r"(?i)secret"):
        async with open_clients(CONNECTIONS, {"AWS_REGION": "eu-west-1"}):
            pass


async def test_an_unknown_profile_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is not there is named."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AwsSetupError, match="nobody"):
        async with open_clients(CONNECTIONS, {"AWS_REGION": "eu-west-1"}):
            pass


async def test_an_endpoint_that_is_no_url_is_a_mistake(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed endpoint is named."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(AwsSetupError, match="nonsense"):
        async with open_clients(CONNECTIONS, {"AWS_REGION": "eu-west-1"}):
            pass


async def test_clients_have_our_limits_and_no_retries(credentials: None) -> None:
    """Pools have the given sizes, nothing is tried twice, and Lambda's read timeout exceeds every action's."""
    async with open_clients(CONNECTIONS, {"AWS_REGION": "eu-north-1"}) as clients:
        metas = (clients.functions.meta, clients.queues.meta)
        # The stubs do not know what a configuration holds.
        settings: list[Any] = [meta.config for meta in metas]
        functions, queues = settings

    assert [meta.region_name for meta in metas] == ["eu-north-1", "eu-north-1"]
    assert (functions.max_pool_connections, queues.max_pool_connections) == (7, 9)
    assert functions.retries["total_max_attempts"] == 1
    assert queues.retries["total_max_attempts"] == 1
    assert functions.read_timeout == LAMBDA_READ_TIMEOUT_S > ACTION_TIMEOUT_MAX_MS / 1000


async def test_the_default_region_of_botocore_counts_too(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_DEFAULT_REGION is botocore's own name; AWS_REGION, which it does not know, wins over it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    async with open_clients(CONNECTIONS, {}) as clients:
        assert clients.queues.meta.region_name == "eu-west-3"
    async with open_clients(CONNECTIONS, {"AWS_REGION": "eu-north-1"}) as clients:
        assert clients.queues.meta.region_name == "eu-north-1"
