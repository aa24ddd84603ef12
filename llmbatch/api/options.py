"""The options of a call: those of `llmbatch classify`, with its names and rules."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypedDict

from llmbatch.cli.options.batch import BatchOptions
from llmbatch.cli.options.experiments import ExperimentOptions
from llmbatch.cli.options.input import InputOptions
from llmbatch.cli.options.money import MoneyOptions
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.reuse import ReuseOptions
from llmbatch.cli.options.run import run_options as command_options
from llmbatch.cli.options.screen import ScreenOptions
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.cli.options.task import TaskOptions
from llmbatch.cli.options.values import checked_group, checked_path, checked_texts
from llmbatch.core.errors import UsageError
from llmbatch.observe.observer import Observer
from llmbatch.provider.retry import RetryPolicy
from llmbatch.runs.options import RunOptions
from llmbatch.telemetry.watch import WatchOptions

PathLike = str | Path
Names = str | Iterable[str]
"""Field names: `"title,body"`, or a list of them if a name contains a comma."""


class AskingOptions(TypedDict, total=False):
    """Options for the task, the model and sending, by name: see `llmbatch classify --help`. None is the default."""

    model: str | None
    review_below: float | None
    reasoning: bool
    temperature: float | None
    reasoning_effort: str | None
    max_output_tokens: int | None
    max_doc_tokens: int | None
    truncate: Literal["head", "head-tail"] | None
    prefix: str | None
    examples: str | None
    candidates: int | Literal["levels", "all", "auto"] | None
    embedding_model: str | None
    confidence: Literal["reported", "logprobs"] | None
    calibration: PathLike | None

    service_tier: Literal["auto", "default", "flex", "priority", "fast", "scale", "on_demand", "performance"] | None
    base_url: str | None
    dialect: str | None
    api_version: str | None
    insecure_http: bool
    offline: bool
    fault: str | Iterable[str] | None
    concurrency: int | str | None
    rpm: float | None
    tpm: float | None
    rate_store: PathLike | None
    patience: Literal["low", "normal", "high"] | None
    attempts: int | None
    timeout: float | None
    retry_wait_min: float | None
    retry_wait_max: float | None
    max_wait: float | None
    reask: int | None
    stop_at_failures: str | None
    stop_at_invalid: str | None
    price: str | None
    max_cost: float | None

    timeout_s: float | None
    """Earlier name of `timeout`."""
    max_cost_usd: float | None
    """Earlier name of `max_cost`."""
    retries: RetryPolicy | None
    """Replaces `attempts`, `retry_wait_min`, `retry_wait_max`, `max_wait` and `reask`."""


class Options(AskingOptions, total=False):
    """Further options of `classify` by name: for documents, files, budgets, experiments, logs."""

    task: PathLike | None
    """A task file, or the name of a packaged task. `prompt` is another name for it."""
    prompt: PathLike | None
    out: PathLike | None
    """Run folder. Without it, documents in memory go to a temporary folder, and cannot be resumed."""

    id_field: str | None
    text_field: Names | None
    input_format: str | None
    """For files, like the following options."""
    encoding: str | None
    delimiter: str | None
    quote: str | None
    escape: str | None
    no_header: bool
    skip_lines: int | None
    query: str | None
    """SQL query, if the address of a database is given as documents."""
    shard: str | None
    """The part of the files' rows to label, such as `2/8`, while other processes label the others."""
    strict: bool
    keep: Names | None
    sample: str | int | None
    seed: int | None
    max_failed: str | int | None
    """Failed rows tolerated before `Run.ok` is false."""

    rows_per_request: int | str | None
    """How many rows share a request and pay for the prompt together; `auto` as far as a comparison allows it."""
    max_packing_loss: str | None
    deadline: str | None
    grace: float | None
    daily_budget: float | None
    alert_at: str | None
    alert_command: str | None
    spend_store: PathLike | None

    reuse: bool | PathLike
    """True, or the file of the answer cache."""
    reuse_store: PathLike | None
    reuse_limit: int | None
    reuse_max_age: float | None

    decisions: PathLike | None
    """Another run's folder, whose decisions are examples for `examples="similar:N"`."""
    canary_prompt: PathLike | None
    canary_model: str | None
    canary_share: str | None
    canary_expand: bool
    escalate_to: str | None
    jury: str | None
    """Models that vote on doubtful rows, separated by commas."""
    votes: int | None
    """How many answers the run's own model gives to a doubtful row, including the first one."""
    baseline: PathLike | None
    fail_on_drift: bool

    batch: bool
    """Submit rows in batch files; the run stops with exit code 7 while rows are at the provider."""
    cheapest: bool
    """Choose the way with the lowest expected cost: single requests, the flex tier, or batches."""
    batch_wait: str | None
    batch_window: str | None
    batch_size: int | None
    batch_tokens: int | None
    batch_fallback: Literal["none", "sync", "flex"]
    batch_patience: int | None
    batch_export: PathLike | None
    batch_import: PathLike | Iterable[PathLike] | None

    salvage: bool
    log_format: Literal["text", "json"] | None
    """Format of the log file."""
    log_file: PathLike | None
    metrics_file: PathLike | None
    otel: bool
    observer: str | Observer | Iterable[str | Observer] | None
    """Plug-ins by name, and observers of your own."""

    text_fields: Names | None
    """Earlier name of `text_field`."""
    daily_budget_usd: float | None
    """Earlier name of `daily_budget`."""


_OTHER_NAMES = {
    "prompt": "task",
    "text_fields": "text_field",
    "timeout_s": "timeout",
    "max_cost_usd": "max_cost",
    "daily_budget_usd": "daily_budget",
}


def named(
    function: str, given: Mapping[str, Any], known: Collection[str] = Options.__optional_keys__
) -> dict[str, Any]:
    """The given options, each by its current name.

    Args:
        function: name of the function, for the message.
        given: keyword arguments; None is the default.
        known: the names that the function accepts.

    Raises:
        TypeError: there is no such option, or one is given under two names.
    """
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{meant}")
        present = _OTHER_NAMES.get(name, name)
        if present in options:
            raise TypeError(f"{function}() got {present!r} under two names")
        if value is not None:
            options[present] = tuple(value) if isinstance(value, Iterator) else value  # it is read twice
    return options


def asking_options(function: str, task: PathLike | None, given: Mapping[str, Any]) -> RunOptions:
    """The options of a function that has neither input nor run folder.

    Args:
        function: name of the function, for messages.
        task: a task file, or the name of a packaged one; None for the default.
        given: keyword arguments, see `AskingOptions`.

    Raises:
        UsageError: a value cannot be used.
        TypeError: there is no such option, or one is given under two names.
    """
    options = named(function, given, AskingOptions.__optional_keys__)
    return run_options(options | ({} if task is None else {"task": task}), inputs=(), out=None)


def run_options(given: Mapping[str, Any], *, inputs: tuple[str, ...], out: Path | None) -> RunOptions:
    """A run's options.

    Args:
        given: as `named` returns them.
        inputs: the files to read.
        out: the run folder.

    Raises:
        UsageError: one cannot be used.
    """
    policy = given.get("retries")
    if not isinstance(policy, RetryPolicy | None):
        raise UsageError(f"retries: expected a RetryPolicy, not {type(policy).__name__}")
    batch = checked_group(BatchOptions, given)
    options = command_options(
        inputs,
        reading=checked_group(InputOptions, given),
        task=checked_group(TaskOptions, given),
        results=replace(checked_group(ResultOptions, given), out=out),
        sending=checked_group(SendingOptions, given),
        money=checked_group(MoneyOptions, given),
        reuse=_reuse_options(given),
        experiments=checked_group(ExperimentOptions, given),
        batch=batch.to_batch(),
        cheapest=batch.to_cheapest(),
        command="llmbatch.classify(...) with the same arguments",
    )
    return options if policy is None else replace(options, sending=replace(options.sending, policy=policy))


def _reuse_options(given: Mapping[str, Any]) -> ReuseOptions:
    reuse = given.get("reuse", False)
    if isinstance(reuse, bool):
        return checked_group(ReuseOptions, given)
    return checked_group(ReuseOptions, {**given, "reuse": True, "reuse_store": checked_path("reuse", reuse)})


def watch_options(given: Mapping[str, Any]) -> WatchOptions:
    """The logs and telemetry of a run, without output on the screen.

    Raises:
        UsageError: one cannot be used.
    """
    screen = checked_group(ScreenOptions, {name: value for name, value in given.items() if name != "observer"})
    return replace(screen.to_watch_options(), quiet=True, observers=_observers(given.get("observer", ())))


def _observers(given: Any) -> tuple[str | Observer, ...]:
    observers = (given,) if isinstance(given, str | Observer) or not isinstance(given, Iterable) else tuple(given)
    for one in observers:
        if not isinstance(one, str | Observer):
            raise UsageError(f"observer: expected the name of a plug-in or an Observer, not {type(one).__name__}")
    return observers


def field_names(given: Mapping[str, Any], option: str) -> tuple[str, ...] | None:
    """Names of fields in an option, in any accepted form.

    Raises:
        UsageError: they are not strings.
    """
    return checked_texts(option, given[option]) if option in given else None
