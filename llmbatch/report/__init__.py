"""A run as a page for people: one HTML file that works offline. Gathered in two passes with flat memory, then drawn.

`story` and `attention` gather, `charts` draws, `page` puts together. Knows ledger lines, rows and the summary.
"""

from llmbatch.report.attention import Attention
from llmbatch.report.page import write_page
from llmbatch.report.story import Story

__all__ = ["Attention", "Story", "write_page"]
