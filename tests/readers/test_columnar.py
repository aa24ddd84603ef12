import datetime as dt
import gzip
import io
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection
from llmbatch.readers import ReaderOptions, count_rows, read_rows, resolve_inputs
from llmbatch.readers.identity import IdentityWatch, WholeRead

if TYPE_CHECKING:
    from llmbatch.readers.inputs import Input


def parquet_bytes(table: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    return file.getvalue()


def arrow_bytes(table: Any, new: Callable[..., Any]) -> bytes:
    file = io.BytesIO()
    with new(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=1500)
    return file.getvalue()


def feather_bytes(table: Any) -> bytes:
    file = io.BytesIO()
    feather.write_feather(table, file)
    return file.getvalue()


WRITERS: dict[str, Callable[[Any], bytes]] = {
    "in.parquet": parquet_bytes,
    "in.arrow": lambda table: arrow_bytes(table, ipc.new_file),
    "in.arrows": lambda table: arrow_bytes(table, ipc.new_stream),
    "in.feather": feather_bytes,
}
each_format = pytest.mark.parametrize("name", WRITERS)
NANOSECOND = pa.array([1], pa.timestamp("ns"))
VALUES = [
    (pa.array([2**63 - 1]), 2**63 - 1),
    (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    (pa.array([Decimal("12345678901234567890.10")]), "12345678901234567890.10"),
    (pa.array([dt.date(2024, 2, 29)]), "2024-02-29"),
    (NANOSECOND, "1970-01-01T00:00:00.000000001"),
    (pa.array([0], pa.timestamp("us", "Europe/Berlin")), "1970-01-01T00:00:00.000000Z"),
    (pa.array([dt.time(1, 2, 3)]), "01:02:03.000000"),
    (pa.array([b"caf\xc3\xa9"]), "café"),
    (pa.array([b"\xff\x00"]), "/wA="),
    (pa.array(["a"]).dictionary_encode(), "a"),
    (pa.array([None], pa.null()), None),
    (pa.array([float("nan")]), None),
    (pa.array([float("-inf")]), "-inf"),
    (pa.array([[1, None]]), [1, None]),
    (pa.array([{"when": dt.date(2024, 1, 1)}]), {"when": "2024-01-01"}),
    (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), [["k", 1]]),
]


def some(count: int) -> Any:
    return pa.table({"id": list(range(count)), "text": [f"document number {n}" for n in range(count)]})


@each_format
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_rows_come_in_order_with_their_numbers(read: Any, name: str, pack: Callable[[bytes], bytes]) -> None:
    rows = read(pack(WRITERS[name](some(2500))), name)
    assert [(row.id, row.place.line) for row in rows] == [(n, n + 1) for n in range(2500)]


@each_format
@pytest.mark.parametrize(("column", "expected"), VALUES)
def test_values_are_those_of_the_same_row_in_json(read: Any, name: str, column: Any, expected: Any) -> None:
    (row,) = read(WRITERS[name](pa.table({"text": ["a text"], "value": column})), name)
    assert row.fields["value"] == expected


@each_format
def test_a_table_without_rows_is_valid(read: Any, name: str) -> None:
    assert read(WRITERS[name](some(0)), name) == []


@each_format
def test_a_truncated_or_mislabelled_file_is_refused_by_name_or_reported(read: Any, name: str) -> None:
    content = WRITERS[name](some(2500))
    for cut in (b"", b"no table at all", content[:7], content[: len(content) // 2]):
        try:
            rows = read(cut, name)
        except UsageError as error:
            assert name in error.message  # noqa: PT017 - either is right
        else:
            assert isinstance(rows[-1], Rejection)
            assert rows[-1].kind == "bad_table"


def test_a_damaged_row_group_loses_only_its_own_rows(read: Any, tmp_path: Path) -> None:
    content = bytearray(parquet_bytes(some(300), row_group_size=100, compression="none", use_dictionary=False))
    metadata = parquet.ParquetFile(io.BytesIO(bytes(content))).metadata
    at = metadata.row_group(1).column(1).data_page_offset
    content[at : at + 30] = b"\xff" * 30
    rows = read(bytes(content), "in.parquet")
    (bad,) = [row for row in rows if isinstance(row, Rejection)]
    assert (bad.kind, bad.place.line) == ("bad_table", 101)
    assert "rows 101 to 200" in bad.message
    assert [row.id for row in rows if row is not bad] == [*range(100), *range(200, 300)]
    assert count_rows(resolve_inputs([str(tmp_path / "in.parquet")], ReaderOptions()), ReaderOptions()) == len(rows)


def test_a_string_that_is_not_utf8_rejects_its_row(read: Any) -> None:
    text = pa.Array.from_buffers(pa.string(), 3, pa.array([b"a", b"\xff", b"c"]).buffers())
    rows = read(parquet_bytes(pa.table({"text": text})), "in.parquet")
    assert [getattr(row, "kind", "row") for row in rows] == ["row", "bad_encoding", "row"]


def test_duplicate_column_names_are_refused(read: Any) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    with pytest.raises(UsageError, match="columns of the same name: 'text'"):
        read(arrow_bytes(table, ipc.new_file), "in.arrow")


def test_its_identity_is_computed_from_all_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(parquet_bytes(some(5000)))
    kept: dict[Input, WholeRead] = {}
    inputs = resolve_inputs([str(path)], ReaderOptions())
    assert len(list(read_rows(inputs, ReaderOptions(), watch=IdentityWatch(kept, lambda _: frozenset())))) == 5000
    assert kept[inputs[0]].identity.size == path.stat().st_size


@pytest.mark.parametrize("name", ["in.arrow", "in.arrows"])
def test_flipped_bytes_are_refused_or_reported_and_never_crash_the_process(read: Any, name: str) -> None:
    columns = {"text": ["some text"] * 9, "tags": [["a"]] * 9, "kind": pa.array(["a"] * 9).dictionary_encode()}
    content, chance = WRITERS[name](pa.table(columns)), random.Random(1)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[chance.randrange(len(content))] = chance.choice((0xFF, 0x7F, 0x80, 0))
        with suppress(UsageError):
            read(bytes(damaged), name)


def test_without_the_extra_the_error_shows_the_install_command(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"reading .*in\.parquet needs") as refused:
        read(parquet_bytes(some(1)), "in.parquet")
    assert refused.value.hint == "pip install 'llmbatch[tables]'"
