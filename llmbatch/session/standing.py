"""Exports and shows a run folder in its current state, even while another process works on it."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmbatch.core.errors import FolderBusy, LLMBatchError, UsageError
from llmbatch.core.filenames import quoted
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.rows import Rejection
from llmbatch.engine.experiments.watch import Baseline
from llmbatch.engine.tally import LedgerTotals
from llmbatch.observe.events import LedgerTorn, NulsReplaced
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import RowCounts, Summary
from llmbatch.readers import BucketFolder
from llmbatch.runs.baseline import run_profile
from llmbatch.runs.decisions import DecisionLog, TaskDecisions
from llmbatch.runs.folder import RunFolder, RunRecord
from llmbatch.runs.folder_remarks import shrunk_logs
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.lock import is_locked
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.outputs import (
    JSONL,
    Basis,
    OutputCounts,
    OutputFormat,
    RunRows,
    TableDestination,
    basis_of_outputs,
    check_explodes,
    count_outputs,
    size_of,
    upload_outputs,
    write_outputs,
    write_tables,
)
from llmbatch.runs.outputs.outcome import Outcome
from llmbatch.runs.outputs.parquet import ParquetFormat
from llmbatch.runs.outputs.records import column, own_columns
from llmbatch.runs.recalled_experiments import recalled_experiments
from llmbatch.runs.recorded_plan import recorded_plan
from llmbatch.runs.shards import is_in_progress, output_locked, waiting_shards
from llmbatch.runs.standing import standing_run
from llmbatch.runs.trust import NO_TRUST, Trust, adopted
from llmbatch.session.summarise import summarise


def export_run(
    path: Path,
    *,
    observer: Observer | None = None,
    out: Path | BucketFolder | TableDestination | None = None,
    output_format: OutputFormat = JSONL,
    explode: str | None = None,
    trust: Trust = NO_TRUST,
) -> Summary:
    """Write a run's views again, into its folder, another one, an object store, or tables of a database.

    The user's trust in the folder is recorded in it, so that it need not be stated again. `explode` names a field whose
    labels get a record each.

    Raises:
        UsageError: it is not a run folder, its input can no longer be read, the field cannot have several labels, or
        the store or database refuses something.
        FolderBusy: another process works on the folder.
    """
    observer = observer or Observer()
    folder, record = standing_run(path, observer.event, trust)
    if explode is not None:
        check_explodes(record.task.label_space, explode)
        _check_elsewhere(path, out)
    target = RunFolder(out if isinstance(out, Path) else path)
    plan, source, totals = recorded_plan(record), RunInput.again(record, folder, trust), LedgerTotals()
    with target.created(holds_run=False), output_locked(folder):
        for shrunk in shrunk_logs(folder):
            observer.event(shrunk)
        ledger, torn = Ledger.open(
            folder.ledger,
            on_line=lambda _, line: totals.add(line),
            reread=record.reread,
            labels=record.task.label_space,
        )
        if torn is not None:
            observer.event(LedgerTorn(torn.name))
        options = replace(record.view_options, format=_typed(output_format, source, record), explode=explode)
        if target.path != folder.path:
            options = replace(options, plan=None)
        with closing(DecisionLog(folder.decisions)) as decisions:
            of_task = TaskDecisions(decisions, plan.task.label_space)
            counts = _write(out, target.path, RunRows(source.read_again, plan.key, ledger, of_task, options))
        ledger.close()
        if counts.nul_values:
            observer.event(NulsReplaced(counts.nul_values))
        if trust != NO_TRUST and not source.changes():
            adopted(record, folder, trust, source.names).save(folder)
    for change in source.changes():
        observer.event(change)
    return replace(summarise(folder, record, counts, totals), input_changes=source.changes())


def _check_elsewhere(path: Path, out: Path | BucketFolder | TableDestination | None) -> None:
    """Check that exploded rows are written into another folder: a run's own results contain each row once."""
    is_own = out is None or (isinstance(out, Path) and out.resolve() == path.resolve())
    if is_own or isinstance(out, TableDestination):
        raise UsageError(
            "--explode writes a row several times; a run's own results and tables have each row once",
            hint="add --out FOLDER",
        )


def _typed(output_format: OutputFormat, source: RunInput, record: RunRecord) -> OutputFormat:
    """A typed format with the types of the input's columns, by their names in results."""
    if not isinstance(output_format, ParquetFormat):
        return output_format
    own, types = own_columns(record.task.label_space), source.column_types()
    ids = {types.get(kept.id_field or "") for kept in (record.fields or {}).values()}
    of_id = {"id": next(iter(ids))} if len(ids) == 1 else {}
    return ParquetFormat({column(name, own): kind for name, kind in types.items()} | of_id)


def _write(out: Path | BucketFolder | TableDestination | None, folder: Path, rows: RunRows) -> OutputCounts:
    if isinstance(out, TableDestination):
        return write_tables(out, rows)
    return upload_outputs(out, rows) if isinstance(out, BucketFolder) else write_outputs(folder, rows)


def show_run(
    path: Path,
    *,
    against: Path | None = None,
    trust: Trust = NO_TRUST,
    on_line: Callable[[LedgerLine], None] | None = None,
    on_outcome: Callable[[Outcome | Rejection], None] | None = None,
) -> Summary:
    """The summary of a run folder in its current state, even while another process works on it.

    Nothing is written except views that are older than their logs (see `refresh_views`). If the input no longer exists,
    the rows are reported as the last session counted them.

    Args:
        path: the folder.
        against: an earlier run's folder, to report what has shifted since.
        trust: how far the user trusts the folder.
        on_line: called with each line of the ledger, for callers that need more than the summary.
        on_outcome: called with the outcome of each row of the input.

    Raises:
        UsageError: it is not a run folder, or its ledger is damaged.
    """
    folder, record = standing_run(path)
    if record.state == "running" and not is_in_progress(folder):
        record = record.model_copy(update={"state": "killed"})
    is_fresh = refresh_views(folder, record)
    totals = LedgerTotals()
    baseline = None if against is None else Baseline(against, run_profile(against, offline=record.offline))
    experiments = recalled_experiments(record, baseline)

    def count(_: int, line: LedgerLine) -> None:
        totals.add(line)
        experiments.watch(line)
        if on_line is not None:
            on_line(line)

    ledger = Ledger.open_to_read(folder.ledger, on_line=count, reread=record.reread, labels=record.task.label_space)
    with closing(ledger), closing(DecisionLog(folder.decisions)) as decisions:
        try:  # both are open by now: damage to them must not count as a missing input
            source = RunInput.again(record, folder, trust)
            plan = recorded_plan(record)
            of_task = TaskDecisions(decisions, plan.task.label_space)
            rows = RunRows(source.read_again, plan.key, ledger, of_task, record.view_options)
            counts = count_outputs(rows, on_outcome)
        except UsageError as error:
            if record.totals is None:
                raise
            summary = summarise(folder, record, _counted_last(record.totals), totals)
            summary = replace(summary, notes=(f"Counts of the last session: {error.message}.",))
        else:
            changes = source.changes()
            summary = summarise(folder, record, counts, totals)
            notes = (*summary.notes, *(f"{change.message}." for change in changes))
            summary = replace(summary, input_changes=changes, notes=notes)
    if not is_fresh:
        stale = f"The result files are older than the ledger or the decisions: llmbatch export {quoted(path)}."
        summary = replace(summary, notes=(*summary.notes, stale))
    if summary.rows.undone and (waiting := waiting_shards(folder)):
        summary = replace(summary, notes=(*summary.notes, f"Shards {'; '.join(waiting)}."))
    return replace(summary, experiments=experiments.report())


def refresh_views(folder: RunFolder, record: RunRecord) -> bool:
    """Rebuild a folder's views if they are older than their logs, which happens after a kill.

    Nothing is written into someone else's folder, even if the user trusts it.

    Returns:
        Whether they are up to date, or will be once the run in progress ends.
    """
    basis = Basis(size_of(folder.ledger), size_of(folder.decisions), record.view_options.plan or "")
    if not basis.ledger_bytes or basis_of_outputs(folder.path) == basis or is_locked(folder.path):
        return True
    if shrunk_logs(folder):
        return False  # the writer reports it
    try:
        export_run(folder.path)
    except FolderBusy:
        return True
    except LLMBatchError:  # a damaged log, a missing input, a full disk: whoever reads it reports it
        return False
    return True


def _counted_last(totals: Mapping[str, Any]) -> OutputCounts:
    labels, failures, answered_by = totals["labels"], totals["failures"], totals["answered_by"]
    tiers = totals.get("service_tiers", {})
    rows = RowCounts(**totals["rows"])
    return OutputCounts(rows, labels, failures, answered_by, {}, totals["flags"], service_tiers=tiers)
