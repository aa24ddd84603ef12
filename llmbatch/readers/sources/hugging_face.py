"""Files of the Hugging Face Hub: fetched by https, and listed by its API.

An address is `hf://datasets/USER/NAME@REVISION/FILE`, or with `spaces/`, or `hf://USER/NAME/FILE` for a model, as in
huggingface_hub. The token is HF_TOKEN, or in the file that `hf auth login` wrote; HF_ENDPOINT names another hub.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urljoin

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.readers.sources.listing import is_pattern
from llmbatch.readers.sources.remote_address import RemoteAddress
from llmbatch.readers.sources.remote_file import LostError
from llmbatch.readers.sources.web import WebFile

_KINDS = ("datasets/", "spaces/")
_PATH = re.compile(
    r"(?P<root>(?:(?:datasets|spaces)/|(?!(?:datasets|spaces)/))[^/@]+/[^/@]+)"
    r"(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?(?:/(?P<file>.*))?",
    re.DOTALL,
)
_MOST_BYTES = 64 * 1024 * 1024
"""Limit of one page of a list."""
_LOGIN = "set HF_TOKEN; for a gated data set, request access from its owner first"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of the hub, at one revision."""

    name: str
    path: str
    """`datasets/USER/NAME`, or `USER/NAME`."""
    revision: str
    token: str | None = field(default=None, repr=False)

    def has(self, key: str) -> bool:
        """See `RemotePlace`. What looks like a file is assumed to be one, which saves a request to the hub."""
        return PurePosixPath(key).suffix != "" and not is_pattern(key)

    def keys(self, folder: str) -> Iterable[str]:
        """See `RemotePlace`."""
        path = self.path if self.path.startswith(_KINDS) else f"models/{self.path}"
        below = f"/{quote(folder.strip('/'))}" if folder else ""
        first = f"{_endpoint()}/api/{quote(path)}/tree/{quote(self.revision, safe='')}{below}?recursive=true"
        return list(self._listed(f"{self.name}{folder}", first))

    def file(self, key: str) -> WebFile:
        """See `RemotePlace`."""
        url = f"{_endpoint()}/{quote(self.path)}/resolve/{quote(self.revision, safe='')}/{quote(key)}"
        return WebFile(f"{self.name}{key}", url, self.token, _LOGIN)

    def _listed(self, name: str, first: str) -> Iterator[str]:
        url: str | None = first
        while url is not None:
            page = WebFile(name, url, self.token, _LOGIN)
            try:
                content, headers = page.read(_MOST_BYTES)
                found = orjson.loads(content)
                yield from (item["path"] for item in found if item["type"] == "file")
            except LostError as lost:
                raise UsageError(f"{page.name}: cannot be listed: {lost.reason}", hint="try again later") from None
            except (orjson.JSONDecodeError, KeyError, TypeError):
                raise UsageError(f"{page.name}: unexpected answer to the request for the list of files") from None
            url = _next_page(headers.get("Link", ""), url)


def repository(address: RemoteAddress) -> tuple[Repository, str]:
    """The repository of an address, and the path in it.

    Raises:
        UsageError: the address does not name one.
    """
    found = _PATH.fullmatch(f"{address.host}/{address.path}")
    if found is None:
        raise UsageError(f"{address.name}: no repository in the address", hint="write hf://datasets/USER/NAME/FILE")
    root, revision = found["root"], found["revision"]
    name = f"hf://{root}{f'@{revision}' if revision else ''}/"
    return Repository(name, root, revision or "main", _token()), found["file"] or ""


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _token() -> str | None:
    if token := os.environ.get("HF_TOKEN"):
        return token.strip()
    home = os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")  # noqa: PTH111 - without a home, too
    with suppress(OSError, UnicodeDecodeError):
        return Path(os.environ.get("HF_TOKEN_PATH") or f"{home}/token").read_text().strip() or None
    return None


def _next_page(link: str, url: str) -> str | None:
    """The next page of a list (RFC 8288), if it is on the same hub."""
    found = re.search(r'<([^>]+)>\s*;[^,]*\brel="?next"?', link)
    following = None if found is None else urljoin(url, found[1])
    return following if following is not None and following.startswith(f"{_endpoint()}/") else None
