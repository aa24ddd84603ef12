"""Whether a run can go the way that is asked for."""

from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.runs.batches.log import check_no_parts
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.input import RunInput
from llmbatch.runs.options import RunOptions


def check_way(folder: RunFolder, whole: RunFolder, options: RunOptions, source: RunInput) -> None:
    """Refuse what does not go together, before anything is sent.

    Args:
        folder: the session's.
        whole: the run's, where the session works on a shard.
        options: what the user wants.
        source: the input.

    Raises:
        UsageError: batches cannot do what is asked; or rows are at the provider, and this is not to collect them.
    """
    if options.batch is None:
        check_no_parts(folder)
        check_no_parts(whole)
        return
    choice, sending = options.choice, options.sending
    refused = {
        "--offline": sending.offline,
        "standard input": source.is_stream,
        "--dialect": choice.dialect != defaults.DIALECT,
        "--service-tier": choice.service_tier is not None,
        "a canary": options.canary is not None,
        "--escalate-to": options.escalate_to is not None,
        "--baseline": options.baseline is not None,
        "--reuse": options.reuse is not None,
        "--shard": options.shard is not None,
    }
    hints = {
        "--offline": "its endpoint ends with the command: start llmbatch simulate, and name it with --base-url",
        "standard input": "put the documents into a file, which the command that collects can read again",
        "--service-tier": "batches have a price of their own",
    }
    for name, is_asked in refused.items():
        if is_asked:
            raise UsageError(f"--batch does not go together with {name}; nothing was sent", hint=hints.get(name))
