"""The columns of a spreadsheet that a person fills in."""

from collections.abc import Mapping

from llmbatch.task.label_space import LabelSpace

_DECISION = "decision"


def decision_columns(space: LabelSpace) -> Mapping[str, str]:
    """The field of each decision column: `decision`, or one `decision_FIELD` per field if there are several."""
    fields = space.columns()
    return {_DECISION: fields[0]} if len(fields) == 1 else {f"{_DECISION}_{field}": field for field in fields}
