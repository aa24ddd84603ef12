"""After a review: rewrites the views and stores the sample's figures."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import FolderBusy
from llmbatch.core.files import in_turn
from llmbatch.review.history import Trend, keep_check, trend
from llmbatch.review.opened import opened
from llmbatch.review.session import Progress
from llmbatch.review.status import SampleStatus, review_status
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.session.standing import export_run


@dataclass(frozen=True, slots=True)
class Settled:
    """The state after settling."""

    in_views: bool
    """Whether the decisions are in the run's views; if not, a run in progress will include them when it ends."""
    sample: SampleStatus | None = None
    trend: Trend | None = None
    input_changes: tuple[str, ...] = ()
    """What changed in the inputs since the last session, one sentence each."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The result of a reviewer's session."""

    progress: Progress
    settled: Settled | None
    """None if nothing was decided."""


def settle(path: Path, trust: Trust = NO_TRUST) -> Settled:
    """Bring a run folder's decisions into its views; concurrent reviewers take turns.

    `trust` is what the user says about the folder.

    Raises:
        UsageError: the input can no longer be read.
    """
    try:
        with in_turn(path / ".settling"):
            exported = export_run(path, trust=trust)
    except FolderBusy:
        return Settled(in_views=False)
    changes = tuple(change.message for change in exported.input_changes)
    with opened(path, trust) as run:
        sample = review_status(run).sample if run.record.sample else None
        if sample is None or not sample.all.checked:
            return Settled(in_views=True, input_changes=changes)
        keep_check(run, sample)
        return Settled(True, sample, trend(run, sample), changes)
