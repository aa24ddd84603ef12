"""Results, review, failed and sample: files made from ledger, input and decisions, never written to otherwise.

Each is written beside the old one and renamed into place, so that no reader sees half a file and no two files
disagree.
"""

from llmbatch.runs.outputs.basis import Basis, basis_of_outputs, size_of
from llmbatch.runs.outputs.counts import OutputCounts
from llmbatch.runs.outputs.make import ViewOptions, check_outputs, count_outputs, write_outputs
from llmbatch.runs.outputs.sample import Sample, drawn, parse_sample

__all__ = [
    "Basis",
    "OutputCounts",
    "Sample",
    "ViewOptions",
    "basis_of_outputs",
    "check_outputs",
    "count_outputs",
    "drawn",
    "parse_sample",
    "size_of",
    "write_outputs",
]
