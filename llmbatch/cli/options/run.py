"""The groups of options that define a run."""

from typing import TYPE_CHECKING

from llmbatch.cli.options.experiments import ExperimentOptions
from llmbatch.cli.options.input import InputOptions
from llmbatch.cli.options.money import MoneyOptions
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.reuse import ReuseOptions
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.cli.options.task import TaskOptions

if TYPE_CHECKING:
    from llmbatch.runs.batches.options import BatchOptions as RunBatchOptions
    from llmbatch.runs.options import RunOptions


def run_options(
    inputs: tuple[str, ...],
    *,
    reading: InputOptions,
    task: TaskOptions,
    results: ResultOptions,
    sending: SendingOptions,
    money: MoneyOptions,
    reuse: ReuseOptions,
    experiments: ExperimentOptions,
    batch: "RunBatchOptions | None" = None,
    cheapest: "RunBatchOptions | None" = None,
    command: str = "llmbatch classify ...",
) -> "RunOptions":
    """A run's options, from the command line or from Python.

    Args:
        inputs: the files to read.
        reading: how they are read.
        task: what is asked, and of which model.
        results: how rows are written.
        sending: how requests are sent.
        money: what may be spent.
        reuse: whether answers of earlier runs are used.
        experiments: experiments on some of the rows, and what the run is compared with.
        batch: how rows are put into batch files, if they are.
        cheapest: the same, if that is the cheapest way; None if the way is not chosen automatically.
        command: the command that resumes the run, as the summary shows it.

    Raises:
        UsageError: one cannot be used.
    """
    from llmbatch.runs.options import RunOptions, parse_tolerance
    from llmbatch.runs.outputs import parse_sample
    from llmbatch.runs.shard import Shard

    return RunOptions(
        inputs=inputs,
        out=results.out,
        task=task.task,
        choice=task.to_choice(sending),
        decisions=task.decisions,
        sending=sending.to_sending(money, seed=results.seed),
        reading=reading.to_reader_options(),
        keep=None if results.keep is None else tuple(results.keep),
        strict=reading.strict,
        review_below=results.review_below,
        sample=parse_sample(results.sample, results.seed),
        max_failed=parse_tolerance(results.max_failed),
        reuse=reuse.to_reuse(),
        canary=experiments.to_canary(),
        escalate_to=experiments.escalate_to,
        jury=experiments.to_jury(),
        baseline=experiments.baseline,
        fail_on_drift=experiments.fail_on_drift,
        salvage=results.salvage,
        shard=None if results.shard is None else Shard.parse(results.shard),
        calibration=results.calibration,
        command=command,
        batch=batch,
        auto_packing=sending.to_auto_packing(seed=results.seed),
        cheapest=cheapest,
    )
