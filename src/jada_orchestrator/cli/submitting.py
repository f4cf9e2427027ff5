"""`jada submit`: a request on the queue, and with --wait its end."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import DONE, FAILED, USAGE, CommandError
from jada_orchestrator.cli.following import POLL_S, follow
from jada_orchestrator.cli.screen import print_error, print_json, screen
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.workflow import Status
from jada_orchestrator.engine import fold
from jada_orchestrator.ports.journal import JournalReader, JournalUnavailableError
from jada_orchestrator.service import submitting
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.store_access import store_reader
from jada_orchestrator.service.views import Seen, questions_of, show

_SLOW_S = 10.0
"""After so long without a trace in the store people are told that nobody seems to read the queue."""
_AMOUNT = re.compile(r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?")
_CLOCKS_MS = 5_000
"""How far the clock of the daemon's host may be behind ours when a rejection is told from an older one."""


def submit(
    context: typer.Context,
    *,
    text: Annotated[str | None, typer.Argument(help="What is wanted, in plain words.", metavar="[TEXT]")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A jada.request/1 JSON file, - for stdin.", allow_dash=True)
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose request it is.")] = None,
    request_id: Annotated[str | None, typer.Option(help="The idempotency key; made up without it.")] = None,
    booking: Annotated[str | None, typer.Option(help="Structured fields, a JSON object.", metavar="JSON")] = None,
    max_total: Annotated[str | None, typer.Option(help='Never spend more: "3000 USD".', metavar="MONEY")] = None,
    approve_above: Annotated[str | None, typer.Option(help="Ask a person above this sum.", metavar="MONEY")] = None,
    on_failure: Annotated[
        str | None, typer.Option(help="undo_all, keep_partial (optional parts may stay) or ask.", metavar="WHAT")
    ] = None,
    deadline: Annotated[str | None, typer.Option(help="Be done by 2027-04-01T12:00:00Z.", metavar="INSTANT")] = None,
    ordering_key: Annotated[str | None, typer.Option(help="Requests that share it run one after another.")] = None,
    priority: Annotated[int | None, typer.Option(help="0 (lowest) to 9.")] = None,
    reply_to: Annotated[str | None, typer.Option(help="The queue for the outcome; it has to be allowed.")] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Show progress until it ends.")] = False,
    timeout: Annotated[float | None, typer.Option(help="Stop waiting after so many seconds (status 1).", min=0)] = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Put a booking request on the request queue."""
    if timeout is not None and not wait:
        raise CommandError("--timeout is for --wait: without it nothing is waited for", status=USAGE)
    settings = options.loaded(context, store=store).settings
    body: dict[str, Any] = _from_file(file) if file is not None else {"schema": "jada.request/1"}
    given: dict[str, Any] = {
        "text": text,
        "request_id": request_id,
        "tenant": tenant,
        "booking": _json_object(booking, "--booking"),
        "ordering_key": ordering_key,
        "priority": priority,
        "reply_to": reply_to,
    }
    body |= {name: value for name, value in given.items() if value is not None}
    bounds = {
        "max_total": money_of(max_total, "--max-total"),
        "approve_above": money_of(approve_above, "--approve-above"),
        "deadline": deadline,
        "on_failure": on_failure,
    }
    bounds = {name: value for name, value in bounds.items() if value is not None}
    if bounds and isinstance(body.get("constraints") or {}, dict):  # anything else is told by the check below
        body["constraints"] = {**(body.get("constraints") or {}), **bounds}
    if not body.get("text") and not body.get("booking"):
        hint = 'For instance: jada submit "Two of us, Boston to Lisbon 3-10 May" --wait'
        raise CommandError("say what is wanted: TEXT, --booking or --file", hint=hint, status=USAGE)
    body.setdefault("request_id", f"cli-{secrets.token_hex(5)}")
    arrived = submitting.check(body, settings)
    if arrived is None:
        hint = "Use `jada cancel`, `approve`, `deny`, `answer` or `retry`."
        raise CommandError("that is a control message, not a request", hint=hint, status=USAGE)
    status = asyncio.run(_run(settings, body, arrived.digest, wait=wait, within_s=timeout, as_json=as_json))
    if status:
        raise typer.Exit(status)


async def _run(
    settings: Settings, body: dict[str, Any], digest: str, *, wait: bool, within_s: float | None, as_json: bool
) -> int:
    request_id = str(body["request_id"])
    sent_ms = time.time_ns() // 1_000_000
    await submitting.send(settings, [body])
    if not wait:
        if as_json:
            print_json({"request_id": request_id, "queue": settings.request_queue})
        else:
            screen().print(f"Request {request_id} is on the queue {settings.request_queue}.", markup=False)
            screen().print(f"See it with: jada watch {request_id}", markup=False, style="dim")
        return DONE
    if not as_json:
        screen().print(f"Request {request_id}", markup=False, style="dim")
    try:
        async with asyncio.timeout(within_s), store_reader(settings) as reader:
            workflow_id = await _appearing(reader, request_id, digest, sent_ms - _CLOCKS_MS)
            seen = await follow(reader, workflow_id, None if as_json else screen())
    except TimeoutError:
        raise CommandError(
            f"{request_id} has not ended after {within_s:g} seconds",
            hint=f"It goes on without us: jada watch {request_id}",
            status=FAILED,
        ) from None
    return _tell_end(seen, as_json=as_json)


async def _appearing(reader: JournalReader, request_id: str, digest: str, since_ms: int) -> WorkflowId:
    """Wait until the store knows the request.

    Ours is the booking with the same content, or a rejection that came after we sent (same id, other content).
    """
    began = time.monotonic()
    warned = False
    while True:
        try:
            found = await reader.find(request_id)
        except JournalUnavailableError as error:
            found, trouble = [], str(error)
        else:
            trouble = "the request is not in the store yet"
        ours = [each for each in found if each[1].request_id == request_id]
        for workflow_id, head in ours:
            if head.rejected and head.created_at >= since_ms:
                return workflow_id
            stored = None if head.rejected else await reader.history(workflow_id)
            if stored is not None and fold(workflow_id, stored.entries).digest == digest:
                return workflow_id
        if not warned and time.monotonic() - began > _SLOW_S:
            warned = True
            print_error(
                f"[yellow]Still waiting:[/] {escape(trouble)}. Is `jada run` running, with this store and queue?"
            )
        await asyncio.sleep(POLL_S)


def _tell_end(seen: Seen, *, as_json: bool) -> int:
    workflow = seen.workflow
    status = DONE if workflow.status is Status.COMPLETED else FAILED
    if as_json:
        print_json(show(seen))
        return status
    console = screen()
    if workflow.result is not None:
        console.print_json(json.dumps(workflow.result), indent=2)
    ref = workflow.request_id
    match workflow.status:
        case Status.NEEDS_CLARIFICATION:
            for question in questions_of(workflow):
                console.print(Text(f"? {question}", "yellow"))
            hint = f'jada answer {ref} "..."'
        case Status.AWAITING_APPROVAL:
            hint = f"jada approve {ref}   or   jada deny {ref}"
        case Status.COMPLETED:
            hint = ""
        case _:
            hint = f"jada why {ref}"
    if hint:
        console.print(Text(f"Next: {hint}", "dim"))
    return status


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text(encoding="utf-8")
        body = json.loads(text)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", status=USAGE) from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} holds no JSON: {error}", status=USAGE) from error
    if not isinstance(body, dict):
        raise CommandError(f"{path} has to hold one JSON object", status=USAGE)
    return body


def _json_object(text: str | None, option: str) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{option} is no JSON: {error}", status=USAGE) from error
    if not isinstance(value, dict):
        raise CommandError(f'{option} has to be a JSON object, such as {{"travellers": 2}}', status=USAGE)
    return value


def money_of(text: str | None, option: str) -> dict[str, str] | None:
    """Return money as the contract has it from ``3000 USD`` or ``USD 3,000.00``.

    A comma only groups thousands: a bound on money is never guessed.
    """
    if text is None:
        return None
    parts = text.split()
    if len(parts) == 2 and parts[0].isalpha():
        parts.reverse()
    if len(parts) == 2 and _AMOUNT.fullmatch(parts[0]):
        return {"amount": parts[0].replace(",", ""), "currency": parts[1].upper()}
    raise CommandError(f'{option} is {text!r}; money is "3000 USD"', hint='Or "USD 3,000.50".', status=USAGE)
