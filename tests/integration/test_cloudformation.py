"""The CloudFormation template, deployed against the local stand-in: queues, parameters, roles, alarms."""

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

DEPLOY = Path(__file__).parents[2] / "deploy"
TEMPLATE = DEPLOY / "cloudformation" / "jada.yaml"
TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"
POLICIES = ("orchestrator", "bedrock", "function-agent", "queue-agent")


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(aws: LocalAws) -> LocalAws:
    """The stand-in with the stack in it."""
    async with client(aws, "cloudformation") as cloud:
        await cloud.create_stack(
            StackName="jada",
            TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
            Parameters=[
                {"ParameterKey": "HostName", "ParameterValue": "host1"},
                {"ParameterKey": "AlarmTopicArn", "ParameterValue": TOPIC},
                {"ParameterKey": "ModelProvider", "ParameterValue": "bedrock"},
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        await cloud.get_waiter("stack_create_complete").wait(
            StackName="jada", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
    return aws


async def test_the_stack_makes_queues_and_parameters(stack: LocalAws) -> None:
    """Queues have their dead-letter queues, and agents their models."""
    async with client(stack, "sqs") as sqs, client(stack, "ssm") as ssm:
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


def listed(value: Any) -> list[Any]:
    """One or many, as a list."""
    return list(value) if isinstance(value, list) else [value]


async def test_the_stack_makes_roles_with_the_policies_of_deploy_iam(stack: LocalAws) -> None:
    """Each role has the policies of its names, whose rights are those of the file, filled in for the account."""
    async with client(stack, "iam") as iam:
        roles = [role["RoleName"] for role in (await iam.list_roles())["Roles"]]
        found = {}
        for role in roles:
            for name in (await iam.list_role_policies(RoleName=role))["PolicyNames"]:
                document = (await iam.get_role_policy(RoleName=role, PolicyName=name))["PolicyDocument"]
                found[name] = json.loads(document) if isinstance(document, str) else document
        profiles = (await iam.list_instance_profiles())["InstanceProfiles"]
    assert set(found) == set(POLICIES)
    for name in POLICIES:
        text = (DEPLOY / "iam" / f"{name}.json").read_text(encoding="utf-8")
        wanted = json.loads(text.replace("${Region}", "us-east-1").replace("${Account}", "000000000000"))
        made = [
            {**each, "Action": listed(each["Action"]), "Resource": listed(each["Resource"])}
            for each in found[name]["Statement"]
        ]
        assert made == [
            {**each, "Action": listed(each["Action"]), "Resource": listed(each["Resource"])}
            for each in wanted["Statement"]
        ]
    assert [len(profile["Roles"]) for profile in profiles] == [1]


async def test_the_stack_makes_alarms_on_its_own_queues(stack: LocalAws) -> None:
    """Every alarm is about a queue of the stack, says what it means, and tells the topic."""
    async with client(stack, "cloudwatch") as cloudwatch, client(stack, "sqs") as sqs:
        alarms = (await cloudwatch.describe_alarms())["MetricAlarms"]
        queues = {url.rpartition("/")[2] for url in (await sqs.list_queues())["QueueUrls"]}
    watched = {alarm["Dimensions"][0]["Value"] for alarm in alarms}
    assert watched == {
        "jada-requests", "jada-requests-dlq", "jada-outcomes", "jada-replies-host1", "jada-validator-dlq",
        "jada-notifications-dlq",
    }  # fmt: skip
    assert watched <= queues
    for alarm in alarms:
        assert alarm["AlarmDescription"]
        assert alarm["AlarmActions"] == [TOPIC]
        assert alarm["TreatMissingData"] == "notBreaching"
