"""Inputs that are named by an address, `SCHEME://...`: which they are, and what is called after them."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from llmbatch.core.errors import UsageError
from llmbatch.databases import is_database, parse_address
from llmbatch.readers.sources.remote_address import is_remote, parse_remote

DOWNLOAD_PARTS = "download-*.part"
"""A pattern of the copies that are not whole yet, of files that are not on this machine."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_address(name: str) -> bool:
    """Whether a name is the address of a database or of a file that is not on this machine."""
    return is_database(name) or is_remote(name)


def check_scheme(name: str) -> None:
    """Refuse what looks like an address and is none that can be read.

    Raises:
        UsageError: it does.
    """
    scheme = _ADDRESS.match(name)
    if scheme is not None and not is_address(name):
        raise UsageError(
            f"{scheme[0]}... is not supported",
            hint="addresses begin with https://, s3://, gs://, az://, hf://, sqlite:// or postgresql://",
        )


def check_on_disk(folder: Path) -> None:
    """Refuse an address as a run folder; as a path it has lost a slash.

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
    """An input's name as files and screens have it: an address without its secrets.

    Raises:
        UsageError: it is an address that cannot be used.
    """
    if is_database(name):
        return parse_address(name).name
    return parse_remote(name).name if is_remote(name) else name


def copy_name(name: str) -> str:
    """What the copy of such an input is called.

    Args:
        name: the input's, without secrets.
    """
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"query-{digest[:8]}.jsonl" if is_database(name) else f"download-{digest}"


def file_part(address: str) -> str:
    """What of an address may end in the suffix of a file: its path, without the parameters of a web address."""
    return urlsplit(address).path if address.lower().startswith(("https:", "http:")) else address


def folder_stem(address: str) -> str:
    """A path for what is made of an input: a database file's without its suffix, else a name in the current folder.

    Raises:
        UsageError: the address cannot be used.
    """
    if is_database(address):
        return parse_address(address).stem
    return re.sub(r"[^\w.-]+", "_", parse_remote(address).file_name).strip("._") or "run"
