"""Nothing depends on the sandbox: another Messages API and another AWS do as well, by the environment alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mail import open_post
from tests.integration.other_servers import OtherAws, ReplayedModel, proposal, small_catalogue

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUEUES = ("jada-requests", "jada-requests-dlq", "jada-outcomes", "other-replies")


async def rooms(task: dict[str, Any]) -> dict[str, Any]:
    """Answer with the output alone, as the contract allows a function to."""
    if task["action"] == "rooms.find":
        return {"room_id": f"room-in-{task['input']['city']}"}
    return {"taken_id": f"taken-{task['input']['room_id']}"}


async def test_other_servers_do_as_well(tmp_path: Path) -> None:
    """A booking is planned by another Messages API and done through another SQS and Lambda; no code changes."""
    async with OtherAws({"other-rooms": rooms}) as aws, ReplayedModel(proposal()) as model:
        environment = {
            **aws.environment,
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "some-key",
            "JADA_STORE": f"sqlite://{tmp_path / 'journal.db'}",
            "JADA_CATALOGUE": str(small_catalogue(tmp_path / "agents")),
            "JADA_REPLY_QUEUE": "other-replies",
        }
        async with open_post(environment) as post:
            for queue in QUEUES:
                await post.client.create_queue(QueueName=queue)
            async with (
                post.mailbox("jada-outcomes") as outcomes,
                post.mailbox("jada-requests-dlq") as dead_letters,
                Daemon(tmp_path, environment) as daemon,
            ):
                await post.send("jada-requests", {"request_id": "other-1", "text": "A room in Lisbon"}, colour="red")
                outcome = await outcomes.outcome("other-1")
                await post.send("jada-requests", "poison", colour="red")
                letter = await dead_letters.holds(lambda mail: mail, "the dead letter")
                assert await daemon.stop() == 0
    assert outcome["type"] == "jada.booking.completed"
    assert outcome["data"]["result"] == {"taken": "taken-room-in-Lisbon"}
    assert [task["action"] for task in aws.tasks] == ["rooms.find", "rooms.take"]
    assert all(task["schema"] == "jada.task/1" and "reply_to" not in task for task in aws.tasks)
    assert letter["Body"] == "poison"
    assert {"jada-reason", "jada-reason-code", "colour"} <= set(letter["MessageAttributes"])
    [asked] = model.asked
    assert asked["stream"] is True
    assert "other-1" in json.dumps(asked["messages"])
