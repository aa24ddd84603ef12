"""Writes a review threshold into a task file, changing only one line."""

import re
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.task.load import load_task, parse_task

_TABLE = re.compile(r"^[ \t]*\[[ \t]*model[ \t]*\][ \t]*(#[^\n]*)?$", re.MULTILINE)
_NEXT_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_LINE = re.compile(r"^([ \t]*)review_below([ \t]*)=([ \t]*)[^#\n]*?([ \t]*(?:#[^\n]*)?)$", re.MULTILINE)


def write_review_below(path: Path, threshold: float) -> float | None:
    """Set `review_below` in a task file's `[model]`, after checking that the result says so.

    Returns:
        The previous threshold; None if there was none.

    Raises:
        UsageError: the file is not the user's own valid task, cannot be written, or states its model in another form.
    """
    before = load_task(path).task.model.review_below
    if not path.is_file():
        raise UsageError(f"{path} is a packaged task and cannot be changed", hint="use your own task file")
    old = path.read_bytes().decode()
    new = _with_threshold(old, f"review_below = {threshold:g}")
    try:
        is_set = parse_task(new, str(path)).model.review_below == threshold
    except UsageError:
        is_set = False
    if not is_set:
        raise UsageError(
            f"{path}: the threshold cannot be written into its [model]",
            hint=f"add it yourself: review_below = {threshold:g}",
        )
    try:
        with replacing(path, keep_mode=True) as file:
            file.write(new.encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
    return before


def _with_threshold(text: str, line: str) -> str:
    table = _TABLE.search(text)
    if table is None:
        return f"{text}{'' if text.endswith(chr(10)) else chr(10)}\n[model]\n{line}\n"
    end = _NEXT_TABLE.search(text, table.end())
    begin, stop = table.end(), len(text) if end is None else end.start()
    body, found = _LINE.subn(lambda match: f"{match[1]}{line}{match[4]}", text[begin:stop], count=1)
    return text[:begin] + (body if found else f"\n{line}{body}") + text[stop:]
