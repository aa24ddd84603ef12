"""What people see: a run's progress, its summary, errors. All of it on stderr but what was asked for.

Knows plain data only. Text that comes from outside goes through `neutral` and never acts as markup.
"""

from llmbatch.terminal.console import make_screen, stderr_console, stdout_console
from llmbatch.terminal.error import show_error
from llmbatch.terminal.summary import render_summary

__all__ = ["make_screen", "render_summary", "show_error", "stderr_console", "stdout_console"]
