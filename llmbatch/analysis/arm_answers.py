"""What an arm of a comparison answered, by all that its ledger holds: running it again makes it forget nothing."""

from collections import defaultdict
from collections.abc import Sequence

from llmbatch.analysis.comparison import ArmAnswer
from llmbatch.core.ledger_line import FAILED, LedgerLine
from llmbatch.core.rows import Row
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.recorded_plan import recorded_plan

_INVALID = "invalid"
_MODELS_OWN = frozenset({"refusal", "content_filter"})
"""Kinds of failure that are the model's doing, as unreadable answers are."""


def arm_answers(folder: RunFolder, rows: Sequence[Row]) -> tuple[ArmAnswer | None, ...]:
    """The arm's answer to each row; None where it was never asked.

    All of a row's lines count: what each cost, and each invalid answer. A row that the model failed stays without a
    label for the comparison, though the next session asked again and got one: else an arm would gain by failing first.
    What the endpoint failed (a time-out, say) is made good by a later answer.
    """
    record = load_record(folder)
    plan, labels = recorded_plan(record), record.task.label_space
    keys = [plan.key(row.text) for row in rows]
    lines: defaultdict[str, list[LedgerLine]] = defaultdict(list)
    wanted = set(keys)
    for _, line in read_lines(folder.ledger):
        if line.key in wanted and line.can_be(labels):
            lines[line.key].append(record.reread(line))
    return tuple(_answer(lines[key]) if key in lines else None for key in keys)


def _answer(lines: Sequence[LedgerLine]) -> ArmAnswer:
    asked = [line for line in lines if line.source != "reused"] or lines[-1:]
    decisive = next((line for line in asked if _is_the_models(line)), asked[-1])
    costs = [line.cost_nanousd for line in asked]
    retried = sum(retry.error == _INVALID for line in asked for retry in line.retries)
    return ArmAnswer(
        label=None if decisive.status == FAILED else decisive.category,
        confidence=decisive.confidence,
        error=None if decisive.error is None else decisive.error.kind,
        answers=retried + sum(line.parse is not None for line in asked),
        invalid=retried + sum(line.parse == _INVALID for line in asked),
        cost_nanousd=None if None in costs else sum(cost for cost in costs if cost is not None),
        latency_s=decisive.latency_s,
    )


def _is_the_models(line: LedgerLine) -> bool:
    """Whether the line's outcome is the model's doing: a label, an unreadable answer, a refusal."""
    if line.status != FAILED or line.parse is not None:
        return True
    return line.error is not None and line.error.kind in _MODELS_OWN
