"""Names of things, each its own type, and the rules by which we derive the ones that are ours.

Derivation is by SHA-256, so that the same request always finds the same workflow and the same task always
carries the same idempotency key, on every host and in every version.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import Final, NewType

RequestId = NewType("RequestId", str)
"""Chosen by the frontend; 1-128 of ``A-Za-z0-9._:-``; the frontend's idempotency key."""
WorkflowId = NewType("WorkflowId", str)
"""Ours: ``wf-`` and 26 characters of base32, derived from what the frontend sent."""
TaskId = NewType("TaskId", str)
"""A node of a plan, chosen by the planner; ``lower_snake``, at most 64 characters."""
AgentName = NewType("AgentName", str)
ActionName = NewType("ActionName", str)
"""``agent.verb``, as declared in the catalogue."""
Tenant = NewType("Tenant", str)
IdempotencyKey = NewType("IdempotencyKey", str)
"""``jk-`` and 40 hexadecimal digits; the same for every attempt of one call."""
OutcomeId = NewType("OutcomeId", str)
"""The CloudEvents ``id`` of an outcome; the same on every redelivery."""
CatalogueVersion = NewType("CatalogueVersion", str)
"""The first 16 hexadecimal digits of the SHA-256 of the catalogue's canonical JSON."""

REQUEST_ID_PATTERN: Final = re.compile(r"\A[A-Za-z0-9._:-]{1,128}\Z")
TASK_ID_PATTERN: Final = re.compile(r"\A[a-z][a-z0-9_]{0,63}\Z")
ACTION_NAME_PATTERN: Final = re.compile(r"\A[a-z][a-z0-9_-]*\.[a-z][a-z0-9_]*\Z")


_KEYS_KEPT: Final = 4_096
"""A call's key is wanted when the call leaves and when its answer comes, mostly within a second."""


def _short_hash(length: int, *parts: str) -> str:
    """Return `length` lower-case base32 characters of the SHA-256 of the parts, joined by a byte that no part holds."""
    digest = hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(digest).decode("ascii").lower().rstrip("=")[:length]


def workflow_id_of(request_id: RequestId) -> WorkflowId:
    """Return the one workflow that a request id may ever have been accepted as."""
    return WorkflowId("wf-" + _short_hash(26, "request", request_id))


def refused_workflow_id_of(source: str) -> WorkflowId:
    """Return the workflow that stands for a message that was turned away; `source` is the message's digest."""
    return WorkflowId("wf-" + _short_hash(26, "refused", source))


def idempotency_key_of(workflow_id: WorkflowId, revision: int, task_id: TaskId, call: str = "do") -> IdempotencyKey:
    """Return the key under which a task's call is made, whatever the attempt.

    `call` is ``do``, ``undo``, or ``find-do-N`` / ``find-undo-N`` for the N-th lookup (a lookup asks afresh each
    time, so each has a key of its own).
    """
    return IdempotencyKey(_key_of(f"{workflow_id}\x00{revision}\x00{task_id}\x00{call}"))


@lru_cache(maxsize=_KEYS_KEPT)
def _key_of(parts: str) -> str:
    return "jk-" + hashlib.sha256(parts.encode()).hexdigest()[:40]


def call_id_of(task_id: TaskId, index: int) -> TaskId:
    """Return the id of one call of a task that is called for each item of a list, by its place in it (from 0).

    No plan can name it: brackets are in no id that a planner may choose.
    """
    return TaskId(f"{task_id}[{index}]")


def task_of_call(call_id: TaskId) -> TaskId:
    """Return the task whose call has this id (`call_id_of`); the id of a task itself is returned as it is."""
    return TaskId(call_id.partition("[")[0])


def outcome_id_of(workflow_id: WorkflowId, number: int) -> OutcomeId:
    """Return the id of a workflow's `number`-th outcome (from 1)."""
    return OutcomeId(f"{workflow_id}.{number}")
