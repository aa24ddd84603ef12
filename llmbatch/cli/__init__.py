"""The command line: each command parses its options, calls the pipeline, shows what came of it.

No logic lives here. Importing this package stays light: heavy imports happen in the commands that need them.
"""

from llmbatch.cli.app import main

__all__ = ["main"]
