"""`llmbatch review RUN`: one reviewer works through a run's queue in the terminal."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.sanitize import neutral
from llmbatch.review.claims import Claims
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice, make_queue
from llmbatch.review.session import ReviewSession
from llmbatch.review.settle import Walked, settle
from llmbatch.runs.folder import RunFolder, load_record, now_text
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.task.model import Task

WEB_DRIVER = "textual.drivers.web_driver:WebDriver"
"""The value of TEXTUAL_DRIVER when the terminal is a browser."""
_LOOK_EVERY_S = 0.5
_LIGHT_BACKGROUNDS = ("7", "15")


def walk(
    path: Path,
    choice: Choice,
    *,
    reviewer: str,
    report: Callable[[str], None],
    light: bool | None = None,
    trust: Trust = NO_TRUST,
) -> Walked:
    """Run the full-screen review of a run.

    Args:
        path: the run folder.
        choice: which rows.
        reviewer: who decides.
        report: called with a line about each step that is slow with many rows.
        light: whether the terminal's background is light; None to guess.
        trust: what the user says about the folder.

    Raises:
        UsageError: no terminal, the extra `review` is not installed, or the run cannot be read.
    """
    load_record(RunFolder(path))
    _require_terminal(path)
    if is_in_browser():
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    report(f"reading {neutral(str(path))} ...")
    with opened(path, trust) as run:
        from llmbatch.review.app.application import ReviewApp, Setting  # noqa: PLC0415 - the extra `review`

        queue = make_queue(run, choice)
        with closing(queue), closing(Claims(path)) as claims:
            session = ReviewSession(
                queue, run.decisions, reviewer=reviewer, claims=claims, clock=now_text, blind=choice.blind
            )
            setting = Setting(
                run=path.name,
                task=run.record.task.name,
                space=run.record.task.label_space,
                of_sample=choice.sample,
                examples=texts_by_label(run.record.task),
                is_light=_is_light() if light is None else light,
            )
            ReviewApp(session, setting).run()
            progress, changed = session.progress, session.has_written
    if changed:
        report("adding the decisions to the results ...")
    return Walked(progress, settle(path, trust) if changed else None)


def texts_by_label(task: Task) -> Mapping[str, Sequence[str]]:
    """The texts of a task's examples by label; empty if the task takes several labels."""
    texts: dict[str, list[str]] = {}
    for example in (*task.examples, *task.pool):
        if example.label is not None:
            texts.setdefault(example.label, []).append(example.text)
    return texts


def is_in_browser() -> bool:
    """Whether this process was started by the web server for a reviewer in a browser."""
    return os.environ.get("TEXTUAL_DRIVER") == WEB_DRIVER


def _end_with(server: int) -> None:
    """Exit as soon as the server is killed, since only the server can close the application; all data is on disk."""
    while os.getppid() == server:
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


def _require_terminal(path: Path) -> None:
    if find_spec("textual") is None:
        raise UsageError("llmbatch review needs textual", hint="install it: pip install 'llmbatch[review]'")
    if is_in_browser():
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        raise UsageError(
            "llmbatch review needs a terminal",
            hint=f"without one, use llmbatch review {path} --web, or llmbatch review export {path} and import",
        )


def _is_light() -> bool:
    """Whether the terminal reports a light background; some do, in COLORFGBG."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in _LIGHT_BACKGROUNDS
