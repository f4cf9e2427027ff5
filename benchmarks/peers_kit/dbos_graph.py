"""The booking on DBOS: one workflow, every task a step, what may run at once gathered in an order that never changes.

As its documentation has it for many workflows in one process: coroutines, which do not hold a thread each. The order in
which steps begin has to be the same in every execution, so the graph is walked level by level.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.peers_kit.timing import OUTPUT, arguments, run


@DBOS.step()
async def task(name: str, given: object) -> dict[str, Any]:
    """Do nothing, and answer at once."""
    del name, given
    return OUTPUT


@DBOS.workflow()
async def booking(number: str) -> str:
    """Four searches, four reservations, then quote, policy, payment and mail."""
    found = await asyncio.gather(*(task(f"search{i}", f"City {i} of {number}") for i in range(4)))
    held = await asyncio.gather(*(task(f"hold{i}", found[i]["ref"]) for i in range(4)))
    quote = await task("quote", [each["total"] for each in held])
    await task("policy", quote["total"])
    paid = await task("pay", quote["total"])
    sent = await task("mail", paid["ref"])
    return str(sent["ref"])


async def main() -> None:
    """Run what was asked for."""
    told = arguments()
    config: DBOSConfig = {"name": "peer", "system_database_url": told.url, "log_level": "ERROR"}
    DBOS(config=config)
    DBOS.launch()

    async def book(name: str) -> None:
        with SetWorkflowID(name):
            await booking(name)

    await run(book, told.bookings, told.at_once)
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main())
