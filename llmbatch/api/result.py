"""A finished run in Python: its rows in the input's order, read from the files of its folder."""

import heapq
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, overload

import orjson

from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.analysis.thresholds import parse_precision
from llmbatch.api.flat import arrow_table, write_parquet
from llmbatch.api.gold import GoldLabels, gold_file
from llmbatch.api.html import run_html
from llmbatch.api.workspace import removed_with
from llmbatch.cli.options.values import checked_path
from llmbatch.core.errors import UsageError
from llmbatch.core.plurals import counted
from llmbatch.observe.summary import Summary
from llmbatch.readers.paths import value_at
from llmbatch.readers.usual_names import usual_id
from llmbatch.review.item import ReviewItem
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice, make_queue
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.input import RunInput
from llmbatch.runs.outputs.records import error_field
from llmbatch.runs.trust import Trust

_VIEWS = {"ok": "results", "review": "review", "failed": "failed"}
"""The file of each status."""
_STATUSES = tuple(_VIEWS)
_UNREADABLE = frozenset({"raw", "error"})
"""The fields of a row that could not be read."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row's outcome. `status` is `ok`, `review` or `failed`; a failed row has `error` and no category."""

    row: int
    """Its position in the input, from 0."""
    id: Any
    status: str
    category: str | None
    """Its label; for a task with fields, all their values as one text."""
    confidence: float | None
    error: Mapping[str, Any] | None
    record: Mapping[str, Any] = field(repr=False)
    """The row as in the run folder's file, including carried fields."""
    labels: Mapping[str, Any] = field(default_factory=dict)
    """The value of each of the task's fields; empty if the row failed."""


class Run(Sequence[Result]):
    """A finished run: its summary, and a result for each row of the input, in the input's order.

    Rows are read from the run folder when they are accessed. A temporary folder is removed together with the run: when
    nothing refers to it any more, at the end of a `with` block, or by `close()`.
    """

    def __init__(self, folder: Path, summary: Summary, *, id_field: str | None = None, is_temporary: bool) -> None:
        self.folder = folder
        self.summary = summary
        self._id_field = id_field
        self._index: array[int] | None = None
        self._indexed: tuple[tuple[int, int], ...] = ()
        self._label_space = load_record(RunFolder(folder)).task.label_space
        self._removal = removed_with(self, folder) if is_temporary else None

    @property
    def ok(self) -> bool:
        """Whether every row has a label (some may be in review)."""
        return self.summary.exit_code == 0

    def labels(self) -> dict[Any, str]:
        """Label by id, for rows that have one; for duplicate ids, the later row's."""
        return {result.id: result.category for result in self if result.category is not None}

    def to_arrow(self) -> Any:
        """The results as a pyarrow table, one row each, in the input's order; all of them must fit into memory.

        Its columns are `row`, `id`, `status`, `category`, `confidence`, `error` (kind and message of a failed row), and
        the fields that the results carry. If ids or a field have several types, they are strings.

        Raises:
            UsageError: pyarrow is not installed.
        """
        return arrow_table(self)

    def to_parquet(self, path: str | Path) -> None:
        """The same as a Parquet file, for any number of rows. Carried fields keep the types of a Parquet input.

        Args:
            path: of the file; an existing one is replaced.

        Raises:
            UsageError: pyarrow is not installed.
        """
        self._check_open()
        folder = RunFolder(self.folder)
        types = RunInput.again(load_record(folder), folder, Trust(is_given=True)).column_types()
        write_parquet(self, checked_path("path", path), types)

    def to_pandas(self) -> Any:
        """The same as a pandas data frame.

        Raises:
            UsageError: pyarrow or pandas is not installed.
        """
        try:
            return self.to_arrow().to_pandas()
        except ImportError:
            raise UsageError("Run.to_pandas needs pandas, which is not installed", hint="pip install pandas") from None

    def evaluate(
        self,
        gold: GoldLabels,
        *,
        label_field: str | None = None,
        gold_id_field: str | None = None,
        precision: float | str = "98%",
    ) -> Evaluation:
        """Compare the model's labels with gold labels, like `llmbatch evaluate`.

        Args:
            gold: a file; labels by id; labels alone, in the documents' order; or rows or a table with ids and labels.
            label_field: the field of the gold rows with the label, if it is not found by its name.
            gold_id_field: the field with the id of a row.
            precision: required precision of the rows that pass without review, for the recommended threshold.

        Raises:
            UsageError: the extra `eval` is not installed, or no gold row matches the run.
        """
        self._check_open()
        wanted = parse_precision(str(precision))
        with gold_file(gold, len(self)) as file:
            return evaluate_run(self.folder, GoldOptions(file, gold_id_field, label_field), wanted=wanted)

    def review_queue(
        self,
        *,
        sample: bool = False,
        all: bool = False,  # noqa: A002 - the command line's name
        label: str | None = None,
    ) -> list[ReviewItem]:
        """The texts that need review, in the order of `llmbatch review`: conflicts, the least certain, failed ones.

        Rows with the same text are one item. Rows with human decisions are not included.

        Args:
            sample: return the run's random sample instead.
            all: return all rows instead.
            label: only rows with this label from the model.

        Raises:
            UsageError: the run has no sample, or the task does not have the label.
        """
        self._check_open()
        with opened(self.folder) as run:
            choice = Choice(sample, all, label)
            with closing(make_queue(run, choice, only=lambda outcome: outcome.human is None)) as queue:
                return [queue[place] for place in range(len(queue))]

    def close(self) -> None:
        """Remove a temporary folder. A folder that the caller named stays."""
        if self._removal is not None:
            self._removal()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        rows = self.summary.rows
        failed = f", {rows.failed + rows.rejected:,} failed" if rows.failed or rows.rejected else ""
        counts = f"{rows.ok:,} ok, {rows.review:,} in review{failed}"
        return f"<Run of {counted(rows.total, 'row')} in {self.folder}: {counts}>"

    def _repr_html_(self) -> str:
        return run_html(self.summary)

    def __len__(self) -> int:
        return len(self._places())

    def __iter__(self) -> Iterator[Result]:
        self._check_open()
        rows = (self._read(status) for status in _STATUSES)
        return heapq.merge(*rows, key=lambda result: result.row)

    @overload
    def __getitem__(self, at: int) -> Result: ...
    @overload
    def __getitem__(self, at: slice) -> list[Result]: ...
    def __getitem__(self, at: int | slice) -> Result | list[Result]:
        places = self._places()
        if isinstance(at, slice):
            return [self._at(place) for place in places[at]]
        return self._at(places[at])

    def _read(self, status: str) -> Iterator[Result]:
        with self._path(status).open("rb") as file:
            for line in file:
                yield self._result(status, line)

    def _at(self, place: int) -> Result:
        self._check_open()
        offset, view = divmod(place, len(_STATUSES))
        status = _STATUSES[view]
        with self._path(status).open("rb") as file:
            file.seek(offset)
            return self._result(status, file.readline())

    def _places(self) -> "array[int]":
        """The position of each row: its offset and its file, in one number of eight bytes.

        Files that were rewritten since, for example by a review, are scanned again.
        """
        self._check_open()
        found = tuple((at.st_ino, at.st_mtime_ns) for at in (self._path(status).stat() for status in _STATUSES))
        if self._index is None or self._indexed != found:
            self._indexed = found
            rows = (self._offsets(view) for view in range(len(_STATUSES)))
            self._index = array("Q", (place for _, place in heapq.merge(*rows)))
        return self._index

    def _offsets(self, view: int) -> Iterator[tuple[int, int]]:
        offset, status = 0, _STATUSES[view]
        with self._path(status).open("rb") as file:
            for line in file:
                yield self._result(status, line).row, offset * len(_STATUSES) + view
                offset += len(line)

    def _path(self, status: str) -> Path:
        return self.folder / f"{_VIEWS[status]}.jsonl"

    def _check_open(self) -> None:
        if self._removal is not None and not self._removal.alive:
            raise UsageError(
                f"{self.folder}: the run's temporary folder is removed", hint="name a folder with out= to keep it"
            )

    def _result(self, status: str, line: bytes) -> Result:
        record = orjson.loads(line)
        if status == "failed":
            return self._failed(record)
        labels = {name: record[name] for name in self._label_space.columns()}
        return Result(
            row=record["row"],
            id=record["id"],
            status=status,
            category=record["category"] if self._label_space.is_plain else self._label_space.text(labels),
            confidence=record["confidence"],
            error=None,
            record=record,
            labels=labels,
        )

    def _failed(self, record: dict[str, Any]) -> Result:
        error = record[error_field(record)]
        row = error["row"]
        return Result(row, self._id(record, row), "failed", None, None, error, record)

    def _id(self, record: Mapping[str, Any], row: int) -> Any:
        """The id of a failed row in its input, if it has one, as it was read."""
        fields: Any = record
        if record.keys() == _UNREADABLE:
            try:
                fields = orjson.loads(record["raw"])
            except orjson.JSONDecodeError:
                return row
        if not isinstance(fields, Mapping):
            return row
        id_field = self._id_field or usual_id(fields, but=())
        found = None if id_field is None else value_at(fields, id_field)
        return row if found is None else found
