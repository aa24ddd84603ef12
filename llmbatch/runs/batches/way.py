"""Whether a run can be sent in the requested way."""

from dataclasses import replace

from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.engine.packing.plans import check_can_be_packed
from llmbatch.engine.plan import ModelChoice, Plan
from llmbatch.runs.folder import STDIN, RunRecord
from llmbatch.runs.input import RunInput
from llmbatch.runs.options import RetryOptions, RunOptions


def check_way(options: RunOptions, source: RunInput) -> None:
    """Refuse options that cannot be combined, before anything is sent.

    Raises:
        UsageError: batches do not support an option.
    """
    if options.batch is not None and (name := obstacle(options, is_stream=source.is_stream)) is not None:
        raise UsageError(f"--batch cannot be combined with {name}; nothing was sent", hint=_HINTS.get(name))


def check_retry_way(options: RetryOptions, record: RunRecord) -> None:
    """Refuse a retry that batches cannot do, before anything is sent.

    Raises:
        UsageError: batches cannot do it.
    """
    if options.batch is None:
        return
    choice = replace(record.choice, service_tier=options.service_tier)
    if (name := _obstacle(choice, is_stream=STDIN in record.inputs)) is not None:
        raise UsageError(f"--batch cannot be combined with {name}; nothing was sent", hint=_HINTS.get(name))


def obstacle(options: RunOptions, *, is_stream: bool) -> str | None:
    """The part of a run that batches cannot do; None if there is none."""
    if options.sending.packing is not None or options.auto_packing is not None:
        return "--rows-per-request"
    return _obstacle(options.choice, is_stream=is_stream)


def _obstacle(choice: ModelChoice, *, is_stream: bool) -> str | None:
    asked = {
        "standard input": is_stream,
        "--dialect": choice.dialect != defaults.DIALECT,
        "--service-tier": choice.service_tier is not None,
    }
    return next((name for name, is_asked in asked.items() if is_asked), None)


_HINTS = {
    "standard input": "put the documents into a file, so that the collecting command can read them again",
    "--service-tier": "batches have their own price",
    "--dialect": "batches use OpenAI's API; a litellm proxy offers Anthropic's batches through it",
}


def check_plan(options: RunOptions, plan: Plan) -> None:
    """Refuse a plan that cannot be sent in the requested way, before anything is sent.

    Raises:
        UsageError: labels are retrieved for each document, but batches return only documents' answers; or rows share a
            request, but something is listed for each.
    """
    if options.sending.packing is not None:
        check_can_be_packed(plan)
    if options.batch is not None and plan.candidates is not None:
        raise UsageError(
            "--batch cannot be combined with labels that are retrieved for each document; nothing was sent",
            hint="leave out --batch, or list all labels in the prompt: --candidates all",
        )
