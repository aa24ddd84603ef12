"""Managing a run's parts by hand: list, cancel, adopt, forget."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.core.redact import Redactor
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.failure_policy import stopped_by
from llmbatch.engine.sending import Sending
from llmbatch.provider.batch_api import BatchApi
from llmbatch.provider.failures import RequestFailedError
from llmbatch.runs.batches.files import PartFiles
from llmbatch.runs.batches.log import EXPORTED, BatchLog, Part, parts_of, step
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.ledger.lock import locked
from llmbatch.runs.model_choice import endpoint_for
from llmbatch.runs.shard import Shard
from llmbatch.runs.shards import shard_folders
from llmbatch.runs.spend_stores import SpendPlace
from llmbatch.spend.book import Settlement

FORGOTTEN, CANCELLED = "forgotten", "cancelled before it was submitted"
_DAY = len("2026-11-25")


def list_parts(path: Path) -> list[tuple[Shard | None, Part]]:
    """A run's parts as recorded in its folder, and those of its shards.

    Raises:
        UsageError: it is not a run folder, or its log is damaged.
    """
    return [(shard, part) for shard, folder in _folders(path) for part in parts_of(folder)]


def _folders(path: Path) -> list[tuple[Shard | None, RunFolder]]:
    """A run's own folder and those of its shards.

    Raises:
        UsageError: it is not a run folder.
    """
    folder = RunFolder(path)
    load_record(folder)
    return [(None, folder), *shard_folders(folder).items()]


def cancel_parts(
    path: Path, number: int | None, sending: Sending, store: SpendPlace | None
) -> list[tuple[Shard | None, Part, str]]:
    """Ask the provider to cancel a part, or all open parts, including those of shards.

    Answered rows are charged, and must still be collected.

    Returns:
        The parts, each with its new status.

    Raises:
        UsageError: it is not a run folder, there is no such open part, or the parts are at another endpoint.
        FolderBusy: another process works on the folder.
        RunStopped: the provider refuses it.
    """
    folders = _folders(path) if number is None else [(None, RunFolder(path))]
    return [
        (shard, part, state) for shard, folder in folders for part, state in _cancel(folder, number, sending, store)
    ]


def _cancel(
    folder: RunFolder, number: int | None, sending: Sending, store: SpendPlace | None
) -> list[tuple[Part, str]]:
    record = load_record(folder)
    with locked(folder.path):
        log = BatchLog.open(folder)
        parts = log.open_parts if number is None else (_open_part(log, number),)
        endpoint = endpoint_for(sending, record.model, record.choice.dialect)
        assert endpoint is not None  # noqa: S101 - batches of the offline endpoint end with it
        for part in parts:
            if part.prepared.endpoint not in (endpoint.base_url, EXPORTED):
                raise UsageError(
                    f"{part.name} is at {part.prepared.endpoint}, not at {endpoint.base_url}",
                    hint="name its endpoint with --base-url",
                )

        async def cancel() -> list[tuple[Part, str]]:
            api = BatchApi(
                endpoint,
                sending.policy,
                sleep=asyncio.sleep,
                on_repeat=lambda *_: None,
                random=Random(),  # noqa: S311 - jitter, not secrets
            )
            try:
                return [(part, await _cancelled(api, folder, log, part, store)) for part in parts]
            except RequestFailedError as error:
                raise stopped_by(error.failure, Redactor((endpoint.api_key,))) from None
            finally:
                await api.close()

        return asyncio.run(cancel())


async def _cancelled(api: BatchApi, folder: RunFolder, log: BatchLog, part: Part, store: SpendPlace | None) -> str:
    if part.is_exported:
        _end(folder, log, part, CANCELLED, store)
        return CANCELLED
    if part.batch_id is not None:
        batch = await api.retrieve(part.batch_id)
        return batch.status if batch.is_final else (await api.cancel(part.batch_id)).status
    if part.creating_at is not None:
        return "possibly submitted: classify --batch looks for it"
    _end(folder, log, part, CANCELLED, store)
    return CANCELLED


def adopt_part(path: Path, number: int, batch_id: str) -> Part:
    """Record which batch was created for a part, if the endpoint does not list batches.

    Raises:
        UsageError: it is not a run folder, or there is no open part of that number that waits for its batch.
        FolderBusy: another process works on the folder.
    """
    folder = RunFolder(path)
    load_record(folder)
    with locked(folder.path):
        log = BatchLog.open(folder)
        part = _open_part(log, number)
        if part.batch_id is not None:
            raise UsageError(f"{part.name} already has batch {part.batch_id}")
        return log.append(step("created", number, batch_id=batch_id, adopted=True))


def forget_part(path: Path, number: int, store: SpendPlace | None) -> Part:
    """Forget a part: its rows are pending again. Its possible cost stays counted as possibly billed.

    Raises:
        UsageError: it is not a run folder, or there is no open part of that number.
        FolderBusy: another process works on the folder.
    """
    folder = RunFolder(path)
    load_record(folder)
    with locked(folder.path):
        log = BatchLog.open(folder)
        return _end(folder, log, _open_part(log, number), FORGOTTEN, store)


def _end(folder: RunFolder, log: BatchLog, part: Part, why: str, store: SpendPlace | None) -> Part:
    may_be_billed = not part.is_exported and (part.batch_id is not None or part.creating_at is not None)
    rows, at_most_nanousd = (part.prepared.rows, part.at_most_nanousd) if may_be_billed else (0, 0)
    usage = UsageTotals(requests=rows, possibly_billed_requests=rows, possibly_billed_nanousd=at_most_nanousd)
    part = log.append(
        step("given_up", part.number, why=why, lost=rows, lost_nusd=at_most_nanousd, usage=usage.stored())
    )
    _settle(store, part, usage)
    PartFiles(folder.batches, part.number).remove()
    return part


def _settle(store: SpendPlace | None, part: Part, usage: UsageTotals) -> None:
    """Settle it in the spend store; if that cannot be used now, the run's next command does so."""
    if store is None or not store.exists():
        return
    try:
        with closing(store()) as opened:
            settlement = Settlement({part.prepared.at[:_DAY]: usage}, usage.most_nanousd)
            opened.settle(part.prepared.account, settlement, ended_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    except StorageFailed:
        return


def _open_part(log: BatchLog, number: int) -> Part:
    part = next((part for part in log.open_parts if part.number == number), None)
    if part is None:
        known = ", ".join(str(part.number) for part in log.open_parts) or "none"
        raise UsageError(f"there is no open part {number}", hint=f"open parts: {known}")
    return part
