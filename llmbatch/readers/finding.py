"""Which inputs are read: turns the user's names of files, folders, patterns and standard input into `Input`s."""

import glob
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.databases import is_database, parse_address, query_wanted
from llmbatch.readers.folders import (
    Skipped,
    document_files,
    files_below,
    files_matching,
    is_document,
    is_repeated_link,
    pattern_from,
)
from llmbatch.readers.formats import DOCUMENTS, SUFFIXES, Format, format_of_file
from llmbatch.readers.inputs import STDIN, Found, Input, SpoolFor, copied, is_file_name, wanted_format
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.packings import SUFFIXES as PACKED
from llmbatch.readers.packings import unpacked_name
from llmbatch.readers.sources import QuerySource, check_scheme, is_address, public_name, remote_sources
from llmbatch.readers.zipped import SUFFIX as ZIP
from llmbatch.readers.zipped import name_in_zip

_KNOWN = f"{', '.join(SUFFIXES)}, also packed ({', '.join(PACKED)})"
_ARCHIVES = (".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar")
_LAID_OUT = (".pdf", ".doc", ".docx", ".odt", ".rtf", ".ppt", ".pptx", ".odp", ".epub", ".msg")
_FEW = 10
"""Up to this many documents per table are assumed to be notes about it."""


def resolve_inputs(
    names: Sequence[str], options: ReaderOptions, spool_for: SpoolFor | None = None
) -> tuple[Input, ...]:
    """The inputs that the user's names stand for; see `find_inputs`."""
    return find_inputs(names, options, spool_for).inputs


def find_inputs(names: Sequence[str], options: ReaderOptions, spool_for: SpoolFor | None = None) -> Found:
    """The inputs that the user's names stand for, in their order.

    Args:
        names: files, folders, glob patterns (a file whose name is the pattern itself takes precedence), `-`, or
            addresses of databases and of remote files. A folder or a pattern stands for its tables, sorted; if it has
            none, for its documents, which are one input. A link to a file that is already included is not another
            input.
        options: with `input_format`, files with any suffix can be read.
        spool_for: where the data of an address is copied to, by its public name; None if addresses cannot be read.

    Raises:
        UsageError: nothing exists under a name, a file cannot be read, has an unknown suffix, or is named twice.
    """
    wanted = wanted_format(options)
    skipped: list[Skipped] = []
    if options.query is not None and not any(map(is_database, names)):
        raise UsageError(
            "--query needs a database, but none of the inputs is one",
            hint="name the database as an input: sqlite:///my.db",
        )
    inputs = [
        item
        for name in names
        for item in (
            _addressed(name, options, spool_for, skipped) if is_address(name) else _resolve(name, wanted, skipped)
        )
    ]
    found = _each_once(inputs, skipped)
    _refuse_documents_read_twice(found)
    return Found(found, tuple(passed for each in skipped if (passed := each.frozen()) is not None))


def reopened(name: str, options: ReaderOptions) -> Input:
    """The input that an earlier session read; a folder or a pattern still stands for its documents.

    Raises:
        UsageError: it no longer exists, or cannot be read.
    """
    is_folder = Path(name).is_dir() or (glob.has_magic(name) and _mode(name) is None)
    return _documents(name, wanted_format(options)) if is_folder else resolve_inputs((name,), options)[0]


def _resolve(name: str, wanted: Format | None, skipped: list[Skipped]) -> Iterator[Input]:
    if name == STDIN:
        yield Input(name=STDIN, path=None, format=wanted, size=None)
        return
    mode = _mode(name)
    if mode is not None and not stat.S_ISDIR(mode):
        yield _file(name, wanted)
        return
    skipped.append(Skipped(name))
    yield from _globbed(name, wanted, skipped[-1]) if mode is None else _in_folder(name, wanted, skipped[-1])


def _addressed(
    name: str, options: ReaderOptions, spool_for: SpoolFor | None, skipped: list[Skipped]
) -> Iterator[Input]:
    if spool_for is None:
        raise UsageError(f"{public_name(name)}: a file is needed here", hint="save it as a file and name that file")
    if is_database(name):
        address = parse_address(name)
        if options.query is None:
            raise query_wanted(address)
        yield copied(address.name, spool_for(address.name), options, QuerySource(address, options.query))
        return
    skipped.append(Skipped(public_name(name)))
    is_empty = True
    for source in remote_sources(name):
        if source.is_listed and options.input_format is None and format_of_file(source.name) is None:
            skipped[-1].add_file(source.name)
        else:
            is_empty = False
            yield copied(source.name, spool_for(source.name), options, source)
    if is_empty:
        raise UsageError(f"{public_name(name)}: contains no input files", hint=f"input files end in {_KNOWN}")


def _mode(name: str) -> int | None:
    """The file type bits of the name; None if it does not exist."""
    if not name:  # an empty path would be the current folder
        return None
    try:
        return Path(name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror})") from None


def _globbed(name: str, wanted: Format | None, skipped: Skipped) -> Iterator[Input]:
    if not glob.has_magic(name):
        check_scheme(name)
        raise UsageError(f"{name or repr(name)}: no such file", hint="check the name, or use - to read standard input")
    found = _tables_or_documents(name, files_matching(name), wanted, skipped, by_suffix=False)
    if not found:
        raise UsageError(f"{name}: the pattern matches no input files", hint=f"input files end in {_KNOWN}")
    yield from found


def _in_folder(name: str, wanted: Format | None, skipped: Skipped) -> Iterator[Input]:
    found = _tables_or_documents(name, files_below(name, skipped), wanted, skipped, by_suffix=True)
    if not found:
        raise UsageError(f"{name}: the folder contains no input files", hint=f"input files end in {_KNOWN}")
    yield from found


def _tables_or_documents(
    name: str, paths: Iterable[str], wanted: Format | None, skipped: Skipped, *, by_suffix: bool
) -> list[Input]:
    """The tables, each an input; if there are none, all documents as one input."""
    tables: list[str] = []
    documents: Counter[str] = Counter()
    beside = Skipped(name)
    for path in paths:
        if is_document(path, wanted, by_suffix=by_suffix):
            if by_suffix and is_repeated_link(path, name):
                skipped.add("link to a document already included", path)
                continue
            documents[Path(path).suffix] += 1
            beside.add_file(path)
        elif _format_of(path) is not None or (wanted is not None and not by_suffix):
            tables.append(path)
        else:
            skipped.add_file(path)
    if documents and not tables:
        return [_documents(name, wanted)]
    if documents.total() > _FEW * len(tables):
        raise _doubtful(name, tables, documents)
    skipped.merge(beside)
    return [_file(path, wanted) for path in sorted(tables)]


def _documents(name: str, wanted: Format | None) -> Input:
    path = Path(name) if Path(name).is_dir() else pattern_from(Path.cwd(), name)
    return Input(name=name, path=path, format=wanted, size=None, is_folder=True)


def _doubtful(name: str, tables: list[str], documents: Counter[str]) -> UsageError:
    folder = name if Path(name).is_dir() else os.path.dirname(name)  # noqa: PTH120 - any name
    shown = " or ".join(
        repr(os.path.join(folder, "**", f"*{suffix}"))  # noqa: PTH118
        for suffix in (documents.most_common(1)[0][0], Path(tables[0]).suffix)
    )
    return UsageError(
        f"{name}: contains {documents.total():,} documents and {len(tables):,} tables; nothing was sent",
        hint=f"choose which to label: {shown}",
    )


def _format_of(path: str) -> Format | None:
    """The format of a file by its name, or by that of the only file in a zip archive."""
    found = format_of_file(path)
    if found is None and path.lower().endswith(ZIP) and (inner := name_in_zip(path)) is not None:
        return format_of_file(inner)
    return found


def _unknown_kind(name: str) -> UsageError:
    plain = unpacked_name(name.lower())
    if plain.endswith(_ARCHIVES):
        return UsageError(f"{name}: archives are not supported", hint="unpack it and name the folder")
    if plain.endswith(_LAID_OUT):
        return UsageError(
            f"{name}: this kind of document is not supported",
            hint="convert it to text first: pdftotext, or pandoc -t plain",
        )
    return UsageError(
        f"{name}: unknown file type; known types: {_KNOWN}",
        hint="specify its format: --input-format json, csv, tsv or lines",
    )


def _file(name: str, wanted: Format | None) -> Input:
    path = Path(name)
    file_format = wanted or format_of_file(name)
    if file_format is None and not name.lower().endswith(ZIP):
        raise _unknown_kind(name)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(
                f"{name}: not a regular file, so it cannot be read a second time for the results",
                hint="pipe it into standard input and use - as the input",
            )
        path.open("rb").close()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror})") from None
    return Input(name=name, path=path, format=file_format, size=status.st_size)


def _each_once(inputs: Sequence[Input], skipped: list[Skipped]) -> tuple[Input, ...]:
    """The inputs without links to others among them.

    Raises:
        UsageError: one is named twice.
    """
    seen: dict[object, Input] = {}
    for item in inputs:
        identity = _identity(item)
        first = seen.setdefault(identity, item)
        if first is item:
            continue
        if item.path is None or first.path is None or item.source or _is_same_way(item.path, first.path):
            raise UsageError(f"{item.name}: given twice", hint="its rows would be labelled and paid for twice")
        skipped.append(Skipped(item.name))
        skipped[-1].add(f"file, the same as {first.label}", item.name)
        if item.path.is_symlink() < first.path.is_symlink():
            seen[identity] = item  # the file itself instead of a link to it
    return tuple(seen.values())


def _is_same_way(one: Path, other: Path) -> bool:
    """Whether two paths name the same file without a link between them."""
    return os.path.normpath(one.absolute()) == os.path.normpath(other.absolute())


def _identity(item: Input) -> object:
    if item.path is None or not is_file_name(item.name):
        return item.name
    return os.path.normpath(item.path.absolute()) if item.is_folder else _identity_of_file(item.path)


def _identity_of_file(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116 - any name
    return status.st_dev, status.st_ino


def _refuse_documents_read_twice(inputs: Sequence[Input]) -> None:
    """Refuse folders and patterns that have files in common, or with a document that is named separately.

    Raises:
        UsageError: a document would be read twice.
    """
    documents = [item for item in inputs if item.is_folder or (item.path and item.format in DOCUMENTS)]
    if len(documents) <= 1 or not any(item.is_folder for item in documents):
        return
    owners: dict[tuple[int, int], Input] = {}
    for item in documents:
        for path in (path for _, path in document_files(item)) if item.is_folder else (str(item.path),):
            if owners.setdefault(_identity_of_file(path), item) is not item:
                raise UsageError(f"{path}: given twice", hint="its rows would be labelled and paid for twice")
