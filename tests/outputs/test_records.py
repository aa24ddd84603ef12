"""No input field overwrites an answer or another field, however often results are used as input again."""

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.ledger_line import RowError
from llmbatch.core.rows import Place, Row
from llmbatch.core.sanitize import PROTECTED
from llmbatch.runs.outputs.records import carried_fields, column, error_field, failed_record, own_columns
from llmbatch.runs.outputs.writers import CsvWriter
from llmbatch.task.label_space import plain_space

COLUMNS = own_columns(plain_space(()))
OWN = st.sampled_from([*COLUMNS, "error", "raw", "team", ""])
NAMES = st.builds(lambda times, name: "input_" * times + name, st.integers(0, 3), OWN)
FIELDS = st.dictionaries(NAMES, st.integers())


@given(FIELDS)
def test_field_columns_do_not_clash_with_each_other_or_with_output_columns(fields: dict[str, int]) -> None:
    carried = {column(name, COLUMNS): value for name, value in fields.items()}
    assert len(carried) == len(fields)
    assert carried.keys().isdisjoint(COLUMNS)
    again = {column(name, COLUMNS): value for name, value in carried.items()}
    assert sorted(again.values()) == sorted(fields.values())


def _row(fields: dict[str, Any]) -> Row:
    return Row(0, 0, "text", Place("in", 1), fields)


@given(st.dictionaries(st.builds(lambda n: "llmbatch_" * n + "error", st.integers(0, 3)), st.integers()))
def test_a_failed_rows_error_removes_no_field_and_the_next_runs_error_replaces_it(fields: dict[str, int]) -> None:
    record = failed_record(_row(fields), RowError("refusal", None, "first"))
    assert {name: record[name] for name in fields} == fields
    again = failed_record(_row(record), RowError("timeout", None, "second"))
    assert again.keys() == record.keys()
    assert again[error_field(again)]["kind"] == "timeout"
    assert carried_fields(_row(again), keep=None, text_fields=()) == fields, "a result does not contain old errors"


def test_headings_stay_distinct_when_they_are_made_safe() -> None:
    file = io.BytesIO()
    columns = ["=a", "'=a", "b", "input_'=a"]
    CsvWriter(file, columns).close()
    headings = file.getvalue().decode().strip().split(",")
    assert headings == ["'=a", "''=a", "b", "input_'=a", PROTECTED]
