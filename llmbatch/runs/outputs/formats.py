"""Export formats of results: JSON lines, CSV, Parquet, and those that other packages provide as plug-ins."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from llmbatch.core.errors import UsageError
from llmbatch.core.plugins import OUTPUTS, Plugin, find_plugin, plugin_names
from llmbatch.runs.outputs.parquet import ParquetFormat
from llmbatch.runs.outputs.writers import CsvWriter, JsonlWriter, RecordWriter, cell


class OutputFormat(Protocol):
    """One format of results. It keeps no state about a file."""

    @property
    def suffix(self) -> str:
        """Suffix of its files, without the dot."""

    @property
    def has_columns(self) -> bool:
        """Whether all columns must be known before the first record."""

    @property
    def is_typed(self) -> bool:
        """Whether values have JSON types; otherwise each is a string, and a missing one is empty."""

    def writer(self, file: BinaryIO, columns: Sequence[str]) -> RecordWriter:
        """A writer of records into an open, empty file, which its owner closes.

        Args:
            file: the file.
            columns: the records' fields in order; empty if `has_columns` is false.
        """


class _Jsonl:
    suffix = "jsonl"
    has_columns = False
    is_typed = True

    def writer(self, file: BinaryIO, columns: Sequence[str]) -> RecordWriter:  # noqa: ARG002 - each record has its own
        return JsonlWriter(file)


JSONL = _Jsonl()


@dataclass(frozen=True, slots=True)
class _Csv:
    suffix = "csv"
    has_columns = True
    is_typed = False
    bom: bool

    def writer(self, file: BinaryIO, columns: Sequence[str]) -> RecordWriter:
        return CsvWriter(file, columns, bom=self.bom)


def output_format(name: str, *, bom: bool = False) -> OutputFormat:
    """The format of this name.

    Args:
        name: `jsonl`, `csv`, `parquet`, or a plug-in's.
        bom: begin a CSV with a byte order mark.

    Raises:
        UsageError: there is none, or it is a plug-in that cannot be used.
    """
    built_in: dict[str, OutputFormat] = {"jsonl": JSONL, "csv": _Csv(bom), "parquet": ParquetFormat()}
    if name in built_in:
        return built_in[name]
    plugin = find_plugin(OUTPUTS, name)
    if plugin is None:
        names = (*built_in, *plugin_names(OUTPUTS))
        raise UsageError(f"--format {name!r} is unknown", hint=f"use one of {', '.join(names)}")
    plugin.check({"has_columns": bool, "is_typed": bool, "writer": None})
    if not _SUFFIX.fullmatch(name):
        raise plugin.failure("its name cannot be the suffix of its files")
    return _PluggedFormat(plugin)


_SUFFIX = re.compile(r"[a-z0-9]{1,16}(\.[a-z0-9]{1,16})?")


class _PluggedFormat:
    """Passes records on to a plug-in, and names it in errors."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self.suffix = plugin.name
        self.has_columns: bool = plugin.part.has_columns
        self.is_typed: bool = plugin.part.is_typed

    def writer(self, file: BinaryIO, columns: Sequence[str]) -> RecordWriter:
        with self._plugin.blamed(OSError):
            writer = self._plugin.part.writer(file, tuple(columns))
        return _PluggedWriter(self._plugin, writer, columns if self.has_columns else None, is_typed=self.is_typed)


class _PluggedWriter:
    def __init__(self, plugin: Plugin, writer: RecordWriter, columns: Sequence[str] | None, *, is_typed: bool) -> None:
        self._plugin = plugin
        self._writer = writer
        self._columns = columns
        self._is_typed = is_typed

    def write(self, record: Mapping[str, Any]) -> None:
        given = {name: record.get(name) for name in self._columns or record}
        if not self._is_typed:
            given = {name: cell(value) for name, value in given.items()}
        with self._plugin.blamed(OSError):
            self._writer.write(given)

    def close(self) -> None:
        with self._plugin.blamed(OSError):
            self._writer.close()
