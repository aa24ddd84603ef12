"""Imports that need an optional extra."""

from collections.abc import Iterator
from contextlib import contextmanager

from llmbatch.core.errors import UsageError


@contextmanager
def extra(name: str, *, needed_by: str) -> Iterator[None]:
    """A context for imports that need an extra.

    Raises:
        UsageError: the extra is not installed; the hint is the command that installs it.
    """
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"{needed_by} needs {error.name or 'a package'}, which is not installed",
            hint=f"pip install 'llmbatch[{name}]'",
        ) from None
