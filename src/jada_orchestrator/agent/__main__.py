"""`python -m jada_orchestrator.agent`: runs agents as SQS workers, or calls one action here and now."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from jada_orchestrator.agent.agent import Agent
from jada_orchestrator.agent.reply import AgentSetupError, encode
from jada_orchestrator.agent.worker import QueueUnreachable, Worker, WorkerLimits, log

_HELP: Final = """\
Runs an agent as an SQS worker: takes tasks from its queue, calls your functions, sends each reply to the queue
that the task names, and only then deletes the task. A task that breaks is given back and tried again, until the
queue's redrive policy moves it to the dead-letter queue. SIGTERM or Ctrl-C: takes nothing more, finishes what
runs, exits.
"""
_EXAMPLES: Final = """\
examples:
  python -m jada_orchestrator.agent shop.validator:app --queue jada-validator
  python -m jada_orchestrator.agent shop.validator:app=jada-validator shop.mailer:app=jada-mailer
      (two agents in one process)
  python -m jada_orchestrator.agent shop.validator:app --call validator.check '{"travellers": 2}'
      (no queue, no AWS)

environment (a flag wins):
  JADA_AGENT_QUEUE, JADA_AGENT_CONCURRENCY, JADA_AGENT_VISIBILITY_SECONDS, JADA_AGENT_GRACE_SECONDS
  JADA_AGENT_IDEMPOTENCY   where answers are remembered by key: memory (default), sqlite:PATH, off
  AWS_REGION, AWS_ENDPOINT_URL, AWS_PROFILE, ...   as everywhere in AWS

exit status: 0 stopped as asked, 1 tasks were cut off or the called action failed, 2 usage, 3 cannot reach the queue
"""


@dataclass(frozen=True, slots=True)
class Target:
    """One agent and the queue that it works on."""

    agent: Agent
    queue: str


def main(argv: Sequence[str] | None = None) -> int:
    """Reads the command line and runs; returns the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as `python -m` does for the author's own modules
    try:
        if arguments.call is not None:
            return _call(_load(arguments.target[0].partition("=")[0]), *arguments.call)
        targets = [_target(text, arguments.queue) for text in arguments.target]
        limits = WorkerLimits(
            concurrency=arguments.concurrency, visibility_s=arguments.visibility, grace_s=arguments.grace
        )
    except AgentSetupError as error:
        parser.error(str(error))
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    logging.getLogger("aiobotocore").setLevel(logging.WARNING)
    try:
        return asyncio.run(_serve(targets, limits))
    except (AgentSetupError, QueueUnreachable) as error:
        log.error("%s", error)  # The operator needs the sentence, not a traceback.
        return 3


def _parser() -> argparse.ArgumentParser:
    environment = os.environ
    parser = argparse.ArgumentParser(
        prog="python -m jada_orchestrator.agent",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "target", nargs="+", metavar="MODULE:APP[=QUEUE]", help="where the Agent object is, and its queue"
    )
    parser.add_argument(
        "--queue", default=environment.get("JADA_AGENT_QUEUE"), help="the queue of a target without one"
    )
    parser.add_argument(
        "--concurrency",
        type=_positive,
        default=environment.get("JADA_AGENT_CONCURRENCY", "8"),
        help="tasks of one agent at the same time (default 8); no more messages are taken than there is room for",
    )
    parser.add_argument(
        "--visibility",
        type=_positive,
        default=environment.get("JADA_AGENT_VISIBILITY_SECONDS", "30"),
        metavar="SECONDS",
        help="how long the messages of a worker that died stay hidden (default 30); renewed while a task runs",
    )
    parser.add_argument(
        "--grace",
        type=_positive,
        default=environment.get("JADA_AGENT_GRACE_SECONDS", "25"),
        metavar="SECONDS",
        help="how long a stop waits for running tasks (default 25)",
    )
    parser.add_argument(
        "--call", nargs=2, metavar=("ACTION", "INPUT"), help="call one action with this JSON and print the reply"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return number


def _target(text: str, default_queue: str | None) -> Target:
    where, _, queue = text.partition("=")
    agent = _load(where)
    chosen = queue or default_queue
    if not chosen:
        raise AgentSetupError(f"{where}: no queue given; say --queue NAME or {where}=NAME")
    return Target(agent, chosen)


def _load(where: str) -> Agent:
    module_name, _, attribute = where.partition(":")
    if not module_name or not attribute:
        raise AgentSetupError(f"{where!r} must be MODULE:APP, such as shop.validator:app")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise  # The author's module is there and itself imports what is not: the traceback says where.
        raise AgentSetupError(f"there is no module {module_name} here or on PYTHONPATH") from error
    agent = getattr(module, attribute, None)
    if not isinstance(agent, Agent):
        raise AgentSetupError(f"{where} is {type(agent).__name__}, not an Agent")
    return agent


def _call(agent: Agent, action: str, text: str) -> int:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise AgentSetupError(f"the input is not JSON: {error}") from error
    reply = agent.call(action, value)
    sys.stdout.write(encode(reply) + "\n")
    return 0 if reply["status"] == "succeeded" else 1


async def _serve(targets: Sequence[Target], limits: WorkerLimits) -> int:
    from jada_orchestrator.agent.sqs import open_queue, sqs_client

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Plain functions and memories run in threads: as many as tasks, or --concurrency would not mean what it says.
    loop.set_default_executor(ThreadPoolExecutor(limits.concurrency * len(targets) + 4, thread_name_prefix="task"))
    async with sqs_client() as client:
        workers = [Worker(target.agent, await open_queue(client, target.queue), limits) for target in targets]
        for target in targets:
            log.info(
                "agent %s works on %s: %s", target.agent.name, target.queue, ", ".join(sorted(target.agent.actions))
            )
        unfinished = sum(await asyncio.gather(*(worker.run(stop) for worker in workers)))
    if unfinished:
        log.error("%d task(s) did not finish in time; their messages are seen again", unfinished)
        logging.shutdown()
        os._exit(1)  # A plain function cannot be interrupted, and the loop's end would wait for its thread.
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
