"""The messages of the contract as models: what requests are checked with, and what `docs/messages` is made from.

What spans several fields is checked in `requests`, because pydantic leaves it out as soon as one field is wrong.
Readers ignore fields that they do not know; a name is never used again for a new meaning.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from jada_orchestrator.domain import limits
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.instants import parse_instant

REQUEST_SCHEMA: Literal["jada.request/1"] = "jada.request/1"
CONTROL_SCHEMA: Literal["jada.control/1"] = "jada.control/1"
TASK_SCHEMA: Literal["jada.task/1"] = "jada.task/1"
REPLY_SCHEMA: Literal["jada.reply/1"] = "jada.reply/1"


def _at_most_16_kib(text: str) -> str:
    if len(text.encode("utf-8", "surrogatepass")) > limits.REQUEST_TEXT_BYTES_MAX:
        raise PydanticCustomError("too_large", "has more than 16 KiB; shorten it")
    return text


def _an_instant(text: str) -> str:
    try:
        parse_instant(text)
    except ValueError as error:
        raise PydanticCustomError("instant", "is not an instant such as 2027-04-01T12:00:00Z") from error
    return text


RequestIdText: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$"),
    Field(description="Chosen by the frontend; its idempotency key.", examples=["web-7f3c2a"]),
]
LabelText: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,128}$")]
QueueName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,75}(\.fifo)?$|^[A-Za-z0-9_-]{76,80}$")
]
LongText: TypeAlias = Annotated[str, AfterValidator(_at_most_16_kib), Field(description="At most 16 KiB of UTF-8.")]
Instant: TypeAlias = Annotated[
    str,
    AfterValidator(_an_instant),
    Field(json_schema_extra={"format": "date-time"}, examples=["2027-04-01T12:00:00Z"]),
]


class MessageModel(BaseModel):
    """What all messages share: JSON types are taken as they are, and unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, populate_by_name=False)


class MoneyModel(MessageModel):
    """An amount of money: a decimal string, never a float."""

    amount: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$"), Field(examples=["1234.50"])]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["USD"])]


class ConstraintsModel(MessageModel):
    """Bounds that the frontend sets."""

    max_total: MoneyModel | None = Field(None, description="Never committed above this.")
    approve_above: MoneyModel | None = Field(
        None, description="Above this a person approves before anything is committed."
    )
    deadline: Instant | None = Field(None, description="After this nothing new is started, and what stands is undone.")
    on_failure: Literal["undo_all", "keep_partial", "ask"] = Field(
        "undo_all", description="What becomes of a booking whose required task failed."
    )


class RequestModel(MessageModel):
    """A booking request, on the request queue. One of `text` and `booking` must be there."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["text"]}, {"required": ["booking"]}]})

    schema_: Literal["jada.request/1"] = Field(REQUEST_SCHEMA, alias="schema")
    request_id: RequestIdText
    tenant: LabelText = "default"
    text: LongText | None = Field(None, description="What the traveller wants, in their own words.")
    booking: dict[str, Any] | None = Field(None, description="What the frontend knows already, in its own fields.")
    constraints: ConstraintsModel | None = None
    ordering_key: LabelText | None = Field(
        None, description="Requests that share it run one after another, in order of arrival."
    )
    priority: Annotated[int, Field(ge=0, le=limits.PRIORITY_MAX, description="0 lowest, 9 highest.")] = 5
    reply_to: QueueName | None = Field(None, description="A queue on the operator's allow-list, for the outcome.")
    metadata: dict[str, Any] | None = Field(
        None, max_length=limits.METADATA_ENTRIES_MAX, description="Carried along, never interpreted."
    )


class ControlModel(MessageModel):
    """Something that a person wants of a booking, on the request queue. `answer` and `settle` need their `text`."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"command": {"enum": ["answer", "settle"]}}},
            "then": {"required": ["text"]},
        }
    )

    schema_: Literal["jada.control/1"] = Field(alias="schema")
    request_id: RequestIdText
    command: Literal["cancel", "approve", "deny", "answer", "retry", "release", "settle"]
    by: LabelText | None = Field(None, description="Who wants it; it stands in the booking's story.")
    text: LongText | None = Field(
        None, description="The answer, for `answer`; what was done by hand, for `settle`; otherwise a remark."
    )
    task_id: LabelText | None = Field(
        None, description="Which question an `approve` or `deny` answers, where a plan asks several at once."
    )


class PayloadRefModel(MessageModel):
    """Where a JSON object lies that is too large for a message. Whoever reads it checks its size and its digest."""

    bucket: str
    key: str = Field(description="Below the prefix that the operator configured; it ends with the digest.")
    bytes: Annotated[int, Field(ge=1, le=limits.PAYLOAD_BYTES_MAX)]
    sha256: str = Field(description="Of the object's bytes, 64 hexadecimal digits.")


class OffloadModel(MessageModel):
    """Where an agent puts an output that is too large for a message."""

    bucket: str
    prefix: str = Field("", description="What every key begins with.")


class TaskModel(MessageModel):
    """One attempt at one call of one action, to an agent."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["input"]}, {"required": ["input_ref"]}]})

    schema_: Literal["jada.task/1"] = Field(alias="schema")
    workflow_id: str
    request_id: str
    tenant: str
    task_id: str
    attempt: Annotated[int, Field(ge=1, description="Counts the dispatches of this call.")]
    idempotency_key: str = Field(
        description="The same for every attempt; an agent that sees it again repeats its answer."
    )
    action: str = Field(examples=["flights.hold"])
    input: dict[str, Any] | None = Field(
        None, description="As the catalogue's schema of the action says; left out where `input_ref` stands for it."
    )
    input_ref: PayloadRefModel | None = Field(
        None, description="Instead of `input`, where the whole would be too large for a message."
    )
    deadline: Instant = Field(description="After this nobody waits for the answer any more.")
    model: str | None = Field(None, description="The model that the catalogue gives to the agent.")
    reply_to: str | None = Field(None, description="SQS workers only: the queue that the answer goes to.")
    traceparent: str | None = Field(
        None,
        description="Functions only, where the booking is traced: the W3C trace context of this attempt. An SQS worker "
        "finds it in the message attribute of this name.",
    )
    offload: OffloadModel | None = Field(
        None, description="Where a bucket is configured: an output above 1,000,000 bytes goes there."
    )


class ErrorModel(MessageModel):
    """Why it did not happen. Only for what certainly did not; anything else is left to be looked up."""

    code: str = Field(examples=["SOLD_OUT"])
    message: str = ""
    retryable: bool = Field(default=False, description="The same call may succeed later.")


class UsageModel(MessageModel):
    """What an agent's own model calls used."""

    model: str = ""
    input_tokens: Annotated[int, Field(ge=0)] = 0
    output_tokens: Annotated[int, Field(ge=0)] = 0


class _ReplyModel(MessageModel):
    schema_: Literal["jada.reply/1"] = Field(alias="schema")
    workflow_id: str
    task_id: str
    attempt: Annotated[int, Field(ge=1)]
    idempotency_key: str
    usage: UsageModel | None = None


class SucceededReplyModel(_ReplyModel):
    """The agent did it."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["output"]}, {"required": ["output_ref"]}]})

    status: Literal["succeeded"]
    output: dict[str, Any] | None = Field(
        None, description="As the catalogue's schema of the action says; left out where `output_ref` stands for it."
    )
    output_ref: PayloadRefModel | None = Field(
        None, description="Instead of `output`, below the place that the task named as `offload`."
    )


class FailedReplyModel(_ReplyModel):
    """The agent did not do it, and nothing was changed."""

    status: Literal["failed"]
    error: ErrorModel


ReplyModel: TypeAlias = Annotated[SucceededReplyModel | FailedReplyModel, Field(discriminator="status")]


class FaultModel(MessageModel):
    """One thing that is wrong with a message."""

    code: str
    where: str = Field(description="The path of the field; empty for the whole message.")
    message: str


class OutcomeErrorModel(MessageModel):
    """Why a booking did not succeed."""

    code: str
    message: str
    faults: list[FaultModel] | None = Field(None, description="With `rejected`: everything that is wrong.")
    standing: list[JsonObject] | None = Field(None, description="With `needs_attention`: what could not be undone.")


class OutcomeTaskModel(MessageModel):
    """A task as the frontend sees it."""

    id: str
    action: str
    status: Literal[
        "pending",
        "ready",
        "running",
        "backing_off",
        "unknown",
        "succeeded",
        "failed",
        "skipped",
        "compensating",
        "compensated",
    ]
    attempts: int


class CostModel(MessageModel):
    """What planning, and the agents that say so, used of models."""

    usd: str | None = Field(description="A decimal string; null where a price is not known.")
    input_tokens: int
    output_tokens: int


class OutcomeDataModel(MessageModel):
    """What is told about a booking."""

    request_id: str
    workflow_id: str
    tenant: str
    status: Literal[
        "completed",
        "failed",
        "compensated",
        "cancelled",
        "rejected",
        "needs_clarification",
        "awaiting_approval",
        "needs_attention",
    ]
    result: Any
    error: OutcomeErrorModel | None
    questions: list[str]
    tasks: list[OutcomeTaskModel]
    cost: CostModel
    plan_revision: int
    model: str
    data_ref: PayloadRefModel | None = Field(
        None,
        description="Where the whole of `data` lies, as one JSON object, when it is too large for a message. What "
        "agents answered is left out here then.",
    )


class OutcomeModel(MessageModel):
    """An outcome, as a CloudEvent 1.0 in structured JSON, delivered at least once."""

    specversion: Literal["1.0"]
    id: str = Field(description="The same on every redelivery.")
    source: str
    type: Literal[
        "jada.booking.completed",
        "jada.booking.failed",
        "jada.booking.compensated",
        "jada.booking.cancelled",
        "jada.booking.rejected",
        "jada.booking.needs_clarification",
        "jada.booking.awaiting_approval",
        "jada.booking.needs_attention",
    ]
    subject: str | None = Field(None, description="The request id; left out where none could be read.")
    time: Instant
    datacontenttype: Literal["application/json"] = "application/json"
    data: OutcomeDataModel
