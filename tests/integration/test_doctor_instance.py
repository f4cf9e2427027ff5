"""`jada doctor --host`: an instance's state by API, over the real client and a server that answers as AWS does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from jada_orchestrator.service.doctor.aws import check_instance

pytestmark = pytest.mark.asyncio

EC2 = """<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId>
<reservationSet><item><reservationId>r-1</reservationId><instancesSet><item><instanceId>{name}</instanceId>
<instanceState><code>16</code><name>{state}</name></instanceState></item></instancesSet></item></reservationSet>
</DescribeInstancesResponse>"""
NO_EC2 = """<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>no such instance</Message></Error>
</Errors><RequestID>r-2</RequestID></Response>"""


@asynccontextmanager
async def cloud(monkeypatch: pytest.MonkeyPatch, **instances: str) -> AsyncIterator[list[str]]:
    """Lightsail and EC2 behind one endpoint, with these instances and their states; yields the operations asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        target = request.headers.get("X-Amz-Target", "")
        if target:
            asked.append(target)
            name = json.loads(await request.read())["instanceName"]
            if name in instances:
                return web.json_response({"instance": {"name": name, "state": {"code": 16, "name": instances[name]}}})
            return web.json_response({"code": "NotFoundException", "message": "no such instance"}, status=404)
        form = await request.post()
        asked.append(str(form["Action"]))
        name = str(form["InstanceId.1"])
        state = instances.get(name.replace("-", "_"))
        body = NO_EC2 if state is None else EC2.format(name=name, state=state)
        return web.Response(text=body, status=200 if state else 400, content_type="text/xml")

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        for variable, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{runner.addresses[0][1]}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
        }.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)  # which botocore reads, and people do not set
        yield asked
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("name", "state", "code", "operation"),
    [
        ("host1", "running", "INSTANCE", "Lightsail_20161128.GetInstance"),
        ("host1", "stopped", "INSTANCE_STATE", "Lightsail_20161128.GetInstance"),
        ("i-0abc", "running", "INSTANCE", "DescribeInstances"),
        ("i-0abc", "stopping", "INSTANCE_STATE", "DescribeInstances"),
    ],
)
async def test_the_state_of_an_instance(
    monkeypatch: pytest.MonkeyPatch, name: str, state: str, code: str, operation: str
) -> None:
    """A name is asked for at Lightsail, an id at EC2, once; anything but running is a failure that names the state."""
    async with cloud(monkeypatch, **{name.replace("-", "_"): state}) as asked:
        [finding] = await check_instance(name)
    assert finding.code == code
    assert state in finding.message
    assert asked == [operation]


@pytest.mark.parametrize("name", ["host2", "i-0fff"])
async def test_an_instance_that_is_not_there(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What cannot be found is a failure that says what to check."""
    async with cloud(monkeypatch, host1="running"):
        [finding] = await check_instance(name)
    assert finding.code == "INSTANCE_UNKNOWN"
    assert "no such instance" in finding.message


async def test_a_cloud_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer the doctor says so, within its own time."""
    async with cloud(monkeypatch):
        pass
    [finding] = await check_instance("host1")
    assert finding.code == "INSTANCE_UNKNOWN"
