"""A run from the outside: classify into its folder, and retry its rows."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import quoted
from llmbatch.core.ledger_line import FAILED, LedgerLine
from llmbatch.core.redact import Redactor
from llmbatch.core.review_rule import ReviewRule
from llmbatch.engine.experiments.watch import ExperimentPlan, Experiments
from llmbatch.engine.plan import Plan, asked_model, make_plan, review_threshold
from llmbatch.observe.events import LabelsPlanned, WayChosen
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import Summary
from llmbatch.provider.client import Endpoint
from llmbatch.provider.shape import RequestShape
from llmbatch.readers import is_file_name
from llmbatch.runs.batches.log import check_no_parts
from llmbatch.runs.batches.way import check_plan, check_retry_way, check_way
from llmbatch.runs.calibrations import RunConfidence, confidence_for
from llmbatch.runs.decided_examples import with_decided
from llmbatch.runs.decisions import DecisionLog, TaskDecisions
from llmbatch.runs.experiment_plan import canary_record, plan_experiments
from llmbatch.runs.folder import (
    RunFolder,
    RunRecord,
    load_record,
    named_inputs,
    new_run_id,
    now_text,
)
from llmbatch.runs.folder_remarks import elsewhere, migrated
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.model_choice import check_room, completed_choice, endpoint_for
from llmbatch.runs.options import RetryOptions, RunOptions, check_shard, of_whole
from llmbatch.runs.ownership import check_answers, check_inputs, check_stream
from llmbatch.runs.packing_trials import with_allowed_packing
from llmbatch.runs.planning import decided_labels, plan_run
from llmbatch.runs.recorded_plan import recorded_plan, recorded_task
from llmbatch.runs.shard import Shard
from llmbatch.runs.shards import check_no_parts_elsewhere, record_whole, shard_locked, take_over, whole_locked
from llmbatch.runs.standing import standing_run
from llmbatch.runs.trust import NO_TRUST, Trust, adopted, check_no_link
from llmbatch.session.session import Session
from llmbatch.session.session_plan import SessionPlan
from llmbatch.session.shard_budget import with_one_limit
from llmbatch.session.stop_handle import StopHandle
from llmbatch.task.load import load_task

_VIEWS = frozenset({"results.jsonl", "review.jsonl", "failed.jsonl", "sample.jsonl"})


def classify_run(
    options: RunOptions, observer: Observer, handle: StopHandle | None = None, *, is_locked: bool = False
) -> Summary:
    """Label the input's rows; in an existing folder, resume.

    Args:
        options: of the run.
        observer: notified of events.
        handle: stops the run from outside.
        is_locked: the caller holds the folder's lock, since it has written the input there.

    Raises:
        UsageError: the input, the task or an option cannot be used; nothing was sent.
        FolderBusy: another process works on the folder.
    """
    options, chosen = _with_way_chosen(options)
    loaded = load_task(options.task)
    endpoint = endpoint_for(options.sending, asked_model(loaded.task, options.choice), options.choice.dialect)
    whole = RunFolder.for_inputs(options.inputs, options.out, offline=options.sending.offline)
    shard = options.shard
    if shard is not None:
        check_shard(options, is_in_memory=is_locked)
    folder = whole if shard is None else whole.shard(shard)
    source = RunInput.first_read(options.inputs, options.reading, whole)
    _check_is_no_view(source, whole)
    standing = _standing(whole)
    if options.out is None:
        check_no_link(whole, standing)
    check_answers(whole, standing, offline=options.sending.offline)
    is_chosen = options.out is not None
    replaced = check_inputs(
        whole, standing, options.inputs, source.names, query=options.reading.query, is_chosen=is_chosen
    )
    check_stream(whole, standing, source, is_chosen=is_chosen)
    check_way(options, source)
    held = _held(whole, folder, shard, observer, is_locked=is_locked)
    with held, closing(DecisionLog(folder.decisions)) as decisions:
        standing, own = _standing(whole), _standing(folder)
        if options.batch is None:
            check_no_parts(folder)
        check_no_parts_elsewhere(whole, shard)
        copied = source.copy_sources(None if replaced else standing, observer.event)
        if standing is not None and not replaced:
            source.compare_with((own or standing).inputs_read_at(source.names, folder))
            source.take_fields_of(standing)
        options = replace(options, keep=source.choose_fields(options.keep))
        options = replace(options, choice=completed_choice(loaded.task, options.choice, endpoint, standing))
        loaded = with_decided(loaded, options.choice, source, decisions, options.decisions)
        options, labels = decided_labels(loaded, options, None if endpoint is None else endpoint.base_url, standing)
        plan = plan_run(loaded, options, None if endpoint is None else endpoint.base_url, source, standing)
        check_room(plan)
        options, packing = with_allowed_packing(options, plan)
        check_plan(options, plan)
        confidence = confidence_for(plan, options.task, options.calibration)
        experiments = plan_experiments(loaded, options, plan)
        if experiments.canary is not None:
            check_plan(options, experiments.canary)

        def new_record(at: RunFolder, before: RunRecord | None, options: RunOptions) -> RunRecord:
            return _new_record(at, source, plan, options, endpoint, before, confidence, experiments)

        record = new_record(folder, own, options)
        if shard is not None:
            options = with_one_limit(options, whole, observer.event)
            record_whole(whole, new_record(whole, standing, of_whole(options)))
            source.restrict(shard, plan.key)
            take_over(folder, shard, observer.event)

        def wanted(ledger: Ledger, experiments: Experiments) -> Callable[[str], bool]:
            return lambda key: not ledger.is_done(key) or experiments.takes(ledger.latest(key))

        session_plan = SessionPlan(
            record=record,
            plan=plan,
            asked=plan,
            endpoint=endpoint,
            sending=options.sending,
            wanted=wanted,
            is_settled=TaskDecisions(decisions, plan.task.label_space).settles,
            before=None if own is None or own.fingerprint == plan.fingerprint else own,
            experiments=experiments,
            strict=options.strict,
            reuse=options.reuse,
            max_failed=options.max_failed,
            salvage=options.salvage,
            batch=options.batch,
            remarks=(
                *chosen,
                *packing,
                *migrated(own),
                *elsewhere(own, record.endpoint),
                *replaced,
                *copied,
                *source.passed_over,
                *(() if labels is None else (LabelsPlanned(labels.why),)),
                *confidence.remarks,
            ),
            command=record.command,
        )
        return Session(folder, source, session_plan, observer, handle or StopHandle()).run()


def retry_run(path: Path, options: RetryOptions, observer: Observer, *, trust: Trust = NO_TRUST) -> Summary:
    """Retry only a run folder's failed rows, or those in review.

    The outcome counts for the run's own plan even if another model is used.

    Raises:
        UsageError: it is not a run folder, or its input can no longer be read.
        FolderBusy: another process works on the folder.
    """
    folder, record = standing_run(path, observer.event)
    check_answers(folder, record, offline=record.offline or options.sending.offline)
    sending = replace(options.sending, offline=record.offline)
    check_retry_way(options, record)
    source = RunInput.again(record, folder, trust)
    with closing(DecisionLog(folder.decisions)) as decisions:
        plan, asked = retried_plans(record, options, source, decisions)
    endpoint = endpoint_for(sending, asked.question.model, asked.choice.dialect)
    lock = whole_locked(folder, observer.event) if record.shard is None else shard_locked(folder, record.shard)
    with lock, closing(DecisionLog(folder.decisions)) as decisions:
        record = load_record(folder)  # now includes what was merged
        if record.shard is not None:
            take_over(folder, record.shard, observer.event)
        check_no_parts_elsewhere(RunFolder(folder.whole), record.shard)
        if options.batch is None:
            check_no_parts(folder)
        _check_kinds(folder, options.only)

        def wanted(ledger: Ledger, _: Experiments) -> Callable[[str], bool]:
            return lambda key: is_to_be_retried(ledger.latest(key), options, record.review)

        session_plan = SessionPlan(
            record=adopted(record, folder, trust, source.names).updated(state="running", endpoint=_address(endpoint)),
            plan=plan,
            asked=asked,
            endpoint=endpoint,
            sending=sending,
            wanted=wanted,
            is_settled=TaskDecisions(decisions, plan.task.label_space).settles,
            leaves_rows=True,
            max_failed=options.max_failed,
            salvage=options.salvage,
            batch=options.batch,
            remarks=(*migrated(record), *elsewhere(record, _address(endpoint))),
            command=_retry_command(path, options),
        )
        return Session(folder, source, session_plan, observer, StopHandle()).run()


def _with_way_chosen(options: RunOptions) -> tuple[RunOptions, tuple[WayChosen, ...]]:
    """The options as they are, unless the way that costs least is to be found."""
    if options.cheapest is None:
        return options, ()
    from llmbatch.session.way_choice import with_cheapest_way  # noqa: PLC0415 - it takes an estimate

    return with_cheapest_way(options)


def _address(endpoint: Endpoint | None) -> str:
    """The endpoint's address for a record."""
    return "offline" if endpoint is None else Redactor((endpoint.api_key,)).mask(endpoint.base_url)


def _retry_command(path: Path, options: RetryOptions) -> str:
    """The command that resumes a retry, including the named endpoint: otherwise it would use another one."""
    base_url, decisions = options.sending.base_url, options.decisions
    given = [
        *(["--batch"] if options.batch is not None else []),
        *(["--base-url", base_url] if base_url else []),
        *(["--decisions", str(decisions)] if decisions is not None else []),
    ]
    return " ".join(["llmbatch retry", quoted(path), *(quoted(word) for word in given)])


def _standing(folder: RunFolder) -> RunRecord | None:
    """The record of an existing folder."""
    return load_record(folder).without_sources() if folder.run_json.exists() else None


@contextmanager
def _held(
    whole: RunFolder, folder: RunFolder, shard: Shard | None, observer: Observer, *, is_locked: bool
) -> Iterator[None]:
    """The folder to work in, created if it does not exist, and its lock."""
    if shard is None:
        with folder.created(), nullcontext() if is_locked else whole_locked(folder, observer.event):
            yield
    else:
        whole.make()  # not removed: other shards may have started in it by now
        with folder.created(), shard_locked(folder, shard):
            yield


def _new_record(
    folder: RunFolder,
    source: RunInput,
    plan: Plan,
    options: RunOptions,
    endpoint: Endpoint | None,
    standing: RunRecord | None,
    confidence: RunConfidence,
    experiments: ExperimentPlan,
) -> RunRecord:
    """The record of this run; what an existing folder records about killed sessions is kept."""
    redact = Redactor(() if endpoint is None else (endpoint.api_key,))
    return RunRecord(
        run_id=standing.run_id if standing else new_run_id(),
        created_at=standing.created_at if standing else now_text(),
        updated_at=now_text(),
        shard=options.shard,
        inputs=source.names,
        named=named_inputs(options.inputs, folder),
        inputs_read=source.identities(),
        totals=standing.totals if standing else None,
        reader=options.reading,
        fields=source.fields(),
        task=plan.task,
        task_source=plan.task_source,
        choice=plan.choice,
        offline=plan.offline,
        endpoint=_address(endpoint),
        command=redact.mask(options.command),
        fingerprint=plan.fingerprint,
        prompt=plan.prompt,
        model=plan.question.model,
        prefix_tokens=plan.prefix_tokens,
        prefix=plan.prefix,
        review_below=review_threshold(plan.task, options.review_below),
        canary=canary_record(experiments, standing),
        escalate_to=options.escalate_to or (standing.escalate_to if standing and not experiments.jury else None),
        jury=tuple(plan.question.model for plan in experiments.jury)
        or (standing.jury if standing and not options.escalate_to else ()),
        keep=options.keep,
        sample=options.sample,
        calibrations=confidence.calibrations,
        thresholds=confidence.thresholds,
        possibly_billed=standing.possibly_billed if standing else {},
        shape=_standing_shape(standing, plan),
    )


def _standing_shape(standing: RunRecord | None, plan: Plan) -> RequestShape | None:
    """The last form of the same plan's requests in an earlier session; this session chooses the tier."""
    if standing is None or standing.shape is None or standing.fingerprint != plan.fingerprint:
        return None
    return replace(standing.shape, service_tier=plan.shape.service_tier)


def retried_plans(
    record: RunRecord, options: RetryOptions, source: RunInput, decisions: DecisionLog
) -> tuple[Plan, Plan]:
    """A run's plan, and the one that a retry of it uses.

    Args:
        record: the run's.
        options: of the retry.
        source: the run's input.
        decisions: human decisions about its rows.

    Raises:
        UsageError: this version would send different requests.
    """
    loaded = with_decided(recorded_task(record), record.choice, source, decisions, options.decisions)
    plan, choice = recorded_plan(record, loaded), options.applied_to(record.choice)
    if choice == record.choice:
        return plan, plan
    taken = plan.prefix.pool_examples
    return plan, make_plan(loaded, choice, offline=record.offline, pool_examples=taken)


def _check_is_no_view(source: RunInput, folder: RunFolder) -> None:
    """Refuse an input that the run would replace with its own results: its rows would be lost."""
    for name in filter(is_file_name, source.names):
        path = Path(name)
        if path.name in _VIEWS and folder.path.exists() and path.parent.samefile(folder.path):
            raise UsageError(
                f"{name}: is a result file of the same run folder, and would be overwritten while it is read",
                hint="llmbatch retry sends a run's failed rows again; or name another folder with --out",
            )


def _check_kinds(folder: RunFolder, only: frozenset[str]) -> None:
    """Refuse `--only` if none of its kinds occurs in the run but others do: most likely it is misspelled."""
    kinds: dict[str, str] = {}
    for _, line in read_lines(folder.ledger) if only else ():
        if line.status == FAILED and line.error is not None:
            kinds[line.key] = line.error.kind
        else:
            kinds.pop(line.key, None)
    if kinds and not only & set(kinds.values()):
        counts = ", ".join(f"{kind} {count:,}" for kind, count in Counter(kinds.values()).most_common())
        raise UsageError(
            f"--only {','.join(sorted(only))}: no failed row has that kind",
            hint=f"failed rows of this run by kind: {counts}",
        )


def is_to_be_retried(line: LedgerLine | None, options: RetryOptions, review: ReviewRule) -> bool:
    """Whether a retry sends the row with this latest line again."""
    if line is None:
        return False
    if options.review:
        return review.needs_review(line)
    if line.status != FAILED:
        return False
    return not options.only or (line.error is not None and line.error.kind in options.only)
