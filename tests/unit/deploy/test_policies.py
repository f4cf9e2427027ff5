"""Policies and template: the same rights in both, and no wildcard that the README does not explain."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from ruamel.yaml import YAML

from tests.unit.deploy.aws_calls import SERVICES, permissions, services_named

DEPLOY = Path(__file__).parents[3] / "deploy"
POLICIES = {
    "BedrockPolicy": "bedrock",
    "OrchestratorRole": "orchestrator",
    "FunctionAgentRole": "function-agent",
    "QueueAgentRole": "queue-agent",
}


def listed(value: str | list[str]) -> list[str]:
    """One or many, as a list."""
    return [value] if isinstance(value, str) else list(value)


def statements(name: str) -> list[dict[str, Any]]:
    """A policy's statements."""
    found: list[dict[str, Any]] = json.loads((DEPLOY / "iam" / f"{name}.json").read_text(encoding="utf-8"))["Statement"]
    return found


def template() -> dict[str, Any]:
    """The template; CloudFormation's own tags are left as their texts."""
    found: dict[str, Any] = YAML().load((DEPLOY / "cloudformation" / "jada.yaml").read_text(encoding="utf-8"))
    return found


def policy_of(resource: str) -> list[dict[str, Any]]:
    """The statements that the template gives a role, or that a policy of its own has."""
    properties = template()["Resources"][resource]["Properties"]
    policy = properties["Policies"][0] if "Policies" in properties else properties
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


@pytest.mark.parametrize(("resource", "name"), POLICIES.items())
def test_the_template_gives_what_the_policy_says(resource: str, name: str) -> None:
    """deploy/iam and deploy/cloudformation cannot drift apart."""
    for ours, theirs in zip(statements(name), policy_of(resource), strict=True):
        assert ours["Sid"] == theirs["Sid"]
        assert listed(ours["Action"]) == listed(theirs["Action"])
        assert listed(ours["Resource"]) == [filled(each) for each in theirs["Resource"]]
        conditions = theirs.get("Condition", {})
        assert ours.get("Condition", {}) == {
            operator: {key: filled(value) for key, value in each.items()} for operator, each in conditions.items()
        }


def filled(arn: object) -> str:
    """An ARN of the template, as the policies write it."""
    text = str(getattr(arn, "value", arn))
    names = {"Partition": "aws", "Region": "${Region}", "AccountId": "${Account}"}
    return re.sub(r"\$\{AWS::(\w+)\}", lambda found: names[found[1]], text)


def test_no_policy_is_for_everything() -> None:
    """No action has a wildcard, and each wildcard of a resource has its reason in the README."""
    readme = (DEPLOY / "iam" / "README.md").read_text(encoding="utf-8")
    for path in (DEPLOY / "iam").glob("*.json"):
        for statement in statements(path.stem):
            assert not any("*" in action for action in listed(statement["Action"]))
            for resource in listed(statement["Resource"]):
                assert resource.startswith("arn:") or resource == "*"
                last = resource.rpartition("${Account}:")[2].rpartition("::")[2]
                if last == "*":
                    assert f"`*`, for `{statement['Action']}` alone" in readme
                elif "*" in last:
                    assert re.sub(r":\*$", "", last) in readme or last in readme, resource


def granted(*names: str) -> set[str]:
    """What policies allow."""
    return {action for name in names for each in statements(name) for action in listed(each["Action"])}


def test_every_operation_is_of_a_known_service() -> None:
    """No client is made of a service whose operations nobody collects."""
    assert services_named() <= set(SERVICES)


def test_the_orchestrator_may_do_what_it_does_and_nothing_else() -> None:
    """What adapters and commands ask AWS for is what the host's policy and the operator's allow, to the operation."""
    assert permissions("adapters", "service", "runtime", "cli") == granted("orchestrator", "operator")
    assert granted("orchestrator").isdisjoint(granted("operator"))


def test_bedrock_is_asked_in_one_way_and_elsewhere_only_through_a_profile() -> None:
    """The policy allows the operation whose address the client uses, and another region only where a profile leads."""
    [action] = granted("bedrock")
    operation = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model(action[8:])
    assert operation.http["requestUri"] == "/model/{modelId}/invoke-with-response-stream"
    for statement in statements("bedrock"):
        abroad = [each for each in listed(statement["Resource"]) if ":bedrock:*:" in each]
        assert bool(abroad) == ("bedrock:InferenceProfileArn" in str(statement.get("Condition")))
    assert template()["Resources"]["BedrockPolicy"]["Condition"] == "AsksBedrock"


def test_an_agent_on_a_queue_may_do_what_the_kit_does() -> None:
    """The kit's worker needs just what its policy allows."""
    assert permissions("agent") == granted("queue-agent")


def test_queues_survive_the_stack_and_have_dead_letter_queues() -> None:
    """Deleting the stack deletes no message; what is received too often goes somewhere."""
    queues = {name: each for name, each in template()["Resources"].items() if each["Type"] == "AWS::SQS::Queue"}
    for name, queue in queues.items():
        assert queue["DeletionPolicy"] == "Retain"
        assert name.endswith("DeadLetters") or name == "Replies" or "RedrivePolicy" in queue["Properties"]
