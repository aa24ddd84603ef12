"""The Python reference, made from signatures and docstrings of the public names."""

from collections.abc import Iterator
from pathlib import Path

import griffe
from typer._click import Context

import llmbatch
from llmbatch import errors
from llmbatch.cli.commands import load
from tools.docs_site.markdown import escaped, table

_HEAD = """\
# Python API

    from llmbatch import classify, Labeler, errors

How to use it: [from Python](../how-to/python.md). Every public name is below and importable from `llmbatch`.
"""
_LISTS = {
    griffe.DocstringSectionKind.parameters: "Arguments:",
    griffe.DocstringSectionKind.returns: "Returns:",
    griffe.DocstringSectionKind.raises: "Raises:",
}

_Item = griffe.Object | griffe.Alias


def python_reference() -> str:
    """A Markdown page with a section for each public name: functions first, then classes, then errors."""
    root = Path(llmbatch.__file__).parents[1]
    package = griffe.load("llmbatch", search_paths=[root], docstring_parser="google", resolve_aliases=True)
    names = sorted(set(llmbatch.__all__) - {"__version__", "errors"}, key=lambda name: (name[0].isupper(), name))
    sections = [_HEAD]
    for name in names:
        sections += _section(package[name], level=2)
    sections.append(f"## llmbatch.errors\n\n{_text(package['errors'])}\n")
    for name in errors.__all__:
        sections += _section(package["errors"][name], level=3)
    return "\n".join(sections)


def _section(item: _Item, level: int) -> Iterator[str]:
    """A class or a function: its heading, signature, docstring, and for a class its public members."""
    yield f"{'#' * level} {item.name}\n"
    yield f"```python\n{_declaration(item)}\n```\n"
    yield from _docstring(item)
    members = [member for name, member in item.members.items() if not name.startswith("_")]
    fields = [_field(member, item) for member in members if member.is_attribute]
    if fields:
        yield table(("field", "type", ""), fields)
    for member in members:
        if member.is_function and item.is_class:
            yield f"`{_declaration(member)}`\n"
            yield from _docstring(member)


def _declaration(item: _Item) -> str:
    """`def` or `class` as in the code, without decorators and body."""
    target = item.final_target if isinstance(item, griffe.Alias) else item
    if isinstance(target, griffe.Class):
        bases = ", ".join(str(base) for base in target.bases)
        return f"class {target.name}({bases})" if bases else f"class {target.name}"
    if isinstance(target, griffe.Function):
        prefix = "async def" if "async" in target.labels else "def"
        return f"{prefix} {target.signature(return_type=False)} -> {target.returns}"
    raise TypeError(f"{item.path}: neither a class nor a function")


def _field(field: _Item, owner: _Item) -> tuple[str, str, str]:
    target = field.final_target if isinstance(field, griffe.Alias) else field
    if not isinstance(target, griffe.Attribute):
        raise TypeError(f"{field.path}: no attribute")
    kind = target.annotation or _given_to_init(target, owner) or target.value or ""
    text = _text(target) or (_help(target.name) if owner.name.endswith("Options") else "")
    return f"`{target.name}`", f"`{kind}`", text


def _given_to_init(attribute: griffe.Attribute, owner: _Item) -> str | griffe.Expr | None:
    """The type of an attribute that is set to an argument of the same name."""
    init = owner.all_members.get("__init__")
    init = init.final_target if isinstance(init, griffe.Alias) else init
    if not isinstance(init, griffe.Function) or str(attribute.value) not in init.parameters:
        return None
    return init.parameters[str(attribute.value)].annotation


def _help(option: str) -> str:
    """What the command line says about an option of this name."""
    command = load("classify")
    flag = f"--{option.replace('_', '-')}"
    found = [parameter for parameter in command.params if flag in parameter.opts]
    record = found[0].get_help_record(Context(command)) if found else None
    return escaped(record[1].partition("  [")[0]) if record else ""


def _text(item: _Item) -> str:
    return " ".join(item.docstring.value.split()) if item.docstring else ""


def _docstring(item: _Item) -> Iterator[str]:
    for part in item.docstring.parsed if item.docstring else ():
        if part.kind is griffe.DocstringSectionKind.text:
            yield f"{part.value}\n"
        elif part.kind in _LISTS:
            yield f"{_LISTS[part.kind]}\n"
            yield "\n".join(f"- {_entry(entry)}" for entry in part.value) + "\n"


def _entry(entry: griffe.DocstringElement) -> str:
    name = str(entry.annotation) if isinstance(entry, griffe.DocstringRaise) else getattr(entry, "name", "")
    text = " ".join(entry.description.split())
    return f"`{name}`: {text}" if name else text
