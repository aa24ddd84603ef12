"""Human decisions about rows: a separate log in the run folder, append-only like the ledger.

Any number of reviewers may work on one folder, even while a run is in progress. Depends on keys and labels, but not on
views, screens or runs. A decision is about a text: it outlives prompts, models and row numbers.
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
