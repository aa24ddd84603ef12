"""What a retry of a run folder would cost."""

from contextlib import closing
from pathlib import Path

from llmbatch.core.prices import PriceBook
from llmbatch.estimate.estimate import above, counted_estimate
from llmbatch.estimate.result import ModelEstimate
from llmbatch.runs.decisions import DecisionLog, TaskDecisions
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.options import RetryOptions
from llmbatch.runs.standing import standing_run
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.session.run import is_to_be_retried, retried_plans


def dear_retry(
    path: Path, options: RetryOptions, above_nanousd: int, *, trust: Trust = NO_TRUST
) -> ModelEstimate | None:
    """The estimate of a retry if it may cost more than this, otherwise None.

    Raises:
        UsageError: it is not a run folder, its input can no longer be read, or a price is not known.
    """
    folder, record = standing_run(path)
    sending = options.sending
    source = RunInput.again(record, folder, trust)
    ledger = Ledger.open_to_read(
        folder.ledger, on_line=lambda _, __: None, reread=record.reread, labels=record.task.label_space
    )
    with closing(ledger), closing(DecisionLog(folder.decisions)) as log:
        plan, asked = retried_plans(record, options, source, log)
        estimate = counted_estimate(
            plan,
            asked,
            source.read_again(lambda _: None),
            lambda key: not is_to_be_retried(ledger.latest(key), options, record.review),
            TaskDecisions(log, record.task.label_space).settles,
            sending=sending,
            prices=PriceBook(None if record.offline else sending.base_url, sending.price),
            standing=record,
        )
    return above(estimate, above_nanousd)
