"""The record of a row in each view."""

import base64
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import asdict
from typing import Any

from llmbatch.core.ledger_line import RowError
from llmbatch.core.rows import Rejection, Row, RowId
from llmbatch.readers.paths import Spread, is_there, value_at
from llmbatch.runs.outputs.outcome import REVIEW, Outcome
from llmbatch.task.label_space import LabelSpace

DECISION_COLUMNS = (
    "decided_by",
    "reviewer",
    "decided_at",
    "review_note",
    "model_category",
    "model_confidence",
    "conflict",
)
"""Columns of rows with human decisions."""
FAILURE_COLUMNS = ("row", "id", "kind", "code", "message", "file", "line", "fields")
"""Columns of a table of failed rows."""
HUMAN = "human"
_PREFIX, _ERROR = "input_", "error"

Values = Callable[[str | None], Mapping[str, Any]]
"""The value of each of a task's fields, from a row's canonical text; None if the row has no label."""


def own_columns(space: LabelSpace) -> tuple[str, ...]:
    """The program's own columns in results."""
    more = () if space.takes_one_label else ("confidences",)
    return ("row", "id", *space.columns(), "confidence", *more, "reasoning", *DECISION_COLUMNS, "text")


def result_record(outcome: Outcome, carried: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """A finished row: its label, then the fields carried from the input, with names from `column`.

    `values` gives the value of each of the task's fields.
    """
    return {**_labelled(outcome, values), **carried}


def review_record(outcome: Outcome, carried: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """A row for review: like a result, with its text."""
    return {**_labelled(outcome, values), "text": outcome.row.text, **carried}


def labelled_record(outcome: Outcome, carried: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """A row for results, or for review if it needs review."""
    record = review_record if outcome.view == REVIEW else result_record
    return record(outcome, carried, values)


def failed_record(row: Row, error: RowError, *, error_name: str | None = None) -> dict[str, Any]:
    """A failed row as it was read, ready to be an input again, with its error.

    Args:
        row: the row.
        error: why it failed.
        error_name: the field of the error, if all rows of a file use the same one; None for `error_field`.
    """
    return _with_error(row.fields, _error(error.kind, error.code, error.message, row), error_name)


def rejected_record(rejection: Rejection, *, error_name: str | None = None) -> dict[str, Any]:
    """A row that could not be used, with the reason: its fields, or otherwise its raw content.

    Bytes that are not UTF-8 are written as Base64. `error_name` is that of `failed_record`.
    """
    error = _error(rejection.kind, None, rejection.message, rejection)
    if rejection.fields is not None:
        return _with_error(rejection.fields, error, error_name)
    return {**_raw(rejection), error_name or _ERROR: error}


def _raw(rejection: Rejection) -> dict[str, str]:
    try:
        return {"raw": rejection.raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(rejection.raw).decode("ascii")}


def failure_record(row: Row, error: RowError) -> dict[str, Any]:
    """A failed row for a table: its id and its error in columns, and the row as it was read in another."""
    return _failure(row.id, _error(error.kind, error.code, error.message, row), row.fields)


def rejection_record(rejection: Rejection) -> dict[str, Any]:
    """A row that could not be used, for the same table. Its position is its id."""
    error = _error(rejection.kind, None, rejection.message, rejection)
    return _failure(str(rejection.place), error, rejection.fields or _raw(rejection))


def _failure(row_id: RowId, error: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"row": error["row"], "id": str(row_id), **error, "fields": dict(fields)}


def carried_fields(row: Row, *, keep: tuple[str, ...] | None, text_fields: tuple[str, ...]) -> dict[str, Any]:
    """The input's fields that are carried into results.

    Args:
        row: the row.
        keep: the fields to carry, or paths to them; None for all except the text and the id.
        text_fields: the fields that make up the text.
    """
    if keep is not None:
        return {name: _plain(value_at(row.fields, name)) for name in keep if is_there(row.fields, name)}
    dropped = {*text_fields} | ({"id"} if row.fields.get("id") == row.id else set())
    return {
        name: value
        for name, value in row.fields.items()
        if name not in dropped and not (name.endswith(_ERROR) and _is_error(value))
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, Spread) else value


def column(field: str, own: Container[str]) -> str:
    """A carried field's name in a view, distinct from the view's own columns and from all other fields.

    If the name without its prefixes is that of a column, it gets another prefix: names never collide, however often
    results are used as an input, and the new name depends only on the field's name.

    Args:
        field: its name in the input.
        own: the view's own columns.
    """
    name = field
    while name.startswith(_PREFIX):
        name = name.removeprefix(_PREFIX)
    return f"{_PREFIX}{field}" if name in own else field


def common_error_field(names: Collection[str]) -> str:
    """The field of the error for all rows of a file.

    Args:
        names: of fields that contain something else in any row.
    """
    name = _ERROR
    while name in names:
        name = f"llmbatch_{name}"
    return name


def names_in_use(fields: Mapping[str, Any]) -> set[str]:
    """The fields of a row except the error of an earlier run."""
    return {name for name, value in fields.items() if not (name.endswith(_ERROR) and _is_error(value))}


def error_field(fields: Mapping[str, Any]) -> str:
    """The field for the error of a failed row: `error`, prefixed with `llmbatch_` if the row has one of its own."""
    name = _ERROR
    while name in fields and not _is_error(fields[name]):
        name = f"llmbatch_{name}"
    return name


def _labelled(outcome: Outcome, values: Values) -> dict[str, Any]:
    row, line, decision = outcome.row, outcome.line, outcome.decision
    confidence = None if line is None else line.confidence
    record: dict[str, Any] = {"row": row.index, "id": row.id, **values(outcome.category), "confidence": confidence}
    if line is not None and line.confidences is not None:
        record["confidences"] = line.confidences
    if line is not None and line.reasoning is not None:
        record["reasoning"] = line.reasoning
    if decision is None:
        return record
    if outcome.human is not None:  # a person states no confidence; the model's stays with the model's answer
        record |= {"confidence": None, "decided_by": HUMAN}
        record.pop("confidences", None)
        record |= {"reviewer": decision.reviewer, "decided_at": decision.decided_at}
        record |= {"model_category": None if line is None else line.category, "model_confidence": confidence}
    elif decision.is_conflict:
        record["conflict"] = [asdict(standing) for standing in decision.standings]
    if decision.note is not None:
        record["review_note"] = decision.note
    return record


def _error(kind: str, code: str | None, message: str, where: Row | Rejection) -> dict[str, Any]:
    return {
        "kind": kind,
        "code": code,
        "message": message,
        "row": where.index,
        "file": where.place.file,
        "line": where.place.line,
    }


def _with_error(fields: Mapping[str, Any], error: dict[str, Any], name: str | None) -> dict[str, Any]:
    return {**fields, name or error_field(fields): error}


def _is_error(value: Any) -> bool:
    """Whether a field is the error of an earlier run, in a failed row that is used as an input."""
    return isinstance(value, dict) and value.keys() == {"kind", "code", "message", "row", "file", "line"}
