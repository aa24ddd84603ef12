"""Sources of inputs other than local files: their data is copied once, and the copy is read.

A new kind of source is a `Source` here, with its names in `addresses.py`.
"""

from llmbatch.readers.sources.addresses import (
    DOWNLOAD_PARTS,
    check_on_disk,
    check_scheme,
    copy_name,
    file_part,
    folder_stem,
    is_address,
    public_name,
)
from llmbatch.readers.sources.download import Download
from llmbatch.readers.sources.object_store import BucketFolder
from llmbatch.readers.sources.query import CopiedRows, QuerySource
from llmbatch.readers.sources.remote_source import RemoteSource, remote_sources

Source = QuerySource | RemoteSource

__all__ = [
    "DOWNLOAD_PARTS",
    "BucketFolder",
    "CopiedRows",
    "Download",
    "QuerySource",
    "RemoteSource",
    "Source",
    "check_on_disk",
    "check_scheme",
    "copy_name",
    "file_part",
    "folder_stem",
    "is_address",
    "public_name",
    "remote_sources",
]
