"""Members of enumerations under names of their own, for what looks at them several times a record.

Python 3.11 takes 270 ns to find a member by ``Phase.READY``, since the metaclass of enumerations has a `__getattr__`;
a name of a module takes 20. It was looked for some forty times a task, which was a twelfth of all that a task cost.
From Python 3.12 on there is no difference.
"""

from __future__ import annotations

from typing import Final

from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.workflow import Phase, Status

WAITING: Final = Phase.WAITING
READY: Final = Phase.READY
CALLING: Final = Phase.CALLING
BACKING_OFF: Final = Phase.BACKING_OFF
LOST: Final = Phase.LOST
AWAITING: Final = Phase.AWAITING
LOOKUP_READY: Final = Phase.LOOKUP_READY
LOOKING_UP: Final = Phase.LOOKING_UP
SUCCEEDED: Final = Phase.SUCCEEDED
FAILED: Final = Phase.FAILED
UNRESOLVED: Final = Phase.UNRESOLVED
SKIPPED: Final = Phase.SKIPPED

READ: Final = Effect.READ
RESERVE: Final = Effect.RESERVE
COMMIT: Final = Effect.COMMIT

PLANNING: Final = Status.PLANNING
RUNNING: Final = Status.RUNNING
AWAITING_APPROVAL: Final = Status.AWAITING_APPROVAL
NEEDS_CLARIFICATION: Final = Status.NEEDS_CLARIFICATION
COMPENSATING: Final = Status.COMPENSATING
