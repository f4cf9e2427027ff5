"""`Invoke` on a short way: what botocore knows is asked once for each function, and the wire is aiohttp's alone.

A call by the whole client costs about half a millisecond of processor time, five sixths of which is serialising, event
hooks, endpoint rules and parsing that come out the same every time (docs/decisions, 16). Here botocore
prepares the first request to each function, and is stopped before it sends: its URL, its headers and the scope of its
signature are kept. From then on a call is a signature, by botocore's own signer and credentials, and one POST.

Whatever goes wrong is raised as the client would raise it, so that `errors` judges both ways alike.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiobotocore.session import AioSession
from botocore import exceptions as boto
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.parsers import create_parser
from botocore.utils import get_environ_proxies
from yarl import URL

from jada_orchestrator.adapters.aws.fast_signing import Scope, Signing
from jada_orchestrator.adapters.aws.sockets import CONNECT_TIMEOUT_S, LAMBDA_READ_TIMEOUT_S, socket_with_keepalive

if TYPE_CHECKING:
    from types_aiobotocore_lambda import LambdaClient

_KEEPALIVE_S: Final = 12.0
"""As botocore has it: shorter than any load balancer's idle time, so that no request meets a closing connection."""
_SIGNED_ANEW: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "content-length"})
"""What belongs to one request and not to all of a function."""
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the payload, None when it is larger than allowed; `error` is the header ``FunctionError``."""

    payload: bytes | None
    error: str | None


@dataclass(frozen=True, slots=True)
class _Template:
    """What is the same for every call of a function."""

    url: URL
    text: str
    headers: Mapping[str, str]
    scope: Scope
    proxy: str | None


class FastInvoker:
    """Invokes functions; close it when done. The client is asked for what it knows and never sends anything."""

    def __init__(self, client: LambdaClient, session: AioSession, *, connections: int) -> None:
        """Make a pool of so many connections of its own; the running loop is the pool's."""
        self._client = client
        self._credentials_of = session.get_credentials
        self._credentials: Any = None
        self._templates: dict[tuple[str, str], _Template] = {}
        self._signings: dict[str, Signing] = {}
        self._operation: Any = client.meta.service_model.operation_model("Invoke")
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                keepalive_timeout=_KEEPALIVE_S,
                ssl=_ssl_context(session),
                socket_factory=socket_with_keepalive,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=LAMBDA_READ_TIMEOUT_S),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def invoke(self, function: str, qualifier: str, payload: bytes, *, bytes_max: int) -> Answer:
        """Send one request and read its answer whole, up to `bytes_max`.

        Raises: what botocore's client raises, botocore's exceptions and aiohttp's about a broken body.
        """
        template = self._templates.get((function, qualifier)) or await self._prepare(function, qualifier)
        headers = await self._signed(template, payload)
        try:
            async with self._http.post(
                template.url, data=payload, headers=headers, allow_redirects=False, proxy=template.proxy
            ) as response:
                if response.status >= 300:
                    raise self._refused(response.status, response.headers, await response.read())
                return Answer(await _read_bounded(response, bytes_max), response.headers.get("X-Amz-Function-Error"))
        except aiohttp.ClientPayloadError:
            raise  # botocore's client lets it through, too
        except aiohttp.ClientError as error:
            raise _as_botocore(error, template.text) from error

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        await self._http.close()

    async def _prepare(self, function: str, qualifier: str) -> _Template:
        """Have botocore prepare a request and keep it: endpoint rules, path and headers are its own. Sends nothing."""
        prepared: list[Any] = []

        def stop(request: Any, **_: object) -> AWSResponse:  # noqa: ANN401 - botocore's untyped prepared request
            prepared.append(request)
            return AWSResponse(request.url, 200, HTTPHeaders(), _Nothing())

        events: Any = self._client.meta.events
        named: dict[str, Any] = {"Qualifier": qualifier} if qualifier else {}
        name = f"jada-prepare-{function}-{qualifier}"
        events.register_first("before-send.lambda.Invoke", stop, unique_id=name)
        try:
            await self._client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=b"{}", **named)
        finally:
            events.unregister("before-send.lambda.Invoke", stop, unique_id=name)
        request = prepared[0]
        found = {key: _text(value) for key, value in request.headers.items() if key.lower() not in _SIGNED_ANEW}
        scope = _text(request.headers["Authorization"]).partition("Credential=")[2].partition(",")[0].split("/")
        template = _Template(
            URL(request.url, encoded=True), request.url, found, Scope(scope[-3], scope[-2]), _proxy_of(request.url)
        )
        self._templates[function, qualifier] = template
        return template

    async def _signed(self, template: _Template, payload: bytes) -> dict[str, str]:
        """Return the headers of one request. Raises: botocore's errors about credentials."""
        if self._credentials is None:
            self._credentials = await self._credentials_of()
        frozen = await self._credentials.get_frozen_credentials()
        signing = self._signings.get(template.text)
        if signing is None or signing.credentials != frozen:
            signing = self._signings[template.text] = Signing(frozen, template.scope, template.text, template.headers)
        return signing.sign(payload)

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes) -> boto.ClientError:
        """Return the error of an answer that is none, read by botocore's own parser."""
        parser: Any = create_parser("rest-json")
        answer = {"status_code": status, "headers": headers, "body": body}
        parsed: Any = parser.parse(answer, self._operation.output_shape)
        shape = self._operation.service_model.shape_for_error_code(parsed.get("Error", {}).get("Code", ""))
        if shape is not None:
            parsed.update({name: value for name, value in parser.parse(answer, shape).items() if name not in parsed})
        return boto.ClientError(parsed, "Invoke")


class _Nothing:
    """The body of an answer that never was."""

    async def read(self, *_: object) -> bytes:
        return b""

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return []


async def _read_bounded(response: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
    """Return the payload, or None as soon as it is larger than allowed; the connection is then dropped."""
    if (response.content_length or 0) > bytes_max:
        response.close()
        return None
    if response.content_length is not None:
        return await response.read()
    parts: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        size += len(chunk)
        if size > bytes_max:
            response.close()
            return None
        parts.append(chunk)
    return b"".join(parts)


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


def _ssl_context(session: AioSession) -> ssl.SSLContext:
    """Return a context with the certificates that botocore would use."""
    bundle = session.get_config_variable("ca_bundle")
    return ssl.create_default_context(cafile=bundle or None)


def _proxy_of(url: str) -> str | None:
    """Return the proxy of the environment for a URL, as botocore finds it; once, since finding it is slow."""
    found: str | None = get_environ_proxies(url).get(url.partition(":")[0])
    return found


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
