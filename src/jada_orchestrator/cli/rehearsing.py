"""`jada rehearse`: the operator's own requests put to another model, and which of the two plans better."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import now_ms
from jada_orchestrator.cli.failing import FAILED, USAGE, CommandError
from jada_orchestrator.cli.screen import error_screen, print_json, screen

if TYPE_CHECKING:
    from jada_orchestrator.domain.catalogue import Catalogue
    from jada_orchestrator.service.rehearsal.cases import Case, Trial
    from jada_orchestrator.service.rehearsal.remembering import Memory
    from jada_orchestrator.service.rehearsal.report import Report
    from jada_orchestrator.service.rehearsal.running import Rehearsed
    from jada_orchestrator.service.settings import Settings

_BUDGET = re.compile(r"\A\$?(?P<amount>\d+(?:\.\d+)?)\s*(?:usd)?\Z", re.IGNORECASE)


def rehearse(
    context: typer.Context,
    *,
    model: Annotated[str, typer.Option("--model", help="The candidate.")],
    against: Annotated[
        str | None, typer.Option(help="Compare with this model; else with the one of the settings.")
    ] = None,
    source: Annotated[
        str, typer.Option("--from", help="Where requests come from: journal.", metavar="journal")
    ] = "journal",
    last: Annotated[int, typer.Option(min=1, max=10_000, help="So many of the newest bookings.")] = 200,
    requests: Annotated[
        Path | None, typer.Option("--requests", help="Requests from this folder instead.", file_okay=False, exists=True)
    ] = None,
    budget: Annotated[str, typer.Option(help="At most so much money, resumed or not: 5usd.")] = "5usd",
    answers: Annotated[
        Path | None, typer.Option(help="Where paid answers are kept, to be resumed.", metavar="FILE", dir_okay=False)
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Use the Batches API: half the price, up to a day.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a report to read there.", metavar="FILE")] = None,
    catalogue: Annotated[Path | None, typer.Option(help="Use the agents in this folder.", metavar="FOLDER")] = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Replay recorded requests against a candidate model, calling no agent, and say which plans better."""
    from jada_orchestrator.service.dry_run import catalogue_of
    from jada_orchestrator.service.ladder import ladder_of
    from jada_orchestrator.service.rehearsal.remembering import Memory, MemoryFileError
    from jada_orchestrator.service.rehearsal.report import report_of, to_html, to_json

    if source != "journal":
        raise CommandError(
            f"requests cannot come from {source!r}", hint="Use --from journal or --requests DIR.", status=USAGE
        )
    settings = options.loaded(context, catalogue=catalogue).settings
    agents = catalogue_of(settings)
    cases = _cases(context, store, agents, requests, last)
    current = against or ladder_of(settings)[0]
    if against is not None:
        from dataclasses import replace

        cases = [replace(case, current=None) for case in cases]
    if model == current and requests is not None:
        raise CommandError("the candidate is the current model", hint="Name another with --model.", status=USAGE)
    file = answers or Path(f"rehearsal-{re.sub('[^A-Za-z0-9.-]', '_', model)}.jsonl")
    try:
        memory = Memory(file)
    except MemoryFileError as error:
        raise CommandError(str(error), status=USAGE) from error
    done = asyncio.run(_run(settings, agents, cases, (current, model), memory, _money(budget), batch=batch))
    report = report_of(cases, current, model, done, f"{memory.spent():.4f}")
    if as_json:
        print_json(to_json(report))
    else:
        _draw(report, file)
    if html is not None:
        try:
            html.write_text(to_html(report), encoding="utf-8")
        except OSError as error:
            hint = "The answers are kept: the same command with another file asks nothing again."
            raise CommandError(f"{html} cannot be written: {error.strerror}", hint=hint, status=USAGE) from error
    if report.stopped:
        raise typer.Exit(FAILED)


def _cases(context: typer.Context, store: str | None, agents: Catalogue, folder: Path | None, last: int) -> list[Case]:
    from jada_orchestrator.service.rehearsal.cases import BadRequestsError, from_folder, from_journal

    if folder is not None:
        try:
            return from_folder(folder)
        except BadRequestsError as error:
            raise CommandError(str(error), status=USAGE) from error
    cases = options.with_store(context, store, lambda reader: from_journal(reader, agents, last))
    if not cases:
        raise CommandError("the journal has no planned requests", hint="Use --requests DIR with jada.request/1 files.")
    return cases


async def _run(
    settings: Settings,
    agents: Catalogue,
    cases: list[Case],
    models: tuple[str, str],
    memory: Memory,
    budget: Decimal,
    *,
    batch: bool,
) -> Rehearsed:
    from jada_orchestrator.service.rehearsal.opening import CONNECTIONS, open_rehearsal
    from jada_orchestrator.service.rehearsal.running import Rehearsed, rehearse

    current, candidate = models
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupted.set)
    state = memory.path.with_suffix(".batches.json") if batch else None
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=error_screen()
    )
    unknown = [case for case in cases if case.current is None]
    total = len(cases) + (len(unknown) if current != candidate else 0)
    try:
        async with open_rehearsal(
            settings, list(dict.fromkeys(models)), memory, budget, now_ms(), _Telling(), batches=state
        ) as planner:
            with bar:
                task = bar.add_task("rehearsing (Ctrl-C stops after what is under way)", total=total)
                at_once = 10_000 if batch else CONNECTIONS
                billed_at = now_ms()
                advance: Callable[[Trial], None] = lambda _: bar.advance(task)  # noqa: E731 - typed for the checker

                async def put(chosen: list[Case], model: str) -> Rehearsed:
                    return await rehearse(
                        chosen,
                        [model],
                        planner,
                        agents,
                        at_once=at_once,
                        progress=advance,
                        enough=interrupted.is_set,
                        billed_at=billed_at,
                    )

                done = await put(cases, candidate)
                if unknown and current != candidate and not done.stopped:
                    theirs = await put(unknown, current)
                    done = Rehearsed(done.trials | theirs.trials, theirs.stopped)
                return done
    finally:
        loop.remove_signal_handler(signal.SIGINT)


class _Telling:
    """The log of a rehearsal: what an operator must know goes to stderr."""

    def wants(self, level: str) -> bool:
        """Want trouble only."""
        return level in {"warning", "error", "critical"}

    def emit(self, level: str, event: str, message: str, **fields: object) -> None:
        """Print trouble; a small sample says nothing of the cache, so its warning is left out."""
        del fields
        if self.wants(level) and not event.startswith(("cache.", "budget.")):
            error_screen().print(Text(message, "yellow"))


def _money(text: str) -> Decimal:
    found = _BUDGET.match(text.strip())
    if found is None or not Decimal(found["amount"]):
        raise CommandError(f"{text!r} is no budget; write 5usd", status=USAGE)
    return Decimal(found["amount"])


def _draw(report: Report, file: Path) -> None:
    console = screen()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("criterion")
    for column in ("pairs", report.current, report.candidate, "difference, 95 %"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for each in report.findings:
        style = {"better": "green", "worse": "red"}.get(each.verdict, "dim")
        bounds = f"{each.low:+.4g} ... {each.high:+.4g}"
        table.add_row(
            Text(each.criterion),
            str(each.pairs),
            f"{each.current:.4g}",
            f"{each.candidate:.4g}",
            bounds,
            Text(each.verdict, style),
        )
    console.print(table)
    verdict = {
        "candidate": f"{report.candidate} plans better.",
        "current": f"Stay with {report.current}.",
        "neither shown better": "Neither is shown to be better.",
    }[report.judgement.recommended]
    console.print(Text(f"\n{verdict}", "bold"))
    for reason in report.judgement.reasons:
        console.print(Text(f"  {reason}"))
    for name, how in report.avoided:
        console.print(Text(f"  {name}: {how}", "green"))
    compared = f"{len(report.pairs)} of {report.cases} requests compared"
    spent = f"{compared}, ${report.spent_usd} spent in all; answers are in {file}."
    console.print(Text(spent, "dim"))
    if report.stopped:
        console.print(Text(f"Stopped early: {report.stopped}. The same command goes on from here.", "yellow"))
