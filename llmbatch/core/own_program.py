"""The command line of this same program, for child processes."""

import os
import sys

import llmbatch

_START = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("llmbatch", sys.argv.pop(1))
sys.modules["llmbatch"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from llmbatch.cli import main
main()
"""


def own_command(*arguments: str) -> list[str]:
    """A command that starts this package by its file, and never a module in the current folder (`-P`).

    Args:
        arguments: the arguments of `llmbatch`.
    """
    return [sys.executable, "-P", "-c", _START, os.path.abspath(llmbatch.__file__), *arguments]  # noqa: PTH100 - keeps links
