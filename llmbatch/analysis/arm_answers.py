"""An arm's answers in a comparison, from its whole ledger, so that running it again discards nothing."""

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
"""Failure kinds caused by the model, as unreadable answers are."""


def arm_answers(folder: RunFolder, rows: Sequence[Row]) -> tuple[ArmAnswer | None, ...]:
    """The arm's answer to each row; None if the row was never sent.

    All of a row's lines count, with their costs and invalid answers. A row that the model failed stays unlabelled in
    the comparison even if a later session got a label; otherwise an arm would gain by failing first. An endpoint
    failure (such as a timeout) is superseded by a later answer.
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
    """Whether the outcome was caused by the model: a label, an unreadable answer, a refusal."""
    if line.status != FAILED or line.parse is not None:
        return True
    return line.error is not None and line.error.kind in _MODELS_OWN
