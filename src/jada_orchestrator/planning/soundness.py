"""Soundness of a catalogue: everything that concerns more than one action, or an expression over one's schemas.

Compiling plans and undoing tasks rely on it, so it is checked once, when a catalogue is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from jada_orchestrator.domain.catalogue import Action, Binding, Catalogue, Compensation, Effect
from jada_orchestrator.domain.codes import HOUSE_CODES, can_fail_with
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.money import Money
from jada_orchestrator.planning.findings import suggestion
from jada_orchestrator.planning.inference import infer, mismatch
from jada_orchestrator.planning.provenance import CONST, USER
from jada_orchestrator.planning.references import ReferenceFault, roots
from jada_orchestrator.planning.schemas import SchemaError, check_schema, faults_in, is_valid
from jada_orchestrator.planning.shapes import Made, Shape, described, field_of, item_of, names_of, of_type, types_of

_KEY: Final = "jk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
"""An idempotency key as lookups are given one."""
_MONEY: Final[Shape] = Made({"amount": of_type("string"), "currency": of_type("string")})


def faults_in_catalogue(catalogue: Catalogue) -> tuple[Fault, ...]:
    """Return everything that is wrong with a catalogue. Never raises.

    Each fault's place is ``action/field/...`` with slashes, in the words of the catalogue files, e.g.
    ``flights.hold/compensate/input/hold_id``: whoever read the files turns it into a line.
    """
    return tuple(fault for action in catalogue.actions.values() for fault in _faults_of(action, catalogue))


def _faults_of(action: Action, catalogue: Catalogue) -> Iterator[Fault]:
    yield from _undoing(action)
    yield from _codes(action)
    if action.agent not in catalogue.agents:
        yield Fault("UNKNOWN_AGENT", action.name, f"there is no agent {action.agent}")
    broken = list(_broken_schemas(action))
    yield from broken
    if broken:
        return
    if action.compensate is not None:
        yield from _compensation(action, action.compensate, catalogue)
    if action.lookup is not None:
        yield from _lookup(action, catalogue)
    if action.amount is not None:
        yield from _amount(action, action.amount)
    for name, sources in action.sources.items():
        yield from _sources(action, name, sources, catalogue)


def _undoing(action: Action) -> Iterator[Fault]:
    """Yield where effect, `compensate` and `irreversible` contradict each other."""
    if action.effect is Effect.READ:
        if action.compensate is not None or action.irreversible:
            yield Fault("CONTRADICTION", action.name, "a read changes nothing: it has no compensate, no irreversible")
    elif action.compensate is None and not action.irreversible:
        message = f"effect {action.effect} needs `compensate`, which undoes it; if nothing does, `irreversible: true`"
        yield Fault("NO_COMPENSATION", action.name, message)
    elif action.compensate is not None and action.irreversible:
        yield Fault("CONTRADICTION", f"{action.name}/irreversible", "it has `compensate`, so it is not irreversible")


def _codes(action: Action) -> Iterator[Fault]:
    """Yield which codes `replan_on` waits for that the action never gives, where it says which it gives."""
    for place, code in enumerate(action.replan_on or ()):
        if not can_fail_with(code, action.codes):
            near = suggestion(code, sorted({*(action.codes or ()), *HOUSE_CODES}))
            message = (
                f"{action.name} does not fail with {code}: it is neither in its `codes` nor one of the house.{near}"
            )
            yield Fault("UNKNOWN_CODE", f"{action.name}/replan_on/{place}", message)


def _broken_schemas(action: Action) -> Iterator[Fault]:
    for name, schema in (("input", action.input_schema), ("output", action.output_schema)):
        try:
            check_schema(schema)
        except SchemaError as error:
            yield Fault("BAD_SCHEMA", f"{action.name}/{name}", f"is no JSON Schema that can be used here: {error}")
            continue
        if types_of(described(schema, schema)) != {"object"}:
            yield Fault("BAD_SCHEMA", f"{action.name}/{name}", f"an action's {name} is an object: say `type: object`")


def _compensation(action: Action, undo: Compensation, catalogue: Catalogue) -> Iterator[Fault]:
    where = f"{action.name}/compensate"
    target = catalogue.actions.get(undo.action)
    if target is None:
        near = suggestion(undo.action, list(catalogue.actions))
        yield Fault("UNKNOWN_ACTION", f"{where}/action", f"there is no action {undo.action}.{near}")
        return
    if any(_broken_schemas(target)):
        return
    if target.effect is Effect.READ:
        yield Fault(
            "BAD_COMPENSATION", f"{where}/action", f"{target.name} is a read: it changes nothing, so it undoes nothing"
        )
    if not target.idempotent:
        message = f"{target.name} is not idempotent; what undoes must be, because it is repeated until it succeeds"
        yield Fault("BAD_COMPENSATION", f"{where}/action", message)
    wanted = described(target.input_schema, target.input_schema)
    for name in target.input_schema.get("required", ()):
        if name not in undo.bindings:
            yield Fault("MISSING_INPUT", f"{where}/input", f"{target.name} requires `{name}`, which is not bound")
    around = {**_sides(action), "key": of_type("string")}
    for name, binding in undo.bindings.items():
        spot = f"{where}/input/{name}"
        looked = field_of(wanted, name)
        if looked.trouble:
            near = suggestion(name, names_of(wanted), all_of_them=True)
            yield Fault("UNKNOWN_INPUT", spot, f"{target.name} has no input field {name!r}.{near}")
        elif binding.expression:
            yield from _expression(binding.expression, around, looked.shape, spot)
    constants = {name: binding.constant for name, binding in undo.bindings.items() if not binding.expression}
    base = f"{where}/input"
    for fault in faults_in(target.input_schema, constants, base) if constants else ():
        if fault.where != base:
            yield Fault("BAD_INPUT", fault.where.replace(f"{base}.", f"{base}/", 1), fault.message)


def _lookup(action: Action, catalogue: Catalogue) -> Iterator[Fault]:
    where = f"{action.name}/lookup"
    target = catalogue.actions.get(action.lookup) if action.lookup is not None else None
    if target is None:
        near = suggestion(str(action.lookup), list(catalogue.actions))
        yield Fault("UNKNOWN_ACTION", where, f"there is no action {action.lookup}.{near}")
    elif target.effect is not Effect.READ:
        yield Fault("BAD_LOOKUP", where, f"{target.name} has effect {target.effect}; a lookup only reads")
    elif not any(_broken_schemas(target)):
        if not is_valid(target.input_schema, {"idempotency_key": _KEY}):
            message = f'{target.name} must take the input {{"idempotency_key": "..."}} and require nothing else'
            yield Fault("BAD_LOOKUP", where, message)
        if "state" not in target.output_schema.get("required", ()):
            message = f"the output of {target.name} must require `state`: succeeded, failed, absent or pending"
            yield Fault("BAD_LOOKUP", where, message)


def _amount(action: Action, amount: Binding) -> Iterator[Fault]:
    where = f"{action.name}/amount"
    if action.effect is not Effect.COMMIT:
        yield Fault("BAD_AMOUNT", where, f"only a commit names an amount; this is a {action.effect}")
    elif not amount.expression:
        try:
            Money.parse(amount.constant)
        except ValueError as error:
            yield Fault("BAD_AMOUNT", where, str(error))
    else:
        yield from _expression(amount.expression, {"input": _sides(action)["input"]}, _MONEY, where)


def _sources(action: Action, name: str, sources: tuple[str, ...], catalogue: Catalogue) -> Iterator[Fault]:
    """Yield where `sources` speaks of a field or an output that is not there."""
    where = f"{action.name}/sources/{name}"
    wanted = described(action.input_schema, action.input_schema)
    if field_of(wanted, name).trouble:
        near = suggestion(name, names_of(wanted), all_of_them=True)
        yield Fault("UNKNOWN_INPUT", where, f"{action.name} has no input field {name!r}.{near}")
    for source in sources:
        if source in {USER, CONST}:
            continue
        agent, _, rest = source.partition(".")
        verb, _, path = rest.partition(".")
        target = catalogue.actions.get(ActionName(f"{agent}.{verb}"))
        if target is None:
            near = suggestion(f"{agent}.{verb}", list(catalogue.actions))
            yield Fault("BAD_SOURCE", where, f"{source!r} is neither user, const nor an output of an action.{near}")
            continue
        at = _sides(target)["output"]
        for step in path.split(".") if path else ():
            while types_of(at) == {"array"}:
                at = item_of(at).shape
            looked = field_of(at, step)
            if looked.trouble:
                yield Fault("BAD_SOURCE", where, f"{source!r}, in the output of {target.name}: {looked.trouble}")
                break
            at = looked.shape


def _sides(action: Action) -> Mapping[str, Shape]:
    return {
        "input": described(action.input_schema, action.input_schema),
        "output": described(action.output_schema, action.output_schema),
    }


def _expression(expression: str, around: Mapping[str, Shape], wanted: Shape, where: str) -> Iterator[Fault]:
    """Yield what is wrong with an expression over these names, for a consumer of that shape."""
    try:
        unknown = sorted(roots(expression) - set(around))
        if unknown:
            known = ", ".join(f"{name}" for name in around)
            yield Fault("BAD_REFERENCE", where, f"`{expression}` begins with {unknown[0]!r}; here there is {known}")
            return
        why = mismatch(infer(expression, around).shape, wanted)
    except ReferenceFault as error:
        yield Fault("BAD_REFERENCE", where, f"`{expression}`: {error}")
    else:
        if why:
            yield Fault("BAD_REFERENCE", where, f"`{expression}` does not fit: {why}")
