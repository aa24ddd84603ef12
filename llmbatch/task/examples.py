"""Adds examples to the end of a task file, leaving all other lines and comments unchanged."""

from collections.abc import Sequence
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.task.kind import Value
from llmbatch.task.load import load_task, parse_task
from llmbatch.task.model import Example
from llmbatch.task.template import toml_string


def add_examples(path: Path, examples: Sequence[Example]) -> None:
    """Add examples to a task file, after checking that the result is a valid task.

    Raises:
        UsageError: the file is not a valid task, cannot be written, or lists its examples in another way.
    """
    load_task(path)
    if not path.is_file():
        raise UsageError(f"{path} is a packaged task and cannot be changed", hint="use your own task file")
    old = path.read_bytes().decode()
    added = "".join(_section(example) for example in examples)
    gap = "" if old.endswith("\n") else "\n"
    try:
        parse_task(f"{old}{gap}{added}", str(path))
    except UsageError as error:
        raise UsageError(
            f"{path}: cannot add examples at the end: {error.message}",
            hint="examples are added as [[examples]] sections; convert the existing ones to that form",
        ) from None
    try:
        with replacing(path, keep_mode=True) as file:
            file.write(f"{old}{gap}{added}".encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None


def _section(example: Example) -> str:
    return f"\n[[examples]]\ntext = {toml_string(example.text)}\n{_answer(example)}\n"


def _answer(example: Example) -> str:
    if example.answer is None:
        return f"label = {toml_string(example.label or '')}"
    values = ", ".join(f"{name} = {_toml_value(value)}" for name, value in example.answer.items())
    return f"answer = {{ {values} }}"


def _toml_value(value: Value) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return toml_string(value)
        case list():
            return f"[{', '.join(map(toml_string, value))}]"
        case _:
            return repr(value)
