"""Reading documents: files, folders, globs and standard input become rows, lazily and one at a time.

A row passes through: finding (which files) -> stream (bytes, decompressed) -> a format (records), or documents (one per
file) -> source (both in the same form) -> fields (which are the id and the text) -> `Row` or `Rejection`. Nothing here
depends on models, prompts or runs; the engine and the command line import from here, never the other way round.
"""

from llmbatch.readers.column_types import column_types
from llmbatch.readers.fields import FieldChoice, KeptFields
from llmbatch.readers.finding import find_inputs, reopened, resolve_inputs
from llmbatch.readers.folders import Snapshot, snapshot
from llmbatch.readers.identity import FIRST_MARK, IdentityWatch, InputIdentity, WholeRead, first_mark
from llmbatch.readers.inputs import (
    Found,
    Input,
    PassedOver,
    begun,
    copied,
    from_spool,
    is_file_name,
    spooled,
)
from llmbatch.readers.looking import InputLook, look_into, looked_at
from llmbatch.readers.options import AUTO, ReaderOptions
from llmbatch.readers.reading import EarlierFields, chosen_fields, count_rows, existing_fields, read_rows
from llmbatch.readers.records import Record, read_records
from llmbatch.readers.sources import (
    DOWNLOAD_PARTS,
    BucketFolder,
    CopiedRows,
    QuerySource,
    Source,
    check_on_disk,
    copy_name,
    folder_stem,
    is_address,
    public_name,
)

__all__ = [
    "AUTO",
    "DOWNLOAD_PARTS",
    "FIRST_MARK",
    "BucketFolder",
    "CopiedRows",
    "EarlierFields",
    "FieldChoice",
    "Found",
    "IdentityWatch",
    "Input",
    "InputIdentity",
    "InputLook",
    "KeptFields",
    "PassedOver",
    "QuerySource",
    "ReaderOptions",
    "Record",
    "Snapshot",
    "Source",
    "WholeRead",
    "begun",
    "check_on_disk",
    "chosen_fields",
    "column_types",
    "copied",
    "copy_name",
    "count_rows",
    "existing_fields",
    "find_inputs",
    "first_mark",
    "folder_stem",
    "from_spool",
    "is_address",
    "is_file_name",
    "look_into",
    "looked_at",
    "public_name",
    "read_records",
    "read_rows",
    "reopened",
    "resolve_inputs",
    "snapshot",
    "spooled",
]
