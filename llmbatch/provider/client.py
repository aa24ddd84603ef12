"""The SDK's client: one per run, its own retries and redirects off, a deadline around each whole request."""

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmbatch.core.authorities import unreadable_authorities
from llmbatch.core.errors import UsageError
from llmbatch.core.hosts import Reach, reach_of
from llmbatch.provider.body import UNPACKED
from llmbatch.provider.completion import Completion, NotACompletionError
from llmbatch.provider.dialect import CHAT_COMPLETIONS, Dialect
from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.provider.judge import judge_not_a_completion
from llmbatch.provider.repeat import RepeatedRequest, repeated
from llmbatch.provider.response import Response, read_response
from llmbatch.provider.sdk import load_sdk
from llmbatch.provider.this_machine import lack_of_this_machine
from llmbatch.provider.transport import judge_exception

if TYPE_CHECKING:
    import ssl

    from openai import AsyncOpenAI, Omit
    from openai._types import RequestOptions

    from llmbatch.provider.http_library import httpx

_DEFAULT_BASE_URL = "https://api.openai.com/v1"
_AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com")
_LONGEST_HEADER = 1 << 18
# What the SDK sends about itself and this machine with each request. Answers do not depend on it, and without these
# headers a request takes a tenth less time to build and send.
_LEFT_OUT = ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
_LEFT_OUT_BY_REQUEST = ("Retry-Count", "Read-Timeout")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go. `api_version` is set for Azure OpenAI's deployment URLs only."""

    base_url: str
    api_key: str
    api_version: str | None = None
    on_loopback: bool = False
    in_the_clear: bool = False
    """Whether the key and the documents go over a network by plain http."""
    dialect: Dialect = CHAT_COMPLETIONS
    """The wire protocol that it speaks."""

    @property
    def is_default(self) -> bool:
        """Whether it is OpenAI's or Azure's own, whose list of models adds nothing."""
        return self.base_url == _DEFAULT_BASE_URL or self.api_version is not None

    @property
    def has_certificates(self) -> bool:
        """Whether TLS certificates can be involved; plain http on loopback does not even pass a proxy."""
        return not (self.on_loopback and self.base_url.startswith("http:"))

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"


def resolve_endpoint(
    base_url: str | None,
    api_version: str | None,
    *,
    model: str,
    insecure_http: bool = False,
    dialect: Dialect = CHAT_COMPLETIONS,
) -> Endpoint:
    """Resolve the endpoint from the options and, as the SDK does, the environment.

    Reads OPENAI_BASE_URL, OPENAI_API_KEY, and for Azure AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT and
    OPENAI_API_VERSION; for a dialect with its own endpoint, only its key variable. A server on loopback needs no key.

    Args:
        base_url: the user's URL, if given.
        api_version: Azure OpenAI's API version.
        model: the model, for messages.
        insecure_http: allow sending the key to a public host by plain http.
        dialect: the wire protocol; one other than OpenAI's needs a URL, unless it has its own.

    Raises:
        UsageError: no key, a key or URL that cannot be sent, or a public host to which the key would go unencrypted.
        The key's value is never shown.
    """
    url = _base_url(base_url, dialect)
    if url == _DEFAULT_BASE_URL and dialect is not CHAT_COMPLETIONS:
        raise UsageError(f"OpenAI's endpoint does not speak {dialect.name}", hint="set one that does: --base-url URL")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise UsageError("invalid base URL", hint="set it as https://HOST/v1 with --base-url or OPENAI_BASE_URL")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the base URL contains a user name or password", hint="set the key in OPENAI_API_KEY instead")
    _check_path(url, parts.path)
    if parts.query or parts.fragment:
        raise UsageError(
            "the base URL contains a ? or #", hint="end it at its path; for an API version, use --api-version"
        )
    host = parts.hostname
    reach = reach_of(url)
    if parts.scheme == "http" and reach is Reach.PUBLIC and not insecure_http:
        raise UsageError(
            f"http://{host} would receive the API key and the documents unencrypted, over a public network",
            hint="use https://, or --insecure-http on a private network; nothing was sent",
        )
    is_azure_host = host.endswith(_AZURE_HOSTS) and "/openai/v1" not in parts.path
    version = api_version or (os.environ.get("OPENAI_API_VERSION") if is_azure_host else None)
    if is_azure_host and version is None:
        raise UsageError(
            f"{host} is an Azure OpenAI resource, which needs an API version",
            hint="set --api-version (or OPENAI_API_VERSION), or use the newer URL that ends in /openai/v1/",
        )
    is_azure = version is not None or host.endswith(_AZURE_HOSTS)
    key = _api_key(*(["AZURE_OPENAI_API_KEY"] if is_azure else []), dialect.key_variable)
    _check_header_variables()
    if key is None and reach is not Reach.LOOPBACK:
        raise UsageError(
            f"no API key for {host} (model {model})",
            hint=f"set {dialect.key_variable}, or try without a key: llmbatch classify ... --offline",
        )
    return Endpoint(
        url.rstrip("/"),
        key or "none-needed",
        version,
        on_loopback=reach is Reach.LOOPBACK,
        in_the_clear=parts.scheme == "http" and reach is not Reach.LOOPBACK,
        dialect=dialect,
    )


def _base_url(given: str | None, dialect: Dialect) -> str:
    """The user's URL, else the dialect's own, else OpenAI's or Azure's from their variables."""
    of_openai = os.environ.get("OPENAI_BASE_URL")
    if dialect.base_url is not None:  # its key must not be sent to OpenAI's endpoint
        return given if given and given != of_openai else dialect.base_url
    return given or of_openai or os.environ.get("AZURE_OPENAI_ENDPOINT") or _DEFAULT_BASE_URL


def _check_path(url: str, path: str) -> None:
    """Reject a base URL that includes the request path."""
    proposed = re.sub(r"(/v\d+\w*)\1+", r"\1", re.sub(r"(/chat)?(/completions)?/?$", "", path))
    if proposed.rstrip("/") != path.rstrip("/"):
        base = url.replace(path, proposed.rstrip("/"))
        raise UsageError(f"the base URL {url!r} includes the request path", hint=f"use --base-url {base}")


def _api_key(*names: str) -> str | None:
    """The key from the first of these variables that is set."""
    name = next((name for name in names if os.environ.get(name, "").strip()), None)
    if name is None:
        return None
    key = os.environ[name].strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        # As a header, it would fail with a connection error that looks retryable and shows the key.
        raise UsageError(
            f"{name} has characters that an HTTP header cannot contain",
            hint=f"set {name} again, without line breaks",
        )
    return key


def _check_header_variables() -> None:
    """The SDK sends these as headers; a line break in one would look like a lost connection, again and again."""
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        value = os.environ.get(name, "")
        if not (value.isascii() and value.isprintable()):
            raise UsageError(
                f"{name} has characters that an HTTP header cannot contain", hint=f"set {name} again, or unset it"
            )


class Caller:
    """Sends request bodies and returns decoded answers."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        model: str,
        timeout_s: float,
        connections: int,
        on_headers: Callable[[Mapping[str, str]], None],
    ) -> None:
        """Nothing is opened yet.

        `timeout_s`: the longest that any request may take.
        `on_headers`: called with the headers of every response, including errors.
        """
        self._open = partial(open_client, endpoint, timeout_s, connections)
        self._client: AsyncOpenAI | None = None
        self._url = ""
        self._options: RequestOptions = {}
        self._endpoint = endpoint
        self._path = endpoint.dialect.path(model, deployment=endpoint.api_version is not None)
        self._on_headers = on_headers
        self._repeated: RepeatedRequest | None = None

    def open(self) -> "AsyncOpenAI":
        """Load the SDK and create its client, once. Done in advance, so that it does not delay a request.

        A run with nothing to send does not pay for it.
        """
        if self._client is None:
            self._client = self._open()
            # The full URL, since the SDK would otherwise build and parse it again for each request.
            self._url = f"{self._client.base_url}".rstrip("/") + self._path
            self._options = {"headers": {**_left_out(_LEFT_OUT_BY_REQUEST), **_protocol_headers(self._endpoint)}}
        return self._client

    async def send(self, body: bytes, *, timeout_s: float) -> Completion:
        """Send one request. The answer is unredacted: it may still contain an echo of our key.

        Args:
            body: the request body.
            timeout_s: seconds until the complete answer must have arrived.

        Raises:
            RequestFailedError: the request failed; the failure is classified.
        """
        response = await self._response(body, timeout_s)
        self._on_headers(response.headers)
        try:
            return read_response(response, self._endpoint.dialect)
        except RequestFailedError as refused:
            raise RequestFailedError(self._placed(refused.failure)) from None

    async def _response(self, body: bytes, timeout_s: float) -> Response:
        try:
            if self._repeated is not None:
                return await self._repeated.send(body, timeout_s)
            async with asyncio.timeout(timeout_s):
                return await self._first_sent(body)
        except asyncio.CancelledError:
            raise
        except NotACompletionError as error:
            raise RequestFailedError(judge_not_a_completion(str(error))) from None
        except Exception as error:  # noqa: BLE001 - classified whatever it is
            # Without its cause, whose text may contain the key: a traceback would show it.
            raise RequestFailedError(judge_exception(error)) from None

    async def _first_sent(self, body: bytes) -> Response:
        """Send through the SDK; later requests repeat the one it built."""
        client = self.open()
        from openai import APIStatusError  # noqa: PLC0415 - loaded by then

        from llmbatch.provider.http_library import httpx  # noqa: PLC0415 - loaded with the SDK

        try:
            response = await client.post(self._url, cast_to=httpx.Response, content=body, options=self._options)
        except APIStatusError as refused:
            response = refused.response
        self._repeated = repeated(client, response.request)
        return Response(response.status_code, response.headers, response.content)

    def _placed(self, failure: Failure) -> Failure:
        """For a path that does not exist, add the path and a suggestion to the message."""
        if failure.status not in (404, 405) or failure.once_working is None or failure.action is not Action.STOP:
            return failure
        base = self._url.removesuffix(self._path)
        has_version = re.search(r"/v\d", base) is not None
        proposal = "" if has_version else f"; try --base-url {base}/v1"
        return replace(failure, message=f"{failure.message}: no API at {urlsplit(self._url).path}{proposal}")

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()


def open_client(endpoint: Endpoint, timeout_s: float, connections: int, *, bounded: bool = True) -> "AsyncOpenAI":
    """Create the SDK's client for an endpoint.

    Args:
        endpoint: the endpoint.
        timeout_s: seconds that one request may take.
        connections: the maximum number of open connections.
        bounded: limit responses to the size of a completion; off for files.
    """
    load_sdk()
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAioHttpClient  # noqa: PLC0415

    from llmbatch.provider.bounds import bound_answer  # noqa: PLC0415 - loads the HTTP library
    from llmbatch.provider.http_library import httpx  # noqa: PLC0415 - 0.4 s together with the SDK

    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    # A redirect would send the document and the key to another host. Loopback needs no proxy.
    http_client = DefaultAioHttpClient(
        follow_redirects=False,
        limits=limits,
        timeout=timeout_s,
        trust_env=not endpoint.on_loopback,
        # Loading the authorities takes 17 ms.
        verify=_trusted_authorities() if endpoint.has_certificates else False,
        event_hooks={"response": [bound_answer]} if bounded else {},
    )
    _set_up_sessions(http_client)
    common: dict[str, Any] = {
        "api_key": endpoint.api_key,
        "max_retries": 0,
        "timeout": timeout_s,
        "http_client": http_client,
        "default_headers": {**UNPACKED, **_left_out(_LEFT_OUT)},
    }
    if endpoint.api_version is not None:
        return AsyncAzureOpenAI(azure_endpoint=endpoint.base_url, api_version=endpoint.api_version, **common)
    return AsyncOpenAI(base_url=endpoint.base_url, **common)


def _trusted_authorities() -> "ssl.SSLContext":
    """The trusted certificate authorities: the system's, or those in SSL_CERT_FILE.

    Raises:
        UsageError: that file cannot be read.
    """
    from llmbatch.provider.http_library import httpx  # noqa: PLC0415 - loaded by then

    try:
        return httpx.create_ssl_context()
    except OSError as error:
        if lack_of_this_machine([error]) is not None:
            raise
        raise unreadable_authorities("SSL_CERT_FILE", os.environ.get("SSL_CERT_FILE"), error) from None


def _set_up_sessions(http_client: "httpx.AsyncClient") -> None:
    """Have the transport accept long headers, and keep no cookies.

    By default it limits headers to 8 KB and reports a longer one as a lost connection. Cookies are not needed, since
    the key identifies the sender: reading the two that OpenAI's network sets with each answer takes 30 µs, and a load
    balancer's cookie would tie all requests to one server.
    """
    import aiohttp  # noqa: PLC0415 - loaded by then

    def session(transport: Any) -> aiohttp.ClientSession:
        limits = transport.limits
        connector = aiohttp.TCPConnector(
            keepalive_timeout=limits.keepalive_expiry, ssl=transport.ssl_context, limit=limits.max_connections
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )

    mounted = (http_client._transport, *http_client._mounts.values())  # noqa: SLF001 - there is no public access
    for transport in mounted:
        if transport is not None:
            transport.client = partial(session, transport)  # type: ignore[attr-defined]


def _protocol_headers(endpoint: Endpoint) -> "dict[str, str | Omit]":
    """Headers that replace the SDK's own if the protocol has others, so that the key is in one header only."""
    from openai import Omit  # noqa: PLC0415 - loaded by then

    headers = endpoint.dialect.headers(endpoint.api_key)
    return {} if headers is None else {"Authorization": Omit(), **headers}


def _left_out(names: tuple[str, ...]) -> "dict[str, str | Omit]":
    from openai import Omit  # noqa: PLC0415 - loaded by then

    return {f"X-Stainless-{name}": Omit() for name in names}
