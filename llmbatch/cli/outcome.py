"""Once a run's outcome is recorded, it is that of the command: signals no longer change the exit code."""

from llmbatch.cli.signals import hear_no_more
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import Summary


class OutcomeStands(Observer):
    """Ignores signals once a run has its summary."""

    def ended(self, summary: Summary) -> None:  # noqa: ARG002 - whatever it says
        """Ignore signals from here on: the summary only has to be shown."""
        hear_no_more()
