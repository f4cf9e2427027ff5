"""The control socket: questions, answers, refusals, and what a killed daemon leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from jada_orchestrator.adapters.web.control import CONNECTIONS_MAX, ask, open_control
from jada_orchestrator.adapters.web.errors import DaemonUnreachableError, ListenError
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.ports.operations import Reloaded
from tests.unit.adapters.web.operations import FakeOperations


async def raw(path: Path, line: bytes) -> bytes:
    """What is answered to a line as it is."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    answer = await reader.readline()
    writer.close()
    return answer


async def test_status_and_reload_are_answered(tmp_path: Path) -> None:
    """Both commands answer on one line of JSON; the reload has happened when its answer comes."""
    operations = FakeOperations()
    path = tmp_path / "run" / "control.sock"
    async with open_control(path, operations):
        assert await ask(path, "status", timeout_s=5) == {"ok": True, "status": {"phase": "ready"}}
        answer = await ask(path, "reload", timeout_s=5)
    assert answer == {"ok": True, "faults": [], "notices": ["a restart takes store"]}
    assert operations.reloads == 1


async def test_a_refused_reload_names_every_fault(tmp_path: Path) -> None:
    """A reload that was not taken answers with all faults, their places and what to do."""
    operations = FakeOperations()
    operations.faults = (Fault("A", "settings.json:3", "first"), Fault("B", "agents/x.yaml:9", "second"))
    async with open_control(tmp_path / "s", operations):
        answer = await ask(tmp_path / "s", "reload", timeout_s=5)
    assert not answer["ok"]
    assert [(fault["code"], fault["where"]) for fault in answer["faults"]] == [
        ("A", "settings.json:3"),
        ("B", "agents/x.yaml:9"),
    ]


async def test_pruning_is_asked_by_an_instant(tmp_path: Path) -> None:
    """The daemon is told before when; what is no instant is refused, and so is what it cannot do now."""
    operations = FakeOperations()
    async with open_control(tmp_path / "s", operations):
        assert await ask(tmp_path / "s", "prune", timeout_s=5, more={"before": 5_000}) == {"ok": True, "faults": []}
        for wrong in ({}, {"before": "yesterday"}, {"before": -1}, {"before": True}):
            answer = await ask(tmp_path / "s", "prune", timeout_s=5, more=wrong)
            assert answer["faults"][0]["code"] == "BAD_QUESTION"
        operations.faults = (Fault("NOT_RUNNING", "daemon", "it is starting"),)
        answer = await ask(tmp_path / "s", "prune", timeout_s=5, more={"before": 6_000})
    assert (answer["ok"], answer["faults"][0]["code"]) == (False, "NOT_RUNNING")
    assert operations.pruned == [5_000, 6_000]


@pytest.mark.parametrize(
    ("line", "code"),
    [(b"nonsense\n", "NOT_JSON"), (b"[1]\n", "UNKNOWN_COMMAND"), (b'{"command":"x"}\n', "UNKNOWN_COMMAND")],
)
async def test_nonsense_is_refused(tmp_path: Path, line: bytes, code: str) -> None:
    """What is no question gets a refusal with a code, not silence."""
    async with open_control(tmp_path / "s", FakeOperations()):
        assert json.loads(await raw(tmp_path / "s", line))["faults"][0]["code"] == code


async def test_a_line_without_end_is_cut_off(tmp_path: Path) -> None:
    """A question longer than the limit ends the connection."""
    async with open_control(tmp_path / "s", FakeOperations()):
        assert await raw(tmp_path / "s", b"x" * 200_000) == b""


async def test_connections_are_bounded(tmp_path: Path) -> None:
    """One connection more than the bound is told so, while none has been idle for long; those before it go on."""
    async with open_control(tmp_path / "s", FakeOperations(), gives_way_after_s=3_600):
        held = [await asyncio.open_unix_connection(tmp_path / "s") for _ in range(CONNECTIONS_MAX)]
        for reader, writer in held:
            writer.write(b'{"command":"status"}\n')
            await reader.readline()
        assert json.loads(await raw(tmp_path / "s", b'{"command":"status"}\n'))["faults"][0]["code"] == "BUSY"
        for _, writer in held:
            writer.close()


async def test_who_is_idle_gives_way(tmp_path: Path) -> None:
    """Connections that are held open without a question keep nobody out: the one idle for longest is closed."""
    async with open_control(tmp_path / "s", FakeOperations(), gives_way_after_s=0):
        held = [await asyncio.open_unix_connection(tmp_path / "s") for _ in range(CONNECTIONS_MAX)]
        for reader, writer in held[1:]:
            writer.write(b'{"command":"status"}\n')
            await reader.readline()
        assert (await ask(tmp_path / "s", "status", timeout_s=5))["ok"]
        assert await held[0][0].read() == b""
        for reader, writer in held[1:]:
            writer.write(b'{"command":"status"}\n')
            assert json.loads(await reader.readline())["ok"]
        for _, writer in held:
            writer.close()


async def hung_up(client: socket.socket) -> bool:
    """Whether the other side closes its end, without anything being read of what it wrote."""
    poll = select.poll()
    poll.register(client, 0)
    return bool(await asyncio.to_thread(poll.poll, 10_000))


async def test_who_never_asks_gives_up_its_place(tmp_path: Path) -> None:
    """Connections that say nothing are closed after a while, all of them, and others are let in."""
    async with open_control(tmp_path / "s", FakeOperations(), idle_s=0.05):
        silent = [await asyncio.open_unix_connection(tmp_path / "s") for _ in range(CONNECTIONS_MAX)]
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()
        assert (await ask(tmp_path / "s", "status", timeout_s=5))["ok"]


async def test_who_asks_and_never_reads_is_cut_off(tmp_path: Path) -> None:
    """Answers pile up behind one that reads none: its place and its descriptor are free again after a while."""
    operations = FakeOperations()
    operations.faults = (Fault("LONG", "settings.json:3", "x" * 50_000),)
    async with open_control(tmp_path / "s", operations, unread_s=0.05):
        with contextlib.ExitStack() as clients:
            for _ in range(CONNECTIONS_MAX):
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(str(tmp_path / "s"))
                client.sendall(b'{"command":"reload"}\n' * 100)
                assert await hung_up(client)
            assert (await ask(tmp_path / "s", "status", timeout_s=5))["ok"]


async def test_who_reads_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """A daemon that ends waits for no reader: every connection is cut off."""
    operations = FakeOperations()
    operations.faults = (Fault("LONG", "settings.json:3", "x" * 50_000),)
    with socket.socket(socket.AF_UNIX) as client:
        async with open_control(tmp_path / "s", operations, unread_s=3_600):
            client.connect(str(tmp_path / "s"))
            client.sendall(b'{"command":"reload"}\n' * 100)
            async with asyncio.timeout(10):
                while operations.reloads < 3:  # noqa: ASYNC110 - answers that are written are what is waited for
                    await asyncio.sleep(0)
        assert await hung_up(client)


async def test_the_next_daemon_s_socket_is_left_alone(tmp_path: Path) -> None:
    """One that ends slowly takes away its own socket first, and never the one that another puts in its place."""
    path = tmp_path / "s"
    operations = SlowOperations()
    async with contextlib.AsyncExitStack() as next_one:
        async with open_control(path, operations):
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(b'{"command":"reload"}\n')
            await operations.begun.wait()
            operations.on_end = lambda: next_one.enter_async_context(open_control(path, FakeOperations()))
        assert (await ask(path, "status", timeout_s=5))["ok"]
        writer.close()


class SlowOperations(FakeOperations):
    """A reload that never ends by itself; what is set is done when it is cut off, while the daemon ends."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.on_end: Callable[[], Awaitable[None]]

    async def reload(self) -> Reloaded:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.on_end()
        raise AssertionError("it is only ever cut off")


async def test_the_socket_is_for_owner_and_group_and_goes_away(tmp_path: Path) -> None:
    """Others may not connect; after the context nothing is left, and nobody answers."""
    path = tmp_path / "s"
    async with open_control(path, FakeOperations()):
        assert path.stat().st_mode & 0o777 == 0o660
    assert not path.exists()
    with pytest.raises(DaemonUnreachableError, match="no daemon answers"):
        await ask(path, "status", timeout_s=5)


async def test_the_socket_of_a_killed_daemon_is_replaced(tmp_path: Path) -> None:
    """A file on which nobody answers any more does not stop the next start."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with open_control(path, FakeOperations()):
        assert (await ask(path, "status", timeout_s=5))["ok"]


async def test_an_answer_that_breaks_off_is_none(tmp_path: Path) -> None:
    """A daemon that is killed while it answers leaves half a line: whoever asked is told so, and not of its JSON."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"ok": tr')
        writer.close()

    server = await asyncio.start_unix_server(half, tmp_path / "s")
    async with server:
        with pytest.raises(DaemonUnreachableError, match="broke off"):
            await ask(tmp_path / "s", "status", timeout_s=5)


async def test_a_socket_in_use_is_not_taken_over(tmp_path: Path) -> None:
    """Two daemons never share a socket: the second says that the first is there, and the first goes on."""
    path = tmp_path / "s"
    async with open_control(path, FakeOperations()):
        with pytest.raises(ListenError, match="another daemon"):
            async with open_control(path, FakeOperations()):
                pass
        assert (await ask(path, "status", timeout_s=5))["ok"]
