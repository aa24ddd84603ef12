"""The program with the constants by which a small run does what only a long one does: checkpoints on its way."""

from llmbatch import cli
from llmbatch.pipeline import under_way


def main() -> None:
    """Run the command line: a checkpoint after each line."""
    under_way.MILESTONE_BYTES = 500
    under_way.SYNC_EVERY_S = 0.01
    cli.main()
