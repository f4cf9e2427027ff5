"""Checks of AWS: credentials, clock, queues, functions, agents' models, and the instance itself by API.

All calls read; a function is asked with ``DryRun``, which checks the permission and runs nothing.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from jada_orchestrator.adapters.aws.clients import AwsClients, Connections, open_clients
from jada_orchestrator.adapters.aws.errors import AwsSetupError
from jada_orchestrator.adapters.claude.lifecycle import is_known
from jada_orchestrator.adapters.host.model_files import ModelFileError, read_model
from jada_orchestrator.domain.catalogue import Agent, Catalogue, LambdaTransport, SqsTransport
from jada_orchestrator.service.doctor.bucket import check_bucket
from jada_orchestrator.service.doctor.findings import Finding, failure, ok, warning
from jada_orchestrator.service.doctor.surroundings import Surroundings
from jada_orchestrator.service.settings import Settings

SKEW_WARNING_S: Final = 30
SKEW_FAILURE_S: Final = 240
"""AWS refuses signatures that are five minutes off."""
RETENTION_LEAST_S: Final = 86_400
"""A weekend's outage shall not lose requests; SQS's own default is four days."""
CALL_TIMEOUT_S: Final = 8.0
_AT_ONCE: Final = 8
_MISSING: Final = ("NonExistentQueue", "QueueDoesNotExist", "ResourceNotFound", "ParameterNotFound")


async def check_aws(settings: Settings, catalogue: Catalogue | None, host: Surroundings) -> list[Finding]:
    """Open the clients as the daemon does, and look at everything that it would use."""
    try:
        async with open_clients(_connections(settings)) as clients:
            reach = await _check_reach(clients, settings, host)
            if reach[-1].verdict == "failure":
                return reach
            agents = list(catalogue.agents.values()) if catalogue is not None else []
            gate = asyncio.Semaphore(_AT_ONCE)
            groups = await asyncio.gather(
                _own_queues(clients, settings),
                check_bucket(clients.objects, settings.offload),
                *(_bounded(gate, clients, catalogue, agent) for agent in agents),
            )
            return reach + [finding for group in groups for finding in group]
    except AwsSetupError as error:
        return [failure("aws", "AWS_SETUP", str(error), "Set what the message names.")]


def _connections(settings: Settings) -> Connections:
    return Connections(functions=_AT_ONCE, queues=_AT_ONCE, objects=1 if settings.offload.bucket else 0)


async def _bounded(
    gate: asyncio.Semaphore, clients: AwsClients, catalogue: Catalogue | None, agent: Agent
) -> list[Finding]:
    assert catalogue is not None, "agents come from a catalogue"
    async with gate:
        found = await _check_transport(clients, catalogue, agent)
        return found + await _check_model(clients, agent)


async def _check_reach(clients: AwsClients, settings: Settings, host: Surroundings) -> list[Finding]:
    """Make one call, and compare clocks by the date of its answer, whatever the answer is."""
    area = "aws"
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            answer: Any = await clients.queues.get_queue_url(QueueName=settings.request_queue)
    except ClientError as error:
        answer = error.response
        code = str(answer.get("Error", {}).get("Code", ""))
        if not code.endswith(_MISSING) and not any(name in code for name in _MISSING):
            remedy = "Check the credentials and the role's policy (deploy/iam/orchestrator.json)."
            return [failure(area, "AWS_REFUSED", f"SQS refuses this host: {code}: {error}", remedy)]
    except (BotoCoreError, TimeoutError, OSError) as error:
        remedy = "Check AWS_REGION, AWS_ENDPOINT_URL and the way out (route, proxy, firewall)."
        return [failure(area, "AWS_UNREACHABLE", f"SQS cannot be reached: {_said(error)}", remedy)]
    found = [ok(area, "AWS", "SQS answers with these credentials")]
    return [*_skew(answer, host.now()), *found]


def _skew(answer: Any, now: float) -> Iterator[Finding]:  # noqa: ANN401 - botocore's answers are plain dictionaries
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        skew = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return
    said = f"this host's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS's"
    remedy = "Let chrony or systemd-timesyncd set it: timedatectl set-ntp true"
    if abs(skew) > SKEW_FAILURE_S:
        yield failure("clock", "CLOCK_WRONG", f"{said}; signatures are refused at 300 s", remedy)
    elif abs(skew) > SKEW_WARNING_S:
        yield warning("clock", "CLOCK_SKEWED", said, remedy)
    else:
        yield ok("clock", "CLOCK", said)


async def _own_queues(clients: AwsClients, settings: Settings) -> list[Finding]:
    wanted = {
        settings.request_queue: "JADA_REQUEST_QUEUE",
        settings.dead_letter_queue: "JADA_DEAD_LETTER_QUEUE",
        settings.outcome_queue: "JADA_OUTCOME_QUEUE",
        settings.reply_queue: "JADA_REPLY_QUEUE",
    }
    wanted |= {name: "reply_to_allowed" for name in settings.reply_to_allowed if name not in wanted}
    found: list[Finding] = []
    for name, setting in wanted.items():
        attributes = await _attributes(clients, name)
        if isinstance(attributes, Finding):
            found.append(attributes)
            continue
        faults = list(_queue_faults(name, attributes))
        if name == settings.request_queue:
            faults += list(_redrive_faults(settings, attributes))
        found += faults or [ok("queues", "QUEUE", f"{name} is there ({setting})")]
    return found


async def _attributes(clients: AwsClients, queue: str) -> dict[str, str] | Finding:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            url = (await clients.queues.get_queue_url(QueueName=queue))["QueueUrl"]
            answer = await clients.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if any(name in code for name in _MISSING):
            remedy = (
                f"Make it (deploy/cloudformation/), or name the right one: aws sqs create-queue --queue-name {queue}"
            )
            return failure("queues", "QUEUE_MISSING", f"there is no queue {queue}", remedy)
        remedy = "Let the role read it (deploy/iam/orchestrator.json)."
        return failure("queues", "QUEUE_REFUSED", f"{queue} may not be looked at: {error}", remedy)
    except (BotoCoreError, TimeoutError, OSError) as error:
        return failure("queues", "QUEUE_UNREACHABLE", f"{queue}: {_said(error)}", "Try again.")
    return {str(key): str(value) for key, value in answer.get("Attributes", {}).items()}


def _queue_faults(name: str, attributes: dict[str, str]) -> Iterator[Finding]:
    retention = int(attributes.get("MessageRetentionPeriod", RETENTION_LEAST_S))
    if retention < RETENTION_LEAST_S:
        yield warning(
            "queues",
            "QUEUE_FORGETS",
            f"{name} keeps messages for {retention} s only: an outage that is longer loses them",
            "Set MessageRetentionPeriod to four days (345600) or more.",
        )
    if int(attributes.get("DelaySeconds", 0)) > 0:
        yield warning(
            "queues",
            "QUEUE_DELAYS",
            f"{name} holds every message back for {attributes['DelaySeconds']} s",
            "Set DelaySeconds to 0, unless it is meant so.",
        )


def _redrive_faults(settings: Settings, attributes: dict[str, str]) -> Iterator[Finding]:
    name = settings.request_queue
    try:
        policy = json.loads(attributes.get("RedrivePolicy", "") or "{}")
    except ValueError:
        policy = {}
    target = str(policy.get("deadLetterTargetArn", "")).rpartition(":")[2]
    remedy = f"Set its RedrivePolicy to {settings.dead_letter_queue}, maxReceiveCount 5 (deploy/cloudformation/)."
    if not target:
        yield warning(
            "queues", "NO_REDRIVE", f"{name} has no dead-letter queue: what nobody can take comes for ever", remedy
        )
    elif target != settings.dead_letter_queue:
        yield warning(
            "queues", "OTHER_REDRIVE", f"{name} sends to {target}, not to {settings.dead_letter_queue}", remedy
        )
    elif int(policy.get("maxReceiveCount", 5)) < 2:
        yield warning("queues", "REDRIVE_HASTY", f"{name} gives a message up at its first redelivery", remedy)


async def _check_transport(clients: AwsClients, catalogue: Catalogue, agent: Agent) -> list[Finding]:
    match agent.transport:
        case SqsTransport(queue=queue):
            attributes = await _attributes(clients, queue)
            if isinstance(attributes, Finding):
                return [attributes]
            return list(_queue_faults(queue, attributes)) or [
                ok("agents", "WORKER_QUEUE", f"{agent.name}: {queue} is there")
            ]
        case LambdaTransport() as target:
            longest_ms = max((a.timeout_ms for a in catalogue.actions.values() if a.agent == agent.name), default=0)
            return await _check_function(clients, agent, target, longest_ms)


async def _check_function(clients: AwsClients, agent: Agent, target: LambdaTransport, longest_ms: int) -> list[Finding]:
    area, name = "agents", target.function
    where: dict[str, Any] = {"Qualifier": target.qualifier} if target.qualifier else {}
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            config = await clients.functions.get_function_configuration(FunctionName=name, **where)
            await clients.functions.invoke(FunctionName=name, InvocationType="DryRun", **where)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        shown = f"{name}:{target.qualifier}" if target.qualifier else name
        if any(missing in code for missing in _MISSING):
            remedy = "Deploy it, or correct function and qualifier in its file of the catalogue."
            return [failure(area, "FUNCTION_MISSING", f"{agent.name}: there is no function {shown}", remedy)]
        remedy = "Let the role invoke it (deploy/iam/orchestrator.json)."
        return [failure(area, "FUNCTION_REFUSED", f"{agent.name}: {shown} may not be invoked: {error}", remedy)]
    except (BotoCoreError, TimeoutError, OSError) as error:
        said = f"{agent.name}: {name} cannot be asked: {_said(error)}"
        return [failure(area, "FUNCTION_UNREACHABLE", said, "Try again.")]
    state = config.get("State", "Active")
    if state not in {"Active", "Inactive"}:
        said = f"{agent.name}: {name} is {state}: {config.get('StateReason', 'no reason is given')}"
        return [failure(area, "FUNCTION_STATE", said, "Deploy it again; see its console page.")]
    seconds = int(config.get("Timeout", 3))
    if seconds * 1_000 < longest_ms:
        said = (
            f"{agent.name}: {name} is cut off after {seconds} s, while the catalogue waits {longest_ms / 1_000:g} s: "
            "its calls end as unknown, and have to be looked up"
        )
        remedy = f"Set its Timeout to {math.ceil(longest_ms / 1_000) + 1} s, or lower the actions' timeout."
        return [warning(area, "FUNCTION_TIMEOUT", said, remedy)]
    return [ok(area, "FUNCTION", f"{agent.name}: {name} may be invoked, and has {seconds} s")]


async def _check_model(clients: AwsClients, agent: Agent) -> list[Finding]:
    """Find out which model an agent uses, where it is written down somewhere, and whether it is known here."""
    area, source = "agents", agent.model
    model = source.value
    match source.kind:
        case "inherit":
            return []
        case "ssm":
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    answer = await clients.parameters.get_parameter(Name=source.value, WithDecryption=True)
            except ClientError as error:
                said = f"{agent.name}: the parameter {source.value} with its model cannot be read: {error}"
                remedy = f"aws ssm put-parameter --type String --name {source.value} --value MODEL"
                return [failure(area, "AGENT_MODEL_MISSING", said, remedy)]
            except (BotoCoreError, TimeoutError, OSError) as error:
                said = f"{agent.name}: {source.value}: {_said(error)}"
                return [failure(area, "AGENT_MODEL_UNREACHABLE", said, "Try again.")]
            model = str(answer["Parameter"].get("Value", ""))
        case "file":
            try:
                model = read_model(Path(source.value))
            except ModelFileError as error:
                remedy = 'The file is {"model": "..."}, or an environment file with JADA_MODEL=...'
                return [failure(area, "AGENT_MODEL_MISSING", f"{agent.name}: its model: {error}", remedy)]
        case "id":
            pass
    if not is_known(model):
        said = f"{agent.name}: its model {model!r} is not one that this version knows"
        return [warning(area, "AGENT_MODEL_UNKNOWN", said, "Check its spelling, or take a newer version of jada.")]
    return [ok(area, "AGENT_MODEL", f"{agent.name}: its model is {model}")]


def _said(error: Exception) -> str:
    return str(error) or "no answer in time"


async def check_instance(name: str) -> list[Finding]:
    """Ask Lightsail (a name) or EC2 (``i-...``) for an instance's state; expected is running."""
    area = "instance"
    session = get_session()
    region = os.environ.get("AWS_REGION") or None  # which botocore does not read
    config = AioConfig(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=CALL_TIMEOUT_S)
    try:
        async with AsyncExitStack() as stack, asyncio.timeout(CALL_TIMEOUT_S):
            creating: Any = session.create_client
            if name.startswith("i-"):
                client = await stack.enter_async_context(creating("ec2", region_name=region, config=config))
                answer = await client.describe_instances(InstanceIds=[name])
                state = str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])
            else:
                client = await stack.enter_async_context(creating("lightsail", region_name=region, config=config))
                state = str((await client.get_instance(instanceName=name))["instance"]["state"]["name"])
    except (ClientError, BotoCoreError, TimeoutError, OSError, LookupError) as error:
        remedy = "Check its name and region, and that the role may GetInstance or DescribeInstances."
        return [failure(area, "INSTANCE_UNKNOWN", f"{name} cannot be asked for: {_said(error)}", remedy)]
    if state != "running":
        remedy = "Start it: aws lightsail start-instance or aws ec2 start-instances."
        return [failure(area, "INSTANCE_STATE", f"{name} is {state}, not running", remedy)]
    return [ok(area, "INSTANCE", f"{name} is running")]
