"""The files of a folder or a pattern, in a stable order, without hidden ones and llmbatch's own run folders."""

import errno
import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.readers.formats import DOCUMENTS, Format, format_of_file
from llmbatch.readers.inputs import Input, PassedOver, shown

_EXAMPLES = 3
_IS_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_ESCAPED = re.compile(r"\[([*?[])\]")


class Skipped:
    """Counts what is ignored under one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.examples: list[str] = []

    def add(self, what: str, path: str) -> None:
        """Count one more."""
        self.counts[what] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(shown(path.removeprefix(self.name).lstrip("/") or path))

    def add_file(self, path: str) -> None:
        """Count a file by its suffix."""
        suffix = Path(path).suffix
        self.add(f"file in {suffix}" if suffix else "file without a suffix", path)

    def merge(self, other: "Skipped") -> None:
        """Add the counts of another one."""
        self.counts += other.counts
        self.examples = [*self.examples, *other.examples][:_EXAMPLES]

    def frozen(self) -> PassedOver | None:
        """What was ignored; None if nothing was."""
        return PassedOver(shown(self.name), dict(self.counts), tuple(self.examples)) if self.counts else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The input files of a folder with their sizes and times, which show whether something has changed."""

    files: frozenset[tuple[str, int, int]] = frozenset()


def snapshot(folder: Path) -> Snapshot:
    """The current content of a folder. Files that disappear meanwhile are left out."""
    files: set[tuple[str, int, int]] = set()
    for path in files_below(str(folder), Skipped(str(folder))):
        with suppress(OSError):
            if format_of_file(path) is not None:
                status = os.stat(path)  # noqa: PTH116 - any name
                files.add((path, status.st_size, status.st_mtime_ns))
    return Snapshot(frozenset(files))


def files_below(name: str, skipped: Skipped) -> Iterator[str]:
    """All files below a folder, sorted; a folder's files come before those of its subfolders.

    Raises:
        UsageError: the folder cannot be read.
    """

    def closed(error: OSError) -> None:
        if error.filename == name:
            raise UsageError(f"{name}: cannot be read ({error.strerror})")
        skipped.add("folder that cannot be read", error.filename)

    for folder, below, files in os.walk(name, onerror=closed):
        for sub in below:
            if os.path.islink(os.path.join(folder, sub)):  # noqa: PTH114, PTH118 - any name
                skipped.add("link to a folder", os.path.join(folder, sub))  # noqa: PTH118
        below[:] = sorted(sub for sub in below if not sub.startswith(".") and not _is_run_folder(Path(folder, sub)))
        for file in sorted(files):
            path = str(Path(folder, file))
            if file.startswith((".", "~$")):  # Office creates the latter next to open files
                continue
            if is_regular(Path(path)):
                yield path
            else:
                skipped.add("file that is not regular", path)


def files_matching(pattern: str) -> list[str]:
    """The files that match a pattern, sorted."""
    return sorted(
        path
        for path in glob.glob(pattern, recursive=True)  # noqa: PTH207 - keeps the name as the user wrote it
        if is_regular(Path(path)) and not any(_is_run_folder(parent) for parent in Path(path).parents)
    )


def document_files(item: Input) -> Iterator[tuple[str, str]]:
    """The files of a folder of documents: the name of each below the folder, and its path.

    Raises:
        UsageError: the folder cannot be read.
    """
    name = str(item.path)
    folder = folder_of(name)
    is_pattern = not Path(name).is_dir()
    for path in files_matching(name) if is_pattern else files_below(name, Skipped(name)):
        is_taken = is_document(path, item.format, by_suffix=not is_pattern)
        if is_taken and (is_pattern or not is_repeated_link(path, folder)):
            yield _below(folder, path), path


def is_document(path: str, wanted: Format | None, *, by_suffix: bool) -> bool:
    """Whether a file is a document by its name, or by the format that the user sets.

    Args:
        path: the file.
        wanted: the format that the user sets, None if names decide.
        by_suffix: whether it needs the suffix of an input even if the user sets a format.
    """
    found = format_of_file(path)
    if wanted is None:
        return found in DOCUMENTS
    return wanted in DOCUMENTS and (found is not None or not by_suffix)


def is_repeated_link(path: str, folder: str) -> bool:
    """Whether a file is a link to another file that is also in the folder itself."""
    if not os.path.islink(path):  # noqa: PTH114 - any name
        return False
    target, root = os.path.realpath(path), os.path.realpath(folder)
    inner = Path(os.path.relpath(target, root))
    return not any(part.startswith(".") for part in inner.parts) and format_of_file(target) is not None


def folder_of(name: str) -> str:
    """A folder itself; for a pattern, the folder that contains all its files."""
    if Path(name).is_dir() or not glob.has_magic(name):
        return name
    fixed: list[str] = []
    for part in Path(name).parts[:-1]:
        plain = _ESCAPED.sub(r"\1", part)
        if glob.has_magic(_ESCAPED.sub("", part)):
            break
        fixed.append(plain)
    return str(Path(*fixed))


def pattern_from(folder: Path, pattern: str) -> Path:
    """A pattern for the same files from anywhere; the path to `folder` is taken literally."""
    return Path(pattern) if Path(pattern).is_absolute() else Path(glob.escape(str(folder)), pattern)


def is_regular(path: Path) -> bool:
    """Whether it is a regular file. From Python 3.14 on, `Path.is_file` is False in a folder without permission.

    Raises:
        UsageError: there is no permission to find out.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        if error.errno in _IS_NO_FILE:
            return False
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None


def _is_run_folder(path: Path) -> bool:
    return path.suffix == ".llmbatch" or (is_regular(path / "run.json") and is_regular(path / "ledger.jsonl"))


def _below(folder: str, path: str) -> str:
    if path.startswith(f"{folder}/"):
        return path[len(folder) + 1 :]
    return os.path.relpath(path, folder)
