"""Functions become commands: their parameters are arguments, single options, and groups of options."""

import os
from collections.abc import Callable, Iterator
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, TypeVar, get_args, get_origin

import typer
from typer.models import OptionInfo

from llmbatch.cli.options.option import Except, Only, Option, OptionGroup, declared_in

ENVIRONMENT = "Every option is an environment variable too: --retry-wait-min is LLMBATCH_RETRY_WAIT_MIN."
"""Last line of the help of commands that have many."""

_Function = TypeVar("_Function", bound=Callable[..., None])


def command(app: typer.Typer, name: str | None = None, **settings: Any) -> Callable[[_Function], _Function]:
    """Registers a function as a command of `app`.

    A parameter whose type is `Annotated[TYPE, Option(...)]` is an option. One whose type is a group, a frozen dataclass
    with such fields, stands for all its options, `Annotated[GROUP, Only("a", "b")]` or `Annotated[GROUP, Except("a")]`
    for some of them. The function gets the group with the user's values. Everything else is as Typer has it.

    Args:
        app: what the command is called by.
        name: the command's; None for the function's.
        settings: of `typer.Typer.command`.
    """

    def registered(function: _Function) -> _Function:
        app.command(name, **settings)(_typed_out(function))
        return function

    return registered


def _typed_out(function: Callable[..., None]) -> Callable[..., None]:
    """The function as Typer takes it: with a parameter for each option, and types that say how it is shown."""
    declared = signature(function, eval_str=True)
    groups: dict[str, tuple[type[OptionGroup], list[Parameter]]] = {}
    parameters: list[Parameter] = []
    for parameter in declared.parameters.values():
        kind = _unannotated(parameter.annotation)
        if isinstance(kind, type) and issubclass(kind, OptionGroup):
            groups[parameter.name] = kind, list(_parameters(kind, parameter.annotation))
            parameters += groups[parameter.name][1]
        else:
            parameters.append(parameter.replace(annotation=_as_typer_has_it(parameter.name, parameter.annotation)))

    @wraps(function)
    def call(**values: Any) -> None:
        made = {
            name: kind(**{option.name: values.pop(option.name) for option in options})
            for name, (kind, options) in groups.items()
        }
        function(**values, **made)

    keyword_only = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in parameters]
    call.__signature__ = declared.replace(parameters=keyword_only)  # type: ignore[attr-defined]
    return call


def _unannotated(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _parameters(group: type[OptionGroup], annotation: Any) -> Iterator[Parameter]:
    """A parameter for each option of a group that a command takes."""
    declared = declared_in(group)
    for name in _taken(tuple(declared), annotation):
        option = declared[name].option
        shown: Any = Annotated[declared[name].type, _typer_option(name, option, option.panel or group.panel)]
        yield Parameter(name, Parameter.KEYWORD_ONLY, annotation=shown, default=declared[name].default)


def _taken(names: tuple[str, ...], annotation: Any) -> tuple[str, ...]:
    for part in get_args(annotation)[1:]:
        if isinstance(part, Only):
            return part.names
        if isinstance(part, Except):
            return tuple(name for name in names if name not in part.names)
    return names


def _as_typer_has_it(name: str, annotation: Any) -> Any:
    kind, *declared = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    option = next((part for part in declared if isinstance(part, Option)), None)
    return annotation if option is None else Annotated[kind, _typer_option(name, option, option.panel)]


def _typer_option(name: str, option: Option, panel: str | None) -> OptionInfo:
    variables = option.variables_of(name)
    info: OptionInfo = typer.Option(
        *option.flags_of(name),
        envvar=list(variables) if len(variables) > 1 else variables[0],
        show_envvar=False,
        rich_help_panel=panel,
        help=option.help,
        metavar=option.metavar,
        min=option.min,
        max=option.max,
        show_default=option.shown_default,
        callback=_whole_variable if option.is_name else None,
    )
    return info


def _whole_variable(
    context: typer.Context, parameter: typer.CallbackParam, names: list[str] | None
) -> list[str] | None:
    """The names that an option was given; a variable is one, and not as many as it has words."""
    source = context.get_parameter_source(parameter.name or "")
    if source is None or source.name != "ENVIRONMENT":
        return names
    return [os.environ[str(parameter.envvar)]]
