"""The files of a part, in `batches/`: what was sent, for which rows, and the answers. They contain people's texts."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder, Encoder

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_numbers import Number
from llmbatch.core.files import open_to_read, replacing_together, storing, sync_folder
from llmbatch.core.rows import RowId


class PartRow(Struct, frozen=True, gc=False, omit_defaults=True):
    """The row of a line in a request file."""

    key: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    """The line's `custom_id`."""
    row: int
    id: RowId
    at_most_nusd: int
    size: int
    """Size of its request's body in bytes."""
    flags: tuple[str, ...] = ()
    canary_key: str | None = None
    """Its key by the plan of a canary, if the answer may also belong to that."""


def _exact(value: object) -> Raw:
    if isinstance(value, Number):
        return Raw(value.literal.encode())
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER = Encoder(enc_hook=_exact)
_DECODER = Decoder(PartRow)


class PartFiles:
    """The files of one part, by name."""

    def __init__(self, folder: Path, number: int) -> None:
        """`folder`: the run folder's `batches/`."""
        stem = f"part-{number:04}"
        self.folder = folder
        self.requests = folder / f"{stem}.jsonl"
        self.rows = folder / f"{stem}.rows.jsonl"
        self.output = folder / f"{stem}.output.jsonl"
        self.errors = folder / f"{stem}.errors.jsonl"

    def read_rows(self) -> dict[str, PartRow]:
        """Its rows by key.

        Raises:
            UsageError: the file is missing or damaged, so answers cannot be assigned to rows.
        """
        try:
            with open_to_read(self.rows) as file:
                rows = (_DECODER.decode(line) for line in file)
                return {row.key: row for row in rows}
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.rows}: cannot be read ({error}), so the batch's answers cannot be matched to rows",
                hint="restore it, or abandon the part: llmbatch batch forget RUN PART",
            ) from None

    def remove_requests(self) -> None:
        """Delete the request file, after the provider has received it."""
        with suppress(OSError):
            self.requests.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete them, when they are no longer needed."""
        for path in (self.requests, self.output, self.errors, self.rows):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()  # succeeds if this was the last part


@dataclass(slots=True)
class PartDraft:
    """A part that is being composed; on disk, since it may have 190 MB."""

    _requests: BinaryIO
    _rows: BinaryIO
    rows: int = 0
    size: int = 0
    """Size of the request file in bytes."""
    tokens: int = 0
    at_most_nanousd: int = 0
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, row: PartRow, line: bytes, tokens: int) -> None:
        """Add a request line, newline included; `tokens` is the number of its prompt tokens."""
        self._requests.write(line)
        self._rows.write(_ENCODER.encode(row) + b"\n")
        self._hash.update(line)
        self.rows += 1
        self.size += len(line)
        self.tokens += tokens
        self.at_most_nanousd += row.at_most_nusd

    @property
    def sha256(self) -> str:
        """Digest of the request file."""
        return self._hash.hexdigest()


@contextmanager
def drafted(files: PartFiles) -> Iterator[PartDraft]:
    """Write a part's files: both or none, on disk when the block ends; none if nothing was added.

    Raises:
        StorageFailed: they cannot be written.
    """
    with storing(files.folder):
        files.folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(files.folder.parent)
        with (
            suppress(_NothingAddedError),
            replacing_together({"requests": files.requests, "rows": files.rows}) as open_,
        ):
            draft = PartDraft(open_["requests"], open_["rows"])
            yield draft
            if not draft.rows:
                raise _NothingAddedError


class _NothingAddedError(Exception):
    """The draft has no rows and is discarded."""


def request_line(key: str, url: str, body: bytes) -> bytes:
    """A line of a request file, newline included."""
    return b'{"custom_id":"%s","method":"POST","url":"%s","body":%s}\n' % (key.encode(), url.encode(), body)


def result_lines(path: Path, *, must_exist: bool = False) -> Iterator[dict[str, object] | None]:
    """The lines of a file with results; None for a line that is not a JSON object. A missing file has no lines.

    Raises:
        UsageError: it cannot be read, or it does not exist and `must_exist`.
    """
    try:
        with open_to_read(path) as file:
            for raw in file:
                if raw.strip():
                    yield _parsed(raw)
    except FileNotFoundError:
        if must_exist:
            raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None


def _parsed(raw: bytes) -> dict[str, object] | None:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return data if isinstance(data, dict) else None
