"""`classify` and `aclassify`."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Unpack

from llmbatch.api.documents import Documents, documents_of
from llmbatch.api.options import Options, field_names, named, run_options, watch_options
from llmbatch.api.progress import ProgressOption, Shown
from llmbatch.api.result import Run
from llmbatch.api.running import run_and_await, run_and_wait
from llmbatch.api.workspace import Workspace, workspace
from llmbatch.cli.options.values import checked_path
from llmbatch.cli.refusals import refusals_as_errors
from llmbatch.core.errors import ExitCode, Interrupted, RunStopped, UsageError
from llmbatch.observe.observer import Observers
from llmbatch.observe.summary import Summary
from llmbatch.session.run import classify_run
from llmbatch.session.stop_handle import StopHandle
from llmbatch.telemetry.watch import watch


def classify(
    documents: Documents,
    *,
    handle: StopHandle | None = None,
    progress: ProgressOption = None,
    **options: Unpack[Options],
) -> Run:
    """Label documents, like `llmbatch classify`, including resuming.

    Ctrl-C, SIGTERM and anything else that interrupts the call stop the run in an orderly way, as on the command line:
    requests in flight finish (a second Ctrl-C abandons them), files are written, and then the exception is raised.

    Args:
        documents: a path or a glob of files, or several paths; or texts, or mappings with a text field and optionally
            an `id`, also from a generator; or a table: a data frame, columns, or any object that supports the Arrow C
            stream protocol.
        handle: stops the run from another thread, with its `stop()`.
        progress: True shows it, False does not, and a function is called with it; by default it is shown in a notebook.
        options: those of `llmbatch classify` by name (`text_field`, `max_cost`; see `Options`). The most important:
            task: a task file, or the name of a packaged one.
            model: the model.
            out: the run folder. For files it defaults to INPUT.llmbatch. Documents in memory go to a temporary folder
            unless you name one; it is removed together with the `Run`, and only a named one can be resumed.
            offline: use the built-in offline endpoint: no key, no network, no model.
            max_cost: a hard limit on the total cost of the run, in USD.

    Returns:
        The run: a sequence of results in the order of the documents. It includes failed rows; these are not raised.

    Raises:
        UsageError: the documents, the task or an option cannot be used; nothing was sent.
        FolderBusy: another run works on the run folder.
        RunStopped: a guard or a limit ended the run: credentials, quota, cost. Answers so far are kept.
        Interrupted: `handle.stop()` was called. Answers so far are kept.
        KeyboardInterrupt: Ctrl-C. SystemExit: SIGTERM or SIGHUP, unless the program has a handler of its own.
    """
    call = _Call("classify", documents, handle, progress, options)
    with call.workspace() as place:
        return run_and_wait(lambda: call.run(place), call.handle, call.shown)


async def aclassify(
    documents: Documents,
    *,
    handle: StopHandle | None = None,
    progress: ProgressOption = None,
    **options: Unpack[Options],
) -> Run:
    """Like `classify`, for code in an event loop, which continues to run.

    If the task is cancelled, also by a time-out, the run stops in an orderly way before `CancelledError` is raised.
    Cancelling it again abandons the requests in flight. Documents are read in another thread.
    """
    call = _Call("aclassify", documents, handle, progress, options)

    def work() -> Run:
        with call.workspace() as place:
            return call.run(place)

    return await run_and_await(work, call.handle, call.shown)


class _Call:
    """The checked arguments of one call."""

    def __init__(
        self,
        function: str,
        documents: Any,
        handle: StopHandle | None,
        progress: ProgressOption,
        options: Options,
    ) -> None:
        self._options = named(function, options)
        self._out = checked_path("out", self._options["out"]) if "out" in self._options else None
        run_options(self._options, inputs=(), out=None)  # reports errors before anything is read
        self._watching = watch_options(self._options)
        self._documents = documents
        self.handle = handle or StopHandle()
        self.shown = Shown(progress)

    def workspace(self) -> AbstractContextManager[Workspace]:
        """Where the run works."""
        documents = documents_of(self._documents, field_names(self._options, "text_field") or ())
        return workspace(documents, self._out, check=self.handle.check)

    def run(self, place: Workspace) -> Run:
        """The run itself."""
        options = run_options(self._options, inputs=place.inputs, out=place.out)
        if place.is_temporary and (options.batch is not None or options.cheapest is not None):
            raise UsageError("batch=True and cheapest=True need out=: a later call collects the batches")
        with refusals_as_errors(), Observers([*self.shown.observers, watch(self._watching)]) as observer:
            summary = classify_run(options, observer, self.handle, is_locked=place.is_locked)
        if not summary.has_ended_by_itself:
            raise _stopped(summary, place)
        folder = Path(summary.folder)
        return Run(folder, summary, id_field=self._options.get("id_field"), is_temporary=place.is_temporary)


def _stopped(summary: Summary, place: Workspace) -> RunStopped:
    hint = f"the answers so far are kept in {summary.folder}"
    if place.is_temporary:
        hint += " until this process ends; name a folder with out= to keep it"
    code = ExitCode(summary.exit_code)
    if summary.state == "interrupted":
        return Interrupted((summary.reason or "").removeprefix("interrupted by "), hint=hint, exit_code=code)
    return RunStopped(summary.reason or "the run was stopped", hint=hint, exit_code=code)
