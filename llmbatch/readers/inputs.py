"""Which files are read: names, folders, globs and standard input become `Input`s."""

import errno
import glob
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from llmbatch.core.errors import UsageError
from llmbatch.databases import is_database, parse_address, query_wanted
from llmbatch.readers.formats import QUERY_ROWS, SUFFIXES, Format, format_named, format_of_file
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.packings import SUFFIXES as PACKED
from llmbatch.readers.sources import QuerySource, Source, check_scheme, is_address, public_name, remote_sources

STDIN = "-"
SpoolFor = Callable[[str], Path]

_HEAD_BYTES = 64 * 1024
_EXAMPLES = 3
_IS_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
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
    source: Source | None = None
    """What is copied to `path` before it is read."""

    @property
    def label(self) -> str:
        """The name as people and files see it: always valid Unicode, `<stdin>` for standard input."""
        return "<stdin>" if self.name == STDIN else shown(self.name)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What a folder or a pattern has that is no input, by kind, with a few examples."""

    name: str
    counts: Mapping[str, int]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What the user's names stand for, and what was passed over on the way."""

    inputs: tuple[Input, ...]
    passed_over: tuple[PassedOver, ...] = ()


def is_file_name(name: str) -> bool:
    """Whether an input's name is that of a file, a folder or a pattern: not standard input, and no address."""
    return name != STDIN and not is_address(name)


def resolve_inputs(
    names: Sequence[str], options: ReaderOptions, spool_for: SpoolFor | None = None
) -> tuple[Input, ...]:
    """The inputs that the user's names stand for; see `find_inputs`."""
    return find_inputs(names, options, spool_for).inputs


def find_inputs(names: Sequence[str], options: ReaderOptions, spool_for: SpoolFor | None = None) -> Found:
    """The inputs that the user's names stand for, in their order.

    Args:
        names: files, folders (all files in them with a known suffix, sorted), glob patterns (sorted; a file that
            has the pattern for its name wins), `-`, or addresses of databases and of files elsewhere. A link to a file
            that is there already is no further input.
        options: its `input_format` makes files with any suffix readable.
        spool_for: where what an address gives is copied to, by its public name; None where none can be read.

    Raises:
        UsageError: a name stands for nothing, a file cannot be read or has an unknown suffix, or comes twice.
    """
    wanted = _wanted_format(options)
    skipped: list[_Skipped] = []
    if options.query is not None and not any(map(is_database, names)):
        raise UsageError("--query is about a database, and none is named", hint="name it as an input: sqlite:///my.db")
    inputs = [
        item
        for name in names
        for item in (
            _addressed(name, options, spool_for, skipped) if is_address(name) else _resolve(name, wanted, skipped)
        )
    ]
    return Found(
        _each_once(inputs, skipped), tuple(passed for each in skipped if (passed := each.frozen()) is not None)
    )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The input files of a folder with their sizes and times, by which it is known that something has changed."""

    files: frozenset[tuple[str, int, int]] = frozenset()


def snapshot(folder: Path) -> Snapshot:
    """What a folder holds now. Files that go while they are looked at are left out."""
    files: set[tuple[str, int, int]] = set()
    for path in _walk(str(folder), _Skipped(str(folder))):
        with suppress(OSError):
            if format_of_file(path) is not None:
                status = os.stat(path)  # noqa: PTH116 - any name
                files.add((path, status.st_size, status.st_mtime_ns))
    return Snapshot(frozenset(files))


class _Skipped:
    """Counts what is passed over under one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._counts: Counter[str] = Counter()
        self._examples: list[str] = []

    def add(self, what: str, path: str) -> None:
        self._counts[what] += 1
        if len(self._examples) < _EXAMPLES:
            self._examples.append(shown(path.removeprefix(self.name).lstrip("/") or path))

    def frozen(self) -> PassedOver | None:
        return PassedOver(shown(self.name), dict(self._counts), tuple(self._examples)) if self._counts else None


def shown(name: str) -> str:
    """A file's name as valid Unicode."""
    return os.fsencode(name).decode("utf-8", "replace")


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


def _resolve(name: str, wanted: Format | None, skipped: "list[_Skipped]") -> Iterator[Input]:
    if name == STDIN:
        yield Input(name=STDIN, path=None, format=wanted, size=None)
        return
    mode = _mode(name)
    if mode is not None and not stat.S_ISDIR(mode):
        yield _file(name, wanted)
        return
    skipped.append(_Skipped(name))
    yield from _globbed(name, wanted, skipped[-1]) if mode is None else _in_folder(name, wanted, skipped[-1])


def _addressed(
    name: str, options: ReaderOptions, spool_for: SpoolFor | None, skipped: "list[_Skipped]"
) -> Iterator[Input]:
    if spool_for is None:
        raise UsageError(f"{public_name(name)}: a file is needed here", hint="save it as a file, and name that")
    if is_database(name):
        address = parse_address(name)
        if options.query is None:
            raise query_wanted(address)
        yield copied(address.name, spool_for(address.name), options, QuerySource(address, options.query))
        return
    skipped.append(_Skipped(public_name(name)))
    for source in remote_sources(name):
        if not source.is_listed or options.input_format is not None or _is_known(source.name, skipped[-1]):
            yield copied(source.name, spool_for(source.name), options, source)


def copied(name: str, spool: Path, options: ReaderOptions, source: Source | None = None) -> Input:
    """The copy of what an address gives, as an input.

    Args:
        name: the address without secrets.
        spool: the copy.
        options: how it is read.
        source: what it is made of, where it still has to be.

    Raises:
        UsageError: `options.input_format` is unknown.
    """
    if is_database(name):
        known: Format | None = QUERY_ROWS
    else:
        known = _wanted_format(options) or format_of_file(urlsplit(name).path)
    return Input(name, spool, known, size=None, spool=spool, source=source)


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


def _globbed(name: str, wanted: Format | None, skipped: _Skipped) -> Iterator[Input]:
    if not glob.has_magic(name):
        check_scheme(name)
        raise UsageError(f"{name or repr(name)}: no such file", hint="check the name, or say - to read standard input")
    found = sorted(
        path
        for path in glob.glob(name, recursive=True)  # noqa: PTH207 - keeps the name as the user wrote it
        if _is_regular(Path(path)) and not any(_is_run_folder(parent) for parent in Path(path).parents)
    )
    files = [path for path in found if wanted or _is_known(path, skipped)]
    if not files:
        raise UsageError(f"{name}: the pattern matches no input file", hint=f"inputs end in {_KNOWN}")
    yield from (_file(path, wanted) for path in files)


def _in_folder(name: str, wanted: Format | None, skipped: _Skipped) -> Iterator[Input]:
    files = sorted(path for path in _walk(name, skipped) if _is_known(path, skipped))
    if not files:
        raise UsageError(f"{name}: the folder holds no input file", hint=f"inputs end in {_KNOWN}")
    yield from (_file(path, wanted) for path in files)


def _walk(name: str, skipped: _Skipped) -> Iterator[str]:
    """All files below a folder but hidden ones and those of run folders, which are our own output."""

    def closed(error: OSError) -> None:
        if error.filename == name:
            raise UsageError(f"{name}: cannot be read ({error.strerror})")
        skipped.add("folder that cannot be read", error.filename)

    for folder, below, files in os.walk(name, onerror=closed):
        for sub in below:
            if os.path.islink(os.path.join(folder, sub)):  # noqa: PTH114, PTH118 - any name
                skipped.add("link to a folder", os.path.join(folder, sub))  # noqa: PTH118
        below[:] = [sub for sub in below if not sub.startswith(".") and not _is_run_folder(Path(folder, sub))]
        for file in files:
            path = str(Path(folder, file))
            if file.startswith("."):
                continue
            if _is_regular(Path(path)):
                yield path
            else:
                skipped.add("file that is not regular", path)


def _is_known(path: str, skipped: _Skipped) -> bool:
    """Whether a file's suffix is one of an input; else it is passed over."""
    if format_of_file(path) is not None:
        return True
    suffix = Path(path).suffix
    skipped.add(f"file in {suffix}" if suffix else "file without a suffix", path)
    return False


def _is_run_folder(path: Path) -> bool:
    return path.suffix == ".llmbatch" or (_is_regular(path / "run.json") and _is_regular(path / "ledger.jsonl"))


def _is_regular(path: Path) -> bool:
    """Whether it is a regular file. `Path.is_file` takes a closed folder for a no from Python 3.14 on."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        if error.errno in _IS_NO_FILE:
            return False
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None


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


def _each_once(inputs: Sequence[Input], skipped: "list[_Skipped]") -> tuple[Input, ...]:
    """The inputs without links to those that are there already.

    Raises:
        UsageError: one is named twice.
    """
    seen: dict[object, Input] = {}
    for item in inputs:
        identity = _identity(item.path) if item.path is not None and is_file_name(item.name) else item.name
        first = seen.setdefault(identity, item)
        if first is item:
            continue
        if item.path is None or first.path is None or item.source or _is_same_way(item.path, first.path):
            raise UsageError(f"{item.name}: given twice", hint="its rows would be labelled and paid twice")
        skipped.append(_Skipped(item.name))
        skipped[-1].add(f"file, the same as {first.label}", item.name)
        if item.path.is_symlink() < first.path.is_symlink():
            seen[identity] = item  # the file itself, rather than a link to it
    return tuple(seen.values())


def _is_same_way(one: Path, other: Path) -> bool:
    """Whether two paths name the same file without a link between."""
    return os.path.normpath(one.absolute()) == os.path.normpath(other.absolute())


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
