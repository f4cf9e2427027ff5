"""The booking on LangGraph with its PostgreSQL checkpointer: every task a node, edges as the plan has them.

`--mode sync` keeps each step before the next begins, which is what the other candidates do; `--mode async`, its
default, keeps it while the next one runs already, so that a crash loses the newest step. `pipeline` is `sync` on one
connection in its pipeline mode; otherwise connections come from a pool with the settings that its documentation asks
for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from benchmarks.peers_kit.timing import OUTPUT, arguments, run

_POOL = 20


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {**old, **new}


class State(TypedDict):
    """What the tasks answered, by their names."""

    outputs: Annotated[dict[str, Any], _merged]


def _task(name: str) -> Callable[[State], Any]:
    async def answer(state: State) -> State:
        del state
        return {"outputs": {name: OUTPUT}}

    return answer


def booking() -> StateGraph[State]:
    """Four searches, four reservations, then quote, policy, payment and mail."""
    graph = StateGraph(State)
    holds = [f"hold{i}" for i in range(4)]
    for name in (*(f"search{i}" for i in range(4)), *holds, "quote", "policy", "pay", "mail"):
        graph.add_node(name, _task(name))
    for i in range(4):
        graph.add_edge(START, f"search{i}")
        graph.add_edge(f"search{i}", f"hold{i}")
    graph.add_edge(holds, "quote")
    for before, after in (("quote", "policy"), ("policy", "pay"), ("pay", "mail"), ("mail", END)):
        graph.add_edge(before, after)
    return graph


async def main() -> None:
    """Run what was asked for."""
    told = arguments()
    async with AsyncPostgresSaver.from_conn_string(told.url) as first:
        await first.setup()
    async with AsyncExitStack() as stack:
        if told.mode == "pipeline":
            saver = await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(told.url, pipeline=True))
        else:
            settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
            pool = AsyncConnectionPool(told.url, min_size=_POOL, max_size=_POOL, kwargs=settings, open=False)
            saver = AsyncPostgresSaver(await stack.enter_async_context(pool))
        graph = booking().compile(checkpointer=saver)
        durability = "async" if told.mode == "async" else "sync"

        async def book(name: str) -> None:
            await graph.ainvoke({"outputs": {}}, {"configurable": {"thread_id": name}}, durability=durability)

        await run(book, told.bookings, told.at_once)


if __name__ == "__main__":
    asyncio.run(main())
