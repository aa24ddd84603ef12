"""The command line: each command parses its options, calls the session, shows the outcome.

No logic lives here. Importing this package stays light: heavy imports happen in the commands that need them.
"""

import sys

_STORAGE = 8
"""`ExitCode.STORAGE`, for when not even that can be imported."""


def main() -> None:
    """Run the program; report it if this machine has too little memory or too few files to load it."""
    try:
        from llmbatch.cli.app import main as run
    except (MemoryError, OSError) as error:
        sys.stderr.write(
            f"error: llmbatch cannot be loaded ({str(error) or 'out of memory'}); see ulimit -v and ulimit -n\n"
        )
        sys.exit(_STORAGE)
    run()
