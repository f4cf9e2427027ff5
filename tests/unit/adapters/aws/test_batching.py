"""Batching: what waits together goes together, what is alone does not wait, what was given up is not sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from jada_orchestrator.adapters.aws.batching import Batcher, in_batches
from jada_orchestrator.testing.virtual_time import run_virtually


@dataclass(slots=True)
class Wire:
    """Takes batches, answers each item in upper case, and can be told to wait or to fail."""

    batches: list[list[str]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    error: Exception | None = None

    async def send(self, batch: list[str]) -> list[str]:
        self.batches.append(batch)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [item.upper() for item in batch]


def batcher_on(wire: Wire, *, at_once: int = 10, bytes_max: int = 100) -> Batcher[str, str]:
    """A batcher with room for three items or `bytes_max` bytes a batch."""
    return Batcher(wire.send, asyncio.Semaphore(at_once), count_max=3, bytes_max=bytes_max)


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_in_batches_keeps_order_and_loses_nothing() -> None:
    """Items come in lists of at most the given length, in order; nothing becomes no list."""
    assert list(in_batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(in_batches([], 2)) == []


async def test_one_alone_is_sent_at_once() -> None:
    """A single item goes in the next round of the loop: no timer holds it back."""
    wire = Wire()
    entry = batcher_on(wire).add("a", 1)

    await settle()

    assert entry.answer.result() == "A"
    assert wire.batches == [["a"]]


async def test_what_is_added_together_goes_together() -> None:
    """Items of one round form full batches, and each waiter gets its own answer."""
    wire = Wire()
    batcher = batcher_on(wire)

    entries = [batcher.add(item, 1) for item in "abcdefg"]
    answers = await asyncio.gather(*(entry.answer for entry in entries))

    assert answers == list("ABCDEFG")
    assert wire.batches == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


async def test_a_batch_is_bounded_in_bytes() -> None:
    """A batch ends where the next item would make it too large; one item alone may be as large as it is."""
    wire = Wire()
    batcher = batcher_on(wire, bytes_max=10)

    entries = [batcher.add(item, size) for item, size in (("a", 6), ("b", 6), ("c", 4), ("d", 50))]
    await asyncio.gather(*(entry.answer for entry in entries))

    assert wire.batches == [["a"], ["b", "c"], ["d"]]


async def test_while_there_is_no_place_more_gather() -> None:
    """What arrives while all places are taken goes in one batch when a place is free."""
    wire = Wire(gate=asyncio.Event())
    batcher = batcher_on(wire, at_once=1)
    assert wire.gate is not None

    entries = [batcher.add("a", 1)]
    await settle()
    for item in "bc":
        entries.append(batcher.add(item, 1))
        await settle()
    wire.gate.set()
    await asyncio.gather(*(entry.answer for entry in entries))

    assert wire.batches == [["a"], ["b", "c"]]


async def test_what_was_given_up_before_it_began_is_not_sent() -> None:
    """A cancelled waiter's item stays here, as long as it was not on its way; `begun` tells which."""
    wire = Wire(gate=asyncio.Event())
    batcher = batcher_on(wire, at_once=1)
    assert wire.gate is not None
    first = batcher.add("a", 1)
    await settle()
    second = batcher.add("b", 1)
    await settle()

    second.answer.cancel()
    wire.gate.set()
    await first.answer
    await batcher.close()

    assert (first.begun, second.begun) == (True, False)
    assert wire.batches == [["a"]]


def test_what_is_late_before_it_began_is_not_sent() -> None:
    """Whoever waits no longer than a time is told when it is over; what had not begun by then never goes."""

    async def main() -> None:
        wire = Wire(gate=asyncio.Event())
        batcher = batcher_on(wire, at_once=1)
        first = batcher.add("a", 1, timeout_s=2.0, late=lambda begun: f"late, {begun}")
        await settle()
        second = batcher.add("b", 1, timeout_s=1.0, late=lambda begun: f"late, {begun}")

        assert await second.answer == "late, False"
        assert asyncio.get_running_loop().time() == 1.0
        assert await first.answer == "late, True"
        assert asyncio.get_running_loop().time() == 2.0
        assert (first.begun, second.begun) == (True, False)
        assert wire.gate is not None
        wire.gate.set()
        await batcher.close()
        assert wire.batches == [["a"]]

    run_virtually(main())


def test_an_answer_in_time_is_the_answer() -> None:
    """What is answered within its time comes as it is, or as it is to be told; the time of others goes on."""

    async def main() -> None:
        wire = Wire()
        batcher = batcher_on(wire, at_once=1)
        soon = batcher.add("a", 1, lambda answer: f"told {answer}", timeout_s=1.0, late=lambda _: "late")
        assert await soon.answer == "told A"

        wire.gate = asyncio.Event()
        stuck = batcher.add("b", 1, lambda answer: f"told {answer}", timeout_s=3.0, late=lambda begun: f"late, {begun}")
        patient = batcher.add("c", 1, timeout_s=60.0, late=lambda _: "late")
        assert await stuck.answer == "told late, True"
        assert asyncio.get_running_loop().time() == 3.0

        wire.gate.set()
        assert await patient.answer == "C"
        await batcher.close()

    run_virtually(main())


async def test_giving_up_one_that_is_on_its_way_does_not_disturb_the_others() -> None:
    """The rest of a batch gets its answers when one of its waiters is cancelled."""
    wire = Wire(gate=asyncio.Event())
    batcher = batcher_on(wire)
    assert wire.gate is not None
    first, second = batcher.add("a", 1), batcher.add("b", 1)
    await settle()

    first.answer.cancel()
    wire.gate.set()

    assert await second.answer == "B"


async def test_an_unforeseen_error_reaches_everybody_who_waits() -> None:
    """If sending raises, each waiter of that batch gets the exception, and the batcher goes on."""
    wire = Wire(error=RuntimeError("broken"))
    batcher = batcher_on(wire)

    entries = [batcher.add("a", 1), batcher.add("b", 1)]
    for entry in entries:
        with pytest.raises(RuntimeError, match="broken"):
            await entry.answer
    wire.error = None

    assert await batcher.add("c", 1).answer == "C"


async def test_closing_waits_for_what_was_added() -> None:
    """After `close` everything that was added has its answer; closing again is harmless."""
    wire = Wire()
    batcher = batcher_on(wire, at_once=1)
    entries = [batcher.add(item, 1) for item in "abcde"]

    await batcher.close()
    await batcher.close()

    assert [entry.answer.result() for entry in entries] == list("ABCDE")
