"""The libraries behind the figures, which the base installation does without."""

from importlib.util import find_spec

from llmbatch.errors import UsageError

_LIBRARIES = ("numpy", "scipy", "sklearn", "matplotlib")


def require_eval_extra(command: str) -> None:
    """See to it that `command` can compute, before anything is read or paid for.

    Raises:
        UsageError: the extra `eval` is not installed.
    """
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"llmbatch {command} needs {', '.join(missing)}", hint="they come with: pip install 'llmbatch[eval]'"
        )
