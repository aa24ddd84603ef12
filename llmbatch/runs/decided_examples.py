"""Human decisions about rows, as examples for similar documents.

They are chosen together with the task's pool, document by document. They are not part of a row's key, so a new decision
does not cause rows to be sent again (docs/decisions/0042-decisions-are-examples-and-no-part-of-a-key.md).
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection, Row
from llmbatch.engine.plan import ModelChoice
from llmbatch.runs.decisions import DecisionLog, TaskDecisions
from llmbatch.runs.input import RunInput
from llmbatch.runs.standing import standing_run
from llmbatch.task.load import LoadedTask
from llmbatch.task.model import Example, Task
from llmbatch.task.similar_examples import LONGEST_EXAMPLE, same_text, similar_count

_MOST = 20_000
"""How many are searched: the first ones in their inputs."""


def with_decided(
    loaded: LoadedTask, choice: ModelChoice, source: RunInput, log: DecisionLog, other: Path | None = None
) -> LoadedTask:
    """The task with human decisions, if examples are chosen for each document.

    Args:
        loaded: the task.
        choice: the user's.
        source: the run's input, which can be read again; nothing is taken from standard input.
        log: the run's decisions.
        other: another run's folder, whose decisions are used too.

    Raises:
        UsageError: another run is given although no examples are chosen, or it is not the user's own.
    """
    if not similar_count(loaded.task, choice.similar):
        if other is not None:
            raise UsageError(
                f"--decisions {other} offers examples to choose from, but no examples are in use",
                hint="add --examples similar:4",
            )
        return loaded
    found = dict[str, Example]()
    if other is not None:
        found |= _of_folder(loaded.task, other)
    if log.is_used and not source.is_stream:
        found |= _by_text(loaded.task, source.read_again(lambda _: None), log)
    return replace(loaded, decided=tuple(islice(found.values(), _MOST)))


def _of_folder(task: Task, path: Path) -> dict[str, Example]:
    folder, record = standing_run(path)
    with closing(DecisionLog(folder.decisions)) as log:
        return _by_text(task, RunInput.again(record, folder).read_again(lambda _: None), log)


def _by_text(task: Task, rows: Iterable[Row | Rejection], log: DecisionLog) -> dict[str, Example]:
    """Each decided text once: a decision is about a text, not a row."""
    return {same_text(example.text): example for example in _decided(task, rows, TaskDecisions(log, task.label_space))}


def _decided(task: Task, rows: Iterable[Row | Rejection], decisions: TaskDecisions) -> Iterator[Example]:
    for row in rows:
        if not isinstance(row, Row) or len(row.text) > LONGEST_EXAMPLE:
            continue
        decision = decisions.about(row.text)
        if decision is not None and decision.is_settled and decision.category is not None:
            yield task.example(row.text, decision.category)
