"""A run in shards: a folder that contains the shards' folders and represents the whole run.

1. A shard's session holds the lock of its own folder. It starts only while there is no session on the whole run or on
   a shard of another division: both could send the same row.
2. Before it sends, it takes over the lines about its rows from wherever they are: the whole run's ledger, or shards of
   another division. So the number of shards can change between sessions.
3. Merging takes all lines of all shards over into the whole run's ledger, even while they are being labelled. Commands
   that read the whole run merge first, and sessions on it merge before they send.

Lines are taken over in order, and every ledger to which outcomes are appended contains all earlier ones about its rows:
so the latest line about a row is the last one in each ledger that has it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from llmbatch.core.errors import FolderBusy
from llmbatch.core.files import in_turn
from llmbatch.observe.events import Event, LedgerTorn
from llmbatch.runs.batches.log import check_no_parts
from llmbatch.runs.folder import FINISHED, RunFolder, RunRecord, load_record
from llmbatch.runs.ledger.gather import gather_lines
from llmbatch.runs.ledger.lock import is_locked, locked
from llmbatch.runs.shard import Shard

Emit = Callable[[Event], None]


def shard_folders(whole: RunFolder) -> dict[Shard, RunFolder]:
    """The folders of a run's shards that have been started."""
    if not whole.path.is_dir():
        return {}
    found = (Shard.of_folder(path.name) for path in whole.path.iterdir())
    shards = sorted((shard for shard in found if shard is not None), key=lambda shard: (shard.total, shard.number))
    folders = {shard: whole.shard(shard) for shard in shards}
    return {shard: folder for shard, folder in folders.items() if folder.run_json.exists()}


def is_in_progress(folder: RunFolder) -> bool:
    """Whether a live process labels rows of the run, or of one of its shards."""
    return is_locked(folder.path) or _running(folder) is not None


def alone(whole: RunFolder) -> AbstractContextManager[None]:
    """Exclusive access to all shards' locks, or to the run's own ledger and record; waits for its turn."""
    return in_turn(whole.path / ".merging")


@contextmanager
def shard_locked(folder: RunFolder, shard: Shard) -> Iterator[None]:
    """Hold the lock of a shard's folder, such that no other process may label its rows.

    Raises:
        FolderBusy: another process may.
        StorageFailed: a lock file cannot be created.
    """
    whole = RunFolder(folder.whole)
    with locked(folder.path):
        with alone(whole):
            if is_locked(whole.path):
                raise _busy(whole, "another command is working on the whole run")
            other = _running(whole, other_than=shard.total)
            if other is not None:
                raise _busy(whole, f"shard {other} is being labelled, and --shard {shard} divides the rows differently")
        yield


@contextmanager
def whole_locked(whole: RunFolder, emit: Emit) -> Iterator[None]:
    """Hold the lock of a run folder while none of its shards is labelled; their lines are merged into its ledger first.

    Raises:
        FolderBusy: another process works on the folder or on a shard.
        UsageError: a shard's ledger is damaged.
        StorageFailed: the lines cannot be written.
    """
    with locked(whole.path):
        if shard_folders(whole):
            with alone(whole):
                running = _running(whole)
                if running is not None:
                    raise _busy(whole, f"shard {running} is being labelled")
                _merge(whole, emit)
        yield


@contextmanager
def output_locked(folder: RunFolder) -> Iterator[None]:
    """Hold a run folder's lock to write its outputs. Running shards continue; new ones wait.

    Raises:
        FolderBusy: a session works on the folder.
    """
    with alone(folder) if shard_folders(folder) else nullcontext(), locked(folder.path):
        yield


def merge_shards(whole: RunFolder, emit: Emit, *, is_trusted: bool = False) -> None:
    """Merge the shards' lines into the run's own ledger, and their states into its record.

    Does nothing while another process works on the whole run (it has merged itself), nor in a folder that someone else
    created, unless it `is_trusted`.

    Raises:
        UsageError: a shard's ledger or record is damaged.
        StorageFailed: the lines cannot be written.
    """
    if not shard_folders(whole) or (load_record(whole).is_foreign and not is_trusted):
        return
    with alone(whole), suppress(FolderBusy):
        merge_alone(whole, emit)


def merge_alone(whole: RunFolder, emit: Emit) -> None:
    """Merge all shards' lines into the run's own ledger. The caller is `alone`, and may hold the lock of a shard.

    Raises:
        FolderBusy: another process works on the whole run.
        UsageError: a shard's ledger is damaged.
        StorageFailed: the lines cannot be written.
    """
    with locked(whole.path):
        if shard_folders(whole):
            _merge(whole, emit)


def take_over(folder: RunFolder, shard: Shard, emit: Emit) -> None:
    """Take over the lines about a shard's rows from other ledgers. The caller holds the lock of its folder.

    Raises:
        UsageError: another ledger is damaged.
        StorageFailed: the lines cannot be written.
    """
    whole = RunFolder(folder.whole)
    others = {other.folder_name: at.ledger for other, at in shard_folders(whole).items() if other.total != shard.total}
    torn = gather_lines(folder.ledger, folder.sent_log, {_WHOLE: whole.ledger, **others}, shard.holds)
    if torn is not None:
        emit(LedgerTorn(torn.name))


def record_whole(whole: RunFolder, record: RunRecord) -> None:
    """Record a shard's plan as the whole run's, before the shard starts.

    Args:
        whole: the run folder.
        record: the run's record as it would be without shards.

    Raises:
        FolderBusy: a shard with another plan is being labelled.
        StorageFailed: it cannot be written.
    """
    with alone(whole):
        if whole.run_json.exists():
            standing = load_record(whole)
            if standing.fingerprint != record.fingerprint and (running := _running(whole)) is not None:
                raise _busy(whole, f"shard {running} is being labelled with another task, model or parameters")
            record = record.updated(run_id=standing.run_id, created_at=standing.created_at)
        record.updated(state="incomplete").save(whole)


def check_no_parts_elsewhere(whole: RunFolder, shard: Shard | None) -> None:
    """Refuse to send rows of a run, or of a shard, that batches of another division of it may contain.

    Raises:
        UsageError: such batches are at the provider.
    """
    others = [at for other, at in shard_folders(whole).items() if shard is None or other.total != shard.total]
    for folder in others if shard is None else [whole, *others]:
        check_no_parts(folder)


def waiting_shards(whole: RunFolder) -> tuple[str, ...]:
    """What is still pending in the shards that were started last, each in a few words."""
    folders = shard_folders(whole)
    if not folders:
        return ()
    records = _latest(folders)
    total = next(iter(records)).total
    missing = [f"{n}/{total}" for n in range(1, total + 1) if Shard(n, total) not in records]
    running = [str(shard) for shard in records if is_locked(whole.shard(shard).path)]
    ended = [str(shard) for shard, record in records.items() if record.state != FINISHED and str(shard) not in running]
    groups = {"not begun": missing, "being labelled": running, "not finished": ended}
    return tuple(f"{what}: {', '.join(_shown(names))}" for what, names in groups.items() if names)


_WHOLE = "whole"
_MOST_SHOWN = 8


def _shown(names: list[str]) -> list[str]:
    return names if len(names) <= _MOST_SHOWN else [*names[:_MOST_SHOWN], f"and {len(names) - _MOST_SHOWN:,} more"]


def _merge(whole: RunFolder, emit: Emit) -> None:
    folders = shard_folders(whole)
    ledgers = {shard.folder_name: folder.ledger for shard, folder in folders.items()}
    torn = gather_lines(whole.ledger, whole.sent_log, ledgers, lambda _: True)
    if torn is not None:
        emit(LedgerTorn(torn.name))
    _record_states(whole, folders)


def _record_states(whole: RunFolder, folders: dict[Shard, RunFolder]) -> None:
    """Update the whole run's record from the shards' records: possible bills, identities of inputs, the state."""
    standing, latest = load_record(whole), _latest(folders)
    billed = dict(standing.possibly_billed)
    for folder in folders.values():
        billed |= load_record(folder).possibly_billed
    record = standing.model_copy(update={"possibly_billed": billed})
    newest = max(latest.values(), key=_last_change)
    if newest.updated_at >= standing.updated_at:  # otherwise a session on the whole run was later
        record = record.model_copy(
            update={
                "state": _state(whole, latest),
                "exit_code": max(each.exit_code or 0 for each in latest.values()),
                "inputs_read": newest.inputs_read,
                "fields": newest.fields,
                "limits": newest.limits,
            }
        )
    if record != standing:
        record.updated().save(whole)


def _state(whole: RunFolder, latest: dict[Shard, RunRecord]) -> str:
    if _running(whole) is not None:
        return "running"
    are_all = len(latest) == next(iter(latest)).total
    return FINISHED if are_all and all(record.state == FINISHED for record in latest.values()) else "incomplete"


def _latest(folders: dict[Shard, RunFolder]) -> dict[Shard, RunRecord]:
    """The records of the shards of the latest division."""
    records = {shard: load_record(folder) for shard, folder in folders.items()}
    total = max(records, key=lambda shard: _last_change(records[shard])).total
    return {shard: record for shard, record in records.items() if shard.total == total}


def _last_change(record: RunRecord) -> tuple[str, bool]:
    """Records name the second: of two in the same one, a session that was killed came before one that finished."""
    return record.updated_at, record.state == FINISHED


def _running(whole: RunFolder, other_than: int | None = None) -> Shard | None:
    """A shard that a live process is labelling, other than one of a division into `other_than`."""
    shards = (shard for shard in shard_folders(whole) if shard.total != other_than)
    return next((shard for shard in shards if is_locked(whole.shard(shard).path)), None)


def _busy(whole: RunFolder, why: str) -> FolderBusy:
    return FolderBusy(
        f"{whole.path}: {why}; nothing was sent", hint="wait until it ends, then run the same command again"
    )
