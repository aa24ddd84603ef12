"""The run folder: its files, and `run.json`, the run's plan and state."""

import errno
import glob
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError, ValidationInfo

import llmbatch
from llmbatch.core.checksum import FORMAT, NewerFormatError, seal, unseal_file
from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import restored, stored
from llmbatch.core.files import create_file, open_to_read, replacing, storage_failure, storing, sync_folder
from llmbatch.core.jsonlines import dump_line
from llmbatch.core.review_rule import ReviewRule
from llmbatch.engine.plan import ModelChoice
from llmbatch.engine.scoring import Recalibration
from llmbatch.provider.limits import RateLimits
from llmbatch.provider.shape import RequestShape
from llmbatch.readers import (
    DOWNLOAD_PARTS,
    InputIdentity,
    KeptFields,
    ReaderOptions,
    check_on_disk,
    copy_name,
    folder_stem,
    is_address,
    is_file_name,
    public_name,
)
from llmbatch.readers.formats import SUFFIXES
from llmbatch.readers.inputs import part_of
from llmbatch.readers.packings import SUFFIXES as PACKED
from llmbatch.runs.mark import belongs_to_user, is_marked, mark_of
from llmbatch.runs.outputs import Sample, ViewOptions
from llmbatch.runs.shard import Shard
from llmbatch.task.calibration import Calibration
from llmbatch.task.label_thresholds import LabelThresholds, review_rule
from llmbatch.task.load import BUILT_IN, packaged_tasks
from llmbatch.task.model import Task
from llmbatch.task.prefix_plan import PrefixPlan

STDIN = "-"
FINISHED = "finished"
"""The state of a run whose last session went through all rows."""
NOT_KNOWN = "(not known here)"
"""Replaces a task file's path that is not trusted."""
_ANY_CLASSIFY = "llmbatch classify ..."


class RunFolder:
    """The paths in a run folder. Creating one has no effect on the disk."""

    def __init__(self, path: Path, whole: Path | None = None) -> None:
        """`whole`: the run folder of which this one is a shard; None if it is a run of its own."""
        self.path = path
        self.whole = whole or path
        """The folder with the decisions, next to which the inputs are named: for a shard, that of the whole run."""
        self.run_json = path / "run.json"
        self.ledger = path / "ledger.jsonl"
        self.decisions = self.whole / "decisions.jsonl"
        self.sent_log = path / "sent.log"
        self.batches_log = path / "batches.jsonl"
        self.batches = path / "batches"
        self.reserve = path / "reserve"
        self.stdin_spool = path / "stdin"

    @classmethod
    def for_inputs(cls, names: tuple[str, ...], out: Path | None, *, offline: bool) -> "RunFolder":
        """The folder that the user names, otherwise the first input's name without its suffixes + `.llmbatch`.

        Simulated answers have a folder of their own: `.offline.llmbatch`.
        """
        if out is not None:
            return cls(out)
        ending = ".offline.llmbatch" if offline else ".llmbatch"
        if names[0] == STDIN:
            return cls(Path(f"stdin{ending}"))
        if is_address(names[0]):
            made_of = Path(folder_stem(names[0]))
            return cls(made_of.with_name(f"{_without_suffixes(made_of.name)}{ending}"))
        first = Path(names[0])
        if first.name in {"", ".."}:  # `.`, `..` or `/`: use the name of the folder that it stands for
            return cls(Path(f"{first.resolve().name or 'run'}{ending}"))
        stem = _without_suffixes(first.name)
        if not first.exists():  # a glob cannot be a file name
            stem = re.sub(r"[*?\[\]]+", "", stem) or "run"
            first = Path(*(part for part in first.parts if not glob.has_magic(part))) / stem
        return cls(first.with_name(f"{stem}{ending}"))

    def way_to(self, file: str) -> str:
        """The path of a file relative to this folder's parent: unchanged if both are moved or a link leads here."""
        return way_from(self.whole.resolve().parent, file)

    def shard(self, shard: Shard) -> "RunFolder":
        """The folder of a shard of this run."""
        return RunFolder(self.path / shard.folder_name, whole=self.path)

    def copy_of(self, name: str) -> Path:
        """The copy of an address's data.

        Args:
            name: the address, without secrets.
        """
        return self.path / copy_name(name)

    @property
    def has_stdin_copy(self) -> bool:
        """Whether standard input was copied here, at least in part."""
        return self.stdin_spool.exists() or part_of(self.stdin_spool).exists()

    @contextmanager
    def created(self, *, holds_run: bool = True) -> Iterator[None]:
        """The folder, private to the user; created if it does not exist.

        It is removed if a UsageError ends the block, or any error before the record is written; but not with a part of
        a download in it, which the next run resumes.

        Args:
            holds_run: whether it is for a run, which should not be committed to a repository that contains it.

        Raises:
            UsageError: it cannot be created.
            StorageFailed: the disk fails.
        """
        fresh = not self.path.exists()
        self.make(holds_run=holds_run)
        try:
            yield
        except BaseException as error:
            has_run = self.run_json.exists() and not isinstance(error, UsageError)
            if fresh and not has_run and not any(self.path.glob(DOWNLOAD_PARTS)):
                shutil.rmtree(self.path)
            raise

    def make(self, *, holds_run: bool = True) -> None:
        """Create the folder if it does not exist. Arguments and errors are those of `created`."""
        check_on_disk(self.path)
        fresh = not self.path.exists()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if fresh and holds_run:
                self._keep_out_of_git()
            sync_folder(self.path.parent)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise storage_failure(self.path, error) from None
            raise UsageError(
                f"{self.path}: cannot make the run folder ({error.strerror})", hint="name another one with --out"
            ) from None

    def _keep_out_of_git(self) -> None:
        """Exclude it from git: it contains people's texts, and commits are often published."""
        if any((parent / ".git").exists() for parent in self.path.absolute().parents):
            with suppress(FileExistsError), create_file(self.path / ".gitignore", 0o666) as file:
                file.write(b"# Written by llmbatch: a run does not belong into a repository.\n*\n")


def _without_suffixes(name: str) -> str:
    for suffix in (*PACKED, *SUFFIXES):
        name = name.removesuffix(suffix)
    return name


def _from_json(text: str, info: ValidationInfo) -> str:
    return restored(text) if info.mode == "json" else text


FileName = Annotated[str, AfterValidator(_from_json), PlainSerializer(stored, return_type=str, when_used="json")]
"""A file's name with any bytes; in JSON in the form of `llmbatch.core.filenames.stored`."""


def named_inputs(names: tuple[str, ...], folder: RunFolder) -> tuple[str, ...]:
    """The inputs as the user names them, patterns unchanged, relative to the folder: both may be moved together.

    Addresses of databases are without secrets.
    """
    return tuple(way_from(folder.path, name) if is_file_name(name) else public_name(name) for name in names)


class PossiblyBilled(BaseModel):
    """Requests of one killed session whose outcome is unknown."""

    model_config = ConfigDict(frozen=True, validate_by_name=True, serialize_by_alias=True)

    requests: int
    at_most_nanousd: int = Field(alias="at_most_nusd")


def way_from(folder: Path, name: str) -> str:
    """The path of a file relative to a folder, unchanged if both are moved; a link in the last part is kept."""
    path = Path(name)
    return os.path.relpath(path.parent.resolve() / path.name, folder.resolve())


def new_run_id() -> str:
    """A unique id for a run."""
    return secrets.token_hex(8)


class CanaryRecord(BaseModel):
    """A prompt or model that is or was on trial in this run."""

    model_config = ConfigDict(frozen=True)

    task: Task
    task_source: FileName
    prompt: str
    model: str
    share: float
    """Share of the rows (0..1), at its start."""
    expand: bool = False
    """Whether its share grows while it does well."""
    since: str = ""
    """When a trial with this share began, UTC; empty for the run's first one."""


class RunRecord(BaseModel):
    """`run.json`: what it takes to resume a run, and its state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    """The format in which it was read; it is written in the current one."""
    llmbatch: str = llmbatch.__version__
    run_id: str = Field(default_factory=new_run_id)
    """The folder's id, the same in all its sessions."""
    created_at: str
    updated_at: str
    state: str = "running"
    exit_code: int | None = None
    reason: str | None = None
    inputs: tuple[FileName, ...]
    """Files by absolute path, `-`, or a database's address without secrets."""
    named: tuple[FileName, ...] = ()
    """The same as the user named them, patterns unchanged, relative to the run folder; or `-`."""
    inputs_read: dict[FileName, InputIdentity] = {}
    """What each of them was when it was last read, by its path from the run folder's parent; or `-`."""
    shard: Shard | None = None
    """The part of the rows that the folder is for; None if it is for all."""
    reader: ReaderOptions
    fields: dict[FileName, KeptFields] | None = None
    """The fields used from each input, by its path from the run folder's parent; or `-`. None in records of versions
    that decided by names alone each time."""
    task: Task
    task_source: FileName
    choice: ModelChoice
    offline: bool
    endpoint: str
    command: str = _ANY_CLASSIFY
    """The command that started the run, without keys: it also sends new rows."""
    fingerprint: str
    prompt: str
    model: str
    prefix_tokens: int
    prefix: PrefixPlan | None = None
    """The content of the prefix, so that the run continues with the same one however many rows it has by then."""
    review_below: float
    keep: tuple[str, ...] | None = None
    sample: Sample = Sample()
    calibrations: tuple[Calibration, ...] = ()
    """Calibrations of confidences, from the task's calibration file when the run last began."""
    thresholds: tuple[LabelThresholds, ...] = ()
    """Thresholds of labels, from the same file."""
    canary: CanaryRecord | None = None
    escalate_to: str | None = None
    jury: tuple[str, ...] = ()
    """Models that vote on doubtful rows in addition to the first answer, each as often as it votes."""
    possibly_billed: dict[str, PossiblyBilled] = {}
    """By the start of the killed session."""
    limits: RateLimits = RateLimits()
    """The rate limits of the last session, per second: stated by the user, otherwise by the endpoint."""
    shape: RequestShape | None = None
    """The form of requests at the end of the last session, adapted to what the endpoint refuses or truncates."""
    totals: dict[str, Any] | None = None
    made_in: FileName = ""
    """The folder's absolute path when this was written."""
    mark: str | None = None
    """Shows that the user's own llmbatch wrote this, see mark.py; None if there was no place to keep its key."""
    is_foreign: bool = Field(default=False, exclude=True)
    """Whether this was read in a folder that the user did not create: its paths are not followed, see trust.py."""

    def updated(self, **changes: Any) -> Self:
        """A copy with changes and the current time."""
        return self.model_copy(update={**changes, "updated_at": now_text()})

    @property
    def reread(self) -> Recalibration:
        """Applies this run's current calibration to a ledger line."""
        return Recalibration(self.calibrations, offline=self.offline)

    @property
    def review(self) -> ReviewRule:
        """Decides which labelled rows need review."""
        return review_rule(self.review_below, self.thresholds, self.task.label_space, offline=self.offline)

    def inputs_read_at(self, files: tuple[str, ...], folder: RunFolder) -> dict[str, InputIdentity]:
        """What the inputs were when they were last read; if all have moved, they are assigned in order."""
        names = [folder.way_to(name) if is_file_name(name) else name for name in files]
        if len(names) != len(self.inputs_read) or not self.inputs_read.keys().isdisjoint(names):
            return self.inputs_read
        return dict(zip(names, self.inputs_read.values(), strict=True))

    @property
    def vouched(self) -> tuple[object, ...]:
        """What the mark covers: all paths that lead elsewhere, and the commands that are printed."""
        canary = None if self.canary is None else self.canary.task_source
        return self.run_id, self.made_in, self.inputs, self.named, self.task_source, canary, self.command

    def without_sources(self) -> Self:
        """The same without the paths of task files, if someone else recorded them."""
        if not self.is_foreign:
            return self
        source = self.task_source if self.task_source in {BUILT_IN, *packaged_tasks()} else NOT_KNOWN
        canary = self.canary and self.canary.model_copy(update={"task_source": NOT_KNOWN})
        return self.model_copy(update={"task_source": source, "canary": canary})

    @property
    def view_options(self) -> ViewOptions:
        """The options of the run's views."""
        follows = self.model_dump(
            mode="json",
            include={"fingerprint", "review_below", "keep", "sample", "calibrations", "thresholds", "inputs"},
        )
        digest = hashlib.blake2b(dump_line(follows), digest_size=8).hexdigest()
        return ViewOptions(self.review, self.keep, self.sample, plan=digest)

    def save(self, folder: RunFolder) -> None:
        """Write it into the folder, atomically; with the user's mark, unless it came from someone else.

        Raises:
            StorageFailed: it cannot be written.
        """
        record = self
        if not self.is_foreign:
            record = self.model_copy(update={"made_in": str(folder.path.absolute())})
            record = record.model_copy(update={"mark": mark_of(record.vouched)})
        with storing(folder.run_json), replacing(folder.run_json) as file:
            file.write(seal(dump_line({**record.model_dump(mode="json"), "format": FORMAT}).rstrip(b"\n")))


def load_record(folder: RunFolder) -> RunRecord:
    """The record of a run folder.

    Raises:
        UsageError: this is not a run folder, or its record cannot be read.
    """
    try:
        with open_to_read(folder.run_json) as file:
            record = RunRecord.model_validate_json(unseal_file(file.read()))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{folder.path} is not a run folder (it has no run.json)",
            hint="name the folder that classify printed: INPUT.llmbatch",
        ) from None
    except OSError as error:
        raise UsageError(f"{folder.run_json}: cannot be read ({error.strerror})") from None
    except NewerFormatError as error:
        raise UsageError(f"{folder.run_json}: {error}", hint="use that version for this run folder") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(
            f"{folder.run_json}: {'.'.join(map(str, problem['loc'])) or 'content'}: {problem['msg']}",
            hint=_WITHOUT_RECORD,
        ) from None
    except ValueError as error:
        raise UsageError(f"{folder.run_json} is damaged ({error})", hint=_WITHOUT_RECORD) from None
    if belongs_to_user(folder.path) and belongs_to_user(folder.run_json) and is_marked(record.vouched, record.mark):
        return record.model_copy(update={"is_foreign": False})
    return record.model_copy(update={"is_foreign": True, "command": _ANY_CLASSIFY})


_WITHOUT_RECORD = "the ledger holds the results: move run.json away and run the original classify command again"


def now_text() -> str:
    """The current time in UTC, RFC 3339."""
    return time_text(time.time())


def time_text(epoch_s: float) -> str:
    """A time, given in seconds since 1970, in UTC, RFC 3339."""
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
