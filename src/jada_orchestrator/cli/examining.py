"""`jada exam`: how good a model's plans are, by questions with expected properties."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import cost_text, now_ms
from jada_orchestrator.cli.failing import FAILED, UNREACHABLE, USAGE, CommandError
from jada_orchestrator.cli.screen import error_screen, print_json, screen
from jada_orchestrator.domain.instants import format_duration

if TYPE_CHECKING:
    from jada_orchestrator.domain.catalogue import Catalogue
    from jada_orchestrator.service.exam.expecting import Question
    from jada_orchestrator.service.exam.report import Summary
    from jada_orchestrator.service.exam.sitting import Sat
    from jada_orchestrator.service.settings import Settings


def exam(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder with the questions.", metavar="DIR", file_okay=False)],
    *,
    model: Annotated[list[str] | None, typer.Option("--model", help="Examine this model; may be repeated.")] = None,
    runs: Annotated[int, typer.Option(min=1, max=100, help="Put every question so often.", metavar="K")] = 1,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Questions at once.", metavar="N")] = 4,
    level: Annotated[list[int] | None, typer.Option(help="Only these levels; may be repeated.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only these questions; may be repeated.", metavar="ID")] = None,
    catalogue: Annotated[Path | None, typer.Option(help="Use the agents in this folder.", metavar="FOLDER")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the whole report there, as JSON.", metavar="FILE")] = None,
    at_least: Annotated[
        float | None, typer.Option(min=0, max=1, help="Status 1 when less than this share of answers is perfect.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Put questions to models, score their plans, and compare; no agent is called."""
    from jada_orchestrator.service.dry_run import catalogue_of
    from jada_orchestrator.service.exam.questions import read_exam
    from jada_orchestrator.service.exam.report import report_of, summary_of
    from jada_orchestrator.service.exam.sitting import ExamStoppedError
    from jada_orchestrator.service.ladder import ladder_of

    settings = options.loaded(context, catalogue=catalogue).settings
    known = catalogue_of(settings)
    asked = _chosen(read_exam(folder, known), level, only)
    models = list(dict.fromkeys(model or ladder_of(settings)))
    try:
        sat = asyncio.run(_sit(settings, known, asked, models, runs, concurrency))
    except ExamStoppedError as error:
        raise CommandError(f"the service takes no questions: {error}", status=UNREACHABLE) from error
    report = report_of(sat)
    if as_json:  # shown first: it was paid for, whatever becomes of the file
        print_json(report)
    else:
        _draw(sat, models)
    if save is not None:
        try:
            save.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{save} cannot be written: {error.strerror}", status=USAGE) from error
    poor = [name for name in models if (summary_of(_of(sat, name)).perfect or 0.0) < (at_least or 0.0)]
    if poor:
        raise typer.Exit(FAILED)


def _chosen(questions: list[Question], level: list[int] | None, only: list[str] | None) -> list[Question]:
    unknown = sorted(set(only or ()) - {question.question_id for question in questions})
    if unknown:
        raise CommandError(f"there is no question {', '.join(unknown)}", status=USAGE)
    chosen = [
        question
        for question in questions
        if (not level or question.level in level) and (not only or question.question_id in only)
    ]
    if not chosen:
        raise CommandError("no question is of these levels", status=USAGE)
    return chosen


async def _sit(
    settings: Settings,
    catalogue: Catalogue,
    questions: list[Question],
    models: list[str],
    runs: int,
    concurrency: int,
) -> list[Sat]:
    from jada_orchestrator.service.exam import sitting

    sat: list[Sat] = []
    total = len(questions) * len(models) * runs
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with sitting.open_examined(settings, models, concurrency, now_ms()) as planner:
        answers = sitting.sit(planner, catalogue, questions, models, runs=runs, concurrency=concurrency)
        with Progress(*columns, console=error_screen(), transient=True) as progress:
            bar = progress.add_task("asking", total=total)
            async with aclosing(answers):
                async for each in answers:
                    sat.append(each)
                    perfect = sum(one.score.is_perfect for one in sat)
                    progress.update(bar, advance=1, description=f"{perfect} of {len(sat)} perfect")
    return sat


def _of(sat: Sequence[Sat], model: str) -> list[Sat]:
    return [each for each in sat if each.model == model]


_ROWS = (
    ("perfect", "perfect"),
    ("right outcome", "outcome"),
    ("action F1", "actions"),
    ("edge F1", "edges"),
    ("longest path / expected", "path_ratio"),
    ("argument provenance", "provenance"),
    ("nothing forbidden, within bounds", "unbroken"),
    ("consistency", "consistency"),
)


def _draw(sat: list[Sat], models: list[str]) -> None:
    from jada_orchestrator.service.exam.report import summary_of

    console = screen()
    summaries = [summary_of(_of(sat, name)) for name in models]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for name in models:
        table.add_column(name, justify="right", no_wrap=True)
    for title, field in _ROWS:
        table.add_row(title, *(_number(getattr(summary, field)) for summary in summaries))
    for place, title in enumerate(("valid at first try", "after one correction", "after two corrections")):
        table.add_row(title, *(_number(summary.valid[place]) for summary in summaries))
    table.add_row("no answer", *(str(summary.failed) for summary in summaries))
    table.add_row("median time", *(_time(summary) for summary in summaries))
    table.add_row("cost", *(cost_text(summary.usage) for summary in summaries))
    console.print(table)
    console.print(_levels(sat, models))
    wanting = [each for each in sat if not each.score.is_perfect]
    if wanting:
        console.print(Text("Not perfect", "bold"))
        console.print(_wanting(wanting))


def _levels(sat: list[Sat], models: list[str]) -> Table:
    from jada_orchestrator.service.exam.report import summary_of

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("level")
    table.add_column("questions", justify="right")
    for name in models:
        table.add_column(f"perfect, {name}", justify="right", no_wrap=True)
    for level in sorted({each.question.level for each in sat}):
        of_level = [each for each in sat if each.question.level == level]
        count = len({each.question.question_id for each in of_level})
        table.add_row(str(level), str(count), *(_number(summary_of(_of(of_level, name)).perfect) for name in models))
    return table


def _wanting(sat: list[Sat]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("question", "model", "ended", "actions", "edges", "provenance", "what is wrong"):
        table.add_column(column, no_wrap=column != "what is wrong")
    for each in sorted(sat, key=lambda one: (one.question.level, one.question.question_id, one.model, one.run)):
        score = each.score
        why = [*score.broken]
        if not score.outcome:
            why.append(f"expected {' or '.join(sorted(each.question.expected.outcomes))}")
        why += sorted({code for codes in each.answer.faults for code in codes})
        why += [each.answer.failure] if each.answer.failure else []
        table.add_row(
            each.question.question_id,
            Text(each.model, "dim"),
            Text(each.answer.ended, "" if score.outcome else "red"),
            _number(score.actions),
            _number(score.edges),
            _number(score.provenance),
            Text("; ".join(why), "yellow"),
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _time(summary: Summary) -> str:
    return "-" if summary.latency_ms is None else format_duration(summary.latency_ms)
