"""`jada simulate`: proof before deployment that a catalogue's compensations cover what they must."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import STATUS_STYLES
from jada_orchestrator.cli.failing import FAILED, USAGE, CommandError
from jada_orchestrator.cli.screen import print_json, screen
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.limits import REQUEST_TEXT_BYTES_MAX
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.service import submitting
from jada_orchestrator.service.dry_run import told_in
from jada_orchestrator.service.settings import Settings


def simulate(
    context: typer.Context,
    plan: Annotated[Path, typer.Option("--plan", "-p", help="A written proposal, as a model would answer it.")],
    catalogue: Annotated[Path | None, typer.Option(help="Use the agents in this folder.", metavar="FOLDER")] = None,
    request: Annotated[Path | None, typer.Option(help="The jada.request/1 JSON file that the plan is for.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every case, also those that leave nothing behind.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Explore every single failure and every crash point of a plan, with agents that are imagined."""
    from jada_orchestrator.service.catalogues import read_catalogue_as_it_is
    from jada_orchestrator.service.refusals import configuration_checked
    from jada_orchestrator.testing.explorer import CannotImagineError, explore

    settings = options.loaded(context, catalogue=catalogue).settings
    with configuration_checked():
        agents, mistakes = read_catalogue_as_it_is(settings.catalogue)
    try:
        text = _text_of(plan)
        exploration = explore(text, agents, _request_of(settings, request, text))
    except CannotImagineError as error:
        hint = "Give that part of the output schema a `default` or `examples`."
        raise CommandError(f"an agent's answer cannot be imagined: {error}", hint=hint, status=USAGE) from error
    told = {**exploration.to_json(), "catalogue_faults": [str(fault) for fault in mistakes]}
    if as_json:
        print_json(told)
    else:
        _draw(told, everything=everything)
    if not exploration.is_covered:
        raise typer.Exit(FAILED)


def _text_of(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
        whole = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"{path} holds no proposal: {error}", status=USAGE) from error
    return json.dumps(whole["proposal"]) if isinstance(whole, dict) and "proposal" in whole else text


def _request_of(settings: Settings, path: Path | None, proposal: str) -> BookingRequest:
    """Return the request; without one, whoever wrote the plan told its `user` values by writing them."""
    told = " ; ".join(("(a written proposal)", *told_in(proposal)))
    body: dict[str, object] = {"request_id": "simulated", "text": told[: REQUEST_TEXT_BYTES_MAX // 4]}
    if path is not None:
        try:
            body |= json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise CommandError(f"{path} holds no request: {error}", status=USAGE) from error
    arrived = submitting.check(body, settings)
    if arrived is None:
        raise CommandError(f"{path} holds a control message, not a request", status=USAGE)
    return arrived.request


# --- For people -------------------------------------------------------------------------------------------------------


def _draw(told: JsonObject, *, everything: bool) -> None:
    console = screen()
    for sentence in told["catalogue_faults"]:
        console.print(Text(f"catalogue: {sentence}", "yellow"))
    if told["faults"]:
        console.print(Text("The plan cannot be adopted:", "bold red"))
        for sentence in told["faults"]:
            console.print(Text(f"  {sentence}"))
        return
    console.print(_summary(told))
    shown = [f for f in told["findings"] if everything or f["named"] or f["unnamed"] or f["broken"]]
    if shown:
        console.print(_table(shown, "Every case" if everything else "Cases that leave something behind"))
    console.print(_verdict(told))


def _status(status: str, count: int | None = None) -> Text:
    return Text(status if count is None else f"{status} {count}", STATUS_STYLES.get(status, ""))


def _summary(told: JsonObject) -> Table:
    """Each kind of case with how often it ended how."""
    counts: dict[str, dict[str, int]] = {}
    for finding in (told["baseline"], *told["findings"]):
        ends = counts.setdefault(finding["case"], {})
        ends[finding["status"]] = ends.get(finding["status"], 0) + 1
    table = Table("what goes wrong", "cases", "the booking ends as", title=f"{told['cases']} cases", box=None)
    for case, ends in counts.items():
        text = Text(", ").join(_status(status, count) for status, count in ends.items())
        table.add_row(case, str(sum(ends.values())), text)
    return table


def _table(findings: list[JsonObject], title: str) -> Table:
    table = Table("where", "what goes wrong", "ends as", "left behind", title=title, box=None)
    for finding in findings:
        left = [Text(f"{task}, and NOBODY IS TOLD", "bold red") for task in finding["unnamed"]]
        left += [Text(sentence, "bold red") for sentence in finding["broken"]]
        left += [Text(sentence) for sentence in finding["named"]]
        table.add_row(finding["where"], finding["case"], _status(finding["status"]), Text("\n").join(left))
    return table


def _verdict(told: JsonObject) -> Text:
    if told["covered"]:
        cases = sum(bool(finding["named"]) for finding in told["findings"])
        return Text(
            f"Covered: nothing is left behind that nobody is told of ({cases} cases end with a person).", "green"
        )
    text = Text("NOT covered.", "bold red")
    for name in told["missing_compensations"]:
        text.append(f"\n{name} changes the world, and the catalogue names nothing that undoes it")
    unsafe = sum(bool(finding["unnamed"] or finding["broken"]) for finding in told["findings"])
    if unsafe:
        text.append(f"\n{unsafe} cases leave something behind that nobody is told of")
    return text
