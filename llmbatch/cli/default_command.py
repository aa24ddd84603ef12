"""A group of commands of which one is meant where none is named."""

from typer._click import Context
from typer.core import TyperGroup


class DefaultCommandGroup(TyperGroup):
    """Takes `group ARGUMENT` for `group COMMAND ARGUMENT`, COMMAND being the first one that was added."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Put the default command in front, unless a command or the help is asked for."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)
