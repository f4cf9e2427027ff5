"""The short way to a service of AWS: what botocore knows is asked once for each place, and the wire is aiohttp's alone.

A call by the whole client costs about half a millisecond of processor time, five sixths of which is serialising, event
hooks, endpoint rules and parsing that come out the same every time (docs/decisions, 16). Here botocore prepares the
first request to each place (a function, or an operation on a queue), and is stopped before it sends: its URL, its
headers and the scope of its signature are kept. From then on a call is a signature, by botocore's own signer and
credentials, and one POST over a connection of aiohttp's (`straight_post`; through a proxy by aiohttp's session).

Whatever goes wrong is raised as the client would raise it, so that `errors` judges both ways alike.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.session import AioSession
from botocore import exceptions as boto
from botocore.compat import HTTPHeaders
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.parsers import create_parser
from botocore.utils import get_environ_proxies
from yarl import URL

from jada_orchestrator.adapters.aws.fast_signing import Scope, Signing
from jada_orchestrator.adapters.aws.plain_answers import Received
from jada_orchestrator.adapters.aws.sockets import CONNECT_TIMEOUT_S, socket_with_keepalive
from jada_orchestrator.adapters.aws.straight_post import Place, StraightPost, body_of

_KEEPALIVE_S: Final = 12.0
"""As botocore has it: shorter than any load balancer's idle time, so that no request meets a closing connection."""
_SIGNED_ANEW: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "content-length"})
"""What belongs to one request and not to all to a place."""
_SUCCESS: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Template:
    """What is the same for every call to a place."""

    operation: str
    url: URL
    text: str
    headers: Mapping[str, str]
    scope: Scope
    proxy: str | None
    place: Place


class ShortWay:
    """Sends requests to one service; close it when done. The client is asked for what it knows and never sends them."""

    def __init__(self, client: Any, session: AioSession, *, connections: int, read_timeout_s: float) -> None:  # noqa: ANN401 - the client of any service
        """Make a pool of so many connections of its own; the running loop is the pool's."""
        self._events: Any = client.meta.events
        self._model: Any = client.meta.service_model
        self._credentials_of = session.get_credentials
        self._credentials: Any = None
        self._signings: dict[tuple[str, str], Signing] = {}
        self._preparing = asyncio.Lock()
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                keepalive_timeout=_KEEPALIVE_S,
                ssl=tls_context(session),
                socket_factory=socket_with_keepalive,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=read_timeout_s),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        self._straight = StraightPost(self._http)

    async def prepare(self, operation: str, send: Callable[[], Awaitable[object]]) -> Template:
        """Have the client's own method `send` prepare a request, and keep it: endpoint rules, path and headers.

        Sends nothing. One at a time: whoever stops the client could otherwise be handed another one's request.
        Raises: what the client raises before it sends.
        """
        prepared: list[Any] = []

        def stop(request: Any, **_: object) -> AioAWSResponse:  # noqa: ANN401 - botocore's untyped prepared request
            prepared.append(request)
            return AioAWSResponse(request.url, 200, HTTPHeaders(), _Nothing())

        event = f"before-send.{self._model.service_id.hyphenize()}.{operation}"
        async with self._preparing:
            self._events.register_first(event, stop, unique_id="jada-prepare")
            try:
                await send()
            finally:
                self._events.unregister(event, stop, unique_id="jada-prepare")
        request = prepared[0]
        found = {key: _text(value) for key, value in request.headers.items() if key.lower() not in _SIGNED_ANEW}
        scope = _text(request.headers["Authorization"]).partition("Credential=")[2].partition(",")[0].split("/")
        url = URL(request.url, encoded=True)
        scope_of = Scope(scope[-3], scope[-2])
        place = self._straight.place(url)
        return Template(operation, url, request.url, found, scope_of, _proxy_of(request.url), place)

    async def post(self, template: Template, payload: bytes, *, bytes_max: int | None = None) -> Received:
        """Send one request once, and return its answer, which is a success, without a body larger than `bytes_max`.

        Raises: what botocore's client raises, botocore's exceptions and aiohttp's about a broken body.
        """
        headers = await self._signed(template, payload)
        try:
            if template.proxy is None:
                received = await self._straight.post(template.place, headers, payload, bytes_max=bytes_max)
            else:
                received = await self._post_by_proxy(template, headers, payload, bytes_max)
        except aiohttp.ClientPayloadError:
            raise  # botocore's client lets it through, too
        except aiohttp.ClientError as error:
            raise _as_botocore(error, template.text) from error
        if received.status not in _SUCCESS:
            raise self._refused(template.operation, received.status, received.headers, received.body or b"")
        return received

    async def _post_by_proxy(
        self, template: Template, headers: Mapping[str, str], payload: bytes, bytes_max: int | None
    ) -> Received:
        async with self._http.post(
            template.url, data=payload, headers=headers, allow_redirects=False, proxy=template.proxy
        ) as response:
            body = await body_of(response.content, response.headers.get("Content-Length"), bytes_max)
            if body is None:
                response.close()
            return Received(response.status, response.headers, body)

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        await self._http.close()

    async def _signed(self, template: Template, payload: bytes) -> dict[str, str]:
        """Return the headers of one request. Raises: botocore's errors about credentials."""
        if self._credentials is None:
            self._credentials = await self._credentials_of()
        frozen = await self._credentials.get_frozen_credentials()
        place = (template.operation, template.text)
        signing = self._signings.get(place)
        if signing is None or signing.credentials != frozen:
            signing = self._signings[place] = Signing(frozen, template.scope, template.text, template.headers)
        return signing.sign(payload)

    def _refused(self, operation: str, status: int, headers: Mapping[str, str], body: bytes) -> boto.ClientError:
        """Return the error of an answer that is none, read by botocore's own parser."""
        model = self._model.operation_model(operation)
        parser: Any = create_parser(self._model.resolved_protocol)
        answer = {"status_code": status, "headers": headers, "body": body}
        parsed: Any = parser.parse(answer, model.output_shape)
        shape = self._model.shape_for_error_code(parsed.get("Error", {}).get("Code", ""))
        if shape is not None:
            parsed.update({name: value for name, value in parser.parse(answer, shape).items() if name not in parsed})
        return boto.ClientError(parsed, operation)


class _Nothing:
    """The body of an answer that never was."""

    async def read(self, *_: object) -> bytes:
        return b""

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return []


def _as_botocore(error: aiohttp.ClientError, url: str) -> Exception:
    """Return what aiobotocore makes of an error of aiohttp's (`aiobotocore.httpsession`)."""
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return boto.ProxyConnectionError(proxy_url=url, error=error)
        case aiohttp.ClientSSLError():
            return boto.SSLError(endpoint_url=url, error=error)
        case aiohttp.ConnectionTimeoutError():
            return boto.ConnectTimeoutError(endpoint_url=url, error=error)
        case aiohttp.ServerTimeoutError():
            return boto.ReadTimeoutError(endpoint_url=url, error=error)
        case aiohttp.ServerDisconnectedError():
            return boto.ConnectionClosedError(endpoint_url=url, error=error)
        case aiohttp.ClientConnectionError():
            return boto.EndpointConnectionError(endpoint_url=url, error=error)
        case _:
            return boto.HTTPClientError(error=error)


def tls_context(session: AioSession) -> ssl.SSLContext:
    """Return a context with the certificates that botocore would use: its own bundle, which need not be the host's."""
    return ssl.create_default_context(cafile=get_cert_path(session.get_config_variable("ca_bundle") or True))


def _proxy_of(url: str) -> str | None:
    """Return the proxy of the environment for a URL, as botocore finds it; once, since finding it is slow."""
    found: str | None = ProxyConfiguration(get_environ_proxies(url)).proxy_url_for(url)
    return found


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
