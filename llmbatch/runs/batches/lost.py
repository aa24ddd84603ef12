"""What a run's batches may have been billed for without an answer."""

from collections.abc import Iterable

from llmbatch.runs.batches.log import Part
from llmbatch.runs.folder import PossiblyBilled, RunRecord


def with_lost_rows(record: RunRecord, parts: Iterable[Part]) -> RunRecord:
    """The record with the rows whose answers were in no file, by part. Parts that it already contains are unchanged."""
    lost = {
        part.prepared.account: PossiblyBilled(requests=part.end.lost, at_most_nanousd=part.end.lost_nusd)
        for part in parts
        if part.end is not None and part.end.lost
    }
    return record.updated(possibly_billed={**record.possibly_billed, **lost}) if lost else record
