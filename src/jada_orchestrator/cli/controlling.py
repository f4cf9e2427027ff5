"""The commands that want something of a booking: cancel, retry, approve, deny, answer, settle, release."""

from __future__ import annotations

import asyncio
import getpass
import socket
from typing import Annotated, Any

import typer
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import FAILED, CommandError
from jada_orchestrator.cli.screen import print_json, screen
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.workflow import TERMINAL, Status, Workflow
from jada_orchestrator.engine import fold
from jada_orchestrator.engine.house import open_approvals
from jada_orchestrator.engine.people import may_retry, may_settle
from jada_orchestrator.ports.journal import Head
from jada_orchestrator.service import submitting
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.store_access import resolve, store_reader

_By = Annotated[str | None, typer.Option("--by", help="Who decides; you, without it.", metavar="NAME")]
_About = Annotated[
    str | None, typer.Option("--task", help="Which of several questions is answered (jada show).", metavar="TASK")
]


def cancel(
    context: typer.Context, ref: options.WorkflowRef, by: _By = None, store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Have a booking stopped and what it did undone."""
    _ask(context, ref, "cancel", by, store, as_json=as_json)


def retry(
    context: typer.Context, ref: options.WorkflowRef, by: _By = None, store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Have a booking that failed or needs attention go on from its failed tasks."""
    _ask(context, ref, "retry", by, store, as_json=as_json)


def approve(
    context: typer.Context, ref: options.WorkflowRef, by: _By = None, task: _About = None,
    store: options.Store = None, as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Say yes: to a sum that is to be spent, to a question of the plan, or to undoing a booking that failed."""
    _ask(context, ref, "approve", by, store, task=task, as_json=as_json)


def deny(
    context: typer.Context, ref: options.WorkflowRef, by: _By = None, task: _About = None,
    store: options.Store = None, as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Say no: to a sum (what was done is undone), to a question of the plan, or to undoing (what stands is left)."""
    _ask(context, ref, "deny", by, store, task=task, as_json=as_json)


def release(
    context: typer.Context, ref: options.WorkflowRef, by: _By = None, store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Let a booking go on that was set aside because it broke a law of ours."""
    _ask(context, ref, "release", by, store, as_json=as_json)


def settle(
    context: typer.Context,
    ref: options.WorkflowRef,
    note: Annotated[str, typer.Argument(help="What was done by hand; it stands in the story.", metavar="NOTE")],
    by: _By = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Say that what stood of a booking that needed attention was dealt with by hand, for good: it is not retried."""
    _ask(context, ref, "settle", by, store, note, as_json=as_json)


def answer(
    context: typer.Context,
    ref: options.WorkflowRef,
    text: Annotated[str, typer.Argument(help="The answer to the booking's questions.", metavar="TEXT")],
    by: _By = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Answer the questions that a booking waits with."""
    _ask(context, ref, "answer", by, store, text, as_json=as_json)


def _ask(
    context: typer.Context,
    ref: str,
    command: str,
    by: str | None,
    store: str | None,
    text: str = "",
    *,
    task: str | None = None,
    as_json: bool,
) -> None:
    settings = options.loaded(context, store=store).settings
    more = {name: value for name, value in (("text", text), ("task_id", task)) if value}
    head = asyncio.run(_send(settings, ref, command, by or whoami(), more))
    if as_json:
        print_json({"request_id": head.request_id, "command": command, "queue": settings.request_queue})
        return
    console = screen()
    console.print(f"{command} for {head.request_id} is on the queue {settings.request_queue}.", markup=False)
    console.print(Text(f"See what comes of it with: jada watch {head.request_id}", "dim"))


async def _send(settings: Settings, ref: str, command: str, by: str, more: dict[str, str]) -> Head:
    async with store_reader(settings) as reader:
        workflow_id, head = await resolve(reader, ref)
        stored = await reader.history(workflow_id)
    _refuse_in_vain(workflow_id, head, command)
    if command == "retry" and stored is not None:
        reason = may_retry(fold(workflow_id, stored.entries))
        if reason is not None:
            raise CommandError(f"{head.request_id} cannot go on: {reason}", status=FAILED)
    if command == "settle" and stored is not None:
        reason = may_settle(fold(workflow_id, stored.entries))
        if reason is not None:
            raise CommandError(f"{head.request_id} is not settled: {reason}", status=FAILED)
    body: dict[str, Any] = {
        "schema": "jada.control/1",
        "request_id": head.request_id,
        "command": command,
        "by": by,
        **more,
    }
    if command in {"approve", "deny"} and stored is not None:
        _demand_the_task(fold(workflow_id, stored.entries), more.get("task_id"), head)
    submitting.check(body, settings)
    await submitting.send(settings, [body])
    return head


def _demand_the_task(workflow: Workflow, task: str | None, head: Head) -> None:
    """Refuse an answer that the daemon could not tell whom it is for."""
    asking = [str(task_id) for task_id in open_approvals(workflow)]
    if task is not None and workflow.approval is not None:
        asking.append(str(workflow.approval.task_id))
    is_alone = len(asking) <= 1 or workflow.approval is not None or workflow.undo_question is not None
    if (task is None and not is_alone) or (task is not None and task not in asking):
        hint = f"Name one with --task: {', '.join(asking)}" if asking else "Leave --task out."
        what = f"{len(asking)} questions" if task is None else f"nothing for {task}"
        raise CommandError(f"{head.request_id} asks {what}", hint=hint, status=FAILED)


def _refuse_in_vain(workflow_id: WorkflowId, head: Head, command: str) -> None:
    """Refuse what the daemon could only ignore: it is asked through a queue and answers nobody."""
    status = Status(head.status)
    waits_for = {"approve": Status.AWAITING_APPROVAL, "deny": Status.AWAITING_APPROVAL}
    waits_for["answer"] = Status.NEEDS_CLARIFICATION
    name = head.request_id or workflow_id
    if head.rejected:
        raise CommandError(f"{name} was turned away; there is nothing to {command}", status=FAILED)
    if head.retired:
        hint = "To have it done again, submit the request under a new request_id."
        why = f"{name} ended as {status.value} and was retired: its records are deleted; there is nothing to {command}"
        raise CommandError(why, hint=hint, status=FAILED)
    if command == "release" and not head.quarantined:
        raise CommandError(f"{name} is {status.value} and was not set aside", status=FAILED)
    if command != "release" and head.quarantined:
        hint = f"`jada show {name}` says why. `jada release {name}` lets it go on."
        raise CommandError(f"{name} was set aside and hears only a release", hint=hint, status=FAILED)
    if command in waits_for and status is not waits_for[command]:
        what = "an approval" if command != "answer" else "an answer"
        raise CommandError(f"{name} is {status.value} and does not wait for {what}", status=FAILED)
    if command == "cancel" and status in TERMINAL:
        hint = "To undo a finished booking, submit a request that cancels it."
        raise CommandError(f"{name} is {status.value} already", hint=hint, status=FAILED)


def whoami() -> str:
    """Return who asks, for a booking's story: the user and the host."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"somebody@{socket.gethostname()}"  # a user without a name, as in containers
