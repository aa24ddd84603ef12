"""Addresses of files on web servers and in object stores, and their names in files and on screens."""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from llmbatch.core.errors import UsageError
from llmbatch.core.redact import Redactor

WEB = ("https", "http")
HUGGING_FACE = "hf"
S3, GOOGLE, AZURE = "s3", "gs", "az"
STORES = (S3, GOOGLE, AZURE)
_ALIASES = {"s3a": S3, "s3n": S3, "gcs": GOOGLE, "azure": AZURE, "abfs": AZURE, "abfss": AZURE}
_SCHEMES = {scheme: scheme for scheme in (*WEB, HUGGING_FACE, *STORES)} | _ALIASES

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_SIGNING = re.compile(
    r"x-amz-.*|x-goog-.*|awsaccesskeyid|googleaccessid|signature|expires|policy|key-pair-id", re.IGNORECASE
)
"""Parameters of signed addresses of Amazon, Google and CloudFront."""
_SHARED_ACCESS = frozenset(
    {"sv", "ss", "srt", "sr", "sp", "st", "se", "sip", "spr", "sig", "ses", "skoid", "sktid", "skt"}
) | {*("ske", "sks", "skv", "saoid", "suoid", "scid", "sdd", "ses")}
"""Parameters of Azure's shared access signatures; learn.microsoft.com/rest/api/storageservices/create-service-sas."""
_PATTERN = re.compile(r"[^/]*[*?\[].*", re.DOTALL)
_mask = Redactor().mask


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """Where files are, in one of `WEB`, `HUGGING_FACE` or `STORES`.

    `name` has no secrets, and stays the same when the address is signed again; `host` is a server, bucket or container;
    `path` is the key there, or the path with the parameters.
    """

    scheme: str
    name: str
    host: str
    path: str
    account: str | None = None
    """Azure's storage account, if the address names it."""
    url: str = field(default="", repr=False)
    """User and password as given; only for a web server."""

    @property
    def file_name(self) -> str:
        """The last part of its path that is not a pattern."""
        path = (
            unquote(urlsplit(self.url).path) if self.url else re.sub(r"[^/]*[*?\[].*", "", self.path, flags=re.DOTALL)
        )
        return PurePosixPath(path).name or PurePosixPath(self.host).name

    @property
    def place_name(self) -> str:
        """The name of the whole bucket, with `/` at its end."""
        return self.name.removesuffix(self.path)


def is_remote(name: str) -> bool:
    """Whether a name is the address of a remote file."""
    match = _ADDRESS.fullmatch(name)
    return match is not None and match["scheme"].lower() in _SCHEMES


def parse_remote(text: str) -> RemoteAddress:
    """An address as people write it; in object stores the key is taken literally, without unquoting.

    Raises:
        UsageError: it names no server or bucket.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or match["scheme"].lower() not in _SCHEMES:
        raise UsageError(
            f"{_mask(text)}: is not the address of a file", hint="addresses begin with https://, s3://, ..."
        )
    scheme = _SCHEMES[match["scheme"].lower()]
    if scheme in WEB:
        return _web(scheme, match["rest"])
    host, _, path = match["rest"].partition("/")
    container, _, server = host.partition("@")
    if not container or (scheme == HUGGING_FACE and not path):
        raise UsageError(f"{text}: no {_PLACES[scheme]} in the address", hint=f"write {_EXAMPLES[scheme]}")
    account = server.partition(".")[0] or None
    return RemoteAddress(scheme, f"{scheme}://{host}/{path}", container, path, account)


_PLACES = {S3: "bucket", GOOGLE: "bucket", AZURE: "container", HUGGING_FACE: "repository"}
_EXAMPLES = {
    S3: "s3://BUCKET/KEY",
    GOOGLE: "gs://BUCKET/KEY",
    AZURE: "az://CONTAINER/KEY",
    HUGGING_FACE: "hf://datasets/USER/NAME/FILE",
}


def _web(scheme: str, rest: str) -> RemoteAddress:
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, _ = parts.hostname, parts.port  # a bad port raises only when it is accessed
    except ValueError as error:
        raise UsageError(f"{_mask(f'{scheme}://{rest}')}: invalid address ({error})") from None
    if not host or re.search(r"[\s\x00-\x1f\x7f]", host):
        raise UsageError(f"{_mask(f'{scheme}://{rest}')}: no host in the address", hint="write https://HOST/FILE")
    path = quote(parts.path, safe="%/:=&~+!$,;'@()*[]") or "/"
    query = quote(parts.query, safe="%/:=&?~+!$,;'@()*[]|{}")
    url = urlunsplit((scheme, parts.netloc, path, query, ""))
    public = urlunsplit((scheme, parts.netloc.rpartition("@")[2], parts.path or "/", _public_query(parts.query), ""))
    return RemoteAddress(scheme, _mask(public), host, path, url=url)


def _public_query(query: str) -> str:
    """The parameters that select content, without those that authorize access."""
    found = parse_qsl(query, keep_blank_values=True)
    names = {name.lower() for name, _ in found}
    is_signed = bool(names & {"x-amz-signature", "x-goog-signature", "signature"})
    is_shared = {"sig", "sv"} <= names
    kept = [
        (name, value)
        for name, value in found
        if not (is_signed and _SIGNING.fullmatch(name)) and not (is_shared and name.lower() in _SHARED_ACCESS)
    ]
    return query if len(kept) == len(found) else urlencode(kept)
