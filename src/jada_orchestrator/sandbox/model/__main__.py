"""`python -m jada_orchestrator.sandbox.model`: the scripted model as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from jada_orchestrator.sandbox.model.faults import BadFaultOrder, Fault, FaultKind, orders_from_json
from jada_orchestrator.sandbox.model.pace import Pace
from jada_orchestrator.sandbox.model.server import ScriptedModel

_EPILOG = """\
It is a stand-in: rules and dictionaries, no model. Point a real client at it:

  export ANTHROPIC_BASE_URL=http://127.0.0.1:8091 ANTHROPIC_API_KEY=any-key-will-do

While it runs, order faults, count calls, release held calls:

  curl -s localhost:8091/_scripted/faults -d '[{"kind": "overloaded", "count": 2}]'
  curl -s localhost:8091/_scripted/faults -d '[{"kind": "cycle", "match": "web-7f3c2a"}]'
  curl -s localhost:8091/_scripted/faults -d '[{"kind": "hold"}]' ; curl -s -X POST localhost:8091/_scripted/release
  curl -s localhost:8091/_scripted/calls

A fault's fields: kind, count (0: for ever), match (in the request's JSON or the model's id), retry_after (seconds),
after_bytes (of the answer's text), status, error_type, message, text. Kinds:
"""


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C. Returns the exit status: 0, 2 for bad usage, 3 when the port is taken."""
    options = _parser().parse_args(arguments)
    try:
        faults = _orders(options.faults)
    except (BadFaultOrder, OSError, ValueError) as error:
        sys.stderr.write(f"--faults: {error}\n")
        return 2
    pace = Pace(first_token_s=options.first_token_ms / 1000, tokens_per_second=options.tokens_per_second)
    try:
        asyncio.run(_serve(options.host, options.port, pace, faults))
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {options.host}:{options.port}: {error.strerror}. Try --port 0.\n")
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    kinds = "\n".join(f"  {kind}" for kind in FaultKind)
    parser = argparse.ArgumentParser(
        prog="python -m jada_orchestrator.sandbox.model",
        description="A scripted stand-in for Claude: the Messages API on loopback, with streaming and faults to order.",
        epilog=_EPILOG + kinds,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8091, help="port; 0 takes any free one (default: %(default)s)")
    parser.add_argument(
        "--tokens-per-second", type=float, default=400.0, help="pace of the answer; 0: at once (default: %(default)s)"
    )
    parser.add_argument(
        "--first-token-ms", type=float, default=300.0, help="time to the first token (default: %(default)s)"
    )
    parser.add_argument("--faults", type=Path, metavar="FILE", help="JSON file with faults to begin with")
    return parser


def _orders(path: Path | None) -> list[Fault]:
    return [] if path is None else orders_from_json(json.loads(path.read_text(encoding="utf-8")))


async def _serve(host: str, port: int, pace: Pace, faults: list[Fault]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with ScriptedModel(host=host, port=port, pace=pace) as model:
        model.faults.order(*faults)
        # One line that a parent process can read: flushed, so that it also arrives through a pipe.
        sys.stdout.write(f"scripted model (a stand-in, not Claude) listens on {model.url}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
