"""What people decided about rows: a log of its own in the run folder, append-only as the ledger is.

Any number of reviewers may work on one folder, and a run may be in progress on it. Knows keys and labels; of views,
screens and runs it knows nothing. A decision is about a text: it outlives prompts, models and row numbers.
"""

from llmbatch.runs.decisions.line import Decision, Standing, text_digest
from llmbatch.runs.decisions.log import DecisionLog
from llmbatch.runs.decisions.of_task import TaskDecisions
from llmbatch.runs.decisions.rules import as_it_stood, decided, held, last_said, mark_of, noted

__all__ = [
    "Decision",
    "DecisionLog",
    "Standing",
    "TaskDecisions",
    "as_it_stood",
    "decided",
    "held",
    "last_said",
    "mark_of",
    "noted",
    "text_digest",
]
