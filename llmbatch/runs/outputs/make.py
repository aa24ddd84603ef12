"""Makes the views of a run: one pass over the input, in order, with each row looked up in the ledger."""

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from llmbatch.core.errors import StorageFailed
from llmbatch.core.filenames import quoted
from llmbatch.core.files import check_own, replacing_together
from llmbatch.core.rows import Rejection
from llmbatch.runs.outputs.basis import FILE as BASIS_FILE
from llmbatch.runs.outputs.basis import Basis
from llmbatch.runs.outputs.counts import OutputCounts, Tally
from llmbatch.runs.outputs.exploding import ExplodingWriter
from llmbatch.runs.outputs.formats import JSONL
from llmbatch.runs.outputs.outcome import FAILED_VIEW, RESULTS, REVIEW, UNDONE, Outcome
from llmbatch.runs.outputs.records import (
    DECISION_COLUMNS,
    Values,
    column,
    common_error_field,
    failed_record,
    labelled_record,
    names_in_use,
    own_columns,
    rejected_record,
    review_record,
)
from llmbatch.runs.outputs.rows import RunRows, ViewOptions
from llmbatch.runs.outputs.sample import Draw
from llmbatch.runs.outputs.writers import RecordWriter

SAMPLE = "sample"
_BASIS = "basis"


def check_outputs(folder: Path) -> None:
    """Check that nothing except the user's own views exists where a run will write its views.

    Raises:
        UsageError: something else exists there.
    """
    for name in (RESULTS, REVIEW, FAILED_VIEW, SAMPLE):
        check_own(folder / f"{name}.jsonl")
    check_own(folder / BASIS_FILE)


def write_outputs(folder: Path, rows: RunRows) -> OutputCounts:
    """Write the views of a run into `folder`, replacing existing ones.

    A row is in exactly one of results, review and failed, or undone; the sample copies finished rows.

    Raises:
        StorageFailed: they cannot be written; existing ones are unchanged.
    """
    try:
        return _make_views(folder, rows)
    except OSError as error:
        path = error.filename or folder
        raise StorageFailed(
            f"{path}: cannot write results ({error.strerror}); the ledger is intact",
            hint=f"make room, then: llmbatch export {quoted(rows.ledger.path.parent)}",
        ) from error


def _make_views(folder: Path, rows: RunRows) -> OutputCounts:
    options, decisions = rows.options, rows.decisions
    form = options.format
    files = {name: folder / f"{name}.{form.suffix}" for name in (RESULTS, REVIEW, FAILED_VIEW)}
    if options.sample:
        files[SAMPLE] = folder / f"{SAMPLE}.{form.suffix}"
    draw = Draw(options.sample, rows.answered())
    space = decisions.label_space
    tally, renamed = Tally(space), dict[str, str]()
    with replacing_together(files | _basis_file(folder, options)) as opened, ExitStack() as stack:
        if options.plan is not None and _BASIS in opened:
            opened[_BASIS].write(Basis(rows.ledger.size, decisions.log.size, options.plan).to_bytes())
        own = own_columns(space)
        columns = _columns(rows, own) if form.has_columns else None
        values = space.columns_of if form.is_typed else space.cells_of
        shown = [name for name in own if len(decisions) > 0 or name not in DECISION_COLUMNS]
        writers = _writers(stack, opened, options, _headers(columns, shown))
        error_name = None if columns is None else columns.error
        for item, carried in rows.outcomes():
            if isinstance(item, Rejection):
                tally.reject(item)
                writers[FAILED_VIEW].write(rejected_record(item, error_name=error_name))
                continue
            tally.add(item)
            beside = renamed_fields(carried, renamed, own)
            if item.view != UNDONE:
                writers[item.view].write(_record(item, beside, values, error_name))
            if item.is_answered and draw.takes(item.row):
                writers[SAMPLE].write(review_record(item, beside, values))
    if not options.sample:
        (folder / f"{SAMPLE}.{form.suffix}").unlink(missing_ok=True)
    return replace(tally.frozen(files, decisions), renamed=renamed)


def count_outputs(rows: RunRows, on_outcome: Callable[[Outcome | Rejection], None] | None = None) -> OutputCounts:
    """Count the rows of a run's views without writing them. `on_outcome` is called with each row."""
    tally = Tally(rows.decisions.label_space)
    for item, _ in rows.outcomes():
        if on_outcome is not None:
            on_outcome(item)
        if isinstance(item, Rejection):
            tally.reject(item)
        else:
            tally.add(item)
    return tally.frozen({}, rows.decisions)


def renamed_fields(carried: Mapping[str, Any], renamed: dict[str, str], own: Container[str]) -> dict[str, Any]:
    """The carried fields by their names in the views; those that differ are added to `renamed`."""
    beside = {column(name, own): value for name, value in carried.items()}
    if beside.keys() != carried.keys():
        renamed |= {name: column(name, own) for name in carried if column(name, own) != name}
    return beside


def _record(item: Outcome, carried: Mapping[str, Any], values: Values, error_name: str | None) -> dict[str, Any]:
    if (error := item.failure) is not None:
        return failed_record(item.row, error, error_name=error_name)
    return labelled_record(item, carried, values)


def _basis_file(folder: Path, options: ViewOptions) -> dict[str, Path]:
    """The file that records what the run folder's own views were made from."""
    return {} if options.format is not JSONL or options.plan is None else {_BASIS: folder / BASIS_FILE}


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns for a table's header, which are needed before the first row: carried, all of the input, the error's."""

    carried: tuple[str, ...]
    everything: tuple[str, ...]
    error: str


def _columns(rows: RunRows, own: Container[str]) -> _Columns:
    carried: dict[str, None] = {}
    everything: dict[str, None] = {}
    in_use: set[str] = set()
    for item, fields in rows.carried():
        found = item.fields or {}
        everything |= dict.fromkeys(found)
        in_use |= names_in_use(found)
        carried |= dict.fromkeys(column(name, own) for name in fields)
    return _Columns(tuple(carried), tuple(everything), common_error_field(in_use))


def _headers(columns: _Columns | None, own: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The columns of each view; empty if they need not be known."""
    if columns is None:
        return {}
    return {
        RESULTS: [*(name for name in own if name != "text"), *columns.carried],
        REVIEW: [*own, *columns.carried],
        SAMPLE: [*own, *columns.carried],
        FAILED_VIEW: [*dict.fromkeys([*columns.everything, "raw", "raw_base64", columns.error])],
    }


def _writers(
    stack: ExitStack, opened: Mapping[str, BinaryIO], options: ViewOptions, headers: Mapping[str, Sequence[str]]
) -> dict[str, RecordWriter]:
    writers: dict[str, RecordWriter] = {}
    for name, file in opened.items():
        if name == _BASIS:
            continue
        writer = options.format.writer(file, headers.get(name, ()))
        stack.callback(writer.close)
        if options.explode is not None and name != FAILED_VIEW:
            writer = ExplodingWriter(writer, options.explode)
        writers[name] = writer
    return writers
