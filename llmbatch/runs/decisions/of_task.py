"""Human decisions as they apply to one task."""

from llmbatch.runs.decisions.line import Decision, text_digest
from llmbatch.runs.decisions.log import DecisionLog
from llmbatch.runs.decisions.rules import held
from llmbatch.task.label_space import LabelSpace


class TaskDecisions:
    """Decisions about texts, as long as their labels are in the task. Prompt and model do not matter."""

    def __init__(self, log: DecisionLog, label_space: LabelSpace) -> None:
        self.log = log
        """All decisions, whether they apply or not."""
        self.label_space = label_space

    def __len__(self) -> int:
        """How many texts have a decision, including those whose label is no longer in the task."""
        return len(self.log)

    def about(self, text: str) -> Decision | None:
        """The decision that applies to a text, or None if there is none."""
        return self.by_digest(text_digest(text)) if self.log.is_used else None

    def by_digest(self, digest: str) -> Decision | None:
        """The same by the text's digest."""
        latest = self.log.latest(digest)
        return None if latest is None else held(latest, self.label_space)

    def settles(self, text: str) -> bool:
        """Whether a person has decided a text's label."""
        decision = self.about(text)
        return decision is not None and decision.is_settled
