"""Run bookings through real HTTP in a process with a low limit of open files, and say what came of it as JSON.

    python -m tests.system.few_descriptors 256 [squeeze]

One booking of fifty agents at once and ten ordinary ones, whose agents take 50 ms each; wired as the daemon wires it.
With `squeeze` every last descriptor is taken by others until the first call has failed.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from jada_orchestrator.adapters.aws.clients import Connections, open_clients
from jada_orchestrator.adapters.host.descriptors import count_open
from jada_orchestrator.bench.booking import bench_catalogue, bench_proposal, wide_proposal
from jada_orchestrator.bench.calls import functions_of
from jada_orchestrator.bench.null_aws import null_aws
from jada_orchestrator.bench.stage import Setting, open_stage
from jada_orchestrator.capacity.descriptors import DescriptorBudget
from jada_orchestrator.domain.catalogue import LambdaTransport
from jada_orchestrator.domain.events import Succeeded
from jada_orchestrator.ports.agents import AgentCall, CallEnded, FunctionCaller
from jada_orchestrator.ports.planner import PlannerQuestion
from jada_orchestrator.runtime.snapshot import Phase
from jada_orchestrator.service.descriptors import take_descriptors
from jada_orchestrator.service.settings import ConnectionLimits, Settings


class Watched:
    """The real caller, with a count of how calls ended and of descriptors while they were under way."""

    def __init__(self, caller: FunctionCaller) -> None:
        self._caller = caller
        self.ended: Counter[str] = Counter()
        self.under_way = 0
        self.most_under_way = 0
        self.most_open = 0
        self.taken: list[int] = []
        """Descriptors that are held until the first call has failed."""

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.most_open = max(self.most_open, count_open())
        ended = await self._caller.call(target, call)
        self.under_way -= 1
        self.most_open = max(self.most_open, count_open())
        result = ended.result
        if not isinstance(result, Succeeded):
            while self.taken:
                os.close(self.taken.pop())
        self.ended["ok" if isinstance(result, Succeeded) else result.failure.code] += 1
        return ended

    async def close(self) -> None:
        await self._caller.close()


def take_all(taken: list[int]) -> None:
    """Take every descriptor that is left."""
    while True:
        try:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            break


async def run(budget: DescriptorBudget, *, squeeze: bool) -> Watched:
    """Run the eleven bookings to their end."""

    def plan(question: PlannerQuestion) -> str:
        return wide_proposal(50) if question.request.request_id == "bench-0" else bench_proposal()

    setting = replace(Setting(bench_catalogue(), "", 0, 11), calls_at_once=budget.functions, plan=plan)
    with tempfile.TemporaryDirectory() as folder:
        async with null_aws(delay_s=0.05), open_clients(Connections(budget.functions, budget.queues)) as clients:
            watched = Watched(functions_of(clients, budget.functions))
            async with open_stage(Path(folder), setting, functions=watched) as stage, asyncio.timeout(60):
                while stage.orchestrator.snapshot().phase is not Phase.READY:  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(0.01)
                if squeeze:
                    take_all(watched.taken)
                stage.requests.add(11)
                await stage.completed(11)
            await watched.close()
    return watched


def main() -> None:
    """Lower the hard limit, which nothing can raise again, and run."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(128, limit), limit))
    settings = Settings(connections=ConnectionLimits(functions=1_000, queues=100, model=100))
    budget, _ = take_descriptors(settings)
    watched = asyncio.run(run(budget, squeeze="squeeze" in sys.argv))
    told = {"limit": budget.limit, "functions": budget.functions, "ended": watched.ended}
    sys.stdout.write(json.dumps({**told, "most_open": watched.most_open, "most_under_way": watched.most_under_way}))


if __name__ == "__main__":
    main()
