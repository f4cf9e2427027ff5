"""An outcome as its message carries it: whole, or small and with a reference to the whole in the bucket.

The form depends on the content and on whether there is a bucket, on nothing else: an outcome that is told again, after
a kill or because the frontend asked again, is the same text and the same object. So a bucket that cannot be reached is
waited for, like a queue, and never gone round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.limits import OUTCOME_BYTES_MAX
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.engine.outcomes import without_outputs
from jada_orchestrator.ports.payloads import PayloadError, PayloadStore

FOLDER: Final = "outcomes/"
"""Below the place for payloads: a frontend is let in here, and not to what agents say to each other."""
_NEVER: Final = frozenset({"PAYLOAD_TOO_LARGE", "PAYLOAD_REFUSED"})
"""What lies at the content itself: no bucket will ever take it."""


async def outcome_text(
    content: JsonObject,
    write: Callable[[JsonObject], str],
    payloads: PayloadStore | None,
    tell: Callable[[str], None],
) -> str:
    """Return the message of an outcome, at most `OUTCOME_BYTES_MAX` long; `write` makes the text of a content.

    One that is larger says where the whole content lies, which is there by then. Where no bucket can take it, it goes
    without what agents answered, and `tell` is given the reason.

    Raises: PayloadError, when the bucket may take it later.
    """
    text = write(content)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= OUTCOME_BYTES_MAX:
        return text
    ref: PayloadRef | None = None
    if payloads is None:
        tell(f"has {size} bytes, {OUTCOME_BYTES_MAX} are sent; set offload.bucket to let a bucket carry what is larger")
    else:
        try:
            ref = await payloads.put(content, folder=FOLDER)
        except PayloadError as error:
            if error.code not in _NEVER:
                raise
            tell(f"has {size} bytes, {OUTCOME_BYTES_MAX} are sent, and the bucket cannot take it: {error}")
    return write(without_outputs(content, ref))
