"""The Python API: the same engine as the command line's, for notebooks and scripts."""

import json
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from llmbatch import defaults
from llmbatch.errors import ExitCode, RunStopped, UsageError
from llmbatch.files import replacing
from llmbatch.jsonlines import dump_line
from llmbatch.pipeline.folder import RunFolder, load_record
from llmbatch.pipeline.options import Reuse, RunOptions, Sending, Tolerance
from llmbatch.pipeline.ownership import check_answers
from llmbatch.pipeline.plan import ModelChoice
from llmbatch.pipeline.run import classify_run
from llmbatch.provider.retry import RetryPolicy
from llmbatch.readers import ReaderOptions
from llmbatch.rows import ConfidenceKind, Truncation
from llmbatch.screen.log import LogScreen
from llmbatch.spend.options import budget_options
from llmbatch.summary import Summary

Document = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """One row's outcome. `status` is `ok`, `review` or `failed`; a failed row has `error` and no category."""

    row: int | None
    id: Any
    status: str
    category: str | None
    confidence: float | None
    error: Mapping[str, Any] | None
    record: Mapping[str, Any]
    """The row as it stands in the run folder's file, carried fields included."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its summary, and its rows as they are read from its folder."""

    folder: Path
    summary: Summary

    @property
    def ok(self) -> bool:
        """Whether every row has a label (some may wait in review)."""
        return self.summary.exit_code == 0

    def __iter__(self) -> Iterator[Result]:
        """All rows: results first, then review, then failed, each in input order."""
        for status, name in (("ok", "results"), ("review", "review"), ("failed", "failed")):
            for record in self._records(name):
                error = record.get("llmbatch_error") or record.get("error") if status == "failed" else None
                row = error.get("row") if error else record.get("row")
                yield Result(
                    row=row,
                    id=record.get("id"),
                    status=status,
                    category=record.get("category") if error is None else None,
                    confidence=record.get("confidence") if error is None else None,
                    error=error,
                    record=record,
                )

    def labels(self) -> dict[Any, str]:
        """Label by id, of the rows that have one; with ids that stand twice, the later row's."""
        return {result.id: result.category for result in self if result.category is not None}

    def _records(self, name: str) -> Iterator[dict[str, Any]]:
        path = self.folder / f"{name}.jsonl"
        if path.exists():
            with path.open("rb") as file:
                yield from map(orjson.loads, file)


def classify(
    documents: str | Path | Iterable[Document],
    *,
    task: str | Path | None = None,
    model: str | None = None,
    out: str | Path | None = None,
    offline: bool = False,
    base_url: str | None = None,
    insecure_http: bool = False,
    review_below: float | None = None,
    reasoning: bool = False,
    concurrency: int | None = None,
    timeout_s: float = defaults.TIMEOUT_S,
    retries: RetryPolicy | None = None,
    id_field: str | None = None,
    text_fields: Iterable[str] = (),
    max_failed: int = 0,
    max_cost_usd: float | None = None,
    max_doc_tokens: int | None = None,
    truncate: Literal["head", "head-tail"] | None = None,
    reuse: bool | str | Path = False,
    daily_budget_usd: float | None = None,
    spend_store: str | Path | None = None,
    confidence: Literal["reported", "logprobs"] = "reported",
) -> Run:
    """Label documents; the same as `llmbatch classify`, resuming included.

    Args:
        documents: a path or a glob of files; or texts; or mappings with a text field, and an `id` if you like.
        task: a task file, or the name of a packaged one; None for the default task.
        model: the model to ask; None for the task's, then the default one.
        out: the run folder. For files it defaults to INPUT.llmbatch; documents in memory go to a temporary
            folder unless you name one, and only a named one can be resumed.
        offline: ask the built-in offline endpoint: no key, no network, no model.
        base_url: an OpenAI-compatible endpoint; the environment's, then OpenAI's by default.
        insecure_http: send the API key to a public host by plain http.
        review_below: confidence (0..1) under which a row goes to people; 0.5 by default.
        reasoning: ask for a short rationale too.
        concurrency: requests under way at once; None finds the level that the endpoint keeps up with.
        timeout_s: seconds that one whole request may take.
        retries: how patient to be; `RetryPolicy()` by default.
        id_field: the field that names a row; detected by default.
        text_fields: the fields that make up the text; detected by default.
        max_failed: failed rows tolerated before `Run.ok` is false.
        max_cost_usd: what the run may cost in all, a hard limit; None for none.
        max_doc_tokens: tokens that a document may have; None leaves it to the model's window.
        truncate: how longer documents are cut; None lets them fail unsent.
        reuse: take answers that earlier runs got for the same text and plan, and keep this run's: True for the store
            in the user's cache folder, or a file of your own.
        daily_budget_usd: what all runs of a UTC day together may cost, a hard limit; None for none.
        spend_store: the file through which runs share it and `llmbatch spend` knows of them, or `off`; the user's
            own by default.
        confidence: the model's own word, or measured from its label tokens' log-probabilities where it gives them.

    Returns:
        The run. Failed rows are in it, not raised.

    Raises:
        UsageError: the input, the task or an option cannot be used; nothing was sent.
        FolderBusy: another process works on the run folder.
        RunStopped: a guard or the limit ended the run: credentials, quota, cost. What was answered is kept.
    """
    folder = None if out is None else Path(out)
    if isinstance(documents, str | Path):
        inputs = (str(documents),)
    else:
        folder = folder or Path(tempfile.mkdtemp(prefix="llmbatch-"))
        run = RunFolder(folder)  # checked first: writing the documents down replaces those that its results are of
        check_answers(run, load_record(run) if run.run_json.exists() else None, offline=offline)
        inputs = (str(_written(documents, folder)),)
    options = RunOptions(
        inputs=inputs,
        out=folder,
        task=None if task is None else str(task),
        choice=ModelChoice(
            model=model,
            reasoning=reasoning,
            max_doc_tokens=max_doc_tokens,
            truncate=None if truncate is None else Truncation(truncate),
            confidence=ConfidenceKind(confidence),
        ),
        sending=Sending(
            base_url=base_url,
            insecure_http=insecure_http,
            offline=offline,
            concurrency=concurrency,
            timeout_s=timeout_s,
            policy=retries or RetryPolicy(),
            budget=budget_options(
                max_cost_usd=max_cost_usd, daily_budget_usd=daily_budget_usd, spend_store=spend_store
            ),
        ),
        reading=ReaderOptions(id_field, tuple(text_fields)),
        review_below=review_below,
        max_failed=Tolerance(count=max_failed),
        reuse=None if reuse is False else Reuse(None if reuse is True else Path(reuse)),
        command="llmbatch.classify(...) with the same arguments",
    )
    summary = _in_a_thread_of_its_own(options)
    if summary.state == "stopped":
        raise RunStopped(
            summary.reason or "the run was stopped",
            hint=f"what was answered is kept in {summary.folder}",
            exit_code=ExitCode(summary.exit_code),
        )
    return Run(Path(summary.folder), summary)


def _written(documents: Iterable[Document], folder: Path) -> Path:
    """Documents in memory become an input file in the run folder, so that the run can go on from there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "input.jsonl"
    with replacing(path) as file:
        for number, document in enumerate(documents):
            if isinstance(document, str):
                row: dict[str, Any] = {"id": number, "text": document}
            elif isinstance(document, Mapping):
                row = dict(document)
            else:
                raise UsageError(f"document {number} is {type(document).__name__}: give a text or a mapping")
            try:
                file.write(_line(row))
            except (TypeError, ValueError) as error:
                raise UsageError(f"document {number} cannot be written as JSON: {error}") from None
    return path


def _line(row: dict[str, Any]) -> bytes:
    """Lone surrogates as escapes, since UTF-8 cannot carry them; the reader replaces and flags them."""
    try:
        return dump_line(row)
    except UnicodeEncodeError:
        return json.dumps(row, allow_nan=False).encode() + b"\n"


def _in_a_thread_of_its_own(options: RunOptions) -> Summary:
    """A notebook's loop is running already, and ours cannot run inside it."""
    outcome: list[Summary | BaseException] = []

    def run() -> None:
        try:
            outcome.append(classify_run(options, LogScreen()))
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=run, name="llmbatch-run")
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
