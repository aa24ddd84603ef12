"""Paths in a run folder: followed only if the user created the folder, or trusts it.

`run.json` names files. In a folder from someone else, these could be any files of the user: a key as the input, which
`export` would then write as rows. Therefore the paths in a folder without the user's mark (mark.py), or of another
user, are followed only if they stay in the folder itself.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import quoted
from llmbatch.readers import is_file_name
from llmbatch.readers.folders import folder_of
from llmbatch.runs.folder import RunFolder, RunRecord, named_inputs
from llmbatch.runs.mark import belongs_to_user, key_path


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the user trusts a run folder."""

    is_given: bool = False
    """The folder's paths may be followed, no matter who created it."""
    inputs: tuple[str, ...] = ()
    """The inputs, named again: those that the folder names are ignored."""


NO_TRUST = Trust()


def input_path(name: str, record: RunRecord, folder: RunFolder, trust: Trust) -> str:
    """The current path of an input in a run's record, if it may be read.

    Args:
        name: as in the record.
        record: the run's.
        folder: where the record was found.
        trust: how far the user trusts the folder.

    Raises:
        UsageError: it may not be read.
    """
    path = _moved_along(name, record, folder) if is_file_name(name) else name
    if not record.is_foreign or trust.is_given or (_is_inside(path, folder) and belongs_to_user(folder.path)):
        return path
    raise _distrusted(f"its input {name} is not read", folder, "name the input: --input FILE")


def check_sources(what: str, record: RunRecord, folder: RunFolder, trust: Trust, *, else_say: str) -> None:
    """Refuse to follow a record's path to a task file, unless the user created the folder or trusts it.

    Raises:
        UsageError: the folder is not trusted; `what` would have been done, and `else_say` names an alternative.
    """
    if record.is_foreign and not trust.is_given:
        raise _distrusted(what, folder, else_say)


def check_no_link(folder: RunFolder, record: RunRecord | None) -> None:
    """Refuse a run folder that the user did not name and that is a link to something other than their run folder.

    Raises:
        UsageError: it is one.
    """
    if folder.path.is_symlink() and (record is None or record.is_foreign):
        raise UsageError(
            f"{folder.path} is a symbolic link to {folder.path.resolve()}; nothing was sent",
            hint=f"use --out {quoted(folder.path.resolve())} to have the results there",
        )


def adopted(record: RunRecord, folder: RunFolder, trust: Trust, inputs: tuple[str, ...]) -> RunRecord:
    """A run's record with the current paths of its inputs, and as the user's own if the user trusts it.

    Args:
        record: the run's.
        folder: where it was found.
        trust: what the user says.
        inputs: the files that were opened, by absolute path.
    """
    if record.is_foreign and trust == NO_TRUST:
        return record
    known = record if trust.is_given else record.without_sources()
    named = named_inputs(trust.inputs, folder) if trust.inputs else record.named
    return known.updated(
        inputs=inputs, named=named, inputs_read=record.inputs_read_at(inputs, folder), is_foreign=False
    )


def _moved_along(name: str, record: RunRecord, folder: RunFolder) -> str:
    """The path of an input that was moved together with its folder; otherwise its old path."""
    if not record.made_in or os.path.exists(folder_of(name)):  # noqa: PTH110 - what may not be looked at is not there
        return name
    beside = os.path.normpath(folder.path.absolute() / os.path.relpath(name, record.made_in))
    there = folder_of(beside)
    return beside if os.path.exists(there) and not os.path.islink(there) else name  # noqa: PTH110, PTH114


def _is_inside(path: str, folder: RunFolder) -> bool:
    """Whether it is a file in the run folder itself, without a link that leads out. Copies of remote data are.

    A folder or a pattern is not: links below it may lead anywhere.
    """
    if not is_file_name(path):
        return True
    return folder.path.resolve() in Path(path).resolve().parents and os.path.isfile(path)  # noqa: PTH113


def _distrusted(what: str, folder: RunFolder, else_say: str) -> UsageError:
    if not belongs_to_user(folder.path):
        why = "the folder belongs to another user"
    elif os.path.exists(key_path()):  # noqa: PTH110 - what may not be looked at is not there
        why = "llmbatch did not make this folder for you on this machine"
    else:
        why = f"the key that marks your own folders is missing ({key_path()})"
    return UsageError(
        f"{folder.path}: {what}: {why}",
        hint=f"{else_say}, or use --trust if you know who made the folder",
    )
