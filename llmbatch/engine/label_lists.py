"""How requests list labels if there are too many for the prefix: retrieved for each document, or level by level."""

from dataclasses import dataclass

from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.task.candidates import Candidates
from llmbatch.task.descent import LONGEST_LIST, Descent
from llmbatch.task.embedded_candidates import EmbeddedCandidates
from llmbatch.task.model import Task
from llmbatch.task.text_search import require_search
from llmbatch.tokens import count_tokens


@dataclass(frozen=True, slots=True)
class Level:
    """The lists of one level of a descent, each of which follows the prefix."""

    lists: int
    tokens: int
    """Average tokens of a list."""

    def opened_by(self, rows: int) -> float:
        """How many lists are used by this many rows, if each row's list is random: their first use is not cached."""
        return float(self.lists * (1 - (1 - 1 / self.lists) ** rows))


def label_lists(task: Task, wish: int | None, embedding_model: str | None, dialect: str) -> Candidates | None:
    """The label lists per document; None if no field has more labels than fit on a list.

    Args:
        task: the task.
        wish: how many labels to list, or a mode; None leaves it to the task.
        embedding_model: the model whose embeddings retrieve labels; None leaves it to the task.
        dialect: the wire protocol's name.

    Raises:
        UsageError: the required library is not installed, too many labels have `always`, or embeddings cannot be used.
    """
    most = task.model.candidates if wish is None else wish
    model = embedding_model or task.model.embedding_model
    if embedding_model is not None and (most is None or most <= 0):
        raise UsageError(
            "--embedding-model retrieves labels for each document, but they are listed another way",
            hint="say how many to retrieve: --candidates 20",
        )
    if most == defaults.LABELS_BY_LEVEL:
        return _descent(task)
    if most is None or most <= 0:
        return None
    candidates = Candidates(task, most) if model is None else EmbeddedCandidates(task, most, model)
    if not candidates.fields:
        return None
    if model is not None and dialect != defaults.DIALECT:
        raise UsageError(
            f"--dialect {dialect} has no embeddings, by which labels are to be retrieved",
            hint="retrieve labels by their words: leave out --embedding-model, and embedding_model in the task",
        )
    require_search("--candidates")
    for field in candidates.fields:
        if (always := sum(label.always for label in field.answers)) >= candidates.most:
            raise UsageError(f"--candidates {candidates.most}: {always} labels have `always`, which leaves no room")
    return candidates


def _descent(task: Task) -> Descent:
    """A descent by levels.

    Raises:
        UsageError: the task has no levels, or too many labels on one of them.
    """
    if not can_descend(task):
        raise UsageError(
            f"--candidates levels needs one field with one label, in groups, and {task.name} has none",
            hint="give labels a parent, or set a number: --candidates 20",
        )
    require_search("--candidates")
    descent = Descent(task)
    if descent.most > LONGEST_LIST:
        raise UsageError(
            f"--candidates levels: {descent.most:,} labels are directly under one group; the limit is {LONGEST_LIST}",
            hint="add intermediate groups, or set a number: --candidates 20",
        )
    return descent


def can_descend(task: Task) -> bool:
    """Whether the task has a single label per document, and its labels are in groups."""
    space = task.label_space
    return space.takes_one_label and not space.fields[0].tree.is_flat and len(Descent(task).fields) > 0


def levels_of(candidates: Candidates | None) -> tuple[Level, ...]:
    """The levels of a descent, from the top; none for other lists."""
    if not isinstance(candidates, Descent):
        return ()
    lists = filter(None, candidates.lists())
    return tuple(Level(len(texts), sum(map(count_tokens, texts)) // len(texts)) for texts in lists)
