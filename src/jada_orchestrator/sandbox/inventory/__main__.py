"""`python -m jada_orchestrator.sandbox.inventory`: see the books, order faults, make seats scarce, begin afresh."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, Final, get_args

from jada_orchestrator.sandbox.inventory import PATH_VARIABLE, Books, faults, stock
from jada_orchestrator.sandbox.inventory.audit import Findings, audit

_MODES: Final = ", ".join(get_args(faults.Mode))
_PROGRAM: Final = "python -m jada_orchestrator.sandbox.inventory"
_EPILOG: Final = f"""\
faults:
{(faults.__doc__ or "").partition("|---|---|---|")[2].strip()}

examples:
  {_PROGRAM} show --request web-1
  {_PROGRAM} fault flights.ticket fail SOLD_OUT                     # the next ticketing fails
  {_PROGRAM} fault 'hotels.*' slow 3 --times -1 --request 'demo-*'  # for ever, for some requests only
  {_PROGRAM} fault payments.capture crash after                     # the money is taken, the answer never comes
  {_PROGRAM} last-seats BOS LIS 2027-05-03 --seats 2
"""


def main(arguments: list[str] | None = None) -> int:
    """Does one command; returns the exit status: 0, 1 when the books are not in order, 2 for bad usage."""
    options = _parser().parse_args(arguments)
    if options.path is None:
        sys.stderr.write(
            f"Say where the inventory is: --path FILE, or {PATH_VARIABLE}=FILE (jada sandbox prints it).\n"
        )
        return 2
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _show(options: argparse.Namespace) -> int:
    found = audit(options.path)
    lines = (
        json.dumps(_as_json(found, options.request), indent=2).splitlines()
        if options.json
        else _lines(found, options.request)
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found.doubled or found.miscounted else 0


def _fault(options: argparse.Namespace) -> int:
    with contextlib.closing(Books(options.path)) as books:
        if options.action == "clear":
            faults.clear(books)
        elif options.action is not None:
            if options.mode is None:
                raise ValueError(f"say what is to happen to {options.action}: {_MODES}")
            faults.order(
                books, options.action, options.mode, options.argument, times=options.times, request=options.request
            )
        for fault in faults.ordered(books):
            often = "always" if fault.remaining == faults.ALWAYS else f"{fault.remaining} more"
            sys.stdout.write(f"{fault.action} {fault.mode} {fault.argument} ({often}, requests {fault.request})\n")
    return 0


def _last_seats(options: argparse.Namespace) -> int:
    with contextlib.closing(Books(options.path)) as books:
        flight = stock.last_seats(books, options.origin, options.destination, options.day, options.seats)
    sys.stdout.write(f"{options.seats} left on {options.day}, all on {flight}\n")
    return 0


def _reset(options: argparse.Namespace) -> int:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{options.path}{suffix}").unlink(missing_ok=True)
    Books(options.path).close()
    return 0


def _as_json(found: Findings, request_id: str | None) -> dict[str, Any]:
    requests = found.requests if request_id is None else {request_id: found.standing(request_id)}
    return {
        "effects": [asdict(effect) for effect in found.effects if request_id in (None, effect.request_id)],
        "doubled": [asdict(doubled) for doubled in found.doubled],
        "miscounted": list(found.miscounted),
        "standing": {name: asdict(standing) for name, standing in requests.items()},
        "money": found.money(),
    }


def _lines(found: Findings, request_id: str | None) -> list[str]:
    lines = []
    for name, standing in sorted(found.requests.items()):
        if request_id in (None, name):
            lines.append(f"{name}: {standing.describe()}")
            lines += [f"    {effect.action} {effect.subject} ({effect.task_id})" for effect in found.effects_of(name)]
    for currency, sums in found.money().items():
        parts = ", ".join(f"{word} {money['amount']}" for word, money in sums.items())
        lines.append(f"money in {currency}: {parts}")
    lines += [
        f"DOUBLED: {doubled.action} of {doubled.task_id}: {', '.join(doubled.subjects)}" for doubled in found.doubled
    ]
    lines += [f"MISCOUNTED: {fault}" for fault in found.miscounted]
    return lines or ["nothing has happened here yet"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="The reference agents' shared inventory: see its books, order faults, begin afresh.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--path", default=os.environ.get(PATH_VARIABLE), help=f"the inventory's file (default: ${PATH_VARIABLE})"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser(
        "show", parents=[common], help="what was done and what stands; status 1 if the books disagree"
    )
    show.add_argument("--request", help="only this request")
    show.add_argument("--json", action="store_true")
    show.set_defaults(run=_show)
    fault = commands.add_parser("fault", parents=[common], help="order a fault, `clear` them, or list them")
    fault.add_argument(
        "action", nargs="?", help="such as flights.hold or 'hotels.*'; or `clear`; nothing lists the orders"
    )
    fault.add_argument("mode", nargs="?", help=_MODES)
    fault.add_argument("argument", nargs="?")
    fault.add_argument("--times", type=int, default=1, help="how many calls it strikes; -1 is all (default: 1)")
    fault.add_argument("--request", default="*", help="GLOB over request ids (default: all)")
    fault.set_defaults(run=_fault)
    last = commands.add_parser("last-seats", parents=[common], help="leave only so many seats on a route and day")
    last.add_argument("origin")
    last.add_argument("destination")
    last.add_argument("day", type=date.fromisoformat)
    last.add_argument("--seats", type=int, default=1)
    last.set_defaults(run=_last_seats)
    reset = commands.add_parser("reset", parents=[common], help="forget everything and begin with a full world")
    reset.set_defaults(run=_reset)
    return parser


if __name__ == "__main__":
    sys.exit(main())
