"""`ray_classify`: labels a Ray Data dataset with the workers of a Ray cluster.

The dataset is written into the run folder as Parquet; each worker labels a shard of it, like `classify --shard`, and
the shards are merged. A run on a cluster is therefore a run like any other: it has a ledger, is resumed by the same
call, and is shown by `llmbatch show`.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, Unpack

from llmbatch.api.options import Options, named, run_options
from llmbatch.api.ray_actors import shared
from llmbatch.api.result import Run
from llmbatch.cli.options.values import checked_path
from llmbatch.cli.refusals import refusals_as_errors
from llmbatch.core.errors import ExitCode, FolderBusy, LLMBatchError, RunStopped, UsageError
from llmbatch.core.extras import extra
from llmbatch.core.files import replacing
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import Summary
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.options import RunOptions
from llmbatch.runs.shard import MOST_SHARDS, Shard
from llmbatch.runs.shards import whole_locked
from llmbatch.runs.trust import Trust
from llmbatch.session.merging import merge_run, spent_so_far
from llmbatch.session.run import classify_run
from llmbatch.terminal.log import LogScreen

_INPUT, _LABELS = "input.parquet", "labels.parquet"
_RESTARTS = 8
"""Restarts of a worker that died; each resumes its shard."""
_PATIENCE_S, _AGAIN_S = 120.0, 0.5
"""How long a folder may stay locked by a dying worker: a network disk's server notices its death late."""
_NOT_HERE = frozenset({"shard", "query", "log_file", "metrics_file", "observer"}) | {
    name for name in Options.__optional_keys__ if name.startswith(("batch", "canary", "cheapest"))
}
_PATHS = ("task", "calibration", "baseline", "reuse_store")
_Result = TypeVar("_Result")


def ray_classify(dataset: Any, *, workers: int = 4, num_cpus: float = 1, **options: Unpack[Options]) -> Any:
    """Label the rows of a Ray Data dataset with a cluster's workers; when called again, resume.

    Rate limits, `max_cost` and `daily_budget` apply to all workers together. A worker that dies is restarted and
    resumes its shard; if the driver dies, the same call resumes the run. Only requests that were in flight are then
    sent twice; they are reported, and count as possibly billed.

    Args:
        dataset: a `ray.data.Dataset` with a text column; or a path or glob of files that all workers can read.
        workers: number of processes; `concurrency` is the number of requests in flight of each.
        num_cpus: how many of the cluster's CPUs each uses.
        options: those of `llmbatch.classify`, without batches, canaries, queries, logs and observers. `out`, the run
            folder, is required: on a disk that all workers can access, under the same path.

    Returns:
        A `ray.data.Dataset` of the run folder's `labels.parquet`: a row for each row of the input, failed ones
        included, in the input's order, with the columns of `Run.to_parquet`.

    Raises:
        UsageError: the dataset, the task or an option cannot be used, or Ray is not installed; nothing was sent.
        FolderBusy: another run works on the run folder.
        RunStopped: a guard or a limit ended the run: credentials, quota, cost. Answers so far are kept.
    """
    with extra("ray", needed_by="ray_classify"):
        import ray.data  # noqa: PLC0415
    if not 1 <= workers <= MOST_SHARDS:
        raise UsageError(f"workers: expected a whole number from 1 to {MOST_SHARDS:,}, not {workers!r}")
    given = _checked(options)
    folder = RunFolder(checked_path("out", given["out"]).absolute())
    is_dataset = isinstance(dataset, ray.data.Dataset)
    run = run_options(given, inputs=(str(folder.path / _INPUT),) if is_dataset else _files(dataset), out=folder.path)
    with refusals_as_errors(), LogScreen() as observer:
        if is_dataset:
            _when_free(lambda: _write_input(dataset, folder, observer))
        run = shared(run, _when_free(lambda: spent_so_far(folder.path, observer.event)))
        stopped = _label(run, workers, num_cpus)
        trust = Trust(is_given=True)  # on a cluster, workers on several machines have created it
        summary = _when_free(lambda: merge_run(folder.path, observer, run.max_failed, trust=trust))
        if stopped is not None:
            raise _error(stopped, folder)
        labelled = Run(folder.path, summary, id_field=given.get("id_field"), is_temporary=False)
        labelled.to_parquet(folder.path / _LABELS)
    return ray.data.read_parquet(str(folder.path / _LABELS))


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    given = named("ray_classify", options, Options.__optional_keys__ - _NOT_HERE)
    if "out" not in given:
        raise UsageError(
            "ray_classify needs out=: a run folder on a disk that all workers share", hint="out='/shared/docs.llmbatch'"
        )
    paths = {name: Path(given[name]) for name in _PATHS if isinstance(given.get(name), str | Path)}
    return given | {name: path.absolute() for name, path in paths.items() if path.exists()}  # for workers elsewhere


def _files(dataset: Any) -> tuple[str, ...]:
    if not isinstance(dataset, str | os.PathLike):
        raise UsageError(
            f"dataset: expected a ray.data.Dataset or a path, not {type(dataset).__name__}",
            hint="ray.data.from_pandas, from_arrow and from_items make one",
        )
    return (str(Path(dataset).absolute()),)


def _write_input(dataset: Any, folder: RunFolder, observer: Observer) -> None:
    """Write the dataset's rows to a file that all workers read."""
    folder.make()
    with whole_locked(folder, observer.event), replacing(folder.path / _INPUT) as file:
        misfit = _written(dataset, file, None)
        while misfit is not None:
            file.seek(0)
            file.truncate()
            misfit = _written(dataset, file, misfit)


def _written(dataset: Any, file: BinaryIO, schema: Any) -> Any:
    """Write a dataset with these columns, or those of its first block.

    Returns:
        None; or the columns of a block that could not be written and of all before it, with which to write it again.
    """
    import pyarrow as pa  # noqa: PLC0415 - comes with Ray Data
    from pyarrow.parquet import ParquetWriter  # noqa: PLC0415

    with ExitStack() as opened:
        writer = None
        for block in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
            schema = schema or block.schema.remove_metadata()
            try:
                table = pa.concat_tables([schema.empty_table(), block], promote_options="permissive")
            except pa.ArrowException as error:
                raise UsageError(f"the dataset's blocks have different columns: {error}") from None
            if not table.schema.equals(schema):
                return table.schema.remove_metadata()
            writer = writer or opened.enter_context(ParquetWriter(file, schema, compression="zstd"))
            writer.write_table(table)
    if writer is None:
        raise UsageError("the dataset has no rows", hint="check how it was read")
    return None


def _label(run: RunOptions, workers: int, num_cpus: float) -> Summary | None:
    """Label all shards. Returns the summary of the first that was stopped."""
    import ray  # noqa: PLC0415 - an extra

    task = ray.remote(_label_shard).options(num_cpus=num_cpus, max_retries=_RESTARTS)
    waiting = [task.remote(run, Shard(number, workers)) for number in range(1, workers + 1)]
    stopped: Summary | None = None
    try:
        while waiting:
            (done,), waiting = ray.wait(waiting)
            try:
                summary = _ended(done)
            except LLMBatchError:
                if stopped is None:
                    raise
                continue  # interrupted just before it began
            if summary is not None and not summary.has_ended_by_itself and stopped is None:
                stopped = summary
                _stop(waiting)
    except BaseException:
        _stop(waiting)
        if waiting:
            ray.wait(waiting, num_returns=len(waiting))
        raise
    return stopped


def _label_shard(run: RunOptions, shard: Shard) -> Summary:
    """In a worker: label a shard. The lock of a worker that died ends when its machine notices."""
    with LogScreen() as observer:
        return _when_free(lambda: classify_run(replace(run, shard=shard), observer))


def _ended(reference: Any) -> Summary | None:
    """The summary of a shard; None if it was stopped before it began."""
    import ray  # noqa: PLC0415 - an extra
    from ray.exceptions import RayError, RayTaskError, TaskCancelledError  # noqa: PLC0415

    try:
        summary: Summary = ray.get(reference)
    except TaskCancelledError:
        return None
    except RayTaskError as error:
        raise error.cause if isinstance(error.cause, LLMBatchError) else error from None
    except RayError as error:  # killed, out of memory, or its machine is gone
        raise RunStopped(
            f"a worker died {_RESTARTS + 1} times ({type(error).__name__})",
            hint="Ray's logs say why; ray_classify with the same arguments resumes",
        ) from error
    return summary


def _stop(references: list[Any]) -> None:
    """Stop in an orderly way, like Ctrl-C: wait for requests in flight."""
    import ray  # noqa: PLC0415 - an extra

    for reference in references:
        ray.cancel(reference)


def _when_free(call: Callable[[], _Result]) -> _Result:
    """Call again while the folder is locked, for as long as a worker may take to die."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return call()
        except FolderBusy:
            if time.monotonic() > until:
                raise
        time.sleep(_AGAIN_S)


def _error(stopped: Summary, folder: RunFolder) -> RunStopped:
    hint = f"the answers so far are kept in {folder.path}; ray_classify with the same arguments resumes"
    return RunStopped(stopped.reason or "the run was stopped", hint=hint, exit_code=ExitCode(stopped.exit_code))
