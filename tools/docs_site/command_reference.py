"""The command reference, made from the commands themselves."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from typer._click import Command, Context
from typer._click.core import Parameter

from llmbatch.cli.commands import SUMMARIES, load
from tools.docs_site.markdown import escaped, table

_HEAD = """\
# Commands

An option can be set by the environment variable beside it, too; the command line wins.
`llmbatch COMMAND --help-all` shows the same in the terminal, `--help` what is used most.
"""


def command_reference() -> str:
    """A Markdown page with a section for each command, in the order of `llmbatch --help`."""
    sections = [_HEAD]
    for name in SUMMARIES:
        sections += _sections(f"llmbatch {name}", load(name), level=2)
    return "\n".join(sections)


def _sections(path: str, command: Command, level: int) -> Iterator[str]:
    """A command's section, then those of its subcommands."""
    context = Context(command, info_name=path)
    below: Mapping[str, Command] = getattr(command, "commands", {})
    yield f"{'#' * level} {path}\n\n{escaped(command.help or '')}\n"
    if not below:
        yield f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
        yield from _tables(command, context)
    for name, subcommand in below.items():
        yield from _sections(f"{path} {name}", subcommand, level + 1)


def _tables(command: Command, context: Context) -> Iterator[str]:
    """A table for each group of options, as the help shows them."""
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    for panel, parameters in groupby(sorted(shown, key=lambda one: _order(one, shown)), key=_panel):
        rows = [_row(parameter, context) for parameter in parameters]
        yield table((panel, "", "default, bounds", "variable"), rows)


def _panel(parameter: Parameter) -> str:
    kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
    return getattr(parameter, "rich_help_panel", None) or kind


def _order(parameter: Parameter, shown: list[Parameter]) -> int:
    """The place of the first parameter of its panel."""
    return [_panel(other) for other in shown].index(_panel(parameter))


def _row(parameter: Parameter, context: Context) -> tuple[str, str, str, str]:
    names, text = parameter.get_help_record(context) or ("", "")
    text, _, bounds = text.partition("  [")
    variables = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ()
    return (
        f"`{names}`",
        escaped(text),
        escaped(bounds.removesuffix("]").removeprefix("default: ")),
        " ".join(f"`{variable}`" for variable in variables),
    )
