"""`jada plan`: what would be done, without doing it."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import cost_text, now_ms
from jada_orchestrator.cli.failing import DONE, FAILED, UNREACHABLE, USAGE, CommandError
from jada_orchestrator.cli.plan_pictures import dot_of, mermaid_of, outlook_lines, plan_tree
from jada_orchestrator.cli.screen import error_screen, print_json, screen
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.instants import format_duration
from jada_orchestrator.domain.plan import Plan
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.planning import Adopted, Clarify, Faulted, Refuse
from jada_orchestrator.ports.journal import JournalError, JournalUnavailableError
from jada_orchestrator.ports.planner import PlannerError
from jada_orchestrator.service import dry_run, submitting
from jada_orchestrator.service.outlook import Outlook, outlook_of, recent_times
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.store_access import store_reader


class Format(StrEnum):
    """How a plan is printed."""

    TREE = "tree"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


def plan(
    context: typer.Context,
    *,
    words: Annotated[str | None, typer.Argument(help="What is wanted, in plain words.", metavar="[TEXT]")] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="The same as TEXT.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Compile this written proposal; no model is asked.")
    ] = None,
    request: Annotated[Path | None, typer.Option(help="A jada.request/1 JSON file instead of TEXT.")] = None,
    model: Annotated[str | None, typer.Option(help="Ask this model.")] = None,
    catalogue: Annotated[Path | None, typer.Option(help="Use the agents in this folder.", metavar="FOLDER")] = None,
    store: options.Store = None,
    form: Annotated[
        Format, typer.Option("--format", help="A tree for people, or text for another program.")
    ] = Format.TREE,
    as_json: options.AsJson = False,
) -> None:
    """Plan a request and show the checked plan; no agent is called."""
    if words is not None and text is not None:
        raise CommandError("say what is wanted once: TEXT or --text", status=USAGE)
    settings = options.loaded(context, model=model, catalogue=catalogue, store=store).settings
    wanted = _request(settings, words or text, request, needed=file is None)
    try:
        if file is not None:
            result = dry_run.compile_written(settings, file.read_text(encoding="utf-8"), wanted)
        else:
            result = asyncio.run(dry_run.plan(settings, wanted, now_ms(), model=model))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}", status=USAGE) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} holds no text in UTF-8", status=USAGE) from error
    except PlannerError as error:
        status = FAILED if error.kind in {"permanent", "bad_answer"} else UNREACHABLE
        raise CommandError(f"the model brought no plan: {error}", status=status) from error
    if as_json or form is Format.JSON:
        print_json(_as_json(result, _outlook(settings, result, wanted)))
    elif form is not Format.TREE and isinstance(result.compiled, Adopted):
        write = mermaid_of if form is Format.MERMAID else dot_of
        print(write(result.compiled.plan))  # noqa: T201 - a text for another program, which no terminal width may break
    else:
        _draw(result, _outlook(settings, result, wanted))
    status = DONE if isinstance(result.compiled, Adopted) else FAILED
    if status:
        raise typer.Exit(status)


def _request(settings: Settings, text: str | None, path: Path | None, *, needed: bool) -> BookingRequest:
    """Return the request to plan for, checked as one that arrives."""
    body: dict[str, Any] = {"request_id": "dry-run"}
    if path is not None:
        try:
            body |= json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError) as error:
            raise CommandError(f"{path} holds no request: {error}", status=USAGE) from error
    if text:
        body["text"] = text
    if not body.get("text") and not body.get("booking"):
        if needed:
            hint = 'For instance: jada plan "Boston to Lisbon, 3-10 May, two people"'
            raise CommandError("say what is wanted: TEXT or --request", hint=hint, status=USAGE)
        body["text"] = "(a written proposal)"
    arrived = submitting.check(body, settings)
    if arrived is None:
        raise CommandError("that is a control message, not a request", status=USAGE)
    return arrived.request


def _outlook(settings: Settings, result: dry_run.DryRun, wanted: BookingRequest) -> Outlook | None:
    """Return what is expected of the plan; without times where there is no store to learn them from (yet)."""
    if not isinstance(result.compiled, Adopted):
        return None

    async def ask() -> dict[ActionName, int]:
        async with store_reader(settings) as reader:
            return await recent_times(reader)

    times: dict[ActionName, int] = {}
    try:
        times = asyncio.run(ask())
    except JournalUnavailableError:
        pass  # a dry run needs no store: "unknown" is then the whole truth of its times
    except (JournalError, ValueError) as error:
        error_screen().print(Text(f"No times from earlier bookings: {error}", "dim"))
    return outlook_of(result.compiled.plan, wanted, times)


def _as_json(result: dry_run.DryRun, outlook: Outlook | None) -> dict[str, Any]:
    compiled = result.compiled
    told: dict[str, Any] = {"outcome": "plan", "plan": None, "questions": [], "reason": "", "faults": []}
    match compiled:
        case Adopted():
            told["plan"] = _plan_json(compiled.plan)
            told["outlook"] = None if outlook is None else _outlook_json(outlook)
        case Clarify():
            told |= {"outcome": "clarify", "questions": list(compiled.questions), "reason": compiled.reason}
        case Refuse():
            told |= {"outcome": "refuse", "reason": compiled.reason}
        case Faulted():
            told |= {"outcome": "faults", "faults": _faults_json(compiled.faults)}
    told["corrected"] = [_faults_json(each.faults) for each in result.corrected]
    told |= {"model": result.model or None, "cost": result.usage.to_json(), "proposal": result.text}
    return told


def _plan_json(plan: Plan) -> dict[str, Any]:
    tasks = [
        {
            "id": task.id,
            "action": task.action,
            "effect": plan.terms_of(task).effect.value,
            "after": list(task.after),
            "optional": task.optional,
            **({"control": task.control} if task.control else {}),
            "input": {
                name: {"ref": binding.expression} if binding.expression else {"value": binding.constant}
                for name, binding in task.bindings.items()
            },
        }
        for task in plan.tasks
    ]
    result = {name: binding.expression for name, binding in plan.result.items()}
    return {"tasks": tasks, "result": result, "notes": list(plan.notes)}


def _outlook_json(outlook: Outlook) -> dict[str, Any]:
    return {
        "critical_path": list(outlook.critical),
        "critical_ms": outlook.critical_ms,
        "untimed_actions": list(outlook.untimed),
        "commits_known": None if outlook.known is None else outlook.known.to_json(),
        "commits_at_most": None if outlook.most is None else outlook.most.to_json(),
        "amounts_known_later": list(outlook.open_amounts),
        "can_be_undone": list(outlook.undoable),
        "cannot_be_undone": list(outlook.final),
    }


def _faults_json(faults: tuple[Fault, ...]) -> list[dict[str, str]]:
    return [{"code": fault.code, "where": fault.where, "message": fault.message} for fault in faults]


def _draw(result: dry_run.DryRun, outlook: Outlook | None) -> None:
    console = screen()
    for number, each in enumerate(result.corrected, start=1):
        console.print(Text(f"Answer {number} was sent back:", "yellow"))
        for fault in each.faults:
            console.print(Text(f"  {fault}", "yellow"))
    match result.compiled:
        case Adopted(plan=adopted):
            console.print(plan_tree(adopted))
            if outlook is not None:
                console.print(outlook_lines(outlook))
        case Clarify():
            console.print(Text("The planner asks:", "bold yellow"))
            for question in result.compiled.questions:
                console.print(Text(f"  ? {question}"))
        case Refuse():
            console.print(Text(f"The planner refuses: {result.compiled.reason}", "bold red"))
        case Faulted():
            count = len(result.compiled.faults)
            console.print(Text(f"The proposal has {'a fault' if count == 1 else f'{count} faults'}:", "bold red"))
            for fault in result.compiled.faults:
                console.print(Text(f"  {fault}", "red"))
    if result.model:
        spent = f"{result.model}, {format_duration(result.latency_ms)}, {cost_text(result.usage)}"
        console.print(Text(spent, "dim"))
