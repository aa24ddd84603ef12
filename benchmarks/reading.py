"""Rows a second and peak memory of each input format, beside pandas, pyarrow and DuckDB reading the same file.

`python -m benchmarks.reading` prints the section by itself. DuckDB takes part where it is installed.

Each file is written and read in a process of its own, and this one stays small: the system counts the memory of who
starts a process into that process's peak.
"""

import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import measured

if TYPE_CHECKING:
    import pyarrow as pa

_NOTE = "The nightly backup of server {n} stopped with an I/O error; the log shows a full disk and a failed retry. "
_COLUMNS = ("id", "text", "team")
_BLOCK_ROWS = 20_000
_SHEET_ROWS = 50_000
_LONG = 9
"""Notes in a text of the large files, which makes it about 1 KB."""

Rows = Iterator[tuple[int, str, str]]


def reading_section(folder: Path, rows: int, *, with_large: bool) -> str:
    """Two tables: files of so many rows, and a JSON array of 1 GB and a Parquet file of 2 GB."""
    readers = [name for name in _READERS if name != "duckdb" or find_spec("duckdb")]
    lines = [_row("format", *readers), _row(*["---"] * (len(readers) + 1))]
    for suffix in _WRITERS:
        path = folder / f"reading{suffix}"
        _write(path, min(rows, _SHEET_ROWS) if suffix == ".xlsx" else rows, 1)
        lines.append(_row(suffix, *(_cell(reader, path) for reader in readers)))
        path.unlink()
    lines += [
        "",
        f"{rows:,} rows of three columns, {_SHEET_ROWS:,} in the workbook: rows a second, peak memory of the process. ",
    ]
    lines[-1] += "llmbatch makes a row with id and text of each, one by one; the others a table of the whole file."
    return "\n".join(lines + (_large(folder) if with_large else []))


def _large(folder: Path) -> list[str]:
    lines = ["", _row("large file", "size", "llmbatch"), _row("---", "---", "---")]
    for suffix, rows in ((".json", 1_050_000), (".parquet", 2_200_000)):
        path = folder / f"large{suffix}"
        _write(path, rows, _LONG)
        lines.append(_row(suffix, f"{path.stat().st_size / 1e9:.2f} GB", _cell("llmbatch", path)))
        path.unlink()
    return lines


def _write(path: Path, rows: int, length: int) -> None:
    command = [sys.executable, "-m", "benchmarks.reading", "write", str(path), str(rows), str(length)]
    subprocess.run(command, check=True)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(reader: str, path: Path) -> str:
    """Rows a second, without the start of the process, and its peak memory."""
    if not _can_read(reader, path):
        return ""
    cost = measured([sys.executable, "-m", "benchmarks.reading", reader, str(path)])
    rows, seconds = cost.output.split()
    return f"{int(rows) / float(seconds):,.0f}, {cost.peak_mb:,.0f} MB"


def _can_read(reader: str, path: Path) -> bool:
    unread = {"pyarrow": {".json", ".xlsx", ".zip"}, "duckdb": {".feather", ".xlsx", ".zip"}}
    return path.suffix not in unread.get(reader, set())


def _rows(count: int, length: int) -> Rows:
    return ((n, _NOTE.format(n=n) * length, f"team {n % 7}") for n in range(count))


def _write_jsonl(path: Path, count: int, length: int) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(dict(zip(_COLUMNS, row, strict=True))) + "\n" for row in _rows(count, length))


def _write_array(path: Path, count: int, length: int) -> None:
    with path.open("w") as file:
        for row in _rows(count, length):
            file.write(("," if row[0] else "[") + json.dumps(dict(zip(_COLUMNS, row, strict=True))))
        file.write("]")


def _write_csv(path: Path, count: int, length: int) -> None:
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        csv.writer(file).writerows([_COLUMNS, *_rows(count, length)])


def _write_zip(path: Path, count: int, length: int) -> None:
    inner = path.with_suffix("")
    _write_csv(inner, count, length)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, inner.name)
    inner.unlink()


def _write_parquet(path: Path, count: int, length: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 - only what is measured
    from pyarrow import parquet  # noqa: PLC0415 - only what is measured

    schema = pa.schema([("id", pa.int64()), ("text", pa.string()), ("team", pa.string())])
    with parquet.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for table in _tables(count, length):
            writer.write_table(table)


def _write_feather(path: Path, count: int, length: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 - only what is measured
    from pyarrow import feather  # noqa: PLC0415 - only what is measured

    feather.write_feather(pa.concat_tables(_tables(count, length)), str(path))


def _tables(count: int, length: int) -> "Iterator[pa.Table]":
    import pyarrow as pa  # noqa: PLC0415 - only what is measured

    rows = _rows(count, length)
    for start in range(0, count, _BLOCK_ROWS):
        columns = zip(*(next(rows) for _ in range(min(_BLOCK_ROWS, count - start))), strict=True)
        yield pa.table(dict(zip(_COLUMNS, map(pa.array, columns), strict=True)))


def _write_workbook(path: Path, count: int, length: int) -> None:
    import openpyxl  # noqa: PLC0415 - only what is measured

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (_COLUMNS, *_rows(count, length)):
        sheet.append(row)
    book.save(path)


_WRITERS: dict[str, Callable[[Path, int, int], None]] = {
    ".jsonl": _write_jsonl,
    ".json": _write_array,
    ".csv": _write_csv,
    ".csv.gz": _write_csv,
    ".csv.zip": _write_zip,
    ".parquet": _write_parquet,
    ".feather": _write_feather,
    ".xlsx": _write_workbook,
}


def _read_llmbatch(path: Path) -> int:
    from llmbatch.readers import ReaderOptions, read_rows, resolve_inputs  # noqa: PLC0415 - only what is measured

    options = ReaderOptions()
    return sum(1 for _ in read_rows(resolve_inputs([str(path)], options), options))


def _read_pandas(path: Path) -> int:
    import pandas as pd  # noqa: PLC0415 - only what is measured

    match path.suffix:
        case ".jsonl" | ".json":
            return len(pd.read_json(path, lines=path.suffix == ".jsonl"))
        case ".parquet":
            return len(pd.read_parquet(path))
        case ".feather":
            return len(pd.read_feather(path))
        case ".xlsx":
            return len(pd.read_excel(path))
        case _:
            return len(pd.read_csv(path))


def _read_pyarrow(path: Path) -> int:
    from pyarrow import csv as arrow_csv  # noqa: PLC0415 - only what is measured
    from pyarrow import feather, parquet  # noqa: PLC0415 - only what is measured
    from pyarrow import json as arrow_json  # noqa: PLC0415 - only what is measured

    readers = {".jsonl": arrow_json.read_json, ".parquet": parquet.read_table, ".feather": feather.read_table}
    return int(readers.get(path.suffix, arrow_csv.read_csv)(path).num_rows)


def _read_duckdb(path: Path) -> int:
    import duckdb  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - is no dependency

    return int(duckdb.sql(f"select * from '{path}'").to_arrow_table().num_rows)


_READERS: dict[str, Callable[[Path], int]] = {
    "llmbatch": _read_llmbatch,
    "pandas": _read_pandas,
    "pyarrow": _read_pyarrow,
    "duckdb": _read_duckdb,
}


def main(arguments: list[str]) -> None:
    """Write one file, or read one and print rows and seconds; without arguments, the whole section."""
    if not arguments:
        with tempfile.TemporaryDirectory(prefix="llmbatch-bench-") as name:
            print(reading_section(Path(name), 300_000, with_large=True))
        return
    if arguments[0] == "write":
        path = Path(arguments[1])
        suffix = "".join(path.suffixes)
        _WRITERS[suffix](path, *map(int, arguments[2:]))
        return
    reader, name = arguments
    started = time.perf_counter()
    rows = _READERS[reader](Path(name))
    print(rows, time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1:])
