"""How early a booking's first call goes out while its plan is still arriving, and how much of the plan that hides.

    python -m benchmarks.first_dispatch [--reads 12] [--agent-ms 300] [--tokens-per-second 80] [--runs 3]

The real daemon (`jada run`) on a null AWS, whose functions take `--agent-ms` each, and a stand-in of the model's API
that streams the plan at `--tokens-per-second` (models of today: 50 to 100). The plan has its reads first, then one that
needs all of them, and a reservation. All is measured twice: with `read_plans_ahead` and without. The share of the plan
that had been sent when the first call arrived is the stand-in's own count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.asking import write_asked
from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mail import open_post
from benchmarks.kill9_kit.null_aws import NullAws
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.model import Fault, FaultKind, Pace, ScriptedModel

REQUESTS: Final = "null-requests"
SHARE_MAX: Final = 0.40
"""Of the plan, what may have arrived when the first call leaves."""


@dataclass(slots=True)
class Seen:
    """What the world outside the daemon saw of one booking."""

    sent: Callable[[], tuple[int, int]]
    """How many characters of the plan were sent by now, and of how many."""
    calls: list[tuple[float, float]] = field(default_factory=list)
    """Of each call, in order: when it arrived, and which share of the plan had been sent by then."""
    outcome: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """From the request to the outcome."""
    told: dict[str, Any] = field(default_factory=dict)
    """The daemon's own line about the first call."""

    def called(self) -> None:
        """Note a call."""
        sent, whole = self.sent()
        self.calls.append((time.monotonic(), sent / whole if whole else 0.0))

    @property
    def first_share(self) -> float:
        """Which share of the plan had been sent when the first call arrived."""
        return self.calls[0][1]

    @property
    def before_the_end(self) -> int:
        """How many calls arrived before the plan's last character was sent."""
        return sum(share < 1 for _, share in self.calls)


def write_catalogue(folder: Path, reads: int) -> Path:
    """Write so many agents that read, one that needs all of their answers, and one that reserves and books."""
    write_asked(folder, "early", reads)
    (folder / "desk.yaml").write_text(_DESK, "utf-8")
    return folder


_DESK: Final = """\
agent: desk
description: Reserves and gives back.
transport: {kind: lambda, function: early-desk}
actions:
  desk.hold:
    description: Reserves.
    effect: reserve
    input: {type: object, required: [given], properties: {given: {type: string}}, additionalProperties: false}
    output: {type: object, required: [a], properties: {a: {type: string}}}
    compensate: {action: desk.release, input: {given: {from: output.a}}}
    timeout: 20s
  desk.release:
    description: Gives back.
    effect: reserve
    input: {type: object, required: [given], properties: {given: {type: string}}, additionalProperties: false}
    output: {type: object}
    irreversible: true
    timeout: 20s
"""


def proposal(reads: int) -> str:
    """Return the plan: its reads, the summary of them, and what has an effect."""
    names = [f"p{number:02d}" for number in range(reads)]
    every = f"[{', '.join(f'{name}.a' for name in names)}]"
    tasks = [
        _task(name, f"{name}.ask", "const", "what is there, and at which price, on the days of the journey?")
        for name in names
    ]
    tasks += [_task("summary", "summary.ask", "ref", every), _task("hold", "desk.hold", "ref", "summary.a")]
    result = [{"name": "hold", "value": "hold.a"}]
    return json.dumps({"outcome": "plan", "reason": "", "questions": [], "tasks": tasks, "result": result})


def _task(name: str, action: str, kind: str, value: str) -> dict[str, Any]:
    args = [{"name": "given", "kind": kind, "value": value}]
    return {"id": name, "action": action, "after": [], "optional": False, "args": args}


class Bench:
    """The daemon between a null AWS and a model that streams slowly."""

    def __init__(self, folder: Path, reads: int, agent_s: float, pace: Pace, *, ahead: bool) -> None:
        """Take what to measure; nothing runs yet."""
        self.plan = proposal(reads)
        self.model = ScriptedModel(pace=pace)
        names = [*(f"p{number:02d}" for number in range(reads)), "summary", "hold"]
        self.aws = NullAws({name: {"a": "yes"} for name in names}, work=self._work)
        self._folder = folder
        self._reads = reads
        self._agent_s = agent_s
        self._ahead = ahead
        self.seen = Seen(self._sent)

    def _sent(self) -> tuple[int, int]:
        calls = self.model.calls.messages
        return (calls[-1].sent_chars, len(self.plan)) if calls else (0, len(self.plan))

    async def _work(self) -> None:
        self.seen.called()
        await asyncio.sleep(self._agent_s)

    async def book(
        self, runs: int, fault: Fault | None = None, meanwhile: Callable[[], Any] | None = None
    ) -> list[Seen]:
        """Book so often, one after another; `meanwhile` is awaited once each booking is under way."""
        found: list[Seen] = []
        async with self.model, self.aws:
            self.model.faults.order(fault or Fault(FaultKind.TEXT, count=0, text=self.plan))
            environment = {
                **self.aws.environment,
                "ANTHROPIC_BASE_URL": self.model.url,
                "ANTHROPIC_API_KEY": "stand-in",
                "JADA_STORE": f"sqlite://{self._folder / 'journal.db'}",
                "JADA_CATALOGUE": str(write_catalogue(self._folder / "agents", self._reads)),
                "JADA_REQUEST_QUEUE": REQUESTS,
                "JADA_READ_PLANS_AHEAD": str(self._ahead).lower(),
            }
            async with open_post(environment) as post, Daemon(self._folder, environment) as daemon:
                await daemon.ready()
                for number in range(runs):
                    self.seen = Seen(self._sent)
                    began = time.monotonic()
                    await post.send(REQUESTS, {"request_id": f"early-{number}", "text": "Ask everybody"})
                    if meanwhile is not None:
                        await meanwhile()
                    await until(lambda: self.aws.outcomes, f"booking {number} ends", otherwise=daemon.story)
                    self.seen.seconds = time.monotonic() - began
                    self.seen.outcome = self.aws.outcomes.pop()
                    self.seen.told = [line for line in daemon.lines if line.get("jada_event") == "dispatch.first"][-1]
                    found.append(self.seen)
                await daemon.stop()
        return found


def _line(found: list[Seen], *, ahead: bool) -> str:
    """Say what was seen: the worst share, and medians of the rest."""
    share = max(seen.first_share for seen in found)
    hidden = statistics.median(seen.told["jada_hidden_ms"] / seen.told["jada_answer_ms"] for seen in found)
    first_s = statistics.median(seen.told["jada_after_ms"] for seen in found) / 1_000
    whole_s = statistics.median(seen.seconds for seen in found)
    early = f"{found[-1].before_the_end} of {len(found[-1].calls)} calls before the plan's end"
    return (
        f"reading ahead {'on ' if ahead else 'off'}: first call after {first_s:.2f} s, {share:.0%} of the plan sent; "
        f"{early}; {hidden:.0%} of its making hidden; request to outcome {whole_s:.2f} s"
    )


async def main() -> int:
    """Measure both ways, and print a line for each; 1 when the first call left too late."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_dispatch")
    parser.add_argument("--reads", type=int, default=12)
    parser.add_argument("--agent-ms", type=int, default=300)
    parser.add_argument("--tokens-per-second", type=float, default=80.0)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    pace = Pace(first_token_s=0.5, tokens_per_second=given.tokens_per_second, chunk_chars=16)
    late = False
    for ahead in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), given.reads, given.agent_ms / 1_000, pace, ahead=ahead)
            found = await bench.book(given.runs)
        sys.stdout.write(_line(found, ahead=ahead) + "\n")
        late = late or (ahead and max(seen.first_share for seen in found) >= SHARE_MAX)
    verdict = "MISSED" if late else "holds"
    sys.stdout.write(
        f"{len(proposal(given.reads))} characters of plan; at most {SHARE_MAX:.0%} may be sent: {verdict}\n"
    )
    return int(late)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
