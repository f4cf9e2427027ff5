"""Inputs of calls at run time: bindings evaluated over what is there, when it is there.

Every function returns what was asked for, or a tuple of faults; none raises, whatever agents answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from jada_orchestrator.domain.catalogue import Action, Binding, Compensation
from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import IdempotencyKey, TaskId
from jada_orchestrator.domain.instants import format_instant
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.planning.references import (
    INDEX_ROOT,
    ITEM_ROOT,
    REQUEST_ROOT,
    ReferenceFault,
    evaluate,
    roots_of,
)
from jada_orchestrator.planning.schemas import faults_in

MISSING_AT_RUNTIME: Final = "MISSING_AT_RUNTIME"
"""A value that a call needs is not in the output that was to hold it."""
BAD_REFERENCE: Final = "BAD_REFERENCE"
BAD_INPUT: Final = "BAD_INPUT"
BAD_AMOUNT: Final = "BAD_AMOUNT"

Faults = tuple[Fault, ...]


def resolve_input(
    task: PlannedTask, outputs: Mapping[TaskId, Json], request: BookingRequest, action: Action | None = None
) -> JsonObject | Faults:
    """Return the input of a task's call, from the outputs of the tasks that it takes.

    A reference that yields null leaves its field out. With `action`, a required field left out so is a fault
    MISSING_AT_RUNTIME, and the whole is checked against the action's input schema (BAD_INPUT); without, the caller
    does that by `check_input`.
    """
    reads_request = any(REQUEST_ROOT in binding.expression for binding in task.bindings.values())
    environment = _environment(outputs, request if reads_request else None)
    if task.index is not None:
        environment |= {ITEM_ROOT: task.item, INDEX_ROOT: task.index}
    value, faults = _resolve(task.bindings, environment, f"tasks.{task.id}.args")
    if action is not None:
        if len(value) < len(task.bindings):
            faults = (*faults, *_missing(task, action, value, faults))
        if not faults:
            faults = faults_in(action.input_schema, value, f"tasks.{task.id}.args", code=BAD_INPUT)
    return faults or value


def _missing(task: PlannedTask, action: Action, value: JsonObject, told: Faults) -> list[Fault]:
    """Return a fault for each field that the action requires and that was left out, where none was told of it."""
    required = action.input_schema.get("required", [])
    return [
        Fault(MISSING_AT_RUNTIME, f"tasks.{task.id}.args.{name}", f"`{binding.expression}` is not there (null)")
        for name, binding in task.bindings.items()
        if name in required and name not in value and not any(fault.where.endswith(f".{name}") for fault in told)
    ]


def check_input(action: Action, value: JsonObject) -> Faults:
    """Return what is wrong with an input, against the action's schema; values are left out of the messages."""
    return faults_in(action.input_schema, value, "input", code=BAD_INPUT)


def resolve_compensation(
    compensation: Compensation,
    *,
    input: JsonObject,  # noqa: A002 - the word that the catalogue's expressions use
    output: JsonObject | None,
    key: IdempotencyKey,
) -> JsonObject | Faults:
    """Return the input of the call that undoes a task, from the task's own input, output and idempotency key.

    `output` is None when the task's answer never came. A reference that yields null leaves its field out, unless it
    reads the output and there is none: then undoing would be aimed at nothing, which is a fault.
    """
    document = {"input": input, "output": output, "key": key}
    value: JsonObject = {}
    faults: list[Fault] = []
    for name, binding in compensation.bindings.items():
        where = f"{compensation.action}.{name}"
        if not binding.expression:
            value[name] = binding.constant
            continue
        try:
            found = evaluate(binding.expression, document)
        except ReferenceFault as error:
            faults.append(Fault(BAD_REFERENCE, where, str(error)))
            continue
        if found is not None:
            value[name] = found
        elif output is None and "output" in binding.expression:
            faults.append(Fault(MISSING_AT_RUNTIME, where, f"`{binding.expression}` needs an answer that never came"))
    return tuple(faults) or value


def resolve_amount(
    binding: Binding,
    *,
    input: JsonObject,  # noqa: A002 - the word that the catalogue's expressions use
    output: JsonObject | None,
) -> Money | Faults:
    """Return the money of a call, from its input and, once it has one, its output."""
    try:
        found = (
            evaluate(binding.expression, {"input": input, "output": output}) if binding.expression else binding.constant
        )
        return Money.parse(found)
    except ReferenceFault as error:
        return (Fault(BAD_AMOUNT, "amount", str(error)),)
    except ValueError as error:
        return (Fault(BAD_AMOUNT, "amount", f"`{binding.expression}` is no money: {error}"),)


def resolve_condition(task: PlannedTask, outputs: Mapping[TaskId, Json], request: BookingRequest) -> bool | Faults:
    """Tell whether a task's condition is true; what is null, or anything but true and false, is not."""
    try:
        return evaluate(task.when, _environment(outputs, request)) is True
    except ReferenceFault as error:
        return (Fault(BAD_REFERENCE, f"tasks.{task.id}.when", str(error)),)


def resolve_list(task: PlannedTask, outputs: Mapping[TaskId, Json], request: BookingRequest) -> list[Json] | Faults:
    """Return the list for each item of which a task is called. Nobody may change what is in it."""
    where = f"tasks.{task.id}.for_each"
    try:
        found = evaluate(task.for_each, _environment(outputs, request))
    except ReferenceFault as error:
        return (Fault(BAD_REFERENCE, where, str(error)),)
    if isinstance(found, list):
        return found
    there = "is not there (null)" if found is None else "is no list"
    return (Fault(MISSING_AT_RUNTIME if found is None else BAD_INPUT, where, f"`{task.for_each}` {there}"),)


def resolve_result(plan: Plan, outputs: Mapping[TaskId, Json], request: BookingRequest) -> JsonObject:
    """Return the result of a workflow by name; what is not there, or cannot be evaluated, is null."""
    environment = _environment(outputs, request)
    result: JsonObject = {}
    for name, binding in plan.result.items():
        if not binding.expression:
            result[name] = binding.constant
            continue
        try:
            result[name] = evaluate(binding.expression, environment)
        except ReferenceFault:
            result[name] = None  # a finished booking is reported even where a line of its report cannot be made
    return result


def roots_of_result(plan: Plan) -> set[str]:
    """Return the names that the lines of a plan's result read; a line that cannot be evaluated reads none."""
    found: set[str] = set()
    for binding in plan.result.values():
        with suppress(ReferenceFault):
            found |= roots_of(binding.expression)
    return found


def request_document(request: BookingRequest) -> JsonObject:
    """Return what the root ``request`` stands for in references; what the frontend did not send is not there."""
    bounds = request.constraints
    constraints: JsonObject = {}
    if bounds.max_total is not None:
        constraints["max_total"] = bounds.max_total.to_json()
    if bounds.approve_above is not None:
        constraints["approve_above"] = bounds.approve_above.to_json()
    if bounds.deadline is not None:
        constraints["deadline"] = format_instant(bounds.deadline)
    document: JsonObject = {"request_id": request.request_id, "tenant": request.tenant, "constraints": constraints}
    if request.text:
        document["text"] = request.text
    if request.booking is not None:
        document["booking"] = request.booking
    return document


def _environment(outputs: Mapping[TaskId, Json], request: BookingRequest | None) -> dict[str, Json]:
    """Return what references read; without `request` when none of them reads it."""
    environment: dict[str, Json] = dict(outputs.items())
    if request is not None:
        environment[REQUEST_ROOT] = request_document(request)
    return environment


def _resolve(bindings: Mapping[str, Binding], environment: dict[str, Json], where: str) -> tuple[JsonObject, Faults]:
    value: JsonObject = {}
    faults: list[Fault] = []
    for name, binding in bindings.items():
        if not binding.expression:
            value[name] = binding.constant
            continue
        try:
            found = evaluate(binding.expression, environment)
        except ReferenceFault as error:
            faults.append(Fault(BAD_REFERENCE, f"{where}.{name}", str(error)))
            continue
        if found is not None:
            value[name] = found
    return value, tuple(faults)
