"""Results, review, failed and sample: files, or database tables, derived from ledger, input and decisions.

They are never modified in place. A new file is written and renamed into place, and tables change in one transaction, so
no reader sees incomplete data and no two views disagree.
"""

from llmbatch.runs.outputs.basis import Basis, basis_of_outputs, size_of
from llmbatch.runs.outputs.counts import OutputCounts
from llmbatch.runs.outputs.exploding import check_explodes
from llmbatch.runs.outputs.formats import JSONL, OutputFormat, output_format
from llmbatch.runs.outputs.make import check_outputs, count_outputs, write_outputs
from llmbatch.runs.outputs.rows import RunRows, ViewOptions
from llmbatch.runs.outputs.sample import Sample, drawn, parse_sample
from llmbatch.runs.outputs.tables import TableDestination, write_tables
from llmbatch.runs.outputs.upload import upload_outputs

__all__ = [
    "JSONL",
    "Basis",
    "OutputCounts",
    "OutputFormat",
    "RunRows",
    "Sample",
    "TableDestination",
    "ViewOptions",
    "basis_of_outputs",
    "check_explodes",
    "check_outputs",
    "count_outputs",
    "drawn",
    "output_format",
    "parse_sample",
    "size_of",
    "upload_outputs",
    "write_outputs",
    "write_tables",
]
