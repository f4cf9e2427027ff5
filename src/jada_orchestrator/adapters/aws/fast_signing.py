"""Signatures of requests that differ in date and body only: botocore's canonical form, asked for once.

botocore's signer (SigV4) spends some 150 microseconds a request on putting the same headers into the same canonical
form. Here it signs one request in full; the canonical text that it made is kept with holes for date and body, and the
three hashes of a signature are computed from it. Before a form is used, its own signature of that request is compared
with botocore's: where they differ (a header that we do not foresee), botocore goes on signing every request in full.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_DATE_HOLE: Final = "\x00date\x00"


@dataclass(frozen=True, slots=True)
class Scope:
    """For which region and service a signature counts."""

    region: str
    service: str


class _Watched(SigV4Auth):
    """botocore's signer, which also keeps the canonical form that it made."""

    canonical = ""

    def string_to_sign(self, request: AWSRequest, canonical_request: str) -> str:
        self.canonical = canonical_request
        text: str = super().string_to_sign(request, canonical_request)
        return text


@dataclass(slots=True)
class Signing:
    """Signs requests to one URL under one set of credentials."""

    credentials: ReadOnlyCredentials
    scope: Scope
    url: str
    headers: Mapping[str, str]
    now: Callable[[], float] = time.time
    _form: _Form | None = None
    _is_tried: bool = field(default=False)

    @property
    def is_short(self) -> bool:
        """Whether the short way is taken; after the first signature this no longer changes."""
        return self._form is not None

    def sign(self, payload: bytes) -> dict[str, str]:
        """Return the headers of one request, signature included."""
        if self._form is not None:
            return self._form.sign(payload, int(self.now()))
        signer = _Watched(self.credentials, self.scope.service, self.scope.region)
        request = AWSRequest("POST", self.url, headers=dict(self.headers), data=payload)
        signer.add_auth(request)
        signed = {str(name): str(value) for name, value in request.headers.items()}
        if not self._is_tried:
            self._is_tried = True
            self._form = _form_of(self, signer.canonical, signed, str(request.context["timestamp"]), payload)
        return signed


@dataclass(slots=True)
class _Form:
    """The canonical form with holes, and what is computed once a second or once a day."""

    canonical: str
    """Everything but the body's hash, with a hole for the date."""
    signed_names: str
    secret: str
    access: str
    scope: Scope
    constant: Mapping[str, str]
    _second: int = -1
    _stamp: str = ""
    _dated: bytes = b""
    _day: str = ""
    _key: bytes = b""

    def sign(self, payload: bytes, second: int) -> dict[str, str]:
        """Return the headers of one request made in this second."""
        if second != self._second:
            self._turn(second)
        digest = hashlib.sha256(self._dated + hashlib.sha256(payload).hexdigest().encode()).hexdigest()
        within = f"{self._day}/{self.scope.region}/{self.scope.service}/aws4_request"
        text = f"{_ALGORITHM}\n{self._stamp}\n{within}\n{digest}"
        signature = hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
        authorization = (
            f"{_ALGORITHM} Credential={self.access}/{within}, SignedHeaders={self.signed_names}, Signature={signature}"
        )
        return {**self.constant, "X-Amz-Date": self._stamp, "Authorization": authorization}

    def _turn(self, second: int) -> None:
        self._second = second
        self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        self._dated = self.canonical.replace(_DATE_HOLE, self._stamp).encode()
        if self._stamp[:8] != self._day:
            self._day = self._stamp[:8]
            key = f"AWS4{self.secret}".encode()
            for part in (self._day, self.scope.region, self.scope.service, "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._key = key


def _form_of(signing: Signing, canonical: str, signed: Mapping[str, str], stamp: str, payload: bytes) -> _Form | None:
    """Return a form that signs as botocore has just done; None where it would not."""
    body_hash = hashlib.sha256(payload).hexdigest()
    by_name = {name.lower(): value for name, value in signed.items()}
    authorization = by_name.get("authorization", "")
    if not canonical.endswith(body_hash) or canonical.count(body_hash) != 1 or canonical.count(stamp) != 1:
        return None
    form = _Form(
        canonical=canonical[: -len(body_hash)].replace(stamp, _DATE_HOLE),
        signed_names=authorization.partition("SignedHeaders=")[2].partition(",")[0],
        secret=str(signing.credentials.secret_key),
        access=str(signing.credentials.access_key),
        scope=signing.scope,
        constant={n: v for n, v in signed.items() if n.lower() not in {"authorization", "x-amz-date"}},
    )
    second = _second_of(stamp)
    return form if form.sign(payload, second)["Authorization"] == authorization else None


def _second_of(stamp: str) -> int:
    return calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
