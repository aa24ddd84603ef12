"""A group of commands with a default command."""

from pathlib import Path
from typing import ClassVar

from typer._click import Context
from typer._click.shell_completion import CompletionItem

from llmbatch.cli.help import Group
from llmbatch.cli.likely import likely
from llmbatch.core.errors import UsageError


class DefaultCommandGroup(Group):
    """Reads `group ARGUMENT` as `group COMMAND ARGUMENT`; COMMAND is the first one that was added."""

    needs_argument: ClassVar[bool] = True
    """If False, `group` alone means `group COMMAND` as well."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Put the default command in front, unless the arguments name a command or ask for help.

        Raises:
            UsageError: the first argument is a misspelled command, and there is no file with that name.
        """
        if not args and not self.needs_argument and not ctx.resilient_parsing:
            args = [next(iter(self.commands))]
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            meant = likely(args[0], self.commands)
            if meant is not None and not ctx.resilient_parsing and not Path(args[0]).exists():
                raise UsageError(
                    f"{ctx.command_path}: there is no command {args[0]!r} and no run folder of that name",
                    hint=f"did you mean {ctx.command_path} {meant}?",
                )
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """The commands, and completions for the default command's argument."""
        first = next(iter(self.commands.values())).params[0]
        return [*super().shell_complete(ctx, incomplete), *first.shell_complete(ctx, incomplete)]
