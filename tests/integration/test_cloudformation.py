"""The CloudFormation template, deployed against the local stand-in as far as that goes: queues, redrive, parameters."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiobotocore.session import get_session

from jada_orchestrator.sandbox.aws_local import SERVICES, LocalAws

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

TEMPLATE = Path(__file__).parents[2] / "deploy" / "cloudformation" / "jada.yaml"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aws(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAws]:
    """The stand-in with the services of the template beside the sandbox's own."""
    services = f"{SERVICES},cloudformation,cloudwatch"
    async with LocalAws(tmp_path_factory.mktemp("cloud"), services=services) as running:
        yield running


def client(aws: LocalAws, service: str) -> Any:
    """A client of one service."""
    creating: Any = get_session().create_client
    return creating(
        service,
        region_name="us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )


async def test_the_stack_makes_queues_and_parameters(aws: LocalAws) -> None:
    """The stack completes; queues have their dead-letter queues, and agents their models."""
    async with client(aws, "cloudformation") as cloud, client(aws, "sqs") as sqs, client(aws, "ssm") as ssm:
        await cloud.create_stack(
            StackName="jada",
            TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": "HostName", "ParameterValue": "host1"}],
            Capabilities=["CAPABILITY_IAM"],
        )
        await cloud.get_waiter("stack_create_complete").wait(
            StackName="jada", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        names = {url.rpartition("/")[2] for url in (await sqs.list_queues())["QueueUrls"]}
        assert {
            "jada-requests", "jada-requests-dlq", "jada-outcomes", "jada-replies-host1", "jada-validator",
            "jada-notifications",
        } <= names  # fmt: skip
        url = (await sqs.get_queue_url(QueueName="jada-requests"))["QueueUrl"]
        attributes = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]
        policy = json.loads(attributes["RedrivePolicy"])
        assert policy["deadLetterTargetArn"].endswith(":jada-requests-dlq")
        assert int(policy["maxReceiveCount"]) == 5
        assert attributes["MessageRetentionPeriod"] == "345600"
        model = await ssm.get_parameter(Name="/jada/agents/flights/model")
        assert model["Parameter"]["Value"] == "claude-haiku-4-5"
