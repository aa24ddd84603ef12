"""Files on web servers and in object stores as inputs: which ones an address stands for, and how each is copied."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmbatch.readers.sources.download import Download, OnLost, download
from llmbatch.readers.sources.hugging_face import repository
from llmbatch.readers.sources.listing import RemotePlace, listed_files
from llmbatch.readers.sources.object_store import open_bucket
from llmbatch.readers.sources.remote_address import HUGGING_FACE, WEB, parse_remote
from llmbatch.readers.sources.remote_file import RemoteFile
from llmbatch.readers.sources.web import WebFile


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """A file on another machine. `is_listed` if the user names its folder or a pattern instead of the file."""

    file: RemoteFile
    is_listed: bool = False

    @property
    def name(self) -> str:
        """Its address without secrets."""
        return self.file.name

    def copy_to(self, file: Path, on_lost: OnLost = lambda _, __: None) -> Download:
        """Download it, unless there is a copy of the same version.

        Args:
            file: the copy.
            on_lost: called before another attempt.

        Raises:
            UsageError: it does not exist, may not be read, or its server keeps failing.
            StorageFailed: the copy cannot be written.
        """
        return download(self.file, file, on_lost=on_lost)


def remote_sources(name: str) -> Iterator[RemoteSource]:
    """The files that an address stands for.

    Raises:
        UsageError: it cannot be used, or there is no such file.
    """
    address = parse_remote(name)
    if address.scheme in WEB:
        yield RemoteSource(WebFile(address.name, address.url))
        return
    place: RemotePlace
    if address.scheme == HUGGING_FACE:
        place, path = repository(address)
    else:
        place, path = open_bucket(address), address.path
    for file, is_listed in listed_files(place, path):
        yield RemoteSource(file, is_listed)
