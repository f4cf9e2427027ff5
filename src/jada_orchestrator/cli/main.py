"""`jada`: the commands, their help, and how they end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from jada_orchestrator import __version__
from jada_orchestrator.cli import (
    benchmarking,
    config_menu,
    configuring,
    controlling,
    costing,
    dead_letters,
    doctor,
    examining,
    instances,
    migrating,
    models,
    operating,
    planning,
    pruning,
    reading,
    rehearsing,
    running,
    sandboxing,
    simulate,
    submitting,
    templates,
)
from jada_orchestrator.cli.failing import DONE, INTERRUPTED, report
from jada_orchestrator.cli.options import Overall, taught

_PURPOSE = """\
Turns booking requests into checked plans and runs them durably across Lambda and SQS agents.

Look around without an account or a key: `jada demo`. Exit status: 0 done, 1 the thing asked for failed, 2 usage,
3 cannot reach what it needs."""


def _application() -> typer.Typer:
    return typer.Typer(
        help=_PURPOSE,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


app = _application()
alone = _application()
"""Has `run` alone: putting all the other commands together would be a twentieth of what the daemon takes to start."""
config = typer.Typer(
    help=taught(
        "Show and change settings: defaults < settings.json < environment JADA_* < flags.",
        "jada config show",
        "jada config set model claude-sonnet-4-6",
        "jada config get defaults.max_tokens",
    ),
    invoke_without_command=True,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"jada {__version__}")
        raise typer.Exit


@app.callback()
@alone.callback()
def _overall(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="The settings.json to use.", metavar="FILE", dir_okay=False)
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
    version: Annotated[  # noqa: ARG001 - acted upon by its callback, before a command is asked for
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    context.obj = Overall(settings, debug)


_LOOK, _RUN, _ASK = "Look", "Run", "Ask for something"

app.command(
    "list",
    rich_help_panel=_LOOK,
    help=taught("List bookings, the newest first.", "jada list --status running", "jada list --unsettled"),
)(reading.list_bookings)
app.command(
    "instances",
    rich_help_panel=_LOOK,
    help=taught("List the instances that share the store: who is alive, what each owns, since when.", "jada instances"),
)(instances.list_instances)
app.command(
    "show",
    rich_help_panel=_LOOK,
    help=taught(
        "Show one booking: its plan as a tree, every task's state and time, result and cost.",
        "jada show web-7f3c2a",
        "jada show web-7f --json",
    ),
)(reading.show_booking)
app.command(
    "why",
    rich_help_panel=_LOOK,
    help=taught("Tell the story of one booking in plain sentences, from its journal.", "jada why web-7f3c2a"),
)(reading.why)
app.command(
    "watch",
    rich_help_panel=_LOOK,
    help=taught(
        "Watch one booking until it ends or waits for a person. Ctrl-C stops the watching, not the booking.",
        "jada watch web-7f3c2a",
    ),
)(reading.watch)
app.command(
    "submit",
    rich_help_panel=_ASK,
    help=taught(
        "Put a booking request on the request queue.",
        'jada submit "Two of us, customer c-118, Boston to Lisbon 3-10 May, a hotel" --max-total "6000 USD" --wait',
        "jada submit --file request.json --request-id web-7f3c2a",
    ),
)(submitting.submit)
app.command(
    "plan",
    rich_help_panel=_ASK,
    help=taught(
        "Plan a request and show the checked plan; no agent is called. Status 1 when there is no plan.",
        'jada plan "Boston to Lisbon, 3-10 May, two people, customer c-118"',
        "jada plan --file proposal.json    # compiles what you wrote, without a model",
        "jada plan --file proposal.json --format dot | dot -Tsvg > plan.svg",
    ),
)(planning.plan)
app.command(
    "simulate",
    rich_help_panel=_ASK,
    help=taught(
        "Explore every single failure and crash of a plan: what would be left behind? Status 1 when nobody would know.",
        "jada simulate --plan proposal.json",
        "jada simulate --plan proposal.json --catalogue config/agents --json",
    ),
)(simulate.simulate)
app.command(
    "exam",
    rich_help_panel=_LOOK,
    help=taught(
        "Examine models: how good are their plans for requests with expected properties? No agent is called.",
        "jada exam tests/exam --catalogue config/agents --model claude-sonnet-4-6 --model claude-haiku-4-5 --runs 3",
    ),
)(examining.exam)
app.command(
    "cancel",
    rich_help_panel=_ASK,
    help=taught("Have a booking stopped and what it did undone.", "jada cancel web-7f3c2a"),
)(controlling.cancel)
app.command(
    "retry",
    rich_help_panel=_ASK,
    help=taught("Have a booking that failed or needs attention go on from its failed tasks.", "jada retry web-7f3c2a"),
)(controlling.retry)
app.command(
    "settle",
    rich_help_panel=_ASK,
    help=taught(
        "Say that what stood of a booking that needed attention was dealt with by hand, and how. It is final.",
        'jada settle web-7f3c2a "The hotel cancelled by phone, their reference C-118"',
    ),
)(controlling.settle)
app.command(
    "approve",
    rich_help_panel=_ASK,
    help=taught(
        "Say yes to what a booking asks: a sum to spend, a question of its plan, or whether a booking that failed is "
        "undone (yes: undo everything). `jada show` has the question.",
        "jada approve web-7f3c2a",
        "jada approve web-7f3c2a --task agree    # one of several questions",
    ),
)(controlling.approve)
app.command(
    "deny",
    rich_help_panel=_ASK,
    help=taught(
        "Say no to what a booking asks: a sum (what it did is undone), a question of its plan, or whether a booking "
        "that failed is undone (no: what stands is left to a person). `jada show` has the question.",
        "jada deny web-7f3c2a",
        "jada deny web-7f3c2a --task agree    # one of several questions",
    ),
)(controlling.deny)
app.command(
    "release",
    rich_help_panel=_ASK,
    help=taught("Let a booking go on that was set aside for breaking a law of ours.", "jada release web-7f3c2a"),
)(controlling.release)
app.command(
    "answer",
    rich_help_panel=_ASK,
    help=taught("Answer the questions that a booking waits with.", 'jada answer web-7f3c2a "On 3 May, two people"'),
)(controlling.answer)
for each in (app, alone):
    each.command(
        "run",
        rich_help_panel=_RUN,
        help=taught("Run the daemon until SIGTERM or Ctrl-C; SIGHUP takes new settings and agents.", "jada run"),
    )(running.run)


@app.command("demo", rich_help_panel=_LOOK)
def _demo(
    state: Annotated[
        Path | None,
        typer.Option(help="Keep everything in this new folder; a temporary one without it.", file_okay=False),
    ] = None,
    real_model: Annotated[
        bool, typer.Option("--real-model", help="Ask Claude itself, with your ANTHROPIC_API_KEY; outcomes may differ.")
    ] = False,
) -> None:
    """Run eight bookings at once on this machine alone, and show what becomes of each."""
    from jada_orchestrator.cli.demo.command import demo

    demo(state, real_model=real_model)


app.command(
    "status",
    rich_help_panel=_RUN,
    help=taught("Say what the running daemon is doing.", "jada status", "jada status --json"),
)(operating.status)
app.command(
    "reload",
    rich_help_panel=_RUN,
    help=taught(
        "Have the running daemon take its settings and agents afresh; broken ones change nothing.", "jada reload"
    ),
)(operating.reload)
app.command(
    "bench",
    rich_help_panel=_LOOK,
    help=taught(
        "Measure what the orchestrator itself costs on this machine, each figure beside its floor.",
        "jada bench",
        "jada bench throughput --runs 3 --flame profile.pstats",
        "jada bench --quick    # only to see that it works",
    ),
)(benchmarking.bench)
app.command(
    "cost",
    rich_help_panel=_LOOK,
    help=taught(
        "Show what the model's calls cost, from the journal; or project what they would cost.",
        "jada cost --since 2026-11-01 --by model,purpose",
        "jada cost web-7f3c2a",
        "jada cost --project 100,1000 --models claude-sonnet-4-6,claude-haiku-4-5",
    ),
)(costing.cost)
app.command(
    "rehearse",
    rich_help_panel=_LOOK,
    help=taught(
        "Replay recorded requests against another model, calling no agent, and say which of the two plans better.",
        "jada rehearse --model claude-sonnet-5-5 --last 200 --budget 5usd --html report.html",
        "jada rehearse --model claude-haiku-5-5 --requests requests/ --batch",
    ),
)(rehearsing.rehearse)
app.add_typer(models.models, name="models", rich_help_panel=_LOOK)
app.add_typer(templates.templates, name="templates", rich_help_panel=_LOOK)
app.command(
    "migrate",
    rich_help_panel=_RUN,
    help=taught(
        "Copy a journal into another store, and compare every record; no daemon may work on either meanwhile.",
        "jada migrate sqlite:///var/lib/jada/journal.db postgresql://jada@db.example/jada",
    ),
)(migrating.migrate)
app.command(
    "prune",
    rich_help_panel=_RUN,
    help=taught(
        "Retire what ended long ago: its records are deleted, and one stands for them. A running daemon goes on.",
        "jada prune --dry-run",
        "jada prune --older-than 30",
    ),
)(pruning.prune)
app.add_typer(dead_letters.dlq, name="dlq", rich_help_panel=_RUN)
app.command(
    "doctor",
    rich_help_panel=_RUN,
    help=taught(
        "Say whether this host will work: a line for each thing, with what to do. Changes nothing.",
        "jada doctor",
        "jada doctor --host jada-1 --ssh admin@203.0.113.7 --json",
    ),
)(doctor.doctor)
app.add_typer(sandboxing.sandbox, name="sandbox", rich_help_panel=_RUN)
config.callback()(config_menu.menu)
config.command("show")(configuring.show)
config.command("get")(configuring.get)
config.command("set")(configuring.set_)
app.add_typer(config, name="config", rich_help_panel=_RUN)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; never raises for what a user can cause."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        (alone if given[:1] == ["run"] else app)(args=given, prog_name="jada")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. Nothing more may be written to it, not even by the interpreter's exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # the last resort: people get a sentence, developers ask for more with --debug
        if "--debug" in given:
            raise
        return report(error)
    return DONE
