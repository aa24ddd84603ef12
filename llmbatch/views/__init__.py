"""Results, review, failed and sample: files made from ledger, input and decisions, never written to otherwise.

Each is written beside the old one and renamed into place, so that no reader sees half a file and no two files
disagree.
"""

from llmbatch.views.basis import Basis, basis_of_views, size_of
from llmbatch.views.counts import ViewCounts
from llmbatch.views.make import ViewOptions, check_views, count_views, make_views
from llmbatch.views.sample import Sample, drawn, parse_sample

__all__ = [
    "Basis",
    "Sample",
    "ViewCounts",
    "ViewOptions",
    "basis_of_views",
    "check_views",
    "count_views",
    "drawn",
    "make_views",
    "parse_sample",
    "size_of",
]
