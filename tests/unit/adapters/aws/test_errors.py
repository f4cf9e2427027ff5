"""The tables of failures: complete against the services' own models, and careful where nothing is proven."""

from __future__ import annotations

import errno
import socket
from typing import Any

import aiohttp
import botocore.session
import pytest
from aiohttp.client_reqrep import ConnectionKey
from botocore import exceptions as boto
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.adapters.aws import errors
from jada_orchestrator.adapters.aws.errors import LAMBDA_CODES, SQS_CODES, judge
from jada_orchestrator.domain.events import Failed, Lost

URL = "https://lambda.eu-west-1.amazonaws.com/"
KEY = ConnectionKey(
    "lambda.eu-west-1.amazonaws.com", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
)


def answered(status: int, code: str = "", *, headers: dict[str, str] | None = None, **more: Any) -> boto.ClientError:
    """An error that the service answered with."""
    response: Any = {
        "Error": {"Code": code, "Message": "said so"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
        **more,
    }
    return boto.ClientError(response, "Invoke")


def declared(service: str, operation: str) -> set[str]:
    """The codes that a service's model declares for an operation."""
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    return {str(shape.metadata.get("error", {}).get("code", shape.name)) for shape in model.error_shapes}


def test_every_declared_error_of_invoke_has_a_row() -> None:
    """Whatever the model declares for Invoke is in the table: nothing is left to the status alone."""
    assert declared("lambda", "Invoke") - LAMBDA_CODES.keys() == set()


def caused(error: Exception, cause: Exception) -> Exception:
    """Return an error that was raised from another."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "operation",
    ["SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "GetQueueUrl"],
)
def test_every_declared_error_of_sqs_has_a_row(operation: str) -> None:
    """Whatever the model declares for the operations in use is in the table."""
    assert declared("sqs", operation) - SQS_CODES.keys() == set()


@pytest.mark.parametrize(
    ("error", "fate", "code"),
    [
        (boto.ParamValidationError(report="x"), "never", "BAD_CALL"),
        (boto.NoCredentialsError(), "later", "BAD_CREDENTIALS"),
        (boto.CredentialRetrievalError(provider="p", error_msg="m"), "later", "BAD_CREDENTIALS"),
        (boto.SSLError(endpoint_url=URL, error=OSError("certificate")), "later", "TLS_FAILED"),
        (boto.ProxyConnectionError(proxy_url=URL), "later", "CANNOT_CONNECT"),
        (boto.ConnectTimeoutError(endpoint_url=URL), "later", "CANNOT_CONNECT"),
        (boto.ReadTimeoutError(endpoint_url=URL), "unknown", "CALL_TIMEOUT"),
        (TimeoutError(), "unknown", "CALL_TIMEOUT"),
        (boto.ConnectionClosedError(endpoint_url=URL), "unknown", "CONNECTION_CUT"),
        (boto.ResponseStreamingError(error="e"), "unknown", "CONNECTION_CUT"),
        (aiohttp.ClientPayloadError("cut"), "unknown", "CONNECTION_CUT"),
        (boto.HTTPClientError(error="e"), "unknown", "UNREADABLE_ANSWER"),
        (caused(boto.HTTPClientError(error="e"), OSError(errno.EMFILE, "too many")), "later", "NO_DESCRIPTORS"),
        (caused(boto.HTTPClientError(error="e"), OSError(errno.EIO, "disk")), "unknown", "UNREADABLE_ANSWER"),
        (KeyError("unforeseen"), "unknown", "UNREADABLE_ANSWER"),
        (answered(500, "BrandNewException"), "unknown", "SERVICE_ERROR"),
        (answered(418, "BrandNewException"), "never", "BAD_CALL"),
        (answered(429, "BrandNewException"), "later", "THROTTLED"),
        (answered(404), "later", "NOT_FOUND"),
        (answered(0), "unknown", "SERVICE_ERROR"),
    ],
)
def test_a_failure_is_judged(error: Exception, fate: str, code: str) -> None:
    """Each kind of failure has its fate; `later` and `never` only where nothing can have happened."""
    verdict = judge(error, LAMBDA_CODES)

    assert (verdict.fate, verdict.code) == (fate, code)


@pytest.mark.parametrize(
    ("cause", "fate", "code"),
    [
        (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "refused")), "later", "CANNOT_CONNECT"),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "unknown name")), "later", "CANNOT_CONNECT"),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.EMFILE, "too many")), "later", "NO_DESCRIPTORS"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "reset"), "unknown", "CONNECTION_CUT"),
        (aiohttp.ClientConnectionResetError("closing"), "unknown", "CONNECTION_CUT"),
        (None, "unknown", "CONNECTION_CUT"),
    ],
)
def test_could_not_connect_is_two_things(cause: Exception | None, fate: str, code: str) -> None:
    """Only a connection that was never made proves that nothing was sent; one reset in use proves nothing."""
    error = boto.EndpointConnectionError(endpoint_url=URL, error=cause)

    verdict = judge(error, LAMBDA_CODES)

    assert (verdict.fate, verdict.code) == (fate, code)


@given(status=st.integers(500, 599), code=st.text(max_size=20).filter(lambda code: code not in LAMBDA_CODES))
def test_an_unknown_server_error_is_never_called_failed(status: int, code: str) -> None:
    """A 5xx that the table does not know may stand for a call that was made."""
    assert isinstance(errors.result_of_error(answered(status, code), LAMBDA_CODES, "function f"), Lost)


@pytest.mark.parametrize(
    ("headers", "more", "expected"),
    [
        ({"retry-after": "3"}, {}, 3_000),
        ({"retry-after": "0.5"}, {}, 500),
        ({}, {"retryAfterSeconds": "2"}, 2_000),
        ({"retry-after": "1e9"}, {}, 900_000),
        ({"retry-after": "-1"}, {}, None),
        ({"retry-after": "nan"}, {}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, None),
        ({}, {}, None),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], more: dict[str, str], expected: int | None) -> None:
    """Seconds are read from the header or the body, within bounds; anything else counts as not said."""
    result = errors.result_of_error(
        answered(429, "TooManyRequestsException", headers=headers, **more), LAMBDA_CODES, "f"
    )

    assert isinstance(result, Failed)
    assert result.retry_after_ms == expected


def test_a_failure_says_whom_what_and_what_to_do() -> None:
    """The message names the function, the service's words with its reason, and the operator's next step."""
    error = answered(429, "TooManyRequestsException", Reason="ConcurrentInvocationLimitExceeded")

    result = errors.result_of_error(error, LAMBDA_CODES, "function jada-flights:live")

    assert result.failure.message == (
        "function jada-flights:live: TooManyRequestsException: said so (ConcurrentInvocationLimitExceeded) "
        "Raise the concurrency limit or lower the agent's own in the catalogue."
    )


def test_what_a_service_says_is_shortened() -> None:
    """A page of HTML does not become a log line of its own length."""
    assert len(errors.describe(RuntimeError("x" * 10_000))) == errors.MESSAGE_CHARS_MAX


def test_a_failed_preparation_is_not_a_lost_call() -> None:
    """If looking the queue up ended in doubt, the message itself was certainly not sent."""
    assert errors.unsent(errors.CALL_TIMEOUT).fate == "later"
    assert errors.unsent(errors.BAD_CALL).fate == "never"
