"""What a recovery keeps from Python's garbage collector, and until when."""

from __future__ import annotations

import gc
import weakref

from jada_orchestrator.domain.events import TimerFired
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.runtime.collecting import collect_what_has_ended, without_collection
from jada_orchestrator.runtime.inbox import Inbox, Item, Receipt


class Ring:
    """Something that refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_recovery_made_is_not_searched_until_its_life_has_ended() -> None:
    """Cycles of a recovery outlast every search; once the process begins anew they are garbage like any other."""
    assert gc.isenabled()
    with without_collection():
        ring = Ring()
        assert not gc.isenabled()
    seen = weakref.ref(ring)
    del ring
    gc.collect()
    assert seen() is not None
    collect_what_has_ended()
    assert seen() is None
    assert gc.isenabled()


class Sender:
    """Somebody who puts events into an inbox, and is told what became of them."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    def told(self, receipt: Receipt) -> None:
        """Hear of one."""


def test_events_that_wait_keep_no_ended_life_in_memory() -> None:
    """What waits in an inbox leads back to it by its receipt: when a life has ended, the collector finds them all."""
    inbox = Inbox()
    inbox.put(Item(WorkflowId("wf-1"), TimerFired(), Sender(inbox).told))
    seen = weakref.ref(inbox)
    del inbox
    gc.collect()
    assert seen() is None
