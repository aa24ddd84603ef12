"""Which of a configuration's tables apply to a command, and what they set."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any

from llmbatch.cli.configuration.file import DEFAULTS, FILE, PROFILE, TASK, ConfigurationFile, named_tables
from llmbatch.cli.configuration.known_keys import check_keys, plain_key
from llmbatch.cli.options.option import Declared
from llmbatch.cli.options.values import checked_value
from llmbatch.core.errors import UsageError

_DEFAULT_TASK = "default"
"""The task that is used if none is named."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A value that a configuration file sets, in the form of a command line, and the table that it comes from."""

    value: Any
    source: str


def configured_values(
    file: ConfigurationFile | None,
    declared: Mapping[str, Declared],
    *,
    profile: str | None,
    task: str | None,
    given: Collection[str],
) -> dict[str, Configured]:
    """What a configuration file sets of a command's options: its profile first, then its task, then the defaults.

    Args:
        file: the file, if there is one.
        declared: the command's options by name.
        profile: the requested profile.
        task: the task that the command line or the environment names.
        given: options that the command line or the environment set: the file's values for them are ignored.

    Raises:
        UsageError: the file has a key that no option has, a value that cannot be used, or one that it may not set.
    """
    if file is None:
        if profile is not None:
            raise UsageError(
                f"--profile {profile!r}: there is no configuration file",
                hint=f"profiles go in {FILE}, in this folder or a parent folder",
            )
        return {}
    tables = {name: _by_key(file, name, table) for name, table in named_tables(file)}
    check_keys(file, tables, declared)
    if not file.is_own and not file.is_trusted:
        raise UsageError(
            f"{file.shown} belongs to another user, or is writable by everyone: it is ignored",
            hint="check it, then run: llmbatch config trust",
        )
    wide = [DEFAULTS] if profile is None else [_profile(file, tables, profile), DEFAULTS]
    named = task or next((tables[name][TASK] for name in wide if TASK in tables.get(name, {})), _DEFAULT_TASK)
    asks_task = task is not None or TASK in declared
    layers = [*wide[:-1], *(_of_task(tables, named) if asks_task else ()), DEFAULTS]
    return {
        name: _configured(file, tables, layers, name, option)
        for name, option in declared.items()
        if name not in given and _layer(tables, layers, name, option) is not None
    }


def _by_key(file: ConfigurationFile, name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, value in table.items():
        if plain_key(key) in options:
            raise UsageError(f"{file.shown}: [{name}] has {key} twice")
        options[plain_key(key)] = value
    return options


def _profile(file: ConfigurationFile, tables: Mapping[str, Any], profile: str) -> str:
    if f"{PROFILE}.{profile}" in tables:
        return f"{PROFILE}.{profile}"
    names = [name.removeprefix(f"{PROFILE}.") for name in tables if name.startswith(f"{PROFILE}.")]
    close = get_close_matches(profile, names, n=1)
    known = f"it has {', '.join(sorted(names))}" if names else "it has none"
    raise UsageError(
        f"{file.shown}: there is no profile {profile!r}", hint=f"did you mean {close[0]}?" if close else known
    )


def _of_task(tables: Mapping[str, Any], task: Any) -> Iterator[str]:
    """The table of a task, whose name is that on the command line, or the file's name without folders and suffix."""
    if not isinstance(task, str):
        return
    for name in (task, Path(task).name, Path(task).stem):
        if f"{TASK}.{name}" in tables:
            yield f"{TASK}.{name}"
            return


def _layer(
    tables: Mapping[str, Mapping[str, Any]], layers: list[str], name: str, declared: Declared
) -> tuple[str, str] | None:
    """The first table that sets an option, and the key that does."""
    for layer in layers:
        for key in declared.option.keys_of(name):
            if key in tables.get(layer, {}):
                return layer, key
    return None


def _configured(
    file: ConfigurationFile,
    tables: Mapping[str, Mapping[str, Any]],
    layers: list[str],
    name: str,
    declared: Declared,
) -> Configured:
    layer, key = _layer(tables, layers, name, declared) or ("", "")
    place = f"{file.place(key)}: [{layer}]"
    try:
        value = checked_value(key, tables[layer][key], declared.type, declared.option)
    except UsageError as error:
        raise UsageError(f"{place} {error.message}", hint=error.hint) from None
    if declared.option.is_sensitive and not file.is_trusted:
        raise _untrusted(f"{place} {key} counts only in a file that you trust", name, declared)
    plain = value.value if isinstance(value, Enum) else value
    if declared.is_path:
        paths = [_placed(file, path, declared) for path in (plain if isinstance(plain, list) else [plain])]
        outside = next((path for path in paths if not _is_inside(file, path)), None)
        if outside is not None and not file.is_trusted:
            raise _untrusted(f"{place} {key} points outside the file's folder: {outside}", name, declared)
        plain = paths if isinstance(plain, list) else paths[0]
    return Configured(plain, f"{file.path.name} [{layer}]")


def _untrusted(what: str, name: str, declared: Declared) -> UsageError:
    variable = declared.option.variables_of(name)[0]
    return UsageError(what, hint=f"check the file, then run: llmbatch config trust; or set {variable}")


def _placed(file: ConfigurationFile, path: str | Path, declared: Declared) -> str:
    """A path in the file, relative to the current folder.

    Names of tasks and words such as `none` and `off` are not changed: they have neither folders nor suffixes.
    """
    text = str(path)
    is_word = declared.option.is_path and "/" not in text and "." not in text
    if is_word or text.startswith("~") or file.folder == Path.cwd():
        return text
    return str(file.folder / text)


def _is_inside(file: ConfigurationFile, path: str) -> bool:
    return not path.startswith("~") and file.folder.resolve() in Path(path).resolve().parents
