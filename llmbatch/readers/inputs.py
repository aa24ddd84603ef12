"""Which files are read: names, folders, globs and standard input become `Input`s."""

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.readers.formats import SUFFIXES, Format, format_named, format_of_file
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.packings import SUFFIXES as PACKED

STDIN = "-"

_HEAD_BYTES = 64 * 1024
_KNOWN = f"{', '.join(SUFFIXES)}, each also with {', '.join(PACKED)} behind it"


@dataclass(frozen=True, slots=True)
class Input:
    """One source of rows, which can be read any number of times; standard input only once.

    `name` is as the user gave it; `path` is None for standard input; `format` is None
    where it shows only when the first bytes come; `size` is in bytes, None where unknown. While standard input is
    read, its bytes are copied to `spool`; `head` are those that were taken from it already.
    """

    name: str
    path: Path | None
    format: Format | None
    size: int | None
    spool: Path | None = None
    head: bytes = b""

    @property
    def label(self) -> str:
        """The name as people and files see it: always valid Unicode, `<stdin>` for standard input."""
        return "<stdin>" if self.name == STDIN else os.fsencode(self.name).decode("utf-8", "replace")


def resolve_inputs(names: Sequence[str], options: ReaderOptions) -> tuple[Input, ...]:
    """The inputs that the user's names stand for, in their order.

    Args:
        names: files, folders (all files in them with a known suffix, sorted), glob patterns (sorted; a file that
            has the pattern for its name wins), or `-`.
        options: its `input_format` makes files with any suffix readable.

    Raises:
        UsageError: a name stands for nothing, a file cannot be read or has an unknown suffix, or comes twice.
    """
    wanted = _wanted_format(options)
    inputs = tuple(item for name in names for item in _resolve(name, wanted))
    _refuse_twice(inputs)
    return inputs


def spooled(item: Input, spool: Path) -> Input:
    """Standard input that is copied while it is read, so that `from_spool` can read it again.

    Args:
        item: the input of `-`.
        spool: where the copy goes, private to the user. Until the input has ended it has `.part` behind its name, so
            that `spool` itself exists only when it is whole.
    """
    return replace(item, spool=spool)


def begun(item: Input, least: int) -> Input:
    """Standard input with its first bytes taken from it, at least so many unless it ends before."""
    head = bytearray(item.head)
    while len(head) < least and (more := os.read(0, _HEAD_BYTES)):
        head += more
    return replace(item, head=bytes(head))


def from_spool(spool: Path, options: ReaderOptions) -> Input:
    """The copy that a `spooled` input has left, or will have left by the time that it is read.

    Of a copy that stopped in the middle, the rows that are whole are read; without a copy there are no rows.

    Raises:
        UsageError: `options.input_format` is unknown.
    """
    return Input(name=STDIN, path=spool, format=_wanted_format(options), size=None, spool=spool)


def part_of(spool: Path) -> Path:
    """Where the copy of standard input grows until it is whole."""
    return spool.with_name(f"{spool.name}.part")


def _wanted_format(options: ReaderOptions) -> Format | None:
    return None if options.input_format is None else format_named(options.input_format)


def _resolve(name: str, wanted: Format | None) -> Iterator[Input]:
    if name == STDIN:
        yield Input(name=STDIN, path=None, format=wanted, size=None)
        return
    mode = _mode(name)
    if mode is None:
        yield from _globbed(name, wanted)
    elif stat.S_ISDIR(mode):
        yield from _in_folder(name, wanted)
    else:
        yield _file(name, wanted)


def _mode(name: str) -> int | None:
    """The type bits of what the name stands for, None where there is no such thing."""
    if not name:  # which would be the current folder
        return None
    try:
        return Path(name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror})") from None


def _globbed(name: str, wanted: Format | None) -> Iterator[Input]:
    if not glob.has_magic(name):
        raise UsageError(f"{name or repr(name)}: no such file", hint="check the name, or say - to read standard input")
    found = sorted(
        path
        for path in glob.glob(name, recursive=True)  # noqa: PTH207 - keeps the name as the user wrote it
        if Path(path).is_file() and not any(_is_run_folder(parent) for parent in Path(path).parents)
    )
    files = [path for path in found if wanted or format_of_file(path)]
    if not files:
        raise UsageError(f"{name}: the pattern matches no input file", hint=f"inputs end in {_KNOWN}")
    yield from (_file(path, wanted) for path in files)


def _in_folder(name: str, wanted: Format | None) -> Iterator[Input]:
    files = sorted(path for path in _walk(name) if format_of_file(path))
    if not files:
        raise UsageError(f"{name}: the folder holds no input file", hint=f"inputs end in {_KNOWN}")
    yield from (_file(path, wanted) for path in files)


def _walk(name: str) -> Iterator[str]:
    """All files below a folder but hidden ones and those of run folders, which are our own output."""
    for folder, below, files in os.walk(name, onerror=_refuse_unreadable):
        below[:] = [sub for sub in below if not sub.startswith(".") and not _is_run_folder(Path(folder, sub))]
        for file in files:
            if not file.startswith(".") and Path(folder, file).is_file():
                yield str(Path(folder, file))


def _refuse_unreadable(error: OSError) -> None:
    """Rows of a folder that cannot be looked into would be left out without a word."""
    raise UsageError(f"{error.filename}: cannot be read ({error.strerror})")


def _is_run_folder(path: Path) -> bool:
    return path.suffix == ".llmbatch" or ((path / "run.json").is_file() and (path / "ledger.jsonl").is_file())


def _file(name: str, wanted: Format | None) -> Input:
    path = Path(name)
    file_format = wanted or format_of_file(name)
    if file_format is None:
        raise UsageError(
            f"{name}: unknown kind of file; known are {_KNOWN}", hint="say --input-format json, csv or tsv"
        )
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(
                f"{name}: not a regular file, so it cannot be read a second time for the results",
                hint="pipe it into standard input and say - as the input",
            )
        path.open("rb").close()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror})") from None
    return Input(name=name, path=path, format=file_format, size=status.st_size)


def _refuse_twice(inputs: Sequence[Input]) -> None:
    seen: dict[object, Input] = {}
    for item in inputs:
        identity = STDIN if item.path is None else _identity(item.path)
        first = seen.setdefault(identity, item)
        if first is not item:
            same = "" if first.name == item.name else f" (it is the same file as {first.name})"
            raise UsageError(f"{item.name}: given twice{same}", hint="its rows would be labelled and paid twice")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
