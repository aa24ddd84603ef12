"""Reading documents: files, folders, globs and standard input become rows, lazily and one at a time.

A row's way: inputs (which files) -> stream (bytes, unpacked) -> lines -> jsonl or separated (fields) -> fields
(which of them are the id and the text) -> `Row` or `Rejection`. Nothing here knows of models, prompts or runs;
the pipeline and the command line import from here, never the other way round.
"""

from llmbatch.readers.fields import FieldChoice
from llmbatch.readers.identity import FIRST_MARK, IdentityWatch, InputIdentity, WholeRead, first_mark
from llmbatch.readers.inputs import Input, begun, from_spool, resolve_inputs, spooled
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.reading import count_rows, read_rows
from llmbatch.readers.records import Record, read_records

__all__ = [
    "FIRST_MARK",
    "FieldChoice",
    "IdentityWatch",
    "Input",
    "InputIdentity",
    "ReaderOptions",
    "Record",
    "WholeRead",
    "begun",
    "count_rows",
    "first_mark",
    "from_spool",
    "read_records",
    "read_rows",
    "resolve_inputs",
    "spooled",
]
