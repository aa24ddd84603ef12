"""What is accepted as documents, and what is refused before anything is sent."""

import io
import math
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from llmbatch import classify
from llmbatch.api.documents import Files, documents_of
from llmbatch.api.workspace import workspace
from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Row
from llmbatch.readers.finding import find_inputs
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.reading import read_rows
from tests.api.calling import options
from tests.e2e.conftest import StartEndpoint


def written(documents: Any, folder: Path, text_fields: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The rows of the input file written for documents in memory."""
    with workspace(documents_of(documents, text_fields), folder / "run", check=lambda: None) as place:
        return [orjson.loads(line) for line in Path(place.inputs[0]).read_bytes().splitlines()]


def texts(*values: str) -> list[dict[str, Any]]:
    return [{"id": number, "text": value} for number, value in enumerate(values)]


@pytest.mark.parametrize(
    "documents",
    [
        ["a", "b"],
        ("a", "b"),
        {"a": None, "b": None}.keys(),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype=object),
        iter(["a", "b"]),
        map(str, ["a", "b"]),
    ],
    ids=lambda documents: type(documents).__name__,
)
def test_texts_come_from_any_iterable(documents: Any, tmp_path: Path) -> None:
    assert written(documents, tmp_path) == texts("a", "b")


def test_mappings_keep_their_values_as_json(tmp_path: Path) -> None:
    row = OrderedDict(
        id=np.int64(7), text=np.str_("a"), share=np.float64(0.5), flag=np.bool_(True), vector=np.arange(2), huge=1 << 70
    )
    more = MappingProxyType(
        {
            "text": "b",
            "price": Decimal("1.10"),
            "at": datetime(2026, 1, 1, tzinfo=UTC),
            "seen": pd.Timestamp("2026-01-01"),
            "nested": MappingProxyType({"a": Path("x")}),
            "missing": float("nan"),
        }
    )
    first, second = written([row, more], tmp_path)
    assert first == {"id": 7, "text": "a", "share": 0.5, "flag": True, "vector": [0, 1], "huge": float(1 << 70)}
    assert second == {
        "text": "b",
        "price": "1.10",
        "at": "2026-01-01T00:00:00+00:00",
        "seen": "2026-01-01T00:00:00",
        "nested": {"a": "x"},
        "missing": None,
    }


def test_texts_go_in_the_field_that_the_caller_names(tmp_path: Path) -> None:
    assert written(["a"], tmp_path, ("body",)) == [{"id": 0, "body": "a"}]


FRAME = {"id": [1, 2, 3], "text": ["a", None, "c"], "share": [0.5, None, 1.5]}
ROWS = [
    {"id": 1, "text": "a", "share": 0.5},
    {"id": 2, "text": None, "share": None},
    {"id": 3, "text": "c", "share": 1.5},
]


class OnlyArrow:
    """An object with the Arrow protocol and nothing else, like tables of other libraries."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def tables() -> dict[str, Any]:
    import polars as pl  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    arrow = pa.table(FRAME)
    return {
        "columns": FRAME,
        "columns of arrays": {"id": np.array([1, 2, 3]), "text": pd.Series(["a", None, "c"], dtype=object)}
        | {"share": FRAME["share"]},
        "pandas": pd.DataFrame(FRAME),
        "pandas with an index": pd.DataFrame(FRAME).set_index("id"),
        "pandas, filtered": pd.DataFrame(FRAME | {"keep": [1, 1, 1]}).query("keep == 1").drop(columns="keep"),
        "polars": pl.DataFrame(FRAME),
        "polars, lazy": pl.LazyFrame(FRAME),
        "pyarrow": arrow,
        "record batch": arrow.to_batches()[0],
        "reader": arrow.to_reader(max_chunksize=1),
        "the protocol": OnlyArrow(arrow),
        "the protocol of polars": OnlyArrow(pl.DataFrame(FRAME)),
    }


@pytest.mark.parametrize("name", tables())
def test_tables_are_read_row_by_row(name: str, tmp_path: Path) -> None:
    assert written(tables()[name], tmp_path) == ROWS


def test_a_table_in_memory_has_the_same_values_as_in_a_file(tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    moment = datetime(2024, 5, 1, 12, tzinfo=UTC)
    table = pa.table(
        {
            "text": ["a"],
            "raw": [b"\xff"],
            "share": [math.inf],
            "price": [Decimal("1.50")],
            "opened": pa.array([moment], pa.timestamp("ns", "Europe/Berlin")),
            "day": [moment.date()],
            "took": [timedelta(hours=2)],
            "tags": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )
    parquet.write_table(table, tmp_path / "table.parquet")
    (row,) = read_rows(find_inputs((str(tmp_path / "table.parquet"),), ReaderOptions()).inputs, ReaderOptions())
    assert isinstance(row, Row)
    (tmp_path / "run").mkdir()
    assert written(table, tmp_path / "run") == [row.fields]


def test_an_unreadable_value_in_a_table_is_refused_with_its_document_range(tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415

    damaged = pa.array([b"a", b"\xff"]).cast(pa.binary()).view(pa.string())
    with pytest.raises(UsageError, match=r"documents 0 to 1: a value cannot be read \('utf-8' codec"):
        written(pa.table({"text": damaged}), tmp_path)


def columns() -> dict[str, Any]:
    import polars as pl  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    return {
        "pandas": pd.Series(["a", "b"]),
        "polars": pl.Series(["a", "b"]),
        "array": pa.array(["a", "b"]),
        "chunked": pa.chunked_array([["a"], ["b"]]),
        "categories": pd.Series(["a", "b"], dtype="category"),
    }


@pytest.mark.parametrize("name", columns())
def test_a_single_column_is_read_as_texts(name: str, tmp_path: Path) -> None:
    assert [row["text"] for row in written(columns()[name], tmp_path)] == ["a", "b"]


def test_no_table_library_is_loaded_for_texts(tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    program = (
        "import sys; from llmbatch.api.documents import documents_of; list(documents_of(['a']).rows); "
        "assert not {'pandas', 'polars', 'pyarrow', 'numpy', 'IPython'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


async def _asynchronous() -> Any:
    yield "a"


class Labels(dict[str, Any]):
    """A dict subclass."""


REFUSED: dict[str, Any] = {
    "nothing": None,
    "a number": 5,
    "bytes": b"a",
    "an empty name": "",
    "an empty path": Path(),
    "a NUL in the name": "a\0b",
    "a text": "The server crashed.",
    "a long text": "The server crashed. " * 500,
    "a text with a lone surrogate": "\ud800",
    "an empty list": [],
    "an empty generator": iter(()),
    "an empty table": pd.DataFrame({"text": []}),
    "a table without columns": pd.DataFrame(),
    "one mapping": {"id": 1, "text": "a"},
    "a mapping by id": {1: "a", 2: "b"},
    "no columns": {},
    "columns of two lengths": {"id": [1], "text": ["a", "b"]},
    "columns of one name": pd.DataFrame([[1, "a", "b"]], columns=["id", "text", "text"]),
    "splits": Labels(train=pd.DataFrame(FRAME)),
    "an open file": io.StringIO("a\nb\n"),
    "numbers": [1, 2],
    "a range": range(3),
    "None among texts": ["a", None],
    "missing among texts": ["a", float("nan")],
    "bytes among texts": ["a", b"b"],
    "lists": [["a"], ["b"]],
    "pairs": {"a": 1}.items(),
    "an array of two dimensions": np.array([["a", "b"]]),
    "an array of none": np.array("a"),
    "a path among texts": ["a", Path("b")],
    "a text among paths": [Path("pyproject.toml"), "b"],
    "names that are no strings": [{1: "a"}],
    "a value that is not JSON": [{"text": "a", "value": object()}],
    "bytes in a mapping": [{"text": b"a"}],
    "a circle": [{"text": "a", "row": []}],
    "something asynchronous": _asynchronous(),
    "exceptions": [ValueError("a")],
}
REFUSED["a circle"][0]["row"].append(REFUSED["a circle"])


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_and_nothing_is_sent(name: str, tmp_path: Path, endpoint: StartEndpoint) -> None:
    server = endpoint()
    with pytest.raises(UsageError):
        classify(REFUSED[name], **options(server.url, tmp_path / "run"))
    assert (server.requests, list(tmp_path.iterdir())) == (0, [])


def test_a_generators_error_is_raised_and_the_folder_is_unchanged(tmp_path: Path, endpoint: StartEndpoint) -> None:
    def broken() -> Iterator[str]:
        yield "c"
        raise ZeroDivisionError

    server, out = endpoint(), tmp_path / "run"
    classify(["a", "b"], **options(server.url, out))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ZeroDivisionError):
        classify(broken(), **options(server.url, out))
    with pytest.raises(UsageError, match=r"missing\.toml"):
        classify(["c"], **options(server.url, out), task="missing.toml")
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert after | {".lock": b""} == before | {".lock": b""}
    assert server.requests == 2


def test_files_can_be_several_paths(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.csv"
    first.write_text('{"text": "a"}\n')
    second.write_text("text\nb\n")
    assert documents_of([first, second]) == Files((str(first), str(second)))
    assert documents_of(first) == documents_of(str(first)) == Files((str(first),))
