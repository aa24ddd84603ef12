"""Making the views of a run: one pass over the input, in its order, each row looked up in the ledger."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmbatch.files import replacing
from llmbatch.ledger.line import FAILED, LedgerLine
from llmbatch.ledger.log import Ledger
from llmbatch.readers import FieldChoice
from llmbatch.rows import Rejection, Row
from llmbatch.summary import RowCounts
from llmbatch.views.records import (
    OWN_COLUMNS,
    carried_fields,
    column,
    failed_record,
    rejected_record,
    result_record,
    review_record,
)
from llmbatch.views.sample import Draw, Sample
from llmbatch.views.writers import CsvWriter, JsonlWriter, RecordWriter

RESULTS, REVIEW, FAILED_VIEW, SAMPLE = "results", "review", "failed", "sample"

Read = Callable[[Callable[[FieldChoice], None]], Iterator[Row | Rejection]]
"""Reads the input from its start; told where to report the fields that it chose."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """What goes into the views. Changing it asks nothing anew."""

    review_below: float
    keep: tuple[str, ...] | None = None
    """Input fields carried into results; None for all but the text."""
    sample: Sample = Sample()
    csv: bool = False


@dataclass(frozen=True, slots=True)
class ViewCounts:
    """What the views came to, over all rows of the input."""

    rows: RowCounts
    labels: Mapping[str, int]
    failures: Mapping[str, int]
    answered_by: Mapping[str, int]
    files: Mapping[str, Path]
    flags: Mapping[str, int] = field(default_factory=dict)
    """Rows by what is particular about them, as `truncated`."""


@dataclass(slots=True)
class _Counts:
    total: int = 0
    ok: int = 0
    review: int = 0
    failed: int = 0
    rejected: int = 0
    undone: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    answered_by: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)

    def frozen(self, files: Mapping[str, Path]) -> ViewCounts:
        rows = RowCounts(self.total, self.ok, self.review, self.failed, self.rejected, self.undone)
        return ViewCounts(rows, self.labels, self.failures, self.answered_by, files, self.flags)


def make_views(
    folder: Path, read: Read, *, key: Callable[[str], str], ledger: Ledger, options: ViewOptions
) -> ViewCounts:
    """Write the views of a run into `folder`, replacing those that stand there.

    Args:
        folder: where to.
        read: reads the input.
        key: a text's key by the run's plan.
        ledger: the run's outcomes.
        options: what to write.

    A row is in exactly one of results, review and failed, or undone; the sample copies finished rows.
    """
    suffix = "csv" if options.csv else "jsonl"
    files = {name: folder / f"{name}.{suffix}" for name in (RESULTS, REVIEW, FAILED_VIEW)}
    if options.sample:
        files[SAMPLE] = folder / f"{SAMPLE}.{suffix}"
    else:
        (folder / f"{SAMPLE}.{suffix}").unlink(missing_ok=True)
    draw = Draw(options.sample, _finished(read, key, ledger))
    counts = _Counts()
    with ExitStack() as stack:
        writers = _open_writers(stack, files, read, options)
        for name, record in _records(read, key, ledger, options, draw, counts):
            writers[name].write(record)
    return counts.frozen(files)


def count_views(read: Read, *, key: Callable[[str], str], ledger: Ledger, options: ViewOptions) -> ViewCounts:
    """What the views of a run would hold, without writing them; the arguments are those of `make_views`."""
    counts = _Counts()
    for _ in _records(read, key, ledger, options, Draw(Sample(), ()), counts):
        pass
    return counts.frozen({})


def _records(
    read: Read,
    key: Callable[[str], str],
    ledger: Ledger,
    options: ViewOptions,
    draw: Draw,
    counts: _Counts,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(view, record) of each row, counted on the way."""
    texts: dict[str, tuple[str, ...]] = {}
    for item in read(lambda choice: texts.__setitem__(choice.file, choice.text_fields)):
        counts.total += 1
        if isinstance(item, Rejection):
            counts.rejected += 1
            counts.failures[item.kind] += 1
            yield FAILED_VIEW, rejected_record(item)
            continue
        line = ledger.latest(key(item.text))
        counts.flags.update(() if line is None else line.flags)
        if line is None:
            counts.undone += 1
        elif line.status == FAILED and line.error is not None:
            counts.failed += 1
            counts.failures[line.error.kind] += 1
            yield FAILED_VIEW, failed_record(item, line.error)
        else:
            carried = carried_fields(item, keep=options.keep, text_fields=texts.get(item.place.file, ()))
            yield _finished_record(item, line, carried, options, counts)
            if draw.takes(item):
                yield SAMPLE, review_record(item, line, carried)


def _finished_record(
    row: Row, line: LedgerLine, carried: Mapping[str, Any], options: ViewOptions, counts: _Counts
) -> tuple[str, dict[str, Any]]:
    counts.labels[line.category or ""] += 1
    counts.answered_by[line.response_model or line.model] += 1
    if line.confidence is not None and line.confidence < options.review_below:
        counts.review += 1
        return REVIEW, review_record(row, line, carried)
    counts.ok += 1
    return RESULTS, result_record(row, line, carried)


def _finished(read: Read, key: Callable[[str], str], ledger: Ledger) -> Iterator[Row]:
    return (item for item in read(lambda _: None) if isinstance(item, Row) and ledger.is_done(key(item.text)))


def _open_writers(
    stack: ExitStack, files: Mapping[str, Path], read: Read, options: ViewOptions
) -> dict[str, RecordWriter]:
    opened = {name: stack.enter_context(replacing(path)) for name, path in files.items()}
    if not options.csv:
        return {name: JsonlWriter(file) for name, file in opened.items()}
    carried, everything = _columns(read, options)
    columns = {
        RESULTS: [*(name for name in OWN_COLUMNS if name != "text"), *carried],
        REVIEW: [*OWN_COLUMNS, *carried],
        SAMPLE: [*OWN_COLUMNS, *carried],
        FAILED_VIEW: [*everything, "raw", "raw_base64", "error"],
    }
    writers: dict[str, RecordWriter] = {}
    for name, file in opened.items():
        writer = CsvWriter(file, columns[name])
        stack.callback(writer.detach)
        writers[name] = writer
    return writers


def _columns(read: Read, options: ViewOptions) -> tuple[list[str], list[str]]:
    """(carried columns, all input columns): a CSV's header must know them before the first row."""
    texts: dict[str, tuple[str, ...]] = {}
    carried: dict[str, None] = {}
    everything: dict[str, None] = {}
    for item in read(lambda choice: texts.__setitem__(choice.file, choice.text_fields)):
        if isinstance(item, Row):
            everything |= dict.fromkeys(item.fields)
            fields = carried_fields(item, keep=options.keep, text_fields=texts.get(item.place.file, ()))
            carried |= dict.fromkeys(map(column, fields))
    return list(carried), [name for name in everything if name != "error"]
