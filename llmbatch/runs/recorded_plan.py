"""The plan of an existing run, from its record."""

from llmbatch.core.errors import UsageError
from llmbatch.engine.plan import Plan, make_plan
from llmbatch.runs.folder import RunRecord
from llmbatch.task.load import LoadedTask


def recorded_plan(record: RunRecord, loaded: LoadedTask | None = None) -> Plan:
    """The plan of an existing run.

    Args:
        record: the run's.
        loaded: its task, if more is known about it than the record contains.

    Raises:
        UsageError: this version would send different requests.
    """
    taken = record.prefix.pool_examples if record.prefix else 0
    plan = make_plan(loaded or recorded_task(record), record.choice, offline=record.offline, pool_examples=taken)
    if plan.fingerprint != record.fingerprint:
        raise UsageError(
            f"this version of llmbatch sends different requests than {record.llmbatch}, which made the run",
            hint="run the original classify command again; its rows are sent again",
        )
    return plan


def recorded_task(record: RunRecord) -> LoadedTask:
    """The task as the run had it; its file may have changed since."""
    return LoadedTask(record.task, record.task_source, record.prompt, decided=None)
