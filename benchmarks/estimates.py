"""Estimates against what the runs then cost, by the offline endpoint's accounts: python -m benchmarks.estimates FILE...

Prints the table of docs/how-to/estimate.md. Files are labelled by the packaged task `ag_news`, each row's title and
description as its text.
"""

import csv
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from llmbatch.engine.sending import Sending
from llmbatch.estimate.cost import Cost
from llmbatch.estimate.estimate import EstimateOptions, estimate_run
from llmbatch.observe.observer import Observer
from llmbatch.provider.retry import RetryPolicy
from llmbatch.readers import ReaderOptions
from llmbatch.runs.options import RunOptions
from llmbatch.session.run import classify_run

_QUICK = RetryPolicy(wait_min_s=0.01, wait_max_s=0.1)


def main() -> None:
    """Estimate, run, compare."""
    print("| job | estimate | low to high | cost | off by | input tokens off by |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            for job, inputs, faults in _jobs(Path(name), Path(folder)):
                print(_compared(job, inputs, faults, Path(folder) / job), flush=True)


def _jobs(file: Path, folder: Path) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
    yield "as it is", file, ()
    yield "a third of it twice", _with_duplicates(file, folder / "twice.csv"), ()
    yield "5% of the requests fail (mixed)", file, ("--fault", "mixed=5%")


def _with_duplicates(file: Path, target: Path) -> Path:
    with file.open(encoding="utf-8", newline="") as source, target.open("w", encoding="utf-8", newline="") as copy:
        header, *rows = csv.reader(source)
        csv.writer(copy).writerows([header, *rows, *rows[::3]])
    return target


def _compared(job: str, inputs: Path, faults: tuple[str, ...], out: Path) -> str:
    options = RunOptions(
        inputs=(str(inputs),),
        out=out,
        task="ag_news",
        sending=Sending(offline=True, offline_arguments=faults, policy=_QUICK),
        reading=ReaderOptions(text_fields=("title", "description")),
    )
    (estimate,) = estimate_run(EstimateOptions(options)).models
    spent = classify_run(options, Observer()).spent
    assert isinstance(estimate.cost, Cost)
    assert spent.cost_nanousd is not None
    cost = estimate.cost
    off, tokens_off = spent.cost_nanousd / cost.expected - 1, spent.input_tokens / estimate.job.input_tokens - 1
    amounts = (_usd(cost.expected), f"{_usd(cost.low)} to {_usd(cost.high)}", _usd(spent.cost_nanousd))
    return f"| {job} | {' | '.join(amounts)} | {off:+.1%} | {tokens_off:+.2%} |"


def _usd(nanousd: int) -> str:
    return f"${nanousd / 1e9:.4f}"


if __name__ == "__main__":
    main()
