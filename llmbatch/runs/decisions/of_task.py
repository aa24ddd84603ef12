"""People's decisions as they count for one task."""

from llmbatch.runs.decisions.line import Decision, text_digest
from llmbatch.runs.decisions.log import DecisionLog
from llmbatch.runs.decisions.rules import held
from llmbatch.task.label_space import LabelSpace


class TaskDecisions:
    """What people decided about texts, as long as their labels are the task's. Prompt and model do not matter."""

    def __init__(self, log: DecisionLog, label_space: LabelSpace) -> None:
        self.log = log
        """All that people said, whether it holds or not."""
        self.label_space = label_space

    def __len__(self) -> int:
        """How many texts have a decision, those whose label the task has no more among them."""
        return len(self.log)

    def about(self, text: str) -> Decision | None:
        """What holds for a text, or None if there is no decision about it."""
        return self.by_digest(text_digest(text)) if self.log.is_used else None

    def by_digest(self, digest: str) -> Decision | None:
        """The same by the text's digest."""
        latest = self.log.latest(digest)
        return None if latest is None else held(latest, self.label_space)

    def settles(self, text: str) -> bool:
        """Whether people have given a text its label."""
        decision = self.about(text)
        return decision is not None and decision.is_settled
