"""Records as they are stored: a stable kind name, a version, and JSON; and back again, for every version ever written.

A payload is the record's fields as compact JSON, so that an operator can read a store with any SQLite shell. The name
of a kind and the meaning of a version never change. When a record class must change in a way that a field with a
default cannot express, raise its version in `VERSIONS` and add the upcaster from the version before to `UPCASTERS`;
golden files in `tests/golden` prove that what was written then is still read now.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

import msgspec
from msgspec import Struct
from pydantic import TypeAdapter, ValidationError

from jada_orchestrator.adapters.journal.packed_decoders import (
    as_kept,
    as_read,
    as_stored,
    decode_attempt,
    decode_success,
)
from jada_orchestrator.adapters.journal.plan_decoder import PlanDecoder
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.foreseen import TaskForeseen
from jada_orchestrator.domain.template import Template
from jada_orchestrator.ports.journal import JournalCorruptError, JournalVersionError

KINDS: Final[Mapping[str, type[Any]]] = {
    "workflow_accepted": r.WorkflowAccepted,
    "workflow_rejected": r.WorkflowRejected,
    "planning_started": r.PlanningStarted,
    "planner_answered": r.PlannerAnswered,
    "proposal_faulted": r.ProposalFaulted,
    "planner_backed_off": r.PlannerBackedOff,
    "planner_gave_up": r.PlannerGaveUp,
    "model_raised": r.ModelRaised,
    "task_foreseen": TaskForeseen,
    "plan_adopted": r.PlanAdopted,
    "revision_asked": r.RevisionAsked,
    "revision_given_up": r.RevisionGivenUp,
    "clarification_asked": r.ClarificationAsked,
    "clarification_answered": r.ClarificationAnswered,
    "attempt_started": r.AttemptStarted,
    "task_backed_off": r.TaskBackedOff,
    "attempt_lost": r.AttemptLost,
    "lookup_ended": r.LookupEnded,
    "call_due": r.CallDue,
    "task_succeeded": r.TaskSucceeded,
    "task_failed": r.TaskFailed,
    "task_unresolved": r.TaskUnresolved,
    "task_skipped": r.TaskSkipped,
    "branch_taken": r.BranchTaken,
    "task_expanded": r.TaskExpanded,
    "task_joined": r.TaskJoined,
    "compensation_started": r.CompensationStarted,
    "undo_started": r.UndoStarted,
    "refresh_started": r.RefreshStarted,
    "task_compensated": r.TaskCompensated,
    "task_stands": r.TaskStands,
    "await_started": r.AwaitStarted,
    "choice_answered": r.ChoiceAnswered,
    "cancel_requested": r.CancelRequested,
    "approval_requested": r.ApprovalRequested,
    "approval_decided": r.ApprovalDecided,
    "undo_question_asked": r.UndoQuestionAsked,
    "undo_question_answered": r.UndoQuestionAnswered,
    "task_kept": r.TaskKept,
    "retry_started": r.RetryStarted,
    "retry_asked": r.RetryAsked,
    "attention_settled": r.AttentionSettled,
    "quarantined": r.Quarantined,
    "released": r.Released,
    "outcome_decided": r.OutcomeDecided,
    "outcome_delivered": r.OutcomeDelivered,
    "outcome_reopened": r.OutcomeReopened,
    "dead_letter_decided": r.DeadLetterDecided,
    "dead_letter_delivered": r.DeadLetterDelivered,
    "workflow_ended": r.WorkflowEnded,
    "workflow_retired": r.WorkflowRetired,
}
"""Every kind of record by the name under which it is stored, for ever."""

VERSIONS: Final[Mapping[str, int]] = {}
"""The version in which a kind is written now, where it is not 1."""

Upcaster: TypeAlias = Callable[[JsonObject], JsonObject]
"""Takes the fields of one version and returns those of the next."""

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {}
"""From (kind, version) to the next version; there is one for every version below the present one."""

CATALOGUE_VERSION: Final = 1

SINCE: Final[Mapping[str, int]] = {"attention_settled": 2, "workflow_retired": 2}
"""The format of records in which a kind came, or got a version or a field, where that is not format 1.

The formats count what an older program would read wrongly or not at all. Programs of several formats may share a store:
none is given a workflow with a record of a format that it does not know. A format that was released is never added to;
`tests/golden/formats` holds what each kind looked like in it.
"""

CATALOGUE_SINCE: Final = 1
"""The format in which the present form of catalogues came: every workflow needs one to be read."""


class Encoded(Struct, frozen=True, gc=False):
    """A record as it is stored. `payload` is one line of UTF-8 JSON."""

    kind: str
    version: int
    payload: bytes


class RecordCodec:
    """Encodes and decodes records; any thread may use it. Decoders are built once."""

    def __init__(
        self,
        kinds: Mapping[str, type[Any]] = KINDS,
        versions: Mapping[str, int] = VERSIONS,
        upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
        since: Mapping[str, int] = SINCE,
    ) -> None:
        self._since = dict(since)
        self.format: Final = max(CATALOGUE_SINCE, *since.values(), 1)
        """The newest format that is read here."""
        self._classes = dict(kinds)
        self._upcasters = dict(upcasters)
        self._written_as = {cls: (kind, versions.get(kind, 1)) for kind, cls in kinds.items()}
        self._decoders: dict[tuple[str, int], Callable[[bytes | str], r.Record]] = {
            (kind, versions.get(kind, 1)): _decoder_of(cls) for kind, cls in kinds.items()
        }
        self._encode = msgspec.json.Encoder(enc_hook=as_stored).encode

    def encode(self, record: r.Record) -> Encoded:
        """Return the record as it is stored.

        Raises:
            JournalCorruptError: the record holds what JSON cannot say. Its maker is at fault; nothing was written.
        """
        kind, version = self._written_as[type(record)]
        try:
            payload = self._encode(record)
        except UnicodeEncodeError:
            payload = _escaped(record)
        except (TypeError, ValueError, RecursionError) as error:
            msg = f"a record of kind {kind} cannot be stored, because it holds what JSON cannot say: {error}"
            raise JournalCorruptError(msg) from error
        return Encoded(kind, version, payload)

    def format_of(self, kind: str) -> int:
        """Return the format that a program has to know to read what this one writes as this kind."""
        return max(CATALOGUE_SINCE, self._since.get(kind, 1))

    def decode(self, kind: str, version: int, payload: bytes | str) -> r.Record:
        """Return the record that was stored.

        Raises:
            JournalVersionError: a newer program wrote this kind or version.
            JournalCorruptError: the payload is not what this kind's payload can be.
        """
        decoder = self._decoders.get((kind, version))
        if decoder is None:
            return self._decode_older(kind, version, payload)
        try:
            return decoder(payload)
        except (ValueError, RecursionError):
            # Either damage, or what `_escaped` wrote, which only the standard library reads.
            return self._converted(kind, version, version, payload)

    def _decode_older(self, kind: str, version: int, payload: bytes | str) -> r.Record:
        cls = self._classes.get(kind)
        present = self._written_as[cls][1] if cls is not None else 0
        if version > present or version < 1:
            msg = (
                f"the journal holds a record of kind {kind!r}, version {version}, which this version of the program "
                "does not know: run the newer version that wrote it"
            )
            raise JournalVersionError(msg)
        return self._converted(kind, version, present, payload)

    def _converted(self, kind: str, version: int, present: int, payload: bytes | str) -> r.Record:
        try:
            fields = json.loads(payload)
            for earlier in range(version, present):
                fields = self._upcasters[kind, earlier](fields)
            return cast("r.Record", msgspec.convert(fields, self._classes[kind], dec_hook=as_kept))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            msg = f"a stored record of kind {kind} (version {version}) is damaged: {error}"
            raise JournalCorruptError(msg) from error


def _decoder_of(cls: type[Any]) -> Callable[[bytes | str], r.Record]:
    if cls is r.PlanAdopted:
        return PlanDecoder()
    if cls is r.AttemptStarted:
        return decode_attempt
    return decode_success if cls is r.TaskSucceeded else msgspec.json.Decoder(cls).decode


def _escaped(record: r.Record) -> bytes:
    r"""Encode a record that holds lone surrogates (a message may be anybody's), which only ``\uXXXX`` can say."""
    fields = msgspec.to_builtins(record, enc_hook=as_read)
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def encode_template(template: Template) -> str:
    """Return a template as it is stored: its fields as one line of JSON."""
    return msgspec.json.encode(template).decode()


def decode_template(payload: bytes | str) -> Template:
    """Return the template that was stored. Raises: JournalCorruptError."""
    try:
        return msgspec.json.decode(payload, type=Template)
    except ValueError as error:
        msg = f"a stored template is damaged: {error}"
        raise JournalCorruptError(msg) from error


_CATALOGUE: Final = TypeAdapter(Catalogue)
"""Pydantic, because msgspec takes no untagged unions of dataclasses (transports); catalogues are read at start only."""


def encode_catalogue(catalogue: Catalogue) -> bytes:
    """Return a catalogue as it is stored (in version `CATALOGUE_VERSION`)."""
    return _CATALOGUE.dump_json(catalogue)


def decode_catalogue(version: int, payload: bytes | str) -> Catalogue:
    """Return the catalogue that was stored.

    Raises:
        JournalVersionError: a newer program wrote it.
        JournalCorruptError: the payload is no catalogue.
    """
    if version != CATALOGUE_VERSION:
        msg = f"the journal holds a catalogue in version {version} of its form: run the newer version that wrote it"
        raise JournalVersionError(msg)
    try:
        return _CATALOGUE.validate_json(payload)
    except ValidationError as error:
        msg = f"a stored catalogue is damaged: {error}"
        raise JournalCorruptError(msg) from error
