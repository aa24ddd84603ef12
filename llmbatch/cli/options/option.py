"""How an option is declared: once, as a field of a group or a parameter of a command."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, get_args, get_type_hints

_PREFIX = "LLMBATCH_"


@dataclass(frozen=True, slots=True)
class Option:
    """How users see an option, as metadata of its type: `timeout: Annotated[float | None, Option("...")] = None`.

    The name of the field or parameter is its name in Python; its flag and its variable follow from it:
    `retry_wait_min` is `--retry-wait-min` and `LLMBATCH_RETRY_WAIT_MIN`.
    """

    help: str
    brief: str | bool = False
    """A few words for the help on one screen, True for the help's own text; otherwise only `--help-all` shows it."""
    short: str | None = None
    """A flag of one letter in addition to the long one."""
    metavar: str | None = None
    """Placeholder of the value; None shows its type. `N` in it stands for a number, `FILE` and `RUN` for paths."""
    min: float | None = None
    max: float | None = None
    shown_default: str | bool = True
    """What happens without the option, shown instead of the default; False shows neither."""
    panel: str | None = None
    """Its panel in the help, if it is not its group's."""
    flags: tuple[str, ...] = ()
    """All its flags, if they are not derived from its name."""
    variables: tuple[str, ...] = ()
    """All its environment variables, if they are not derived from its name."""
    is_hidden: bool = False
    """It works, but no help shows it."""
    is_sensitive: bool = False
    """It decides who gets the key or the results, what is executed, queried or replaced in a database, or the cost.

    A configuration file can set it only if the user trusts that file.
    """
    is_share: bool = False
    """A number from 0 to 1 that may also be written as a percentage."""
    is_path: bool = False
    """A text that may be a path. In a configuration file, a path is relative to that file's folder."""
    completer: Callable[[str], list[str]] | None = None
    """Returns a shell's completions for what has been typed so far; None for the words in `metavar`."""
    is_name: bool = False
    """A variable's value is a single name even if it contains spaces, as names of fields may."""

    def flags_of(self, name: str) -> tuple[str, ...]:
        """The flags of a field of this name."""
        long = self.flags or (f"--{name.replace('_', '-')}",)
        return long if self.short is None else (*long, self.short)

    def variables_of(self, name: str) -> tuple[str, ...]:
        """The environment variables of a field of this name; the first one that is set is used."""
        return self.variables or (f"{_PREFIX}{name.upper()}",)

    def keys_of(self, name: str) -> tuple[str, ...]:
        """The keys of a field of this name in a configuration file: its LLMBATCH variables without the prefix."""
        own = (variable for variable in self.variables_of(name) if variable.startswith(_PREFIX))
        return tuple(variable.removeprefix(_PREFIX).lower() for variable in own)


class Only:
    """The options of a group that a command takes, while the others keep their defaults.

    As metadata of the group: `money: Annotated[MoneyOptions, Only("price")]`.
    """

    def __init__(self, *names: str) -> None:
        self.names = names


class Except:
    """The options of a group that a command does not take: they keep their defaults."""

    def __init__(self, *names: str) -> None:
        self.names = names


class OptionGroup:
    """Options that belong together: a frozen dataclass whose fields are options, on one panel of the help."""

    __slots__ = ()
    panel: ClassVar[str | None] = None
    """Its panel in the help; None for the panel of a command's own options."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A field of a group."""

    type: Any
    option: Option
    default: Any

    @property
    def is_path(self) -> bool:
        """Whether its values, or the values in its list, may name files."""
        kinds = {self.type, *(part for kind in (self.type, *get_args(self.type)) for part in get_args(kind))}
        return self.option.is_path or Path in kinds


def declared_in(group: type[OptionGroup]) -> dict[str, Declared]:
    """The options of a group by name, in the order of the help."""
    types = get_type_hints(group, include_extras=True)
    declared = {}
    for field in fields(group):  # type: ignore[arg-type]
        kind, option = get_args(types[field.name])
        declared[field.name] = Declared(kind, option, field.default)
    return declared
