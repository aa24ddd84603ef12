"""Files on web servers, by the standard library, with redirects and the environment's proxies and certificates."""

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from itertools import chain
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import llmbatch
from llmbatch.core.errors import UsageError
from llmbatch.core.hosts import Reach, reach_of
from llmbatch.core.redact import Redactor
from llmbatch.readers.sources.remote_file import Answer, Begun, LostError, Version

_TIMEOUT_S = 60
"""Timeout of a silent connection."""
_CHUNK_BYTES = 256 * 1024
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REFUSALS = {
    401: "authentication required (HTTP 401)",
    403: "access denied (HTTP 403)",
    404: "no such file (HTTP 404)",
    407: "proxy authentication required (HTTP 407)",
    410: "the file is gone (HTTP 410)",
}
_HINTS = {
    401: "use an address that grants access: a signed one, or https://USER:PASSWORD@HOST/FILE",
    403: "a signed address may have expired: get a new one",
    407: "put the user and password into HTTPS_PROXY",
}
_DENIED = frozenset({401, 403})
_HTML = (b"<!doctype html", b"<html")
_mask = Redactor()


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file on a web server; `name` is its address without secrets."""

    name: str
    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """Sent to this server only, even if it redirects."""
    login: str | None = None
    """Hint if the server requires authentication."""

    @contextmanager
    def open(self, *, unless: Version | None, begun: Begun | None) -> Iterator[Answer]:
        """See `RemoteFile`."""
        request = self._request()
        if unless is not None:
            _add(request, {"If-None-Match": unless.etag, "If-Modified-Since": unless.modified})
        if begun is not None:
            _add(request, {"Range": f"bytes={begun.size}-", "If-Range": begun.version.strong_etag})
        with closing(self._response(request, is_conditional=unless is not None)) as response:
            if unless is not None and response.status == http.client.NOT_MODIFIED:
                yield Answer(unless, is_unchanged=True)
            else:
                yield self._answer(response)

    def read(self, most: int) -> tuple[bytes, Message]:
        """The first bytes, at most `most`, and the headers.

        Raises:
            UsageError, LostError: as for `open`.
        """
        with closing(self._response(self._request())) as response, self._explained():
            return response.read(most), response.headers

    def _response(self, request: urllib.request.Request, *, is_conditional: bool = False) -> Any:
        """The server's response; to a conditional request, this may be that nothing has changed.

        Raises:
            UsageError, LostError: as for `open`.
        """
        with self._explained():
            try:
                return _opener(self.url).open(request, timeout=_TIMEOUT_S)
            except urllib.error.HTTPError as response:
                if is_conditional and response.code == http.client.NOT_MODIFIED:
                    return response
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Translate the library's errors within the block."""
        try:
            yield
        except urllib.error.HTTPError as error:
            with closing(error):
                raise self._refused(error, error.headers) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None

    def _request(self) -> urllib.request.Request:
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)))  # noqa: S310 - https or http, see remote_address.py
        _add(
            request, {"User-Agent": f"llmbatch/{llmbatch.__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
        )
        if self.token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        elif at:
            request.add_unredirected_header("Authorization", f"Basic {b64encode(unquote(user).encode()).decode()}")
        return request

    def _answer(self, response: http.client.HTTPResponse) -> Answer:
        headers, start = response.headers, 0
        size = _number(headers.get("Content-Length"))
        if response.status == http.client.PARTIAL_CONTENT:
            start, size = _content_range(headers.get("Content-Range", ""))
        etag = headers.get("ETag") or headers.get("X-Linked-ETag")
        chunks = self._chunks(response)
        if not start and headers.get_content_type() == "text/html" and not self._is_named_html():
            chunks = self._checked(chunks)
        encoding = headers.get("Content-Encoding", "").strip().lower()
        return Answer(Version(etag, size, headers.get("Last-Modified")), start, chunks, encoding)

    def _chunks(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while chunk := response.read1(_CHUNK_BYTES):  # returns what has arrived, so that a kill loses nothing
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise LostError(f"the connection was lost ({_reason(error)})") from None

    def _is_named_html(self) -> bool:
        return urlsplit(self.url).path.lower().endswith((".html", ".htm"))

    def _checked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks; refuses a page for people: a login page, or one that shows the file."""
        first = next(chunks, b"")
        if first.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML):
            raise UsageError(
                f"{self.name}: a web page, not a file of documents",
                hint="use the address of the file itself: the page's download or raw link",
            )
        return chain((first,), chunks)

    def _refused(self, error: urllib.error.HTTPError, headers: Message) -> Exception:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return LostError("the server's copy is shorter than the part already downloaded", starts_over=True)
        if error.code in _PASSING:
            wait = _number(headers.get("Retry-After"))
            return LostError(f"the server answered HTTP {error.code}", wait_s=None if wait is None else float(wait))
        said = _REFUSALS.get(error.code) or f"the server answered HTTP {error.code} ({_mask(str(error.reason))})"
        hint = self.login if error.code in _DENIED and self.login else _HINTS.get(error.code)
        return UsageError(f"{self.name}: {said}", hint=hint)

    def _unreachable(self, error: Exception) -> Exception:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UsageError(
                f"{self.name}: the server's certificate is not trusted ({cause.verify_message})",
                hint="set SSL_CERT_FILE to a PEM file of the certificate authorities that you trust",
            )
        if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
            return UsageError(f"{self.name}: no such host", hint="check the address")
        return LostError(f"the server cannot be reached ({_reason(cause)})")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http; credentials are sent to the same server only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (old.scheme, new.scheme) == ("https", "http"):
            raise UsageError(f"{old.hostname}: redirects to an unencrypted address at {new.hostname}")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            request.unredirected_hdrs = {**req.unredirected_hdrs, **request.unredirected_hdrs}
        return request


def _opener(url: str) -> urllib.request.OpenerDirector:
    """An opener with the environment's proxies, except on loopback."""
    handlers: list[urllib.request.BaseHandler] = [_Redirects()]
    if reach_of(url) is Reach.LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def _add(request: urllib.request.Request, headers: dict[str, str | None]) -> None:
    for name, value in headers.items():
        if value is not None:
            request.add_header(name, value)


def _content_range(header: str) -> tuple[int, int | None]:
    """The offset of the first byte sent, and the total size (RFC 9110, 14.4)."""
    unit, _, rest = header.strip().partition(" ")
    span, _, whole = rest.partition("/")
    start = _number(span.partition("-")[0])
    if unit.lower() != "bytes" or start is None:
        raise LostError("the server sent a part without saying which", starts_over=True)
    return start, _number(whole)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isascii() and text.strip().isdigit() else None


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer for {_TIMEOUT_S} s"
    return _mask(str(getattr(error, "strerror", None) or error or type(error).__name__))
