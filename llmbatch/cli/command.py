"""Functions become commands: their parameters are arguments, single options, and groups of options."""

import os
from collections.abc import Callable
from functools import partial, wraps
from inspect import Parameter, signature
from typing import Annotated, Any, TypeVar, get_args, get_origin

import typer
from typer.models import OptionInfo

from llmbatch.cli.completion import profiles, words
from llmbatch.cli.configured_command import ConfiguredCommand, show_full_help
from llmbatch.cli.help import Group
from llmbatch.cli.options.option import Declared, Except, Only, Option, OptionGroup, declared_in
from llmbatch.core.shares import share_of

ENVIRONMENT = "Every option is an environment variable too: --retry-wait-min is LLMBATCH_RETRY_WAIT_MIN."
"""Last line of the help of commands with many options."""

_PROFILE = Declared(
    str | None, Option("Use the configuration's [profile.NAME] too.", metavar="NAME", completer=profiles), None
)
_HELP_ALL = Annotated[
    bool,
    typer.Option("--help-all", help="Show all options, and exit.", is_eager=True, callback=show_full_help, hidden=True),
]
_Function = TypeVar("_Function", bound=Callable[..., None])


def command(app: typer.Typer, name: str | None = None, **settings: Any) -> Callable[[_Function], _Function]:
    """Register a function as a command of `app`.

    A parameter whose type is `Annotated[TYPE, Option(...)]` is an option. One whose type is a group, a frozen dataclass
    with such fields, stands for all its options, and `Annotated[GROUP, Only("a", "b")]` or
    `Annotated[GROUP, Except("a")]` for some of them. The function gets the group with the user's values. All other
    parameters work as in Typer.

    Args:
        app: the group of commands to which it is added.
        name: of the command; None for the function's name.
        settings: of `typer.Typer.command`.
    """

    def registered(function: _Function) -> _Function:
        call, declared = _typed_out(function)
        made: Any = partial(ConfiguredCommand, declared=declared)
        app.command(name, cls=made, **settings)(call)
        return function

    return registered


def command_group(purpose: str, cls: type[Group] = Group) -> typer.Typer:
    """A group of commands, such as `llmbatch review`.

    Args:
        purpose: the description in its help.
        cls: the class that finds its commands.
    """
    return typer.Typer(cls=cls, add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=purpose)


def _typed_out(function: Callable[..., None]) -> tuple[Callable[..., None], dict[str, Declared]]:
    """The function in the form that Typer expects: a parameter for each option, with types that define its display.

    Also returns the declaration of each option.
    """
    written = signature(function, eval_str=True)
    groups: dict[str, tuple[type[OptionGroup], dict[str, Declared]]] = {}
    declared: dict[str, Declared] = {}
    parameters: list[Parameter] = []
    for parameter in written.parameters.values():
        kind = _unannotated(parameter.annotation)
        if isinstance(kind, type) and issubclass(kind, OptionGroup):
            options = declared_in(kind)
            taken = {name: options[name] for name in _taken(tuple(options), parameter.annotation)}
            groups[parameter.name] = kind, taken
            declared |= taken
            parameters += [_parameter(name, option, kind.panel) for name, option in taken.items()]
        elif (option := _declared(parameter)) is not None:
            declared[parameter.name] = option
            parameters.append(_parameter(parameter.name, option, None))
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
    parameters.append(_parameter("profile", _PROFILE, None))
    parameters.append(Parameter("help_all", Parameter.KEYWORD_ONLY, annotation=_HELP_ALL, default=False))

    @wraps(function)
    def call(*, profile: str | None, help_all: bool, **values: Any) -> None:  # noqa: ARG001 - looked at already
        made = {
            name: kind(**{option: values.pop(option) for option in taken}) for name, (kind, taken) in groups.items()
        }
        function(**values, **made)

    call.__signature__ = written.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call, declared


def _unannotated(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _taken(names: tuple[str, ...], annotation: Any) -> tuple[str, ...]:
    for part in get_args(annotation)[1:]:
        if isinstance(part, Only):
            return part.names
        if isinstance(part, Except):
            return tuple(name for name in names if name not in part.names)
    return names


def _declared(parameter: Parameter) -> Declared | None:
    """The declaration of a single option; None for another parameter."""
    kind, *declared = get_args(parameter.annotation) if get_origin(parameter.annotation) is Annotated else (None,)
    option = next((part for part in declared if isinstance(part, Option)), None)
    return None if option is None else Declared(kind, option, parameter.default)


def _parameter(name: str, declared: Declared, panel: str | None) -> Parameter:
    option = declared.option
    shown: Any = Annotated[declared.type, _typer_option(name, option, option.panel or panel)]
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=shown, default=declared.default)


def _typer_option(name: str, option: Option, panel: str | None) -> OptionInfo:
    variables = option.variables_of(name)
    info: OptionInfo = typer.Option(
        *option.flags_of(name),
        envvar=list(variables) if len(variables) > 1 else variables[0],
        show_envvar=False,
        rich_help_panel=panel,
        help=option.help,
        hidden=option.is_hidden,
        metavar=option.metavar,
        min=option.min,
        max=option.max,
        parser=_share if option.is_share else None,
        show_default=option.shown_default,
        autocompletion=option.completer or words(option.metavar),
        callback=_whole_variable if option.is_name else None,
    )
    return info


def _share(given: str | float) -> float:
    share = share_of(str(given))
    if share is None:
        raise typer.BadParameter(f"{str(given)[:40]!r} is neither a number from 0 to 1 nor a percentage, as 60%")
    return share


def _whole_variable(
    context: typer.Context, parameter: typer.CallbackParam, names: list[str] | None
) -> list[str] | None:
    """The names that an option was given; a variable is one name, even if it contains spaces."""
    source = context.get_parameter_source(parameter.name or "")
    if source is None or source.name != "ENVIRONMENT":
        return names
    return [os.environ[str(parameter.envvar)]]
