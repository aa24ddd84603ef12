"""Commands whose options may also come from a configuration file."""

import re
from collections.abc import Mapping
from typing import Any

from typer import echo
from typer._click import Context
from typer._click.formatting import HelpFormatter
from typer.core import TyperCommand

from llmbatch.cli.configuration.file import find_configuration
from llmbatch.cli.configuration.layers import Configured, configured_values
from llmbatch.cli.help import usage_pieces, write_full_help, write_short_help
from llmbatch.cli.options.option import Declared
from llmbatch.core.errors import UsageError

_FLAG = re.compile(r"--[a-z][a-z-]*")
_ASKS_FOR_HELP = frozenset({"-h", "--help", "--help-all"})


class ConfiguredCommand(TyperCommand):
    """A command that takes options from a configuration file if neither its command line nor the environment sets them.

    `declared` contains its options by name, as `llmbatch.cli.command` collected them.
    """

    def __init__(self, *args: Any, declared: Mapping[str, Declared], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.declared = declared
        self._configured: dict[str, Configured] = {}

    def collect_usage_pieces(self, ctx: Context) -> list[str]:  # noqa: ARG002 - as its base has it
        """What follows its name in the help and in errors."""
        return usage_pieces(self)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the most common options, on one screen."""
        write_short_help(self, self.declared, ctx, formatter)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse a command line. A request for help is always answered, whatever the configuration contains."""
        if _ASKS_FOR_HELP.isdisjoint(args) and not ctx.resilient_parsing:
            given, _, _ = self.make_parser(ctx).parse_args(list(args))
            self._configured = self.configured(ctx, given)
            ctx.default_map = {name: found.value for name, found in self._configured.items()}
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> Any:
        """Run it. An error about an option that a configuration file sets names that file."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            flags = set(_FLAG.findall(error.message))
            for name, found in self._configured.items():
                if flags.intersection(self.declared[name].option.flags_of(name)):
                    error.message += f" (set by {found.source})"
            raise

    def configured(self, ctx: Context, given: Mapping[str, Any]) -> dict[str, Configured]:
        """What the configuration file sets.

        Args:
            ctx: of this command.
            given: the values from the command line.

        Raises:
            UsageError: the file cannot be used.
        """
        values = {name: given.get(name) for name in ("profile", "task")}
        taken = set()
        for parameter in self.params:
            value = given.get(parameter.name)
            value = parameter.value_from_envvar(ctx) if value is None else value
            if value is not None:
                taken.add(parameter.name)
                values[parameter.name] = value
        return configured_values(
            find_configuration(), self.declared, profile=values["profile"], task=values["task"], given=taken
        )


def show_full_help(context: Context, _: Any, value: bool) -> None:
    """Print all options of a command, and exit."""
    if value and not context.resilient_parsing and isinstance(context.command, TyperCommand):
        formatter = context.make_formatter()
        write_full_help(context.command, context, formatter)
        echo(formatter.getvalue().rstrip("\n"))
        context.exit()
