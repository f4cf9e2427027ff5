"""The small kit for people who write agents: one decorator, two ways to run it.

    from jada_orchestrator.agent import Agent, AgentError, Task

    app = Agent("flights")

    @app.action("flights.hold", input=HOLD_INPUT, output=HOLD_OUTPUT)
    def hold(task: Task) -> dict[str, object]:
        if sold_out(task.input["offer_id"]):
            raise AgentError("SOLD_OUT", "no seat is left on this flight")
        return {"hold_id": "h-9"}

    handler = app.lambda_handler        # on Lambda; or: python -m jada_orchestrator.agent module:app

It is packed into Lambda functions, so it imports the standard library alone, and nothing of the rest of this package.
`fastjsonschema` is loaded when the first schema is checked; the AWS client only by the SQS worker.
"""

from __future__ import annotations

from jada_orchestrator.agent.agent import FROM_ENVIRONMENT, Agent
from jada_orchestrator.agent.memo import (
    Begun,
    Claim,
    Finished,
    IdempotencyStore,
    InProgress,
    MemoryIdempotency,
    SqliteIdempotency,
)
from jada_orchestrator.agent.reply import AgentError, AgentSetupError, Answer, Usage
from jada_orchestrator.agent.task import JsonObject, Task

__all__ = [
    "FROM_ENVIRONMENT",
    "Agent",
    "AgentError",
    "AgentSetupError",
    "Answer",
    "Begun",
    "Claim",
    "Finished",
    "IdempotencyStore",
    "InProgress",
    "JsonObject",
    "MemoryIdempotency",
    "SqliteIdempotency",
    "Task",
    "Usage",
]
