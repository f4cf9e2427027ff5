"""Operating a running daemon: what a reload reads, where, and which models it asks about."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from jada_orchestrator.adapters.host.logs import HostLog, open_log
from jada_orchestrator.adapters.host.loop_watch import Lag
from jada_orchestrator.capacity.descriptors import divide
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.snapshot import FirstCalls, Phase, Snapshot
from jada_orchestrator.runtime.world import Tunables
from jada_orchestrator.service.counting import CountingLog
from jada_orchestrator.service.operating import RunningOperations
from jada_orchestrator.service.settings import reference_catalogue
from jada_orchestrator.service.settings_tiers import LoadedSettings, load_settings
from jada_orchestrator.testing.quiet import QuietLog

NOW = Snapshot(Phase.READY, {}, 0, 0, 0, 0, 0, 0, None, 0, Decimal(0), Decimal(0), 0, FirstCalls())


@dataclass
class Running:
    """As much of an orchestrator as a reload sees of it."""

    taken: list[Tunables] = field(default_factory=list)
    now: Snapshot = NOW
    breaks: bool = False

    def snapshot(self) -> Snapshot:
        """It is ready."""
        return self.now

    async def reload(self, tunables: Tunables) -> None:
        """Take what is given."""
        if self.breaks:
            raise RuntimeError("nobody thought of this")
        self.taken.append(tunables)


class Daemon:
    """A running daemon's operations, on settings that a test chooses."""

    def __init__(self, host_log: HostLog) -> None:
        self.flags: dict[str, object] = {"catalogue": str(reference_catalogue())}
        self.orchestrator = Running()
        self.log = QuietLog()
        self.asked: list[str] = []
        self.read_on: list[int] = []
        self.operations = RunningOperations(
            cast("Orchestrator", self.orchestrator),
            loaded=self.load(),
            load_settings=self.load,
            budget=divide(1_000, functions=10, queues=8, model=2),
            log=CountingLog(self.log),
            host_log=host_log,
            learn_model=self.learn,
            lag=lambda: Lag(0.0, 0.0, 0),
        )
        self.read_on.clear()

    def load(self) -> LoadedSettings:
        """Read the settings, and note on which thread."""
        self.read_on.append(threading.get_ident())
        return load_settings(self.flags)

    async def learn(self, model: str, catalogue: Catalogue) -> tuple[Fault, ...]:
        """Be the service, which knows every model but one."""
        self.asked.append(model)
        return (Fault("MODEL_UNKNOWN", "model", f"nobody knows {model}"),) if model == "claude-nobody" else ()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Daemon]:
    """One that has no settings of this machine."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        host_log = open_log("json", stream=stream)
        yield Daemon(host_log)
        host_log.close()


async def test_a_reload_asks_about_every_model_that_may_be_asked(daemon: Daemon) -> None:
    """The ladder, the fallback and the cheaper model are asked about, and the log names what plans from now on."""
    daemon.flags |= {"models.plan": "claude-a,claude-b", "models.fallback": "claude-c", "models.cheaper": "claude-d"}
    assert (await daemon.operations.reload()).taken
    assert daemon.asked == ["claude-a", "claude-b", "claude-c", "claude-d"]
    [said] = [message for _, event, message, _ in daemon.log.lines if event == "daemon.reloaded"]
    assert said.endswith("plan with claude-a and then claude-b")


@pytest.mark.parametrize("key", ["model", "models.plan", "models.fallback", "models.cheaper"])
async def test_a_model_that_cannot_be_used_refuses_the_reload(daemon: Daemon, key: str) -> None:
    """Wherever the settings name a model that the service does not have, everything stays as it was."""
    daemon.flags[key] = "claude-nobody"
    reloaded = await daemon.operations.reload()
    assert [fault.code for fault in reloaded.faults] == ["MODEL_UNKNOWN"]
    assert daemon.orchestrator.taken == []


@pytest.mark.parametrize("why", [None, "the credit balance is too low"])
async def test_machines_are_told_whether_plans_can_be_made(daemon: Daemon, why: str | None) -> None:
    """Nothing else that is measured shows it: requests wait in their queue, and planned bookings go on."""
    daemon.orchestrator.now = replace(NOW, planning_stopped=why)
    told = {sample.name: sample.values for sample in daemon.operations.samples()}
    assert told["jada_planning_stopped"] == (((), float(why is not None)),)


async def test_a_reload_that_breaks_is_told_and_the_next_one_taken(daemon: Daemon) -> None:
    """Whatever goes wrong in it: a signal has nobody to raise to, and whoever asked waits for an answer."""
    daemon.orchestrator.breaks = True
    reloaded = await daemon.operations.reload()
    assert [fault.code for fault in reloaded.faults] == ["RELOAD_BROKE"]
    assert "RuntimeError: nobody thought of this (at reload)" in reloaded.faults[0].message
    assert "daemon.reload_refused" in daemon.log.events()
    daemon.orchestrator.breaks = False
    assert (await daemon.operations.reload()).taken


async def test_settings_and_catalogue_are_read_beside_the_loop(daemon: Daemon) -> None:
    """Files may be slow and catalogues large: bookings go on while they are read."""
    assert (await daemon.operations.reload()).taken
    assert daemon.read_on
    assert threading.get_ident() not in daemon.read_on
