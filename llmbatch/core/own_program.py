"""This very program as a command, for processes that it starts itself."""

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
    """What starts this package by its file, and never a module of the current folder (`-P`).

    Args:
        arguments: of `llmbatch`.
    """
    return [sys.executable, "-P", "-c", _START, os.path.abspath(llmbatch.__file__), *arguments]  # noqa: PTH100 - links stay
