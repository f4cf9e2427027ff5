"""The short signature is botocore's own, byte for byte."""

from __future__ import annotations

import calendar
import time
from typing import Final

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.adapters.aws.fast_signing import Scope, Signing

URL: Final = "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/jada-x/invocations?Qualifier=live"
SCOPE: Final = Scope("eu-west-1", "lambda")
HEADERS: Final = {
    "X-Amz-Invocation-Type": "RequestResponse",
    "User-Agent": "Boto3/1",
    "Content-Type": "application/json",
}


def by_botocore(credentials: ReadOnlyCredentials, payload: bytes, url: str = URL) -> tuple[dict[str, str], int]:
    """What botocore makes of a request now, and the second in which it did."""
    request = AWSRequest("POST", url, headers=dict(HEADERS), data=payload)
    SigV4Auth(credentials, SCOPE.service, SCOPE.region).add_auth(request)
    stamp = time.strptime(str(request.context["timestamp"]), "%Y%m%dT%H%M%SZ")
    return dict(request.headers.items()), calendar.timegm(stamp)


@pytest.mark.parametrize("token", [None, "a-session-token/+="])
@pytest.mark.parametrize(
    "url", [URL, URL.partition("?")[0], "http://127.0.0.1:4566/2015-03-31/functions/a%3Ab/invocations"]
)
@given(payload=st.binary(max_size=200))
def test_it_signs_as_botocore_does(token: str | None, url: str, payload: bytes) -> None:
    """With and without a session token and a qualifier: for the same second, all headers are the same."""
    credentials = ReadOnlyCredentials("AKID", "secret", token)
    expected, second = by_botocore(credentials, payload, url)
    signing = Signing(credentials, SCOPE, url, HEADERS, now=lambda: second + 0.5)
    signing.sign(b"the first is botocore's own")
    assert signing.is_short

    assert signing.sign(payload) == expected


def test_a_new_day_has_a_new_key() -> None:
    """Crossing midnight changes the scope and the key, as a fresh signing of that day has them."""
    now = [1_800_057_599.0]
    signing = Signing(ReadOnlyCredentials("AKID", "secret", None), SCOPE, URL, HEADERS, now=lambda: now[0])
    signing.sign(b"")
    before = signing.sign(b"x")["Authorization"]
    now[0] += 1
    after = signing.sign(b"x")["Authorization"]
    fresh = Signing(ReadOnlyCredentials("AKID", "secret", None), SCOPE, URL, HEADERS, now=lambda: now[0])
    fresh.sign(b"")
    assert "/20270115/" in before
    assert "/20270116/" in after
    assert after == fresh.sign(b"x")["Authorization"]


def test_what_is_not_foreseen_is_signed_by_botocore() -> None:
    """A header that holds the body's own hash leaves no unambiguous hole: botocore signs each request in full."""
    body_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    signing = Signing(ReadOnlyCredentials("AKID", "secret", None), SCOPE, URL, {**HEADERS, "X-Amz-Odd": body_hash})
    signing.sign(b"")
    assert not signing.is_short
    assert "Signature=" in signing.sign(b"x")["Authorization"]
