"""Runs against earlier runs: the profile of a run folder, and what has shifted since another one."""

from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.engine.experiments.run_profiler import RunStatisticsCollector
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.standing import standing_run
from llmbatch.stats.profile import Asked, Profile


def run_profile(path: Path, *, offline: bool) -> Profile:
    """The profile of a run folder.

    Args:
        path: the folder.
        offline: whether it is compared with simulated answers.

    Raises:
        UsageError: it is not a run folder, its ledger is damaged, or it holds the other kind of answers.
    """
    folder, record = standing_run(path)
    if record.offline != offline:
        held, others = ("simulated", "real") if record.offline else ("real", "simulated")
        raise UsageError(f"{path} holds {held} answers, which cannot be compared with {others} ones")
    asked, reread = Asked(record.prompt, record.model), record.reread
    profiler = RunStatisticsCollector(asked, record.task.label_space.parts_of)
    for _, line in read_lines(folder.ledger):
        profiler.watch(reread(line))
    return profiler.profile()
