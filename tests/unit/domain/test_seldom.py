"""What is seldom known of tasks and calls is shared until it is known."""

from __future__ import annotations

import copy
import pickle

import pytest
from msgspec import Struct, structs

from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.seldom import NO_AFTERMATH, NO_TROUBLE, Aftermath, Trouble, WithAftermath, WithTrouble
from jada_orchestrator.domain.workflow import NOT_CALLED, NOTHING, Call, Phase, Workflow


def test_who_changes_one_gets_one_of_its_own() -> None:
    """A call that is changed leaves all others, and what they share, as they were."""
    one, other = Call(), Call()
    assert one.trouble is other.trouble is NO_TROUBLE
    one.refusals += 2
    one.failure = Failure("BUSY", "try later")
    assert (one.refusals, one.failure) == (2, Failure("BUSY", "try later"))
    assert (other.refusals, other.failure) == (0, None)
    assert Trouble() == NO_TROUBLE
    assert other.trouble is NO_TROUBLE


def test_what_is_assigned_and_the_same_as_before_changes_nothing() -> None:
    """Saying of a call what is true of all of them takes no memory."""
    call = Call()
    call.maybe, call.settled_by, call.failure = False, UtcMs(0), None
    assert call.trouble is NO_TROUBLE


def test_what_is_shared_cannot_be_changed() -> None:
    """Neither the shared values nor the one call that nobody wanted yet can be written to."""
    with pytest.raises(AttributeError, match="immutable"):
        NO_TROUBLE.refusals = 1  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        NO_AFTERMATH.kept = True  # type: ignore[misc]
    with pytest.raises(AttributeError, match="own_call"):
        NOT_CALLED.maybe = True
    assert NOT_CALLED.trouble is NO_TROUBLE


def test_two_are_equal_that_say_the_same() -> None:
    """Whether a value is shared or one's own makes no difference, and copies are independent of each other."""
    call = Call(phase=Phase.READY)
    call.lookups = 3
    call.lookups = 0
    assert call == Call(phase=Phase.READY)
    call.lookups = 4
    for twin in (copy.copy(call), copy.deepcopy(call), structs.replace(call), pickle.loads(pickle.dumps(call))):  # noqa: S301 - our own
        assert twin == call
        twin.lookups = 5
        assert (call.lookups, twin.lookups) == (4, 5)


def test_one_more_failure_counts_or_does_not() -> None:
    """What a call's failures and losses add up to, none of which changes what was known before."""
    busy, gone = Failure("BUSY", "try later"), Failure("TIMEOUT", "no answer came")
    known = NO_TROUBLE.told(busy, counted=False).told(gone, counted=True)
    assert known == Trouble(refusals=1, failure=gone)
    lost = known.lost(UtcMs(9), gone, counted=True)
    assert lost == Trouble(refusals=1, maybe=True, settled_by=UtcMs(9), failure=gone)
    assert lost.lost(UtcMs(5), busy, counted=False) == structs.replace(lost, refusals=2, failure=busy)
    assert lost.told(busy, counted=True) == structs.replace(lost, failure=busy)
    assert Trouble() == NO_TROUBLE


@pytest.mark.parametrize(("kept", "read"), [(Trouble, WithTrouble), (Aftermath, WithAftermath)])
def test_every_part_is_a_field(kept: type[Struct], read: type) -> None:
    """Whatever is kept apart is read and assigned like a field, and nothing else is."""
    declared = [name for name, value in vars(read).items() if isinstance(value, property)]
    assert declared == list(kept.__struct_fields__)


def test_what_is_empty_is_the_same_in_all_workflows() -> None:
    """A new workflow has no container of its own for what comes seldom, and the shared one cannot be written to."""
    workflow = Workflow(WorkflowId("wf-1"))
    for found in (workflow.foreseen, workflow.grantable, workflow.active, workflow.waiting, workflow.to_skip):
        assert found is NOTHING
    with pytest.raises(TypeError):
        NOTHING["hold", "do"] = None  # type: ignore[index]
