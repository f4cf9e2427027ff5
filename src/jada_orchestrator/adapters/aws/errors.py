"""What every failure of an AWS call means, as tables.

One question decides everything: can the call have had an effect? A function that may have run may have booked the room,
so `unknown` is the answer wherever nothing proves the opposite, and the last row for everything unforeseen.

| fate | what it says | becomes |
|---|---|---|
| `later` | certainly not done; may succeed once something passes or somebody mends it | `Failed`, retryable |
| `never` | certainly not done; this very call will be refused for ever | `Failed`, not retryable |
| `unknown` | perhaps done | `Lost` |

A missing function or queue, a missing permission and a bad key are `later`: a deployment passes and a role can be
mended, and the engine's own budget of refusals bounds the wait; giving a booking up for either would lose it.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

import aiohttp
from botocore import exceptions as boto

from jada_orchestrator.domain.events import Failed, Lost
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.ports.queues import QueueError

Fate: TypeAlias = Literal["later", "never", "unknown"]

MESSAGE_CHARS_MAX: Final = 500
"""Of what a service says about its failure; a stack trace belongs in its own log."""
_RETRY_AFTER_MAX_S: Final = 900.0
"""A service that asks for more than a quarter of an hour is believed for that long, and asked again."""


class AwsSetupError(Exception):
    """The process has no region, no credentials or a broken AWS profile.

    Raised when the clients are opened, before anything is sent. The operator sets what the message names.
    """


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one kind of failure means: its fate, a code for programs, and what the operator does about it."""

    fate: Fate
    code: str
    advice: str = ""


THROTTLED: Final = Verdict(
    "later", "THROTTLED", "Raise the concurrency limit or lower the agent's own in the catalogue."
)
DENIED: Final = Verdict("later", "ACCESS_DENIED", "Give the role the permission that the message names.")
BAD_CREDENTIALS: Final = Verdict("later", "BAD_CREDENTIALS", "Renew the AWS credentials and check the host's clock.")
NOT_FOUND: Final = Verdict("later", "NOT_FOUND", "Create it, or correct its name in the catalogue or the settings.")
KEY_TROUBLE: Final = Verdict("later", "KMS_KEY_UNUSABLE", "Check the KMS key and the role's right to use it.")
NOT_READY: Final = Verdict("later", "FUNCTION_NOT_READY", "Wait for the deployment to end.")
NOT_STARTED: Final = Verdict("later", "FUNCTION_NOT_STARTED", "Mend the function's network, runtime or package.")
BAD_CALL: Final = Verdict("never", "BAD_CALL", "The call itself is wrong; correct the catalogue.")
TOO_LARGE: Final = Verdict("never", "TOO_LARGE", "Send less: large data belongs in a bucket.")
SERVICE_ERROR: Final = Verdict("unknown", "SERVICE_ERROR", "")
CONNECTION_CUT: Final = Verdict("unknown", "CONNECTION_CUT", "")
CALL_TIMEOUT: Final = Verdict("unknown", "CALL_TIMEOUT", "")
UNREADABLE: Final = Verdict("unknown", "UNREADABLE_ANSWER", "Check what stands between this host and AWS.")
FUNCTION_ERROR: Final = Verdict("unknown", "FUNCTION_ERROR", "Read the function's log.")
ANSWER_TOO_LARGE: Final = Verdict(
    "unknown", "ANSWER_TOO_LARGE", "Let the agent answer less: large data belongs in a bucket."
)
CANNOT_CONNECT: Final = Verdict("later", "CANNOT_CONNECT", "Check AWS_ENDPOINT_URL, the network and the name service.")
NO_DESCRIPTORS: Final = Verdict("later", "NO_DESCRIPTORS", "Raise LimitNOFILE or lower the connection limits.")
NO_TIME_TO_SEND: Final = Verdict("later", "NO_TIME_TO_SEND", "Raise the connection limit if this happens often.")

_COMMON_CODES: Final[dict[str, Verdict]] = {
    **dict.fromkeys(
        ("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
        THROTTLED,
    ),
    **dict.fromkeys(
        ("TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException", "SlowDown"), THROTTLED
    ),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "NotAuthorized", "OptInRequired", "InvalidSecurity"), DENIED
    ),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"), BAD_CREDENTIALS
    ),
    **dict.fromkeys(
        ("UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch"), BAD_CREDENTIALS
    ),
    **dict.fromkeys(("IncompleteSignature", "MissingAuthenticationToken"), BAD_CREDENTIALS),
    **dict.fromkeys(("IncompleteSignatureException", "MissingAuthenticationTokenException"), BAD_CREDENTIALS),
}

LAMBDA_CODES: Final[dict[str, Verdict]] = {
    **_COMMON_CODES,
    "ResourceNotFoundException": NOT_FOUND,
    "NoPublishedVersionException": NOT_FOUND,
    **dict.fromkeys(
        ("ResourceConflictException", "ResourceNotReadyException", "SnapStartNotReadyException"), NOT_READY
    ),
    **dict.fromkeys(
        ("CodeArtifactUserPendingException", "SnapStartTimeoutException", "ENINotReadyException"), NOT_READY
    ),
    **dict.fromkeys(("KMSAccessDeniedException", "KMSDisabledException"), KEY_TROUBLE),
    **dict.fromkeys(("KMSInvalidStateException", "KMSNotFoundException"), KEY_TROUBLE),
    **dict.fromkeys(("InvalidRuntimeException", "InvalidZipFileException", "InvalidSubnetIDException"), NOT_STARTED),
    **dict.fromkeys(("InvalidSecurityGroupIDException", "ENILimitReachedException"), NOT_STARTED),
    **dict.fromkeys(("SubnetIPAddressLimitReachedException", "EC2AccessDeniedException"), NOT_STARTED),
    **dict.fromkeys(("EC2ThrottledException", "EC2UnexpectedException"), NOT_STARTED),
    **dict.fromkeys(
        ("EFSMountConnectivityException", "EFSMountFailureException", "EFSMountTimeoutException"), NOT_STARTED
    ),
    **dict.fromkeys(("S3FilesMountConnectivityException", "S3FilesMountFailureException"), NOT_STARTED),
    **dict.fromkeys(("S3FilesMountTimeoutException", "SnapStartException"), NOT_STARTED),
    **dict.fromkeys(("SnapStartRegenerationFailureException", "CodeArtifactUserFailedException"), NOT_STARTED),
    **dict.fromkeys(("CodeArtifactUserDeletedException", "ServiceQuotaExceededException"), NOT_STARTED),
    **dict.fromkeys(("InvalidParameterValueException", "InvalidRequestContentException"), BAD_CALL),
    **dict.fromkeys(("UnsupportedMediaTypeException", "ModeNotSupportedException"), BAD_CALL),
    "RecursiveInvocationException": BAD_CALL,
    **dict.fromkeys(("RequestTooLargeException", "SerializedRequestEntityTooLargeException"), TOO_LARGE),
    "ServiceException": SERVICE_ERROR,
    # The file system failed while it was in use: the function may have been half way.
    "EFSIOException": SERVICE_ERROR,
    # Cannot happen to a call without a name of its own; if it does, something runs.
    "DurableExecutionAlreadyStartedException": SERVICE_ERROR,
}
"""Every error that the service's model declares for Invoke (a test compares)."""

MISSING_QUEUE_CODES: Final = frozenset(
    {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "NonExistentQueue"}
)
BATCH_TOO_LONG_CODES: Final = frozenset({"BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"})

SQS_CODES: Final[dict[str, Verdict]] = {
    **_COMMON_CODES,
    **dict.fromkeys(MISSING_QUEUE_CODES, NOT_FOUND),
    "InvalidAddress": NOT_FOUND,
    **dict.fromkeys(("OverLimit", "KmsThrottled", "KMS.ThrottlingException"), THROTTLED),
    **dict.fromkeys(("KmsDisabled", "KmsInvalidState", "KmsNotFound", "KmsOptInRequired"), KEY_TROUBLE),
    **dict.fromkeys(("KmsAccessDenied", "KmsInvalidKeyUsage"), KEY_TROUBLE),
    **dict.fromkeys(BATCH_TOO_LONG_CODES, TOO_LARGE),
    **dict.fromkeys(("InvalidMessageContents", "InvalidParameterValue", "UnsupportedOperation"), BAD_CALL),
    **dict.fromkeys(("TooManyEntriesInBatchRequest", "EmptyBatchRequest", "BatchEntryIdsNotDistinct"), BAD_CALL),
    "InvalidBatchEntryId": BAD_CALL,
}
"""Every error that the service's model declares for the operations in use (a test compares), under both names."""

_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})

_CAUSES_MAX: Final = 10
"""Links of a chain of causes that are looked at: a chain may lead back to its beginning."""

_STATUS: Final[dict[int, Verdict]] = {
    401: DENIED,
    403: DENIED,
    404: NOT_FOUND,
    407: DENIED,
    # Says that the request did not arrive in time, perhaps because something on the way was slow to pass it on.
    408: CALL_TIMEOUT,
    413: TOO_LARGE,
    429: THROTTLED,
}
"""For answers whose code nobody knows: a proxy's, a stand-in's, or one that AWS adds later."""

_TRANSPORT: Final[tuple[tuple[type[Exception], Verdict], ...]] = (
    (boto.ParamValidationError, BAD_CALL),
    (boto.NoCredentialsError, BAD_CREDENTIALS),
    (boto.PartialCredentialsError, BAD_CREDENTIALS),
    (boto.CredentialRetrievalError, BAD_CREDENTIALS),
    (boto.TokenRetrievalError, BAD_CREDENTIALS),
    (boto.SSOError, BAD_CREDENTIALS),
    (boto.SSLError, Verdict("later", "TLS_FAILED", "Check AWS_CA_BUNDLE and the endpoint's certificate.")),
    (boto.ProxyConnectionError, Verdict("later", "CANNOT_CONNECT", "Check HTTPS_PROXY and the proxy.")),
    (boto.ConnectTimeoutError, CANNOT_CONNECT),
    (boto.ReadTimeoutError, CALL_TIMEOUT),
    (TimeoutError, CALL_TIMEOUT),
    (boto.ConnectionClosedError, CONNECTION_CUT),
    (boto.ResponseStreamingError, CONNECTION_CUT),
    (boto.IncompleteReadError, CONNECTION_CUT),
    (aiohttp.ClientPayloadError, CONNECTION_CUT),
)
"""Failures without an answer. The first row that fits counts; what fits none is `UNREADABLE`."""


def judge(error: Exception, codes: dict[str, Verdict]) -> Verdict:
    """Return what a failed call means; `codes` is the service's own table. Total: every exception has a verdict."""
    match error:
        case boto.ClientError():
            return _judge_answer(error, codes)
        case boto.EndpointConnectionError():
            return _judge_connection(error)
        case _ if _has_no_descriptors(error):
            return NO_DESCRIPTORS
        case _:
            return next((verdict for kind, verdict in _TRANSPORT if isinstance(error, kind)), UNREADABLE)


def unsent(verdict: Verdict) -> Verdict:
    """Return the verdict on a failure in preparing a call: whatever became of that, the call itself was not made."""
    return replace(verdict, fate="later") if verdict.fate == "unknown" else verdict


def _judge_answer(error: boto.ClientError, codes: dict[str, Verdict]) -> Verdict:
    """The service answered with an error: by its code, else by the HTTP status."""
    verdict = codes.get(error_code(error))
    if verdict is not None:
        return verdict
    status = _status(error)
    if status in _STATUS:
        return _STATUS[status]
    return BAD_CALL if 400 <= status < 500 else SERVICE_ERROR


def _judge_connection(error: boto.EndpointConnectionError) -> Verdict:
    """Tell apart what aiobotocore calls "could not connect": a connection never made, and one that broke in use.

    Only the first proves that nothing was sent. Having no descriptor left looks the same and is told by its errno.
    """
    cause = error.kwargs.get("error")
    if not isinstance(cause, aiohttp.ClientConnectorError):
        return CONNECTION_CUT
    if cause.os_error.errno in _NO_DESCRIPTORS:
        return NO_DESCRIPTORS
    return CANNOT_CONNECT


def _has_no_descriptors(error: BaseException | None) -> bool:
    """Whether the process or the host had no descriptor left, wherever in the chain of causes it stands.

    Only opening something can fail so, never a connection that is open: nothing was sent.
    """
    for _ in range(_CAUSES_MAX):
        if error is None:
            return False
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS:
            return True
        error = error.__cause__ or error.__context__
    return False


def error_code(error: boto.ClientError) -> str:
    """Return the service's code of an error."""
    details: Any = error.response.get("Error", {})
    return str(details.get("Code", ""))


def _status(error: boto.ClientError) -> int:
    metadata: Any = error.response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))


def is_missing_queue(error: Exception) -> bool:
    """Whether the queue is not there, or not any more under this URL."""
    return isinstance(error, boto.ClientError) and error_code(error) in MISSING_QUEUE_CODES


def is_batch_too_long(error: Exception) -> bool:
    """Whether a batch was refused for its size as a whole: nothing of it was taken."""
    return isinstance(error, boto.ClientError) and error_code(error) in BATCH_TOO_LONG_CODES


def retry_after_ms(error: Exception) -> int | None:
    """Return how long the service asked to be left alone: `Retry-After` in seconds, the only form that AWS sends."""
    if not isinstance(error, boto.ClientError):
        return None
    response: Any = error.response
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    text = str(headers.get("retry-after") or response.get("retryAfterSeconds") or "")
    try:
        seconds = float(text)
    except ValueError:
        return None
    # Written so that NaN, which compares with nothing, falls out as well.
    return int(min(seconds, _RETRY_AFTER_MAX_S) * 1000) if seconds >= 0 else None


def describe(error: Exception) -> str:
    """Return what happened in one line, as the service or the client says it."""
    if isinstance(error, boto.ClientError):
        response: Any = error.response
        details = response.get("Error", {})
        reason = response.get("Reason")
        text = f"{error_code(error) or _status(error)}: {details.get('Message', '')}" + (
            f" ({reason})" if reason else ""
        )
    else:
        text = f"{type(error).__name__}: {error}"
    return clip(" ".join(text.split()))


def clip(text: str, chars_max: int = MESSAGE_CHARS_MAX) -> str:
    """Return a text, shortened to a length if need be, with a sign that it was."""
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


def failure_of(verdict: Verdict, subject: str, what: str) -> Failure:
    """Return a failure that names the function or queue, what happened, and what to do."""
    return Failure(verdict.code, f"{subject}: {what}" + (f" {verdict.advice}" if verdict.advice else ""))


def result_of(verdict: Verdict, subject: str, what: str, *, after_ms: int | None = None) -> Failed | Lost:
    """Return what an attempt came to that ended in this way."""
    failure = failure_of(verdict, subject, what)
    if verdict.fate == "unknown":
        return Lost(failure)
    return Failed(failure, retryable=verdict.fate == "later", answered=False, retry_after_ms=after_ms)


def result_of_error(error: Exception, codes: dict[str, Verdict], subject: str) -> Failed | Lost:
    """Return what an attempt came to whose call raised."""
    return result_of(judge(error, codes), subject, describe(error), after_ms=retry_after_ms(error))


def queue_error(error: Exception, queue: str, doing: str) -> QueueError:
    """Return the port's error for a failed call to a queue."""
    if is_missing_queue(error):
        return QueueError(
            f"{doing} {queue}: there is no queue of this name in this account and region. "
            f"Create it (aws sqs create-queue --queue-name {queue}), or correct the setting that names it."
        )
    failure = failure_of(judge(error, SQS_CODES), queue, describe(error))
    return QueueError(f"{doing} {failure.message} [{failure.code}]")
