"""What would be read from an input, for people: control characters in documents have no effect on the terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from llmbatch.core.sanitize import neutral
from llmbatch.readers import InputLook

_WIDTH = 200
"""Characters of a document."""
_FIELDS = 600


def render_input(look: InputLook, console: Console) -> None:
    """Print what was found about an input, one fact per line."""
    for line in _lines(look):
        console.print(Text(line), soft_wrap=True)


def _lines(look: InputLook) -> Iterator[str]:
    yield neutral(look.file)
    choice = look.choice
    if choice is not None:
        yield f"  read as    {neutral(', '.join(map(_written, choice.written.items())))}"
        if choice.findings:
            yield f"  detected   {neutral(', '.join(choice.findings))}"
        yield f"  fields     {neutral(', '.join(choice.names), limit=_FIELDS)}"
        yield f"  id         {neutral(choice.id_field) if choice.id_field else 'row numbers'}"
        yield f"  text       {neutral(' + '.join(choice.text_fields))}"
    for row in look.documents:
        yield f"  line {row.place.line:<5} {neutral(str(row.id), limit=40)}: {neutral(row.text, limit=_WIDTH)}"
    yield f"  rows       {look.rows:,}"
    for kind, rejected in look.rejected.items():
        yield f"  rejected   {rejected.count:,} {kind}"
        for one in rejected.first:
            yield f"    {neutral(str(one.place))}: {neutral(one.message, limit=_WIDTH)}"
    for remark in look.remarks:
        yield f"  note       {neutral(remark)}"


def _written(item: tuple[str, str | int | bool]) -> str:
    name, value = item
    if isinstance(value, str):
        return f"{name} {value!r}" if value else f"no {name}"
    return f"{name} {value}".lower()
