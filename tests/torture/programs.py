"""The program for torture tests: temporary files get predictable names, so that strace can find them."""

from itertools import count

from llmbatch import cli
from llmbatch.core import files
from llmbatch.session import session_loop

BESIDE = [f".llmbatch-{number:016x}.new" for number in range(60)]
"""Names of the first temporary files."""


def main() -> None:
    """Run the command line."""
    numbers = count()
    files._random_name = lambda: f".llmbatch-{next(numbers):016x}.new"
    cli.main()


def main_of_a_long_session() -> None:
    """Run it with constants that make a small run act like a long one: a checkpoint after each line."""
    session_loop.MILESTONE_BYTES = 500
    session_loop.SYNC_EVERY_S = 0.01
    main()
