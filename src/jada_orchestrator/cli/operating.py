"""`jada reload` and `jada status`: talking to the running daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from jada_orchestrator import __version__
from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import FAILED, UNREACHABLE, CommandError
from jada_orchestrator.cli.screen import print_json, screen

RELOAD_TIMEOUT_S = 30.0
"""Within the time that systemd gives a reload; reading hundreds of agents takes one second."""
STATUS_TIMEOUT_S = 5.0
_NOT_HEARD = frozenset({"BUSY", "UNKNOWN_COMMAND"})
"""With these the daemon does not answer what was asked, but that it cannot be asked."""
_UNHEARD_HINT = (
    "Too many connections: those that ask nothing are closed within half a minute. An unknown command: the daemon is "
    "of another version, and a restart takes the new one."
)
_PASSING = "passing"
"""What the daemon calls an agent's breaker that lets calls through."""

SocketOption = Annotated[
    Path | None,
    typer.Option("--socket", help="The daemon's control socket.", metavar="PATH", dir_okay=False),
]


def reload(context: typer.Context, socket: SocketOption = None, as_json: options.AsJson = False) -> None:
    """Have the running daemon take its settings and agents afresh; status 1 when they are broken."""
    answer = _ask(context, socket, "reload", RELOAD_TIMEOUT_S)
    if as_json:
        print_json(answer)
    for notice in () if as_json else answer.get("notices", ()):
        screen().print(Text(f"Note: {notice}", "yellow"))
    if answer["ok"]:
        if not as_json:
            screen().print("Reloaded. Bookings that run keep what they began with.")
        return
    lines = "\n".join(f"  {fault['where']}: {fault['message']}" for fault in answer["faults"])
    raise CommandError(
        f"nothing was reloaded:\n{lines}", hint="The daemon goes on with what it had. Mend it, reload again."
    )


def status(context: typer.Context, socket: SocketOption = None, as_json: options.AsJson = False) -> None:
    """Say what the running daemon is doing; status 1 when it accepts nothing."""
    told: dict[str, Any] = _ask(context, socket, "status", STATUS_TIMEOUT_S)["status"]
    if as_json:
        print_json(told)
    else:
        try:
            _show(told)
        except KeyError as error:
            raise CommandError(
                f"the daemon is of version {told.get('version')} and this is {__version__}: it does not tell {error}",
                hint="`jada status --json` prints what it tells. A restart of the daemon takes the new version.",
            ) from error
    if told["trouble"]:
        raise typer.Exit(FAILED)


def _show(told: dict[str, Any]) -> None:
    console = screen()
    state = Text(told["phase"], "bold red" if told["trouble"] else "bold green")
    console.print(Text("jada ").append(told["version"]).append(", process ").append(str(told["pid"])), state)
    if told["trouble"]:
        console.print(Text(f"It accepts nothing now: {told['trouble']}", "red"))
    table = Table.grid(padding=(0, 2))
    descriptors, cost = told["descriptors"], told["cost"]
    unpriced = f" and {cost['unpriced_calls']} calls of unknown price" if cost["unpriced_calls"] else ""
    rows = {
        "Since": told["since"],
        "Now": told["line"],
        "Bookings": ", ".join(f"{count} {name}" for name, count in told["bookings"].items()) or "none under way",
        "Model": told["model"],
        "Store": told["store"],
        "Cost today": f"{cost['today_usd']} USD{unpriced}",
        "Descriptors": (
            f"{descriptors['open']} open of {descriptors['soft']}; pools: {descriptors['functions']} functions, "
            f"{descriptors['queues']} queues, {descriptors['model']} model"
        ),
        "Journal": f"{told['records']} records in {told['commits']} commits, {told['turns']} turns",
        "Log": f"{told['log_lines_dropped']} lines dropped",
    }
    rows |= held_up(told["agents"])
    for name, value in rows.items():
        table.add_row(Text(name, "dim"), Text(str(value)))
    console.print(table)


def held_up(agents: list[dict[str, Any]]) -> dict[str, str]:
    """Return a line for each agent for which calls wait, or which is left alone because it did not answer."""
    lines = {}
    for each in agents:
        if not each["waiting"] and each["breaker"] == _PASSING:
            continue
        line = f"{each['busy']} calls of at most {each['bound']}, {each['waiting']} wait"
        if each["breaker"] != _PASSING:
            line += f"; it did not answer: {each['breaker']}"
            line += f" until {each['closed_until']}" if each["closed_until"] else ""
        lines[f"Agent {each['agent']}"] = line
    return lines


def ask_about_template(context: typer.Context, socket: Path | None, act: str, key: str) -> dict[str, Any]:
    """Have the running daemon do something with a template. Raises: CommandError, when it is not running."""
    return _ask(context, socket, "templates", STATUS_TIMEOUT_S, {"act": act, "key": key})


def _ask(
    context: typer.Context, socket: Path | None, command: str, timeout_s: float, more: dict[str, Any] | None = None
) -> dict[str, Any]:
    from jada_orchestrator.service.control_socket import DaemonUnreachableError, ask_daemon, daemon_socket

    path = socket or daemon_socket(lambda: options.loaded(context).settings)
    try:
        answer = asyncio.run(ask_daemon(path, command, timeout_s=timeout_s, more=more))
    except DaemonUnreachableError as error:
        raise CommandError(str(error), status=UNREACHABLE) from error
    if not answer.get("ok") and any(fault["code"] in _NOT_HEARD for fault in answer["faults"]):
        why = "; ".join(fault["message"] for fault in answer["faults"])
        raise CommandError(f"the daemon did not answer the question: {why}", hint=_UNHEARD_HINT, status=UNREACHABLE)
    return answer
