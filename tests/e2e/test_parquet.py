"""Results as Parquet: with the input's types, or else those of the values."""

import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from llmbatch.core.exact_numbers import number
from llmbatch.runs.outputs.parquet import ParquetFormat
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, views, write_rows

MOMENT = dt.datetime(2024, 5, 1, 12, 30, 0, 123456, tzinfo=dt.UTC)
INPUT = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "text": ["An invoice.", "The server is down.", "A contract."],
        "at": pa.array([MOMENT, None, MOMENT], pa.timestamp("us", "Europe/Berlin")),
        "day": pa.array([dt.date(2024, 5, 1), None, dt.date(1, 1, 1)], pa.date32()),
        "clock": pa.array([dt.time(1, 2, 3), None, dt.time(0)], pa.time64("us")),
        "price": pa.array([Decimal("1.50"), None, Decimal("-3.25")], pa.decimal128(9, 2)),
        "share": pa.array([0.5, float("inf"), None], pa.float32()),
        "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        "tiny": pa.array([1, None, 3], pa.uint8()),
        "flag": [True, None, False],
        "tags": [["x"], [], None],
        "confidence": pa.array([7, 8, 9], pa.int16()),
    }
)


def written(records: list[dict[str, Any]], types: dict[str, Any] | None = None) -> pa.Table:
    file = io.BytesIO()
    writer = ParquetFormat(types).writer(file, list(dict.fromkeys(name for record in records for name in record)))
    for record in records:
        writer.write(record)
    writer.close()
    return parquet.read_table(io.BytesIO(file.getvalue()))


def test_the_input_types_are_preserved(llmbatch: Program, endpoint: StartEndpoint) -> None:
    parquet.write_table(INPUT, llmbatch.folder / "docs.parquet")
    server = endpoint().url
    done = llmbatch("classify", "docs.parquet", "--base-url", server, "--review-below", "0", "--out", "run")
    assert done.code == 0, done.err
    done = llmbatch("export", "run", "--format", "parquet")
    assert done.code == 0, done.err
    results = parquet.read_table(llmbatch.folder / "run" / "results.parquet")
    kept = ["id", "at", "day", "clock", "price", "share", "kind", "tiny", "flag", "tags"]
    assert results.select(kept).to_pylist() == INPUT.select(kept).to_pylist()
    assert [results.schema.field(name).type for name in kept] == [INPUT.schema.field(name).type for name in kept]
    assert results.schema.field("input_confidence").type == pa.int16()
    assert results.schema.field("category").type == pa.dictionary(pa.int32(), pa.string())
    assert results.schema.field("confidence").type == pa.float64()
    review = parquet.read_table(llmbatch.folder / "run" / "review.parquet")
    assert (review.num_rows, "category" in review.column_names) == (0, True)


def test_exported_results_are_an_input_again(llmbatch: Program, endpoint: StartEndpoint) -> None:
    rows = [{"id": f"d{n}", "text": f"Invoice {n}.", "n": n, "nested": {"a": [n]}} for n in range(20)]
    write_rows(llmbatch.folder / "docs.jsonl", [*rows, b"{broken"])
    server = endpoint().url
    assert llmbatch("classify", "docs.jsonl", "--base-url", server, "--review-below", "1", "--out", "run").code == 3
    assert llmbatch("export", "run", "--format", "parquet", "--out", "tables").code == 0
    review = parquet.read_table(llmbatch.folder / "tables" / "review.parquet").to_pylist()
    assert [(row["id"], row["text"], row["n"], json.loads(row["nested"])) for row in review] == [
        (row["id"], row["text"], row["n"], row["nested"]) for row in rows
    ]
    (failed,) = parquet.read_table(llmbatch.folder / "tables" / "failed.parquet").to_pylist()
    assert json.loads(failed["error"])["kind"] == "bad_json"
    again = llmbatch("classify", "tables/review.parquet", "--base-url", server, "--review-below", "0", "--out", "again")
    assert again.code == 0, again.err
    assert [row["id"] for row in views(llmbatch.folder / "again")["results"]] == [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ([1, None, 2**60], pa.int64(), None),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([1, "a"], pa.string(), ["1", "a"]),
        ([10**30], pa.string(), [str(10**30)]),
        ([["a"], []], pa.list_(pa.string()), None),
        ([["a"], "b"], pa.string(), ['["a"]', "b"]),
        ([{"a": 1}], pa.string(), ['{"a":1}']),
        ([None, None], pa.string(), None),
        ([number("1.50"), 2.5], pa.float64(), [1.5, 2.5]),
        ([number("0.1234567890123456789"), 2.5], pa.string(), ["0.1234567890123456789", "2.5"]),
        ([True, 1], pa.string(), ["true", "1"]),
    ],
)
def test_columns_have_the_type_of_all_their_values(values: list[Any], kind: Any, read: list[Any] | None) -> None:
    table = written([{"x": value} for value in values])
    assert table.schema.field("x").type == kind
    assert table.column("x").to_pylist() == (values if read is None else read)


def test_a_value_that_does_not_fit_the_inputs_type_is_kept() -> None:
    table = written([{"day": "2024-05-01", "n": 300}, {"day": "soon", "n": 1}], {"day": pa.date32(), "n": pa.int8()})
    assert table.to_pylist() == [{"day": "2024-05-01", "n": 300}, {"day": "soon", "n": 1}]


@given(
    st.lists(st.fixed_dictionaries({}, optional={"a": st.integers(-(2**70), 2**70) | st.text(), "b": st.booleans()}))
)
def test_no_value_is_lost(records: list[dict[str, Any]]) -> None:
    table = written([{"a": None, "b": None} | record for record in records] or [{"a": None, "b": None}])
    for record, read in zip(records, table.to_pylist(), strict=False):
        assert read["b"] == record.get("b")
        assert str(read["a"]) == str(record.get("a"))
