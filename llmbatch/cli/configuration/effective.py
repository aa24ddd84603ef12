"""The values of a command's options, and where each comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any

from typer._click import Context
from typer._click.core import Parameter, ParameterSource

from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.cli.configuration.file import find_configuration
from llmbatch.cli.configuration.layers import Configured
from llmbatch.cli.configured_command import ConfiguredCommand
from llmbatch.cli.options.option import Declared
from llmbatch.cli.options.patience import VALUES, Patience, PatientValues, timeout_words
from llmbatch.cli.variables import variable_that_counts
from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.core.redact import Redactor
from llmbatch.core.sanitize import neutral
from llmbatch.task.load import LoadedTask, load_task

_BUILT_IN = "built-in"
_OF_MODEL = (
    "model",
    "temperature",
    "max_output_tokens",
    "reasoning_effort",
    "service_tier",
    "review_below",
    "candidates",
    "embedding_model",
)
"""Options that a task's [model] may set; it calls the model `name`."""
_PATIENT = ("timeout", *(one.name for one in fields(PatientValues)))
_LAST = {"model": defaults.MODEL, "review_below": defaults.REVIEW_BELOW}


@dataclass(frozen=True, slots=True)
class Effective:
    """The value of an option, and where it comes from. None: nothing sets it, and `words` say what happens then."""

    key: str
    value: Any
    source: str
    words: str | None = None


@dataclass(frozen=True, slots=True)
class EffectiveValues:
    """The options of a command, in the order of its help."""

    command: str
    file: Path | None
    values: tuple[Effective, ...]


def effective_values(names: list[str], profile: str | None) -> EffectiveValues:
    """The values of a command's options if its command line sets none.

    Args:
        names: the command's name, and the subcommand's if there is one.
        profile: the profile to use.

    Raises:
        UsageError: there is no such command, or the configuration or the task cannot be used.
    """
    command = _command(names)
    context = Context(command, info_name=names[-1])
    configured = command.configured(context, {"profile": profile})
    context.default_map = {name: found.value for name, found in configured.items()}
    parameters = {parameter.name: parameter for parameter in command.params}
    found = {
        name: _effective(context, parameters[name], declared, configured.get(name))
        for name, declared in command.declared.items()
    }
    if "patience" in found:
        found |= {name: _of_patience(found[name], name, found["patience"]) for name in _PATIENT if name in found}
    if "task" in found and found["task"].key == "task":
        task = load_task(found["task"].value)
        found |= {name: _of_task(found[name], name, task) for name in _OF_MODEL if name in found}
    file = find_configuration()
    return EffectiveValues(" ".join(names), None if file is None else file.path, tuple(found.values()))


def effective_json(effective: EffectiveValues) -> dict[str, Any]:
    """The output of `llmbatch config show --json`."""
    return {
        "command": effective.command,
        "file": None if effective.file is None else str(effective.file),
        "values": {one.key: {"value": one.value, "source": one.source} for one in effective.values},
    }


def effective_lines(effective: EffectiveValues) -> Iterator[str]:
    """A line for each option: key, value, source. Options that are set come last, where they are seen."""
    in_order = sorted(effective.values, key=lambda one: one.source != _BUILT_IN)
    shown = [(one.key, _shown(one), one.source) for one in in_order]
    widths = [max((len(row[column]) for row in shown), default=0) for column in (0, 1)]
    for key, value, source in shown:
        yield f"{key:{widths[0]}}  {value:{widths[1]}}  {source}"


def _command(names: list[str]) -> ConfiguredCommand:
    found: Any = load(names[0]) if names[0] in SUMMARIES else None
    known: Mapping[str, Any] = SUMMARIES
    for name in names[1:]:
        known = getattr(found, "commands", {})
        found = known.get(name)
    if isinstance(found, ConfiguredCommand):
        return found
    below = getattr(found, "commands", {})
    if below:
        raise UsageError(f"{' '.join(names)} is a group of commands", hint=f"name one of {', '.join(below)} too")
    close = get_close_matches(names[-1], known, n=1)
    hint = f"did you mean {close[0]}?" if close else "llmbatch --help lists the commands"
    raise UsageError(f"there is no command {' '.join(names)!r} with options", hint=hint)


def _effective(context: Context, parameter: Parameter, declared: Declared, configured: Configured | None) -> Effective:
    value, source = parameter.consume_value(context, {})
    context.set_parameter_source(parameter.name, source)
    value = None if value is None else parameter.process_value(context, value)
    key = next(iter(declared.option.keys_of(parameter.name)), parameter.name)
    plain = "***" if value is not None and key.endswith("api_key") else _plain(value)
    if source is ParameterSource.ENVIRONMENT:
        return Effective(key, plain, variable_that_counts(parameter) or "")
    if source is ParameterSource.DEFAULT_MAP and configured is not None:
        return Effective(key, plain, configured.source)
    words = declared.option.shown_default
    return Effective(key, plain, _BUILT_IN, words if isinstance(words, str) else None)


def _plain(value: Any) -> Any:
    """A value for JSON, without keys and passwords."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return Redactor().mask(str(value)) if isinstance(value, str | Path) else value


def _of_patience(found: Effective, name: str, patience: Effective) -> Effective:
    """The value that the patience gives an option that nothing else sets."""
    if found.value is not None:
        return found
    source = _BUILT_IN if patience.source == _BUILT_IN else f"patience, {patience.source}"
    values = VALUES[Patience(patience.value)]
    if name == "timeout":
        return replace(found, source=source, words=timeout_words(values))
    return Effective(found.key, getattr(values, name), source)


def _of_task(found: Effective, name: str, task: LoadedTask) -> Effective:
    """The value that the task's [model] gives an option that nothing else sets."""
    if found.value is not None:
        return found
    value = getattr(task.task.model, "name" if name == "model" else name)
    if value is None:
        return replace(found, value=_LAST.get(name))
    return Effective(found.key, value.value if isinstance(value, Enum) else value, f"{task.source} [model]")


def _shown(one: Effective) -> str:
    if one.value is None:
        return f"({one.words})" if one.words else "-"
    if isinstance(one.value, list):
        return neutral(", ".join(map(str, one.value)))
    return neutral(str(one.value).lower() if isinstance(one.value, bool) else str(one.value))
