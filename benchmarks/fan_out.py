"""Fifty agents at once for one booking: how much longer it takes than its agents' own critical path.

    python -m benchmarks.fan_out [--agents 50] [--agent-ms 300] [--runs 5]

The real daemon (`jada run`) on a null AWS: one endpoint that answers SQS and Lambda, whose functions take `--agent-ms`
each. The plan has two levels: all agents side by side, then one that needs all of them, so that the critical path of
the agents' own times is twice `--agent-ms`. Makespan is from the first call's arrival to the last answer. Everything
shares one machine with the daemon, so a loaded one shows in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.asking import write_asked
from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mail import open_post
from benchmarks.kill9_kit.null_aws import NullAws
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel

REQUESTS: Final = "null-requests"
RATIO_MAX: Final = 1.2
"""What the product promises."""


@dataclass(slots=True)
class SlowFunctions:
    """What the functions do: take their time, and count who is in flight."""

    seconds: float
    now: int = 0
    at_once: int = 0
    """The most that were in flight at the same time."""
    begun: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    async def work(self) -> None:
        """Take a function's time."""
        self.begun.append(time.monotonic())
        self.now += 1
        self.at_once = max(self.at_once, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        self.ended.append(time.monotonic())

    @property
    def makespan_s(self) -> float:
        """From the first call to the last answer."""
        return max(self.ended) - min(self.begun)


def proposal(agents: int) -> str:
    """Return the plan: all probes side by side, then the summary of them."""
    names = [f"p{number:02d}" for number in range(agents)]
    every = f"[{', '.join(f'{name}.a' for name in names)}]"
    tasks = [_task(name, "const", "what is it?") for name in names] + [_task("summary", "ref", every)]
    result = [{"name": "summary", "value": "summary.a"}]
    return json.dumps({"outcome": "plan", "reason": "", "questions": [], "tasks": tasks, "result": result})


def _task(name: str, kind: str, value: str) -> dict[str, Any]:
    args = [{"name": "given", "kind": kind, "value": value}]
    return {"id": name, "action": f"{name}.ask", "after": [], "optional": False, "args": args}


async def fan_out(folder: Path, agents: int, seconds: float, runs: int) -> list[SlowFunctions]:
    """Book so often, one after another, and return what the functions saw of each booking."""
    outputs = {f"p{number:02d}": {"a": "yes"} for number in range(agents)} | {"summary": {"a": "yes"}}
    seen: list[SlowFunctions] = []

    async def work() -> None:
        await seen[-1].work()

    async with ScriptedModel() as model, NullAws(outputs, work=work) as aws:
        model.faults.order(Fault(FaultKind.TEXT, count=0, text=proposal(agents)))
        environment = {
            **aws.environment,
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "stand-in",
            "JADA_STORE": f"sqlite://{folder / 'journal.db'}",
            "JADA_CATALOGUE": str(write_asked(folder / "agents", "fan", agents)),
            "JADA_REQUEST_QUEUE": REQUESTS,
        }
        async with open_post(environment) as post, Daemon(folder, environment) as daemon:
            await daemon.ready()
            for number in range(runs):
                seen.append(SlowFunctions(seconds))
                await post.send(REQUESTS, {"request_id": f"fan-{number}", "text": "Ask everybody"})
                await until(lambda: aws.outcomes, f"booking {number} ends", otherwise=daemon.story)
                outcome = aws.outcomes.pop()
                assert outcome["data"]["status"] == "completed", outcome
            await daemon.stop()
    return seen


async def main() -> int:
    """Measure, and print a line for each booking and the ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fan_out")
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--agent-ms", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    seconds = arguments.agent_ms / 1_000
    with tempfile.TemporaryDirectory(prefix="jada-fan-out-") as folder:
        seen = await fan_out(Path(folder), arguments.agents, seconds, arguments.runs)
    ratios = [each.makespan_s / (2 * seconds) for each in seen]
    for each, ratio in zip(seen, ratios, strict=True):
        first_level = sorted(each.begun)[: arguments.agents]
        spread_ms = (first_level[-1] - first_level[0]) * 1_000
        print(
            f"{each.at_once} of {arguments.agents} in flight at once, all within {spread_ms:.0f} ms; "
            f"makespan {each.makespan_s * 1_000:.0f} ms, critical path {2 * arguments.agent_ms} ms, ratio {ratio:.2f}"
        )
    print(f"ratio, median of {len(ratios)}: {statistics.median(ratios):.2f} (promised: at most {RATIO_MAX})")
    return 0 if statistics.median(ratios) <= RATIO_MAX else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
