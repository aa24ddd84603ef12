"""Access control for review in a browser: the first browser to open a printed link, and only that one from then on.

Other programs and web pages on the same machine can reach loopback too. A link's token works once; the browser that
used it gets a cookie that no script can read and that other sites' pages do not send. Requests that name another host
(DNS rebinding) or come from another origin's page are refused.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence

from aiohttp import web

from llmbatch.review.web.page import problem

REVIEWER = web.RequestKey("reviewer", str)
_TOKEN = "token"  # noqa: S105 - a name, not a secret
_USED = "This link has already been used, or is from an earlier start. Run llmbatch review --web again for new links."
_NO_LINK = "Open the link that llmbatch review --web printed."
_ELSEWHERE = "This page is served only at its own address."


class Access:
    """The unused tokens, and the browsers that used one."""

    def __init__(self, reviewers: Sequence[str], port: int) -> None:
        """`port` is the server's port on 127.0.0.1."""
        self._host = f"127.0.0.1:{port}"
        self._cookie = f"llmbatch_review_{port}"  # browsers share cookies between ports
        self._tokens = {secrets.token_urlsafe(32): reviewer for reviewer in reviewers}
        self._unused = {_digest(token): reviewer for token, reviewer in self._tokens.items()}
        self._browsers: dict[str, str] = {}

    @property
    def origin(self) -> str:
        """The server's origin."""
        return f"http://{self._host}"

    def links(self) -> Mapping[str, str]:
        """A link for each reviewer."""
        return {reviewer: f"{self.origin}/?{_TOKEN}={token}" for token, reviewer in self._tokens.items()}

    def check(self, request: web.Request) -> str:
        """The reviewer whose browser this is.

        Raises:
            HTTPForbidden: the browser has no access.
            HTTPFound: the link was valid; the response sets the cookie.
        """
        origin = request.headers.get("Origin")
        if request.headers.get("Host") != self._host or origin not in {None, self.origin}:
            raise web.HTTPForbidden(text=problem(_ELSEWHERE), content_type="text/html")
        token = request.query.get(_TOKEN)
        if token is not None:
            self._let_in(token)
        reviewer = self._browsers.get(_digest(request.cookies.get(self._cookie, "")))
        if reviewer is not None and token is None:
            return reviewer
        if reviewer is not None:
            raise web.HTTPFound("/")
        raise web.HTTPForbidden(text=problem(_NO_LINK if token is None else _USED), content_type="text/html")

    def _let_in(self, token: str) -> None:
        reviewer = self._unused.pop(_digest(token), None)
        if reviewer is None:
            return
        browser = secrets.token_urlsafe(32)
        self._browsers[_digest(browser)] = reviewer
        found = web.HTTPFound("/")
        found.set_cookie(self._cookie, browser, httponly=True, samesite="Lax")
        raise found


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
