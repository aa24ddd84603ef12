"""Inputs and their rows: how they are read, what is skipped, what changed."""

from typing import Any, ClassVar

from msgspec.structs import asdict

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.observe.events.event import Event, Level

_SAMPLE = 80
"""Characters of a document."""


class FieldsChosen(Event, frozen=True):
    """How an input is written, and which of its fields are the text and the id, as far as the user did not set them."""

    name = "input.fields"
    file: str
    text_fields: tuple[str, ...]
    id_field: str | None
    findings: tuple[str, ...] = ()
    """What was detected about the way it is written, each in a few words."""
    sample: str = ""
    """The beginning of the first document."""

    @property
    def message(self) -> str:
        """The format, and the fields."""
        texts = " + ".join(map(repr, self.text_fields))
        identity = f"id from {self.id_field!r}" if self.id_field else "row numbers as ids"
        written = "".join(f"{finding}; " for finding in self.findings)
        return f"{self.file}: {written}text from {texts}, {identity} (to change: --text-field, --id-field)"

    @property
    def shown(self) -> str:
        """The fields, and the first document read with them."""
        return f'{self.message}: "{neutral(self.sample, limit=_SAMPLE)}"' if self.sample else self.message

    def fields(self) -> dict[str, Any]:
        """All but the sample."""
        return {name: value for name, value in asdict(self).items() if name != "sample"}


class InputPutRight(Event, frozen=True):
    """What was skipped, filled in or unreadable in an input, once all of it was read."""

    name = "input.put_right"
    level = Level.WARNING
    file: str
    remarks: tuple[str, ...]

    @property
    def message(self) -> str:
        """All of it in one line."""
        return f"{self.file}: {', '.join(self.remarks)}"


class QueryBegun(Event, frozen=True):
    """A database is queried for its rows before the session begins: nothing else happens until all have arrived."""

    name = "query.begun"
    template = "{database}: running the query"
    database: str


class QueryCopied(Event, frozen=True):
    """The rows of a query were copied into the run folder: the run is about these."""

    name = "query.copied"
    database: str
    file: str
    rows: int
    remarks: tuple[str, ...] = ()
    """What was done to the columns' names."""

    @property
    def message(self) -> str:
        """How many rows, and where they are."""
        remarks = "".join(f"; {remark}" for remark in self.remarks)
        return f"{self.database}: {counted(self.rows, 'row')} of the query copied to {self.file}{remarks}"


class QueryCopyKept(Event, frozen=True):
    """The last session did not finish: its rows are used again, and the query is not run again."""

    name = "query.copy_kept"
    template = "{database}: resumes with the rows copied at {copied_at}; to run the query again, delete {file}"
    database: str
    file: str
    copied_at: str


class DownloadBegun(Event, frozen=True):
    """A remote file is requested before the session begins: nothing else happens until all of it has arrived."""

    name = "input.download_begun"
    template = "{input}: downloading"
    input: str


class DownloadLost(Event, frozen=True):
    """A download was interrupted and is retried."""

    name = "input.download_lost"
    level = Level.WARNING
    template = "{input}: {reason}; retrying in {wait_s:g} s"
    input: str
    reason: str
    wait_s: float


class InputDownloaded(Event, frozen=True):
    """A remote file is in the run folder; `is_new` if it was fetched now."""

    name = "input.downloaded"
    input: str
    bytes: int
    is_new: bool

    @property
    def message(self) -> str:
        """How much it is."""
        how = "downloaded" if self.is_new else "unchanged, not downloaded again"
        return f"{self.input}: {how} ({self.bytes:,} bytes)"


class DownloadKept(Event, frozen=True):
    """A remote file can no longer be fetched, and the run continues with its copy."""

    name = "input.download_kept"
    level = Level.WARNING
    template = "{error}; continuing with the copy of {copied_at}"
    error: str
    copied_at: str


class InputsReplaced(Event, frozen=True):
    """A run folder that the user named gets other inputs than before."""

    name = "input.replaced"
    level = Level.WARNING
    folder: str
    before: tuple[str, ...]
    now: tuple[str, ...]

    @property
    def message(self) -> str:
        """What happens to the existing results."""
        return (
            f"{self.folder} held results of {', '.join(self.before)}; those of {', '.join(self.now)} replace them; "
            "its ledger keeps the answers"
        )


class InputChanged(Event, frozen=True):
    """An input changed since the previous session or while this one read it."""

    GREW: ClassVar[str] = "grew"
    """Bytes were added at its end."""
    SHRANK: ClassVar[str] = "shrank"
    """Its end is missing."""
    CHANGED: ClassVar[str] = "changed"
    """Anything else, such as a different file of the same name."""
    GONE: ClassVar[str] = "gone"

    name = "input.changed"
    level = Level.WARNING
    input: str
    change: str
    is_while_read: bool = False
    """Whether it happened during this session."""

    @property
    def is_failure(self) -> bool:
        """Whether a session cannot be called successful: rows are missing that were there, or may be."""
        return self.change in (self.SHRANK, self.GONE) or (self.is_while_read and self.change == self.CHANGED)

    @property
    def message(self) -> str:
        """What happened to it, and what that means for the results."""
        match self.change, self.is_while_read:
            case self.GREW, _:
                return f"{self.input} grew while it was being read: run the same command again for its new rows"
            case self.GONE, _:
                return f"{self.input} is gone: the results no longer have its rows"
            case change, True:
                return f"{self.input} {change} while it was being read: rows may be missing; run the same command again"
            case self.SHRANK, _:
                return f"{self.input} is shorter than when it was last read: the results lack the missing rows"
        return f"{self.input} changed since it was last read: the results are for its present content"


class InputPassedOver(Event, frozen=True):
    """A folder or a pattern has files that are not inputs."""

    name = "input.passed_over"
    level = Level.WARNING
    folder: str
    counts: dict[str, int]
    examples: tuple[str, ...]

    @property
    def message(self) -> str:
        """How many of each kind, and a few of them."""
        counts = ", ".join(f"{what} ({count:,})" for what, count in self.counts.items())
        return f"{self.folder}: ignored: {counts}; for example {', '.join(self.examples)}"


class RowRejected(Event, frozen=True):
    """A row of the input cannot be used; the first few of each kind are reported one by one."""

    name = "row.rejected"
    level = Level.WARNING
    template = "{file}:{line}: rejected, {why} ({kind})"
    file: str
    line: int
    kind: str
    why: str


class RowsRejected(Event, frozen=True):
    """Further rows of the input cannot be used for the same reason."""

    name = "rows.rejected"
    level = Level.WARNING
    kind: str
    count: int

    @property
    def message(self) -> str:
        """How many, and where they are."""
        rows = "row is" if self.count == 1 else "rows are"
        return f"{self.count:,} more {rows} rejected ({self.kind}); failed.jsonl has each with its file and line"
