"""Buckets of Amazon S3 and compatible stores, of Google Cloud Storage, and of Azure, by obstore (extra `cloud`).

Credentials come from the variables of the vendors' own tools.
"""

import os
import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbatch.core.authorities import unreadable_authorities
from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.core.redact import Redactor
from llmbatch.readers.sources.aws_profile import profile_config
from llmbatch.readers.sources.remote_address import AZURE, GOOGLE, S3, STORES, RemoteAddress, parse_remote
from llmbatch.readers.sources.remote_file import Answer, Begun, LostError, Version

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import AzureStore, GCSStore, S3Store

    ObjectStore = S3Store | GCSStore | AzureStore

_CHUNK_BYTES = 1024 * 1024
_RETRIES: dict[str, Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
"""The client's own retries; the download retries what still fails."""
_CREDENTIALS = {
    S3: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket AWS_SKIP_SIGNATURE=true",
    GOOGLE: "set GOOGLE_APPLICATION_CREDENTIALS, or log in: gcloud auth application-default login",
    AZURE: "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}
_GOOGLE_KEYS = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY")
_LACKING = ("token request", "account must be specified", "credential")
"""The words of an error if no credentials were found, in lower case, apart from addresses in it."""
_MACHINE = re.compile(r"https?://(169\.254\.|metadata\.google\.internal)", re.IGNORECASE)
"""The last source of credentials: the machine's metadata service."""
_ADDRESS = re.compile(r"\w+://\S+")
_mask = Redactor()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket or a container; `name` is its address with `/` at its end."""

    scheme: str
    name: str
    store: "ObjectStore" = field(repr=False)

    def has(self, key: str) -> bool:
        """See `RemotePlace`."""
        import obstore  # noqa: PLC0415 - an extra

        with self._explained(key):
            try:
                obstore.head(self.store, key)
            except FileNotFoundError:
                return False
            return True

    def keys(self, folder: str) -> Iterable[str]:
        """See `RemotePlace`."""
        import obstore  # noqa: PLC0415 - an extra

        with self._explained(folder):
            listed = obstore.list(self.store, folder or None)
            found = [(meta["path"], meta["size"]) for chunk in listed for meta in chunk]
        return [key for key, size in found if key.startswith(folder) and (size or Path(key).suffix)]

    def file(self, key: str) -> "StoredFile":
        """See `RemotePlace`."""
        return StoredFile(self, key)

    def put(self, key: str, file: Path) -> None:
        """Write a file into it, replacing an existing one: completely or not at all.

        Raises:
            UsageError: the store refuses it, or cannot be reached.
        """
        import obstore  # noqa: PLC0415 - an extra

        with self._explained(key):
            obstore.put(self.store, key, file)

    def remove(self, key: str) -> None:
        """Remove a file, if it exists.

        Raises:
            UsageError: the store refuses it, or cannot be reached.
        """
        import obstore  # noqa: PLC0415 - an extra

        if self.has(key):
            with self._explained(key):
                obstore.delete(self.store, key)

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            with explained(self, key):
                yield
        except LostError as lost:
            raise UsageError(f"{self.name}{key}: cannot be reached: {lost.reason}") from None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a bucket."""

    bucket: Bucket
    key: str

    @property
    def name(self) -> str:
        """Its address without secrets."""
        return f"{self.bucket.name}{self.key}"

    @contextmanager
    def open(self, *, unless: Version | None, begun: Begun | None) -> Iterator[Answer]:
        """See `RemoteFile`."""
        import obstore  # noqa: PLC0415 - an extra
        from obstore.exceptions import NotModifiedError, PreconditionError  # noqa: PLC0415

        options: GetOptions = {}
        if unless is not None and unless.etag:
            options["if_none_match"] = unless.etag
        if begun is not None:
            options |= {"range": {"offset": begun.size}, "if_match": begun.version.strong_etag}
        with explained(self.bucket, self.key):
            try:
                result = obstore.get(self.bucket.store, self.key, options=options)
            except NotModifiedError:
                answer = Answer(unless or Version(), is_unchanged=True)
            except PreconditionError:
                raise LostError("the file was replaced while it was fetched", starts_over=True) from None
            else:
                meta = result.meta
                version = Version(meta["e_tag"], meta["size"], meta["last_modified"].isoformat())
                encoding = str(result.attributes.get("Content-Encoding", "")).strip().lower()
                answer = Answer(version, result.range[0], self._chunks(result.stream(_CHUNK_BYTES)), encoding)
        yield answer

    def _chunks(self, stream: Iterable[Any]) -> Iterator[bytes]:
        with explained(self.bucket, self.key):
            for chunk in stream:
                yield bytes(chunk)


@dataclass(frozen=True, slots=True)
class BucketFolder:
    """A folder in an object store, to put files into: `key` is empty, or ends in `/`."""

    bucket: Bucket
    key: str

    @classmethod
    def parse(cls, text: str) -> "BucketFolder":
        """A folder as the user names it. No request is sent.

        Raises:
            UsageError: it is not in an object store, or the store cannot be used.
        """
        address = parse_remote(text)
        if address.scheme not in STORES:
            raise UsageError(
                f"{address.name}: files cannot be uploaded there", hint="use a folder in s3://, gs:// or az://"
            )
        path = address.path.strip("/")
        return cls(open_bucket(address), f"{path}/" if path else "")

    def put(self, name: str, file: Path) -> str:
        """Write a file into it, replacing an existing one, completely or not at all. Returns its address.

        Raises:
            UsageError: the store refuses it, or cannot be reached.
        """
        self.bucket.put(f"{self.key}{name}", file)
        return f"{self.bucket.name}{self.key}{name}"

    def remove(self, name: str) -> None:
        """Remove a file, if it exists. Raises the same errors as `put`."""
        self.bucket.remove(f"{self.key}{name}")


def open_bucket(address: RemoteAddress) -> Bucket:
    """The bucket of an address. No request is sent.

    Raises:
        UsageError: the extra is missing, or the store's settings in the environment cannot be used.
    """
    name = address.place_name
    with extra("cloud", needed_by=name):
        from obstore import store  # noqa: PLC0415 - an extra
    from obstore.exceptions import BaseError  # noqa: PLC0415

    try:
        if address.scheme == S3:
            opened: ObjectStore = store.S3Store(address.host, **_common(_s3_config()))
        elif address.scheme == GOOGLE:
            opened = store.GCSStore(address.host, **_common(_google_config()))
        else:
            opened = store.AzureStore(address.host, **_common(_azure_config(address.account)))
    except BaseError as error:
        raise _refusal(name, address.scheme, _first_line(error)) from None
    return Bucket(address.scheme, name, opened)


def _common(config: dict[str, str]) -> dict[str, Any]:
    """Allow http if the user gives the store's address as http."""
    endpoint = config.get("endpoint") or config.get("base_url") or ""
    client = {"allow_http": True} if endpoint.startswith("http://") else {}
    return {"config": config, "retry_config": _RETRIES, "client_options": {**client, **_own_authorities()}}


def _own_authorities() -> dict[str, str]:
    """Certificate authorities in addition to the client's own, since the client reads no variable."""
    named = {name: os.environ[name] for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE") if os.environ.get(name)}
    found = [_authorities(name, file) for name, file in named.items()]
    return {"root_certificate": "\n".join(found)} if found else {}


def _authorities(variable: str, file: str) -> str:
    try:
        ssl.create_default_context(cafile=file)  # raises if it contains no certificate
        return Path(file).read_text("ascii", "replace")
    except OSError as error:
        raise unreadable_authorities(variable, file, error) from None


def _s3_config() -> dict[str, str]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {**profile_config(), **({"endpoint": endpoint} if endpoint else {})}


def _google_config() -> dict[str, str]:
    """Reads STORAGE_EMULATOR_HOST like Google's clients: another server, used without a key if none is named."""
    host = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if not host:
        return {}
    config = {"base_url": host if "://" in host else f"http://{host}"}
    return config if any(map(os.environ.get, _GOOGLE_KEYS)) else {**config, "skip_signature": "true"}


def _azure_config(account: str | None) -> dict[str, str]:
    """Includes AZURE_STORAGE_CONNECTION_STRING, which the client does not read."""
    said = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
    parts = dict(part.split("=", 1) for part in said.split(";") if "=" in part)
    names = {
        "AccountName": "account_name",
        "AccountKey": "account_key",
        "SharedAccessSignature": "sas_token",
        "BlobEndpoint": "endpoint",
    }
    config = {ours: parts[theirs] for theirs, ours in names.items() if theirs in parts}
    return {**config, "account_name": account} if account else config


@contextmanager
def explained(bucket: Bucket, key: str) -> Iterator[None]:
    """Translate the client's errors within the block.

    Raises:
        UsageError: the error is permanent.
        LostError: the error may be temporary.
    """
    from obstore.exceptions import (  # noqa: PLC0415 - an extra
        BaseError,
        InvalidPathError,
        PermissionDeniedError,
        UnauthenticatedError,
    )

    name = f"{bucket.name}{key}"
    try:
        yield
    except FileNotFoundError as error:
        missing = "bucket" if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error) else "file"
        raise UsageError(f"{name}: no such {missing}") from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise _denied(name, bucket.scheme) from None
    except (InvalidPathError, ValueError) as error:
        raise UsageError(f"{name}: this key cannot be read ({_first_line(error)})") from None
    except BaseError as error:
        said = _first_line(error)
        if untrusted := re.search(r"InvalidCertificate\(\s*(\w+)", str(error)):
            raise UsageError(
                f"{name}: the server's certificate is not trusted ({untrusted[1]})",
                hint="set SSL_CERT_FILE to a PEM file of the certificate authorities that you trust",
            ) from None
        if "status code: 416" in said:
            raise LostError("the store's copy is shorter than the part already downloaded", starts_over=True) from None
        if "NoSuchBucket" in said or "ContainerNotFound" in said:
            raise UsageError(f"{name}: no such bucket") from None
        if "status code: 4" in said or _lacks_credentials(said):
            raise _refusal(name, bucket.scheme, said) from None
        raise LostError(said) from None


def _denied(name: str, scheme: str) -> UsageError:
    return UsageError(f"{name}: access denied", hint=_CREDENTIALS[scheme])


def _refusal(name: str, scheme: str, said: str) -> UsageError:
    if _lacks_credentials(said):
        return UsageError(f"{name}: no credentials found", hint=_CREDENTIALS[scheme])
    if re.search("status code: 40[13]", said):
        return _denied(name, scheme)
    hint = "set AWS_REGION to the bucket's region" if "redirect" in said.lower() and scheme == S3 else None
    return UsageError(f"{name}: {said}", hint=hint)


def _lacks_credentials(said: str) -> bool:
    words = _ADDRESS.sub("", said).lower()  # a bucket may be called `credentials`
    return _MACHINE.search(said) is not None or any(word in words for word in _LACKING)


def _first_line(error: Exception) -> str:
    """The message without details for programmers, but with the system's reason for a failed connection."""
    said, _, debug = str(error).partition("\n\nDebug source")
    cause = re.search(r'message: "(.*?)"|failed to lookup address information: (.*?)"', debug)
    why = f": {cause[1] or cause[2]}" if cause else ""
    return _mask(" ".join(f"{said}{why}".split()))
