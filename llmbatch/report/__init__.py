"""A run as a page for people: one HTML file that works offline. Gathered in two passes with flat memory, then drawn.

`story`, `attention` and `correctness` gather, `charts` and `panels` draw, `page` puts together. Knows ledger lines,
outcomes, evaluations and the summary.
"""

from llmbatch.report.attention import Attention
from llmbatch.report.correctness import Correctness
from llmbatch.report.page import Page, write_page
from llmbatch.report.story import Story

__all__ = ["Attention", "Correctness", "Page", "Story", "write_page"]
