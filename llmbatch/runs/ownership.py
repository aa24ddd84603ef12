"""What a run folder belongs to: its inputs, and either real or simulated answers, never both."""

from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import quoted
from llmbatch.databases import is_database
from llmbatch.observe.events import Event, InputsReplaced
from llmbatch.readers import FIRST_MARK, first_mark, public_name
from llmbatch.runs.folder import STDIN, RunFolder, RunRecord, named_inputs
from llmbatch.runs.input import RunInput


def check_answers(folder: RunFolder, standing: RunRecord | None, *, offline: bool) -> None:
    """Refuse to mix simulated and real answers.

    Raises:
        UsageError: the folder holds the other kind.
    """
    if standing is None or standing.offline == offline:
        return
    held, wanted = ("real", "simulated") if offline else ("simulated", "real")
    raise UsageError(
        f"{folder.path} holds {held} answers (--offline makes simulated ones): {wanted} answers are never added to it; "
        "nothing was sent",
        hint="name another folder with --out",
    )


def check_inputs(
    folder: RunFolder,
    standing: RunRecord | None,
    names: tuple[str, ...],
    files: tuple[str, ...],
    *,
    query: str | None,
    is_chosen: bool,
) -> tuple[Event, ...]:
    """Refuse inputs that are not the folder's, since their results would replace the existing ones.

    Args:
        folder: the run folder.
        standing: its record, if it has one.
        names: the inputs as the user names them.
        files: the files that these stand for, by absolute path.
        query: the query for databases among them.
        is_chosen: the user also names the folder (`--out`), so other inputs are reported instead of refused.

    Returns:
        What to report.

    Raises:
        UsageError: the folder belongs to other inputs.
    """
    if standing is None:
        return ()
    has_its_inputs = standing.inputs == files or standing.named == named_inputs(names, folder)
    if has_its_inputs and standing.reader.query == query:
        return ()
    before, now = _with_query(standing.inputs, standing.reader.query), _with_query(files, query)
    if is_chosen:
        return (InputsReplaced(str(folder.path), before, now),)
    path = quoted(folder.path)
    given = now if has_its_inputs else tuple(map(public_name, names))
    raise UsageError(
        f"{folder.path} holds the results of {_listed(before)}, not of {_listed(given)}; nothing was sent",
        hint=f"name another folder with --out, or use --out {path} to replace those results",
    )


def check_stream(folder: RunFolder, standing: RunRecord | None, source: RunInput, *, is_chosen: bool) -> None:
    """Refuse a standard input whose beginning differs from the one that the folder belongs to.

    This waits for the first bytes, which are kept for reading. If the beginning is the same, the rest may have grown or
    been edited, as with a file.

    Raises:
        UsageError: it differs, and the user does not name the folder.
    """
    before = None if standing is None else standing.inputs_read.get(STDIN)
    if before is None or is_chosen or not source.is_stream:
        return
    mark = first_mark(source.first_bytes(FIRST_MARK))
    if mark is not None and before.marks and mark != before.marks[0]:
        path = quoted(folder.path)
        raise UsageError(
            f"{folder.path} holds results from different standard input; nothing was sent",
            hint=f"name another folder with --out, or use --out {path} to replace those results",
        )


def _with_query(names: tuple[str, ...], query: str | None) -> tuple[str, ...]:
    """Inputs, with the query of a database among them."""
    return names if query is None else tuple(f"{name} ({query})" if is_database(name) else name for name in names)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join("standard input" if name == STDIN else name for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"


_SHOWN = 3
