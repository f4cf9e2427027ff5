"""The client: its key, its address, its bounds, and that it lets go of everything."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import httpx2
import pytest

from jada_orchestrator.adapters.claude import ClaudePlanner, ClientSettings, ModelConfigurationError, create_client
from jada_orchestrator.adapters.claude.client import api_key, base_url
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel
from tests.unit.adapters.claude.questions import question

SETTINGS = ClientSettings(connections=7)
KEYED = {"ANTHROPIC_API_KEY": "from-environment"}


async def test_the_client_does_not_retry_and_waits_a_bounded_time() -> None:
    """The SDK's own retries are off, and every step has its own bound, the wait for a connection included."""
    client = create_client(SETTINGS, KEYED)
    try:
        assert client.max_retries == 0
        assert client.api_key == "from-environment"
        timeout = client.timeout
        assert isinstance(timeout, httpx2.Timeout)
        assert (timeout.connect, timeout.read, timeout.write, timeout.pool) == (5.0, 60.0, 30.0, 2.0)
    finally:
        await client.close()


def test_no_client_outside_a_loop() -> None:
    """A client made outside of its loop would hang later; it is refused now."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        create_client(SETTINGS, KEYED)


async def test_without_a_key_the_message_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key anywhere is an error that names the variable and the credential, before anything is sent."""
    monkeypatch.setenv("HOME", str(tmp_path))  # the SDK looks for profiles there
    with pytest.raises(ModelConfigurationError, match=r"ANTHROPIC_API_KEY.*anthropic_api_key"):
        create_client(SETTINGS, {})


async def test_a_broken_profile_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile of the SDK that cannot be loaded is the same class of error, with the SDK's advice and ours."""
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    with pytest.raises(ModelConfigurationError, match=r"Config file not found.*ANTHROPIC_API_KEY"):
        create_client(SETTINGS, {})


async def test_the_sdks_other_ways_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bearer token in the SDK's own variable is enough."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    client = create_client(SETTINGS, {})
    assert client.auth_token == "token"
    await client.close()


def test_a_systemd_credential_comes_first(tmp_path: Path) -> None:
    """The credential is read, without the line end that editors add."""
    (tmp_path / "anthropic_api_key").write_text("from-credential\n", encoding="utf-8")
    assert api_key({"CREDENTIALS_DIRECTORY": str(tmp_path), **KEYED}) == "from-credential"


def test_without_the_credential_the_environment_counts(tmp_path: Path) -> None:
    """A credentials folder that holds other things does not hide the variable; a blank variable is no key."""
    assert api_key({"CREDENTIALS_DIRECTORY": str(tmp_path), **KEYED}) == "from-environment"
    assert api_key({"ANTHROPIC_API_KEY": "  "}) is None


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_useless_credential_is_said(tmp_path: Path, content: bytes) -> None:
    """An empty or unreadable credential is an error that names the file, not a silent fallback."""
    path = tmp_path / "anthropic_api_key"
    path.write_bytes(content)
    with pytest.raises(ModelConfigurationError, match="anthropic_api_key"):
        api_key({"CREDENTIALS_DIRECTORY": str(tmp_path), **KEYED})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "https://api.anthropic.com"),
        ("", "https://api.anthropic.com"),
        (" http://127.0.0.1:8080 ", "http://127.0.0.1:8080"),
    ],
)
def test_the_address(value: str | None, expected: str) -> None:
    """The SDK's variable is honoured; a blank one counts as unset."""
    assert base_url({} if value is None else {"ANTHROPIC_BASE_URL": value}) == expected


def test_an_address_without_scheme_is_said() -> None:
    """An address that nobody could call is an error at start."""
    with pytest.raises(ModelConfigurationError, match="localhost:8080"):
        base_url({"ANTHROPIC_BASE_URL": "localhost:8080"})


def open_descriptors() -> int:
    """How many file descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the folder is the kernel's list, not a path to walk


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted as Linux lists them")
async def test_descriptors_return() -> None:
    """200 calls, whole, failed, cut and reset, 40 at a time: bounded while they run, and all given back at the end."""
    gc.collect()
    before = open_descriptors()
    async with ScriptedModel() as model:
        model.faults.order(
            Fault(FaultKind.CUT, count=20, after_bytes=10),
            Fault(FaultKind.RESET, count=20, after_bytes=10),
            Fault(FaultKind.OVERLOADED, count=20),
            Fault(FaultKind.STREAM_ERROR, count=20, after_bytes=10),
        )
        client = create_client(ClientSettings(connections=8), {**KEYED, "ANTHROPIC_BASE_URL": model.url})
        planner = ClaudePlanner(client, connections=8)
        most = 0
        for _ in range(5):
            await asyncio.gather(*(planner.propose(question()) for _ in range(40)), return_exceptions=True)
            most = max(most, open_descriptors())
        assert len(model.calls.messages) == 200
        await planner.close()
        await planner.close()
    gc.collect()
    assert most - before <= 2 * 8 + 4, "two ends of each connection are in this process, and the listening socket"
    assert open_descriptors() <= before
