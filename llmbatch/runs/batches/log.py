"""`batches.jsonl`: each step of each part, on disk before the next one is taken.

A part is a request file that is prepared, uploaded, turned into a batch, and collected. Its rows are pending until
then. The last line about a part is its state, whatever was killed in between.
"""

import errno
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.json import decode, encode

from llmbatch.core.checksum import FORMAT, LineCheck, NewerFormatError, mended, seal
from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_file, open_to_read, storage_failure, storing, sync_folder
from llmbatch.core.ledger_line import CONTROL
from llmbatch.core.usage import UsageTotals
from llmbatch.runs.batches.options import MOST_BYTES
from llmbatch.runs.folder import RunFolder, now_text
from llmbatch.runs.ledger.recover import cut_torn_tail

_Count = Annotated[int, Meta(ge=0)]
EventName = Literal["prepared", "uploaded", "creating", "created", "seen", "collected", "given_up"]

EXPORTED = "exported"
"""Used as a part's endpoint and as its status: its file is run by someone else."""
EXPIRED, LINE, LOST, INVALID, REFUSED = "expired", "line", "lost", "invalid", "refused"
"""Why a row is open again: not answered in time, answered with a temporary failure, in no file, unusable, refused like
all others."""


class BatchRecord(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="format", tag=FORMAT
):
    """One step of a part (docs/reference/formats.md). Fields that a step does not set are omitted."""

    event: EventName
    part: Annotated[int, Meta(ge=1)]
    at: str
    """UTC."""
    rows: _Count = 0
    tokens: _Count = 0
    """Prompt tokens by llmbatch's own count."""
    bytes: _Count = 0
    sha256: str = ""
    """Digest of the request file."""
    at_most_nusd: _Count = 0
    account: str = ""
    """Account in the spend store in which the part's maximum cost is reserved."""
    fingerprint: str = ""
    """Fingerprint of the plan for its rows."""
    arm: str = CONTROL
    """The arm whose plan that is."""
    model: str = ""
    form: str = ""
    """Digest of the form in which its requests are sent."""
    endpoint: str = ""
    file: str = ""
    """The request file's name at the provider."""
    file_id: str = ""
    batch_id: str = ""
    adopted: bool = False
    """Whether it was found at the provider instead of being known from a response."""
    status: str = ""
    done: _Count = 0
    """Answered requests by the provider's count."""
    stalled: bool = False
    """Whether it was reported that nothing moves."""
    expires_at: _Count = 0
    why: str = ""
    """Why a part was given up."""
    limit: _Count = 0
    """Enqueued tokens that the provider allows, if it states this."""
    limit_bytes: _Count = 0
    """Limit of a request file's size, after a larger one was refused."""
    ok: _Count = 0
    failed: _Count = 0
    doubled: _Count = 0
    foreign: _Count = 0
    cost_nusd: _Count = 0
    lost: _Count = 0
    """Rows that may have been billed although their answers are in no file, or were given up."""
    lost_nusd: _Count = 0
    """Upper bound of their cost."""
    reopened: dict[str, list[str]] = {}
    """Keys of rows that are open again, by reason."""
    usage: dict[str, int] = {}
    """Total of the answers, as in the spend store."""
    provider_usage: dict[str, int] = {}
    """Input and output tokens by the provider's own total, if it reports one."""


@dataclass(frozen=True, slots=True)
class Part:
    """The state of a part in the log."""

    number: int
    prepared: BatchRecord
    file_id: str | None = None
    creating_at: str | None = None
    """When a batch was last requested, if the outcome is not known."""
    batch_id: str | None = None
    created_at: str = ""
    status: str = ""
    done: int = 0
    moved_at: str = ""
    """When its status or count was last seen to change."""
    is_stalled: bool = False
    """Whether it was reported that nothing moves."""
    expires_at: int | None = None
    end: BatchRecord | None = None
    """How it was collected or given up."""

    @property
    def is_open(self) -> bool:
        """Whether its rows are waiting for it."""
        return self.end is None

    @property
    def is_exported(self) -> bool:
        """Whether its file is run by someone else, and its results are imported."""
        return self.prepared.endpoint == EXPORTED

    @property
    def at_most_nanousd(self) -> int:
        """What it may cost."""
        return self.prepared.at_most_nusd

    @property
    def name(self) -> str:
        """Its name for people."""
        return f"part {self.number}"


class BatchLog:
    """The log, open for appending, and the parts in it."""

    def __init__(self, path: Path, records: Iterable[BatchRecord]) -> None:
        self._path = path
        self._parts: dict[int, Part] = {}
        self.reopened: Counter[tuple[str, str, str]] = Counter()
        """How often each row was opened again, by arm, reason and key."""
        self.limit_tokens: dict[str, int] = {}
        """Enqueued tokens that the provider allows, by model, as far as it has stated them."""
        self.limit_bytes = MOST_BYTES
        """Limit of a request file's size, if the provider has refused a larger one."""
        for record in records:
            self._take(record)

    @classmethod
    def open(cls, folder: RunFolder) -> "BatchLog":
        """Open a folder's log to read and append; a torn last line is moved aside.

        Raises:
            UsageError: a line in it is damaged or of a newer format.
            StorageFailed: it cannot be repaired.
        """
        with storing(folder.batches_log):
            cut_torn_tail(folder.batches_log)
        return cls(folder.batches_log, _read(folder.batches_log))

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in order."""
        return tuple(self._parts.values())

    @property
    def open_parts(self) -> tuple[Part, ...]:
        """Parts whose rows are waiting."""
        return tuple(part for part in self.parts if part.is_open)

    @property
    def next_number(self) -> int:
        """Number of the next part."""
        return max(self._parts, default=0) + 1

    def collected(self, fingerprint: str) -> UsageTotals:
        """Totals of a plan's collected parts."""
        ends = (part.end for part in self.parts if part.end is not None and part.prepared.fingerprint == fingerprint)
        usages = (UsageTotals.restored(end.usage) for end in ends if end.event == "collected")
        return sum(usages, UsageTotals())

    def part(self, number: int) -> Part:
        """The current state of a part."""
        return self._parts[number]

    def append(self, record: BatchRecord) -> Part:
        """Record a step; it is on disk when this returns.

        Returns:
            The part's new state.

        Raises:
            StorageFailed: it cannot be recorded, so the step must not be taken.
        """
        raw = seal(encode(record))
        with storing(self._path):
            fd = open_file(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                size = os.fstat(fd).st_size
                if os.write(fd, raw) != len(raw):
                    os.ftruncate(fd, size)
                    raise storage_failure(self._path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
                os.fsync(fd)
            finally:
                os.close(fd)
            sync_folder(self._path.parent)
        self._take(record)
        return self._parts[record.part]

    def _take(self, record: BatchRecord) -> None:
        if record.event == "prepared":
            self._parts[record.part] = Part(record.part, record)
            return
        part = self._parts[record.part]
        match record.event:
            case "uploaded":
                part = replace(part, file_id=record.file_id, creating_at=None)
            case "creating":
                part = replace(part, creating_at=record.at)
            case "created":
                part = replace(part, batch_id=record.batch_id, created_at=record.at, creating_at=None)
                part = replace(part, status=record.status, moved_at=record.at)
            case "seen":
                moved_at = part.moved_at if record.stalled else record.at
                part = replace(part, status=record.status, done=record.done, moved_at=moved_at)
                part = replace(part, is_stalled=record.stalled)
            case "collected" | "given_up":
                part = replace(part, end=record)
                if record.limit:
                    self.limit_tokens[part.prepared.model] = record.limit
                self.limit_bytes = record.limit_bytes or self.limit_bytes
                for why, keys in record.reopened.items():
                    self.reopened.update((part.prepared.arm, why, key) for key in keys)
        self._parts[record.part] = replace(part, expires_at=record.expires_at or part.expires_at)


def step(event: EventName, part: int, **fields: object) -> BatchRecord:
    """A step that is about to be taken, or was just taken."""
    return BatchRecord(event=event, part=part, at=now_text(), **fields)  # type: ignore[arg-type]


def parts_of(folder: RunFolder) -> tuple[Part, ...]:
    """A folder's parts by its log; nothing is written.

    Raises:
        UsageError: a line is damaged or of a newer format.
    """
    return BatchLog(folder.batches_log, _read(folder.batches_log)).parts


def check_no_parts(folder: RunFolder) -> None:
    """Refuse to work on a folder whose rows are at the provider, except by collecting them.

    Raises:
        UsageError: there are open parts.
    """
    if open_parts := [part for part in parts_of(folder) if part.is_open]:
        rows = sum(part.prepared.rows for part in open_parts)
        raise UsageError(
            f"{rows:,} rows of {folder.path} are already in batches at the provider; nothing was sent",
            hint="collect them with the command that submitted them (--batch), or end them: llmbatch batch cancel",
        )


def _read(path: Path) -> list[BatchRecord]:
    check, records = LineCheck(from_start=True), []
    try:
        with open_to_read(path) as file:
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    for number, raw in enumerate(lines, start=1):
        whole = raw if raw.endswith(b"\n") else mended(raw)
        if whole is None:
            break  # torn, or being written
        try:
            records.append(decode(check.record(whole), type=BatchRecord))
        except NewerFormatError as error:
            raise UsageError(f"{path}: {error}", hint="use that version for this run folder") from None
        except ValueError as error:
            raise UsageError(
                f"{path}: line {number} is damaged ({error}), so it is unknown which rows are at the provider",
                hint="restore the file, or check the provider's own list of batches",
            ) from None
    return records
