"""Output for people: a run's progress, its summary, errors. Everything except requested output goes to stderr.

Depends on plain data only. Text from outside is sanitized and never acts as markup.
"""

from llmbatch.terminal.console import make_screen, stderr_console, stdout_console
from llmbatch.terminal.error import show_error
from llmbatch.terminal.summary import render_summary

__all__ = ["make_screen", "render_summary", "show_error", "stderr_console", "stdout_console"]
