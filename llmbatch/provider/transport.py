"""Classifies requests without a response: refused, lost, timed out, or stopped by a proxy."""

import errno
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from llmbatch.core.errors import ExitCode
from llmbatch.provider.failures import Action, Billed, Failure
from llmbatch.provider.judge import judge_unexpected, timed_out
from llmbatch.provider.this_machine import judge_lack, lack_of_this_machine

if TYPE_CHECKING:
    import aiohttp


def judge_exception(error: BaseException) -> Failure:
    """Classify the exception that ended a request.

    Args:
        error: from the SDK, the transport below it, or our own deadline (`TimeoutError`). Unknown exceptions fail the
        row as `unexpected`, and five of the same stop the run.
    """
    chain = list(_causes(error))
    if (lack := lack_of_this_machine(chain)) is not None:
        return judge_lack(lack)
    if _is_of_the_transport(chain):
        return _judge_connection(chain)
    if isinstance(error, TimeoutError):
        return timed_out("no complete answer in time")
    if isinstance(error, UnicodeError):
        return Failure("unencodable", Action.FAIL, "the text cannot be sent as UTF-8")
    return judge_unexpected(error)


def _judge_connection(chain: list[BaseException]) -> Failure:
    """Distinguish refused from lost connections, both of which the SDK's aiohttp transport reports as timeouts."""
    import aiohttp  # noqa: PLC0415 - heavy, and loaded by then

    roots = [e for e in chain if isinstance(e, aiohttp.ClientError | ssl.SSLError | TimeoutError)]
    root = roots[-1] if roots else chain[-1]
    detail = f"{type(root).__name__}: {root}" if str(root) else type(root).__name__
    for cause in chain:
        match cause:
            case aiohttp.ClientHttpProxyError():
                return _judge_proxy(cause)
            case aiohttp.ClientProxyConnectionError():
                return _not_connected(f"the proxy {_unreachable(cause)}")
            case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
                return Failure("tls", Action.STOP, f"the endpoint's TLS certificate is not trusted ({detail})")
            case ssl.SSLError():
                return Failure("tls", Action.STOP, f"TLS connection to the endpoint failed ({detail})")
            case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
                return Failure("bad_url", Action.STOP, "invalid endpoint URL", exit_code=ExitCode.USAGE)
    for cause in chain:
        if isinstance(cause, aiohttp.ClientConnectorError):
            return _not_connected(_unreachable(cause))
    if any(isinstance(cause, TimeoutError) for cause in chain):
        return timed_out(detail)
    lost = f"the connection was lost ({detail})"
    return Failure("connection", Action.RETRY, lost, Billed.UNKNOWN, may_be_outage=True)


def _judge_proxy(error: "aiohttp.ClientHttpProxyError") -> Failure:
    """A proxy's refusal to connect, which says nothing about the endpoint."""
    message = f"the proxy refuses the connection (HTTP {error.status} {error.message})".rstrip()
    if error.status >= 500:  # noqa: PLR2004 - HTTP's server errors
        return replace(_not_connected(message), status=error.status)
    return Failure("proxy", Action.STOP, message, status=error.status)


def _not_connected(message: str) -> Failure:
    return Failure("connection", Action.RETRY, message, may_be_outage=True)


def _unreachable(error: "aiohttp.ClientConnectorError") -> str:
    """Which host is unreachable, and why, in a few words."""
    import aiohttp  # noqa: PLC0415

    where = f"{error.host}:{error.port}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"unknown host name {error.host} (DNS)"
    match error.os_error.errno:
        case errno.ECONNREFUSED:
            return f"{where} refuses connections"
        case errno.ENETUNREACH | errno.EHOSTUNREACH | errno.ETIMEDOUT:
            return f"{where} cannot be reached"
        case _:
            return f"cannot connect to {where} ({error.os_error.strerror or error.os_error})"


def _is_of_the_transport(chain: list[BaseException]) -> bool:
    import aiohttp  # noqa: PLC0415

    from llmbatch.provider.http_library import httpx  # noqa: PLC0415

    ours = aiohttp.ClientError | httpx.TransportError | httpx.DecodingError | ConnectionError | ssl.SSLError
    return any(isinstance(error, ours) for error in chain)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
