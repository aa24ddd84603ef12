"""Computes the summary from counts: totals, the exit code, and what to do next."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from llmbatch.core.errors import BatchesPending, ExitCode, Interrupted, LLMBatchError
from llmbatch.core.filenames import quoted
from llmbatch.core.plurals import counted
from llmbatch.core.service_tiers import BATCH
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.tally import LedgerTotals, SessionTally
from llmbatch.observe.events import InputChanged
from llmbatch.observe.listing import RUNNING
from llmbatch.observe.summary import AtProvider, ExperimentReport, RowCounts, Session, Summary
from llmbatch.runs.batches.log import parts_of
from llmbatch.runs.folder import FINISHED, RunFolder, RunRecord
from llmbatch.runs.options import Tolerance
from llmbatch.runs.outputs import OutputCounts
from llmbatch.runs.shards import shard_folders
from llmbatch.task.cached_share import far_from_plan
from llmbatch.task.prefix_plan import PrefixPlan

_MOST_RENAMED = 6
_ENDPOINT_OPTIONS = frozenset({"--base-url", "--api-version", "--price"})


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended. `reason` is None if all rows were processed."""

    reason: LLMBatchError | None
    tally: SessionTally
    elapsed_s: float
    max_failed: Tolerance
    command: str
    prefix: PrefixPlan
    """Fingerprint of the prompt that was used."""
    experiments: ExperimentReport = ExperimentReport()
    input_changes: tuple[InputChanged, ...] = ()


def summarise(
    folder: RunFolder,
    record: RunRecord,
    counts: OutputCounts | None,
    totals: LedgerTotals,
    ending: Ending | None = None,
) -> Summary:
    """The summary of a run folder.

    Args:
        folder: the run folder.
        record: its plan and state.
        counts: of its views; None if they could not be written, in which case the session's own counts are used.
        totals: of all its ledger lines.
        ending: of the session that has just ended; None if the folder is only shown.
    """
    has_views = counts is not None
    counts = counts or _as_the_session_counted(ending)
    spent = _with_killed_sessions(totals.usage, record)
    return Summary(
        folder=str(folder.path),
        state=record.state if ending is None else _state(ending.reason, counts.rows),
        exit_code=(record.exit_code or 0) if ending is None else _exit_code(counts.rows, ending),
        reason=record.reason if ending is None else _reason(ending),
        model=record.model,
        answered_by=dict(counts.answered_by),
        service_tiers=dict(counts.service_tiers),
        endpoint=record.endpoint,
        offline=record.offline,
        task=record.task.name,
        prompt=record.prompt,
        prefix_tokens=record.prefix_tokens,
        cached_prefix_tokens=record.prefix.cached_tokens if record.prefix else 0,
        pool_examples=record.prefix.pool_examples if record.prefix else 0,
        prefix_why=record.prefix.why if record.prefix else "",
        rows=counts.rows,
        labels={**dict.fromkeys(record.task.label_space.parts, 0), **counts.labels},
        spent=spent,
        session=_session(ending),
        retries=dict(totals.retries.most_common()),
        failures=dict(counts.failures),
        flags=dict(counts.flags),
        parse=dict(totals.parse.most_common()),
        at_provider=_at_provider(folder),
        experiments=ExperimentReport() if ending is None else ending.experiments,
        input_changes=() if ending is None else ending.input_changes,
        files={name: str(path) for name, path in counts.files.items()} | {"ledger": str(folder.ledger)},
        notes=tuple(_notes(record, counts, spent, ending, has_views=has_views)),
        to_do=(ending.reason.hint or "") if ending is not None and ending.reason is not None else "",
        next_commands=tuple(_next_commands(folder, record, counts.rows, ending, has_views=has_views)),
    )


def _state(reason: LLMBatchError | None, rows: RowCounts) -> str:
    if reason is None:
        return "incomplete" if rows.undone else FINISHED
    if isinstance(reason, BatchesPending):
        return "waiting"
    return "interrupted" if isinstance(reason, Interrupted) else "stopped"


def _reason(ending: Ending) -> str | None:
    if ending.reason is not None:
        return ending.reason.message
    return next((change.message for change in ending.input_changes if change.is_failure), None)


def _exit_code(rows: RowCounts, ending: Ending) -> int:
    if ending.reason is not None:
        return int(ending.reason.exit_code)
    if any(change.is_failure for change in ending.input_changes):
        return int(ExitCode.ROWS_FAILED)
    unlabelled = rows.failed + rows.rejected
    if rows.undone or not ending.max_failed.allows(unlabelled, rows.total):
        return int(ExitCode.ROWS_FAILED)
    if (drift := ending.experiments.drift) is not None and drift.fails and drift.significant:
        return int(ExitCode.ROWS_FAILED)
    return int(ExitCode.OK)


def _at_provider(folder: RunFolder) -> AtProvider:
    folders = (folder, *shard_folders(folder).values())
    parts = [part for one in folders for part in parts_of(one) if part.is_open]
    expires_at = min((part.expires_at for part in parts if part.expires_at), default=None)
    return AtProvider(
        parts=len(parts),
        rows=sum(part.prepared.rows for part in parts),
        at_most_nanousd=sum(part.at_most_nanousd for part in parts),
        expires_at=None if expires_at is None else f"{datetime.fromtimestamp(expires_at, UTC):%Y-%m-%dT%H:%M:%SZ}",
    )


def _with_killed_sessions(usage: UsageTotals, record: RunRecord) -> UsageTotals:
    killed = record.possibly_billed.values()
    return usage + UsageTotals(
        possibly_billed_nanousd=sum(session.at_most_nanousd for session in killed),
        possibly_billed_requests=sum(session.requests for session in killed),
    )


def _session(ending: Ending | None) -> Session:
    if ending is None:
        return Session()
    tally, usage = ending.tally, ending.tally.totals.usage
    return Session(
        answered=tally.answered,
        reused=tally.reused,
        from_earlier_runs=tally.from_earlier_runs,
        skipped=max(tally.skipped, 0),
        requests=usage.requests,
        elapsed_s=ending.elapsed_s,
        cost_nanousd=usage.cost_nanousd,
        labelled=usage.labelled,
    )


def _asked(record: RunRecord) -> str:
    """The model that was used; if there are several, all of them."""
    canary = () if record.canary is None else (record.canary.model,)
    stronger = () if record.escalate_to is None else (record.escalate_to,)
    models = dict.fromkeys((record.model, *canary, *stronger, *record.jury))
    return record.model if len(models) == 1 else f"one of {', '.join(models)}"


def _notes(
    record: RunRecord, counts: OutputCounts, spent: UsageTotals, ending: Ending | None, *, has_views: bool
) -> list[str]:
    notes = []
    if ending is not None and ending.tally.lost:
        notes.append(
            f"There was no space left to write the outcomes of {counted(ending.tally.lost, 'row')}: they are lost, "
            "possibly billed, and the next run sends the rows again."
        )
    if not has_views:
        notes.append("The results were not written; the counts are this session's.")
    if spent.cost_nanousd is None:
        notes.append(
            f"The price of {_asked(record)} is unknown: set it with --price INPUT,CACHED,OUTPUT, in USD per million."
        )
    if ending is not None and BATCH not in counts.service_tiers:  # for batches, no cached share is planned
        usage = ending.tally.totals.usage
        if (remark := far_from_plan(ending.prefix, usage)) is not None:
            notes.append(remark)
    if counts.other_models:
        notes.append(f"Some answers came from another model than requested: {', '.join(sorted(counts.other_models))}.")
    if counts.renamed:
        names = ", ".join(f"{field} as {name}" for field, name in list(counts.renamed.items())[:_MOST_RENAMED])
        more = ", ..." if len(counts.renamed) > _MOST_RENAMED else ""
        notes.append(f"Input fields with the same names as result columns: {names}{more}.")
    if counts.stale_decisions:
        notes.append(
            f"Human decisions that no longer apply: {counts.stale_decisions:,}; their text or label no longer exists."
        )
    return notes


def _next_commands(
    folder: RunFolder, record: RunRecord, rows: RowCounts, ending: Ending | None, *, has_views: bool
) -> list[str]:
    run, whole = quoted(folder.path), quoted(folder.whole)
    commands = []
    if ending is not None and ending.reason is not None and (rows.undone or not has_views):
        commands.append(ending.command)
    elif rows.undone and (ending is not None or record.state != RUNNING):  # a retry does not send new or edited rows
        commands.append(record.command)
    if not has_views:
        return [*commands, f"llmbatch export {run}"]
    if rows.failed:
        commands.append(f"llmbatch retry {run}{_same_endpoint(record.command if ending is None else ending.command)}")
    if rows.review:
        commands.append(f"llmbatch review {whole}")
    return commands


def _same_endpoint(command: str) -> str:
    """The options of a command that another one needs to send to the same endpoint, at the same price."""
    words = shlex.split(command)
    given = []
    for number, word in enumerate(words):
        name, _, value = word.partition("=")
        if name in _ENDPOINT_OPTIONS:
            given += [name, value or next(iter(words[number + 1 : number + 2]), "")]
        elif word == "--insecure-http":
            given.append(word)
    return "".join(f" {quoted(word)}" for word in given)


def _as_the_session_counted(ending: Ending | None) -> OutputCounts:
    rows = RowCounts()
    if ending is not None:
        tally = ending.tally
        rows = RowCounts(
            total=tally.skipped + tally.answered + tally.rejected + tally.left,
            undone=tally.left,
            ok=tally.skipped + tally.answered - tally.failed - tally.review,
            review=tally.review,
            failed=tally.failed,
            rejected=tally.rejected,
        )
    return OutputCounts(rows, {}, {}, {}, {})
