"""A run's outcome, once it is written down, is its command's: no signal changes the exit code any more."""

from llmbatch.cli.signals import hear_no_more
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import Summary


class OutcomeStands(Observer):
    """Waits for a run's summary."""

    def ended(self, summary: Summary) -> None:  # noqa: ARG002 - whatever it says
        """Let signals have no effect from here on: what is left to do is to show it."""
        hear_no_more()
