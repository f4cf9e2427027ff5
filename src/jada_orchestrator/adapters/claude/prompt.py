"""What Claude is told: one stable system block, then the request as data, then every correction.

The system block depends on the catalogue alone, so that it is byte-identical for all requests of one catalogue version
and is served from the prompt cache. Everything that comes from outside (request, answers, faults, the catalogue's own
descriptions) is JSON in which ``<`` and ``>`` are escaped: no text can close the tag that it stands in.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Final

from jada_orchestrator.domain.catalogue import Action, Binding, Catalogue
from jada_orchestrator.domain.choice import Choice
from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.house import HOUSE_ACTIONS
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.instants import format_date, format_instant
from jada_orchestrator.domain.plan import PlannedTask
from jada_orchestrator.domain.request import BookingRequest, Constraints
from jada_orchestrator.domain.revision import Past, PastTask
from jada_orchestrator.domain.workflow import Exchange
from jada_orchestrator.ports.planner import PlannerQuestion

if TYPE_CHECKING:
    from anthropic.types import MessageParam, TextBlockParam

CHARS_PER_TOKEN: Final = 4
"""The vendor's rule of thumb for English; JSON has fewer characters a token, so the estimate is on the low side."""
CORRECTION: Final = "Mend all of these faults and answer with the whole proposal again."
CHOICE: Final = "Answer with the index of one option."
REVISION: Final = "The plan failed there. Answer with a plan that gets round it, or refuse."
_PLACE: Final = "{{actions}}"
_HOUSE_PLACE: Final = "{{house}}"
_UNSAFE: Final = re.compile("[<>\u2028\u2029\ud800-\udfff]")


def safe_json(value: Json) -> str:
    """Return JSON on one line that cannot leave its tag, and that any encoder takes.

    ``<``, ``>``, the Unicode line separators and lone surrogates are escaped, which JSON allows inside strings, the
    only place where they can stand. Everything else stays readable to the model, and cheap.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def system_text(catalogue: Catalogue) -> str:
    """Return the system prompt: the same text for the same catalogue, whatever the order in which it was loaded."""
    template = resources.files(__package__).joinpath("system_prompt.md").read_text(encoding="utf-8")
    text = template.rstrip("\n").replace(_HOUSE_PLACE, "\n".join(map(_line, HOUSE_ACTIONS.values())))
    return text.replace(_PLACE, "\n".join(map(_line, plannable(catalogue))))


def plannable(catalogue: Catalogue) -> list[Action]:
    """Return the actions that plans are made of, by name: all but lookups, which the engine alone uses."""
    lookups: set[ActionName | None] = {action.lookup for action in catalogue.actions.values()}
    return [action for name, action in sorted(catalogue.actions.items()) if name not in lookups]


def _line(action: Action) -> str:
    return safe_json(
        {
            "action": action.name,
            "description": action.description,
            "effect": action.effect.value,
            "input": _sorted(action.input_schema),
            "output": _sorted(action.output_schema),
            **(
                {"sources": {name: list(action.sources[name]) for name in sorted(action.sources)}}
                if action.sources
                else {}
            ),
        }
    )


def _sorted(value: Json) -> Json:
    """Return the value with its keys in order, so that two ways of loading one catalogue give the same bytes."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def system_blocks(text: str) -> list[TextBlockParam]:
    """Return the system prompt as one block that ends in a cache breakpoint (five minutes, refreshed by each use)."""
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has; not a tokenizer."""
    return len(text) // CHARS_PER_TOKEN


def messages_of(question: PlannerQuestion) -> list[MessageParam]:
    """Return the conversation: the request, then for every finished exchange the answer and the faults in it."""
    if question.choice is not None:
        put = f"<choice>\n{safe_json(choice_json(question.choice))}\n</choice>\n{CHOICE}"
        return [{"role": "user", "content": put}]
    asked = f"<request>\n{safe_json(request_json(question))}\n</request>"
    if question.past is not None:
        asked += f"\n<executed>\n{safe_json(past_json(question.past))}\n</executed>\n{REVISION}"
    messages: list[MessageParam] = [{"role": "user", "content": asked}]
    for exchange in question.exchanges:
        messages += _exchange(exchange)
    return messages


def _exchange(exchange: Exchange) -> list[MessageParam]:
    faults = safe_json([fault_json(fault) for fault in exchange.faults])
    return [
        {"role": "assistant", "content": _encodable(exchange.answer) or "{}"},  # empty content is refused by the API
        {"role": "user", "content": f"<faults>\n{faults}\n</faults>\n{CORRECTION}"},
    ]


def request_json(question: PlannerQuestion) -> JsonObject:
    """Return the request as the model sees it; what is not there is left out."""
    request: BookingRequest = question.request
    document: JsonObject = {"request_id": request.request_id, "tenant": request.tenant}
    if request.text:
        document["text"] = request.text
    if request.booking is not None:
        document["booking"] = request.booking
    if constraints := constraints_json(request.constraints):
        document["constraints"] = constraints
    document["today"] = format_date(question.now)
    answered = [entry for entry in question.clarifications if entry.answer is not None]
    if answered:
        document["answers"] = [{"questions": list(entry.questions), "answer": entry.answer} for entry in answered]
    return document


def choice_json(choice: Choice) -> JsonObject:
    """Return what is to be chosen, each option with its index."""
    options = [{"index": index, "option": option} for index, option in enumerate(choice.options)]
    return {"criteria": choice.criteria, "options": options}


def past_json(past: Past) -> JsonObject:
    """Return what became of the plan that failed, its tasks in the form of a proposal's."""
    return {"failed": sorted(past.failed), "tasks": [_past_task(task) for task in past.tasks]}


def _past_task(task: PastTask) -> JsonObject:
    planned = task.planned
    shown: JsonObject = {
        "id": planned.id,
        "action": planned.action,
        "state": task.state,
        "after": [name for name in planned.after if name not in planned.needs],
        "optional": planned.optional,
        "args": [_past_argument(name, binding, task.told) for name, binding in planned.bindings.items()],
    }
    control = _control(planned)
    if control:
        shown["control"] = control
    if task.code:
        shown["code"] = task.code
    if task.facts is not None:
        shown["output"] = task.facts
    return shown


def _control(planned: PlannedTask) -> list[JsonObject]:
    """Return what decides of a task whether, how often and instead of whom it is called, as a proposal has it."""
    said = {"when": planned.when, "for_each": planned.for_each, "instead_of": planned.instead_of or ""}
    return [
        *({"kind": kind, "value": value} for kind, value in said.items() if value),
        *({"kind": "on_code", "value": code} for code in planned.on_codes),
    ]


def _past_argument(name: str, binding: Binding, told: frozenset[str]) -> JsonObject:
    if binding.expression:
        return {"name": name, "kind": "ref", "value": binding.expression}
    value = binding.constant
    text = value if isinstance(value, str) else safe_json(value)
    return {"name": name, "kind": "user" if name in told else "const", "value": text}


def constraints_json(constraints: Constraints) -> JsonObject:
    """Return the bounds that were set, in the contract's form."""
    document: JsonObject = {}
    if constraints.max_total is not None:
        document["max_total"] = constraints.max_total.to_json()
    if constraints.approve_above is not None:
        document["approve_above"] = constraints.approve_above.to_json()
    if constraints.deadline is not None:
        document["deadline"] = format_instant(constraints.deadline)
    if constraints.on_failure != "undo_all":
        document["on_failure"] = constraints.on_failure
    return document


def fault_json(fault: Fault) -> JsonObject:
    """Return a fault as the model sees it; ``tasks.<id>.args.<field>`` is taken apart into task and field."""
    task, field = "", fault.where
    if fault.where.startswith("tasks."):
        task, _, field = fault.where.removeprefix("tasks.").partition(".")
        field = field.removeprefix("args.")
    return {"code": fault.code, "task": task, "field": field, "message": fault.message}


def _encodable(text: str) -> str:
    """Return the text without lone surrogates, which UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
