"""Plug-ins: parts provided by other installed packages through entry points, imported when requested by name.

None are loaded from the current folder, even if Python would look there: it may hold a stranger's documents.
"""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core.errors import LLMBatchError, Terminated, UsageError
from llmbatch.core.sanitize import neutral

FORMATS = "llmbatch.formats"
DIALECTS = "llmbatch.dialects"
OUTPUTS = "llmbatch.outputs"
OBSERVERS = "llmbatch.observers"
"""The entry point groups."""

_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Plugin:
    """An imported part of another package."""

    name: str
    """The name of its entry point, by which it is requested."""
    package: str
    """The package that provides it, with its version: `acme-formats 1.2`."""
    part: Any

    def check(self, attributes: Mapping[str, type | None]) -> None:
        """Reject a part that lacks a required attribute.

        Args:
            attributes: required attributes by name, with their types; None for a callable.

        Raises:
            UsageError: one is missing or has another type.
        """
        if isinstance(self.part, type):
            raise self.failure(f"{self.part.__name__} is a class; an instance is required")
        for name, kind in attributes.items():
            value = getattr(self.part, name, None)
            if not (callable(value) if kind is None else isinstance(value, kind)):
                wanted = "method" if kind is None else f"attribute of type {kind.__name__}"
                raise self.failure(f"it has no {wanted} {name!r}")

    @contextmanager
    def blamed(self, *passed: type[Exception]) -> Iterator[None]:
        """A context that reports any exception within as an error of the plug-in, not of llmbatch.

        Args:
            passed: exceptions to let through, besides our own.

        Raises:
            UsageError: instead of any other exception.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, (LLMBatchError, *passed)):
                raise
            raise self.failure(_reason(error)) from error

    def failure(self, reason: str) -> UsageError:
        """The error that names the plug-in and the reason."""
        return _failure(self.name, self.package, reason)


def plugin_names(group: str) -> tuple[str, ...]:
    """The sorted names of a group's plug-ins. None is imported."""
    return tuple(sorted(_offered(group)))


def plugin_packages() -> dict[str, str]:
    """The packages that provide plug-ins, with their versions. None is imported."""
    groups = (FORMATS, DIALECTS, OUTPUTS, OBSERVERS)
    offers = (offer for group in groups for several in _offered(group).values() for offer in several)
    return {offer.package: offer.version for offer in offers}


def find_plugin(group: str, name: str) -> Plugin | None:
    """Find a plug-in by name; None if no package provides it.

    Raises:
        UsageError: it cannot be imported, or two packages provide it.
    """
    offers = _offered(group).get(name)
    if not offers:
        return None
    offer = offers[0]
    if len(offers) > 1:
        raise UsageError(
            f"{name!r} is a plug-in of two packages: {offer.shown} and {offers[1].shown}", hint="uninstall one of them"
        )
    module = offer.entry.module
    if not offer.is_editable and _is_in_current_folder(module):
        raise _failure(name, offer.shown, f"module {module!r} would be imported from the current folder")
    try:
        return Plugin(name, offer.shown, offer.entry.load())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | Terminated):
            raise
        raise _failure(name, offer.shown, _reason(error)) from error  # an extension's panic is not an Exception


@dataclass(frozen=True, slots=True)
class _Offer:
    entry: EntryPoint
    package: str
    version: str
    is_editable: bool
    """Whether it is an editable install, whose folder may be the current one."""

    @property
    def shown(self) -> str:
        """The package with its version."""
        return f"{self.package} {self.version}"


def _offered(group: str) -> dict[str, list[_Offer]]:
    return _offered_in(group, Path.cwd(), tuple(sys.path))


@cache
def _offered_in(group: str, current: Path, paths: tuple[str, ...]) -> dict[str, list[_Offer]]:
    """Offers by name. If a package is found more than once (two versions, `lib` and `lib64`), the first offer wins.

    Python resolves the package's modules the same way. Leftovers of another version without entry points hide nothing.
    """
    offers: dict[str, list[_Offer]] = {}
    for distribution in distributions(path=[path for path in paths if path and not _is_same(Path(path), current)]):
        with suppress(Exception):  # broken metadata is reported when that plug-in is requested
            entries = distribution.entry_points.select(group=group)
            package = _normalized(distribution.metadata["Name"]) if entries else ""  # a long text to parse
            for entry in entries:
                others = offers.setdefault(entry.name, [])
                if all(package != other.package for other in others):
                    others.append(_Offer(entry, package, distribution.version, _is_editable(distribution)))
    return offers


def _normalized(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _is_editable(distribution: Distribution) -> bool:
    """Whether a distribution is an editable install, by its direct URL record (PEP 610)."""
    with suppress(orjson.JSONDecodeError, KeyError, TypeError):
        return bool(orjson.loads(distribution.read_text("direct_url.json") or "{}")["dir_info"]["editable"])
    return False


def _is_in_current_folder(module: str) -> bool:
    """Whether Python would import a module, or its package, from the current folder."""
    with suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(module.partition(".")[0])
        if spec is not None:
            files = spec.submodule_search_locations or ([] if spec.origin is None else [spec.origin])
            return any(_is_same(Path(file).parent, Path.cwd()) for file in files)
    return False


def _is_same(path: Path, other: Path) -> bool:
    with suppress(OSError):
        return path.samefile(other)
    return False


def _reason(error: BaseException) -> str:
    return neutral(f"{type(error).__name__}: {error}".rstrip(": "), limit=_LONGEST_REASON)


def _failure(name: str, package: str, reason: str) -> UsageError:
    return UsageError(
        f"plug-in {name!r} of {package} cannot be used ({reason})",
        hint=f"update or uninstall it: pip uninstall {package.partition(' ')[0]}",
    )
