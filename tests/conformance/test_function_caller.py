"""The port `FunctionCaller`: what every ending of a call means, on the fake and on the real client over real HTTP."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import pytest
import pytest_asyncio
from aiobotocore.session import get_session
from botocore.httpsession import get_cert_path
from msgspec import structs

from jada_orchestrator.adapters.aws.clients import Connections, open_clients
from jada_orchestrator.adapters.aws.fast_invoke import FastInvoker
from jada_orchestrator.adapters.aws.lambda_functions import LambdaFunctions
from jada_orchestrator.adapters.aws.short_way import tls_context
from jada_orchestrator.domain.catalogue import LambdaTransport
from jada_orchestrator.domain.events import AttemptResult, Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.agents import AgentCall, CallEnded, FunctionCaller
from jada_orchestrator.testing.aws import FakeFunctions, FunctionFault, Hang, Lose, Refuse
from jada_orchestrator.testing.calls import CALL
from tests.conformance.lambda_server import RULES, LambdaServer, lambda_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

Fate = Literal["succeeded", "later", "never", "unknown"]


@dataclass(frozen=True, slots=True)
class Case:
    """One way for a call to end: the stand-in's rule, the fake's fault, and what has to come of it."""

    rule: str
    fate: Fate
    code: str = ""
    fault: FunctionFault | None = None
    retry_after_ms: int | None = None


def refused(rule: str, code: str, fate: Literal["later", "never"] = "later", after_ms: int | None = None) -> Case:
    """A call that certainly did not reach the function's code."""
    return Case(rule, fate, code, Refuse(code, retryable=fate == "later", retry_after_ms=after_ms), after_ms)


def lost(rule: str, code: str) -> Case:
    """A call that may have had an effect."""
    return Case(rule, "unknown", code, Lose(code))


CASES = [
    Case("ok", "succeeded"),
    lost("not-json", "BAD_REPLY"),
    lost("huge", "ANSWER_TOO_LARGE"),
    lost("unhandled", "FUNCTION_ERROR"),
    lost("handled", "FUNCTION_ERROR"),
    lost("crashed-without-details", "FUNCTION_ERROR"),
    refused("throttled", "THROTTLED", after_ms=3_000),
    refused("throttled-by-somebody", "THROTTLED"),
    refused("missing", "NOT_FOUND"),
    refused("denied", "ACCESS_DENIED"),
    refused("expired", "BAD_CREDENTIALS"),
    refused("kms", "KMS_KEY_UNUSABLE"),
    refused("runtime", "FUNCTION_NOT_STARTED"),
    refused("not-ready", "FUNCTION_NOT_READY"),
    refused("parameter", "BAD_CALL", "never"),
    refused("content", "BAD_CALL", "never"),
    refused("too-large", "TOO_LARGE", "never"),
    lost("service", "SERVICE_ERROR"),
    lost("efs-io", "SERVICE_ERROR"),
    lost("html-502", "SERVICE_ERROR"),
    lost("html-503", "SERVICE_ERROR"),
    refused("html-400", "BAD_CALL", "never"),
    lost("html-408", "CALL_TIMEOUT"),
    lost("cut", "CONNECTION_CUT"),
    lost("cut-in-body", "CONNECTION_CUT"),
]


def fate_of(result: AttemptResult) -> Fate:
    """What a result says about the world."""
    match result:
        case Succeeded():
            return "succeeded"
        case Lost():
            return "unknown"
        case Failed(retryable=retryable):
            return "later" if retryable else "never"


def encode(call: AgentCall, input_ref: PayloadRef | None = None) -> str:
    """A task's text, as far as this suite needs one."""
    return json.dumps({"task_id": call.task_id, "input": call.input}, allow_nan=False)


def read(payload: bytes, call: AgentCall) -> CallEnded:
    """An answer's meaning, as far as this suite needs one: JSON is a success, anything else is a bad reply."""
    try:
        return CallEnded(Succeeded(json.loads(payload)))
    except ValueError:
        return CallEnded(Lost(Failure("BAD_REPLY", "no JSON")))


class World(Protocol):
    """An implementation, and what is behind it."""

    caller: FunctionCaller

    def prepare(self, case: Case) -> None: ...

    def invocations(self, function: str) -> int: ...

    async def invoked(self) -> None: ...


class FakeWorld:
    """The fake itself."""

    def __init__(self) -> None:
        self.functions = FakeFunctions()
        self.caller: FunctionCaller = self.functions
        self.arrived = asyncio.Event()
        for name in (*RULES, "hang"):
            self.functions.add(name, self.run)
        self.functions.script("hang", Hang())

    def run(self, call: AgentCall) -> dict[str, str]:
        self.arrived.set()
        return {"hold_id": "h-1"}

    def prepare(self, case: Case) -> None:
        if case.fault is not None:
            self.functions.script(case.rule, case.fault)

    def invocations(self, function: str) -> int:
        return sum(name == function for name, _ in self.functions.calls)

    async def invoked(self) -> None:
        await self.arrived.wait()


class HttpWorld:
    """The real client, and a stand-in that answers by rule."""

    def __init__(self, server: LambdaServer, caller: LambdaFunctions) -> None:
        self.server = server
        self.caller: FunctionCaller = caller

    def prepare(self, case: Case) -> None:
        """Nothing to do: the function's name is the rule."""

    def invocations(self, function: str) -> int:
        return self.server.invocations[function]

    async def invoked(self) -> None:
        await self.server.arrived.wait()


@pytest.fixture(scope="module")
def environment() -> Iterator[pytest.MonkeyPatch]:
    """The environment variables of the whole module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(environment: pytest.MonkeyPatch) -> AsyncIterator[dict[str, HttpWorld]]:
    """The real client with two connections, opened once since that is slow, and the stand-in that it is pointed to."""
    async with lambda_server() as server:
        environment.setenv("AWS_ENDPOINT_URL", server.url)
        environment.setenv("AWS_REGION", "eu-west-1")
        environment.setenv("AWS_ACCESS_KEY_ID", "key")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        async with open_clients(Connections(functions=2, queues=1)) as clients:
            fast = FastInvoker(clients.functions, clients.session, connections=2)
            whole = LambdaFunctions(clients.functions, connections=2, encode=encode, read=read)
            short = LambdaFunctions(clients.functions, connections=2, encode=encode, read=read, fast=fast)
            yield {"client": HttpWorld(server, whole), "fast": HttpWorld(server, short)}
            await short.close()


@pytest.fixture(params=["client", "fast"])
def real(shared: dict[str, HttpWorld], request: pytest.FixtureRequest) -> Iterator[HttpWorld]:
    """Each way over HTTP in turn, with nothing invoked yet."""
    found = shared[request.param]
    found.server.reset()
    yield found
    found.server.released.set()


@pytest.fixture(params=["fake", "client", "fast"])
def world(request: pytest.FixtureRequest, shared: dict[str, HttpWorld]) -> Iterator[World]:
    """Each implementation in turn."""
    if request.param == "fake":
        yield FakeWorld()
        return
    found = shared[request.param]
    found.server.reset()
    yield found
    found.server.released.set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
async def test_every_ending_has_its_meaning(world: World, case: Case) -> None:
    """A call ends as the table says, raises nothing, and was made at most once."""
    world.prepare(case)

    ended = await world.caller.call(LambdaTransport(case.rule), CALL)

    assert fate_of(ended.result) == case.fate
    if not isinstance(ended.result, Succeeded):
        assert ended.result.failure.code == case.code
    if isinstance(ended.result, Failed):
        assert not ended.result.answered
        assert ended.result.retry_after_ms == case.retry_after_ms
    assert world.invocations(case.rule) <= 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
async def test_one_attempt_is_one_request(real: HttpWorld, case: Case) -> None:
    """However a call ends, exactly one request reaches the service: the client never tries again by itself."""
    await real.caller.call(LambdaTransport(case.rule), CALL)

    assert real.server.invocations == {case.rule: 1}


async def test_a_call_that_is_not_answered_in_time_is_unknown(world: World) -> None:
    """A hanging function is given up at the call's own timeout, was invoked once, and may have had its effect."""
    ended = await world.caller.call(LambdaTransport("hang"), structs.replace(CALL, timeout_ms=150))

    assert isinstance(ended.result, Lost)
    assert ended.result.failure.code == "CALL_TIMEOUT"
    assert world.invocations("hang") == 1


async def test_a_call_without_time_is_not_made(world: World) -> None:
    """When the deadline has passed, nothing is sent, and it is certain that nothing happened."""
    ended = await world.caller.call(LambdaTransport("ok"), structs.replace(CALL, timeout_ms=0))

    assert isinstance(ended.result, Failed)
    assert world.invocations("ok") == 0


async def test_cancellation_goes_through(world: World) -> None:
    """A cancelled call ends with the cancellation, and the next call finds a free connection."""
    hanging = asyncio.create_task(world.caller.call(LambdaTransport("hang"), CALL))
    await world.invoked()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging

    ended = await world.caller.call(LambdaTransport("ok"), CALL)

    assert isinstance(ended.result, Succeeded)
    assert world.invocations("hang") == 1


async def test_a_task_too_large_is_not_sent(world: World) -> None:
    """What Lambda cannot take is refused here, for good, without a request."""
    call = structs.replace(CALL, input={"text": "a" * 6_300_000})

    ended = await world.caller.call(LambdaTransport("ok"), call)

    assert fate_of(ended.result) == "never"
    assert world.invocations("ok") == 0


async def test_waiting_for_a_connection_is_ours(real: HttpWorld) -> None:
    """With every connection in use, a further call waits no longer than its own time and is certainly not made."""
    busy = [asyncio.create_task(real.caller.call(LambdaTransport("hang"), CALL)) for _ in range(2)]
    await real.invoked()

    ended = await real.caller.call(LambdaTransport("ok"), structs.replace(CALL, timeout_ms=50))
    real.server.released.set()
    await asyncio.gather(*busy)

    assert isinstance(ended.result, Failed)
    assert ended.result.failure.code == "NO_TIME_TO_SEND"
    assert real.server.invocations["ok"] == 0


@pytest.mark.parametrize("is_fast", [False, True])
async def test_nobody_listens(real: HttpWorld, monkeypatch: pytest.MonkeyPatch, is_fast: bool) -> None:
    """A refused connection proves that nothing was sent: the call failed, and may be tried again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    async with open_clients(Connections(functions=1, queues=1)) as clients:
        fast = FastInvoker(clients.functions, clients.session, connections=1) if is_fast else None
        caller = LambdaFunctions(clients.functions, connections=1, encode=encode, read=read, fast=fast)

        ended = await caller.call(LambdaTransport("ok"), CALL)
        await caller.close()

    assert isinstance(ended.result, Failed)
    assert (ended.result.retryable, ended.result.failure.code) == (True, "CANNOT_CONNECT")


@pytest.mark.parametrize("is_fast", [False, True])
@pytest.mark.parametrize("written", ["{}", "//{}", "http://{}", "http://user:word@{}"])
async def test_a_proxy_is_found_however_it_is_written(
    shared: dict[str, HttpWorld], monkeypatch: pytest.MonkeyPatch, written: str, is_fast: bool
) -> None:
    """The proxy of the environment is used on both ways, also where it is named without a scheme."""
    monkeypatch.setenv("http_proxy", written.format(shared["client"].server.url.removeprefix("http://")))
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://lambda.invalid")
    async with open_clients(Connections(functions=1, queues=1)) as clients:
        fast = FastInvoker(clients.functions, clients.session, connections=1) if is_fast else None
        caller = LambdaFunctions(clients.functions, connections=1, encode=encode, read=read, fast=fast)

        ended = await caller.call(LambdaTransport("ok"), CALL)
        await caller.close()

    assert fate_of(ended.result) == "succeeded"


async def test_both_ways_trust_the_same_certificates() -> None:
    """The short way believes whom botocore believes, not whom the host does: a doctor that asks one tells of both."""
    trusted = ssl.create_default_context(cafile=get_cert_path(verify=True)).get_ca_certs()

    assert tls_context(get_session()).get_ca_certs() == trusted


async def test_the_qualifier_and_the_task_are_sent(real: HttpWorld) -> None:
    """The request names the alias, and its body is the task as the wire writes it."""
    await real.caller.call(LambdaTransport("ok", "live"), CALL)

    assert real.server.queries == ["Qualifier=live"]
    assert real.server.bodies == [encode(CALL).encode()]


async def test_what_is_no_json_is_not_sent(real: HttpWorld) -> None:
    """A task that JSON cannot express fails for good, without a request."""
    ended = await real.caller.call(LambdaTransport("ok"), structs.replace(CALL, input={"x": float("nan")}))

    assert fate_of(ended.result) == "never"
    assert not real.server.invocations


async def test_closing_twice_is_harmless(world: World) -> None:
    """A caller may be closed twice."""
    await world.caller.close()
    await world.caller.close()
