"""A command's help: the most common options on one screen, all of them with `--help-all`."""

from collections.abc import Mapping, Sequence

from typer._click import Context
from typer._click.formatting import HelpFormatter
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from llmbatch.cli.options.option import Declared

SCREEN_LINES = 23
"""A terminal has 24 lines, and the last one is for the shell's prompt."""

_ALL = "--help-all"
_FIRST_WIDTH = 32
"""Maximum width of option names before their texts begin on the next line."""
_WIDEST_RANGE = 65535
"""Limits above that of ports only catch typing errors; help does not show them."""


def write_short_help(
    command: TyperCommand, declared: Mapping[str, Declared], context: Context, formatter: HelpFormatter
) -> None:
    """Write the help that fits on one screen: all options if they fit, otherwise those that have a brief text.

    Args:
        command: the command.
        declared: its options by name.
        context: of the command.
        formatter: where to write.
    """
    shown = [one for one in _options(command, context) if one.name in declared or one.name == "profile"]
    records = [_record(option, context) for option in shown]
    with_texts = HelpFormatter(width=formatter.width)
    _write_all(command, context, with_texts, {None: records})
    if with_texts.getvalue().count("\n") <= SCREEN_LINES:
        formatter.write(with_texts.getvalue())
        return
    brief = [(_label(one), text) for one in shown if (text := _brief(one, declared)) is not None]
    more = "All options, also as LLMBATCH_... variables."
    rest = [(f"    {_ALL}", more)] if len(brief) < len(shown) else []
    _write_all(command, context, formatter, {None: brief + rest})


def write_full_help(command: TyperCommand, context: Context, formatter: HelpFormatter) -> None:
    """Write all options of a command, grouped by panel."""
    panels: dict[str | None, list[tuple[str, str]]] = {}
    for option in _options(command, context):
        panels.setdefault(option.rich_help_panel, []).append(_record(option, context))
    _write_all(command, context, formatter, panels)
    command.format_epilog(context, formatter)


class Group(TyperGroup):
    """A group of commands, whose help says what each does."""

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write it."""
        self.format_usage(ctx, formatter)
        formatter.write_text(self.help or "")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_dl([(name, command.help or "") for name, command in self.commands.items()])


def usage_pieces(command: TyperCommand) -> list[str]:
    """What follows the command's name: its arguments, in square brackets if optional."""
    named = [(one.metavar or one.name.upper(), one.required) for one in _arguments(command)]
    return ["[OPTIONS]", *(name if required else f"[{name}]" for name, required in named)]


def _write_all(
    command: TyperCommand,
    context: Context,
    formatter: HelpFormatter,
    panels: Mapping[str | None, Sequence[tuple[str, str]]],
) -> None:
    command.format_usage(context, formatter)
    formatter.write_text(command.help or "")
    arguments = [
        (one.metavar or one.name.upper(), _with_default(one.help or "", one, context)) for one in _arguments(command)
    ]
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_dl([*arguments, *panels.get(None, ())], col_max=_FIRST_WIDTH)
    for panel, records in panels.items():
        if panel is not None:
            with formatter.section(panel):
                formatter.write_dl(list(records), col_max=_FIRST_WIDTH)


def _arguments(command: TyperCommand) -> list[TyperArgument]:
    return [one for one in command.params if isinstance(one, TyperArgument)]


def _options(command: TyperCommand, context: Context) -> list[TyperOption]:
    return [one for one in command.get_params(context) if isinstance(one, TyperOption) and not one.hidden]


def _record(option: TyperOption, context: Context) -> tuple[str, str]:
    return _label(option, all_flags=True), _with_default(option.help or "", option, context)


def _brief(option: TyperOption, declared: Mapping[str, Declared]) -> str | None:
    brief = declared[option.name].option.brief if option.name in declared else True
    return option.help if brief is True else brief or None


def _label(option: TyperOption, *, all_flags: bool = False) -> str:
    """`-m, --model TEXT`: the long names are aligned, whether there is a short one or not."""
    short = [flag for flag in option.opts if not flag.startswith("--")]
    long = [flag for flag in option.opts if flag.startswith("--")]
    names = [*short, *(long if all_flags else long[:1])]
    label = f"{'' if short else '    '}{', '.join(names)}"
    if option.secondary_opts:
        label += f" / {', '.join(option.secondary_opts)}"
    return label if option.is_flag else f"{label} {_metavar(option)}"


def _metavar(option: TyperOption) -> str:
    """The placeholder for the value: its own name, its choices or limits if these are few, otherwise its type."""
    described = option.type_descriptor
    if option.metavar is not None:
        return option.metavar
    if described.is_choice and described.choices is not None:
        return "|".join(str(getattr(choice, "value", choice)) for choice in described.choices)
    if option.min is not None and option.max is not None and option.max <= _WIDEST_RANGE:
        return f"{option.min:g}..{option.max:g}"
    if described.annotation in (int, float):
        return "N"
    return "PATH" if described.is_path else "TEXT"


def _with_default(text: str, parameter: TyperArgument | TyperOption, context: Context) -> str:
    """The text, followed by the default."""
    shown = parameter.show_default
    default = parameter.get_default(context, call=False) if shown is True else shown
    if isinstance(default, bool) or default in (None, ""):
        return text
    return f"{text} [default: {getattr(default, 'value', default)}]"
