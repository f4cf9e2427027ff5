"""A gate lets one probe through at a time, then more, and is told of its trouble once."""

from __future__ import annotations

import pytest

from jada_orchestrator.capacity.gates import Gate, GatePhase, Patience


@pytest.fixture
def gate() -> Gate:
    """A gate that closes for one second first and for eight at most."""
    return Gate(Patience(1_000, 8_000), full_window=4)


def test_closed_it_lets_one_probe_go_after_its_instant(gate: Gate) -> None:
    """Nobody passes before `until`; then one call does, and nobody beside it."""
    assert gate.close(gate.passed(), 0, "429", at_least_ms=3_000)
    assert not gate.may_pass(2_999)
    assert gate.may_pass(3_000)
    gate.passed()
    assert gate.phase is GatePhase.PROBING
    assert not gate.may_pass(99_000)


def test_each_failed_probe_doubles_the_pause(gate: Gate) -> None:
    """The pause doubles with every failed probe, up to its bound, and only the first closing is news."""
    now, pauses = 0, []
    for number in range(5):
        assert gate.close(gate.passed(), now, "529") is (number == 0)
        pauses.append(gate.until - now)
        now = gate.until
    assert pauses == [1_000, 2_000, 4_000, 8_000, 8_000]


def test_after_a_probe_the_window_grows_until_it_is_open(gate: Gate) -> None:
    """One answer lets two go, each further answer one more at a time; at the full window the gate is open."""
    gate.close(gate.passed(), 0, "529")
    gate.answered(probe := gate.passed() if gate.may_pass(1_000) else -1)
    assert probe == gate.epoch
    epochs = [gate.passed() for _ in range(4) if gate.may_pass(1_000)]
    assert len(epochs) == 2
    assert [gate.answered(epoch) for epoch in epochs] == [False, True]
    assert gate.phase is GatePhase.OPEN


def test_what_was_under_way_when_it_closed_counts_once(gate: Gate) -> None:
    """Sixteen failures of calls that passed together are one closing, which lasts as long as the longest asked for."""
    epochs = [gate.passed() for _ in range(16)]
    told = [gate.close(epoch, 10, "429", at_least_ms=1_000 + epoch + number) for number, epoch in enumerate(epochs)]
    assert told.count(True) == 1
    assert gate.trips == 1
    assert gate.until == 10 + 1_015


def test_a_late_answer_does_not_open_it(gate: Gate) -> None:
    """The answer to a call from before the closing says nothing of the limit that was hit after it."""
    early, late = gate.passed(), gate.passed()
    gate.close(late, 0, "429")
    assert not gate.answered(early)
    assert gate.phase is GatePhase.CLOSED


def test_an_abandoned_probe_is_made_anew(gate: Gate) -> None:
    """When the probe is cancelled, the next who asks is the probe."""
    gate.close(gate.passed(), 0, "529")
    gate.left(gate.passed(), 5_000)
    assert gate.may_pass(5_000)
