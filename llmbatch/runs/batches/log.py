"""`batches.jsonl`: each step of each part, on the disk before the next one is taken.

A part is a request file on its way: prepared, uploaded, made a batch, collected. Its rows are pending all the time.
What the log says last of a part is where it stands, whatever was killed in between.
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
"""In place of a part's endpoint, and as its status: its file is run by someone else."""
EXPIRED, LINE, LOST, INVALID, REFUSED = "expired", "line", "lost", "invalid", "refused"
"""Why a row is open again: not answered in time, answered with a failure that passes, in no file, unusable, refused
like all others."""


class BatchRecord(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="format", tag=FORMAT
):
    """One step of a part (docs/reference/formats.md). Fields that a step does not set are left out."""

    event: EventName
    part: Annotated[int, Meta(ge=1)]
    at: str
    """UTC."""
    rows: _Count = 0
    tokens: _Count = 0
    """Prompt tokens, as we count them."""
    bytes: _Count = 0
    sha256: str = ""
    """Of the request file, as its bytes."""
    at_most_nusd: _Count = 0
    account: str = ""
    """In the spend store, where the part's most is set aside."""
    fingerprint: str = ""
    """Of the plan that its rows are asked by."""
    arm: str = CONTROL
    """Whose plan that is."""
    model: str = ""
    form: str = ""
    """Digest of the form in which its requests are sent."""
    endpoint: str = ""
    file: str = ""
    """The request file's name at the provider."""
    file_id: str = ""
    batch_id: str = ""
    adopted: bool = False
    """Whether it was found there, and not known from an answer."""
    status: str = ""
    done: _Count = 0
    """Requests that the provider has answered, by its count."""
    stalled: bool = False
    """Whether it was reported that nothing moves."""
    expires_at: _Count = 0
    why: str = ""
    """Of a part that was given up."""
    limit: _Count = 0
    """Enqueued tokens that the provider allows, where it says so."""
    limit_bytes: _Count = 0
    """Of a request file, after a larger one was refused."""
    ok: _Count = 0
    failed: _Count = 0
    doubled: _Count = 0
    foreign: _Count = 0
    cost_nusd: _Count = 0
    lost: _Count = 0
    """Rows that may have been billed: their answers are in no file, or were given up."""
    lost_nusd: _Count = 0
    """Their cost at most."""
    reopened: dict[str, list[str]] = {}
    """Keys of rows that are open again, by why."""
    usage: dict[str, int] = {}
    """Total of the answers, as the spend store has it."""
    provider_usage: dict[str, int] = {}
    """Input and output tokens by the provider's own sum, where it has one."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part as the log has it."""

    number: int
    prepared: BatchRecord
    file_id: str | None = None
    creating_at: str | None = None
    """When a batch was last asked for, where the outcome is not known."""
    batch_id: str | None = None
    created_at: str = ""
    status: str = ""
    done: int = 0
    moved_at: str = ""
    """When its status or count last changed, as far as was seen."""
    is_stalled: bool = False
    """Whether it was reported that nothing moves."""
    expires_at: int | None = None
    end: BatchRecord | None = None
    """How it was collected or given up."""

    @property
    def is_open(self) -> bool:
        """Whether its rows wait for it."""
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
        """As people read it."""
        return f"part {self.number}"


class BatchLog:
    """The log, open for appending, and the parts as it has them."""

    def __init__(self, path: Path, records: Iterable[BatchRecord]) -> None:
        self._path = path
        self._parts: dict[int, Part] = {}
        self.reopened: Counter[tuple[str, str, str]] = Counter()
        """How often each row was opened again, by the arm, why and its key."""
        self.limit_tokens: dict[str, int] = {}
        """Enqueued tokens that the provider allows, by the model, as far as it has said so."""
        self.limit_bytes = MOST_BYTES
        """Of a request file, as far as the provider has refused larger ones."""
        for record in records:
            self._take(record)

    @classmethod
    def open(cls, folder: RunFolder) -> "BatchLog":
        """Open a folder's log, to append to it too; a torn last line is moved aside.

        Raises:
            UsageError: a line in it is damaged or of a newer format.
            StorageFailed: it cannot be mended.
        """
        with storing(folder.batches_log):
            cut_torn_tail(folder.batches_log)
        return cls(folder.batches_log, _read(folder.batches_log))

    @property
    def parts(self) -> tuple[Part, ...]:
        """All, in their order."""
        return tuple(self._parts.values())

    @property
    def open_parts(self) -> tuple[Part, ...]:
        """Those whose rows wait."""
        return tuple(part for part in self.parts if part.is_open)

    @property
    def next_number(self) -> int:
        """Of the next part."""
        return max(self._parts, default=0) + 1

    def collected(self, fingerprint: str) -> UsageTotals:
        """Totals of a plan's collected parts."""
        ends = (part.end for part in self.parts if part.end is not None and part.prepared.fingerprint == fingerprint)
        usages = (UsageTotals.restored(end.usage) for end in ends if end.event == "collected")
        return sum(usages, UsageTotals())

    def part(self, number: int) -> Part:
        """A part as it stands now."""
        return self._parts[number]

    def append(self, record: BatchRecord) -> Part:
        """Write a step down, on the disk when this returns.

        Returns:
            The part as it stands then.

        Raises:
            StorageFailed: it cannot be kept, so the step must not be taken.
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
    """A step that is about to be taken, or was taken, now."""
    return BatchRecord(event=event, part=part, at=now_text(), **fields)  # type: ignore[arg-type]


def parts_of(folder: RunFolder) -> tuple[Part, ...]:
    """A folder's parts as its log has them; nothing is written.

    Raises:
        UsageError: a line is damaged or of a newer format.
    """
    return BatchLog(folder.batches_log, _read(folder.batches_log)).parts


def check_no_parts(folder: RunFolder) -> None:
    """Refuse to work on a folder whose rows are at the provider in another way than by collecting them.

    Raises:
        UsageError: parts are there.
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
