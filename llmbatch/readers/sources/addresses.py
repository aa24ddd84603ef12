"""Inputs that are named by an address, `SCHEME://...`, and the names derived from it."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from llmbatch.core.errors import UsageError
from llmbatch.databases import is_database, parse_address
from llmbatch.readers.sources.remote_address import is_remote, parse_remote

DOWNLOAD_PARTS = "download-*.part"
"""A pattern for incomplete copies of remote files."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_address(name: str) -> bool:
    """Whether a name is the address of a database or of a remote file."""
    return is_database(name) or is_remote(name)


def check_scheme(name: str) -> None:
    """Refuse a name that looks like an address but cannot be read.

    Raises:
        UsageError: it is such a name.
    """
    scheme = _ADDRESS.match(name)
    if scheme is not None and not is_address(name):
        raise UsageError(
            f"{scheme[0]}... is not supported",
            hint="addresses begin with https://, s3://, gs://, az://, hf://, sqlite:// or postgresql://",
        )


def check_on_disk(folder: Path) -> None:
    """Refuse an address as a run folder; a path has lost one of its slashes.

    Raises:
        UsageError: it is one.
    """
    name = str(folder).replace(":/", "://", 1)
    if is_address(name):
        raise UsageError(
            f"{name}: a run folder must be on a disk",
            hint="omit --out, then upload the results: llmbatch export RUN --out s3://BUCKET/FOLDER",
        )


def public_name(name: str) -> str:
    """An input's name for files and screens: an address without its secrets.

    Raises:
        UsageError: it is an address that cannot be used.
    """
    if is_database(name):
        return parse_address(name).name
    return parse_remote(name).name if is_remote(name) else name


def copy_name(name: str) -> str:
    """The name of the copy of such an input.

    Args:
        name: the input's, without secrets.
    """
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"query-{digest[:8]}.jsonl" if is_database(name) else f"download-{digest}"


def file_part(address: str) -> str:
    """The part of an address that may end in a file's suffix: its path, without the parameters of a web address."""
    return urlsplit(address).path if address.lower().startswith(("https:", "http:")) else address


def folder_stem(address: str) -> str:
    """A path for output of an input: a database file's without its suffix, otherwise a name in the current folder.

    Raises:
        UsageError: the address cannot be used.
    """
    if is_database(address):
        return parse_address(address).stem
    return re.sub(r"[^\w.-]+", "_", parse_remote(address).file_name).strip("._") or "run"
