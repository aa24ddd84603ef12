"""Compares models and prompts: the same random rows are sent to each, each in its own run folder."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from orjson import loads
from pydantic import TypeAdapter, ValidationError

from llmbatch.analysis.arm_answers import arm_answers
from llmbatch.analysis.comparison import Arm, ArmAnswer, Compared, Look, compare, compared_json
from llmbatch.analysis.gold import Gold, GoldOptions, gold_issue_notes, read_gold
from llmbatch.analysis.run_evaluation import require_statistics
from llmbatch.core.errors import ExitCode, RunStopped, UsageError
from llmbatch.core.files import open_to_read, replacing, storing
from llmbatch.core.jsonlines import dump_line
from llmbatch.core.money import to_nanousd
from llmbatch.core.plurals import counted
from llmbatch.core.prices import PriceBook
from llmbatch.core.rows import Row
from llmbatch.engine.packing.plans import Packing, check_can_be_packed
from llmbatch.engine.plan import ModelChoice, asked_model, make_plan
from llmbatch.engine.preflight import unpriced
from llmbatch.engine.sending import Sending
from llmbatch.observe.events import ArmBegins
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import Summary
from llmbatch.readers import FieldChoice, ReaderOptions
from llmbatch.runs.folder import RunFolder, load_record, named_inputs
from llmbatch.runs.input import RunInput
from llmbatch.runs.model_choice import endpoint_for
from llmbatch.runs.options import RunOptions
from llmbatch.runs.outputs import drawn
from llmbatch.runs.ownership import check_answers
from llmbatch.runs.packing_trials import COMPARED, PackingTrial, comparison_folder
from llmbatch.runs.trust import check_no_link
from llmbatch.session.run import classify_run
from llmbatch.task.load import load_task
from llmbatch.task.similar_examples import similar_count

_SAMPLE_READING = ReaderOptions("id", ("text",), "jsonl")
_LOOKS = TypeAdapter(tuple[Look, ...])


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What to compare, and on which rows."""

    inputs: tuple[str, ...]
    models: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    """Models and prompts, all combinations of which are compared; empty for the task's model and the default prompt."""
    rows_per_request: tuple[int, ...] = ()
    """Numbers of rows per request to combine with these; empty for one."""
    rows: int = 50
    seed: int = 0
    gold: GoldOptions | None = None
    out: Path | None = None
    choice: ModelChoice = ModelChoice()
    decisions: Path | None = None
    """Another run's folder, whose decisions are added to the examples that arms choose from."""
    sending: Sending = field(default_factory=Sending)
    """Its `max_cost_nanousd` applies to all arms and sessions together."""
    reading: ReaderOptions = ReaderOptions()


@dataclass(frozen=True, slots=True)
class _Contender:
    name: str
    model: str | None
    prompt: str | None
    rows_per_request: int
    folder: Path


@dataclass(frozen=True, slots=True)
class _Sample:
    rows: list[Row]
    gold: list[str | None]
    candidates: int
    file: Path


def compare_runs(
    options: CompareOptions,
    watch: Callable[[], AbstractContextManager[Observer]],
    *,
    confirm: Callable[[Sequence[RunOptions]], None] = lambda _: None,
) -> Compared:
    """Send the same sample to every arm and compare their answers. Running it again resumes.

    Args:
        options: what to compare.
        watch: creates the observer of one arm's run.
        confirm: called with the arms' runs before the first one begins; raises to prevent it.

    Raises:
        RunStopped: an arm was interrupted, or stopped by a guard; its answers are kept.
        UsageError: fewer than two arms, or the input, a task, gold or an option cannot be used.
        FolderBusy: another process is using an arm's folder.
    """
    require_statistics("llmbatch compare")
    contenders = _contenders(options)
    gold = None if options.gold is None else read_gold(options.gold, load_task(contenders[0].prompt).task)
    folder = RunFolder(_folder(options))
    if options.decisions is not None and not any(_chooses_examples(options, one) for one in contenders):
        raise UsageError(
            f"--decisions {options.decisions} has no effect: no task chooses similar examples",
            hint="set similar_examples = 4 in a task's [model] table",
        )
    _check_ownership(options, contenders, folder)
    with folder.created():
        sample = _drawn(options, folder, gold)
    runs, summaries = [_run_options(options, contender, contenders, sample) for contender in contenders], []
    _check_runs(runs)
    confirm(runs)
    for number, (contender, run) in enumerate(zip(contenders, runs, strict=True), start=1):
        with watch() as observer:
            observer.event(ArmBegins(contender.name, number, len(contenders)))
            summary = classify_run(run, observer)
        if not summary.has_ended_by_itself and summary.exit_code != ExitCode.BUDGET:
            raise RunStopped(
                f"{contender.name}: {summary.reason}",
                hint="run the same command again to resume",
                exit_code=ExitCode(summary.exit_code),
            )
        summaries.append(summary)
    arms, looks = [_arm(contender, sample) for contender in contenders], _looks(folder, sample)
    differences = folder.path / "differences.jsonl"
    differing = _write_differences(differences, arms, sample)
    compared = Compared(
        folder=folder.path,
        rows=len(sample.rows),
        candidates=sample.candidates,
        comparison=compare(arms, sample.gold, [row.text for row in sample.rows], looks=max(len(looks), 1)),
        differing=differing,
        differences=differences,
        exit_code=next((summary.exit_code for summary in summaries if not summary.has_ended_by_itself), 0),
        looks=looks,
        notes=tuple(_notes(contenders, summaries, gold)),
        packings=tuple(_packing_trials(contenders, arms, sample)),
    )
    written = folder.path / COMPARED
    with storing(written), replacing(written) as file:
        file.write(dump_line(compared_json(compared) | {"inputs": named_inputs(options.inputs, folder)}))
    return compared


def _packing_trials(contenders: Sequence[_Contender], arms: Sequence[Arm], sample: _Sample) -> Iterator[PackingTrial]:
    """Each arm with packed rows, with its counterpart for single rows, if there is one."""
    by_asked = {(one.model, one.prompt, one.rows_per_request): arm for one, arm in zip(contenders, arms, strict=True)}
    for (model, prompt, rows), packed in by_asked.items():
        alone = by_asked.get((model, prompt, 1))
        if rows == 1 or alone is None:
            continue
        (versus,) = compare([alone, packed], sample.gold, [row.text for row in sample.rows]).versus
        agreement, difference = versus.agreement, versus.difference
        if agreement.value is None or agreement.low is None:
            continue
        folder = next(one.folder for one in contenders if (one.model, one.prompt) == (model, prompt))
        yield PackingTrial(
            load_record(RunFolder(folder)).fingerprint,
            rows,
            agreement.total if difference is None else difference.texts,
            agreement.value,
            agreement.low,
            None if difference is None else difference.value,
            None if difference is None else difference.low,
            versus.cost_ratio,
        )


def _check_runs(runs: Sequence[RunOptions]) -> None:
    """Reject options that any arm cannot honour before another arm has cost anything."""
    for run in runs:
        loaded = load_task(run.task)
        if run.sending.packing is not None:
            check_can_be_packed(make_plan(loaded, run.choice, offline=run.sending.offline))
        model = asked_model(loaded.task, run.choice)
        embedding_model = run.choice.embedding_model or loaded.task.model.embedding_model
        endpoint = endpoint_for(run.sending, model, run.choice.dialect)
        prices = PriceBook(None if endpoint is None else endpoint.base_url, run.sending.price)
        limits = run.sending.budget.limits
        if (refusal := unpriced((model,), limits, prices, embedding_models=(embedding_model,))) is not None:
            raise refusal


def _check_ownership(options: CompareOptions, contenders: Sequence[_Contender], folder: RunFolder) -> None:
    """Reject another input's comparison, or a mix of simulated and real answers, before anything is replaced."""
    if options.out is None:
        check_no_link(folder, None)
    for contender in contenders:
        arm = RunFolder(contender.folder)
        standing = load_record(arm) if arm.run_json.exists() else None
        check_no_link(arm, standing)
        check_answers(arm, standing, offline=options.sending.offline)
    inputs = _standing(folder).get("inputs")
    if options.out is None and inputs is not None and inputs != list(named_inputs(options.inputs, folder)):
        raise UsageError(
            f"{folder.path} holds a comparison on {', '.join(map(str, inputs))}; nothing was sent",
            hint="name another folder with --out",
        )


def _contenders(options: CompareOptions) -> list[_Contender]:
    models: Sequence[str | None] = options.models or (None,)
    prompts: Sequence[str | None] = options.prompts or (None,)
    packings = options.rows_per_request or (1,)
    asked = list(product(dict.fromkeys(models), dict.fromkeys(prompts), dict.fromkeys(packings)))
    if len(asked) < 2:  # noqa: PLR2004 - one arm cannot be compared
        raise UsageError("nothing to compare", hint="pass --model, --prompt or --rows-per-request at least twice")
    first, *others = (load_task(prompt).task.label_space for prompt in dict.fromkeys(prompts))
    if not all(first.is_like(other) for other in others):
        raise UsageError("the prompts have different labels", hint="only prompts with the same labels can be compared")
    folder = _folder(options)
    return [
        _Contender(_name(model, prompt, rows, asked), model, prompt, rows, folder / _hash(model, prompt, rows))
        for model, prompt, rows in asked
    ]


_Asked = tuple[str | None, str | None, int]
"""A model, a prompt, and rows per request."""


def _name(model: str | None, prompt: str | None, rows: int, asked: Sequence[_Asked]) -> str:
    """An arm's name: its model, prompt or rows per request, whichever differ between arms."""
    models, prompts, packings = (set(column) for column in zip(*asked, strict=True))
    parts = []
    if len(models) > 1 and model is not None:
        parts.append(model)
    if len(prompts) > 1:
        parts.append("default" if prompt is None else Path(prompt).stem)
    if len(packings) > 1:
        parts.append(f"{counted(rows, 'row')} a request")
    return " ".join(parts)


def _hash(model: str | None, prompt: str | None, rows: int) -> str:
    """An arm's folder name, independent of the order of arms and of user-chosen names."""
    packed = f"\0{rows}" if rows > 1 else ""
    digest = hashlib.blake2b(f"{model}\0{prompt}{packed}".encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"arm-{digest}"


def _folder(options: CompareOptions) -> Path:
    if options.out is not None:
        return options.out
    return comparison_folder(options.inputs, offline=options.sending.offline)


def _drawn(options: CompareOptions, folder: RunFolder, gold: Gold | None) -> _Sample:
    """The sample, written to a file that is the input of all arms."""
    source = RunInput.first_read(options.inputs, options.reading, folder)
    source.copy_sources(None)
    cells: set[str] = set()
    counted = 0

    def note(choice: FieldChoice) -> None:
        if not choice.is_typed:
            cells.add(choice.file)

    def label(row: Row) -> str | None:
        key = None if gold is None else gold.key_for(row.index, row.id, typed=row.place.file not in cells)
        return None if gold is None or key is None else gold.label_of(key)

    def candidates() -> Iterator[Row]:
        nonlocal counted
        for row in source.rows(note):
            if isinstance(row, Row) and (gold is None or label(row) is not None):
                counted += 1
                yield row

    rows = drawn(candidates(), options.rows, options.seed)
    if not rows:
        missing = "the input has no rows" if gold is None else f"no input row has a gold label in {gold.file}"
        raise UsageError(f"{missing}: no sample", hint="check the input, and that its ids match the gold ids")
    path = folder.path / "sample.jsonl"
    with storing(path), replacing(path) as file:
        for row in rows:
            file.write(dump_line({"id": row.id, "text": row.text, "input_row": row.index}))
    return _Sample(rows, [label(row) for row in rows], counted, path)


def _run_options(
    options: CompareOptions, contender: _Contender, contenders: Sequence[_Contender], sample: _Sample
) -> RunOptions:
    budget = options.sending.budget
    if budget.max_cost_nanousd is not None:
        others = sum(_spent_nanousd(one.folder) for one in contenders if one is not contender)
        budget = replace(budget, max_cost_nanousd=max(budget.max_cost_nanousd - others, 0))
    rows = contender.rows_per_request
    packing = Packing(rows, options.seed) if rows > 1 else None
    return RunOptions(
        inputs=(str(sample.file),),
        out=contender.folder,
        task=contender.prompt,
        choice=replace(options.choice, model=contender.model),
        decisions=options.decisions if _chooses_examples(options, contender) else None,
        sending=replace(options.sending, budget=budget, packing=packing),
        reading=_SAMPLE_READING,
        command="the same compare command",
    )


def _chooses_examples(options: CompareOptions, contender: _Contender) -> bool:
    return similar_count(load_task(contender.prompt).task, options.choice.similar) > 0


def _spent_nanousd(path: Path) -> int:
    """What an arm has cost so far, including what may have been billed."""
    folder = RunFolder(path)
    totals = load_record(folder).totals if folder.run_json.exists() else None
    usage = {} if totals is None else totals["usage"]
    return to_nanousd(usage.get("cost_usd") or 0.0) + to_nanousd(usage.get("possibly_billed_usd") or 0.0)


def _arm(contender: _Contender, sample: _Sample) -> Arm:
    folder = RunFolder(contender.folder)
    record = load_record(folder)
    return Arm(contender.name, record.model, record.task.name, arm_answers(folder, sample.rows))


def _looks(folder: RunFolder, sample: _Sample) -> tuple[Look, ...]:
    """The comparisons against gold so far, including this one if there is gold."""
    try:
        looks = _LOOKS.validate_python(_standing(folder).get("looks", ()))
    except ValidationError:
        looks = ()
    judged = [(row.text, truth) for row, truth in zip(sample.rows, sample.gold, strict=True) if truth is not None]
    if not judged:
        return looks
    look = Look(len(judged), hashlib.blake2b(dump_line(judged), digest_size=8).hexdigest())
    return looks if look in looks else (*looks, look)


def _standing(folder: RunFolder) -> Mapping[str, Any]:
    """The record of an earlier comparison in the folder; empty if there was none."""
    try:
        with open_to_read(folder.path / "compare.json") as file:
            compared = loads(file.read())
    except (OSError, ValueError):
        return {}
    return compared if isinstance(compared, dict) else {}


def _write_differences(path: Path, arms: Sequence[Arm], sample: _Sample) -> int:
    """Write the rows on which arms differ, with everything a person needs to judge them."""
    differing = 0
    with storing(path), replacing(path) as file:
        for n, row in enumerate(sample.rows):
            answers = [arm.answers[n] for arm in arms]
            if len({None if answer is None else answer.label for answer in answers}) == 1:
                continue
            differing += 1
            said = {arm.name: _answer_json(answer) for arm, answer in zip(arms, answers, strict=True)}
            gold = {} if sample.gold[n] is None else {"gold": sample.gold[n]}
            file.write(dump_line({"row": row.index, "id": row.id, **gold, "answers": said, "text": row.text}))
    return differing


def _answer_json(answer: ArmAnswer | None) -> dict[str, Any]:
    if answer is None:
        return {"category": None, "error": "not asked"}
    return {
        "category": answer.label,
        "confidence": answer.confidence,
        **({"error": answer.error} if answer.error else {}),
    }


def _notes(contenders: Sequence[_Contender], summaries: Sequence[Summary], gold: Gold | None) -> Iterator[str]:
    if gold is not None:
        yield from gold_issue_notes(gold.issues)
    for contender, summary in zip(contenders, summaries, strict=True):
        if not summary.has_ended_by_itself:
            yield f"{contender.name} {summary.state}: {summary.reason}; the figures cover only the rows that were sent"
