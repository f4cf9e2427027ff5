"""`jada sandbox`: everything around the orchestrator on this machine, and its books and faults."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import FAILED, USAGE, CommandError
from jada_orchestrator.cli.screen import print_json, screen

if TYPE_CHECKING:
    from jada_orchestrator.sandbox.booth import Sandbox

sandbox = typer.Typer(
    help=options.taught(
        "Run local stand-ins for AWS and the model, with the reference agents, until Ctrl-C.",
        "jada sandbox",
        "jada sandbox --env-file sandbox.env    # then, elsewhere: set -a; . ./sandbox.env; jada run",
        "jada sandbox fault flights.ticket fail SOLD_OUT",
        "jada sandbox books",
    ),
    invoke_without_command=True,
)
_State = Annotated[
    Path | None, typer.Option("--state", help="Where it keeps things (JADA_STATE).", metavar="FOLDER", file_okay=False)
]
_Inventory = Annotated[
    Path | None,
    typer.Option(
        "--inventory", envvar="JADA_SANDBOX_INVENTORY", help="The books; the sandbox prints where.", metavar="FILE"
    ),
]


@sandbox.callback()
def start(
    context: typer.Context,
    state: _State = None,
    env_file: Annotated[Path | None, typer.Option(help="Write the environment here as well.", metavar="FILE")] = None,
    real_model: Annotated[bool, typer.Option("--real-model", help="No scripted model: yours, by its key.")] = False,
    real_aws: Annotated[bool, typer.Option("--real-aws", help="No local AWS: yours, by your profile.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Start the stand-ins, unless a command below is asked for."""
    if context.invoked_subcommand is not None:
        return
    if real_model and real_aws:
        raise CommandError(
            "with the real model and the real AWS nothing is left of the sandbox",
            hint="Run `jada run` with your own environment.",
            status=USAGE,
        )
    asyncio.run(_serve(state, env_file, real_model=real_model, real_aws=real_aws, as_json=as_json))


async def _serve(state: Path | None, env_file: Path | None, *, real_model: bool, real_aws: bool, as_json: bool) -> None:
    from jada_orchestrator.sandbox import booth
    from jada_orchestrator.sandbox.aws_local import ProcessFailed, SandboxUnavailable

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    console = screen()
    if not as_json:
        console.print("Starting the sandbox (a few seconds) ...", style="dim")
    try:
        async with booth.Sandbox(
            state or booth.default_state(), real_model=real_model, real_aws=real_aws, pace=booth.DEMO_PACE
        ) as running:
            _tell(running, env_file, as_json=as_json)
            await _until_over(stopping, running)
    except (SandboxUnavailable, ProcessFailed) as error:
        raise CommandError(str(error), status=FAILED) from error


async def _until_over(stopping: asyncio.Event, running: Sandbox) -> None:
    """Wait for Ctrl-C, or for the stand-in to end by itself, which is a failure."""
    waiting = {asyncio.create_task(stopping.wait())}
    died = None
    if running.aws is not None:
        died = asyncio.create_task(running.aws.processes.died())
        waiting.add(died)  # type: ignore[arg-type]  # tasks of different results wait together
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if died is not None and died.done() and not stopping.is_set():
            raise CommandError(f"something of the sandbox ended by itself: {died.result()}", status=FAILED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _tell(running: Sandbox, env_file: Path | None, *, as_json: bool) -> None:
    from jada_orchestrator.sandbox.booth import env_file_lines, export_lines

    if env_file is not None:
        try:
            env_file.write_text(env_file_lines(running.environment), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{env_file} cannot be written: {error.strerror}", status=USAGE) from error
    if as_json:
        print_json({"environment": running.environment, "stand_ins": list(running.stand_ins)})
        return
    console = screen()
    console.print(Text("The sandbox is up. What is not real here:", "bold"))
    for sentence in running.stand_ins:
        console.print(Text(f"  - {sentence}"))
    console.print(Text("\nIn other terminals, first paste this:\n", "bold"))
    sys.stdout.write(export_lines(running.environment))
    sys.stdout.flush()
    console.print(Text("\nThen, in one:", "bold"))
    console.print("  jada run", markup=False)
    console.print(Text("and in another:", "bold"))
    wish = "Two of us, customer c-118, Boston to Lisbon 3-10 May, a hotel, under $6,000 all in"
    console.print(f'  jada submit "{wish}" --wait', markup=False)
    console.print(Text("\nCtrl-C ends it.", "dim"))


@sandbox.command("fault")
def fault(
    *,
    action: Annotated[
        str | None,
        typer.Argument(help="Such as flights.hold or 'hotels.*'; nothing lists the orders.", metavar="[ACTION]"),
    ] = None,
    mode: Annotated[
        str | None, typer.Argument(help="slow, late, together, fail, crash, cut, twice.", metavar="[MODE]")
    ] = None,
    argument: Annotated[
        str | None, typer.Argument(help="Seconds, a code, before or after.", metavar="[ARGUMENT]")
    ] = None,
    times: Annotated[int, typer.Option(help="How many calls it strikes; -1 is all.")] = 1,
    request: Annotated[str, typer.Option(help="Only requests whose id matches.", metavar="GLOB")] = "*",
    clear: Annotated[bool, typer.Option("--clear", help="Withdraw all orders first.")] = False,
    inventory: _Inventory = None,
    state: _State = None,
    as_json: options.AsJson = False,
) -> None:
    """Make an agent misbehave: slow, late, together with others, failing, crashing, cut off, answering twice."""
    from contextlib import closing
    from dataclasses import asdict

    from jada_orchestrator.sandbox.inventory import Books, faults

    with closing(Books(_inventory(inventory, state))) as books:
        if clear:
            faults.clear(books)
        if action is not None:
            if mode is None:
                modes = ", ".join(get_args(faults.Mode))
                raise CommandError(f"say what is to happen to {action}: {modes}", status=USAGE)
            try:
                faults.order(books, action, mode, argument, times=times, request=request)
            except faults.BadFault as error:
                raise CommandError(str(error), status=USAGE) from error
        ordered = faults.ordered(books)
    if as_json:
        print_json([asdict(each) for each in ordered])
        return
    for each in ordered:
        often = "always" if each.remaining == faults.ALWAYS else f"{each.remaining} more"
        screen().print(f"{each.action} {each.mode} {each.argument} ({often}, requests {each.request})", markup=False)
    if not ordered:
        screen().print("No faults are ordered.")


@sandbox.command("books")
def books(
    request: Annotated[str | None, typer.Option(help="Only this request.", metavar="ID")] = None,
    inventory: _Inventory = None,
    state: _State = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what the agents really did and what stands; status 1 when something was done twice."""
    from jada_orchestrator.sandbox.inventory import __main__ as shell

    path = _inventory(inventory, state)
    arguments = ["show", "--path", str(path)]
    arguments += ["--request", request] if request is not None else []
    arguments += ["--json"] if as_json else []
    status = shell.main(arguments)
    if status:
        raise typer.Exit(status)


def _inventory(named: Path | None, state: Path | None) -> Path:
    from jada_orchestrator.sandbox.booth import default_state, inventory_of

    path = named or inventory_of(state or default_state())
    if not path.exists():
        raise CommandError(
            f"there are no books at {path}",
            hint="Start `jada sandbox` first and set JADA_SANDBOX_INVENTORY as it says, or name them with --inventory.",
            status=FAILED,
        )
    return path
